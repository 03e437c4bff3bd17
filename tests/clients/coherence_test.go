package clients

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// Clients that keep what they have read must never show it after they have been told that it has
// changed. The rule is tested while it is hard to keep: a writer changes 10,000 keys at random,
// many of the same again and again, with times to live of some milliseconds, and under a cap that
// evicts.
//
// Each write has a number of its own, which the value begins with. The server queues what it tells a
// client before it answers the writer, so a client that has got a PONG to a PING sent after that has
// been told. So, at any moment: a reader looks which write of a key was answered last, sends a PING,
// and what its cache then gives must be of that write or a later one, or nothing. And when the
// writer rests: all caches must give what the server has, for all keys.
//
// Redis 7.0 fails this for the client with NOLOOP: its reads evict other keys, and what it evicts
// itself it is not told of.

const (
	coherentKeys   = 10_000
	hotKeys        = 300 // get half of all calls
	coherentRounds = 2
	writesPerRound = 5_000
	coherentRoom   = 3 << 19 // bytes under the cap, less than a third of what the keys would take
)

// cacher is a client with a cache of its own.
type cacher interface {
	get(keys ...string) []cached
	settle() // returns when it has been told of all that has happened before
	hits() int64
}

// cached is what a read gives, from the cache or from the server.
type cached struct {
	value string
	ok    bool // the key is there
}

// dataset is what the writer has done.
type dataset struct {
	answered [coherentKeys]atomic.Int64 // the last write of a key that the server has answered
	last     int64                      // write, of any key; the writer's
}

func keyName(i int) string { return "key:" + strconv.Itoa(i) }

func anyKey(rng *rand.Rand) int {
	if rng.IntN(2) == 0 {
		return rng.IntN(hotKeys)
	}
	return rng.IntN(coherentKeys)
}

// write does one call that changes a key or two, and notes it when it is answered.
func (d *dataset) write(t *testing.T, c *harness.Conn, rng *rand.Rand) {
	t.Helper()
	i, j := anyKey(rng), anyKey(rng)
	d.last++
	value := fmt.Sprintf("%d:%s", d.last, strings.Repeat("x", rng.IntN(2000)))
	touched := []int{i}
	var r harness.Reply
	switch rng.IntN(12) {
	case 0:
		r = c.Do("DEL", keyName(i))
	case 1:
		r = c.Do("GETDEL", keyName(i))
	case 2:
		r = c.Do("PEXPIRE", keyName(i), strconv.Itoa(1+rng.IntN(40)))
		touched = nil
	case 3, 4:
		r = c.Do("SET", keyName(i), value, "PX", strconv.Itoa(1+rng.IntN(100)))
	case 5:
		r = c.Do("MSET", keyName(i), value, keyName(j), value)
		touched = append(touched, j)
	case 6:
		c.MustOK("MULTI")
		c.Send("DEL", keyName(j))
		c.Send("SET", keyName(i), value)
		c.Send("EXEC")
		c.Read()
		c.Read()
		r = c.Read()
		touched = append(touched, j)
	case 7:
		r = c.Do("RENAME", keyName(i), keyName(i))
		touched = nil
	default:
		r = c.Do("SET", keyName(i), value)
	}
	if r.IsError() && !strings.Contains(r.Text, "no such key") {
		t.Errorf("%v", r)
	}
	for _, k := range touched {
		d.answered[k].Store(d.last)
	}
}

// check reads a key through a cache that has been told all of what was answered before.
func (d *dataset) check(t *testing.T, name string, c cacher, rng *rand.Rand) {
	i := anyKey(rng)
	written := d.answered[i].Load()
	c.settle()
	read := c.get(keyName(i))[0]
	if number := numberOf(read.value); read.ok && number < written {
		t.Errorf("%s: %s is of write %d, and write %d had been answered and told of", name, keyName(i), number, written)
	}
}

