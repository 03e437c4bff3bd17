package blocking

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestFirstComeFirstServed: whatever makes the elements available, those who came first get the
// first ones.
func TestFirstComeFirstServed(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver)
		const n = 20
		for name, give := range map[string]func(elements []string){
			"one push": func(elements []string) { b.Do(append([]string{"RPUSH", "l"}, elements...)...) },
			"pushes": func(elements []string) {
				for _, e := range elements {
					b.Do("RPUSH", "l", e)
				}
			},
			"a pipeline": func(elements []string) {
				var all strings.Builder
				for _, e := range elements {
					all.WriteString(harness.Encode("RPUSH", "l", e))
				}
				b.WriteRaw(all.String())
				for range elements {
					b.Read()
				}
			},
			"a transaction": func(elements []string) {
				b.Do("MULTI")
				for _, e := range elements {
					b.Do("RPUSH", "l", e)
				}
				b.Do("EXEC")
			},
			"RENAME": func(elements []string) {
				b.Do(append([]string{"RPUSH", "other"}, elements...)...)
				b.Do("RENAME", "other", "l")
			},
		} {
			t.Run(name, func(t *testing.T) {
				var waiting []*harness.Conn
				var elements []string
				for i := range n {
					waiting = append(waiting, b.waiter("BLPOP", "l", "0"))
					elements = append(elements, fmt.Sprint("element", i))
				}
				give(elements)
				for i, c := range waiting {
					read(t, c, popped("l", elements[i]))
				}
				b.expect(":0\r\n", "EXISTS", "l")
			})
		}
	})
}

// TestBeforeTheNextCommand: with one event loop those who wait are served before the next command
// of the same pipeline.
func TestBeforeTheNextCommand(t *testing.T) {
	b := start(t, "network-driver epoll")
	first, second := b.waiter("BLPOP", "l", "0"), b.waiter("BLMOVE", "m", "l", "LEFT", "LEFT", "0")
	third := b.waiter("BRPOP", "l", "0")
	b.WriteRaw(harness.Encode("RPUSH", "l", "a") + harness.Encode("LLEN", "l") + harness.Encode("RPUSH", "m", "b", "c") +
		harness.Encode("LLEN", "l") + harness.Encode("LLEN", "m") + harness.Encode("PING"))
	for _, want := range []string{":1", ":0", ":2", ":0", ":1", "+PONG"} {
		read(t, b.Conn, want+"\r\n")
	}
	read(t, first, popped("l", "a"))
	read(t, second, "$1\r\nb\r\n")
	read(t, third, popped("l", "b"))
}

// TestServedInOneRound: the client that waits and the one that pushes may send at the same moment.
func TestServedInOneRound(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver)
		c := b.server.Dial(t)
		for i := range 500 {
			e := fmt.Sprint(i)
			c.Send("BLPOP", "l", "0")
			b.Send("RPUSH", "l", e)
			read(t, c, popped("l", e))
			b.Read()
		}
	})
}

// TestManyAtOnce: one transaction makes a thousand keys ready, for a thousand clients, whose chain
// feeds one more.
func TestManyAtOnce(t *testing.T) {
	b := start(t)
	const n = 1000
	var waiting []*harness.Conn
	for i := range n {
		c := b.server.Dial(t)
		c.Send("BLMOVE", fmt.Sprint("key", i), "all", "LEFT", "RIGHT", "0")
		waiting = append(waiting, c)
	}
	b.untilBlocked(n)
	b.Do("MULTI")
	for i := range n {
		b.Do("RPUSH", fmt.Sprint("key", i), fmt.Sprint("element", i))
	}
	b.Do("EXEC")
	for i, c := range waiting {
		e := fmt.Sprint("element", i)
		read(t, c, fmt.Sprintf("$%d\r\n%s\r\n", len(e), e))
	}
	for i, e := range b.Do("LRANGE", "all", "0", "-1").Strings() {
		if e != fmt.Sprint("element", i) {
			t.Fatalf("element %d is %s: not in the order of the keys", i, e)
		}
	}
	b.expect(fmt.Sprintf(":%d\r\n", n), "LLEN", "all")
}

