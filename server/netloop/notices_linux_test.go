package netloop

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoticesAreBounded: a loop that is busy collects one entry per connection, whatever others
// want of it meanwhile.
func TestNoticesAreBounded(t *testing.T) {
	s := startServer(t, networks[0], Limits{})
	c := s.connect()
	release := held(s, c, "block")
	conn := c.session.conn.(*conn)
	if n := testing.AllocsPerRun(1000, conn.Resume); n != 0 {
		t.Errorf("%v allocations for each Resume", n)
	}
	n := &conn.loop.notices
	n.mu.Lock()
	if len(n.waiting) != 1 {
		t.Errorf("%d entries for one connection", len(n.waiting))
	}
	n.mu.Unlock()
	release()
	c.expect("resumed")
	conn.Kill(Killed)
	conn.Kill(IdleTimeout)
	conn.Resume()
	c.expectEOF(Killed)
	s.close()
}

// TestWakeUps: a loop that sleeps is woken for a message at once, for one that may come later by
// the flush, by another message, or when there are many.
func TestWakeUps(t *testing.T) {
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(wake) })
	for name, x := range map[string]struct {
		do    func(n *notices, c *conn)
		woken bool
	}{
		"at once": {func(_ *notices, c *conn) { c.Push(make([]byte, 1)) }, true},
		"later":   {func(_ *notices, c *conn) { c.PushLater(make([]byte, 1)) }, false},
		"many":    {func(_ *notices, c *conn) { c.PushLater(make([]byte, pushHurry)) }, true},
		"flush": {func(n *notices, c *conn) {
			c.PushLater(make([]byte, 1))
			n.flush()
		}, true},
		"flush of nothing": {func(n *notices, _ *conn) { n.flush() }, false},
		"another one": {func(_ *notices, c *conn) {
			c.PushLater(make([]byte, 1))
			c.Push(make([]byte, 1))
		}, true},
	} {
		l := &loop{server: &Server{opts: Options{Limits: func(Class) Limits { return Limits{} }}}}
		n, c := &l.notices, &conn{loop: l}
		n.wake = wake
		c.home.Store(l)
		if !n.sleep() {
			t.Fatal("new notices have something to take")
		}
		if x.do(n, c); n.rung != x.woken {
			t.Errorf("%s: woken %v, want %v", name, n.rung, x.woken)
		}
		if has := name != "flush of nothing"; n.sleep() == has {
			t.Errorf("%s: the loop may sleep: %v", name, !has)
		}
	}
}
