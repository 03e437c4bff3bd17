package store

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// someMembers is a set of members out of so many words.
func someMembers(r *rand.Rand, n, words int) map[string]bool {
	m := map[string]bool{}
	for len(m) < n {
		m[fmt.Sprint("word:", r.IntN(words))] = true
	}
	return m
}

// contents are the members of the set at k, which has the encoding that the limits say.
func contents(t *testing.T, v *View, k Key) map[string]bool {
	t.Helper()
	m := map[string]bool{}
	s, ok, err := v.ReadSet(k)
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		s.Each(func(member []byte) bool { m[string(member)] = true; return true })
		if s.Len() != len(m) || int64(len(m)) > v.smallSet() && !s.isTable() {
			t.Fatalf("%d members, %d different ones, a table: %v", s.Len(), len(m), s.isTable())
		}
		for name := range m {
			if !s.Has([]byte(name)) {
				t.Fatalf("%s is visited and not found", name)
			}
		}
	}
	return m
}

// Combinations of sets of all sizes, with tables and without, are those of maps.
func TestLargeSetAlgebra(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	sizes := []int{1, 50, 200, 700, 3000}
	dst := s.Key([]byte("dst"))
	for range 60 {
		words := 4000 + r.IntN(8000)
		var keys []Key
		var maps []map[string]bool
		for i := range 1 + r.IntN(10) {
			k, m := s.Key(fmt.Append(nil, "set", i)), someMembers(r, sizes[r.IntN(len(sizes))], words)
			v.Delete(k)
			for name := range m {
				mustDo(v.AddMembers(k, [][]byte{[]byte(name)}))
			}
			keys, maps = append(keys, k), append(maps, m)
		}
		if r.IntN(3) == 0 { // in, and twice
			keys, maps = append(keys, keys[0]), append(maps, maps[0])
			dst = keys[r.IntN(len(keys))]
		}
		for _, test := range []struct {
			name string
			fill func(n *NewSet, sets []Set)
			want func(in int, first bool) bool
		}{
			{"union", (*NewSet).Union, func(in int, _ bool) bool { return in > 0 }},
			{"intersection", (*NewSet).Intersect, func(in int, _ bool) bool { return in == len(keys) }},
			{"difference", func(n *NewSet, sets []Set) { n.Difference(&sets[0], sets[1:]) },
				func(in int, first bool) bool { return first && in == 1 }},
			{"taken out", func(n *NewSet, sets []Set) { n.takeOut(&sets[0], sets[1:]) },
				func(in int, first bool) bool { return first && in == 1 }},
		} {
			to := dst
			if test.name != "taken out" {
				to = s.Key([]byte("result")) // the sources stay
			}
			checkCombined(t, v, to, keys, maps, test.name, test.fill, test.want)
		}
		dst = s.Key([]byte("dst"))
	}
}

// checkCombined stores a combination and compares it with that of the maps.
func checkCombined(t *testing.T, v *View, dst Key, keys []Key, sources []map[string]bool, name string,
	fill func(n *NewSet, sets []Set), wanted func(in int, first bool) bool) {
	t.Helper()
	want := map[string]bool{}
	for _, m := range sources {
		for member := range m {
			in := 0
			for _, other := range sources {
				if other[member] {
					in++
				}
			}
			if wanted(in, sources[0][member]) {
				want[member] = true
			}
		}
	}
	var sets []Set
	for _, k := range keys {
		set, _, err := v.ReadSet(k)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	n := v.NewSet(dst)
	fill(n, sets)
	if got := v.StoreSet(n, EventSUnionStore); got != len(want) {
		t.Fatalf("%s: %d members, want %d", name, got, len(want))
	}
	if got := contents(t, v, dst); !maps.Equal(got, want) {
		t.Fatalf("%s has %d members, want %d others", name, len(got), len(want))
	}
}

// The radix sort has the order of the comparison, whatever the scores are.
func TestSortScored(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	minusZero := math.Copysign(0, -1)
	for name, score := range map[string]func(i int) float64{
		"whole":     func(int) float64 { return float64(r.IntN(2000)) },
		"any":       func(int) float64 { return r.NormFloat64() * math.Pow(10, float64(r.IntN(600)-300)) },
		"all equal": func(int) float64 { return 7 },
		"ascending": func(i int) float64 { return float64(i) },
		"zeros":     func(int) float64 { return []float64{0, minusZero, math.Inf(1), math.Inf(-1)}[r.IntN(4)] },
	} {
		b := newZsetBody(&s.shards[0], v)
		n := radixFrom + r.IntN(3000)
		for i := range n {
			member := fmt.Append(nil, r.IntN(1000), ":", i)
			b.addMember(b.hash(member), member, score(i))
		}
		list := b.inOrder()
		if len(list) != n {
			t.Fatalf("%s: %d of %d", name, len(list), n)
		}
		if !slices.IsSortedFunc(list, func(x, y scoredRef) int {
			return compareScored(Scored{recordKey(b.mem, x.ref), x.score}, Scored{recordKey(b.mem, y.ref), y.score})
		}) {
			t.Errorf("%s: out of order", name)
		}
		b.arrange(list)
		c := b.clone(&s.shards[1], 1).(*zsetBody)
		at := 0
		c.each(func(item, value []byte) bool {
			want := list[at]
			score, ok := c.score(item)
			if string(item) != string(recordKey(b.mem, want.ref)) || bytesFloat(value) != want.score || !ok || score != want.score {
				t.Fatalf("%s: %q at %d of the copy", name, item, at)
			}
			at++
			return true
		})
		if at != n {
			t.Fatalf("%s: %d of %d in the copy", name, at, n)
		}
		for _, done := range []*zsetBody{b, c} {
			for !done.release() {
			}
		}
	}
}
