package store

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// zsetModel is a sorted set with the encoding that Redis would give it.
type zsetModel struct {
	order    []pairOf // by score and name
	encoding string   // "" when empty
	limits   limits
}

type pairOf struct {
	member string
	score  float64
}

func (m *zsetModel) find(member string) int {
	return slices.IndexFunc(m.order, func(p pairOf) bool { return p.member == member })
}

func (m *zsetModel) sort() {
	slices.SortFunc(m.order, func(a, b pairOf) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.member, b.member))
	})
}

// set is one step of ZADD.
func (m *zsetModel) set(member string, score float64, rule ScoreRule) (float64, ScoreChange) {
	i := m.find(member)
	if i < 0 {
		if rule&OnlyKnown != 0 {
			return score, ScoreRefused
		}
		if m.encoding == "listpack" && (len(m.order) >= m.limits.entries || len(member) > m.limits.value) {
			m.encoding = "skiplist"
		}
		m.order = append(m.order, pairOf{member, score})
		m.sort()
		return score, ScoreAdded
	}
	current := m.order[i].score
	if rule&Increment != 0 && rule&OnlyNew == 0 {
		score += current
	}
	switch {
	case rule&OnlyNew != 0:
		return current, ScoreRefused
	case math.IsNaN(score):
		return current, ScoreNaN
	case rule&OnlyGreater != 0 && score <= current, rule&OnlyLess != 0 && score >= current:
		return current, ScoreRefused
	case score == current:
		return score, ScoreSame
	}
	m.order[i].score = score
	m.sort()
	return score, ScoreUpdated
}

func (m *zsetModel) setAll(items []Scored, rule ScoreRule) (n ScoreCounts) {
	if m.encoding == "" {
		if rule&OnlyKnown != 0 {
			return n
		}
		m.encoding = "listpack"
		if len(items) > m.limits.entries || len(items[0].Member) > m.limits.value {
			m.encoding = "skiplist"
		}
	} else if len(items) > m.limits.entries {
		m.encoding = "skiplist"
	}
	for _, it := range items {
		switch n.Score, n.Last = m.set(string(it.Member), it.Score, rule); n.Last {
		case ScoreAdded:
			n.Added++
		case ScoreUpdated:
			n.Updated++
		case ScoreRefused, ScoreSame, ScoreNaN:
		}
	}
	return n
}

func (m *zsetModel) cut(from, to int) {
	if m.order = slices.Delete(m.order, from, to); len(m.order) == 0 {
		m.encoding = ""
	}
}

// compare reads the sorted set in all ways.
func (m *zsetModel) compare(t *testing.T, v *View, k Key) {
	t.Helper()
	z, ok, err := v.ReadZset(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatalf("there: %v, %v; want %d members", ok, err, len(m.order))
	}
	if !ok {
		return
	}
	n := len(m.order)
	if got := z.list(0, n, false); !slices.Equal(got, m.order) || z.Len() != n || z.e.Encoding() != m.encoding {
		t.Fatalf("%s of %d %v, want %s %v", z.e.Encoding(), z.Len(), got, m.encoding, m.order)
	}
	back := slices.Clone(m.order)
	slices.Reverse(back)
	if got := z.list(n-1, n, true); !slices.Equal(got, back) {
		t.Fatalf("backwards %v, want %v", got, back)
	}
	if !z.isPack() {
		if err := z.body().order.Check(); err != nil {
			t.Fatal(err)
		}
	}
	var scanned []pairOf
	for cursor := uint64(0); ; {
		cursor = z.Scan(cursor, 10, func(member []byte, score float64) { scanned = append(scanned, pairOf{string(member), score}) })
		if cursor == 0 {
			break
		}
	}
	if len(scanned) != n {
		t.Fatalf("SCAN gives %d of %d", len(scanned), n)
	}
	for i, p := range m.order {
		rank, score, ok := z.Rank([]byte(p.member))
		if !ok || rank != i || score != p.score {
			t.Fatalf("%q has rank %d and score %v, %v; want %d and %v", p.member, rank, score, ok, i, p.score)
		}
	}
}

