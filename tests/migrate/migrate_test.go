package migrate

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// fill makes keys of every type and encoding, half of them with a time to live, and returns their
// names.
func fill(c *harness.Conn) []string {
	pairs := func(n int) (args []string) {
		for i := range n {
			args = append(args, fmt.Sprintf("field%d", i), strings.Repeat("v", i%70))
		}
		return args
	}
	members := func(n int, format string) (args []string) {
		for i := range n {
			args = append(args, fmt.Sprintf(format, i))
		}
		return args
	}
	scored := func(n int) (args []string) {
		for i := range n {
			args = append(args, strconv.FormatFloat(float64(i*7919%1000)/8, 'g', -1, 64), fmt.Sprintf("member%d", i))
		}
		return args
	}
	c.MustOK("SET", "text", strings.Repeat("some text ", 300))
	c.MustOK("SET", "number", "-12345")
	c.MustOK("SET", "nothing", "")
	c.MustOK("SET", "binary \x00\r\n", "\x00\xff\r\n")
	c.Do(append([]string{"HSET", "small hash"}, pairs(5)...)...)
	c.Do(append([]string{"HSET", "big hash"}, pairs(3000)...)...)
	c.Do(append([]string{"SADD", "integers"}, members(100, "%d")...)...)
	c.Do(append([]string{"SADD", "small set"}, members(10, "m%d")...)...)
	c.Do(append([]string{"SADD", "big set"}, members(3000, "member%d")...)...)
	c.Do(append([]string{"RPUSH", "small list"}, members(10, "e%d")...)...)
	c.Do(append([]string{"RPUSH", "big list"}, members(3000, "element%d")...)...)
	c.Do("RPUSH", "list of long elements", strings.Repeat("long ", 5000), "short", strings.Repeat("x", 30_000))
	c.Do(append([]string{"ZADD", "small zset"}, scored(10)...)...)
	c.Do(append([]string{"ZADD", "big zset"}, scored(3000)...)...)
	c.Do("ZADD", "borders of scores", "inf", "a", "-inf", "b", "1e100", "c", "0.1", "d", "4611686018427387904", "e", "-0", "f")
	names := c.Do("KEYS", "*").Strings()
	slices.Sort(names)
	for i, name := range names {
		if i%2 == 0 {
			c.Do("PEXPIRE", name, "1000000")
		}
	}
	return names
}

// content is what a database holds: name, value and time to live, to the nearest minute, of each
// key.
func content(t *testing.T, c *harness.Conn) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range c.Do("KEYS", "*").Strings() {
		var value string
		switch kind := c.Do("TYPE", name).Text; kind {
		case "string":
			value = c.Do("GET", name).Text
		case "hash":
			value = c.Do("HGETALL", name).Sorted(2)
		case "set":
			value = c.Do("SMEMBERS", name).Sorted(1)
		case "list":
			value = strings.Join(c.Do("LRANGE", name, "0", "-1").Strings(), ", ")
		case "zset":
			texts := c.Do("ZRANGE", name, "0", "-1", "WITHSCORES").Strings()
			for i := 1; i < len(texts); i += 2 {
				texts[i] = harness.SameScore(texts[i])
			}
			value = strings.Join(texts, ", ")
		default:
			t.Fatalf("%q has the type %s", name, kind)
		}
		ttl, _ := c.Do("PTTL", name).Int()
		all[name] = fmt.Sprintf("%s for %d minutes", value, (ttl+30_000)/60_000)
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %q is %.200q, want %.200q", what, name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d keys, want %d", what, len(got), len(want))
	}
}

// request is MIGRATE to a server, with what follows the address.
func request(to *harness.Server, args ...string) []string {
	host, port, _ := net.SplitHostPort(to.Addr)
	return append([]string{"MIGRATE", host, port}, args...)
}

// each runs a test for every way between the servers.
func each(t *testing.T, f func(t *testing.T, from, to *harness.Server)) {
	larder := func(t *testing.T) *harness.Server { return harness.Start(t) }
	redis := func(t *testing.T) *harness.Server { return harness.StartRedis(t) }
	for _, way := range []struct {
		name     string
		from, to func(*testing.T) *harness.Server
	}{{"larder to larder", larder, larder}, {"larder to redis", larder, redis}, {"redis to larder", redis, larder}} {
		t.Run(way.name, func(t *testing.T) { f(t, way.from(t), way.to(t)) })
	}
}

