//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stampedes: a thousand clients read one page again and again, which lives for a second and is made by a slow
// origin that makes only some pages at a time, as a database with a pool of connections does.
//
// How readers see to it that the origin is not asked by all of them at once is the figure. On Redis there is
// the lock that applications write by hand (SETNX with a time limit; whoever has not got it sleeps for 0.1 s
// and begins anew), and nothing at all.

const (
	stampedeClients = 1000
	stampedeKey     = "page"
	stampedeLock    = stampedeKey + ":lock"
	pageLives       = time.Second
	pageTakes       = 100 * time.Millisecond
	pagesAtOnce     = 10
	readerThinks    = 200 * time.Millisecond // between two reads, on average
	lockRetry       = 100 * time.Millisecond
	lockEnds        = "10"    // seconds
	leaseEnds       = "10000" // milliseconds
	staleFor        = 10 * pageLives
)

// origin makes pages.
type origin struct {
	room  chan struct{} // pages that may be made now
	asked atomic.Int64
	page  atomic.Int64 // the number of the page that is stored

	mu       sync.Mutex
	replaced map[int64]bool // pages instead of which somebody has asked for another one
}

func newOrigin() *origin {
	return &origin{room: make(chan struct{}, pagesAtOnce), replaced: map[int64]bool{}}
}

// make makes a page and has it stored.
func (o *origin) make(store func() error) error {
	old := o.page.Load()
	o.asked.Add(1)
	o.mu.Lock()
	o.replaced[old] = true
	o.mu.Unlock()
	o.room <- struct{}{}
	time.Sleep(pageTakes)
	<-o.room
	err := store()
	o.page.CompareAndSwap(old, old+1)
	return err
}

// reader is one of the clients.
type reader struct {
	*client
	origin  *origin
	refresh func(func() error) // runs something when the page has been read
}

var pageLife = strconv.FormatInt(pageLives.Milliseconds(), 10)

// plain asks the origin if there is no page.
func (r *reader) plain() error {
	page, err := r.do("GET", stampedeKey)
	if page != "" || err != nil {
		return err
	}
	return r.origin.make(r.set)
}

func (r *reader) set() error {
	_, err := r.do("SET", stampedeKey, string(value[:64]), "PX", pageLife)
	return err
}

// lock is plain behind a lock of the client's own making.
func (r *reader) lock() error {
	for {
		page, err := r.do("GET", stampedeKey)
		if page != "" || err != nil {
			return err
		}
		won, err := r.integer("SETNX", stampedeLock, "1")
		if err != nil {
			return err
		}
		if won == 0 {
			time.Sleep(lockRetry)
			continue
		}
		if _, err := r.do("EXPIRE", stampedeLock, lockEnds); err != nil {
			return err
		}
		err = r.origin.make(r.set)
		_, gone := r.do("DEL", stampedeLock)
		return errors.Join(err, gone)
	}
}

// leased reads with a lease. Who gets one and has a page shows that first, and then makes the next one.
func (r *reader) leased(life []string, options ...string) error {
	words := append([]string{"CACHE.GET", stampedeKey, "LEASE", leaseEnds}, options...)
	page, token, err := r.cacheGet(words...)
	if token == "" || err != nil {
		return err
	}
	fill := func() error {
		return r.origin.make(func() error {
			_, err := r.do(append(append([]string{"CACHE.SET", stampedeKey, string(value[:64])}, life...), "LEASE", token)...)
			return err
		})
	}
	if page == "" {
		return fill()
	}
	r.refresh(fill)
	return nil
}

func (r *reader) leaseWait() error {
	return r.leased([]string{"PX", pageLife}, "WAIT", leaseEnds, "BETA", "0")
}

func (r *reader) leaseStale() error {
	lives := strconv.FormatInt((pageLives + staleFor).Milliseconds(), 10)
	return r.leased([]string{"PX", lives, "FRESH", pageLife}, "WAIT", leaseEnds, "STALE", "BETA", "0")
}

func (r *reader) early() error { return r.leased([]string{"PX", pageLife}, "WAIT", leaseEnds) }