func (z *Zset) list(from, n int, back bool) (list []pairOf) {
	z.Each(from, n, back, func(member []byte, score float64) { list = append(list, pairOf{string(member), score}) })
	return list
}

// setScores is SetScores of a list.
func setScores(v *View, k Key, rule ScoreRule, items ...Scored) (ScoreCounts, error) {
	return v.SetScores(k, len(items), func(i int) Scored { return items[i] }, rule)
}

// randomScore is one of few often, so that names decide, and of any kind.
func randomScore(r *rand.Rand) float64 {
	switch r.IntN(12) {
	case 0:
		return math.Inf(1 - 2*r.IntN(2))
	case 1:
		return r.NormFloat64()
	case 2:
		return float64(r.Int64N(1<<r.IntN(63)+1)) * float64(1-2*r.IntN(2))
	case 3:
		return math.Ldexp(r.Float64(), r.IntN(600)-300)
	}
	return float64(r.IntN(9) - 4)
}

func (m *zsetModel) randomItems(r *rand.Rand, words int) (items []Scored) {
	for range 1 + r.IntN(1<<r.IntN(8)) {
		member := randomMember(r, words)
		if len(m.order) > 0 && r.IntN(2) == 0 {
			member = m.order[r.IntN(len(m.order))].member
		}
		items = append(items, Scored{[]byte(member), randomScore(r)})
	}
	return items
}

func (m *zsetModel) step(t *testing.T, r *rand.Rand, v *View, k Key, words int) {
	items := m.randomItems(r, words)
	if r.IntN(10) < 5 {
		rule := []ScoreRule{0, 0, 0, OnlyNew, OnlyKnown, OnlyGreater, OnlyLess, Increment, Increment | OnlyGreater, OnlyKnown | OnlyLess}[r.IntN(10)]
		if rule&Increment != 0 {
			items = items[:1]
		}
		want := m.setAll(items, rule)
		if got, err := setScores(v, k, rule, items...); got != want || err != nil {
			t.Fatalf("SetScores(%v, %d) = %+v, %v; want %+v", items, rule, got, err, want)
		}
		return
	}
	z, ok, err := v.WriteZset(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatal(ok, err)
	}
	if !ok {
		return
	}
	n := len(m.order)
	switch r.IntN(4) {
	case 0:
		want := 0
		var names [][]byte
		for _, it := range items {
			names = append(names, it.Member)
			if i := m.find(string(it.Member)); i >= 0 {
				m.cut(i, i+1)
				want++
			}
		}
		if got := z.Remove(names); got != want {
			t.Fatalf("Remove(%q) = %d, want %d", names, got, want)
		}
	case 1:
		count, highest := 1+r.IntN(1+r.IntN(n)), r.IntN(2) == 0
		want := slices.Clone(m.order[:count])
		if highest {
			want = slices.Clone(m.order[n-count:])
			slices.Reverse(want)
			m.cut(n-count, n)
		} else {
			m.cut(0, count)
		}
		var got []pairOf
		z.Pop(count, highest, func(member []byte, score float64) { got = append(got, pairOf{string(member), score}) })
		if !slices.Equal(got, want) {
			t.Fatalf("Pop(%d, %v) = %v, want %v", count, highest, got, want)
		}
	case 2:
		m.removeByScore(t, r, &z)
	default:
		if from := r.IntN(n); r.IntN(3) == 0 {
			to := from + 1 + r.IntN(n-from)
			z.RemoveRange(from, to, EventZRemByRank)
			m.cut(from, to)
		}
	}
}

