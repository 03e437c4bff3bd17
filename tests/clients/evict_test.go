package clients

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/tests/harness"
)

// crowd is a server's clients by name, and one that looks at them and is not evicted itself.
type crowd struct {
	t       testing.TB
	server  *harness.Server
	admin   *harness.Conn
	clients map[string]*harness.Conn
}

func newCrowd(t testing.TB, s *harness.Server) *crowd {
	c := &crowd{t: t, server: s, admin: s.Dial(t), clients: make(map[string]*harness.Conn)}
	c.admin.MustOK("CLIENT", "NO-EVICT", "ON")
	return c
}

// join is a new client of this name.
func (c *crowd) join(name string) *harness.Conn {
	c.t.Helper()
	conn := c.server.Dial(c.t)
	conn.MustOK("CLIENT", "SETNAME", name)
	c.clients[name] = conn
	return conn
}

// holding is a new client that holds a request of size bytes.
func (c *crowd) holding(name string, size int) {
	c.t.Helper()
	c.join(name)
	c.holds(name, size)
}

// holds has the client send all but the end of a request of size bytes, and waits until the server
// has taken that in or has closed the connection.
func (c *crowd) holds(name string, size int) {
	c.t.Helper()
	sent := size - len(requestEnd)
	head := fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n", size-2)
	if err := c.clients[name].TryWrite(head + strings.Repeat("x", sent)); err != nil {
		return // closed
	}
	harness.Eventually(c.t, patience, name+"'s request is there, or "+name+" is gone", func() bool {
		n, connected := c.field(name, "qbuf")
		return !connected || n >= sent
	})
}

// requestEnd is what holds leaves out.
const requestEnd = "xxxxxxxx\r\n"

// finish sends the rest of holding's request.
func (c *crowd) finish(name string) {
	c.t.Helper()
	conn := c.clients[name]
	conn.WriteRaw(requestEnd)
	if r := conn.Read(); !r.IsNull() {
		c.t.Errorf("%s: %v", name, r)
	}
}

// field reads a number of the named client's line of CLIENT LIST.
func (c *crowd) field(name, field string) (n int, connected bool) {
	c.t.Helper()
	for line := range strings.Lines(c.admin.Do("CLIENT", "LIST").Text) {
		if !strings.Contains(line, " name="+name+" ") {
			continue
		}
		_, rest, ok := strings.Cut(line, " "+field+"=")
		value, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(value)
		if !ok || err != nil {
			c.t.Fatalf("no %s in %s", field, line)
		}
		return n, true
	}
	return 0, false
}

