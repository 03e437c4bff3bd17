package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func (l *List) list() (list []string) {
	l.Range(0, l.Len(), func(element []byte) bool {
		list = append(list, string(element))
		return true
	})
	return list
}

// listModel is a list with the encoding that Redis 7.4 would give it, as far as it does not
// depend on how Redis splits it into nodes.
type listModel struct {
	order []string
	quick bool
	limit int
}

// size is the length of a listpack, by the definition of its format.
func listpackSize(list []string) (size int) {
	size = 7
	for _, s := range list {
		size += listpackEntry([]byte(s))
	}
	return size
}

func (m *listModel) exceeded(size, n int) bool {
	if m.limit < 0 {
		return size > []int{4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10}[min(-m.limit, 5)-1]
	}
	return n > max(m.limit, 1) || size > 8<<10
}

// grow comes before elements are added.
func (m *listModel) grow(elements ...string) {
	bytes := 0
	for _, s := range elements {
		bytes += len(s)
	}
	m.quick = m.quick || m.exceeded(listpackSize(m.order)+bytes, len(m.order)+len(elements))
}

// shrunk comes after elements were removed. nodes is how many larder has.
func (m *listModel) shrunk(nodes int) {
	switch {
	case !m.quick || nodes > 1:
	case m.limit < 0:
		m.quick = m.exceeded(2*listpackSize(m.order), 0)
	default:
		m.quick = len(m.order) > max(m.limit, 1)/2
	}
}

func (m *listModel) push(end End, elements []string) {
	m.grow(elements...)
	elements = slices.Clone(elements)
	if end == Back {
		m.order = append(m.order, elements...)
		return
	}
	slices.Reverse(elements)
	m.order = append(elements, m.order...)
}

// pop removes n elements and returns them, the outermost first.
func (m *listModel) pop(end End, n int) (popped []string) {
	if end == Front {
		popped = slices.Clone(m.order[:n])
		m.order = m.order[n:]
		return popped
	}
	at := len(m.order) - n
	popped = slices.Clone(m.order[at:])
	slices.Reverse(popped)
	m.order = m.order[:at]
	return popped
}

func (m *listModel) remove(s string, from End, most int) (removed int) {
	keep := func(x string) bool {
		if x != s || most > 0 && removed == most {
			return true
		}
		removed++
		return false
	}
	if from == Back {
		slices.Reverse(m.order)
	}
	var left []string
	for _, x := range m.order {
		if keep(x) {
			left = append(left, x)
		}
	}
	if m.order = left; from == Back {
		slices.Reverse(m.order)
	}
	return removed
}

func (m *listModel) positions(s string, from End, most int) (at []int) {
	if most == 0 {
		most = len(m.order)
	}
	for n := range min(most, len(m.order)) {
		i := n
		if from == Back {
			i = len(m.order) - 1 - n
		}
		if m.order[i] == s {
			at = append(at, i)
		}
	}
	return at
}

func nodes(l *List) int {
	if l.b == nil {
		return 1
	}
	return l.b.tree.Leaves()
}

// compare checks everything a client could see of the list at k.
func (m *listModel) compare(t *testing.T, r *rand.Rand, v *View, k Key) {
	t.Helper()
	l, ok, err := v.ReadList(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatalf("there: %v, %v; want %d elements", ok, err, len(m.order))
	}
	if !ok {
		m.quick = false
		return
	}
	if got := l.list(); l.Len() != len(m.order) || !slices.Equal(got, m.order) {
		t.Fatalf("%d elements %q, want %q", l.Len(), got, m.order)
	}
	if l.quick() != m.quick {
		t.Fatalf("%s of %d elements, %d bytes, with the limit %d", l.e.Encoding(), l.Len(), listpackSize(m.order), m.limit)
	}
	if l.b != nil && l.b.exact != 0 && l.b.exact != listpackSize(m.order) {
		t.Fatalf("a listpack would have %d bytes, counted as %d", listpackSize(m.order), l.b.exact)
	}
	if small := l.b == nil; small && l.packedSize() > packedListMax || !small && l.b.tree.DataBytes() <= packedAgain && l.b.tree.DataBytes() > 0 {
		t.Fatalf("packed: %v", small)
	}
	i := r.IntN(len(m.order))
	if string(l.At(i)) != m.order[i] {
		t.Fatalf("element %d is %q, not %q", i, l.At(i), m.order[i])
	}
	var back []string
	n := 1 + r.IntN(i+1)
	l.RangeBack(i, n, func(element []byte) bool {
		back = append(back, string(element))
		return true
	})
	slices.Reverse(back)
	if !slices.Equal(back, m.order[i+1-n:i+1]) {
		t.Fatalf("%d elements back from %d: %q", n, i, back)
	}
	from, most := End(r.IntN(2)), r.IntN(2)*r.IntN(1+len(m.order))
	var at []int
	l.Positions([]byte(m.order[i]), from, most, func(i int) bool { at = append(at, i); return true })
	if want := m.positions(m.order[i], from, most); !slices.Equal(at, want) {
		t.Fatalf("positions of %q from %d, %d compared: %v, want %v", m.order[i], from, most, at, want)
	}
	content := l.e.Content()
	at = at[:0]
	content.Each(func(item, value []byte) bool {
		if string(item) != m.order[len(at)] || value != nil {
			t.Fatalf("item %d is %q %q", len(at), item, value)
		}
		at = append(at, 0)
		return true
	})
	if content.Len() != len(m.order) || len(at) != len(m.order) {
		t.Fatalf("a codec sees %d of %d elements", len(at), content.Len())
	}
}

