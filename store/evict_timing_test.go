package store

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkEvict removes keys from a store of a million entries of 100 bytes,
// which is filled up again after each 100,000. cpu-ns/key is what one eviction
// costs in processor time, also on a machine that is busy with other things.
func BenchmarkEvict(b *testing.B) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "allkeys-lhd", "volatile-ttl"} {
		b.Run(policy, func(b *testing.B) { benchEvict(b, policy, 5) })
	}
	b.Run("allkeys-lru/samples=10", func(b *testing.B) { benchEvict(b, "allkeys-lru", 10) })
}

func benchEvict(b *testing.B, policy string, samples int) {
	s := benchOpen(b)
	s.SetMeter(meterOf(policy))
	s.SetSamples(samples)
	v := &View{Store: s, Now: 1_700_000_000_000}
	value := make([]byte, 70)
	next, expire := uint64(0), int64(0)
	if s.Meter().Policy().Volatile {
		expire = v.Now + 1e9
	}
	insert := func(n int) {
		for range n {
			v.SetString(s.Key(benchKey(next)), value, expire)
			if next++; next%1000 == 0 {
				v.Now += 100
			}
		}
	}
	insert(1_000_000)
	e := s.NewEvictor()
	var cpu time.Duration
	b.ResetTimer()
	for left := int64(b.N); left > 0; {
		n := min(left, 100_000)
		from, began := s.Evicted(), cpuTime(b)
		for s.Evicted() < from+n {
			if !e.Relieve(v.Now, 128, 1<<40) {
				b.Fatal("nothing left to evict")
			}
		}
		cpu += cpuTime(b) - began
		b.StopTimer()
		insert(int(s.Evicted() - from))
		left -= n
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N), "cpu-ns/key")
}

// cpuTime is the processor time that the process has taken.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
