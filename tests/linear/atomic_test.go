package linear

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// rounds is how often each client of an invariant test does its work.
func rounds() int {
	if harness.Race {
		return 100
	}
	return 600
}

// eachServer runs a test with each driver and with one and two loops.
func eachServer(t *testing.T, f func(t *testing.T, s *harness.Server)) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for threads := 1; threads <= 2; threads++ {
			t.Run(fmt.Sprintf("io-threads %d", threads), func(t *testing.T) {
				f(t, harness.Start(t, "network-driver "+driver, fmt.Sprintf("io-threads %d", threads)))
			})
		}
	})
}

// crowd runs workers, each with a connection of its own, until all have returned.
func crowd(t *testing.T, s *harness.Server, n int, work func(id int, c *harness.Conn)) {
	t.Helper()
	var group sync.WaitGroup
	for id := range n {
		c := s.Dial(t)
		group.Go(func() { work(id, c) })
	}
	group.Wait()
}

// TestMSETIsAtomic: writers set all keys, spread over the shards, to one value of their own; a
// reader must never see two values at once. So for MGET, for GETs in a transaction, and for MSETNX,
// which sets all or none.
func TestMSETIsAtomic(t *testing.T) {
	var keys []string
	for i := range 12 {
		keys = append(keys, "key:"+strconv.Itoa(i))
	}
	eachServer(t, func(t *testing.T, s *harness.Server) {
		crowd(t, s, 6, func(id int, c *harness.Conn) {
			for i := range rounds() {
				switch id {
				case 0, 1, 2:
					args := []string{"MSET"}
					for _, k := range keys {
						args = append(args, k, fmt.Sprintf("%d.%d", id, i))
					}
					if id == 2 { // the other order must neither deadlock nor tear
						slices.Reverse(args[1:])
						for j := 1; j < len(args); j += 2 {
							args[j], args[j+1] = args[j+1], args[j]
						}
					}
					c.MustOK(args...)
				case 3:
					c.Do(append([]string{"DEL"}, keys...)...)
				default:
					r := c.Do(append([]string{"MGET"}, keys...)...)
					for _, e := range r.Elems {
						if e.Raw != r.Elems[0].Raw {
							t.Errorf("torn: %v", r)
							return
						}
					}
				}
			}
		})
	})
}

// TestMSETNXIsAtomic: of several clients that set all keys or none, exactly one wins each round.
func TestMSETNXIsAtomic(t *testing.T) {
	const clients = 4
	eachServer(t, func(t *testing.T, s *harness.Server) {
		n := rounds() / 10
		wins := make([]atomic.Int32, n)
		crowd(t, s, clients, func(id int, c *harness.Conn) {
			for i := range n {
				args := []string{"MSETNX"}
				for j := range 6 { // each client starts at another key
					args = append(args, fmt.Sprintf("nx:%d:%d", i, (j+id)%6), strconv.Itoa(id))
				}
				if c.Do(args...).Raw == ":1\r\n" {
					wins[i].Add(1)
				}
			}
		})
		for i := range wins {
			if w := wins[i].Load(); w != 1 {
				t.Errorf("round %d: %d winners", i, w)
			}
		}
	})
}

// TestSMOVEConserves: members wander between sets; none is lost, none is in two places, at any
// moment.
func TestSMOVEConserves(t *testing.T) {
	const members = 50
	sets := []string{"set:a", "set:b", "set:c", "set:d"}
	eachServer(t, func(t *testing.T, s *harness.Server) {
		first := s.Dial(t)
		for i := range members {
			first.Do("SADD", sets[i%len(sets)], "m"+strconv.Itoa(i))
		}
		crowd(t, s, 6, func(id int, c *harness.Conn) {
			for i := range rounds() {
				if id < 4 {
					c.Do("SMOVE", sets[(i+id)%4], sets[(i*7+id+1)%4], "m"+strconv.Itoa((i*13+id*17)%members))
					continue
				}
				if id == 4 {
					if r := c.Do(append([]string{"SUNION"}, sets...)...); len(r.Elems) != members {
						t.Errorf("%d members of %d", len(r.Elems), members)
						return
					}
					continue
				}
				c.WriteRaw(harness.Encode("MULTI"))
				for _, set := range sets {
					c.WriteRaw(harness.Encode("SCARD", set))
				}
				c.WriteRaw(harness.Encode("EXEC"))
				for range len(sets) + 1 {
					c.Read()
				}
				var sum int64
				for _, e := range c.Read().Elems {
					n, _ := e.Int()
					sum += n
				}
				if sum != members {
					t.Errorf("%d members of %d", sum, members)
					return
				}
			}
		})
	})
}

// TestWatchTransfers moves money between two accounts by WATCH, GET, MULTI, SET, EXEC with retries:
// the sum stays, and as many transfers succeeded as were counted inside the transactions.
func TestWatchTransfers(t *testing.T) {
	const clients = 4
	eachServer(t, func(t *testing.T, s *harness.Server) {
		first := s.Dial(t)
		first.MustOK("MSET", "acc:x", "1000000", "acc:y", "0", "transfers", "0")
		var done atomic.Int64
		crowd(t, s, clients, func(_ int, c *harness.Conn) {
			for range rounds() / 4 {
				c.MustOK("WATCH", "acc:x", "acc:y")
				have := c.Do("MGET", "acc:x", "acc:y").Strings()
				x, _ := strconv.Atoi(have[0])
				y, _ := strconv.Atoi(have[1])
				if x+y != 1_000_000 {
					t.Errorf("%d + %d", x, y)
					return
				}
				c.MustOK("MULTI")
				c.Do("SET", "acc:x", strconv.Itoa(x-1))
				c.Do("INCR", "transfers")
				c.Do("SET", "acc:y", strconv.Itoa(y+1))
				if !c.Do("EXEC").IsNull() {
					done.Add(1)
				}
			}
		})
		want := strconv.FormatInt(done.Load(), 10)
		if got := first.Do("MGET", "acc:y", "transfers").Strings(); got[0] != want || got[1] != want {
			t.Errorf("%s transfers succeeded, the server holds %q", want, got)
		}
	})
}