func listElement(r *rand.Rand, longest int) string {
	switch r.IntN(20) {
	case 0:
		return strings.Repeat("x", r.IntN(longest))
	case 1, 2, 3, 4:
		return fmt.Sprint(randomInteger(r))
	case 5:
		return fmt.Sprint(r.IntN(1000))
	}
	return randomBytes(r, 140)
}

func (m *listModel) step(t *testing.T, r *rand.Rand, v *View, k Key, longest int) {
	t.Helper()
	var elements []string
	for range 1 + r.IntN(1<<r.IntN(8)) {
		elements = append(elements, listElement(r, longest))
	}
	end := End(r.IntN(2))
	if len(m.order) == 0 || r.IntN(10) < 4 {
		m.push(end, elements)
		if n, err := v.PushElements(k, end, byteLists(elements)); n != len(m.order) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		return
	}
	l, ok, err := v.WriteList(k)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	size := len(m.order)
	i := r.IntN(size)
	pivot := m.order[i]
	switch r.IntN(8) {
	case 0:
		m.grow(elements[0])
		m.order[i] = elements[0]
		l.Set(i, []byte(elements[0]))
		m.shrunk(nodes(&l))
	case 1:
		m.grow(elements[0])
		if r.IntN(4) == 0 {
			pivot = "missing"
		}
		after := r.IntN(2)
		at := slices.Index(m.order, pivot)
		if at >= 0 {
			m.order = slices.Insert(m.order, at+after, elements[0])
		}
		if l.Insert([]byte(pivot), []byte(elements[0]), after == 1) != (at >= 0) {
			t.Fatalf("insertion beside %q", pivot)
		}
	case 2:
		most := r.IntN(3)
		if n := l.Remove([]byte(pivot), end, most); n != m.remove(pivot, end, most) {
			t.Fatalf("%d removed", n)
		}
		m.after(&l)
	case 3:
		n := r.IntN(size - i + 1)
		l.Trim(i, n)
		m.order = m.order[i : i+n]
		m.after(&l)
	case 4:
		n := 1 + r.IntN(1+r.IntN(size))
		var popped []string
		l.Pop(end, n, func(element []byte) { popped = append(popped, string(element)) })
		if want := m.pop(end, n); !slices.Equal(popped, want) {
			t.Fatalf("popped %q, want %q", popped, want)
		}
		m.after(&l)
	case 5:
		to := End(r.IntN(2))
		s := m.pop(end, 1)
		m.push(to, s)
		ok, err := v.MoveElement(k, end, k, to, func(element []byte) { pivot = string(element) })
		if !ok || err != nil || pivot != s[0] {
			t.Fatalf("moved %q, %v, %v", pivot, ok, err)
		}
		l, _, _ = v.ReadList(k)
		m.after(&l)
	case 6:
		other := v.Store.Key(append([]byte("other of "), k.Name...))
		to := End(r.IntN(2))
		n := m.pop(end, 1)
		ok, err := v.MoveElement(k, end, other, to, func(element []byte) { pivot = string(element) })
		if !ok || err != nil || pivot != n[0] {
			t.Fatalf("moved %q, %v, %v", pivot, ok, err)
		}
		if l, ok, _ = v.WriteList(other); !ok || string(l.end(to)) != n[0] {
			t.Fatalf("%q did not arrive", n)
		}
		if r.IntN(4) == 0 {
			v.Delete(other)
		}
		if l, ok, _ = v.ReadList(k); ok {
			m.after(&l)
		}
	case 7:
		m.stepSeveral(t, r, v, k, end)
	}
}

