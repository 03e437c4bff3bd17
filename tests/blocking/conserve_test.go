package blocking

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestNothingIsLost lets many clients push, wait, run out of time, be unblocked and be killed on
// four event loops. At the end each element was given to one client, or is still there.
func TestNothingIsLost(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		seed := randtest.Seed(t)
		w := &crowd{b: start(t, "network-driver "+driver, "io-threads 4"), given: map[string]int{}}
		var producers, consumers sync.WaitGroup
		for i := range 4 {
			producers.Go(func() { w.produce(rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		for i := range 12 {
			consumers.Go(func() { w.consume(rand.New(rand.NewPCG(seed, uint64(100+i)))) })
		}
		meddled := make(chan struct{})
		go func() {
			defer close(meddled)
			w.meddle(rand.New(rand.NewPCG(seed, 1000)), driver)
		}()
		producers.Wait()
		w.over.Store(true)
		consumers.Wait()
		<-meddled
		w.check(t)
	})
}

const crowdKeys, perProducer = 5, 400

// crowd is the clients of one server, and what they were given.
type crowd struct {
	b    *bench
	next atomic.Int64 // the last element
	over atomic.Bool  // nothing is pushed any more

	mu    sync.Mutex
	given map[string]int
	ids   []string // of consumers
}

func crowdKey(rng *rand.Rand) string { return "list" + strconv.Itoa(rng.IntN(crowdKeys)) }

func (w *crowd) produce(rng *rand.Rand) {
	c := w.b.server.Dial(w.b.t)
	element := func() string { return strconv.FormatInt(w.next.Add(1), 10) }
	for range perProducer {
		switch k := crowdKey(rng); rng.IntN(6) {
		case 0, 1:
			c.Do("RPUSH", k, element())
		case 2:
			c.Do("LPUSH", k, element(), element(), element())
		case 3:
			c.WriteRaw(harness.Encode("MULTI") + harness.Encode("RPUSH", k, element()) + harness.Encode("LPUSH", crowdKey(rng), element()) +
				harness.Encode("EXEC"))
			for range 4 {
				c.Read()
			}
		case 4:
			c.Do("LMOVE", k, crowdKey(rng), "LEFT", "RIGHT")
		default:
			from := "new" + k
			c.Do("RPUSH", from, element())
			c.Do("RENAMENX", from, k)
		}
	}
}

// consume waits with one command after the other, on a new connection after each kill, until all is
// pushed and its waits find nothing.
func (w *crowd) consume(rng *rand.Rand) {
	for c := w.join(); ; {
		over := w.over.Load()
		a, b := crowdKey(rng), crowdKey(rng)
		limit := []string{"0.001", "0.01", "0.1"}[rng.IntN(3)]
		args := [][]string{
			{"BLPOP", a, b, "list0", limit}, {"BRPOP", a, limit}, {"BLMPOP", limit, "2", a, b, "LEFT", "COUNT", "3"},
			{"BLMOVE", a, b, "LEFT", "RIGHT", limit},
		}[rng.IntN(4)]
		if c.TryWrite(harness.Encode(args...)) != nil {
			c = w.join()
			continue
		}
		r, err := c.TryRead()
		switch {
		case err != nil:
			c = w.join()
		case r.IsNull() && over:
			return
		case r.IsNull() || r.IsError() || args[0] == "BLMOVE":
		case args[0] == "BLMPOP":
			w.give(r.Elems[1].Strings()...)
		default:
			w.give(r.Elems[1].Text)
		}
	}
}

func (w *crowd) join() *harness.Conn {
	c := w.b.server.Dial(w.b.t)
	if r, err := func() (harness.Reply, error) {
		if err := c.TryWrite(harness.Encode("CLIENT", "ID")); err != nil {
			return harness.Reply{}, err
		}
		return c.TryRead()
	}(); err == nil {
		w.mu.Lock()
		w.ids = append(w.ids, r.Text)
		w.mu.Unlock()
	}
	return c
}

func (w *crowd) give(elements ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range elements {
		w.given[e]++
	}
}

// meddle unblocks and kills consumers. The portable driver closes the socket of a client that is
// killed at once, with a reply that is not written yet, as Redis does; there what was given to it
// could not be seen.
func (w *crowd) meddle(rng *rand.Rand, driver string) {
	c := w.b.server.Dial(w.b.t)
	for !w.over.Load() {
		w.mu.Lock()
		id := "0"
		if len(w.ids) > 0 {
			id = w.ids[max(0, len(w.ids)-1-rng.IntN(12))]
		}
		w.mu.Unlock()
		switch n := rng.IntN(20); {
		case n == 0 && driver == "epoll":
			c.Do("CLIENT", "KILL", "ID", id)
		case n == 1:
			c.Do("CLIENT", "UNBLOCK", id, "ERROR")
		default:
			c.Do("CLIENT", "UNBLOCK", id)
		}
	}
}

func (w *crowd) check(t *testing.T) {
	for _, key := range w.b.Do("KEYS", "*").Strings() {
		w.give(w.b.Do("LRANGE", key, "0", "-1").Strings()...)
	}
	lost := 0
	for n := range w.next.Load() {
		switch e := fmt.Sprint(n + 1); w.given[e] {
		case 1:
		case 0:
			lost++
		default:
			t.Errorf("element %s was given to %d", e, w.given[e])
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d elements are lost", lost, w.next.Load())
	}
	w.b.untilBlocked(0)
	if n := w.b.number("clients", "total_blocking_keys"); n != 0 {
		t.Errorf("%d keys are waited for by nobody", n)
	}
}
