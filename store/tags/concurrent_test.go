package tags

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// keyspace is as much of a store as a directory needs: keys by place, in shards with locks.
type keyspace struct {
	d      *Directory
	shards [8]struct {
		mu   sync.Mutex
		keys map[uint64]link
	}
	places atomic.Uint64
	woken  chan struct{}
}

func newKeyspace(t *testing.T) *keyspace {
	ks := &keyspace{woken: make(chan struct{}, 1)}
	ks.d, _ = newDirectory(t, func() {
		select {
		case ks.woken <- struct{}{}:
		default:
		}
	})
	for i := range ks.shards {
		ks.shards[i].keys = map[uint64]link{}
	}
	return ks
}

// add makes a key that has a tag.
func (ks *keyspace) add(tag id) (place uint64) {
	place = ks.places.Add(1)
	sh := &ks.shards[place%8]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := ks.d.Hold(tag.mark, []byte(tag.name))
	sh.keys[place] = link{tag: tag, ref: r, stamp: ks.d.Link(r, place)}
	return place
}

// remove is for a key that may be there.
func (ks *keyspace) remove(place uint64) {
	sh := &ks.shards[place%8]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l, ok := sh.keys[place]; ok {
		ks.removeLocked(place, l)
	}
}

func (ks *keyspace) removeLocked(place uint64, l link) {
	delete(ks.shards[place%8].keys, place)
	ks.d.Unlink(l.ref, l.stamp)
	ks.d.Drop(l.ref)
}

// sweep does one batch and reports whether there was one.
func (ks *keyspace) sweep(places []Place) bool {
	j, n := ks.d.Sweep(places)
	for _, p := range places[:n] {
		sh := &ks.shards[p.At()%8]
		sh.mu.Lock()
		if l, ok := sh.keys[p.At()]; ok && l.ref == j.Ref && uint16(l.stamp) == p.Stamp() {
			if gone, _ := ks.d.Relist(l.ref, p, l.stamp); gone {
				ks.removeLocked(p.At(), l)
			}
		}
		sh.mu.Unlock()
	}
	return n > 0
}

// sweepUntil sweeps when it is woken, until done is closed and nothing is left.
func (ks *keyspace) sweepUntil(done chan struct{}) {
	places := make([]Place, 50)
	for {
		for ks.sweep(places) {
		}
		select {
		case <-ks.woken:
		case <-done:
			for ks.sweep(places) {
			}
			return
		}
	}
}

// get is a read.
func (ks *keyspace) get(place uint64) (found, stale bool) {
	sh := &ks.shards[place%8]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l, ok := sh.keys[place]
	if !ok {
		return false, false
	}
	gone, stale := ks.d.State(l.ref, l.stamp)
	return !gone, stale
}

// work adds and removes keys of a few tags that all goroutines share, and invalidates some. A read
// after Invalidate must see what it has done to all keys that were there before.
func (ks *keyspace) work(t *testing.T, rnd *rand.Rand, steps int) {
	type own struct {
		place uint64
		tag   id
	}
	var keys []own
	for range steps {
		tag := id{mark: 1, name: fmt.Sprint("tag:", rnd.IntN(1+rnd.IntN(30)))}
		switch n := rnd.IntN(1000); {
		case n < 550:
			keys = append(keys, own{place: ks.add(tag), tag: tag})
		case n < 900 && len(keys) > 0:
			i := rnd.IntN(len(keys))
			ks.remove(keys[i].place)
			keys[i] = keys[len(keys)-1]
			keys = keys[:len(keys)-1]
		case n < 990:
			r := ks.d.Hold(tag.mark, []byte(tag.name))
			ks.d.Retain(r)
			ks.d.Drop(r)
			ks.d.Drop(r)
		default:
			soft := n < 998
			ks.d.Invalidate(tag.mark, []byte(tag.name), soft)
			for _, k := range keys {
				found, stale := ks.get(k.place)
				if k.tag == tag && found && (!soft || !stale) {
					t.Errorf("a key of %v is there as before after Invalidate", tag)
				}
			}
		}
	}
}

// settled compares what the directory counts with the keys that are there.
func (ks *keyspace) settled(t *testing.T) {
	type counts struct{ live, stale int64 }
	want := map[id]counts{}
	for i := range ks.shards {
		for place, l := range ks.shards[i].keys {
			c := want[l.tag]
			gone, stale := ks.d.State(l.ref, l.stamp)
			if gone {
				t.Errorf("key %d of %v is gone and was not swept", place, l.tag)
			}
			if c.live++; stale {
				c.stale++
			}
			want[l.tag] = c
		}
	}
	for tag, c := range want {
		if live, stale := ks.d.Keys(tag.mark, []byte(tag.name)); live != c.live || stale != c.stale {
			t.Errorf("%v has %d keys, %d stale, want %d, %d", tag, live, stale, c.live, c.stale)
		}
	}
	if n := ks.d.Count(); n != int64(len(want)) {
		t.Errorf("%d tags, want %d", n, len(want))
	}
	if ks.d.Pending() || ks.d.PendingEntries() != 0 {
		t.Errorf("%d jobs, %d entries are left", ks.d.Jobs(), ks.d.PendingEntries())
	}
}

func TestConcurrent(t *testing.T) {
	seed := randtest.Seed(t)
	ks := newKeyspace(t)
	done := make(chan struct{})
	var workers, sweeper sync.WaitGroup
	sweeper.Go(func() { ks.sweepUntil(done) })
	for w := range uint64(4) {
		workers.Go(func() { ks.work(t, rand.New(rand.NewPCG(seed, w)), 20_000) })
	}
	workers.Wait()
	close(done)
	sweeper.Wait()
	ks.settled(t)
	// All let go at once.
	done = make(chan struct{})
	sweeper.Go(func() { ks.sweepUntil(done) })
	last := ks.places.Load()
	for w := range uint64(4) {
		workers.Go(func() {
			for place := w; place <= last; place += 4 {
				ks.remove(place)
			}
		})
	}
	workers.Wait()
	close(done)
	sweeper.Wait()
	if ks.d.Records() != 0 || ks.d.Used() != 0 {
		t.Fatalf("%d tags are left, %d bytes", ks.d.Records(), ks.d.Used())
	}
}
