package store

// Statistics by prefix.
//
// A prefix is what stands in a key's name in front of a delimiter, so many levels deep: of
// "user:7:cart" it is "user" at depth 1 and "user:7" at depth 2. A name with fewer delimiters has as
// many levels as it has; a name with none in its first longestPrefix+1 bytes has the empty prefix.
// For each of up to PrefixRule.Most prefixes it is counted what happens to their keys, in all
// databases, and how many there are; the rest is one row, "(other)". PrefixStats lists what there is.
//
// # Who writes what, under which lock
//
//	names      prefixTable: which prefix has which slot. It is never changed but replaced by a
//	           copy, with prefixing.mu held, and read through an atomic pointer.
//	counters   tally, one for each slot in each shard. The shard's lock covers it, which a
//	           command that touches the key holds in any case. No loop writes what another one
//	           reads, but for a shard that both use, whose lock they pass to and fro anyway.
//	keys,      stock, one for each slot in each table of the keyspace, so that FLUSHDB drops and
//	bytes,     SWAPDB carries them without a look. The shard's lock covers them.
//	times
//
// # Slots
//
// Store.Key looks a name's prefix up when it hashes the name, without any lock: Key.slot, and with
// it Key.gen, the number of the table that said so. Under the lock the shard compares that number
// with its own; if they are equal, which they nearly always are, the slot is an index into its
// tallies. Otherwise it follows the newest table and looks once more. So each shard goes from one
// table to the next at a moment of its own, under its lock, and no count goes astray meanwhile.
//
// Slot 0 is that of stores without statistics: their shards have one tally, which nobody reads, so
// that counting needs no branch. Slot 1 is "(other)".
//
// # Keys and bytes
//
// Nobody reports that a record was made, has grown or is gone. A keyspace table knows the number of
// its records, their bytes and their times to live to the unit (table.n, bytes-arrays, ttls,
// until). When an operation on a key is over, View.Changed, which every mutator ends with, finds by
// how much these four differ from what has been booked, and books the difference to the key's
// prefix. So a record's way through allocation, copies for a snapshot and size classes needs no
// hooks, and cannot be counted wrongly. What the store removes by itself is booked in shard.removed,
// what is read from a file in View.booked. With the tag invariants every unlocking checks that
// nothing is left to book.
//
// Big values have a body (body.go), whose bytes change on their own when a snapshot ends or
// compaction comes by. So a body knows whom it is booked to (bill), and whoever has got at a body
// leaves it with the shard (touched) for the next booking.
//
// # Old keys
//
// As long as no key is under "(other)", a prefix that is seen for the first time has no keys, and
// its slot counts exactly from the start: so do the first Most prefixes. A prefix that gets a slot
// later has keys under "(other)" already. The maintenance walks over the tables, some buckets at a
// time, and moves them: prefixwalk.go.
//
// # The choice
//
// The first Most prefixes get a slot at their first sight. Then a slot changes hands only at the end
// of a window of ten seconds, from the least used to a prefix that was clearly used more:
// prefixchoice.go.
//
// # Cost
//
// A command pays for the end of its prefix (one or two words are looked at at once), a multiplication
// or two for its hash, one probe, and additions in its tally. One that changes something pays for the
// comparison of three sums of its table, one that makes or removes a key for additions to a stock, and
// one that removes it for the cache line where that is remembered. In pipelines of sixteen, without the
// network and without readings of the clock and samples of hot keys, which valgrind has too many of
// (callgrind of BenchmarkPrefixes in server/commands, built with cmd/larder/default.pgo), instructions:
//
//	                         off     on
//	GET                     2170   2280   5 %
//	SET of a key            2565   2745   7 %
//	SET EX of a key         3650   3925   8 %
//	SET of a new key, DEL   5900   6640  12 %
//
// What is inlined and what stands together in memory matters as much as instructions do: measure
// the compiler's profile anew (make profile) when these paths change. With a thousand prefixes a
// shard has 96 KB of tallies and 31 KB of stock for each database in use: 1 MB for eight shards.
//
// # Rejected
//
// Two bytes of the slot in each record: memory of every key, and slots could not change hands
// without a walk. Counters by loop rather than by shard, as those of commands are (server/stats):
// with 64 loops a thousand prefixes would take 64 times the memory, and a slot that changes hands
// needs a moment at which nobody uses it, which a lock gives for nothing. A map from names to
// counters in each shard: an allocation or a string comparison behind a pointer for each lookup.

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// PrefixRule says what a prefix is and how many are tracked. The zero value is none at all.
type PrefixRule struct {
	Delimiter byte
	Depth     int // levels, at least 1
	Most      int // prefixes that are tracked, up to MaxPrefixes; 0: nothing is counted
}

