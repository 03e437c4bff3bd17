package eviction

import "math/bits"

// Arrivals remembers which keys came to a part of a cache last, for LHD, and for LFU those that come
// back. It belongs to whoever holds the lock of that part.
//
// # The latest ones
//
// Most keys of a cache that has too little room are asked for once, so a new entry is as often as
// not the best victim there is; and among candidates drawn from the whole cache there is hardly
// ever one. The last of them are therefore offered to the Evictor beside those that it draws:
// that is what an admission policy does, but that a write is never refused. They also are the
// cheapest candidates, since their cache lines have just been written.
//
// # Keys that come back
//
// A key that comes again soon after it was evicted was evicted too early, and should not have to
// prove itself anew. A table of 8 bits for each key tells so: eight keys share a word, which is a
// queue of the last eight that fell to it. How far it remembers is twice the entries of the
// part, by the number of words in use, and at most rememberedKeys; beyond that many
// entries it forgets too soon to be of use, and costs nothing to speak of. One key in 32 is
// taken for another one that was there.
//
// Only insertions look at the table. To note evictions instead would need the hashes of victims.
type Arrivals struct {
	latest [LatestArrivals]Arrival
	n      uint32 // arrivals so far, as long as latest is not full, and then its place for the next
	full   bool
	seen   [rememberedKeys / 8]uint64
}

// Arrival is the hash of a key that was inserted, and its database.
type Arrival struct {
	Hash uint64
	DB   int32
}

const (
	// LatestArrivals is how many of the latest keys there are at most.
	LatestArrivals = 16

	rememberedKeys = 1024
	rememberTimes  = 2 // the entries

	eachByte, highBits = 0x0101010101010101, 0x8080808080808080
)

// Note remembers a key that is inserted into a part of so many entries, and reports whether
// it has been here lately. Two equal hashes are the same key.
func (a *Arrivals) Note(hash uint64, db int32, entries int) (again bool) {
	a.latest[a.n] = Arrival{hash, db}
	if a.n++; a.n == LatestArrivals {
		a.n, a.full = 0, true
	}
	// The number of words is a power of two, from 3/4 to 1.5 of what is asked for.
	words := 1 << (bits.Len64(uint64(entries)*rememberTimes*3/2/8|1) - 1)
	mixed := hash * 0x9E3779B97F4A7C15 // other bits of the hash chose the part and the bucket
	w := &a.seen[mixed>>32&uint64(min(words, len(a.seen))-1)]
	tag := max(mixed>>56, 1) // 0 is where there was nobody yet
	differ := *w ^ tag*eachByte
	*w = *w<<8 | tag
	return (differ-eachByte)&^differ&highBits != 0
}

// Latest returns the last keys that were inserted, in no order. The result is valid until the
// next call of Note.
func (a *Arrivals) Latest() []Arrival {
	if a.full {
		return a.latest[:]
	}
	return a.latest[:a.n]
}
