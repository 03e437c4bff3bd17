package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestPooledContextKeepsNothing: scratch memory that nobody borrows refers to no client's bytes,
// also not in the parts of its slices that only earlier commands of the batch, or earlier looks
// ahead, have filled.
func TestPooledContextKeepsNothing(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	var in []byte
	for line := range strings.SplitSeq("select 1\nmulti\nset q 1\nswapvalues u v\nexec\nwatch a b c d e\n"+
		strings.Repeat("set k v\nswapvalues a b\n", 20)+"unwatch\nget k\nget k", "\n") {
		args := words(line)
		in = fmt.Appendf(in, "*%d\r\n", len(args))
		for _, a := range args {
			in = fmt.Appendf(in, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	var c0 *Ctx
	for range 100 { // under the race detector a pool drops some of what it is given
		if taken, out, _ := c.data(in, nil); taken != len(in) || bytes.Contains(out, []byte("-ERR")) {
			t.Fatalf("%d bytes of %d, %q", taken, len(in), out)
		}
		var ok bool
		if c0, ok = r.kernel.ctxs.pool.Get().(*Ctx); ok {
			break
		}
	}
	if c0 == nil || cap(c0.Keys) < 5 || cap(c0.ahead.args) < lookWindow {
		t.Fatal("the commands have used no scratch memory")
	}
	for i, k := range c0.Keys[:cap(c0.Keys)] {
		if k.Name != nil {
			t.Errorf("key %d is still %q", i, k.Name)
		}
	}
	l := &c0.ahead
	for i, k := range l.keys[:cap(l.keys)] {
		if k.Name != nil {
			t.Errorf("ahead, key %d is still %q", i, k.Name)
		}
	}
	for i, a := range l.args[:cap(l.args)] {
		if a != nil {
			t.Errorf("ahead, argument %d is still %q", i, a)
		}
	}
	for i, e := range l.elements[:cap(l.elements)] {
		if e != nil {
			t.Errorf("ahead, element %d is still %q", i, e)
		}
	}
	for i := range l.requests {
		if r := &l.requests[i]; r.args != nil || r.key.Name != nil {
			t.Errorf("ahead, request %d is still %q", i, r.args)
		}
	}
	if c0.Args != nil || c0.wire != nil || c0.looked != nil || c0.Session != nil || c0.Loan != nil {
		t.Errorf("still %q of session %v", c0.Args, c0.Session)
	}
}
