package heavy

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

var seed = maphash.MakeSeed()

func add(s *Summary, name string, weight uint64) {
	s.Add(maphash.String(seed, name), []byte(name), weight)
}

// stream is random names with their true counts: some frequent, most of them rare.
type stream struct {
	r     *rand.Rand
	zipf  *rand.Zipf
	truth map[string]uint64
	total uint64
}

func newStream(r *rand.Rand) *stream {
	return &stream{r: r, zipf: rand.NewZipf(r, 1.1+r.Float64(), 1, 1<<uint(4+r.IntN(14))), truth: map[string]uint64{}}
}

func (st *stream) next() (name string, weight uint64) {
	name, weight = "n"+strconv.FormatUint(st.zipf.Uint64(), 10), 1
	if st.r.IntN(4) == 0 {
		weight = st.r.Uint64N(20)
	}
	st.truth[name] += weight
	st.total += weight
	return name, weight
}

// check holds what was found against the truth.
func (st *stream) check(t *testing.T, p Part) {
	t.Helper()
	if p.Total != st.total {
		t.Fatalf("total %d, want %d", p.Total, st.total)
	}
	found := map[string]bool{}
	last := uint64(math.MaxUint64)
	for _, it := range p.Items {
		truth := st.truth[it.Name]
		if it.Count < truth || it.Least() > truth {
			t.Fatalf("%s: between %d and %d, but it had %d", it.Name, it.Least(), it.Count, truth)
		}
		if it.Count > last || found[it.Name] {
			t.Fatalf("%s: out of order, or twice", it.Name)
		}
		last, found[it.Name] = it.Count, true
	}
	for name, truth := range st.truth {
		if !found[name] && truth > p.Bound {
			t.Fatalf("%s had %d and is missing, though the bound is %d", name, truth, p.Bound)
		}
	}
}

func TestBounds(t *testing.T) {
	r := randtest.New(t)
	for range 30 {
		m := 1 + r.IntN(200)
		s := New(m, 100)
		for range 3 { // again after Reset
			st := newStream(r)
			for range r.IntN(20000) {
				add2(s, st)
			}
			p := s.Part()
			st.check(t, p)
			if p.Bound > st.total/uint64(m) {
				t.Fatalf("bound %d of %d in %d counters", p.Bound, st.total, m)
			}
			for i := range p.Items {
				if p.Items[i].Error > st.total/uint64(m) {
					t.Fatalf("error %d of %d in %d counters", p.Items[i].Error, st.total, m)
				}
			}
			s.Reset()
		}
	}
}

func add2(s *Summary, st *stream) {
	name, weight := st.next()
	add(s, name, weight)
}

func TestMerge(t *testing.T) {
	r := randtest.New(t)
	for range 30 {
		st := newStream(r)
		parts := make([]*Summary, 1+r.IntN(8))
		for i := range parts {
			parts[i] = New(1+r.IntN(100), 100)
		}
		for range r.IntN(20000) {
			add2(parts[r.IntN(len(parts))], st)
		}
		list := make([]Part, len(parts))
		for i := range parts {
			list[i] = parts[i].Part()
		}
		st.check(t, Merge(list, 1+r.IntN(300)))
	}
}

// Names that come once push out no name that comes often, and none of them looks frequent.
func TestFlood(t *testing.T) {
	r := randtest.New(t)
	s := New(128, 100)
	for i := range 1_000_000 {
		add(s, "once"+strconv.Itoa(i), 1)
		if i%50 == 0 {
			add(s, "often"+strconv.Itoa(r.IntN(2)), 1)
		}
	}
	often := 0
	for _, it := range s.Items() {
		switch {
		case it.Name == "often0" || it.Name == "often1":
			often++
			if it.Least() < 1000 {
				t.Errorf("%s had %d at least, want nearly 10000", it.Name, it.Least())
			}
		case it.Least() != 1:
			t.Errorf("%s came once and has %d", it.Name, it.Least())
		}
	}
	if often != 2 {
		t.Errorf("%d of 2 frequent names found", often)
	}
}

func TestLongNames(t *testing.T) {
	s := New(10, 3)
	add(s, "abc", 1)
	add(s, "abcd", 5)
	if p := s.Part(); p.Total != 6 || len(p.Items) != 1 || p.Items[0] != (Item{Name: "abc", Count: 1}) {
		t.Errorf("%+v", p)
	}
}

// Names whose hashes are equal are told apart.
func TestCollisions(t *testing.T) {
	s := New(2, 10)
	for _, name := range []string{"a", "b", "a", "c", "c", "c"} {
		s.Add(7, []byte(name), 1)
	}
	if got := s.Items(); got[0] != (Item{"c", 4, 1}) || got[1] != (Item{"a", 2, 0}) {
		t.Errorf("%+v", got)
	}
}

func TestWindows(t *testing.T) {
	w := NewWindows(4, 10)
	put := func(name string) { w.Add(maphash.String(seed, name), []byte(name), 1) }
	put("a")
	put("a")
	if p := w.Last(); len(p.Items) != 0 {
		t.Errorf("before the first turn: %+v", p)
	}
	w.Turn()
	put("b")
	first := w.Last()
	if len(first.Items) != 1 || first.Items[0] != (Item{Name: "a", Count: 2}) || first.Total != 2 {
		t.Errorf("first window: %+v", first)
	}
	if p := w.Running(); len(p.Items) != 1 || p.Items[0].Name != "b" {
		t.Errorf("running: %+v", p)
	}
	w.Turn()
	if p := w.Last(); len(p.Items) != 1 || p.Items[0] != (Item{Name: "b", Count: 1}) || first.Items[0].Name != "a" {
		t.Errorf("second window: %+v, first: %+v", p, first)
	}
	if w.Memory() <= 0 {
		t.Error("no memory")
	}
	w.Reset()
	if len(w.Last().Items)+len(w.Running().Items) != 0 {
		t.Error("not empty after Reset")
	}
}

func TestAddAllocates(t *testing.T) {
	s := New(64, 100)
	names := make([][]byte, 1000)
	for i := range names {
		names[i] = []byte("name" + strconv.Itoa(i+1000))
	}
	i := 0
	next := func() {
		name := names[i%len(names)]
		s.Add(maphash.Bytes(seed, name), name, 1)
		i++
	}
	for range 2000 {
		next()
	}
	if n := testing.AllocsPerRun(2000, next); n != 0 {
		t.Errorf("%v allocations per addition", n)
	}
}

func TestMemory(t *testing.T) {
	s := New(100, 100)
	empty := s.Memory()
	for i := range 100 {
		add(s, "name"+strconv.Itoa(i), 1)
	}
	if full := s.Memory(); full < empty+100*(24+8+24+8+5) || full > empty+100*200 {
		t.Errorf("%d bytes empty, %d full", empty, full)
	}
}
