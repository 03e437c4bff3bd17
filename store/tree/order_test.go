package tree

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// records are members in an arena, as a table of members would have them.
type records struct {
	ar    *arena.Arena
	looks int // how often a member was looked at
}

func (r *records) add(member []byte) arena.Ref {
	ref := r.ar.Alloc(2 + len(member))
	b := r.ar.Bytes(ref, 2+len(member))
	binary.LittleEndian.PutUint16(b, uint16(len(member)))
	copy(b[2:], member)
	return ref
}

func (r *records) member(ref arena.Ref) []byte {
	r.looks++
	n := binary.LittleEndian.Uint16(r.ar.Bytes(ref, 2))
	return r.ar.Bytes(ref, 2+int(n))[2:]
}

type scored struct {
	score  float64
	member string
	ref    arena.Ref
}

func compareScored(a, b scored) int {
	switch {
	case a.score < b.score:
		return -1
	case a.score > b.score:
		return 1
	}
	return bytes.Compare([]byte(a.member), []byte(b.member))
}

// orderModel drives an order and a sorted slice with the same operations.
type orderModel struct {
	t    *testing.T
	rng  *rand.Rand
	ar   *arena.Arena
	rec  *records
	o    *Order
	is   []scored
	walk Cursor
	few  int // so many different scores
	next uint64
}

func (m *orderModel) score() float64 {
	switch m.rng.IntN(20) {
	case 0:
		return math.Copysign(0, -1)
	case 1:
		return math.Inf(1 - 2*m.rng.IntN(2))
	}
	if m.few > 0 {
		return float64(m.rng.IntN(m.few) - m.few/2)
	}
	return m.rng.NormFloat64()
}

func (m *orderModel) find(e scored) int {
	i, _ := slices.BinarySearchFunc(m.is, e, compareScored)
	return i
}

func (m *orderModel) insert(score float64) {
	m.next = m.next*6364136223846793005 + 1442695040888963407
	member := binary.BigEndian.AppendUint64(nil, m.next) // no other has these eight bytes
	e := scored{score: score, member: string(append(member, make([]byte, m.rng.IntN(4))...))}
	e.ref = m.rec.add([]byte(e.member))
	m.o.Insert(e.score, e.ref)
	m.is = slices.Insert(m.is, m.find(e), e)
}

func (m *orderModel) step() {
	o, rng, n := m.o, m.rng, len(m.is)
	switch op := rng.IntN(20); {
	case op < 7:
		m.insert(m.score())
	case op == 7: // ascending or descending at one place
		at, step := m.score(), rng.NormFloat64()/1000
		for range rng.IntN(300) {
			m.insert(at)
			at += step
		}
	case n == 0:
	case op < 11:
		e := m.is[rng.IntN(n)]
		if !o.Delete(e.score, e.ref) || o.Delete(e.score, e.ref) {
			m.t.Fatalf("deleting %v", e)
		}
		i := m.find(e)
		m.is = slices.Delete(m.is, i, i+1)
	case op < 14:
		m.update()
	case op == 14:
		i := rng.IntN(n)
		k := 1 + rng.IntN(min(n-i, 1+rng.IntN(300)))
		at := i
		o.DeleteRange(i, k, func(score float64, ref arena.Ref) {
			if m.is[at].ref != ref || m.is[at].score != score {
				m.t.Fatalf("DeleteRange removed %v instead of %v", score, m.is[at])
			}
			at++
		})
		m.is = slices.Delete(m.is, i, i+k)
	case op == 15:
		i := rng.IntN(n)
		e := &m.is[i]
		old := e.ref
		e.ref = m.rec.add([]byte(e.member))
		for j := range m.rec.ar.Bytes(old, 2) { // nobody may look at it
			m.rec.ar.Bytes(old, 2)[j] = 0xFF
		}
		o.Moved(e.score, []byte(e.member), old, e.ref)
	case op == 16:
		if _, _, _, done := o.Evacuate(&m.walk, 4096); done {
			m.walk = Cursor{}
		}
	case op == 17 && rng.IntN(10) == 0:
		m.ar.EndCompaction()
		m.ar.BeginCompaction(0)
	case op >= 18:
		m.read()
	}
}