func numberOf(value string) int64 {
	head, _, _ := strings.Cut(value, ":")
	n, err := strconv.ParseInt(head, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// sameAsServer compares all keys when nobody writes.
func sameAsServer(t *testing.T, server *harness.Conn, name string, c cacher) {
	t.Helper()
	keys := make([]string, coherentKeys)
	for i := range keys {
		keys[i] = keyName(i)
	}
	const atOnce = 250
	for some := range slices.Chunk(keys, atOnce) {
		there := server.Do(append([]string{"MGET"}, some...)...)
		c.settle()
		for i, read := range c.get(some...) {
			if r := there.Elems[i]; read.ok == r.IsNull() || read.value != r.Value() {
				soonTheSame(t, server, name, c, some[i])
			}
		}
	}
}

// soonTheSame compares a key that may have reached its time since it was read from the server: then
// the server has nothing, and so has the cache as soon as it is told.
func soonTheSame(t *testing.T, server *harness.Conn, name string, c cacher, key string) {
	t.Helper()
	harness.Eventually(t, patience, name+" is told that "+key+" has gone", func() bool {
		before := server.Do("GET", key)
		c.settle()
		read := c.get(key)[0]
		if read.ok == !before.IsNull() && read.value == before.Value() {
			return true
		}
		if after := server.Do("GET", key); after.Raw == before.Raw && !after.IsNull() {
			t.Fatalf("%s: %s is %.20q (%v), the server has %.20q", name, key, read.value, read.ok, after.Text)
		}
		return false
	})
}

// TestCachesAreNeverStale runs clients with a cache beside a writer.
func TestCachesAreNeverStale(t *testing.T) {
	runtime.GC() // what other tests have left on the heap would count, and raise the cap
	harness.EachDriver(t, func(t *testing.T, driver string) {
		t.Parallel()
		seed := randtest.Seed(t)
		s := harness.StartSubject(t, "network-driver "+driver, "io-threads 2", "maxmemory-policy allkeys-lru")
		writer := s.Dial(t)
		writer.MustOK("CONFIG", "SET", "maxmemory", "1gb") // under a limit less garbage is left to pile up
		writer.MustOK("MEMORY", "PURGE")
		used, err := strconv.Atoi(writer.Info("memory", "used_memory"))
		if err != nil {
			t.Fatal(err)
		}
		cachers := map[string]cacher{
			"rueidis":              newRueidisCache(t, s),
			"a second rueidis":     newRueidisCache(t, s),
			"rueidis, BCAST":       newRueidisCache(t, s, "BCAST", "PREFIX", "key:"),
			"a client of RESP3":    newWireCache(t, s),
			"the same, BCAST":      newWireCache(t, s, "BCAST", "PREFIX", "key:1", "PREFIX", "key:2"),
			"a client with NOLOOP": newWireCache(t, s, "NOLOOP"),
		}
		writer.MustOK("CONFIG", "SET", "maxmemory", strconv.Itoa(used+coherentRoom))
		d := &dataset{}
		for round := range uint64(coherentRounds) {
			beside(t, cachers, seed+round, d, func(rng *rand.Rand) {
				for range writesPerRound {
					d.write(t, writer, rng)
				}
				if round == 1 {
					writer.MustOK("FLUSHALL")
				}
				for range writesPerRound / 4 {
					d.write(t, writer, rng)
				}
			})
			for name, c := range cachers {
				sameAsServer(t, writer, name, c)
			}
		}
		for name, c := range cachers {
			if c.hits() < coherentKeys/10 {
				t.Errorf("%s has answered %d reads from its cache", name, c.hits())
			}
		}
		for _, field := range []string{"evicted_keys", "expired_keys"} {
			if writer.Info("stats", field) == "0" {
				t.Errorf("%s is 0", field)
			}
		}
	})
}

// beside runs the writer, and a reader for each cache until it is done.
func beside(t *testing.T, cachers map[string]cacher, seed uint64, d *dataset, write func(*rand.Rand)) {
	done := make(chan struct{})
	var readers sync.WaitGroup
	for name, c := range cachers {
		rng := rand.New(rand.NewPCG(seed, uint64(len(name))))
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d.check(t, name, c, rng)
				c.get(keyName(anyKey(rng)))
				if t.Failed() {
					return
				}
			}
		})
	}
	write(rand.New(rand.NewPCG(seed, 0)))
	close(done)
	readers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// rueidisCache is rueidis with one connection, so that a PONG comes behind what was told.
