package harness

import (
	"context"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
)

// Drivers are larder's network drivers: no client may be able to tell them apart.
var Drivers = []string{"epoll", "io_uring", "portable"}

// EachDriver runs a test once per network driver; f starts its server with "network-driver
// "+driver.
func EachDriver(t *testing.T, f func(t *testing.T, driver string)) { eachOf(t, Drivers, f) }

// EachDriverAlone is EachDriver for tests in which one client speaks at a time, or all by TLS. Where there is io_uring
// their answers are sent without, as with epoll: see netloop.
func EachDriverAlone(t *testing.T, f func(t *testing.T, driver string)) {
	eachOf(t, slices.DeleteFunc(slices.Clone(Drivers), func(d string) bool { return d == "io_uring" }), f)
}

func eachOf(t *testing.T, drivers []string, f func(t *testing.T, driver string)) {
	for _, d := range drivers {
		t.Run(d, func(t *testing.T) {
			NeedDriver(t, d)
			f(t, d)
		})
	}
}

// NeedDriver skips a test where the system does not allow what the driver needs.
func NeedDriver(t testing.TB, driver string) {
	if driver == "io_uring" {
		if err := netloop.ProbeURing(); err != nil {
			t.Skip(err)
		}
	}
}

// Start runs larder in this process on a free port of the loopback; each param is a line of
// redis.conf, as for StartBinary. It is closed, and must have closed cleanly, before the test ends.
//
// With SUBJECT=redis it starts a redis-server instead: a comparison must then pass against itself.
func Start(t testing.TB, params ...string) *Server {
	t.Helper()
	if !SubjectIsLarder() {
		return StartRedis(t, params...)
	}
	all := withDefaults(t, params)
	cfg, err := config.Load("", flags(append([]string{"port 0"}, all...)))
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	srv, err := server.Open(cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := &Server{Name: "larder", Pid: os.Getpid(), Dir: folder(all), Admin: adminAddr(all), log: log, done: done}
	for _, addr := range srv.Addrs() {
		switch _, port, err := net.SplitHostPort(addr); {
		case err != nil:
			s.Socket = addr
		case s.Addr == "":
			s.Addr = addr
		case port == last(all, "tls-port") && !strings.HasSuffix(s.Addr, ":"+port):
			s.Secure = addr
		}
	}
	go func() {
		s.err = srv.Serve(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(startDeadline):
			t.Errorf("Serve does not return; log:\n%s", tail(s.Log(), logTail))
			return
		}
		if s.err != nil {
			t.Errorf("Serve: %v", s.err)
		}
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if t.Failed() {
			t.Logf("log of larder:\n%s", tail(s.Log(), logTail))
		}
	})
	return s
}
