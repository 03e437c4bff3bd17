package netloop

import (
	"sync"
	"testing"
)

// TestNoticesAreBounded: a loop that is busy collects one entry per connection, whatever others
// want of it meanwhile.
func TestNoticesAreBounded(t *testing.T) {
	s := startServer(t, networks[0], Limits{})
	c := s.connect()
	busy, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(busy) })
	wait := func() error {
		once()
		<-goOn
		return nil
	}
	s.commit.Store(&wait)
	c.send("block\n")
	<-busy
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
	close(goOn)
	c.expect("resumed")
	conn.Kill(Killed)
	conn.Kill(IdleTimeout)
	conn.Resume()
	c.expectEOF(Killed)
	s.close()
}