type rueidisCache struct {
	t    testing.TB
	c    rueidis.Client
	from atomic.Int64
}

func newRueidisCache(t testing.TB, s *harness.Server, options ...string) *rueidisCache {
	t.Helper()
	c, err := rueidis.NewClient(patientRueidis(rueidis.ClientOption{
		InitAddress: []string{s.Addr}, PipelineMultiplex: -1, ClientTrackingOptions: options, DisableRetry: true,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &rueidisCache{t: t, c: c}
}

func (r *rueidisCache) get(keys ...string) (reads []cached) {
	var asked []rueidis.CacheableTTL
	for _, key := range keys {
		asked = append(asked, rueidis.CT(r.c.B().Get().Key(key).Cache(), time.Hour))
	}
	for i, result := range r.c.DoMultiCache(r.t.Context(), asked...) {
		if result.IsCacheHit() {
			r.from.Add(1)
		}
		value, err := result.ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			r.t.Errorf("GET %s: %v", keys[i], err)
		}
		reads = append(reads, cached{value, err == nil})
	}
	return reads
}

func (r *rueidisCache) settle() {
	if err := r.c.Do(r.t.Context(), r.c.B().Ping().Build()).Error(); err != nil {
		r.t.Error(err)
	}
}

func (r *rueidisCache) hits() int64 { return r.from.Load() }

// wireCache is a client that keeps all it has read until it is told, and knows no times to live.
type wireCache struct {
	*harness.Conn
	all    []string // the prefixes that it is told of, unasked; nil: it is told of what it has read
	values map[string]harness.Reply
	from   int64
}

func newWireCache(t testing.TB, s *harness.Server, options ...string) *wireCache {
	t.Helper()
	c := &wireCache{Conn: s.DialRESP(t, 3), values: map[string]harness.Reply{}}
	c.MustOK(append([]string{"CLIENT", "TRACKING", "ON"}, options...)...)
	for i, option := range options {
		if option == "PREFIX" {
			c.all = append(c.all, options[i+1])
		}
	}
	return c
}

// next returns the next reply and takes in what comes before it.
func (c *wireCache) next() harness.Reply {
	for {
		r := c.Read()
		if r.Kind != '>' {
			return r
		}
		if keys := r.Elems[1]; keys.IsNull() {
			clear(c.values)
		} else {
			for _, key := range keys.Strings() {
				delete(c.values, key)
			}
		}
	}
}

func (c *wireCache) get(keys ...string) []cached {
	reads := make([]cached, len(keys))
	var request strings.Builder
	var asked []int
	for i, key := range keys {
		r, ok := c.values[key]
		if !ok {
			asked = append(asked, i)
			request.WriteString(harness.Encode("GET", key))
			continue
		}
		c.from++
		reads[i] = cached{r.Value(), !r.IsNull()}
	}
	if len(asked) > 0 {
		c.WriteRaw(request.String())
	}
	for _, i := range asked {
		r := c.next()
		if c.toldOf(keys[i]) {
			c.values[keys[i]] = r
		}
		reads[i] = cached{r.Value(), !r.IsNull()}
	}
	return reads
}

func (c *wireCache) toldOf(key string) bool {
	for _, prefix := range c.all {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return c.all == nil
}

func (c *wireCache) settle() {
	c.Send("PING")
	c.next()
}

func (c *wireCache) hits() int64 { return c.from }
