package clients

import (
	"fmt"
	"net"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestRedisPy runs redispy_smoke.py.
func TestRedisPy(t *testing.T) { runRedisPy(t, "tests/clients/redispy_smoke.py") }

// TestRedisPyMessages runs redispy_messages.py.
func TestRedisPyMessages(t *testing.T) { runRedisPy(t, "tests/clients/redispy_messages.py") }

func runRedisPy(t *testing.T, script string) {
	t.Helper()
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		for protocol := 2; protocol <= 3; protocol++ {
			out := harness.Python(t, script, host, port, fmt.Sprint(protocol))
			if out != "ok\n" {
				t.Errorf("RESP%d:\n%s", protocol, out)
			}
		}
	})
}
