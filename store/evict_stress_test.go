package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/tests/randtest"
)

// Two evictors under changing policies, the maintenance and snapshots run beside clients,
// who know which keys are there: no key goes unseen, none twice, and nothing is lost.
func TestEvictUnderConcurrency(t *testing.T) {
	rng := randtest.New(t)
	s, _ := evictStore(t, "allkeys-lru", 4, 5)
	var present [4]map[string]bool // by shard, under its lock
	for i := range present {
		present[i] = map[string]bool{}
	}
	s.Listen(ClassExpired|ClassEvicted, func(db int, key []byte, why Event) {
		if m := present[s.ShardOf(key)]; !m[where(db, key)] {
			t.Errorf("%s is removed and not there", where(db, key))
		} else {
			delete(m, where(db, key))
		}
	})
	var stop atomic.Bool
	var background, workers sync.WaitGroup
	for range 2 {
		background.Go(func() {
			e := s.NewEvictor()
			for i := 0; !stop.Load(); i++ {
				if e.Relieve(evictStart, 2000, 1<<20); i%64 == 0 {
					s.SetMeter(meterOf(eviction.Names()[rand.IntN(len(eviction.Names()))]))
				}
			}
		})
	}
	background.Go(func() {
		for !stop.Load() {
			if _, err := s.Maintain(evictStart); err != nil {
				t.Error(err)
			}
		}
	})
	background.Go(func() {
		for !stop.Load() {
			s.LockAll()
			sn, err := s.CutLocked(evictStart)
			s.UnlockAll()
			if err != nil {
				t.Error(err)
				return
			}
			if err := sn.Run(new(nullSink)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		seed := rng.Uint64()
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 4000 {
				v := &View{Store: s, DB: rng.IntN(3), Now: evictStart}
				k := s.Key(fmt.Append(nil, "key:", rng.IntN(3000)))
				s.Lock(k.Shard())
				m := present[k.Shard()]
				if _, ok := v.Peek(k); ok != m[where(v.DB, k.Name)] {
					t.Errorf("%s is there: %v", where(v.DB, k.Name), ok)
				}
				switch rng.IntN(4) {
				case 0:
					v.Delete(k)
					delete(m, where(v.DB, k.Name))
				case 1:
					if _, err := v.AddMembers(k, [][]byte{fmt.Append(nil, rng.IntN(1e6)), []byte("x")}); err == nil {
						m[where(v.DB, k.Name)] = true
					}
				default:
					v.SetString(k, make([]byte, rng.IntN(2000)), []int64{0, evictStart + 1e6}[rng.IntN(2)])
					m[where(v.DB, k.Name)] = true
				}
				s.Unlock(k.Shard())
			}
		})
	}
	workers.Wait()
	stop.Store(true)
	background.Wait()
	for i := range present {
		n := 0
		for db := range 3 {
			if tb := s.shards[i].dbs[db]; tb != nil {
				n += tb.n
			}
		}
		if n != len(present[i]) {
			t.Errorf("shard %d has %d keys, not %d", i, n, len(present[i]))
		}
	}
	checkAtRest(t, s)
}
