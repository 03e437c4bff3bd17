package tags

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// newDirectory makes a directory in a heap of its own.
func newDirectory(t testing.TB, wake func()) (*Directory, *arena.Heap) {
	t.Helper()
	heap, err := arena.NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := heap.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(heap, wake), heap
}

// id is what a tag is known by.
type id struct {
	mark uint32
	name string
}

// modelTag is a tag as it should be.
type modelTag struct {
	links map[uint64]uint64 // stamps, by the keys that are neither gone nor unlinked
	stale map[uint64]bool   // those of them that a soft invalidation has met
	refs  int
	last  uint64 // stamp
}

// link is what a key has: it may be gone.
type link struct {
	tag   id
	ref   Ref
	stamp uint64
}

// model drives a directory and knows what it should say.
type model struct {
	t     *testing.T
	d     *Directory
	rnd   *rand.Rand
	tags  map[id]*modelTag
	keys  map[uint64]link // by place
	next  uint64          // place
	woken int
	spare []link // copies that snapshots have
}

func newModel(t *testing.T) (*model, *arena.Heap) {
	m := &model{t: t, rnd: randtest.New(t), tags: map[id]*modelTag{}, keys: map[uint64]link{}}
	d, heap := newDirectory(t, func() { m.woken++ })
	m.d = d
	return m, heap
}

func (m *model) randomID() id {
	n := m.rnd.IntN(40)
	if m.rnd.IntN(2) == 0 {
		n %= 3 // long lists
	}
	return id{mark: uint32(m.rnd.IntN(2)) << 20, name: fmt.Sprintf("tag:%0*d", n%30, n)}
}

func (m *model) randomKey() (uint64, link, bool) {
	for i := range uint64(50) {
		place := m.rnd.Uint64N(m.next+1) + i
		if l, ok := m.keys[place]; ok {
			return place, l, true
		}
	}
	return 0, link{}, false
}

func (m *model) link() {
	i := m.randomID()
	r := m.d.Hold(i.mark, []byte(i.name))
	m.next++
	place := m.next
	stamp := m.d.Link(r, place)
	t := m.tags[i]
	if t == nil {
		t = &modelTag{links: map[uint64]uint64{}, stale: map[uint64]bool{}}
		m.tags[i] = t
	}
	if stamp <= t.last {
		m.t.Fatalf("stamp %d after %d", stamp, t.last)
	}
	t.last = stamp
	t.refs++
	t.links[place] = stamp
	m.keys[place] = link{tag: i, ref: r, stamp: stamp}
	if string(m.d.Name(r)) != i.name || m.d.Mark(r) != i.mark {
		m.t.Fatalf("tag %v is called %q %d", i, m.d.Name(r), m.d.Mark(r))
	}
}

// unlink removes a key, whether it is gone or not, as expiry and eviction do.
func (m *model) unlink(place uint64, l link) {
	m.d.Unlink(l.ref, l.stamp)
	delete(m.tags[l.tag].links, place)
	delete(m.tags[l.tag].stale, place)
	delete(m.keys, place)
	m.drop(l)
}

func (m *model) drop(l link) {
	m.d.Drop(l.ref)
	t := m.tags[l.tag]
	if t.refs--; t.refs == 0 {
		delete(m.tags, l.tag)
	}
}

func (m *model) invalidate(soft bool) {
	i := m.randomID()
	t, want := m.tags[i], 0
	if t != nil {
		want = len(t.links)
		if soft {
			want -= len(t.stale)
			for place := range t.links {
				t.stale[place] = true
			}
		} else {
			clear(t.links)
			clear(t.stale)
		}
	}
	if n := m.d.Invalidate(i.mark, []byte(i.name), soft); n != int64(want) {
		m.t.Fatalf("Invalidate(%v, %v) = %d, want %d", i, soft, n, want)
	}
}

// sweep does what the store does with a batch.
func (m *model) sweep(places []Place, during func()) int {
	j, n := m.d.Sweep(places)
	for _, p := range places[:n] {
		during()
		l, ok := m.keys[p.At()]
		if !ok || l.ref != j.Ref || uint16(l.stamp) != p.Stamp() {
			continue
		}
		gone, stale := m.d.Relist(l.ref, p, l.stamp)
		m.verify(p.At(), l, gone, stale)
		if gone {
			m.unlink(p.At(), l)
		}
	}
	return n
}

func (m *model) verify(place uint64, l link, gone, stale bool) {
	m.t.Helper()
	t := m.tags[l.tag]
	if _, live := t.links[place]; live == gone {
		m.t.Fatalf("key %d of %v: gone %v", place, l.tag, gone)
	}
	if !gone && t.stale[place] != stale {
		m.t.Fatalf("key %d of %v: stale %v", place, l.tag, stale)
	}
}

func (m *model) step() {
	switch n := m.rnd.IntN(1000); {
	case n < 480:
		m.link()
	case n < 900:
		if place, l, ok := m.randomKey(); ok {
			m.unlink(place, l)
		}
	case n < 930:
		if _, l, ok := m.randomKey(); ok {
			m.d.Retain(l.ref)
			m.tags[l.tag].refs++
			m.spare = append(m.spare, l)
		}
	case n < 960 && len(m.spare) > 0:
		m.drop(m.spare[len(m.spare)-1])
		m.spare = m.spare[:len(m.spare)-1]
	case n < 970:
		m.invalidate(true)
	case n < 972:
		m.invalidate(false)
	default:
		if place, l, ok := m.randomKey(); ok {
			gone, stale := m.d.State(l.ref, l.stamp)
			m.verify(place, l, gone, stale)
		}
	}
}

