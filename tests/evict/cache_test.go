package evict

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// patience is how long something may take that is to happen soon.
const patience = harness.Patience

// cache is a server whose memory is capped, and a connection to it.
type cache struct {
	*harness.Conn
	t      testing.TB
	server *harness.Server
}

func newCache(t testing.TB, s *harness.Server) *cache { return &cache{s.Dial(t), t, s} }

// set is CONFIG SET.
func (c *cache) set(name string, value any) {
	c.t.Helper()
	c.MustOK("CONFIG", "SET", name, fmt.Sprint(value))
}

// stat is a field of INFO stats.
func (c *cache) stat(name string) int64 {
	c.t.Helper()
	return field(c.t, c.Do("INFO", "stats").Text, name)
}

// used is the memory in use, in bytes.
func (c *cache) used() int64 {
	c.t.Helper()
	return field(c.t, c.Do("INFO", "memory").Text, "used_memory")
}

// counted is how much of the memory in use counts towards the cap, in bytes; not more than there is
// in use.
func (c *cache) counted() int64 {
	c.t.Helper()
	info := c.Do("INFO", "memory").Text
	return field(c.t, info, "used_memory") - field(c.t, info, "mem_not_counted_for_evict")
}

// room sets the cap so many bytes above what counts now.
func (c *cache) room(bytes int64) (limit int64) {
	c.t.Helper()
	limit = c.counted() + bytes
	c.set("maxmemory", limit)
	return limit
}

// tighten sets the cap to where keys begin to be evicted. It calls a command that needs memory with
// numbers from 0 on, and returns the first one that it has not used.
func (c *cache) tighten(request func(i int) []string) (next int) {
	c.t.Helper()
	const step = 16 << 10
	before := c.stat("evicted_keys")
	for limit := c.used() + 4<<20; c.stat("evicted_keys") == before; limit -= step {
		c.set("maxmemory", limit)
		if r := c.Do(request(next)...); r.IsError() {
			c.t.Fatalf("%.100q: %v", request(next), r)
		}
		next++
	}
	return next
}

// field is a number in a section of INFO.
func field(t testing.TB, info, name string) int64 {
	t.Helper()
	_, rest, ok := strings.Cut(info, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.ParseInt(value, 10, 64)
	if !ok || err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// piece is how many requests are sent in one piece.
const piece = 200

// each sends n requests in pieces and returns their replies.
func (c *cache) each(n int, request func(i int) []string) []harness.Reply {
	c.t.Helper()
	var all []harness.Reply
	for i := 0; i < n; {
		var b harness.Batch
		for ; i < n && b.Len() < piece; i++ {
			b.Add(request(i)...)
		}
		replies, err := b.Exchange(c.Conn)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, replies...)
	}
	return all
}

// must is each for requests that may not fail.
func (c *cache) must(n int, request func(i int) []string) {
	c.t.Helper()
	for i, r := range c.each(n, request) {
		if r.IsError() {
			c.t.Fatalf("%.100q: %v", request(i), r)
		}
	}
}

// left counts which of the keys prefix:0 to prefix:n-1 are there.
func (c *cache) left(prefix string, n int) int {
	c.t.Helper()
	found := 0
	for _, r := range c.each(n, func(i int) []string { return []string{"EXISTS", name(prefix, i)} }) {
		if r.Raw == ":1\r\n" {
			found++
		}
	}
	return found
}

func name(prefix string, i int) string { return prefix + ":" + strconv.Itoa(i) }

// load is clients at work.
type load struct {
	t       testing.TB
	stopped atomic.Bool
	failing atomic.Bool // the server is about to go: errors are expected
	clients sync.WaitGroup
}

// run has a client send batches that f makes until the load is stopped; f is given the number of
// the batch. Every reply has to be one that ok accepts.
func (l *load) run(c *harness.Conn, f func(b *harness.Batch, round int), ok func(harness.Reply) bool) {
	l.clients.Go(func() {
		for round := 0; !l.stopped.Load(); round++ {
			var b harness.Batch
			f(&b, round)
			replies, err := b.Exchange(c)
			for _, r := range replies {
				if !ok(r) {
					err = errors.New(r.String())
				}
			}
			if err != nil {
				if !l.failing.Load() {
					l.t.Error(err)
				}
				return
			}
		}
	})
}

// newLoad is a load that ends with the test.
func newLoad(t testing.TB) *load {
	l := &load{t: t}
	t.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	l.stopped.Store(true)
	l.clients.Wait()
}

func noError(r harness.Reply) bool { return !r.IsError() }

func isOOM(r harness.Reply) bool {
	return r.Raw == "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
}
