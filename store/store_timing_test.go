package store

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

func fill(b *testing.B, s *Store, keys int) *View {
	b.Helper()
	v := &View{Store: s, Now: 1_700_000_000_000}
	value := make([]byte, 64)
	for i := range keys {
		v.SetString(s.Key(benchKey(uint64(i))), value, 0)
	}
	return v
}

func benchKey(i uint64) []byte {
	var k [16]byte
	copy(k[:], "key:0000")
	binary.LittleEndian.PutUint64(k[8:], i)
	return k[:]
}

// The working set of 100,000 keys is in the caches of the processor, that of
// 5 million is not.
func BenchmarkGet(b *testing.B) { benchmarkBySize(b, benchGet) }
func BenchmarkSet(b *testing.B) { benchmarkBySize(b, benchSet) }

func benchmarkBySize(b *testing.B, fn func(b *testing.B, keys int)) {
	b.Run("100k", func(b *testing.B) { fn(b, 100_000) })
	b.Run("5M", func(b *testing.B) { fn(b, 5_000_000) })
}

func benchOpen(b *testing.B) *Store {
	s, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func benchGet(b *testing.B, keys int) {
	s := benchOpen(b)
	v := fill(b, s, keys)
	rng := rand.New(rand.NewPCG(1, 1))
	var name [16]byte
	copy(name[:], "key:0000")
	b.ResetTimer()
	for range b.N {
		binary.LittleEndian.PutUint64(name[8:], rng.Uint64N(uint64(keys)))
		k := s.Key(name[:])
		s.Lock(k.Shard())
		if _, ok, _ := v.GetString(k); !ok {
			b.Fatal("missing")
		}
		s.Unlock(k.Shard())
	}
}

func benchSet(b *testing.B, keys int) {
	benchSetUntil(b, keys, func(*View, int, uint64) int64 { return 0 })
}

// benchSetUntil overwrites keys at random, the nth time key number k with the expiry that until returns.
func benchSetUntil(b *testing.B, keys int, until func(v *View, n int, k uint64) int64) {
	s := benchOpen(b)
	v := fill(b, s, keys)
	rng := rand.New(rand.NewPCG(1, 1))
	var name [16]byte
	copy(name[:], "key:0000")
	value := make([]byte, 64)
	b.ResetTimer()
	for i := range b.N {
		n := rng.Uint64N(uint64(keys))
		binary.LittleEndian.PutUint64(name[8:], n)
		k := s.Key(name[:])
		s.Lock(k.Shard())
		v.SetString(k, value, until(v, i, n))
		s.Unlock(k.Shard())
	}
}

// BenchmarkInsert is a new key each time; bytes/key is what the store holds.
func BenchmarkInsert(b *testing.B) {
	s := benchOpen(b)
	v := &View{Store: s, Now: 1_700_000_000_000}
	value := make([]byte, 64)
	b.ResetTimer()
	for i := range b.N {
		k := s.Key(benchKey(uint64(i)))
		s.Lock(k.Shard())
		v.SetString(k, value, 0)
		s.Unlock(k.Shard())
	}
	b.ReportMetric(float64(s.Stats().Held)/float64(b.N), "bytes/key")
	b.ReportMetric(float64(s.Stats().Used)/float64(b.N), "used/key")
}

// BenchmarkGetGroup reads in groups of 16 keys, as a pipeline does, without
// and with prefetching.
func BenchmarkGetGroup(b *testing.B) {
	for _, prefetch := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "prefetch"}[prefetch], func(b *testing.B) {
			benchmarkBySize(b, func(b *testing.B, keys int) { benchGetGroup(b, keys, prefetch) })
		})
	}
}

func benchGetGroup(b *testing.B, keys int, prefetch bool) {
	s := benchOpen(b)
	v := fill(b, s, keys)
	rng := rand.New(rand.NewPCG(1, 1))
	var names [16][16]byte
	var group [16]Key
	b.ResetTimer()
	for n := 0; n < b.N; n += len(group) {
		for i := range group {
			copy(names[i][:], "key:0000")
			binary.LittleEndian.PutUint64(names[i][8:], rng.Uint64N(uint64(keys)))
			group[i] = s.Key(names[i][:])
		}
		if prefetch {
			s.Prefetch(0, group[:], nil)
		}
		for _, k := range group {
			s.Lock(k.Shard())
			if _, ok, _ := v.GetString(k); !ok {
				b.Fatal("missing")
			}
			s.Unlock(k.Shard())
		}
	}
}

// BenchmarkSetExpiring is BenchmarkSet with a time to live of some minutes.
func BenchmarkSetExpiring(b *testing.B) { benchmarkBySize(b, benchSetExpiring) }

func benchSetExpiring(b *testing.B, keys int) {
	benchSetUntil(b, keys, func(v *View, n int, k uint64) int64 { return v.Now + 60_000 + int64(k%60_000) + int64(n>>10) })
}