// drain sweeps until nothing is left to do.
func (m *model) drain() {
	for places := make([]Place, 100); m.sweep(places, func() {}) > 0; {
	}
	if m.d.Pending() || m.d.PendingEntries() != 0 {
		m.t.Fatalf("%d jobs, %d entries are left", m.d.Jobs(), m.d.PendingEntries())
	}
}

// compare compares everything that can be asked.
func (m *model) compare() {
	m.t.Helper()
	count, records := 0, len(m.tags)
	for i, t := range m.tags {
		live, stale := m.d.Keys(i.mark, []byte(i.name))
		if live != int64(len(t.links)) || stale != int64(len(t.stale)) {
			m.t.Fatalf("%v has %d keys, %d stale, want %d, %d", i, live, stale, len(t.links), len(t.stale))
		}
		if live > 0 {
			count++
		}
	}
	if n := m.d.Count(); n != int64(count) {
		m.t.Fatalf("%d tags have keys, want %d", n, count)
	}
	if n := m.d.Records() - m.d.Jobs(); n > int64(records) {
		m.t.Fatalf("%d tags that have no job, want at most %d", n, records)
	}
}

func TestAgainstModel(t *testing.T) {
	m, heap := newModel(t)
	before := heap.Used()
	places := make([]Place, 64)
	for i := range 150_000 {
		m.step()
		if m.rnd.IntN(200) == 0 {
			// What happens while a batch is in hand must not be missed.
			m.sweep(places[:1+m.rnd.IntN(len(places))], func() {
				if m.rnd.IntN(4) == 0 {
					m.step()
				}
			})
		}
		if i%10_000 == 0 {
			m.compare()
		}
	}
	m.compare()
	m.drain()
	m.compare()
	for place, l := range m.keys {
		gone, stale := m.d.State(l.ref, l.stamp)
		if gone {
			t.Fatalf("key %d of %v is gone and was not swept", place, l.tag)
		}
		m.verify(place, l, gone, stale)
	}
	if n := m.d.Records(); n != int64(len(m.tags)) {
		t.Fatalf("%d tags, want %d", n, len(m.tags))
	}
	for place, l := range m.keys {
		m.unlink(place, l)
	}
	for _, l := range m.spare {
		m.drop(l)
	}
	m.drain()
	if n := m.d.Records(); n != 0 {
		t.Fatalf("%d tags are left", n)
	}
	if m.d.Used() != 0 || heap.Used() != before {
		t.Fatalf("%d bytes are left, the heap has %d", m.d.Used(), heap.Used())
	}
	if m.woken == 0 {
		t.Fatal("nobody was woken")
	}
}

// TestScan: a tag that is there all the time is told once, whatever comes and goes meanwhile.
func TestScan(t *testing.T) {
	rnd := randtest.New(t)
	d, _ := newDirectory(t, nil)
	hold := func(mark uint32, name string) (drop func()) {
		r := d.Hold(mark, []byte(name))
		stamp := d.Link(r, 1)
		return func() {
			d.Unlink(r, stamp)
			d.Drop(r)
		}
	}
	const stays = 3000
	for i := range stays {
		hold(7, fmt.Sprint("stays ", i))
		hold(8, fmt.Sprint("other ", i))
	}
	for range 20 {
		var drops []func()
		var seen []string
		for cursor := uint64(0); ; {
			cursor = d.Scan(7, cursor, 100, func(name []byte, live, stale int64) {
				if live != 1 || stale != 0 {
					t.Fatalf("%s has %d keys, %d stale", name, live, stale)
				}
				if string(name[:5]) == "stays" {
					seen = append(seen, string(name))
				}
			})
			if cursor == 0 {
				break
			}
			for range rnd.IntN(200) {
				drops = append(drops, hold(7, fmt.Sprint("comes ", rnd.Uint64())))
			}
			for len(drops) > 0 && rnd.IntN(100) > 0 {
				drops[len(drops)-1]()
				drops = drops[:len(drops)-1]
			}
		}
		slices.Sort(seen)
		if n := len(slices.Compact(slices.Clone(seen))); n != stays || len(seen) != stays {
			t.Fatalf("%d tags are told, %d different ones", len(seen), n)
		}
		for _, drop := range drops {
			drop()
		}
	}
}

// TestSameName: marks tell tags apart, and so do names that are prefixes of others, or empty.
func TestSameName(t *testing.T) {
	d, _ := newDirectory(t, nil)
	seen := map[Ref]bool{}
	for mark := range uint32(3) {
		for _, name := range []string{"", "a", "aa", string(make([]byte, MaxName))} {
			for _, m := range []uint32{mark, mark << 16, ^mark} {
				r := d.Hold(m, []byte(name))
				if string(d.Name(r)) != name || d.Mark(r) != m {
					t.Fatalf("%q of %d became %q of %d", name, m, d.Name(r), d.Mark(r))
				}
				if again := d.Hold(m, []byte(name)); again != r {
					t.Fatalf("%q of %d is there twice", name, m)
				}
				seen[r] = true
			}
		}
	}
	if len(seen) != 4*8 {
		t.Fatalf("%d tags, want %d", len(seen), 4*8)
	}
	if d.Records() != int64(len(seen)) || d.Count() != 0 {
		t.Fatalf("%d tags, %d with keys", d.Records(), d.Count())
	}
	d.Reset()
	if d.Records() != 0 || d.Used() != 0 || d.Pending() {
		t.Fatal("Reset leaves something")
	}
}
