package store

import (
	"math/bits"
	"unsafe"

	"github.com/larderkv/larder/store/arena"
)

// What lookups know of keys that are gone: whether they expired, were evicted or were deleted.
//
// # Layout
//
// Each shard remembers what went lately in sets of sixteen entries of sixteen bits: two for the
// reason, fourteen of a hash of name and database, half a cache line for a set. An entry goes to the
// front of its set and pushes the last one out. There are departureEntries in all shards together,
// 1 MiB. They are made when the first key goes, and kept.
//
// # What it knows
//
// A key that was never there is taken for one that went with a chance of 16 in 16,384, 0.1 %, if all
// sets are full. A key that went is forgotten when sixteen others of its set have gone since, so
// which ones are still known is a matter of chance: of the last half as many keys as there are
// entries (262,144) 99.9 % are, of the last full number 90 % (TestDepartures measures all three). A
// key that is forgotten counts as one that was never there. So do all keys of a database that was
// flushed, since nobody looks at them then.
//
// # Cost
//
// 2 bytes for a key that went. A lookup that finds nothing, and a key that goes, touch one cache line.
//
// Rejected: a Bloom or cuckoo filter for each reason, which has to be thrown away as a whole to forget
// anything; names or 32 bits of the hash, which take twice the memory and more for an error that
// nobody would see in a statistic.

// reasonGone is why a key is no longer there.
type reasonGone uint16

const (
	neverThere reasonGone = iota
	goneExpired
	goneEvicted
	goneDeleted
)

const (
	departureEntries = 1 << 19 // in all shards
	departureWays    = 16
	departureBits    = 14 // of a hash
)

// departures is what a shard remembers.
type departures struct {
	sets []departureSet // a power of two; nil until a key goes
}

// departureSet is sixteen entries, the latest at the low end of the first word.
type departureSet [departureWays / 4]uint64

// departed hashes the upper 40 bits of a key's hash, all that the sweep of tags begins with, and its
// database, whose mark goes with it in SWAPDB.
func (s *Store) departed(db int, hash uint64) uint64 {
	return (hash>>24 ^ uint64(s.dbMarks[db])*0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93
}

// departures is the number of sets of a shard, a power of two.
func (s *Store) departures() int {
	return departureEntries / departureWays >> bits.TrailingZeros(uint(len(s.shards)))
}

func (d *departures) set(h uint64) *departureSet { return &d.sets[h>>32&uint64(len(d.sets)-1)] }

// prefetch begins to load what note will change.
func (d *departures) prefetch(h uint64) {
	if d.sets != nil {
		arena.Prefetch((*byte)(unsafe.Pointer(d.set(h))))
	}
}

// note remembers that a key has gone. n is the number of sets to make if there is none.
func (d *departures) note(h uint64, reason reasonGone, n int) {
	if d.sets == nil {
		d.sets = make([]departureSet, n)
	}
	d.set(h).push(uint64(reason)<<departureBits | h>>(64-departureBits))
}

// find is why a key is not there, as far as is known.
func (d *departures) find(h uint64) reasonGone {
	if d.sets == nil {
		return neverThere
	}
	want := h >> (64 - departureBits) * eachEntry
	for _, word := range d.set(h) {
		if m := matching(word, want); m != 0 {
			return reasonGone(word >> (firstEntry(m) + departureBits) & 3)
		}
	}
	return neverThere
}

// What entries of a word are compared by, all four at once.
const (
	eachEntry = 0x0001_0001_0001_0001
	hashBits  = (1<<departureBits - 1) * eachEntry
	topBits   = 1 << 15 * eachEntry
)

// matching has the highest bit of each entry that is in use and has the same hash as that of want. No
// sum passes into the next entry.
func matching(word, want uint64) uint64 {
	return (word | word<<1) &^ differing(word, want) & topBits
}

// differing has the highest bit of each entry that has another hash than that of want.
func differing(word, want uint64) uint64 { return (word^want)&hashBits + (topBits - eachEntry) }

// firstEntry is where the first entry that matching has found begins, in bits.
func firstEntry(m uint64) int { return bits.TrailingZeros64(m) - 15 }

// push puts an entry to the front and drops the last one, or an older entry of the same key.
func (set *departureSet) push(entry uint64) {
	want := entry & (1<<departureBits - 1) * eachEntry
	a, b, c, d := set[0], set[1], set[2], set[3]
	if differing(a, want)&differing(b, want)&differing(c, want)&differing(d, want)&topBits == topBits {
		set[0], set[1], set[2], set[3] = a<<16|entry, b<<16|a>>48, c<<16|b>>48, d<<16|c>>48
		return
	}
	set.renew(entry, want)
}

// renew is push where there may be an older entry.
func (set *departureSet) renew(entry, want uint64) {
	carry := entry
	for i := range set {
		word := set[i]
		if m := matching(word, want); m != 0 { // what stands in front of it moves up by one
			at := firstEntry(m)
			below := word & (1<<at - 1)
			above := word &^ (1<<at<<16 - 1)
			set[i] = above | below<<16 | carry
			return
		}
		set[i] = word<<16 | carry
		carry = word >> 48
	}
}
