package admin

import "testing"

// A gate that is full gives the place of who waits longest to who comes, and none that is in use.
func TestGate(t *testing.T) {
	g := newGate(3)
	var c [6]*gatedConn
	for i := range c {
		c[i] = &gatedConn{gate: g}
	}
	for i := range 3 {
		if v := g.admit(c[i]); v != nil {
			t.Fatalf("%d had to go for %d", i, i)
		}
	}
	g.serves(c[0], true)
	if g.admit(c[3]) != c[1] {
		t.Error("not the one that waits longest went")
	}
	g.serves(c[1], true) // has gone
	g.serves(c[2], true)
	g.serves(c[3], true)
	if g.admit(c[4]) != c[4] {
		t.Error("somebody who is being served went")
	}
	g.serves(c[0], false)
	g.serves(c[2], false)
	g.serves(c[2], false)
	if g.admit(c[5]) != c[0] || len(g.open) != 3 || len(g.waiting) != 2 {
		t.Errorf("%d are open, %d wait", len(g.open), len(g.waiting))
	}
	for _, x := range c {
		g.forget(x)
	}
	if len(g.open)+len(g.waiting) != 0 {
		t.Error("somebody is left")
	}
	there := &stub{}
	if v := g.admit(&gatedConn{Conn: there, gate: g}); v != nil {
		t.Error("not let in")
	}
	if g.close(); !there.closed {
		t.Error("still there after the end")
	}
	if g.admit(c[0]) != c[0] {
		t.Error("let in after the end")
	}
}