// TestCountersLoseNothing: increments by every means add up.
func TestCountersLoseNothing(t *testing.T) {
	const clients = 6
	eachServer(t, func(t *testing.T, s *harness.Server) {
		n := rounds()
		crowd(t, s, clients, func(_ int, c *harness.Conn) {
			for range n {
				c.WriteRaw(harness.Encode("INCR", "n") + harness.Encode("HINCRBY", "h", "n", "1") + harness.Encode("APPEND", "s", "x"))
			}
			for range 3 * n {
				c.Read()
			}
		})
		c := s.Dial(t)
		want := strconv.Itoa(clients * n)
		for _, args := range [][]string{{"GET", "n"}, {"HGET", "h", "n"}, {"STRLEN", "s"}} {
			if r := c.Do(args...); r.Text != want {
				t.Errorf("%q: %v, want %s", args, r, want)
			}
		}
	})
}

// TestRenameAndSwap: a value under one of two names is never missing and never double, in whichever
// order the locks are wanted.
func TestRenameAndSwap(t *testing.T) {
	eachServer(t, func(t *testing.T, s *harness.Server) {
		s.Dial(t).MustOK("SET", "name:1", "v")
		crowd(t, s, 4, func(id int, c *harness.Conn) {
			for range rounds() {
				switch id {
				case 0:
					c.Do("RENAME", "name:1", "name:2")
				case 1:
					c.Do("RENAME", "name:2", "name:1")
				case 2:
					c.Do("SWAPDB", "3", "4")
				default:
					if r := c.Do("EXISTS", "name:1", "name:2"); r.Raw != ":1\r\n" {
						t.Errorf("EXISTS: %v", r)
						return
					}
				}
			}
		})
	})
}

// TestQueuesLoseNothing: producers push, one stage of workers moves on what it waits for, another
// takes it; each job arrives once.
func TestQueuesLoseNothing(t *testing.T) {
	const producers, movers, takers = 2, 2, 2
	eachServer(t, func(t *testing.T, s *harness.Server) {
		n := rounds()
		var mu sync.Mutex
		arrived := map[string]int{}
		var left atomic.Int64
		left.Store(int64(producers * n))
		crowd(t, s, producers+movers+takers, func(id int, c *harness.Conn) {
			switch {
			case id < producers:
				for i := range n {
					c.Do("LPUSH", "todo", fmt.Sprintf("%d.%d", id, i))
				}
			case id < producers+movers:
				for left.Load() > 0 {
					c.Do("BLMOVE", "todo", "next", "RIGHT", "LEFT", "0.05")
				}
			default:
				for left.Load() > 0 {
					r := c.Do("BLMPOP", "0.05", "2", "other", "next", "RIGHT", "COUNT", "3")
					if r.IsNull() {
						continue
					}
					mu.Lock()
					for _, job := range r.Elems[1].Strings() {
						arrived[job]++
						left.Add(-1)
					}
					mu.Unlock()
				}
			}
		})
		if len(arrived) != producers*n {
			t.Errorf("%d of %d jobs have arrived", len(arrived), producers*n)
		}
		for job, times := range arrived {
			if times != 1 {
				t.Errorf("job %s has arrived %d times", job, times)
			}
		}
	})
}

// TestPointsAreConserved: points wander between the members of a sorted set of either encoding;
// every reader sees all of them, in order.
func TestPointsAreConserved(t *testing.T) {
	for _, members := range []int{20, 300} {
		t.Run(fmt.Sprint(members, " members"), func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *harness.Server) {
				first := s.Dial(t)
				for i := range members {
					first.Do("ZADD", "board", "1000", "m"+strconv.Itoa(i))
				}
				crowd(t, s, 4, func(id int, c *harness.Conn) {
					for i := range rounds() {
						if id == 0 {
							pointsIntact(t, c.Do("ZRANGE", "board", "0", "-1", "WITHSCORES").Strings(), members)
							continue
						}
						from, to := "m"+strconv.Itoa((i*13+id*17)%members), "m"+strconv.Itoa((i*7+id)%members)
						c.WriteRaw(harness.Encode("MULTI") + harness.Encode("ZINCRBY", "board", "-3", from) + harness.Encode("ZINCRBY", "board", "3", to) + harness.Encode("EXEC"))
						for range 4 {
							c.Read()
						}
					}
				})
			})
		})
	}
}

// pointsIntact checks a sorted set whose members began with 1000 points each.
func pointsIntact(t *testing.T, withScores []string, members int) {
	t.Helper()
	sum, last := 0, math.MinInt
	for i := 1; i < len(withScores); i += 2 {
		score, err := strconv.Atoi(withScores[i])
		if err != nil || score < last {
			t.Errorf("score %q after %d", withScores[i], last)
		}
		sum, last = sum+score, score
	}
	if len(withScores) != 2*members || sum != 1000*members {
		t.Errorf("%d members with %d points of %d", len(withScores)/2, sum, 1000*members)
	}
}