// stepSeveral moves several elements within the list, or to another one.
func (m *listModel) stepSeveral(t *testing.T, r *rand.Rand, v *View, k Key, end End) {
	t.Helper()
	size := len(m.order)
	how := Moving{From: end, To: End(r.IntN(2)), Count: 1 + r.IntN(size+2), Exactly: r.IntN(3) == 0, Bulk: r.IntN(2) == 0}
	to := k
	if r.IntN(2) == 0 {
		to = v.Store.Key(append([]byte("other of "), k.Name...))
		v.Delete(to)
		if _, err := v.PushElements(to, Back, [][]byte{[]byte("there")}); err != nil {
			t.Fatal(err)
		}
	}
	enough := !how.Exactly || how.Count <= size
	var want, seen []string
	if enough {
		want = m.pop(end, min(how.Count, size)) // the outermost first
		if end == Back {
			slices.Reverse(want)
		}
		if !how.Bulk && how.From == how.To && string(to.Name) != string(k.Name) {
			slices.Reverse(want)
		}
	}
	moved, err := v.MoveElements(k, to, how, func(elements [][]byte, changes bool) {
		for _, e := range elements {
			seen = append(seen, string(e))
		}
		if changes != (string(to.Name) != string(k.Name) || how.From != how.To && len(elements) < size) {
			t.Fatalf("%+v of %d elements: changes is %v", how, size, changes)
		}
	})
	if moved != enough || err != nil || !slices.Equal(seen, want) {
		t.Fatalf("%+v of %d elements: %v, %v, saw %q, want %q", how, size, moved, err, seen, want)
	}
	switch {
	case !enough:
		return
	case string(to.Name) != string(k.Name):
		m.checkArrived(t, v, to, how.To, want)
	default:
		m.grow(want...)
		if m.order = slices.Concat(m.order, want); how.To == Front {
			m.order = slices.Concat(want, m.order[:len(m.order)-len(want)])
		}
	}
	if l, ok, _ := v.ReadList(k); ok {
		m.after(&l)
	}
}

