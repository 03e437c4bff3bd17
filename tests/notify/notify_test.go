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