func (m *zsetModel) removeByScore(t *testing.T, r *rand.Rand, z *Zset) {
	sr := ScoreRange{Min: randomScore(r), Max: randomScore(r), MinExcl: r.IntN(2) == 0, MaxExcl: r.IntN(2) == 0}
	in := func(p pairOf) bool {
		return (p.score > sr.Min || p.score == sr.Min && !sr.MinExcl) && (p.score < sr.Max || p.score == sr.Max && !sr.MaxExcl)
	}
	from, to := z.ByScore(sr)
	for i, p := range m.order {
		if in(p) != (i >= from && i < to) {
			t.Fatalf("%+v is %d to %d; %d has %v", sr, from, to, i, p.score)
		}
	}
	if from < to && r.IntN(3) == 0 {
		z.RemoveRange(from, to, EventZRemByScore)
		m.cut(from, to)
	}
}

// A long random history of commands of sorted sets, with the encodings' limits changing from round
// to round, gives what a sorted list gives.
func TestZsetAgainstModel(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	for round := range 60 {
		m := &zsetModel{limits: limits{entries: []int{0, 1, 4, 128, 1000}[r.IntN(5)], value: []int{0, 10, 64}[r.IntN(3)]}}
		s.Encodings().ZsetMaxEntries.Store(int64(m.limits.entries))
		s.Encodings().ZsetMaxValue.Store(int64(m.limits.value))
		k, words := s.Key(fmt.Append(nil, "zset", round)), 1+r.IntN(5)
		for range 60 {
			m.step(t, r, v, k, words)
			m.compare(t, v, k)
		}
		v.Delete(k)
	}
	checkNothingLeft(t, s)
}

// Ranges of names, in both encodings, in sorted sets where all scores are equal.
func TestZsetByName(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	bound := func() LexBound {
		b := LexBound{Name: []byte(randomBytes(r, 3)), Excl: r.IntN(2) == 0}
		if r.IntN(6) == 0 {
			b = LexBound{Inf: int8(1 - 2*r.IntN(2))}
		}
		return b
	}
	for round := range 200 {
		k := s.Key(fmt.Append(nil, round))
		var items []Scored
		for range 1 + r.IntN(200) {
			items = append(items, Scored{[]byte(randomBytes(r, 3)), 1})
		}
		if _, err := setScores(v, k, 0, items...); err != nil {
			t.Fatal(err)
		}
		z, _, _ := v.ReadZset(k)
		all := z.list(0, z.Len(), false)
		for range 20 {
			lr := LexRange{Min: bound(), Max: bound()}
			for _, last := range []bool{false, true} {
				from, to := z.ByName(&lr, last)
				for i, p := range all {
					if name := []byte(p.member); (!lr.below(name) && !lr.above(name)) != (i >= from && i < to) {
						t.Fatalf("%+v is %d to %d of %v", lr, from, to, all)
					}
				}
			}
		}
	}
}

// Scores of every kind come back from a pack as they went in, in as few bytes as promised.
func TestPackedScores(t *testing.T) {
	r := randtest.New(t)
	check := func(f float64, size int) {
		t.Helper()
		var b [16]byte
		n := putScore(b[:], f)
		if n != packedScore(f) || size != 0 && n != size {
			t.Errorf("%v takes %d bytes, said %d, want %d", f, n, packedScore(f), size)
		}
		for _, p := range []pack{b[:n], b[:]} { // with and without bytes behind it
			if got, end := p.score(0); got != f || end != n {
				t.Errorf("%v came back as %v, of %d bytes", f, got, end)
			}
		}
	}
	for size, scores := range map[int][]float64{
		1: {0, math.Copysign(0, -1)},
		2: {1, -1, 127, -128},
		3: {128, -129, 32767, -32768},
		5: {1 << 30, -1 << 31},
		8: {1<<55 - 8, -1<<55 + 8},
		9: {1 << 55, -1 << 55, 0.5, -1e300, math.Inf(1), math.Inf(-1), 5e-324, math.MaxFloat64, 1 << 62},
	} {
		for _, f := range scores {
			check(f, size)
		}
	}
	for range 10000 {
		check(randomScore(r), 0)
	}
}

