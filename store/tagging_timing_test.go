package store

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what the process has used. Others on the machine do not change it as much as the time
// that passes.
func processorTime(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkSweep removes the keys of a tag that was invalidated, with statistics by prefix and a listener,
// as a server has them. A round is one key.
func BenchmarkSweep(b *testing.B) {
	for _, keys := range []int{100_000, 2_000_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) { benchSweep(b, keys) })
	}
}

func benchSweep(b *testing.B, keys int) {
	s := benchOpen(b)
	s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: 1, Most: 100})
	heard := 0
	s.Listen(ClassInvalidated, func(int, []byte, Event) { heard++ })
	v := &View{Store: s, Now: 1_700_000_000_000}
	value, x := make([]byte, 64), &Extras{Tags: [][]byte{[]byte("tag")}}
	b.ResetTimer()
	busy := time.Duration(0)
	for done := 0; done < b.N; done += keys {
		b.StopTimer()
		n := min(keys, b.N-done)
		for i := range n {
			v.SetString(s.Key(benchKey(uint64(i))), value, 0)
		}
		for i := range n {
			v.SetExtras(s.Key(benchKey(uint64(i))), x)
		}
		b.StartTimer()
		began := processorTime(b)
		if gone := v.Invalidate(x.Tags[0], false); gone != int64(n) {
			b.Fatalf("%d of %d keys are gone", gone, n)
		}
		for s.sweepTags() {
		}
		busy += processorTime(b) - began
	}
	b.ReportMetric(float64(busy.Nanoseconds())/float64(b.N), "cpu-ns/op")
	if n := s.DB(0).Keys; n != 0 || heard != b.N {
		b.Fatalf("%d keys are left, %d of %d were told of", n, heard, b.N)
	}
}
