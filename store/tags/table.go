package tags

import (
	"bytes"
	"encoding/binary"

	"github.com/larderkv/larder/store/arena"
)

// table finds a stripe's records by hash: extendible hashing (Fagin, Nievergelt, Pippenger, Strong,
// TODS 1979). A directory leads from the upper bits of a hash's fragment to a segment, which is an
// open-addressing table of at most 4 KiB. A segment that is full grows by an eighth, and one that is
// as long as may be is divided in two. So no insertion moves more than 511 slots, and the
// slots are 80 to 89 % full; one table that doubles is so between 44 and 88 %.
//
// A slot has the record's Ref and the fragment, which is all that growth needs: it reads no record.
// The place of a fragment in its segment follows the order of its bits, for segments of any length.
type table struct {
	segments []uint64 // Refs, by the upper bits of a fragment; 0: no tag has those
	depth    uint     // how many bits
	tags     int
}

const (
	fragmentBits = 25
	slotSize     = 8
	leastSlots   = 7   // 64 bytes with the header
	mostSlots    = 511 // 4 KiB; above, the arena's classes are too far apart
	mostDepth    = fragmentBits - 9

	fillNum, fillDen = 8, 9 // how full a segment may be
	thinDen          = 3    // one that is less than a third full is made shorter
)

// segment is a header of 8 bytes, tags<<32 | slots<<8 | depth, and its slots: fragment<<39 | Ref, or 0.
// All its fragments have depth upper bits in common.
type segment []byte

func (g segment) header() uint64 { return binary.LittleEndian.Uint64(g) }

func (g segment) tags() int { return int(g.header() >> 32) }

func (g segment) slots() int { return int(g.header() >> 8 & (1<<24 - 1)) }

func (g segment) depth() uint { return uint(g.header() & 0xFF) }

func (g segment) addTags(n int) { binary.LittleEndian.PutUint64(g, g.header()+uint64(n)<<32) }

func (g segment) slot(i int) uint64 { return binary.LittleEndian.Uint64(g[slotSize+slotSize*i:]) }

func (g segment) setSlot(i int, v uint64) {
	binary.LittleEndian.PutUint64(g[slotSize+slotSize*i:], v)
}

func refOf(slot uint64) Ref { return Ref(slot & (1<<arena.RefBits - 1)) }

func fragmentOf(slot uint64) uint32 { return uint32(slot >> arena.RefBits) }

// home is the slot where the search for a fragment begins.
func (g segment) home(fragment uint32) int {
	rest := fragment << (32 - fragmentBits) << g.depth()
	return int(uint64(rest) * uint64(g.slots()) >> 32)
}

func (g segment) next(i int) int {
	if i++; i < g.slots() {
		return i
	}
	return 0
}

// put adds a slot; there is room.
func (g segment) put(slot uint64) {
	i := g.home(fragmentOf(slot))
	for g.slot(i) != 0 {
		i = g.next(i)
	}
	g.setSlot(i, slot)
	g.addTags(1)
}

func (t *table) index(fragment uint32) int { return int(fragment >> (fragmentBits - t.depth)) }

// find returns a tag's record, 0 if there is none.
func (t *table) find(mem []byte, k key) Ref {
	if len(t.segments) == 0 {
		return 0
	}
	at := Ref(t.segments[t.index(k.fragment)])
	if at == 0 {
		return 0
	}
	g := segment(mem[at.Off():])
	for i := g.home(k.fragment); ; i = g.next(i) {
		slot := g.slot(i)
		if slot == 0 {
			return 0
		}
		if fragmentOf(slot) != k.fragment {
			continue
		}
		rec := record(mem[refOf(slot).Off():])
		if rec.mark() == k.mark && bytes.Equal(rec.name(), k.name) {
			return refOf(slot)
		}
	}
}

// insert adds a record that is not there.
func (t *table) insert(s *stripe, fragment uint32, r Ref) {
	if len(t.segments) == 0 {
		t.segments = make([]uint64, 1)
	}
	t.tags++
	for {
		i := t.index(fragment)
		if t.segments[i] == 0 {
			at, _ := s.newSegment(leastSlots, t.depth)
			t.segments[i] = uint64(at)
		}
		g := segment(s.mem[Ref(t.segments[i]).Off():])
		n, slots := g.tags()+1, g.slots()
		switch {
		case n*fillDen <= slots*fillNum:
			g.put(uint64(fragment)<<arena.RefBits | uint64(r))
			return
		case slots < mostSlots:
			t.resize(s, i, min(slots+slots/8+2, mostSlots))
		case g.depth() == mostDepth: // 2^31 tags and more
			t.resize(s, i, slots+slots/8)
		default:
			t.divide(s, i)
		}
	}
}

