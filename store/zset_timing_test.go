package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// bigZset makes a sorted set of n members of 16 bytes with scattered scores.
func bigZset(b *testing.B, n int) (v *View, k Key, names [][]byte) {
	b.Helper()
	s := testStore(b)
	v, k = &View{Store: s, Now: 1}, s.Key([]byte("big"))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		names = append(names, fmt.Appendf(nil, "mem:%012d", i))
	}
	if _, err := v.SetScores(k, n, func(i int) Scored { return Scored{names[i], float64(r.IntN(n))} }, 0); err != nil {
		b.Fatal(err)
	}
	return v, k, names
}

// BenchmarkZset is what one operation costs on a sorted set of a million, without what a server
// adds.
func BenchmarkZset(b *testing.B) {
	const n = 1_000_000
	r := rand.New(rand.NewPCG(2, 2))
	for _, test := range []struct {
		name string
		op   func(v *View, k Key, member []byte)
	}{
		{"new score", func(v *View, k Key, member []byte) {
			score := float64(r.IntN(n))
			mustScores(v.SetScores(k, 1, func(int) Scored { return Scored{member, score} }, 0))
		}},
		{"increment", func(v *View, k Key, member []byte) {
			mustScores(v.SetScores(k, 1, func(int) Scored { return Scored{member, 1} }, Increment))
		}},
		{"score", func(v *View, k Key, member []byte) { z, _, _ := v.ReadZset(k); z.Score(member) }},
		{"rank", func(v *View, k Key, member []byte) { z, _, _ := v.ReadZset(k); z.Rank(member) }},
		{"range of 100", func(v *View, k Key, _ []byte) {
			z, _, _ := v.ReadZset(k)
			z.Each(r.IntN(n-100), 100, false, func([]byte, float64) {})
		}},
		{"pop", func(v *View, k Key, _ []byte) {
			if z, ok, _ := v.WriteZset(k); ok {
				z.Pop(1, false, func([]byte, float64) {})
			}
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			v, k, names := bigZset(b, n)
			b.ReportAllocs()
			for b.Loop() {
				test.op(v, k, names[r.IntN(n)])
			}
		})
	}
}