func (m *orderModel) update() {
	i := m.rng.IntN(len(m.is))
	e := m.is[i]
	score := m.score()
	if m.rng.IntN(2) == 0 {
		score = e.score + m.rng.NormFloat64()/100
	}
	if !m.o.Update(e.score, score, e.ref) {
		m.t.Fatalf("%v is not there to be updated", e)
	}
	m.is = slices.Delete(m.is, i, i+1)
	e.score = score
	m.is = slices.Insert(m.is, m.find(e), e)
}

func (m *orderModel) read() {
	i := m.rng.IntN(len(m.is))
	e := m.is[i]
	if at, ok := m.o.Rank(e.score, e.ref); at != i || !ok {
		m.t.Fatalf("rank of %v is %d, %v, not %d", e, at, ok, i)
	}
	if score, ref := m.o.At(i); score != e.score || ref != e.ref {
		m.t.Fatalf("pair %d is %v, not %v", i, score, e.score)
	}
	score := e.score
	if m.rng.IntN(2) == 0 {
		score = m.score()
	}
	for _, orEqual := range []bool{false, true} {
		want := 0
		for _, is := range m.is {
			if is.score < score || orEqual && is.score == score {
				want++
			}
		}
		if got := m.o.LowerBound(score, orEqual); got != want {
			m.t.Fatalf("LowerBound(%v, %v) is %d, not %d", score, orEqual, got, want)
		}
	}
}

func (m *orderModel) check() {
	m.t.Helper()
	if err := m.o.Check(); err != nil {
		m.t.Fatal(err)
	}
	if m.o.Len() != len(m.is) || m.o.Bytes() != m.ar.Used() {
		m.t.Fatalf("%d pairs of %d, %d bytes of %d", m.o.Len(), len(m.is), m.o.Bytes(), m.ar.Used())
	}
	from := 0
	if len(m.is) > 0 {
		from = m.rng.IntN(len(m.is))
	}
	i := from
	same := func(j int, score float64, ref arena.Ref) {
		e := m.is[i]
		if j != i || ref != e.ref || math.Float64bits(score) != math.Float64bits(e.score) {
			m.t.Fatalf("pair %d is %v, %q; at %d it should be %v", j, score, m.rec.member(ref), i, e)
		}
	}
	m.o.Each(from, func(j int, score float64, ref arena.Ref) bool {
		same(j, score, ref)
		i++
		return true
	})
	if i != len(m.is) {
		m.t.Fatalf("Each stopped at %d of %d", i, len(m.is))
	}
	i = from
	m.o.EachBack(from, func(j int, score float64, ref arena.Ref) bool {
		same(j, score, ref)
		i--
		return true
	})
	if i != -1 && len(m.is) > 0 {
		m.t.Fatalf("EachBack stopped at %d", i)
	}
}

// Whatever is done to an order, a sorted slice has the same pairs, whether scores are all
// different or often equal; records that moved are not looked at, and every byte is accounted for.
func TestOrderAgainstSlice(t *testing.T) {
	for name, few := range map[string]int{"different": 0, "equal often": 40, "three": 3} {
		t.Run(name, func(t *testing.T) {
			ar := testArena(t)
			rec := &records{ar: testArena(t)}
			m := &orderModel{t: t, rng: randtest.New(t), ar: ar, rec: rec, o: NewOrder(ar, rec.member), few: few}
			m.o.fanout = 9 // for more levels
			for step := range 8_000 {
				m.step()
				if len(m.is) > 8000 {
					k := m.rng.IntN(len(m.is))
					at := m.rng.IntN(len(m.is) - k)
					m.o.DeleteRange(at, k, nil)
					m.is = slices.Delete(m.is, at, at+k)
				}
				if step%300 == 0 || step < 300 {
					m.check()
				}
			}
			m.check()
			for !m.o.Release(7) {
			}
			if ar.Used() != 0 || m.o.Bytes() != 0 {
				t.Errorf("%d bytes in use after all was released, the order says %d", ar.Used(), m.o.Bytes())
			}
		})
	}
}