// newSegment makes an empty segment of as many slots at least.
func (s *stripe) newSegment(slots int, depth uint) (Ref, segment) {
	size := slotSize + slotSize*slots
	if slots < mostSlots {
		size = arena.RoundUp(size)
	}
	at := s.ar.Alloc(size)
	g := segment(s.mem[at.Off():][:size])
	clear(g)
	binary.LittleEndian.PutUint64(g, uint64(size/slotSize-1)<<8|uint64(depth))
	return at, g
}

// resize gives the segment at an index another number of slots.
func (t *table) resize(s *stripe, i, slots int) {
	old := Ref(t.segments[i])
	g := segment(s.mem[old.Off():])
	at, to := s.newSegment(slots, g.depth())
	for j := range g.slots() {
		if slot := g.slot(j); slot != 0 {
			to.put(slot)
		}
	}
	t.replace(i, g.depth(), at)
	s.ar.Free(old)
}

// replace has all indexes that lead to a segment of such a depth lead to another one.
func (t *table) replace(i int, depth uint, at Ref) {
	n := 1 << (t.depth - depth)
	first := i &^ (n - 1)
	for j := first; j < first+n; j++ {
		t.segments[j] = uint64(at)
	}
}

// divide makes two segments out of the one at an index.
func (t *table) divide(s *stripe, i int) {
	old := Ref(t.segments[i])
	g := segment(s.mem[old.Off():])
	depth := g.depth() + 1
	if depth > t.depth {
		wide := make([]uint64, 2*len(t.segments))
		for j := range wide {
			wide[j] = t.segments[j/2]
		}
		t.segments, t.depth, i = wide, depth, 2*i
	}
	var counts [2]int
	half := func(slot uint64) int { return int(fragmentOf(slot) >> (fragmentBits - depth) & 1) }
	for j := range g.slots() {
		if slot := g.slot(j); slot != 0 {
			counts[half(slot)]++
		}
	}
	var halves [2]segment
	n := 1 << (t.depth - depth)
	first := i &^ (2*n - 1)
	for h := range halves {
		var at Ref
		at, halves[h] = s.newSegment(fitting(counts[h]), depth)
		t.replace(first+h*n, depth, at)
	}
	for j := range g.slots() {
		if slot := g.slot(j); slot != 0 {
			halves[half(slot)].put(slot)
		}
	}
	s.ar.Free(old)
}

// fitting is the number of slots for so many tags and a few more.
func fitting(tags int) int { return max(leastSlots, tags+tags/5+2) }

// remove takes out a record, which is there.
func (t *table) remove(s *stripe, fragment uint32, r Ref) {
	i := t.index(fragment)
	at := Ref(t.segments[i])
	g := segment(s.mem[at.Off():])
	hole := g.home(fragment)
	for refOf(g.slot(hole)) != r {
		hole = g.next(hole)
	}
	g.close(hole)
	g.addTags(-1)
	t.tags--
	switch n := g.tags(); {
	case n == 0:
		t.replace(i, g.depth(), 0)
		s.ar.Free(at)
		if t.tags == 0 && t.depth > 0 {
			*t = table{}
		}
	case g.slots() > leastSlots && n < g.slots()/thinDen:
		t.resize(s, i, fitting(n))
	}
}

// close empties a slot and moves what follows, so that every search still ends at an empty slot behind
// what it looks for.
func (g segment) close(hole int) {
	for i := g.next(hole); g.slot(i) != 0; i = g.next(i) {
		// What has its home behind the hole, up to where it is, stays.
		home := g.home(fragmentOf(g.slot(i)))
		stays := hole < home && home <= i
		if hole > i {
			stays = hole < home || home <= i
		}
		if !stays {
			g.setSlot(hole, g.slot(i))
			hole = i
		}
	}
	g.setSlot(hole, 0)
}

// from calls f with the records of the segment in which a fragment would be, whose fragments are not
// below it. It returns the first fragment behind the segment, and how many tags that has.
func (t *table) from(mem []byte, fragment uint32, f func(record)) (next uint32, n int) {
	i, depth := t.index(fragment), t.depth
	if at := Ref(t.segments[i]); at != 0 {
		g := segment(mem[at.Off():])
		depth, n = g.depth(), g.tags()
		for j := range g.slots() {
			if slot := g.slot(j); slot != 0 && fragmentOf(slot) >= fragment {
				f(record(mem[refOf(slot).Off():]))
			}
		}
	}
	return (fragment>>(fragmentBits-depth) + 1) << (fragmentBits - depth), n
}
