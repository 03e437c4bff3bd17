package crash

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// client writes to keys of its own and knows what they may hold.
type client struct {
	id   int
	db   int
	rng  *rand.Rand
	drew int // operations ever drawn

	base       state        // at the start of the cycle
	live       state        // after every operation drawn
	operations []*operation // of this cycle
	sent       int          // so many of them may have reached the server; read after the cycle
	acked      atomic.Int64 // so many of them were answered
}

// load is some clients at work.
type load struct {
	clients []*client
	saved   []int // operations of each that the last completed snapshot must hold
	gone    sync.WaitGroup
}

func newLoad(n int, seed uint64) *load {
	l := &load{}
	for id := range n {
		l.clients = append(l.clients, &client{id: id, db: id % 3, rng: rand.New(rand.NewPCG(seed, uint64(id))), base: state{}})
	}
	return l
}

// start lets the clients write to a server until its end.
func (l *load) start(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, cl := range l.clients {
		cl.live, cl.operations, cl.sent = cl.base.clone(), nil, 0
		cl.acked.Store(0)
		conn := s.Dial(t)
		if cl.db != 0 {
			conn.MustOK("SELECT", strconv.Itoa(cl.db))
		}
		l.gone.Go(func() {
			if err := cl.write(conn); err != nil {
				t.Error(err)
			}
		})
	}
}

// acknowledged is how far each client has come.
func (l *load) acknowledged() []int {
	n := make([]int, len(l.clients))
	for i, cl := range l.clients {
		n[i] = int(cl.acked.Load())
	}
	return n
}

// write sends batches until the connection breaks. A reply other than the model's is the error.
func (cl *client) write(conn *harness.Conn) error {
	for {
		first := len(cl.operations)
		var raw strings.Builder
		for range 1 + cl.rng.IntN(1+cl.rng.IntN(30)) {
			cl.drew++
			o := generate(cl.rng, cl.id, cl.drew)
			o.sent = time.Now()
			o.wants = cl.expect(o)
			cl.operations = append(cl.operations, o)
			raw.WriteString(o.wire())
		}
		cl.sent = len(cl.operations)
		if conn.TryWrite(raw.String()) != nil {
			return nil
		}
		for _, o := range cl.operations[first:] {
			var got strings.Builder
			for range o.replies() {
				r, err := conn.TryRead()
				if err != nil {
					return nil
				}
				got.WriteString(r.Raw)
			}
			if got.String() != o.wants {
				return fmt.Errorf("client %d: %q is answered with %q, want %q", cl.id, o.commands, got.String(), o.wants)
			}
			o.acked = time.Now()
			cl.acked.Add(1)
		}
	}
}

// expect applies an operation to the live model and returns the replies that it must get.
func (cl *client) expect(o *operation) string {
	var replies, queued strings.Builder
	for _, args := range o.commands {
		replies.WriteString(cl.live.apply(args, o.sent))
		queued.WriteString("+QUEUED\r\n")
	}
	if !o.transaction {
		return replies.String()
	}
	return "+OK\r\n" + queued.String() + "*" + strconv.Itoa(len(o.commands)) + "\r\n" + replies.String()
}

// found is what a client's keys hold after a restart: the states after first and after last
// operations (which are equal, mostly because they are the same) are what the server came back
// with.
type found struct{ first, last int }

// compare looks for the state that a server holds, among those after least and up to all operations
// sent, and goes on from it.
func (cl *client) compare(held map[string]harness.Value, least int) (found, error) {
	s := cl.base.clone()
	for _, o := range cl.operations[:least] {
		for _, args := range o.commands {
			s.apply(args, o.sent)
		}
	}
	different := map[string]bool{}
	look := func(name string) {
		if s.differs(name, held) {
			different[name] = true
		} else {
			delete(different, name)
		}
	}
	for name := range s {
		look(name)
	}
	for name := range held {
		look(name)
	}
	f := found{-1, -1}
	var at state
	closest, why := 1<<30, ""
	for n := least; ; n++ {
		if len(different) < closest {
			closest = len(different)
			why = fmt.Sprintf("after %d operations these keys differ: %v", n, explain(different, s, held))
			if n < cl.sent {
				why += fmt.Sprintf("\n  the next operation is %q", cl.operations[n].commands)
			}
		}
		if len(different) == 0 {
			if f.first < 0 {
				f.first = n
			}
			f.last, at = n, s.clone()
		}
		if n == cl.sent {
			break
		}
		o := cl.operations[n]
		for _, args := range o.commands {
			s.apply(args, o.sent)
		}
		for _, args := range o.commands {
			look(args[1])
			if args[0] == "RENAME" {
				look(args[2])
			}
		}
	}
	if f.first < 0 {
		return f, fmt.Errorf("client %d: no state after %d..%d operations (%d acknowledged) is what the server holds; %s",
			cl.id, least, cl.sent, cl.acked.Load(), why)
	}
	cl.base = at
	cl.base.adopt(held)
	return f, nil
}

// explain shows a few keys that differ.
func explain(different map[string]bool, s state, held map[string]harness.Value) string {
	var b strings.Builder
	for name := range different {
		want := "nothing"
		if r := s[name]; r != nil {
			want = fmt.Sprintf("%s %.100q expires %d..%d", r.kind, r.data(), r.earliest, r.latest)
		}
		fmt.Fprintf(&b, "\n    %s: want %s\n      got %v", name, want, held[name])
		if b.Len() > 1500 {
			break
		}
	}
	return b.String()
}

// adopt takes over what only the server knew: when exactly keys expire, and which short-lived ones
// it still has.
func (s state) adopt(held map[string]harness.Value) {
	for name, r := range s {
		if fleeting(name) {
			delete(s, name)
			continue
		}
		if r.earliest != 0 {
			r.earliest, r.latest = held[name].ExpireAt, held[name].ExpireAt
		}
	}
}