// With equal scores the members order, and can be looked for.
func TestOrderByMember(t *testing.T) {
	rng := randtest.New(t)
	rec := &records{ar: testArena(t)}
	o := NewOrder(testArena(t), rec.member)
	var names []string
	for _, i := range rng.Perm(5000) {
		name := string(binary.BigEndian.AppendUint32(nil, uint32(i*3)))
		names = append(names, name)
		o.Insert([]float64{0, math.Copysign(0, -1)}[i&1], rec.add([]byte(name)))
	}
	slices.Sort(names)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		name := string(binary.BigEndian.AppendUint32(nil, rng.Uint32N(15100)))
		i, there := slices.BinarySearch(names, name)
		if got := o.LowerBoundLex([]byte(name), false); got != i {
			t.Fatalf("%d members stand before %x, not %d", i, name, got)
		}
		if there {
			i++
		}
		if got := o.LowerBoundLex([]byte(name), true); got != i {
			t.Fatalf("%d members stand up to %x, not %d", i, name, got)
		}
	}
}

// What is added in ascending order fills its leaves, and so does what is inserted so.
func TestOrderAppend(t *testing.T) {
	rec := &records{ar: testArena(t)}
	for name, add := range map[string]func(o *Order, score float64, ref arena.Ref){"Append": (*Order).Append, "Insert": (*Order).Insert} {
		ar := testArena(t)
		o := NewOrder(ar, rec.member)
		for i := range 100_000 {
			add(o, float64(i), 1)
		}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		if per := float64(o.Bytes()) / 100_000; per > 13.6 {
			t.Errorf("%s: %.2f bytes per pair", name, per)
		}
		if score, _ := o.At(77_777); score != 77_777 {
			t.Errorf("%s: pair 77777 has score %v", name, score)
		}
	}
}

func TestScoreKeys(t *testing.T) {
	scores := []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0,
		math.SmallestNonzeroFloat64, 0.5, 1, math.MaxFloat64, math.Inf(1)}
	for i, s := range scores {
		if back := scoreOf(KeyOf(s)); math.Float64bits(back) != math.Float64bits(s) {
			t.Errorf("%v comes back as %v", s, back)
		}
		if i > 0 && KeyOf(scores[i-1]) >= KeyOf(s) {
			t.Errorf("the key of %v is not below that of %v", scores[i-1], s)
		}
	}
}

func TestOrderAllocatesNothing(t *testing.T) {
	rec := &records{ar: testArena(t)}
	o := NewOrder(testArena(t), rec.member)
	var refs []arena.Ref
	for i := range 50_000 {
		refs = append(refs, rec.add(binary.BigEndian.AppendUint64(nil, uint64(i))))
		o.Insert(float64(i%1000), refs[i])
	}
	for name, fn := range map[string]func(){
		"insert and delete": func() { o.Delete(500, refs[500]); o.Insert(500, refs[500]) },
		"update":            func() { o.Update(7, 8.5, refs[7]); o.Update(8.5, 7, refs[7]) },
		"rank":              func() { o.Rank(333, refs[1333]) },
		"at":                func() { o.At(777) },
		"bounds":            func() { o.LowerBound(5, true); o.LowerBoundLex([]byte("x"), true) },
		"moved":             func() { o.Moved(9, rec.member(refs[9]), refs[9], refs[9]) },
		"each":              func() { o.Each(99, func(int, float64, arena.Ref) bool { return false }) },
	} {
		if n := testing.AllocsPerRun(1000, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// At random scores an order grows and shrinks with leaves that are more than two thirds full.
func TestOrderFill(t *testing.T) {
	rng := randtest.New(t)
	o := NewOrder(testArena(t), nil)
	for n := range 60_000 {
		o.Insert(rng.Float64(), arena.Ref(n+1))
	}
	filled(t, "grown", int64(o.Len())*pairSize, o.Bytes())
	for o.Len() > 20_000 {
		o.DeleteRange(rng.IntN(o.Len()), 1, nil)
		if o.Len()%10_000 == 0 {
			filled(t, "shrunk", int64(o.Len())*pairSize, o.Bytes())
		}
	}
}