// connected lists who is connected, by name.
func (c *crowd) connected() string {
	var names []string
	list := c.admin.Do("CLIENT", "LIST").Text
	for name := range c.clients {
		if strings.Contains(list, " name="+name+" ") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// expect waits until exactly these are connected and so many have been evicted.
func (c *crowd) expect(names string, evicted int) {
	c.t.Helper()
	harness.Eventually(c.t, patience, names+" are connected, and nobody else", func() bool { return c.connected() == names })
	if got := c.admin.Info("stats", "evicted_clients"); got != strconv.Itoa(evicted) {
		c.t.Errorf("evicted_clients:%s, want %d", got, evicted)
	}
	for name, conn := range c.clients {
		if slices.Contains(strings.Fields(names), name) {
			continue
		}
		if sent := conn.ReadUntilClosed(); sent != "" {
			c.t.Errorf("%s was sent %.100q", name, sent)
		}
		delete(c.clients, name)
	}
}

// TestClientEviction: redis-server, asked with the same clients, closes the same ones.
func TestClientEviction(t *testing.T) {
	for _, s := range []struct {
		name  string
		start func(testing.TB) *harness.Server
	}{
		{"redis", func(t testing.TB) *harness.Server { return harness.StartRedis(t) }},
		{"epoll", func(t testing.TB) *harness.Server { return harness.Start(t, "network-driver epoll") }},
		{"portable", func(t testing.TB) *harness.Server { return harness.Start(t, "network-driver portable") }},
	} {
		t.Run(s.name, func(t *testing.T) {
			c := newCrowd(t, s.start(t))
			limit := func(size string) { c.admin.MustOK("CONFIG", "SET", "maxmemory-clients", size) }
			c.holding("a", 6_000_000)
			c.holding("b", 2_500_000)
			c.holding("c", 1_500_000)
			c.join("d")
			limit("20mb")
			c.expect("a b c d", 0)
			limit("7mb")
			c.expect("b c d", 1)
			c.holding("e", 4_500_000) // the newcomer is the largest
			c.expect("b c d", 2)
			c.holding("f", 2_000_000)
			c.holding("g", 2_000_000) // somebody else is
			c.expect("c d f g", 3)
			c.join("h").MustOK("CLIENT", "NO-EVICT", "ON")
			c.holds("h", 6_000_000) // its bytes count, and others pay for them
			c.expect("d h", 6)
			c.finish("h")
			c.clients["h"].MustOK("CLIENT", "NO-EVICT", "OFF")
			c.admin.MustOK("CONFIG", "RESETSTAT")
			limit("0")
			c.holding("i", 8_000_000)
			c.expect("d h i", 0)
			c.finish("i")
		})
	}
}

// TestClientMemoryIsBounded: clients that send large requests and never end them, and clients that
// ask for much and never read, do not take more than maxmemory-clients, and those that behave are
// not disturbed.
func TestClientMemoryIsBounded(t *testing.T) {
	const (
		crowdSize = 60
		limit     = 16 << 20
		value     = 1 << 20
	)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver, "maxmemory-clients "+strconv.Itoa(limit))
		admin, good := s.Dial(t), s.Dial(t)
		admin.MustOK("CLIENT", "NO-EVICT", "ON")
		admin.MustOK("SET", "large", strings.Repeat("v", value))
		hold := fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s", 2*value, strings.Repeat("x", value))
		ask := strings.Repeat(harness.Encode("GET", "large"), 20)
		var senders sync.WaitGroup
		for i := range crowdSize {
			c := s.Dial(t)
			request := hold
			if i%2 == 0 {
				request = ask
			}
			senders.Go(func() { _ = c.TryWrite(request) }) // it may be closed meanwhile
		}
		done := make(chan struct{})
		go func() {
			senders.Wait()
			close(done)
		}()
		for sending := true; sending; {
			select {
			case <-done:
				sending = false
			default:
			}
			if r := good.Do("STRLEN", "large"); r.Raw != fmt.Sprintf(":%d\r\n", value) {
				t.Fatalf("STRLEN: %v", r)
			}
			if got := number(t, admin.Info("memory", "mem_clients_normal")); got > limit+limit/4 {
				t.Errorf("clients take %d bytes of %d", got, limit)
			}
		}
		harness.Eventually(t, patience, "clients have been evicted", func() bool {
			return number(t, admin.Info("stats", "evicted_clients")) > 0
		})
		if got := number(t, admin.Info("memory", "mem_clients_normal")); got >= limit {
			t.Errorf("clients take %d bytes of %d", got, limit)
		}
		t.Logf("%s evicted, %s connected, RSS %d MiB", admin.Info("stats", "evicted_clients"),
			admin.Info("clients", "connected_clients"), s.RSS(t)>>20)
	})
}

func number(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestEvictedClientsComeBack: a client library whose connection is evicted says so or connects
// again, and goes on.
func TestEvictedClientsComeBack(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		ctx := context.Background()
		c := goRedis(t, s, 3)
		pipe := c.TxPipeline()
		for i := range 5 {
			pipe.Set(ctx, "k"+strconv.Itoa(i), strings.Repeat("x", 1<<20), 0)
		}
		admin := s.Dial(t)
		admin.MustOK("CONFIG", "SET", "maxmemory-clients", "2mb")
		if _, err := pipe.Exec(ctx); err == nil {
			t.Error("a transaction of 5 MB was accepted")
		}
		if n := must[int64](t)(c.Exists(ctx, "k0", "k4").Result()); n != 0 {
			t.Errorf("%d keys of the transaction were set", n)
		}
		if err := c.Set(ctx, "k0", "small", redis.KeepTTL).Err(); err != nil {
			t.Error(err)
		}
		if n := number(t, admin.Info("stats", "evicted_clients")); n == 0 {
			t.Error("nobody was evicted")
		}
	})
}