// What is loaded is what was saved, whatever the order of the pairs.
func TestInsertZset(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1, Loading: true}
	for _, n := range []int{1, 2, 127, 128, 129, 3000} {
		for _, sorted := range []bool{false, true} {
			var items []Scored
			for i := range n {
				score := randomScore(r) + 0 // not -0, which small sets do not tell from 0
				items = append(items, Scored{fmt.Append(nil, "member", i), score})
			}
			if sorted {
				slices.SortFunc(items, compareScored)
			}
			var pairs [][]byte
			for _, it := range items {
				b := floatBytes(it.Score)
				pairs = append(pairs, it.Member, b[:])
			}
			a, b := s.Key([]byte("a")), s.Key([]byte("b"))
			if !v.InsertZset(a, pairs) || v.InsertZset(a, pairs) {
				t.Fatal("inserted twice, or not at all")
			}
			half := (n + 1) / 2 * 2
			first, err1 := v.AddScored(b, pairs[:half])
			var rest int
			var err2 error
			if half < len(pairs) {
				rest, err2 = v.AddScored(b, pairs[half:])
			}
			again, err3 := v.AddScored(b, pairs[:min(half, 20)])
			if first+rest != n || again != 0 || err1 != nil || err2 != nil || err3 != nil {
				t.Fatal(first, rest, again, err1, err2, err3)
			}
			v.Arrange(b)
			checkAccounts(t, s)
			one, _, _ := v.ReadZset(a)
			if two, _, _ := v.ReadZset(b); !slices.Equal(one.list(0, n, false), two.list(0, n, false)) {
				t.Errorf("%d pairs make different sorted sets", n)
			}
			sameCollections(t, v, a, b)
		}
	}
	checkNothingLeft(t, s)
}

// Unions, intersections and differences, of sets too, against a computation by hand.
func TestScoredAlgebra(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	for range 60 {
		var models []map[string]float64
		var sources []ScoredSource
		for i := range 1 + r.IntN(4) {
			k := s.Key(fmt.Append(nil, "source", i))
			v.Delete(k)
			model := map[string]float64{}
			size, isSet := 1+r.IntN(300), r.IntN(4) == 0
			for range size {
				member, score := fmt.Sprint(r.IntN(200)), float64(r.IntN(100)-50)
				if isSet {
					score = 1
					_, _ = v.AddMembers(k, bytesOf([]string{member}))
				} else {
					_, _ = setScores(v, k, 0, Scored{[]byte(member), score})
				}
				model[member] = score
			}
			src, ok, err := v.ReadScored(k)
			if !ok || err != nil || src.Len() != len(model) {
				t.Fatal(ok, err)
			}
			src.Weight = float64(r.IntN(5) - 2)
			for member := range model {
				model[member] *= src.Weight
			}
			sources, models = append(sources, src), append(models, model)
		}
		how := Aggregate(r.IntN(3))
		union, common, rest := map[string]float64{}, map[string]float64{}, map[string]float64{}
		counts := map[string]int{}
		for i, model := range models {
			for member, score := range model {
				if old, ok := union[member]; ok {
					score = how.of(old, score)
				}
				union[member] = score
				if counts[member]++; counts[member] == len(models) {
					common[member] = score
				}
				if i == 0 {
					rest[member] = model[member]
				} else {
					delete(rest, member)
				}
			}
		}
		k := s.Key([]byte("result"))
		n := v.NewZset(k)
		n.Difference(&sources[0], sources[1:])
		checkResult(t, v, n, rest)
		n = v.NewZset(k)
		IntersectScored(slices.Clone(sources), how, func(member []byte, score float64) bool {
			n.Add(member, score)
			return true
		})
		checkResult(t, v, n, common)
		n = v.NewZset(k)
		n.Union(sources, how)
		checkResult(t, v, n, union)
	}
}