// checkArrived looks for elements at an end of another list, beside the one that was there.
func (m *listModel) checkArrived(t *testing.T, v *View, to Key, end End, want []string) {
	t.Helper()
	want = append([]string{"there"}, want...)
	if end == Front {
		want = append(want[1:], "there")
	}
	l, ok, err := v.ReadList(to)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	var got []string
	l.Range(0, l.Len(), func(element []byte) bool {
		got = append(got, string(element))
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("arrived are %q, want %q", got, want)
	}
	v.Delete(to)
}

// after is shrunk for what was done to l.
func (m *listModel) after(l *List) {
	if len(m.order) > 0 {
		m.shrunk(nodes(l))
	}
}

// A long random history of list commands, with the size of nodes changing from round to round,
// gives what a slice gives.
func TestListAgainstModel(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	for round := range 60 {
		m := listModel{limit: []int{-2, -1, -5, -9, 0, 1, 3, 128, 100000}[r.IntN(9)]}
		s.Encodings().ListMaxSize.Store(int64(m.limit))
		longest := []int{10, 200, 3000, 40000}[round%4]
		k := s.Key(fmt.Append(nil, "list:", round))
		for range 200 {
			s.LockAll()
			m.step(t, r, v, k, longest)
			m.compare(t, r, v, k)
			if r.IntN(40) == 0 && len(m.order) > 0 {
				to := s.Key(fmt.Append(nil, "list:", round, ":", r.IntN(5)))
				if r.IntN(2) == 0 && string(to.Name) != string(k.Name) {
					v.Copy(k, v, to)
					v.Delete(k)
				} else {
					v.Rename(k, to)
				}
				k = to
			}
			s.UnlockAll()
			if r.IntN(40) == 0 {
				maintain(t, s, 1)
			}
		}
		s.LockAll()
		s.FlushLocked(0, 1)
		s.UnlockAll()
	}
	checkNothingLeft(t, s)
}

// What a listpack takes for an element is what redis-server's listpack.c takes: the length of each
// encoding of integers and strings, and of the backward length behind it.
func TestListpackEntry(t *testing.T) {
	for s, want := range map[string]int{
		"": 2, "a": 3, "0": 2, "127": 2, "128": 3, "-1": 3, "-4096": 3, "4095": 3, "4096": 4, "-4097": 4, "32767": 4, "32768": 5,
		"-8388608": 5, "8388607": 5, "8388608": 6, "2147483647": 6, "2147483648": 10, "-9223372036854775808": 10,
		"01": 4, "-0": 4, "9223372036854775808": 21, "1.5": 5,
		strings.Repeat("x", 63): 65, strings.Repeat("x", 64): 67, strings.Repeat("x", 125): 128, strings.Repeat("x", 126): 130,
		strings.Repeat("x", 4095): 4099, strings.Repeat("x", 4096): 4103, strings.Repeat("x", 16378): 16385, strings.Repeat("x", 16379): 16387,
	} {
		if got := listpackEntry([]byte(s)); got != want {
			t.Errorf("%.20q of %d bytes takes %d, not %d", s, len(s), got, want)
		}
	}
}

// A list of a million elements goes in steps, and takes nothing with it that is still in use.
func TestBigListIsFreedInTheBackground(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("big"))
	s.LockAll()
	elements := byteLists(slices.Repeat([]string{"element of a list"}, 1000))
	for range 1000 {
		if _, err := v.PushElements(k, Back, elements); err != nil {
			t.Fatal(err)
		}
	}
	full := s.stats(true).Used
	e, _ := v.Peek(k)
	if e.Memory() < 17_000_000 || e.Memory() > full || e.Encoding() != "quicklist" {
		t.Errorf("%s of %d bytes, %d in use", e.Encoding(), e.Memory(), full)
	}
	v.Delete(k)
	if _, err := v.PushElements(k, Back, elements); err != nil {
		t.Fatal(err)
	}
	s.UnlockAll()
	st := s.Stats()
	if st.Garbage != 1 || st.Used < full {
		t.Errorf("after the deletion: %+v, %d were in use", st, full)
	}
	steps := 0
	for more := true; more; steps++ {
		var err error
		if more, err = s.Maintain(1); err != nil {
			t.Fatal(err)
		}
	}
	if st = s.Stats(); st.Garbage != 0 || st.Used > full/100 || steps < 2 {
		t.Errorf("after %d rounds: %+v", steps, st)
	}
}

// Pushing, popping and reading at the ends and in the middle allocates nothing, packed or not.
func TestListsDoNotAllocate(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	for _, size := range []int{10, 10_000} {
		k := s.Key(fmt.Append(nil, "list of ", size))
		one := byteLists([]string{"an element"})
		for range size {
			if _, err := v.PushElements(k, Back, one); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		count := func([]byte) { seen++ }
		n := testing.AllocsPerRun(500, func() {
			for _, end := range []End{Front, Back} {
				if _, err := v.PushElements(k, end, one); err != nil {
					t.Fatal(err)
				}
				l, _, _ := v.WriteList(k)
				l.Pop(end, 1, count)
				l.Set(size/2, one[0])
				l.Insert(one[0], one[0], true)
				l.Pop(end, 1, count)
				l.Range(size/2, 3, func([]byte) bool { seen++; return true })
				seen += len(l.At(size/3)) + l.Len()
				if _, err := v.MoveElement(k, end, k, 1-end, count); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n >= 1 {
			t.Errorf("%d elements: %v allocations", size, n)
		}
	}
}

// A list that waits for its snapshot is written as it was, while everything in it is exchanged.
func TestSnapshotOfAListThatChanges(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("queue"))
	var elements []string
	for i := range 20_000 {
		elements = append(elements, fmt.Sprint("element ", i))
	}
	if _, err := v.PushElements(k, Back, byteLists(elements)); err != nil {
		t.Fatal(err)
	}
	want := dump(s)
	sn, err := s.CutLocked(1)
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, keys: map[string]string{}}
	sn.sink, sn.locked = c, true
	for sn.step() {
		for range 200 {
			if _, err := v.PushElements(k, Back, byteLists([]string{"new"})); err != nil {
				t.Fatal(err)
			}
			l, _, _ := v.WriteList(k)
			l.Pop(Front, min(1+rng.IntN(2), l.Len()), func([]byte) {})
			if l.e.spent() {
				continue
			}
			l.Set(rng.IntN(l.Len()), []byte("other"))
		}
		checkAccounts(t, s)
	}
	compare(t, c.keys, want)
	checkAtRest(t, s)
}
