package store

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/eviction"
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

// BenchmarkSetFull writes new keys of 100 bytes to a store that has a million, with
// evicting as many and without. cpu-ns/key is what one of them costs.
func BenchmarkSetFull(b *testing.B) {
	for _, policy := range []string{"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-lhd"} {
		b.Run(policy, func(b *testing.B) {
			s := benchOpen(b)
			s.SetMeter(meterOf(policy))
			v := &View{Store: s, Now: 1_700_000_000_000}
			value := make([]byte, 70)
			next := uint64(0)
			insert := func() {
				v.SetString(s.Key(benchKey(next)), value, 0)
				if next++; next%1000 == 0 {
					v.Now += 100
				}
			}
			for range 1_000_000 {
				insert()
			}
			e := s.NewEvictor()
			full := s.Used()
			evict := s.Meter().Policy().Rule != eviction.NoEviction
			began := cpuTime(b)
			b.ResetTimer()
			for b.Loop() {
				if evict && s.Used() > full {
					e.Relieve(v.Now, 128, 1<<40)
				}
				insert()
			}
			b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/key")
		})
	}
}

// cpuTime is the processor time that the process has taken.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
