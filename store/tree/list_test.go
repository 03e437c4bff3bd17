package tree

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

func testArena(t testing.TB) *arena.Arena {
	t.Helper()
	h, err := arena.NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.NewArena()
}

// listModel drives a list and a slice with the same operations.
type listModel struct {
	t      *testing.T
	rng    *rand.Rand
	ar     *arena.Arena
	l      *List
	is     [][]byte
	frozen [][]byte
	epoch  uint32
	large  int // one element in so many is long
	even   int // one element in so many does not have the length that the others have; 0: they all differ
	walk   Cursor
	sieves int // most nodes that had one
}

func (m *listModel) element() []byte {
	n := m.rng.IntN(40)
	if m.even > 0 && m.rng.IntN(m.even) > 0 {
		n = m.width()
	}
	if m.large > 0 && m.rng.IntN(m.large) == 0 {
		n = m.rng.IntN(1 << m.rng.IntN(16))
	}
	s := make([]byte, n)
	for i := range s {
		s[i] = byte(m.rng.Uint32())
	}
	if m.rng.IntN(4) == 0 && (m.even == 0 || n == m.width()) {
		s = bytes.Repeat([]byte("="), len(m.same()))
	}
	return s
}

// width is the length of most elements, which changes now and then.
func (m *listModel) width() int { return []int{4, 20, 8, 1, 7}[m.epoch%5] }

// same is the element that comes most often.
func (m *listModel) same() []byte {
	if m.even == 0 {
		return []byte("====")
	}
	return bytes.Repeat([]byte("="), m.width())
}

func (m *listModel) step() {
	l, rng, n := m.l, m.rng, len(m.is)
	switch op := rng.IntN(22); {
	case op < 3:
		s := m.element()
		l.PushBack(s)
		m.is = append(m.is, s)
	case op < 6:
		s := m.element()
		l.PushFront(s)
		m.is = slices.Insert(m.is, 0, s)
	case op < 12:
		i, s := rng.IntN(n+1), m.element()
		for range 1 + rng.IntN(3)*rng.IntN(30) {
			l.Insert(i, s)
			m.is = slices.Insert(m.is, i, s)
		}
	case n == 0:
	case op < 14:
		i := rng.IntN(n)
		k := 1 + rng.IntN(min(n-i, 1+rng.IntN(12)))
		if rng.IntN(60) == 0 {
			k = 1 + rng.IntN(n-i)
		}
		l.Delete(i, k)
		m.is = slices.Delete(m.is, i, i+k)
	case op == 14:
		for range min(n, rng.IntN(40)) {
			i, front := 0, rng.IntN(2) == 0
			if !front {
				i = len(m.is) - 1
			}
			if got := l.End(front); !bytes.Equal(got, m.is[i]) {
				m.t.Fatalf("the end is %q, not %q", got, m.is[i])
			}
			if rng.IntN(8) > 0 {
				l.Pop(front)
			} else {
				l.Delete(i, 1)
			}
			m.is = slices.Delete(m.is, i, i+1)
		}
	case op == 15:
		i, s := rng.IntN(n), m.element()
		l.Set(i, s)
		m.is[i] = s
	case op == 16:
		for i := rng.IntN(n); i < n; i += 1 + rng.IntN(1+rng.IntN(n)) {
			if got := l.At(i); !bytes.Equal(got, m.is[i]) {
				m.t.Fatalf("element %d is %q, not %q", i, got, m.is[i])
			}
		}
	case op == 17 && rng.IntN(8) == 0:
		m.removeEqual()
	case op == 18:
		m.find()
	case op == 19:
		if _, _, _, done := l.Evacuate(&m.walk, 4096); done {
			m.walk = Cursor{}
		}
	case op == 20 && rng.IntN(10) == 0:
		m.freeze()
	case op == 21 && rng.IntN(10) == 0:
		m.ar.EndCompaction()
		m.ar.BeginCompaction(0)
	}
}

func (m *listModel) removeEqual() {
	s, limit, back := m.same(), m.rng.IntN(50), m.rng.IntN(2) == 0
	var want int
	if back {
		slices.Reverse(m.is)
	}
	m.is = slices.DeleteFunc(m.is, func(e []byte) bool {
		gone := bytes.Equal(e, s) && (limit == 0 || want < limit)
		if gone {
			want++
		}
		return gone
	})
	if back {
		slices.Reverse(m.is)
	}
	if got := m.l.RemoveEqual(s, limit, back); got != want {
		m.t.Fatalf("RemoveEqual removed %d, not %d", got, want)
	}
}

func (m *listModel) find() {
	i, back := m.rng.IntN(len(m.is)), m.rng.IntN(2) == 0
	s := m.is[m.rng.IntN(len(m.is))]
	want := -1
	for j := range m.is {
		if bytes.Equal(m.is[j], s) && (back && j <= i || !back && j >= i && want < 0) {
			want = j
		}
	}
	if got := m.l.Find(s, i, back); got != want {
		m.t.Fatalf("Find from %d, back %v: %d, not %d", i, back, got, want)
	}
	m.sieves = max(m.sieves, m.l.sieves.n)
}

