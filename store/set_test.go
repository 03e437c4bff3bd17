package store

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// setModel is a set with the encoding that Redis 7.4 would give it.
type setModel struct {
	order    []string // as added
	encoding string   // "" when empty
	limits   limits
}

func (m *setModel) has(member string) bool { return slices.Contains(m.order, member) }

func numeric(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

func (m *setModel) sorted() []string {
	return slices.SortedFunc(slices.Values(m.order), func(a, b string) int {
		x, _ := strconv.ParseInt(a, 10, 64)
		y, _ := strconv.ParseInt(b, 10, 64)
		return cmp.Compare(x, y)
	})
}

// addAll is SADD: the number of arguments decides on the encoding, too.
func (m *setModel) addAll(members []string) (added int) {
	n := len(members)
	switch {
	case m.encoding == "" && numeric(members[0]) && n <= m.limits.ints:
		m.encoding = "intset"
	case m.encoding == "" && n <= m.limits.entries:
		m.encoding = "listpack"
	case m.encoding == "", m.encoding == "intset" && n > m.limits.ints, m.encoding == "listpack" && n > m.limits.entries:
		m.encoding = "hashtable"
	}
	for _, s := range members {
		if !m.has(s) {
			m.add(s)
			added++
		}
	}
	return added
}

func (m *setModel) add(s string) {
	n := len(m.order)
	switch {
	case m.encoding == "intset" && !numeric(s):
		sorted := m.sorted()
		if m.order = sorted; n < m.limits.entries && len(s) <= m.limits.value && len(sorted[0]) <= m.limits.value && len(sorted[n-1]) <= m.limits.value {
			m.encoding = "listpack"
		} else {
			m.encoding = "hashtable"
		}
	case m.encoding == "intset" && n >= m.limits.ints:
		m.encoding = "hashtable"
	case m.encoding == "listpack" && (n >= m.limits.entries || len(s) > m.limits.value):
		m.encoding = "hashtable"
	}
	m.order = append(m.order, s)
}

func (m *setModel) remove(s string) bool {
	i := slices.Index(m.order, s)
	if i < 0 {
		return false
	}
	m.order = slices.Delete(m.order, i, i+1)
	if len(m.order) == 0 {
		m.encoding = ""
	}
	return true
}

func (m *setModel) compare(t *testing.T, v *View, k Key) {
	t.Helper()
	s, ok, err := v.ReadSet(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatalf("there: %v, %v; want %d members", ok, err, len(m.order))
	}
	if !ok {
		return
	}
	got, want := s.list(), m.order
	switch m.encoding {
	case "intset":
		want = m.sorted()
	case "hashtable":
		slices.Sort(got)
		want = slices.Sorted(slices.Values(m.order))
	}
	if !slices.Equal(got, want) || s.Len() != len(want) || s.e.Encoding() != m.encoding {
		t.Fatalf("%s of %d %q, want %s %q", s.e.Encoding(), s.Len(), got, m.encoding, want)
	}
}

func (s *Set) list() (list []string) {
	s.Each(func(m []byte) bool {
		list = append(list, string(m))
		return true
	})
	return list
}

func randomMember(r *rand.Rand, words int) string {
	if r.IntN(words) == 0 {
		return randomBytes(r, 100)
	}
	return strconv.FormatInt(randomInteger(r), 10)
}

func byteLists(list []string) (b [][]byte) {
	for _, s := range list {
		b = append(b, []byte(s))
	}
	return b
}

func (m *setModel) step(t *testing.T, r *rand.Rand, v *View, k Key, words int) {
	var members []string
	for range 1 + r.IntN(1<<r.IntN(8)) {
		members = append(members, randomMember(r, words))
		if len(m.order) > 0 && r.IntN(3) == 0 {
			members = append(members, m.order[r.IntN(len(m.order))])
		}
	}
	if r.IntN(10) < 5 {
		want := m.addAll(members)
		if n, err := v.AddMembers(k, byteLists(members)); n != want || err != nil {
			t.Fatalf("AddMembers(%q) = %d, %v; want %d", members, n, err, want)
		}
		return
	}
	s, ok, err := v.WriteSet(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatal(ok, err)
	}
	if !ok {
		return
	}
	for _, x := range members {
		if s.Has([]byte(x)) != m.has(x) {
			t.Fatalf("Has(%q) is not %v", x, m.has(x))
		}
	}
	switch r.IntN(3) {
	case 0:
		want := 0
		for _, x := range members {
			if m.remove(x) {
				want++
			}
		}
		if n := s.Remove(byteLists(members)); n != want {
			t.Fatalf("Remove(%q) = %d, want %d", members, n, want)
		}
	case 1:
		m.pop(t, &s, v, k, 1+r.IntN(1+r.IntN(len(m.order))))
	}
}

// pop takes n members out of both and follows Redis to a new set when few stay.
func (m *setModel) pop(t *testing.T, s *Set, v *View, k Key, n int) {
	t.Helper()
	size := len(m.order)
	s.Pop(n, func(member []byte) {
		if !m.remove(string(member)) {
			t.Fatalf("%q is not a member", member)
		}
	})
	if len(m.order) != size-n {
		t.Fatalf("%d of %d popped, %d left", n, size, len(m.order))
	}
	if m.encoding == "hashtable" && (size-n)*rebuildShare <= n {
		rest, _, err := v.ReadSet(k)
		if err != nil {
			t.Fatal(err)
		}
		m.order, m.encoding = rest.list(), rest.e.Encoding()
	}
}

// A long random history of set commands, with the encodings' limits changing
// from round to round, gives what a list gives.
func TestSetAgainstModel(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	for round := range 80 {
		m := setModel{limits: randomLimits(r, s)}
		words := []int{1, 2, 100, 1 << 30}[round%4]
		k := s.Key(fmt.Append(nil, "set:", round))
		for range 150 {
			s.LockAll()
			m.step(t, r, v, k, words)
			m.compare(t, v, k)
			if r.IntN(40) == 0 {
				to := s.Key(fmt.Append(nil, "set:", round, ":", r.IntN(5)))
				v.Rename(k, to)
				k = to
			}
			s.UnlockAll()
			if r.IntN(40) == 0 {
				maintain(t, s, 1)
			}
		}
		s.LockAll()
		v.Delete(k)
		s.UnlockAll()
	}
	checkNothingLeft(t, s)
}

// algebraRound is some random sets, and what maps make of them.
type algebraRound struct {
	keys              []Key
	union, both, diff map[string]bool
}

func newAlgebraRound(t *testing.T, r *rand.Rand, v *View) algebraRound {
	a := algebraRound{union: map[string]bool{}, both: map[string]bool{}, diff: map[string]bool{}}
	var models []map[string]bool
	for i := range 1 + r.IntN(4) {
		k := v.Store.Key(fmt.Append(nil, "source:", i))
		v.Delete(k)
		model := map[string]bool{}
		for range 1 + r.IntN(1<<r.IntN(11)) {
			member := strconv.Itoa(r.IntN(1000))
			if i == 0 && r.IntN(2) == 0 {
				member = "m" + member
			}
			model[member] = true
		}
		if _, err := v.AddMembers(k, byteLists(slices.Sorted(maps.Keys(model)))); err != nil {
			t.Fatal(err)
		}
		models, a.keys = append(models, model), append(a.keys, k)
		maps.Copy(a.union, model)
	}
	for x := range models[0] {
		everywhere, elsewhere := true, false
		for _, m := range models[1:] {
			everywhere, elsewhere = everywhere && m[x], elsewhere || m[x]
		}
		if everywhere {
			a.both[x] = true
		}
		if !elsewhere {
			a.diff[x] = true
		}
	}
	return a
}

func (a *algebraRound) sets(t *testing.T, v *View) (sets []Set) {
	for _, k := range a.keys {
		h, ok, err := v.ReadSet(k)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		sets = append(sets, h)
	}
	return sets
}

// Intersections, unions and differences of random sets in all encodings equal
// those of maps, and what is stored replaces what was there.
func TestSetAlgebraAgainstMaps(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	destination := s.Key([]byte("destination"))
	s.LockAll()
	for range 300 {
		a := newAlgebraRound(t, r, v)
		dst := a.keys[0]
		if r.IntN(3) > 0 {
			dst = destination
			v.SetString(dst, []byte("a string with a TTL"), 1000)
		}
		n, store := v.NewSet(dst), r.IntN(2) == 0
		a.checkCounts(t, r, v, dst)
		switch sets := a.sets(t, v); r.IntN(3) {
		case 0:
			n.Union(sets)
			checkNewSet(t, v, n, a.union, store)
		case 1:
			Intersect(sets, func(member []byte) bool { n.Add(member); return true })
			checkNewSet(t, v, n, a.both, store)
		default:
			n.Difference(&sets[0], sets[1:])
			checkNewSet(t, v, n, a.diff, store)
		}
	}
	for i := range 4 {
		v.Delete(s.Key(fmt.Append(nil, "source:", i)))
	}
	v.Delete(destination)
	s.UnlockAll()
	checkNothingLeft(t, s)
}

// checkCounts compares what is counted with the maps, with a limit or none, for a few sets and for the
// same ones many times over.
func (a *algebraRound) checkCounts(t *testing.T, r *rand.Rand, v *View, k Key) {
	t.Helper()
	limited := func(n, limit int) int {
		if limit > 0 {
			return min(n, limit)
		}
		return n
	}
	for _, times := range []int{1, 5} {
		sets := a.sets(t, v)
		first, all := sets[0], slices.Repeat(sets[1:], times)
		limit := r.IntN(3) * r.IntN(2+len(a.union))
		if n, want := v.CountDifference(k, &first, all, limit), limited(len(a.diff), limit); n != want {
			t.Fatalf("difference: counted %d with limit %d, want %d", n, limit, want)
		}
		if n, want := v.CountUnion(k, append(all, first), limit), limited(len(a.union), limit); n != want {
			t.Fatalf("union: counted %d with limit %d, want %d", n, limit, want)
		}
	}
}

func checkNewSet(t *testing.T, v *View, n *NewSet, want map[string]bool, store bool) {
	t.Helper()
	got := map[string]bool{}
	n.Each(func(m []byte) { got[string(m)] = true })
	if n.Len() != len(want) || !maps.Equal(got, want) {
		t.Fatalf("%d members %v, want %v", n.Len(), got, want)
	}
	if !store {
		n.Discard()
		return
	}
	k := n.set.k
	if v.StoreSet(n, EventSUnionStore) != len(want) {
		t.Fatal("wrong number")
	}
	s, ok, err := v.ReadSet(k)
	if err != nil || ok != (len(want) > 0) || ok && (s.Len() != len(want) || s.e.ExpireAt() != 0) {
		t.Fatalf("stored: %v, %v, %v", ok, err, s.e)
	}
}

func TestSetRandom(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	for _, prefix := range []string{"", "m"} {
		for _, size := range []int{1, 6, 100, 600, 2000} {
			checkSetRandom(t, v, prefix, size)
		}
	}
}

// filledSet makes a set of members with a prefix and numbers from 0 on.
func filledSet(t *testing.T, v *View, k Key, prefix string, size int) Set {
	t.Helper()
	v.Delete(k)
	for i := range size {
		if _, err := v.AddMembers(k, [][]byte{fmt.Append(nil, prefix, i)}); err != nil {
			t.Fatal(err)
		}
	}
	set, _, err := v.WriteSet(k)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func checkSetRandom(t *testing.T, v *View, prefix string, size int) {
	k := v.Store.Key(fmt.Append(nil, prefix, size))
	set := filledSet(t, v, k, prefix, size)
	many, sample, popped := map[string]int{}, map[string]int{}, map[string]int{}
	set.Repeat(20*size, func(m []byte) bool { many[string(m)]++; return true })
	for _, n := range []int{1, 1 + size/40, (size + 1) / 2, size - size/8} {
		for range 6*size/n + 1 {
			distinct := map[string]bool{}
			set.Sample(n, func(m []byte) bool { distinct[string(m)] = true; sample[string(m)]++; return true })
			if len(distinct) != n {
				t.Fatalf("%d of %d: %d distinct members", n, size, len(distinct))
			}
		}
		for range 3000/size + 1 {
			set = filledSet(t, v, k, prefix, size)
			set.Pop(n, func(m []byte) { popped[string(m)]++ })
		}
		set = filledSet(t, v, k, prefix, size)
	}
	fair(t, fmt.Sprint("Repeat of ", prefix, size), many, size)
	fair(t, fmt.Sprint("Sample of ", prefix, size), sample, size)
	fair(t, fmt.Sprint("Pop of ", prefix, size), popped, size)
}

func TestSetScanWhileChanging(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("s"))
	s.LockAll()
	defer s.UnlockAll()
	const stay = 1500
	for i := range stay {
		if _, err := v.AddMembers(k, [][]byte{fmt.Append(nil, "m", i)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for cursor, first, extra := uint64(0), true, 0; cursor != 0 || first; first = false {
		set, _, err := v.WriteSet(k)
		if err != nil {
			t.Fatal(err)
		}
		cursor = set.Scan(cursor, 1+r.IntN(20), func(m []byte) { seen[string(m)] = true })
		for range r.IntN(200) {
			if extra++; extra < 4*stay {
				_, err = v.AddMembers(k, [][]byte{fmt.Append(nil, "x", extra)})
			} else {
				set.Remove([][]byte{fmt.Append(nil, "x", extra-4*stay)})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range stay {
		if m := fmt.Sprint("m", i); !seen[m] {
			t.Fatalf("%s was not visited", m)
		}
	}
}
