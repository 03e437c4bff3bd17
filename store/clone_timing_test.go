package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkClone copies big values. The unit is an element.
func BenchmarkClone(b *testing.B) {
	const n = 1_000_000
	for _, typ := range []string{"hash", "set", "zset"} {
		b.Run(typ, func(b *testing.B) {
			s := testStore(b)
			v := &View{Store: s, Now: 1}
			k := s.Key([]byte("k"))
			for i := range n {
				member := fmt.Appendf(nil, "member:%09d", i)
				switch typ {
				case "hash":
					mustDo(v.SetFields(k, [][]byte{member, member}))
				case "set":
					mustDo(v.AddMembers(k, [][]byte{member}))
				case "zset":
					mustScores(v.SetScores(k, 1, func(int) Scored { return Scored{member, float64(rand.IntN(n))} }, 0))
				}
			}
			e, _ := v.Peek(k)
			b.ResetTimer()
			for range b.N {
				c := e.body().clone(e.sh, 1)
				b.StopTimer()
				for !c.release() {
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}
