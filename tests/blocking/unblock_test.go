package blocking

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

const unblocked = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"

func TestUnblock(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver, "appendonly yes")
		c := b.server.Dial(t)
		number := id(c)
		b.expect("*2\r\n:1\r\n:0\r\n", "WAITAOF", "1", "0", "0") // the log has its base file
		b.expect(":0\r\n", "CLIENT", "UNBLOCK", number)
		for _, x := range []struct {
			request, reason []string
			want            string
		}{
			{request: []string{"BLPOP", "l", "0"}, want: "*-1\r\n"},
			{request: []string{"BLPOP", "l", "0"}, reason: []string{"timeout"}, want: "*-1\r\n"},
			{request: []string{"BLPOP", "l", "m", "100"}, reason: []string{"ERROR"}, want: unblocked},
			{request: []string{"BLMOVE", "l", "m", "LEFT", "LEFT", "0"}, want: "*-1\r\n"},
			{request: []string{"BZMPOP", "0", "1", "z", "MIN"}, reason: []string{"error"}, want: unblocked},
			{request: []string{"WAIT", "1", "0"}, want: ":0\r\n"},
			{request: []string{"WAIT", "1", "0"}, reason: []string{"ERROR"}, want: unblocked},
			{request: []string{"WAITAOF", "0", "1", "0"}, want: "*2\r\n:1\r\n:0\r\n"},
			{request: []string{"WAITAOF", "0", "1", "0"}, reason: []string{"ERROR"}, want: unblocked},
		} {
			c.Send(x.request...)
			b.untilBlocked(1)
			b.expect(":1\r\n", append([]string{"CLIENT", "UNBLOCK", number}, x.reason...)...)
			read(t, c, x.want)
			b.untilBlocked(0)
		}
		c.Send("DEBUG", "SLEEP", "0.2") // refused, and no wait that can be ended
		c.Read()
		b.expect(":1\r\n", "RPUSH", "l", "a")
		b.expect(popped("l", "a"), "BLPOP", "l", "0")

		c.Send("BLPOP", "l", "0")
		b.untilBlocked(1)
		b.MustOK("MULTI")
		b.Do("CLIENT", "UNBLOCK", number, "ERROR")
		b.Do("CLIENT", "UNBLOCK", number)
		b.expect("*2\r\n:1\r\n:0\r\n", "EXEC")
		read(t, c, unblocked)
	})
}

// TestUnblockOrServe: a client that is unblocked while somebody pushes gets the element or the
// error, not both and not neither.
func TestUnblockOrServe(t *testing.T) {
	b := start(t, "io-threads 4")
	c, other := b.server.Dial(t), b.server.Dial(t)
	number := id(c)
	for i := range 300 {
		e := fmt.Sprint(i)
		c.Send("BLPOP", "l", "0")
		b.untilBlocked(1)
		other.Send("RPUSH", "l", e)
		ended := b.Do("CLIENT", "UNBLOCK", number, "ERROR").Raw == ":1\r\n"
		other.Read()
		got := c.Read().Raw
		left := b.Do("LPOP", "l")
		switch {
		case ended && got == unblocked && left.Text == e:
		case !ended && got == popped("l", e) && left.IsNull():
		default:
			t.Fatalf("unblocked %v, the client got %q, and %v is left", ended, got, left)
		}
	}
}

// TestSeen: what INFO and CLIENT LIST say of clients that wait.
func TestSeen(t *testing.T) {
	b := start(t)
	c := b.server.Dial(t)
	number := id(c)
	line := func() string { return b.Do("CLIENT", "LIST", "ID", number).Text }
	before := line()
	long := strings.Repeat("k", 5000)
	c.Send("BLPOP", "l", "m", "l", long, "100")
	b.untilBlocked(1)
	d := b.waiter("BZPOPMIN", "l", "0")
	for field, want := range map[string]int{
		"blocked_clients": 2, "clients_in_timeout_table": 1, "total_blocking_keys": 3, "total_blocking_keys_on_nokey": 0,
	} {
		if got := b.number("clients", field); got != want {
			t.Errorf("%s is %d, want %d", field, got, want)
		}
	}
	if s := line(); !strings.Contains(s, " flags=b ") || !strings.Contains(s, " cmd=blpop ") {
		t.Errorf("CLIENT LIST: %s", s)
	}
	if grown := field(t, line(), "tot-mem") - field(t, before, "tot-mem"); grown < 2*5000 || grown > 3*5000 {
		t.Errorf("a request with a key of 5000 bytes takes %d bytes while it waits", grown)
	}
	calls := b.Info("commandstats", "cmdstat_blpop")
	if calls != "" {
		t.Errorf("BLPOP counts before it is over: %s", calls)
	}
	b.Do("RPUSH", "m", "a")
	read(t, c, popped("m", "a"))
	b.Do("ZADD", "l", "1", "a")
	d.Read()
	for _, name := range []string{"blocked_clients", "clients_in_timeout_table", "total_blocking_keys"} {
		if got := b.number("clients", name); got != 0 {
			t.Errorf("%s is %d after all is over", name, got)
		}
	}
	if calls := b.Info("commandstats", "cmdstat_blpop"); !strings.HasPrefix(calls, "calls=1,") || !strings.Contains(calls, "failed_calls=0") {
		t.Errorf("BLPOP after one call: %s", calls)
	}
	if s := line(); !strings.Contains(s, " flags=N ") {
		t.Errorf("CLIENT LIST: %s", s)
	}
}

// field is a number of a line of CLIENT LIST.
func field(t *testing.T, line, name string) int {
	t.Helper()
	for _, word := range strings.Fields(line) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			var n int
			if _, err := fmt.Sscan(value, &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in %s", name, line)
	return 0
}
