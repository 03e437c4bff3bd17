package store

import (
	"testing"

	"github.com/larderkv/larder/store/invariants"
)

// TestShardWithoutItsLock: with the tag invariants nobody uses a shard of a shared store without
// its lock.
func TestShardWithoutItsLock(t *testing.T) {
	s, err := Open(Options{Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	s.RequireLocks()
	v, k := View{Store: s, Now: 1}, s.Key([]byte("k"))
	s.Lock(k.Shard())
	v.SetString(k, []byte("x"), 0)
	s.Unlock(k.Shard())
	for name, use := range map[string]func(){
		"read":  func() { v.Read(k) },
		"write": func() { v.Write(k) },
		"alloc": func() { s.shards[k.Shard()].ar.Alloc(8) },
	} {
		s.Lock(1 - k.Shard()) // another one's helps nobody
		func() {
			defer func() {
				if panicked := recover() != nil; panicked != invariants.Enabled {
					t.Errorf("%s: panicked is %v", name, panicked)
				}
			}()
			use()
		}()
		s.Unlock(1 - k.Shard())
	}
}