// What a weight times a score that is no number becomes, as Redis has it: 0 in a union, and in the
// smallest input of an intersection; in the other inputs it takes away a sum, and is no minimum and
// no maximum.
func TestScoredNaN(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		how           Aggregate
		first, second float64 // weighted by 1 and by w
		w             float64
		union, common float64
	}{
		{AggregateSum, 3, inf, 0, 3, 0},
		{AggregateMin, 3, inf, 0, 0, 3},
		{AggregateMax, -3, inf, 0, 0, -3},
		{AggregateSum, inf, 0, inf, inf, 0},
		{AggregateMin, 3, 0, -inf, 0, 3},
		{AggregateMax, -3, 0, -inf, 0, -3},
		{AggregateSum, inf, inf, -1, 0, 0},
		{AggregateMin, 3, -inf, 1, -inf, -inf},
		{AggregateMax, 3, inf, 1, inf, inf},
	} {
		s := testStore(t)
		v := &View{Store: s, Now: 1}
		s.LockAll()
		m := []byte("m")
		sources := make([]ScoredSource, 2)
		for i, score := range []float64{c.first, c.second} {
			k := s.Key(fmt.Append(nil, "source", i))
			_, _ = setScores(v, k, 0, Scored{m, score})
			if i == 1 { // the larger one
				_, _ = setScores(v, k, 0, Scored{[]byte("other"), 1})
			}
			sources[i], _, _ = v.ReadScored(k)
		}
		sources[1].Weight = c.w
		common := math.NaN()
		IntersectScored(slices.Clone(sources), c.how, func(_ []byte, score float64) bool {
			common = score
			return true
		})
		n := v.NewZset(s.Key([]byte("union")))
		n.Union(sources, c.how)
		union := math.NaN()
		n.Each(func(member []byte, score float64) {
			if bytes.Equal(member, m) {
				union = score
			}
		})
		n.Discard()
		s.UnlockAll()
		if union != c.union || common != c.common {
			t.Errorf("aggregate %d of %v and %v * %v: union %v, want %v; intersection %v, want %v",
				c.how, c.first, c.w, c.second, union, c.union, common, c.common)
		}
	}
}

func checkResult(t *testing.T, v *View, n *NewZset, want map[string]float64) {
	t.Helper()
	var last Scored
	seen := 0
	n.Each(func(member []byte, score float64) {
		if w, ok := want[string(member)]; !ok || w != score {
			t.Errorf("%q has %v, want %v", member, score, w)
		}
		if here := (Scored{slices.Clone(member), score}); seen > 0 && compareScored(last, here) >= 0 {
			t.Errorf("%v comes before %v", last, here)
		} else {
			last = here
		}
		seen++
	})
	if count := v.StoreZset(n, EventZUnionStore); count != len(want) || seen != count {
		t.Errorf("%d members, %d visited, want %d", count, seen, len(want))
	}
	z, ok, err := v.ReadZset(n.k)
	if ok != (len(want) > 0) || err != nil || ok && z.Len() != len(want) {
		t.Errorf("stored: %v, %v", ok, err)
	}
	if ok && z.isPack() != (len(want) <= 128) {
		t.Errorf("%d members are kept as %s", len(want), z.e.Encoding())
	}
}