// TestGone: who has gone or was killed gets nothing; what was pushed is there for the next.
func TestGone(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver)
		for name, end := range map[string]func(c *harness.Conn, id string){
			"gone": func(c *harness.Conn, _ string) { _ = c.Close() },
			"killed": func(c *harness.Conn, id string) {
				b.expect(":1\r\n", "CLIENT", "KILL", "ID", id)
				if rest := c.ReadUntilClosed(); rest != "" {
					t.Errorf("the killed client got %q", rest)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				c := b.server.Dial(t)
				number := id(c)
				c.Send("BLPOP", "l", "other", "0")
				b.untilBlocked(1)
				next := b.waiter("BLPOP", "l", "0")
				end(c, number)
				b.untilBlocked(1)
				b.Do("RPUSH", "l", "a")
				read(t, next, popped("l", "a"))
				b.expect(":1\r\n", "RPUSH", "other", "x")
				b.expect(":1\r\n", "DEL", "other")
			})
		}
	})
}

// TestLaterRequests: what a client sends while it waits is answered after that.
func TestLaterRequests(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver)
		c := b.server.Dial(t)
		c.WriteRaw(harness.Encode("BLPOP", "l", "0") + harness.Encode("ECHO", "x") + harness.Encode("BLPOP", "l", "0") + harness.Encode("PING"))
		b.untilBlocked(1)
		b.Do("RPUSH", "l", "a")
		read(t, c, popped("l", "a"))
		read(t, c, "$1\r\nx\r\n")
		b.untilBlocked(1)
		b.Do("RPUSH", "l", "b")
		read(t, c, popped("l", "b"))
		read(t, c, "+PONG\r\n")
	})
}

// TestWithoutReplies: CLIENT REPLY OFF and SKIP hold for what comes later, too.
func TestWithoutReplies(t *testing.T) {
	b := start(t)
	c := b.server.Dial(t)
	c.WriteRaw(harness.Encode("CLIENT", "REPLY", "SKIP") + harness.Encode("BLPOP", "l", "0") + harness.Encode("PING"))
	b.untilBlocked(1)
	b.Do("RPUSH", "l", "a")
	read(t, c, "+PONG\r\n")
	c.WriteRaw(harness.Encode("CLIENT", "REPLY", "OFF") + harness.Encode("BLPOP", "l", "0.01") + harness.Encode("BLPOP", "l", "0") +
		harness.Encode("CLIENT", "REPLY", "ON"))
	b.untilBlocked(1)
	harness.Eventually(t, patience, "the first wait is over", func() bool { return b.number("clients", "clients_in_timeout_table") == 0 })
	b.untilBlocked(1)
	b.Do("RPUSH", "l", "b")
	read(t, c, "+OK\r\n")
	b.expect(":0\r\n", "EXISTS", "l")
}

// TestShortOfMemory: a request that waited is refused like any other.
func TestShortOfMemory(t *testing.T) {
	b := start(t)
	c := b.waiter("BLMOVE", "l", "m", "LEFT", "LEFT", "0")
	d := b.waiter("BLPOP", "l", "0")
	b.Do("RPUSH", "other", "a")
	b.MustOK("CONFIG", "SET", "maxmemory", "1")
	b.MustOK("RENAME", "other", "l")
	if got := c.Read().Raw; !strings.HasPrefix(got, "-OOM") {
		t.Errorf("BLMOVE without memory: %q", got)
	}
	read(t, d, popped("l", "a"))
}

// TestServedWhenThereAreEnough: who waits for a number of elements is served when there are so many, and
// meanwhile others who need fewer are, though they came later.
func TestServedWhenThereAreEnough(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		b := start(t, "network-driver "+driver)
		three := b.waiter("BLMOVEM", "l", "m", "LEFT", "RIGHT", "0", "EXACTLY", "3", "BULK")
		b.expect(":2\r\n", "RPUSH", "l", "a", "b")
		b.expect(":2\r\n", "LLEN", "l")
		some := b.server.Dial(t)
		some.Send("BLMOVEM", "l", "n", "RIGHT", "LEFT", "0", "COUNT", "5", "OBO")
		read(t, some, harness.Encode("a", "b"))
		one := b.waiter("BLPOP", "l", "0")
		b.expect(":4\r\n", "RPUSH", "l", "c", "d", "e", "f")
		read(t, three, harness.Encode("c", "d", "e"))
		read(t, one, popped("l", "f"))
		b.untilBlocked(0)
		again := b.server.Dial(t)
		number := id(again)
		again.Send("BLMOVEM", "l", "m", "LEFT", "LEFT", "0", "EXACTLY", "3", "BULK")
		b.untilBlocked(1)
		b.expect(":1\r\n", "RPUSH", "l", "g")
		b.expect(":1\r\n", "CLIENT", "UNBLOCK", number)
		read(t, again, "*-1\r\n")
		b.expect(":1\r\n", "LLEN", "l")
		b.expect(harness.Encode("c", "d", "e"), "LRANGE", "m", "0", "-1")
	})
}
