package clients

import (
	"fmt"
	"net"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestRedisPy runs redispy_smoke.py.
func TestRedisPy(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		for protocol := 2; protocol <= 3; protocol++ {
			out := harness.Python(t, "tests/clients/redispy_smoke.py", host, port, fmt.Sprint(protocol))
			if out != "ok\n" {
				t.Errorf("RESP%d:\n%s", protocol, out)
			}
		}
	})
}