// cacheGet returns the value and the token of CACHE.GET, empty for none.
func (c *client) cacheGet(words ...string) (page, token string, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return "", "", err
	}
	c.buf = appendRequest(c.buf[:0], words...)
	if _, err := c.conn.Write(c.buf); err != nil {
		return "", "", err
	}
	var elements [5]string
	for i := -1; i < len(elements); i++ {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch {
		case i < 0 && line != "*5":
			return "", "", fmt.Errorf("%s: %q", words[0], line)
		case i >= 0 && line[0] == '$':
			elements[i], err = c.bulk(line[1:])
		case i >= 0:
			elements[i] = line[1:]
		}
		if err != nil {
			return "", "", err
		}
	}
	return elements[0], elements[3], nil
}

// makePage has one client make the first page, before the others come.
func (s *server) makePage(read func(*reader) error) error {
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	return read(&reader{client: c, origin: newOrigin(), refresh: func(func() error) {}})
}

// stampede lets the clients read for some time.
func (s *server) stampede(clients int, length time.Duration, read func(*reader) error) ([]float64, error) {
	if err := s.once("FLUSHALL"); err != nil {
		return nil, err
	}
	if err := s.makePage(read); err != nil {
		return nil, err
	}
	o, ended := newOrigin(), make(chan error, clients)
	var mu sync.Mutex
	hist := hdrhistogram.New(1, int64(time.Minute/latencyUnit), 3)
	over := time.Now().Add(length)
	for range clients {
		c, err := dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		go func() {
			var later func() error
			r := &reader{client: c, origin: o, refresh: func(f func() error) { later = f }}
			for {
				time.Sleep(time.Duration(rand.ExpFloat64() * float64(readerThinks)))
				began := time.Now()
				if began.After(over) {
					ended <- nil
					return
				}
				err := read(r)
				took := time.Since(began)
				mu.Lock()
				_ = hist.RecordValue(int64(min(took, time.Minute) / latencyUnit)) // it is in range
				mu.Unlock()
				if later != nil && err == nil {
					err, later = later(), nil
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	var err error
	for range clients {
		err = errors.Join(err, <-ended)
	}
	ms := func(v int64) float64 { return micros(v) / 1000 }
	return []float64{float64(o.asked.Load()) / float64(len(o.replaced)),
		ms(hist.ValueAtQuantile(50)), ms(hist.ValueAtQuantile(99)), ms(hist.Max())}, err
}

// stampedeFigures are all ways. Those that Redis has not are beside its lock.
func (b *bench) stampedeFigures() (out []figure) {
	clients, length := b.size(stampedeClients, 200), b.duration(12*time.Second, 3*time.Second)
	for _, way := range []struct {
		name, what  string
		ours, Redis func(*reader) error
		bars        []bar
	}{
		{"plain", "GET, and SET by whoever misses", (*reader).plain, (*reader).plain, nil},
		{"lock", "SETNX lock", (*reader).lock, (*reader).lock, nil},
		{"lease-wait", "lease, others wait / SETNX lock", (*reader).leaseWait, (*reader).lock, []bar{belowRedis}},
		{"lease-stale", "lease, others get the stale page / SETNX lock", (*reader).leaseStale, (*reader).lock, []bar{belowRedis}},
		{"early", "lease and early refresh / SETNX lock", (*reader).early, (*reader).lock, []bar{belowRedis}},
	} {
		f := figure{
			name: "stampede-" + way.name, files: uint64(2*clients + 1000), most: 3,
			note: fmt.Sprintf("%d clients read one page every %v on average for %v; it lives for %v, and the origin takes %v and makes %d pages at once",
				clients, readerThinks, length, pageLives, pageTakes, pagesAtOnce),
			measures: []measure{
				{what: way.what + ": the origin is asked per expiry", unit: "x"},
				{what: "the same: median of a read", unit: "ms"},
				{what: "the same: p99", unit: "ms", bars: way.bars},
				{what: "the same: longest", unit: "ms"},
			},
		}
		if way.bars != nil {
			f.measures[0].bars = []bar{atMost(1)}
		}
		f.trial = func(s *server) ([]float64, error) {
			if s.side == redisSide {
				return s.stampede(clients, length, way.Redis)
			}
			return s.stampede(clients, length, way.ours)
		}
		out = append(out, f)
	}
	return out
}
