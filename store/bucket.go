package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/arena"
)

// bucket is one cache line of a table. The header, from the low end:
//
//	count     4 bits   slots in use, the first ones
//	overflow  4 bits   records that passed this bucket because it was full,
//	                   the lower bits
//	guests    4 bits   how many of the slots in use hold records whose home
//	                   is an earlier bucket; they are the last ones
//	overflow  2 bits   the upper bits; 63 sticks until the sub-table is rebuilt
//	hint     18 bits   the first tick at which a record may have expired, modulo
//	                   2^18 (expire.go), 0 for none
type bucket [bucketSize]byte

const (
	slots    = 10
	refsAt   = slots
	headerAt = 60

	overflowShift, guestShift, hintShift = 4, 8, 14

	hintBits = 18
	hintMask = 1<<hintBits - 1

	maxOverflow  = 63
	highOverflow = 0x30 // its upper bits, in the overflow and in the header's second byte
)

func (b *bucket) header() uint32     { return binary.LittleEndian.Uint32(b[headerAt:]) }
func (b *bucket) setHeader(h uint32) { binary.LittleEndian.PutUint32(b[headerAt:], h) }

func (b *bucket) count() uint8    { return b[headerAt] & 0xF }
func (b *bucket) overflow() uint8 { return b[headerAt]>>overflowShift | b[headerAt+1]&highOverflow }
func (b *bucket) guests() uint8   { return b[headerAt+1] & 0xF }

func (b *bucket) tag(slot uint8) uint8 { return b[slot] }

// ref is the reference of a slot's record.
func (b *bucket) ref(slot uint8) arena.Ref { return b.raw(slot) &^ parityBit }

// The parity bit above the reference reports whether a running snapshot has the
// record: see snapshot.go. A reference with it is called raw; whatever moves a
// slot moves it raw.
const (
	parityBit  arena.Ref = 1 << arena.RefBits
	parityByte           = byte(parityBit >> 32)
)

func (b *bucket) raw(slot uint8) arena.Ref {
	i := refsAt + 5*uint(slot)
	if slot == slots-1 { // bytes 55 to 60, read with what stands before them
		return arena.Ref(binary.LittleEndian.Uint64(b[headerAt-8:]) >> 24)
	}
	return arena.Ref(binary.LittleEndian.Uint64(b[i:i+8]) & (1<<40 - 1))
}

func (b *bucket) setRaw(slot uint8, raw arena.Ref) {
	i := refsAt + 5*uint(slot)
	binary.LittleEndian.PutUint32(b[i:], uint32(raw))
	b[i+4] = byte(raw >> 32)
}

// setRef points a slot at its record's new place.
func (b *bucket) setRef(slot uint8, ref arena.Ref) { b.setRaw(slot, b.parity(slot)|ref) }

func (b *bucket) parity(slot uint8) arena.Ref {
	return arena.Ref(b[refsAt+5*uint(slot)+4]&parityByte) << 32
}

func (b *bucket) setParity(slot uint8, parity arena.Ref) {
	i := refsAt + 5*uint(slot) + 4
	b[i] = b[i]&^parityByte | byte(parity>>32)
}

func (b *bucket) set(slot uint8, tag uint8, raw arena.Ref) {
	b[slot] = tag
	b.setRaw(slot, raw)
}

// match returns a word with bit i set when slot i is in use and may have the tag. Eight tags are
// compared at once; a borrow can report a slot beside a real match, which the comparison of keys
// sorts out.
func (b *bucket) match(tag uint8) uint64 {
	const ones, highs, gather = 0x0101010101010101, 0x8080808080808080, 0x0102040810204080
	x := binary.LittleEndian.Uint64(b[:]) ^ ones*uint64(tag)
	m := (x - ones) &^ x & highs // bit 8i+7
	m = m >> 7 * gather >> 56    // to bit i: no two bits of the product meet
	if b[8] == tag {
		m |= 1 << 8
	}
	if b[9] == tag {
		m |= 1 << 9
	}
	return m & (1<<(b.count()&15) - 1)
}

// addResident puts a record whose home this is before the guests.
func (b *bucket) addResident(tag uint8, raw arena.Ref) uint8 {
	n, g := b.count(), b.guests()
	slot := n - g
	if g > 0 {
		b.set(n, b.tag(slot), b.raw(slot))
	}
	b.set(slot, tag, raw)
	b.setHeader(b.header() + 1)
	return slot
}

// addGuest puts a record that found its home full.
func (b *bucket) addGuest(tag uint8, raw arena.Ref) uint8 {
	slot := b.count()
	b.set(slot, tag, raw)
	b.setHeader(b.header() + 1 + 1<<guestShift)
	return slot
}

// remove empties a slot; the last resident and the last guest move up.
func (b *bucket) remove(slot uint8) {
	n, g := b.count(), b.guests()
	h := b.header() - 1
	if slot >= n-g {
		h -= 1 << guestShift
	} else if last := n - g - 1; last != slot {
		b.set(slot, b.tag(last), b.raw(last))
		slot = last
	}
	if slot != n-1 {
		b.set(slot, b.tag(n-1), b.raw(n-1))
	}
	if n == 1 {
		h &^= hintMask << hintShift
	}
	b.setHeader(h)
}

// passed counts a record that went on to the next bucket, or came back.
func (b *bucket) passed(delta int) {
	if o := b.overflow(); o < maxOverflow {
		o = uint8(int(o) + delta)
		b[headerAt] = b[headerAt]&0xF | o<<overflowShift
		b[headerAt+1] = b[headerAt+1]&^highOverflow | o&highOverflow
	}
}

func (b *bucket) hint() uint32 { return b.header() >> hintShift }

func (b *bucket) setHint(h uint32) {
	b.setHeader(b.header()&(1<<hintShift-1) | h<<hintShift)
}

// lowerHint takes a record's hint into account.
func (b *bucket) lowerHint(h uint32) {
	if old := b.hint(); old == 0 || earlier(h, old) {
		b.setHint(h)
	}
}

// inheritHint is for a record that moved here from another bucket.
func (b *bucket) inheritHint(from *bucket) {
	if h := from.hint(); h != 0 {
		b.lowerHint(h)
	}
}
