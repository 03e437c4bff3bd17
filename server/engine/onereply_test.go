package engine

import (
	"testing"

	"github.com/larderkv/larder/store/invariants"
)

func TestReplyLength(t *testing.T) {
	for _, whole := range []string{
		"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$-1\r\n", "$0\r\n\r\n", "$3\r\na\r\n\r\n", "*0\r\n", "*-1\r\n", "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
		"_\r\n", ",1.5\r\n", "#t\r\n", "%1\r\n+a\r\n:1\r\n", "~1\r\n+a\r\n", "|1\r\n+a\r\n:1\r\n*1\r\n:2\r\n", "=7\r\ntxt:abc\r\n",
	} {
		if got := ReplyLength([]byte(whole + "+OK\r\n")); got != len(whole) {
			t.Errorf("%q: %d bytes, want %d", whole, got, len(whole))
		}
		for n := range whole {
			if got := ReplyLength([]byte(whole[:n])); got >= 0 {
				t.Errorf("%q: %d bytes", whole[:n], got)
			}
		}
	}
	if got := ReplyLength([]byte("x\r\n")); got >= 0 {
		t.Errorf("%d bytes of nonsense", got)
	}
}

// TestOneReply: with the tag invariants a handler that writes two replies, or none, does not get
// away with it.
func TestOneReply(t *testing.T) {
	r := newRig(t)
	for name, handler := range map[string]Handler{
		"two":  func(c *Ctx) error { c.Out.OK(); c.Out.OK(); return nil },
		"none": func(*Ctx) error { return nil },
		"half": func(c *Ctx) error { c.Out.Array(2); c.Out.OK(); return nil },
	} {
		c := r.connect()
		ctx := c.begin(&c.out)
		func() {
			defer func() {
				if panicked := recover() != nil; panicked != invariants.Enabled {
					t.Errorf("%s replies: panicked is %v", name, panicked)
				}
			}()
			ctx.call(mustTable(t, Spec{Name: "a", Arity: 1, Handler: handler}).Rows()[0])
		}()
	}
}
