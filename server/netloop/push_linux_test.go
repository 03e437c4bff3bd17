package netloop

import (
	"testing"
)

// TestPushAllocs: a push takes no memory but an entry, which is used again. The loop keeps no
// message that it has sent.
func TestPushAllocs(t *testing.T) {
	const pushes = 1000
	s := startServer(t, networks[0], Limits{})
	c := s.connect()
	conn := c.session.conn.(*conn)
	b := []byte("message\n")
	for round := range 2 {
		release := held(s, c, "echo held")
		allocs := testing.AllocsPerRun(pushes-1, func() { conn.Push(b) })
		if round > 0 && allocs != 0 {
			t.Errorf("%v allocations for each Push", allocs)
		}
		if z := conn.Sizes(); z.Output < pushes*int64(len(b)+pushEntry) {
			t.Errorf("%d messages count as %d bytes", pushes, z.Output)
		}
		s.commit.Store(nil)
		release()
		c.expect("held")
		for range pushes {
			c.expect("message")
		}
	}
	c.send("echo done\n")
	c.expect("done")
	s.close()
	for m := conn.loop.notices.free; m != nil; m = m.next {
		if m.b != nil {
			t.Fatal("an entry that is not in use holds a message")
		}
	}
	if kept := conn.loop.notices.spare; kept < pushes || kept > pushSpare {
		t.Errorf("%d entries are kept", kept)
	}
}

// TestPushesOfARound: a round sends to some connections only, unless one of them has much waiting.
func TestPushesOfARound(t *testing.T) {
	for name, long := range map[string]bool{"short": false, "long": true} {
		t.Run(name, func(t *testing.T) {
			p, l := &pushRound{}, &loop{server: &Server{opts: Options{Limits: func(Class) Limits { return Limits{} }}}}
			n := &l.notices
			push := func(b []byte) {
				c := &conn{loop: l}
				c.home.Store(l)
				c.Push(b)
			}
			for range 3 * pushConns {
				push([]byte("message"))
			}
			if long {
				push(make([]byte, pushHurry))
			}
			n.takePushes(p)
			if p.used != pushConns || !p.left() || p.hurry != long {
				t.Errorf("%d of %d, hurry %v", p.used, 3*pushConns, p.hurry)
			}
			sent := 0
			for p.used > 0 {
				sent += p.used
				n.reuseTaken(p)
				n.takePushes(p)
			}
			if sent < 3*pushConns || p.left() || n.pending.Load() {
				t.Errorf("%d have been sent to", sent)
			}
		})
	}
}

// BenchmarkPush pushes to a connection of a loop that takes nothing meanwhile.
func BenchmarkPush(b *testing.B) {
	l := &loop{server: new(Server)}
	n, c := &l.notices, &conn{loop: l}
	c.home.Store(l)
	message := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		c.Push(message)
		if c.sizes.pushed.Load() > 10_000 {
			n.reuse(n.takeOne(c).first)
		}
	}
}