func TestEverythingMoves(t *testing.T) {
	each(t, func(t *testing.T, from, to *harness.Server) {
		a, b := from.Dial(t), to.Dial(t)
		names := fill(a)
		want := content(t, a)
		b.MustOK("SELECT", "5")

		a.MustOK(request(to, append([]string{"", "5", "5000", "COPY", "KEYS"}, names...)...)...)
		same(t, "copied", content(t, b), want)
		same(t, "still there", content(t, a), want)

		if r := a.Do(request(to, "text", "5", "5000")...); r.Raw != "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n" {
			t.Errorf("a key that exists there: %v", r)
		}
		b.MustOK("SET", "text", "older")
		a.MustOK(request(to, "text", "5", "5000", "REPLACE")...)
		if r := a.Do("EXISTS", "text"); r.Raw != ":0\r\n" {
			t.Errorf("what has moved is still here: %v", r)
		}
		same(t, "one moved", content(t, b), want)

		a.MustOK(request(to, append([]string{"", "5", "5000", "REPLACE", "KEYS", "none"}, names...)...)...)
		same(t, "all moved", content(t, b), want)
		same(t, "nothing left", content(t, a), nil)
		if r := a.Do(request(to, append([]string{"", "5", "5000", "KEYS"}, names...)...)...); r.Raw != "+NOKEY\r\n" {
			t.Errorf("again: %v", r)
		}
	})
}

func TestManyKeysAtOnce(t *testing.T) {
	each(t, func(t *testing.T, from, to *harness.Server) {
		a, b := from.Dial(t), to.Dial(t)
		args := []string{"", "0", "10000", "KEYS"}
		for i := range 5000 {
			name := "key" + strconv.Itoa(i)
			a.MustOK("SET", name, strings.Repeat(name, 1+i%100))
			args = append(args, name)
		}
		want := content(t, a)
		a.MustOK(request(to, args...)...)
		same(t, "there", content(t, b), want)
		same(t, "here", content(t, a), nil)
	})
}

// TestOneRefused: the others move, and the first error is the reply.
func TestOneRefused(t *testing.T) {
	each(t, func(t *testing.T, from, to *harness.Server) {
		a, b := from.Dial(t), to.Dial(t)
		for _, name := range []string{"a", "b", "c"} {
			a.MustOK("SET", name, "new")
		}
		b.MustOK("SET", "b", "old")
		if r := a.Do(request(to, "", "0", "5000", "KEYS", "a", "b", "c")...); r.Raw != "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n" {
			t.Errorf("the reply is %v", r)
		}
		if r := a.Do("KEYS", "*"); !slices.Equal(r.Strings(), []string{"b"}) {
			t.Errorf("here are %v", r)
		}
		if r := b.Do("MGET", "a", "b", "c"); !slices.Equal(r.Strings(), []string{"new", "old", "new"}) {
			t.Errorf("there are %v", r)
		}
	})
}

func TestPasswords(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *harness.Server{"to larder": harness.Start, "to redis": harness.StartRedis} {
		t.Run(name, func(t *testing.T) {
			to := start(t)
			a, b := harness.Start(t).Dial(t), to.Dial(t)
			const replied = "-ERR Target instance replied with error: "
			a.MustOK("SET", "k", "v")
			for _, test := range []struct {
				password string
				args     []string
				want     string
			}{
				{"", []string{"AUTH", "x"}, replied + "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"},
				{"secret", nil, replied + "NOAUTH Authentication required."},
				{"secret", []string{"AUTH", "wrong"}, replied + "WRONGPASS invalid username-password pair or user is disabled."},
				{"secret", []string{"AUTH2", "nobody", "secret"}, replied + "WRONGPASS invalid username-password pair or user is disabled."},
				{"secret", []string{"COPY", "AUTH", "secret"}, "+OK"},
				{"secret", []string{"REPLACE", "AUTH2", "default", "secret"}, "+OK"},
			} {
				b.MustOK("CONFIG", "SET", "requirepass", test.password)
				if r := a.Do(request(to, append([]string{"k", "0", "5000"}, test.args...)...)...); r.Raw != test.want+"\r\n" {
					t.Errorf("password %q, %q: %v, want %s", test.password, test.args, r, test.want)
				}
			}
			if r := b.Do("GET", "k"); r.Text != "v" {
				t.Errorf("there is %v", r)
			}
		})
	}
}

