package store

import (
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkExpiry removes a million keys whose times are spread over a minute, in the rounds that
// the store asks for; ns/key is what that takes, share/percent how much of a core in that minute.
func BenchmarkExpiry(b *testing.B) {
	const keys, spread = 1_000_000, 60_000
	for range b.N {
		b.StopTimer()
		s := benchOpen(b)
		v := &View{Store: s, Now: 1_700_000_000_000}
		rng := rand.New(rand.NewPCG(1, 1))
		value := make([]byte, 64)
		for i := range keys {
			v.SetString(s.Key(benchKey(uint64(i))), value, v.Now+1+rng.Int64N(spread))
		}
		b.StartTimer()
		for now := v.Now; s.Expired() < keys; {
			for more := true; more; {
				more, _ = s.Maintain(now)
			}
			now += s.Rest(time.UnixMilli(now), 100*time.Millisecond).Milliseconds()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/key")
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N)/(spread/1000), "percent-of-a-core")
}
