//go:build linux

package packets

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/tests/harness"
)

// limitOpen says how many files a process may have open.
func limitOpen(t *testing.T, pid, files int) {
	t.Helper()
	limit := unix.Rlimit{Cur: uint64(files), Max: uint64(files)}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
}

// TestMaxclientsFitsFiles: maxclients above what the limit on open files has room for is refused in
// Redis' words. (The limit is lowered for good, and no test may have the right to raise it.)
func TestMaxclientsFitsFiles(t *testing.T) {
	redis, larder := harness.StartRedis(t), harness.StartBinary(t)
	for _, s := range []*harness.Server{redis, larder} {
		limitOpen(t, s.Pid, 120)
	}
	a, b := larder.Dial(t), redis.Dial(t)
	for _, call := range []string{
		"CONFIG SET maxclients 89", "CONFIG SET maxclients 88", "CONFIG SET maxclients 10000 hz 20", "CONFIG SET hz 30 maxclients 500",
		"CONFIG GET hz", "CONFIG SET maxclients 1000", "CONFIG GET maxclients", "CONFIG SET maxclients 0", "CONFIG SET maxclients x",
	} {
		if x, y := a.Do(strings.Fields(call)...), b.Do(strings.Fields(call)...); x.Raw != y.Raw {
			t.Errorf("%s\n  larder %v\n  redis  %v", call, x, y)
		}
	}
}

// TestMaxclientsIsLowered: at start it is lowered to what there is room for.
func TestMaxclientsIsLowered(t *testing.T) {
	s := harness.Launch(t, "sh", "-c", `ulimit -n 120; exec "$0" "$@"`, harness.Binary(t), "serve", "--port", "0", "--save", "", "--dir", t.TempDir())
	harness.Eventually(t, patience, "larder serves", func() bool { return strings.Contains(s.Log(), "larder serves") })
	if strings.Contains(s.Log(), "maxclients=10000") {
		t.Skip("this user may raise the limit")
	}
	if log := s.Log(); !strings.Contains(log, "maxclients is lowered") || strings.Count(log, "maxclients=88") != 2 {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// TestAdminTakesNoFiles: who opens as many connections to the admin server as there may be takes none
// of the descriptors that clients and snapshots need.
func TestAdminTakesNoFiles(t *testing.T) {
	const most = 120 - 32 - 120/4
	port, data := harness.FreePort(t), harness.FreePort(t)
	s := harness.Launch(t, "sh", "-c", `ulimit -n 120; exec "$0" "$@"`, harness.Binary(t), "serve", "--port", data, "--save", "",
		"--dir", t.TempDir(), "--admin-port", port)
	harness.Eventually(t, patience, "larder serves", func() bool { return strings.Contains(s.Log(), "larder serves") })
	s.Addr = "127.0.0.1:" + data
	if strings.Contains(s.Log(), "maxclients=10000") {
		t.Skip("this user may raise the limit")
	}
	if log := s.Log(); !strings.Contains(log, fmt.Sprintf("maxclients=%d", most)) {
		t.Fatalf("maxclients is not %d:\n%s", most, log)
	}
	for range 200 {
		nc, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	for range most {
		if r := s.Dial(t).Do("PING"); r.Raw != "+PONG\r\n" {
			t.Fatal(r)
		}
	}
	if r := s.Dial(t).Do("PING"); !strings.Contains(r.Raw, "max number of clients reached") {
		t.Errorf("one too many: %v", r)
	}
	if strings.Contains(s.Log(), "cannot accept connections") {
		t.Errorf("there were too few descriptors:\n%s", s.Log())
	}
}

// TestNoFilesLeft takes the descriptors away from a running server: those who are connected are
// served, the others wait until somebody leaves, and the log has a line a second of it at most.
func TestNoFilesLeft(t *testing.T) {
	const clients, room = 40, 5
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		first := s.Dial(t)
		first.Do("PING")
		limitOpen(t, s.Pid, s.OpenFiles(t)+room)
		began := time.Now()
		var all []*harness.Conn
		for range clients {
			all = append(all, s.Dial(t)) // the system takes the connection
		}
		// Everybody is served in the end: each when those before have gone.
		for i, c := range all {
			if r := c.Do("ECHO", fmt.Sprint(i)); r.Text != fmt.Sprint(i) {
				t.Fatalf("client %d: %v", i, r)
			}
			if r := first.Do("PING"); r.Raw != "+PONG\r\n" {
				t.Fatal(r)
			}
			_ = c.Close()
		}
		lines := strings.Count(s.Log(), "cannot accept connections") + strings.Count(s.Log(), "cannot take a connection over")
		if most := 1 + int(time.Since(began)/time.Second); lines == 0 || lines > most {
			t.Errorf("%d lines in the log, want up to %d:\n%s", lines, most, s.Log())
		}
	})
}