func (m *listModel) freeze() {
	if !m.l.Frozen() {
		m.epoch++
		m.l.Freeze(m.epoch)
		m.frozen = slices.Clone(m.is)
		return
	}
	m.checkFrozen()
	for max := 1 + m.rng.IntN(20); !m.l.Thaw(max); {
	}
}

func (m *listModel) checkFrozen() {
	if m.l.FrozenLen() != len(m.frozen) {
		m.t.Fatalf("%d elements were frozen, there are %d", len(m.frozen), m.l.FrozenLen())
	}
	for i := 0; i < len(m.frozen); {
		r, n := m.l.FrozenLeaf(i)
		for off := 0; off < len(r.b); n-- {
			var s []byte
			if s, off = r.Next(off); !bytes.Equal(s, m.frozen[i]) {
				m.t.Fatalf("frozen element %d is %q, not %q", i, s, m.frozen[i])
			}
			i++
		}
		if n != 0 {
			m.t.Fatal("a frozen leaf does not have the elements it says")
		}
	}
}

func (m *listModel) check() {
	m.t.Helper()
	if err := m.l.Check(); err != nil {
		m.t.Fatal(err)
	}
	if m.l.Len() != len(m.is) || m.l.Bytes() != m.ar.Used() {
		m.t.Fatalf("%d elements of %d, %d bytes of %d", m.l.Len(), len(m.is), m.l.Bytes(), m.ar.Used())
	}
	from, i := 0, 0
	if len(m.is) > 0 {
		from = m.rng.IntN(len(m.is))
	}
	i = from
	m.l.Each(from, func(j int, s []byte) bool {
		if j != i || !bytes.Equal(s, m.is[i]) {
			m.t.Fatalf("Each: element %d is %q, at %d it should be %q", j, s, i, m.is[i])
		}
		i++
		return true
	})
	if i != len(m.is) {
		m.t.Fatalf("Each stopped at %d of %d", i, len(m.is))
	}
	i = from
	m.l.EachBack(from, func(j int, s []byte) bool {
		if j != i || !bytes.Equal(s, m.is[i]) {
			m.t.Fatalf("EachBack: element %d is %q, at %d it should be %q", j, s, i, m.is[i])
		}
		i--
		return true
	})
	if i != -1 && len(m.is) > 0 {
		m.t.Fatalf("EachBack stopped at %d", i)
	}
	if m.l.Frozen() {
		m.checkFrozen()
	}
}

// Whatever is done to a list, a slice has the same elements, with leaves of all sizes, frozen
// versions and compaction in between; and every byte is accounted for.
func TestListAgainstSlice(t *testing.T) {
	for _, c := range []struct {
		name           string
		limit, entries int
		large, even    int
		most, fanout   int
	}{
		{"small leaves", 256, 1000, 0, 0, 6000, 9},
		{"two elements", 8192, 2, 0, 0, 1500, 9},
		{"one element", 8192, 1, 50, 0, 400, 9},
		{"default", DefaultLeaf, 1 << 16, 100, 0, 20000, 9},
		{"large leaves", 64 << 10, 1 << 16, 40, 0, 20000, 9},
		{"many long", 1000, 128, 4, 0, 3000, 9},
		{"one length, small leaves", 256, 1000, 0, 200, 6000, 9},
		{"one length, default", DefaultLeaf, 1 << 16, 3000, 1000, 20000, 9},
		{"nearly one length", 1000, 100, 1000, 10, 6000, 9},
		{"wide nodes", 4096, 1 << 16, 300, 0, 40000, listFanout},
		{"one length, wide nodes", 4096, 1 << 16, 3000, 1000, 40000, listFanout},
	} {
		t.Run(c.name, func(t *testing.T) {
			ar := testArena(t)
			m := &listModel{t: t, rng: randtest.New(t), ar: ar, l: NewList(ar), large: c.large, even: c.even}
			m.l.SetLimit(c.limit, c.entries)
			m.l.fanout = c.fanout // few for more levels, many for sieves
			for step := range 12_000 {
				m.step()
				if len(m.is) > c.most {
					k := m.rng.IntN(len(m.is))
					at := m.rng.IntN(len(m.is) - k)
					m.l.Delete(at, k)
					m.is = slices.Delete(m.is, at, at+k)
				}
				if step%500 == 0 || step < 300 {
					m.check()
				}
			}
			m.check()
			if c.fanout > sieveLeaves && m.sieves == 0 {
				t.Error("no search has made a sieve")
			}
			if m.l.Frozen() {
				for !m.l.Thaw(3) {
				}
			}
			for !m.l.Release(7) {
			}
			if ar.Used() != 0 || m.l.Bytes() != 0 {
				t.Errorf("%d bytes in use after all was released, the list says %d", ar.Used(), m.l.Bytes())
			}
		})
	}
}

