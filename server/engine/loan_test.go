package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
)

// receiver gives a session a request in pieces, as a connection does.
type receiver struct {
	*client
	buf   []byte
	lent  bool
	told  int64 // by Sized
	turns int
	lends int
}

// count tells what the buffer takes.
func (r *receiver) count() {
	n := int64(len(r.buf)+4095) &^ 4095
	if n != r.told {
		r.Sized(n - r.told)
		r.told = n
	}
}

// release ends with the buffer.
func (r *receiver) release() {
	r.buf = nil
	r.count()
	if r.lent {
		r.lent = false
		r.GiveBack()
	}
}

// receive gives the session all of in but the last leave bytes, and returns its replies.
func (r *receiver) receive(in []byte, leave int) (out string) {
	r.t.Helper()
	const piece = 100_000
	var b []byte
	for len(in) > leave || r.next == netloop.Yield {
		if r.turns++; r.turns > 1_000_000 {
			r.t.Fatal("the request waits for ever")
		}
		if r.next != netloop.Yield {
			n := min(piece, len(in)-leave)
			if want, _ := r.Want(); r.lent {
				n = min(n, want)
			}
			if !r.lent && len(r.buf) > 4096 {
				if room := r.Lend(r.buf); room != nil {
					r.buf, r.lent = append(room[:0], r.buf...), true
					r.lends++
					n = 0
				}
			}
			r.buf = append(r.buf, in[:n]...)
			in = in[n:]
			r.count()
			if len(r.buf) == 0 || n == 0 {
				continue
			}
		}
		taken, o, next := r.data(r.buf, b)
		b, r.next = o, next
		switch {
		case r.lent && taken > 0 && taken != len(r.buf):
			r.t.Fatal("there was more than one request in lent memory")
		case r.lent && taken > 0:
			r.release()
		default:
			r.buf = r.buf[taken:]
			r.count()
		}
	}
	return string(b)
}

func (r *rig) receiver() *receiver { return &receiver{client: r.connect()} }

// atRest checks that nothing is lent and no bytes are counted twice.
func (r *rig) atRest() {
	r.t.Helper()
	if n := r.kernel.room.moving.Load(); n != 0 {
		r.t.Errorf("%d bytes are in motion", n)
	}
	if clients := r.kernel.Clients.Memory(); clients > 1<<20 {
		r.t.Errorf("clients take %d bytes", clients)
	}
}

// pattern is a value of which no two parts are alike.
func pattern(n int) []byte {
	b := make([]byte, 0, n+20)
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "%d,", i)
	}
	return b[:n]
}

const long = 3 << 20

// TestLongValues: they are stored as they came, by commands that take the memory over and by
// others.
func TestLongValues(t *testing.T) {
	r := newRig(t)
	c := r.receiver()
	empty := r.kernel.Store.Used()
	value := string(pattern(long))
	is := func(key, want string) {
		t.Helper()
		if got := c.receive(wire("get", key), 0); got != fmt.Sprintf("$%d\r\n%s\r\n", len(want), want) {
			t.Errorf("%s has %d bytes, not the %d that were set", key, len(got), len(want))
		}
		r.atRest()
	}
	set := func(args ...string) {
		t.Helper()
		before := c.lends
		if out := c.receive(append(wire(append([]string{"set"}, args...)...), wire("ping")...), 0); out != "+OK\r\n+ping\r\n" {
			t.Fatalf("%.10q: %.100q", args, out)
		}
		if c.lends != before+1 {
			t.Errorf("%.10q: %d loans", args, c.lends-before)
		}
	}
	set("new", value)
	is("new", value)
	set("new", value[1:])
	is("new", value[1:])
	set("expires", value, "PX", "1000000")
	is("expires", value)
	set(strings.Repeat("k", 1000), value)
	is(strings.Repeat("k", 1000), value)
	c.do("set short 1")
	set("short", value)
	is("short", value)
	c.expect("set short 2\nget short", "+OK $1 2")
	if out := c.receive(wire("set", "wrong", value, "PX", "soon"), 0); !strings.HasPrefix(out, "-") {
		t.Errorf("%.100q", out)
	}
	if out := c.receive(wire("no-such-command", "k", value), 0); !strings.HasPrefix(out, "-ERR unknown command") {
		t.Errorf("%.100q", out)
	}
	set("last", value)
	is("last", value)
	r.now.Add(2_000_000)
	c.expect("get expires\nflush", "$-1 +OK")
	for more := true; more; {
		more, _ = r.kernel.Store.Maintain(r.now.Load())
	}
	if used := r.kernel.Store.Used(); used > empty+64<<10 {
		t.Errorf("%d bytes are in use with no key left, %d at first", used, empty)
	}
}

