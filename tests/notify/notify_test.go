// Package notify holds keyspace notifications to what they promise while many clients write at the
// same time. What is published of which command is compared with redis-server in tests/diff, who is
// told of evicted keys in tests/evict.
package notify

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	counters = 4
	writers  = 6
	perEach  = 400
)

func counter(i int) string { return "counter:" + strconv.Itoa(i%counters) }

// write has clients count up the counters, in batches, some of them in transactions.
func write(t *testing.T, s *harness.Server) (done *sync.WaitGroup) {
	t.Helper()
	done = &sync.WaitGroup{}
	for w := range writers {
		c := s.Dial(t)
		done.Go(func() {
			for i := range perEach {
				batch := harness.Encode("INCR", counter(i))
				replies := 1
				if i%5 == w%5 {
					batch, replies = harness.Encode("MULTI")+batch+harness.Encode("EXEC"), 3
				}
				if err := c.TryWrite(batch); err != nil {
					t.Error(err)
					return
				}
				for range replies {
					if _, err := c.TryRead(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	return done
}

// TestVisible: who reads a key after an event of it sees the change, and each change is told of once.
func TestVisible(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "io-threads 3", "notify-keyspace-events K$")
		told, reader := s.Dial(t), s.Dial(t)
		told.Do("PSUBSCRIBE", "__keyspace@0__:counter:*")
		done := write(t, s)
		seen := map[string]int{}
		for n := range writers * perEach {
			r := told.Read()
			if len(r.Elems) != 4 || r.Elems[3].Text != "incrby" {
				t.Fatalf("%v, want the event of an INCR", r)
			}
			key := strings.TrimPrefix(r.Elems[2].Text, "__keyspace@0__:")
			seen[key]++
			if n%8 == 0 {
				if value, err := strconv.Atoi(reader.Do("GET", key).Text); err != nil || value < seen[key] {
					t.Fatalf("%s is %d after %d events, %v", key, value, seen[key], err)
				}
			}
		}
		done.Wait()
		for i := range counters {
			if value := reader.Do("GET", counter(i)).Text; value != strconv.Itoa(seen[counter(i)]) {
				t.Errorf("%s is %s, told of %d times", counter(i), value, seen[counter(i)])
			}
		}
	})
}

// TestSwitched: what is published may change at any time, and the change is in force at once.
func TestSwitched(t *testing.T) {
	s := harness.Start(t, "io-threads 3")
	told, c := s.Dial(t), s.Dial(t)
	told.Do("PSUBSCRIBE", "__key*")
	done := write(t, s)
	const name = "notify-keyspace-events"
	for i, letters := range []string{"KEA", "", "K$", "El", "AKEmn", "A", "E$x"} {
		c.MustOK("CONFIG", "SET", name, letters)
		if i%2 == 0 {
			c.Do("INCR", "c")
		}
		c.MustOK("MULTI")
		c.Do("INCR", counter(i))
		c.Do("CONFIG", "SET", name, "KEA")
		c.Do("INCR", counter(i))
		c.Do("CONFIG", "SET", name, letters)
		c.Do("EXEC")
	}
	done.Wait()
	c.MustOK("CONFIG", "SET", name, "Es")
	c.Do("INCR", "c")
	c.Do("SADD", "end", "x")
	for {
		r := told.Read()
		if channel, key := r.Elems[2].Text, r.Elems[3].Text; channel == "__keyevent@0__:sadd" && key == "end" {
			break
		}
	}
	c.MustOK("CONFIG", "SET", name, "K$")
	c.Do("SADD", "other", "x")
	c.Do("INCR", "c")
	if r := told.Read(); r.Elems[2].Text != "__keyspace@0__:c" || r.Elems[3].Text != "incrby" {
		t.Errorf("%v, want the event of c alone", r)
	}
}

// TestFieldTimes: what changes when fields and members expire, and what removes those whose time has come.
func TestFieldTimes(t *testing.T) {
	s := harness.Start(t, "notify-keyspace-events KA")
	told, c := s.Dial(t), s.Dial(t)
	told.Do("PSUBSCRIBE", "__key*")
	for _, step := range []struct{ request, events string }{
		{"HSETEX h EX 100 FIELDS 2 a 1 b 2", "hset hexpire"},
		{"HSETEX h FNX FIELDS 1 a 1", ""},
		{"HEXPIRE h 50 FIELDS 2 a x", "hexpire"},
		{"HEXPIRE h 50 NX FIELDS 1 a", ""},
		{"HPERSIST h FIELDS 2 a b", "hpersist"},
		{"HPERSIST h FIELDS 2 a b", ""},
		{"HGETEX h FIELDS 1 a", ""},
		{"HGETEX h EX 100 FIELDS 1 a", "hexpire"},
		{"HEXPIRE h 0 FIELDS 1 a", "hdel"},
		{"HGETDEL h FIELDS 2 b x", "hdel del"},
		{"HSETEX h PX 1 FIELDS 2 a 1 b 2", "hset hexpire hexpired del"},
		{"SADDEX h EX 100 MEMBERS 2 a b", "sadd sexpire"},
		{"SADDEX h KEEPTTL MEMBERS 2 a b", ""},
		{"SEXPIRE h 50 MEMBERS 2 a x", "sexpire"},
		{"SPERSIST h MEMBERS 2 a b", "spersist"},
		{"SEXPIRE h 0 MEMBERS 2 a b", "srem del"},
		{"SADDEX h PX 1 MEMBERS 2 a b", "sadd sexpire sexpired del"},
	} {
		c.Do(strings.Fields(step.request)...)
		if strings.Contains(step.request, " PX ") {
			harness.Eventually(t, harness.Patience, "the key goes", func() bool { return c.Do("EXISTS", "h").Raw == ":0\r\n" })
		}
		if events := eventsSoFar(told, c); events != step.events {
			t.Errorf("%s: told of %q, want %q", step.request, events, step.events)
		}
	}
}

// eventsSoFar are the events that a subscriber to __key* is told of and has not read, by names.
func eventsSoFar(told, c *harness.Conn) string {
	c.Do("APPEND", "end", "") // the event that ends them
	var names []string
	for {
		r := told.Read()
		if strings.HasSuffix(r.Elems[2].Text, ":end") {
			return strings.Join(names, " ")
		}
		names = append(names, r.Elems[3].Text)
	}
}

// TestLimits: what a limiter lets through is told of like a SET with a time to live, what it refuses
// not at all. Redis 7.0 has none of these commands.
func TestLimits(t *testing.T) {
	s := harness.Start(t, "notify-keyspace-events KA")
	told, c := s.Dial(t), s.Dial(t)
	told.Do("PSUBSCRIBE", "__key*")
	for _, step := range []struct{ request, events string }{
		{"CACHE.SET cached v", "set"},
		{"CACHE.SET cached v EX 100 FRESH 1000", "set expire"},
		{"CACHE.SET cached v NX", ""},
		{"CACHE.GET cached", ""},
		{"CACHE.MSET 1 cached v EX 100", "set expire"},
		{"CL.THROTTLE t 0 1 100", "set expire"},
		{"CL.THROTTLE t 0 1 100", ""},
		{"CL.THROTTLE t 0 1 100 0", ""},
		{"CL.WINDOW w 1 100000", "set expire"},
		{"CL.WINDOW w 1 100000", ""},
		{"INCREX n", "incrby"},
		{"INCREX n EX 100", "incrby expire"},
		{"INCREX n EX 200 ENX", "incrby"},
		{"INCREX n UBOUND 0 EX 200", ""},
		{"INCREX n PERSIST", "incrby persist"},
		{"INCREX n BYFLOAT 0.5", "incrbyfloat"},
	} {
		c.Do(strings.Fields(step.request)...)
		if events := eventsSoFar(told, c); events != step.events {
			t.Errorf("%s: told of %q, want %q", step.request, events, step.events)
		}
	}
}