func TestRunWalksBothWays(t *testing.T) {
	var run []byte
	var offs []int
	for _, n := range []int{0, 1, 20, 125, 126, 127, 128, 129, 16380, 16381, 16382, 16383, 16384, 3 << 20} {
		offs = append(offs, len(run))
		run = AppendRun(run, bytes.Repeat([]byte{byte(n)}, n))
		if got := len(run) - offs[len(offs)-1]; got != EntrySize(n) {
			t.Errorf("%d bytes take %d, EntrySize says %d", n, got, EntrySize(n))
		}
		put := make([]byte, EntrySize(n))
		putEntry(put, bytes.Repeat([]byte{byte(n)}, n))
		if !bytes.Equal(put, run[offs[len(offs)-1]:]) {
			t.Errorf("putEntry and AppendRun differ for %d bytes", n)
		}
	}
	end := len(run)
	for i := len(offs) - 1; i >= 0; i-- {
		s, prev := PrevRun(run, end)
		e, next := NextRun(run, prev)
		if prev != offs[i] || next != end || !bytes.Equal(s, e) || skipNext(run, prev) != end || skipPrev(run, end) != prev {
			t.Fatalf("entry %d: from %d to %d, expected %d to %d", i, prev, next, offs[i], end)
		}
		end = prev
	}
	ar := testArena(t)
	l := FromRun(ar, run, len(offs))
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	c := l.Clone(ar)
	i := 0
	c.Each(0, func(_ int, s []byte) bool {
		e, _ := NextRun(run, offs[i])
		i++
		return bytes.Equal(s, e)
	})
	if err := c.Check(); err != nil || i != len(offs) || l.Bytes()+c.Bytes() != ar.Used() {
		t.Errorf("a clone ends at element %d: %v", i, err)
	}
}

func TestListAllocatesNothing(t *testing.T) {
	l := NewList(testArena(t))
	s := []byte("12345678901234567890")
	for range 100_000 {
		l.PushBack(s)
	}
	for name, fn := range map[string]func(){
		"push":   func() { l.PushBack(s); l.PushFront(s) },
		"pop":    func() { l.Pop(true); l.Pop(false) },
		"at":     func() { l.At(l.Len() / 3) },
		"insert": func() { l.Insert(l.Len()/3, s) },
		"delete": func() { l.Delete(l.Len()/3, 1) },
		"set":    func() { l.Set(l.Len()/2, s) },
		"find":   func() { l.Find(s, l.Len()/2, true) },
		"each":   func() { l.Each(l.Len()/2, func(int, []byte) bool { return false }) },
	} {
		if n := testing.AllocsPerRun(1000, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// filled is a list, or an order, of so many bytes of content, and what it takes for it.
func filled(t *testing.T, when string, content, bytes int64) {
	t.Helper()
	if content*3 < bytes*2 {
		t.Errorf("%s: %d bytes take %d, less than two thirds are in use", when, content, bytes)
	}
}

// At random places a list grows and shrinks with leaves that are more than two thirds full.
func TestListFill(t *testing.T) {
	rng := randtest.New(t)
	l := NewList(testArena(t))
	for n := range 60_000 {
		l.Insert(rng.IntN(n+1), make([]byte, 20))
	}
	filled(t, "grown", l.DataBytes(), l.Bytes())
	for l.Len() > 20_000 {
		l.Delete(rng.IntN(l.Len()), 1)
		if l.Len()%10_000 == 0 {
			filled(t, "shrunk", l.DataBytes(), l.Bytes())
		}
	}
	if most := int(l.DataBytes()) / (l.room * 3 / 8); l.Leaves() > most {
		t.Errorf("%d leaves, two neighbours fit into one where there are more than %d", l.Leaves(), most)
	}
}

// While a version is frozen, pushes and pops copy one path and nothing else, and a frozen leaf is
// read without the lock.
func TestFrozenListIsReadMeanwhile(t *testing.T) {
	ar := testArena(t)
	l := NewList(ar)
	for i := range 100_000 {
		l.PushBack(binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	before := l.Bytes()
	l.Freeze(1)
	for range 100 {
		l.PushBack([]byte("pushed"))
		l.Delete(0, 1)
	}
	if more := l.Bytes() - before; more > 32<<10 {
		t.Errorf("100 pushes and pops beside a frozen version took %d bytes", more)
	}
	read := make(chan int)
	go func() {
		i := 0
		for i < l.FrozenLen() {
			run, n := l.FrozenLeaf(i)
			for off := 0; off < len(run.b); i++ {
				var s []byte
				if s, off = run.Next(off); binary.BigEndian.Uint64(s) != uint64(i) {
					break
				}
				n--
			}
			if n != 0 {
				break
			}
		}
		read <- i
	}()
	rng := randtest.New(t)
	for done := false; !done; {
		i := rng.IntN(l.Len())
		l.Set(i, []byte("changed"))
		l.Delete(i, 1)
		l.Insert(i, []byte("inserted"))
		l.Find([]byte("not here"), i, false)
		select {
		case n := <-read:
			if done = true; n != l.FrozenLen() {
				t.Errorf("frozen element %d is wrong", n)
			}
		default:
		}
	}
	for !l.Thaw(10) {
	}
	if err := l.Check(); err != nil || l.Bytes() != ar.Used() {
		t.Errorf("after the thaw: %v", err)
	}
}