// TestLongValueInMulti: the queue keeps it where it is; EXEC stores it, and whatever else ends the
// transaction gives it back.
func TestLongValueInMulti(t *testing.T) {
	r := newRig(t)
	value := string(pattern(long))
	for _, end := range []string{"exec", "discard", "reset", "close"} {
		c := r.receiver()
		c.expect("multi\nincr n", "+OK +QUEUED")
		for _, key := range []string{"a", "b"} {
			if out := c.receive(wire("set", key, value, "PX", "100000"), 0); out != "+QUEUED\r\n" {
				t.Fatalf("%.100q", out)
			}
		}
		if used := r.kernel.Store.Used(); used < 2*long || c.lends != 2 {
			t.Errorf("the store uses %d bytes while the queue has %d; %d loans", used, 2*long, c.lends)
		}
		switch end {
		case "exec":
			c.expect(end, "*3 :1 +OK +OK")
			c.expect("get b\nget a", fmt.Sprintf("$%d %s $%d %s", long, value, long, value))
			c.expect("flush", "+OK")
		case "close":
			c.release()
			c.Closed(netloop.ClientClosed)
		default:
			c.do(end)
		}
		r.atRest()
		if used := r.kernel.Store.Used(); used > 64<<10 {
			t.Errorf("after %s the store uses %d bytes", end, used)
		}
	}
}

// TestLongValueInTheLog: what was before the value is written over in memory, not in the log.
func TestLongValueInTheLog(t *testing.T) {
	fs := vfs.NewMem()
	r := newRigOn(t, fs)
	if err := r.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := r.receiver()
	value := string(pattern(long))
	c.receive(wire("set", "a", value), 0)
	c.do("multi")
	c.receive(wire("set", "b", value), 0)
	c.do("exec")
	want := "SELECT 0\nset a " + value + "\nset b " + value
	if got := strings.TrimSpace(logged(t, r, fs)); got != want {
		t.Errorf("the log has %d bytes, want %d: %.50q ... %.50q", len(got), len(want), got, got[len(got)-50:])
	}
}

// TestLeavingHalfWay: what has arrived of a value is no longer counted when its client has gone.
func TestLeavingHalfWay(t *testing.T) {
	r := newRig(t)
	before := r.kernel.Store.Used()
	c := r.receiver()
	c.receive(wire("set", "a", string(pattern(long))), long/2)
	if used := r.kernel.Store.Used() - before; used < long/2-200_000 || used > long {
		t.Errorf("%d bytes in use after half of %d", used, long)
	}
	if counted, used := r.kernel.counted(1<<40), r.kernel.Store.Used(); counted > r.kernel.room.start+used+1<<20 {
		t.Errorf("%d bytes count, the store has %d and Go %d", counted, used, r.kernel.room.start)
	}
	c.release()
	c.Closed(netloop.ClientClosed)
	r.atRest()
	if used := r.kernel.Store.Used(); used != before {
		t.Errorf("%d bytes in use, %d before", used, before)
	}
}

// TestArrivingWaitsForRoom: while a long value arrives the keys that it displaces go, piece by
// piece, and others are served in between. What counts stays below the limit all the time.
func TestArrivingWaitsForRoom(t *testing.T) {
	r := newRig(t)
	r.oneEach(100 * time.Microsecond)
	c := r.receiver()
	c.fill(100_000, "")
	r.cap("allkeys-lru", 0)
	limit := r.cfg.Values().MaxMemory
	other := r.connect()
	in := wire("set", "big", string(pattern(long)))
	for _, leave := range []int{long / 2, 100, 0} {
		out := c.receive(in[:len(in)-leave], 0)
		in = in[len(in)-leave:]
		if over := r.kernel.Counted() - limit; over > slack(limit)+bigPiece {
			t.Errorf("%d bytes above the limit with %d to come", over, leave)
		}
		if want := ""; leave == 0 {
			want = "+OK\r\n"
			if out != want {
				t.Errorf("%.100q", out)
			}
		} else if out != want {
			t.Errorf("%.100q with %d bytes to come", out, leave)
		}
		other.expect("ping", "+ping")
	}
	if c.turns < 100 {
		t.Errorf("only %d turns for %d bytes", c.turns, long)
	}
	if got := c.receive(wire("get", "big"), 0); !bytes.Contains([]byte(got), pattern(long)) {
		t.Error("the value is not there")
	}
	if n := r.kernel.Store.Evicted(); n == 0 {
		t.Error("nothing was evicted")
	}
}

// TestArrivingWithoutRoom: what can never fit, or not under this policy, is read to its end and
// refused, and nothing is evicted for it.
func TestArrivingWithoutRoom(t *testing.T) {
	for _, policy := range []string{"noeviction", "volatile-lru", "allkeys-lru"} {
		r := newRig(t)
		c := r.receiver()
		c.fill(1000, "")
		r.cap(policy, 1<<20)
		if out := c.receive(wire("set", "big", string(pattern(long))), 0); out != "-"+string(ErrOOM)+"\r\n" {
			t.Errorf("%s: %.100q", policy, out)
		}
		c.expect("size", ":1000")
		r.atRest()
	}
}