// MaxPrefixes is the largest number of prefixes that can be tracked.
const MaxPrefixes = 10000

// longestPrefix is the length up to which a prefix is looked for, in bytes.
const longestPrefix = 255

// The slots with a meaning of their own.
const (
	noSlot    = 0 // nothing is counted
	otherSlot = 1 // what is not tracked
	firstSlot = 2
)

// prefixTable is an immutable state of which prefixes have a slot.
type prefixTable struct {
	PrefixRule
	gen     uint16        // the lower bits of number, never 0: what a Key remembers
	shift   uint8         // of a hash, to be a place
	pattern uint64        // eight delimiters; 0 where a prefix may have several levels
	factors [2]uint64     // of the hash
	places  []prefixPlace // open addressing by hash
	number  uint32        // of the table, ascending
	changed uint32        // number of the last table in which a slot changed hands
	names   []prefixName  // by slot; the first two have none
	seed    maphash.Seed  // of what stands for long prefixes
}

// prefixPlace is a prefix where its hash has it. lo and hi are the words of prefixTable.words.
type prefixPlace struct {
	lo, hi uint64
	slot   uint16 // 0: the place is free
}

// prefixName is one tracked prefix.
type prefixName struct {
	name  string
	since uint32 // number of the table that gave it the slot
}

// prefixing is the store's part. mu is a leaf: it may be taken with a shard locked.
type prefixing struct {
	table  atomic.Pointer[prefixTable] // nil: nothing is counted
	mu     sync.Mutex                  // one replaces the table at a time
	number uint32                      // of the last table; mu protects it
	choice prefixChoice
}

// newPrefixTable makes the first table of a rule.
func newPrefixTable(rule PrefixRule, number uint32) *prefixTable {
	t := &prefixTable{
		PrefixRule: rule, number: number, gen: uint16(number), changed: number, names: make([]prefixName, firstSlot),
		factors: [2]uint64{rand.Uint64() | 1, rand.Uint64() | 1}, seed: maphash.MakeSeed(),
	}
	if rule.Depth == 1 {
		t.pattern = uint64(rule.Delimiter) * lowBits
	}
	t.rebuild()
	return t
}

// rebuild makes the places anew, at most half of them in use when all slots are.
func (t *prefixTable) rebuild() {
	size := bits.Len(uint(2 * (t.Most + firstSlot)))
	t.places, t.shift = make([]prefixPlace, 1<<size), uint8(64-size)
	for slot := firstSlot; slot < len(t.names); slot++ {
		t.enter(slot)
	}
}

func (t *prefixTable) enter(slot int) {
	lo, hi := t.words([]byte(t.names[slot].name))
	i := t.home(lo, hi)
	for t.places[i].slot != 0 {
		i = t.after(i)
	}
	t.places[i] = prefixPlace{lo, hi, uint16(slot)}
}

const lowBits, highBits = 0x0101010101010101, 0x8080808080808080

// home is the first place of a prefix. The factors are odd and secret.
func (t *prefixTable) home(lo, hi uint64) int {
	return int((lo + hi*t.factors[1]) * t.factors[0] >> (t.shift & 63))
}

func (t *prefixTable) after(i int) int { return (i + 1) & (len(t.places) - 1) }

// find is the slot of a name's prefix, otherSlot if it has none.
//
// Nearly every prefix ends in the first eight bytes, or else in the first sixteen: the lowest byte of
// a word that equals the delimiter is the lowest that borrows. Up to the delimiter, and with it, the
// bytes are the prefix's words. A free place has none of the first, which has a delimiter in it.
func (t *prefixTable) find(name []byte) uint16 {
	if len(name) < 8 || t.pattern == 0 {
		return t.findAny(name[:t.cut(name)])
	}
	lo := binary.LittleEndian.Uint64(name)
	m := delimiters(lo ^ t.pattern)
	if m == 0 {
		return t.findLonger(name, lo)
	}
	lo &= upTo(m)
	if p := &t.places[t.home(lo, 0)]; p.lo == lo && p.hi == 0 {
		return p.slot
	}
	return t.probe(lo, 0)
}

// findLonger is find for a prefix of eight bytes or more, which begins with lo.
func (t *prefixTable) findLonger(name []byte, lo uint64) uint16 {
	if len(name) >= 16 {
		hi := binary.LittleEndian.Uint64(name[8:])
		if m := delimiters(hi ^ t.pattern); m != 0 {
			return t.probe(lo, hi&upTo(m))
		}
	}
	return t.findAny(name[:t.cut(name)])
}

// probe is the slot of a prefix of up to fifteen bytes.
func (t *prefixTable) probe(lo, hi uint64) uint16 {
	for i := t.home(lo, hi); ; i = t.after(i) {
		if p := &t.places[i]; p.lo == lo && p.hi == hi && p.slot != 0 {
			return p.slot
		} else if p.slot == 0 {
			return otherSlot
		}
	}
}

