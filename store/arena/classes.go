package arena

// Size classes.
//
// A class is a slot size; a span is a run of memory cut into slots of one
// class. Three kinds of span exist, so that a span holds at least four slots
// and at most about a thousand:
//
//	kind 0:  8 KiB, slots up to 1 KiB
//	kind 1: 32 KiB, slots up to 8 KiB
//	kind 2: 64 KiB, slots up to 16 KiB
//
// Slot sizes up to 128 bytes are all multiples of eight. Above that a slot
// size is always the span divided by a whole number, rounded down to eight
// (64 from 1 KiB on): no span has a tail too short for another slot, and
// neighbouring classes are 7-14 % apart, above 4 KiB up to 26 %.
// jemalloc's four classes per doubling waste up to 20 % in the slot and the
// tail of the run besides.
//
// Spans are as short as the slots allow, since each arena has a half-open one for each
// size in use. With 4 to 8 KiB in spans of 64 KiB and six sizes instead of four, the free
// slots of bucket arrays alone were 10 % of a million small entries in 64 shards.
//
// 64, 128, 256, 512, 1024 and every class above 1024 are multiples of 64
// bytes, so that a bucket array whose length is the class size begins on a
// cache line.
//
// A block may get a slot of the next classes, up to a quarter larger, when its
// own class has no room and they have: with many shards and values of all sizes a
// span that is hardly used costs more than the larger slot.

const (
	unitShift = 3 // a Ref counts units of eight bytes
	unitSize  = 1 << unitShift

	kinds    = 3
	maxSlots = 1 << 13 / unitSize // in a span of any kind
	maxSmall = 16 << 10           // larger blocks come from the large region
)

// spanShift is the span size of each kind, as a power of two.
var spanShift = [kinds]uint{13, 15, 16}

// class describes one slot size.
type class struct {
	size  uint32
	slots uint16 // slots per span
	kind  uint8
	wider []uint8 // the classes that may stand in for this one, the next first
}

// classTable is built once and never changes.
type classTable struct {
	class []class
	of    [maxSmall/unitSize + 1]uint8 // by (size+7)/8
}

var sizeClasses = buildClasses()

func buildClasses() *classTable {
	t := new(classTable)
	add := func(size uint32, kind uint8) {
		t.class = append(t.class, class{size: size, slots: uint16((1 << spanShift[kind]) / size), kind: kind})
	}
	for size := uint32(8); size <= 128; size += 8 {
		add(size, 0)
	}
	last := uint32(128)
	divide := func(kind uint8, limit, align uint32) {
		span := uint32(1) << spanShift[kind]
		for n := span / last; n >= 1; n-- {
			size := span / n &^ (align - 1)
			if size > limit {
				break
			}
			exact := size&(size-1) == 0
			if size <= last || (!exact && size < last+last/14) {
				continue
			}
			add(size, kind)
			last = size
		}
	}
	divide(0, 1<<10, 8)
	divide(1, 8<<10, 64)
	divide(2, maxSmall, 64)
	for c := range t.class {
		t.class[c].wider = t.widerThan(c)
	}
	c := 0
	for i := range t.of {
		for int(t.class[c].size) < i*unitSize {
			c++
		}
		t.of[i] = uint8(c)
	}
	return t
}

// widerThan finds what may stand in for a class. Where slots begin on cache
// lines, they do so there as well.
func (t *classTable) widerThan(c int) (wider []uint8) {
	size := t.class[c].size
	for w := c + 1; w < len(t.class) && t.class[w].size <= size+size/4; w++ {
		if size%64 != 0 || t.class[w].size%64 == 0 {
			wider = append(wider, uint8(w))
		}
	}
	return wider
}

// largeRound gives the virtual size of a large block: eight steps per
// doubling. What the owner never touches is not resident, so the rounding
// costs address space only and leaves room for a value to grow in place.
func largeRound(n int) int {
	shift := 0
	for n>>shift > 16 {
		shift++
	}
	step := 1 << shift
	if step < largePage {
		step = largePage
	}
	return (n + step - 1) &^ (step - 1)
}
