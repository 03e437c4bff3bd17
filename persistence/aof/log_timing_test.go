package aof

import (
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
)

// BenchmarkAppend is the price of one SET, a third of a round of a loop with 50 clients that send
// 16 commands each.
func BenchmarkAppend(b *testing.B) {
	x := newFixture(b, vfs.OS(), b.TempDir(), EverySec)
	args := [][]byte{[]byte("SET"), []byte("key:000000000001"), make([]byte, 64)}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x.journal.Append(0, args...)
		if i%256 == 255 {
			if err := x.log.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	must(b, x.log.Stop())
}

// BenchmarkAppendOnly leaves the writes out: they are the system's.
func BenchmarkAppendOnly(b *testing.B) {
	x, _ := newMemFixture(b, EverySec)
	args := [][]byte{[]byte("SET"), []byte("key:000000000001"), make([]byte, 64)}
	var spare []byte
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		x.journal.Append(0, args...)
		if i%256 == 255 {
			spare = x.log.reader.Take(spare).Bytes
		}
	}
}

// BenchmarkCommitIdle is what a loop pays per round without writes.
func BenchmarkCommitIdle(b *testing.B) {
	x, _ := newMemFixture(b, EverySec)
	for range b.N {
		if err := x.log.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