// The operations of every day allocate nothing in Go's heap.
func TestZsetAllocs(t *testing.T) {
	s := testStore(t)
	s.LockAll()
	defer s.UnlockAll()
	v := &View{Store: s, Now: 1}
	for _, n := range []int{100, 20_000} {
		k := s.Key(fmt.Append(nil, "z", n))
		for i := range n {
			if _, err := setScores(v, k, 0, Scored{fmt.Append(nil, "member:", i), float64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		member, name, sum, i := []byte("member:50"), make([]byte, 32), 0.0, 0
		visit := func(_ []byte, score float64) { sum += score }
		for what, op := range map[string]func(){
			"ZADD":    func() { i++; mustScores(setScores(v, k, 0, Scored{member, float64(i * 7 % n)})) },
			"ZINCRBY": func() { mustScores(setScores(v, k, Increment, Scored{member, 1})) },
			"ZSCORE":  func() { z, _, _ := v.ReadZset(k); z.Score(member) },
			"ZRANK":   func() { z, _, _ := v.ReadZset(k); z.Rank(member) },
			"ZRANGE":  func() { z, _, _ := v.ReadZset(k); z.Each(10, 50, false, visit) },
			"REV":     func() { z, _, _ := v.ReadZset(k); z.Each(60, 50, true, visit) },
			"BYSCORE": func() { z, _, _ := v.ReadZset(k); z.ByScore(ScoreRange{Min: 3, Max: 70}) },
			"ZPOPMIN": func() {
				z, _, _ := v.WriteZset(k)
				var popped Scored
				z.Pop(1, false, func(member []byte, score float64) { popped = Scored{append(name[:0], member...), score} })
				mustScores(setScores(v, k, 0, popped))
			},
		} {
			if allocs := testing.AllocsPerRun(200, op); allocs > 0 {
				t.Errorf("%s of %d: %v allocations", what, n, allocs)
			}
		}
	}
}

func mustScores(_ ScoreCounts, err error) {
	if err != nil {
		panic(err)
	}
}

// A large sorted set is freed in steps of bounded size, and all of it is.
func TestZsetFreedInSteps(t *testing.T) {
	s := testStore(t)
	v, k := &View{Store: s, Now: 1}, s.Key([]byte("z"))
	const n = 50_000
	mustScores(v.SetScores(k, n, func(i int) Scored { return Scored{fmt.Append(nil, "member:", i), float64(i * 7919 % n)} }, 0))
	e, _ := v.Peek(k)
	sh, before := e.sh, e.sh.ar.Used()
	v.Delete(k)
	if left := sh.ar.Used(); left < before-1000 {
		t.Errorf("DEL frees %d bytes at once", before-left)
	}
	steps := 0
	for last := sh.ar.Used(); sh.collectGarbage(); steps++ {
		if freed := last - sh.ar.Used(); freed > 200_000 {
			t.Errorf("step %d frees %d bytes", steps, freed)
		}
		last = sh.ar.Used()
	}
	if steps < 10 {
		t.Errorf("it took %d steps", steps)
	}
	checkNothingLeft(t, s)
}

// When most members of a large sorted set have gone, compaction gives back what they had, of the
// table and of the tree.
func TestZsetCompaction(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v, k := &View{Store: s, Now: 1}, s.Key([]byte("z"))
	const n = 100_000
	mustScores(v.SetScores(k, n, func(i int) Scored { return Scored{fmt.Append(nil, "member:", i), float64(r.IntN(n))} }, 0))
	z, _, _ := v.WriteZset(k)
	var gone [][]byte
	for i := range n {
		if r.IntN(8) > 0 {
			gone = append(gone, fmt.Append(nil, "member:", i))
		}
	}
	z.Remove(gone)
	want := z.list(0, z.Len(), false)
	maintain(t, s, 1)
	sh := &s.shards[k.shard]
	if held, used := sh.ar.Held(), sh.ar.Used(); held > used*3/2 {
		t.Errorf("%d bytes are held for %d", held, used)
	}
	if sh.compact.records == 0 || sh.compact.arrays == 0 {
		t.Errorf("%d records and %d nodes or arrays were moved", sh.compact.records, sh.compact.arrays)
	}
	z, _, _ = v.ReadZset(k)
	if got := z.list(0, z.Len(), false); !slices.Equal(got, want) {
		t.Error("compaction has changed the sorted set")
	}
	checkAccounts(t, s)
}
