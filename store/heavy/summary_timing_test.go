package heavy

import (
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"testing"
)

// BenchmarkAdd adds names that have a counter, and names that take one over.
func BenchmarkAdd(b *testing.B) {
	names := make([][]byte, 1<<16)
	hashes := make([]uint64, len(names))
	for i := range names {
		names[i] = []byte("user" + strconv.Itoa(i))
		hashes[i] = maphash.Bytes(seed, names[i])
	}
	b.Run("frequent", func(b *testing.B) {
		s := New(256, 100)
		for b.Loop() {
			i := rand.IntN(200)
			s.Add(hashes[i], names[i], 1)
		}
	})
	b.Run("flood", func(b *testing.B) {
		s := New(256, 100)
		for i := 0; b.Loop(); i++ {
			j := i % len(names)
			s.Add(hashes[j], names[j], 1)
		}
	})
}
