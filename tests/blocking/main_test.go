// Package blocking tests clients that wait for elements: who is served and when, that nothing is
// lost or given to two, and what waiting costs.
package blocking

import (
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience is how long a test waits for what must happen.
const patience = harness.Patience

// bench is a server and a client to act with.
type bench struct {
	*harness.Conn
	t      *testing.T
	server *harness.Server
}

func start(t *testing.T, params ...string) *bench {
	t.Helper()
	s := harness.Start(t, params...)
	return &bench{s.Dial(t), t, s}
}

func (b *bench) number(section, field string) int {
	b.t.Helper()
	n, err := strconv.Atoi(b.Info(section, field))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// untilBlocked waits until so many clients are blocked.
func (b *bench) untilBlocked(n int) {
	b.t.Helper()
	harness.Eventually(b.t, patience, "clients are blocked", func() bool { return b.number("clients", "blocked_clients") == n })
}

// waiter is a new client that waits with a command.
func (b *bench) waiter(args ...string) *harness.Conn {
	b.t.Helper()
	before := b.number("clients", "blocked_clients")
	c := b.server.Dial(b.t)
	c.Send(args...)
	b.untilBlocked(before + 1)
	return c
}

// id is a client's number.
func id(c *harness.Conn) string { return c.Do("CLIENT", "ID").Text }

// expect sends a request and compares the reply.
func (b *bench) expect(want string, args ...string) {
	b.t.Helper()
	if got := b.Do(args...).Raw; got != want {
		b.t.Errorf("%q: %q, want %q", args, got, want)
	}
}

func read(t *testing.T, c *harness.Conn, want string) {
	t.Helper()
	if got := c.Read().Raw; got != want {
		t.Errorf("the waiting client got %q, want %q", got, want)
	}
}

// popped is the reply of BLPOP.
func popped(key, element string) string { return harness.Encode(key, element) }