// TestRedisAuthenticates: so redis-server's MIGRATE finds a larder with a password.
func TestRedisAuthenticates(t *testing.T) {
	to := harness.Start(t, "requirepass secret")
	a := harness.StartRedis(t).Dial(t)
	a.MustOK("SET", "k", "v")
	if r := a.Do(request(to, "k", "0", "5000", "AUTH", "wrong")...); !strings.Contains(r.Raw, "WRONGPASS") {
		t.Errorf("a wrong password: %v", r)
	}
	a.MustOK(request(to, "k", "0", "5000", "AUTH2", "default", "secret")...)
}

// TestInTransaction: nobody may wait for another server with shards locked.
func TestInTransaction(t *testing.T) {
	to := harness.Start(t)
	a := harness.Start(t).Dial(t)
	a.MustOK("SET", "k", "v")
	a.MustOK("MULTI")
	a.Do(request(to, "k", "0", "5000")...)
	if r := a.Do("EXEC"); len(r.Elems) != 1 || r.Elems[0].Raw != "-ERR MIGRATE is not possible inside a transaction\r\n" {
		t.Errorf("EXEC: %v", r)
	}
	if r := a.Do("GET", "k"); r.Text != "v" {
		t.Errorf("the key is %v", r)
	}
}

// TestNoIncrementIsLost moves counters while clients increment them. What was counted here before a
// counter moved is there, what was counted after it is here.
func TestNoIncrementIsLost(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		const counters, clients, rounds = 20, 4, 120
		from, to := harness.Start(t, "network-driver "+driver, "io-threads 2"), harness.Start(t)
		var wg sync.WaitGroup
		for range clients {
			c := from.Dial(t)
			wg.Go(func() {
				for i := range rounds * counters {
					if r, err := do(c, "INCR", "counter"+strconv.Itoa(i%counters)); err != nil || r.Kind != ':' {
						t.Errorf("INCR: %v %v", r, err)
						return
					}
				}
			})
		}
		a, b := from.Dial(t), to.Dial(t)
		for i := range counters {
			name := "counter" + strconv.Itoa(i)
			harness.Eventually(t, harness.Patience, name+" has moved", func() bool {
				r := a.Do(request(to, name, "0", "5000", "REPLACE")...)
				switch {
				case r.Raw == "+OK\r\n":
					return true
				case r.Raw != "+NOKEY\r\n" && !strings.HasPrefix(r.Raw, "-ERR Keys kept changing"):
					t.Fatalf("MIGRATE: %v", r)
				}
				return false
			})
		}
		wg.Wait()
		for i := range counters {
			name := "counter" + strconv.Itoa(i)
			here, _ := strconv.Atoi(a.Do("GET", name).Value())
			there, _ := strconv.Atoi(b.Do("GET", name).Value())
			if here+there != clients*rounds || there == 0 {
				t.Errorf("%s: %d here and %d there, want %d together", name, here, there, clients*rounds)
			}
		}
	})
}

// do is Conn.Do for goroutines that are not the test's.
func do(c *harness.Conn, args ...string) (harness.Reply, error) {
	if err := c.TryWrite(harness.Encode(args...)); err != nil {
		return harness.Reply{}, err
	}
	return c.TryRead()
}

// TestMovedIsLogged: a key that has moved is not back after a restart, and counts as a change.
func TestMovedIsLogged(t *testing.T) {
	from, to := harness.Start(t, "appendonly yes"), harness.Start(t)
	c := from.Dial(t)
	c.MustOK("SELECT", "3")
	c.MustOK("MSET", "a", "1", "b", "2", "stays", "3")
	before := c.Info("persistence", "rdb_changes_since_last_save")
	c.MustOK(request(to, "stays", "3", "5000", "COPY")...)
	c.MustOK(request(to, "", "3", "5000", "REPLACE", "KEYS", "a", "none", "b")...)
	if after := c.Info("persistence", "rdb_changes_since_last_save"); before != "3" || after != "5" {
		t.Errorf("%s changes, then %s", before, after)
	}
	harness.Eventually(t, harness.Patience, "the log says so", func() bool {
		log := from.LoggedCommands(t)
		return strings.HasSuffix(log, harness.Encode("DEL", "a", "b")) && !strings.Contains(log, "MIGRATE")
	})
}