// delimiters has the highest bit of the lowest byte of x that is zero; bits above it mean nothing.
func delimiters(x uint64) uint64 { return (x - lowBits) &^ x & highBits }

// upTo masks the bytes up to the one that delimiters has found.
func upTo(m uint64) uint64 { return m ^ (m - 1) }

// cut is the length of a name's prefix.
func (t *prefixTable) cut(name []byte) (n int) {
	name = name[:min(len(name), longestPrefix+1)]
	for level, at := 0, 0; level < t.Depth; level++ {
		i := bytes.IndexByte(name[at:], t.Delimiter)
		if i < 0 {
			break
		}
		n = at + i
		at = n + 1
	}
	return n
}

// words are two words that are equal for equal prefixes. Of up to fifteen bytes they are the prefix
// with the delimiter behind it, which ends it; of a longer one, where no delimiter need be in the
// first sixteen bytes, the second is a hash.
func (t *prefixTable) words(prefix []byte) (lo, hi uint64) {
	if len(prefix) > 15 {
		return binary.LittleEndian.Uint64(prefix), maphash.Bytes(t.seed, prefix)
	}
	var room [16]byte
	room[copy(room[:], prefix)] = t.Delimiter
	return binary.LittleEndian.Uint64(room[:]), binary.LittleEndian.Uint64(room[8:])
}

// findAny finds a prefix of any length.
func (t *prefixTable) findAny(prefix []byte) uint16 {
	lo, hi := t.words(prefix)
	for i := t.home(lo, hi); ; i = t.after(i) {
		p := &t.places[i]
		if p.slot == 0 {
			return otherSlot
		}
		if p.lo == lo && p.hi == hi && t.names[p.slot].name == string(prefix) {
			return p.slot
		}
	}
}

// full reports whether every slot is in use.
func (t *prefixTable) full() bool { return len(t.names) >= t.Most+firstSlot }

// next copies the table, for somebody who changes and then publishes it. mu is held.
func (p *prefixing) next(t *prefixTable) *prefixTable {
	c := *t
	c.number = p.advance()
	c.gen = uint16(c.number)
	return &c
}

// advance is the number of a new table. mu is held.
func (p *prefixing) advance() uint32 {
	if p.number++; uint16(p.number) == 0 {
		p.number++
	}
	return p.number
}

// track gives a prefix a slot, if one is free and the rule is still that of t. The caller holds the
// lock of a shard.
func (p *prefixing) track(t *prefixTable, prefix []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	newest := p.table.Load()
	if newest == nil || newest.PrefixRule != t.PrefixRule || newest.full() || newest.findAny(prefix) != otherSlot {
		return
	}
	c := p.next(newest)
	c.places = append([]prefixPlace(nil), newest.places...)
	c.names = append(newest.names, prefixName{string(prefix), c.number}) // nobody has looked behind the end of the old one
	c.enter(len(c.names) - 1)
	p.table.Store(c)
}

// handOver gives slots to other prefixes. mu is held.
func (p *prefixing) handOver(to map[uint16]string) {
	if len(to) == 0 {
		return
	}
	newest := p.table.Load()
	c := p.next(newest)
	c.changed = c.number
	c.names = append([]prefixName(nil), newest.names...)
	for slot, prefix := range to {
		if newest.findAny([]byte(prefix)) == otherSlot {
			c.names[slot] = prefixName{prefix, c.number}
		}
	}
	c.rebuild()
	p.table.Store(c)
}

// PrefixRule is the rule in force.
func (s *Store) PrefixRule() PrefixRule {
	if t := s.prefixes.table.Load(); t != nil {
		return t.PrefixRule
	}
	return PrefixRule{}
}

// SetPrefixes changes what is counted by prefix. More prefixes than before leave everything as it
// is; any other change begins anew, and what is there already is counted in the background. The
// caller holds all locks, or nobody else uses the store yet.
func (s *Store) SetPrefixes(rule PrefixRule) {
	p := &s.prefixes
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.table.Load()
	if t != nil && rule.Most > 0 {
		old := t.PrefixRule
		old.Most = rule.Most
		if old == rule && rule.Most >= t.Most {
			if rule.Most > t.Most {
				t = p.next(t)
				t.Most = rule.Most
				t.rebuild()
				p.table.Store(t)
			}
			return
		}
	}
	if t = nil; rule.Most > 0 {
		t = newPrefixTable(rule, p.advance())
	}
	p.table.Store(t)
	p.choice = prefixChoice{}
	for i := range s.shards {
		s.shards[i].beginPrefixes(t)
	}
}
