package store

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"github.com/larderkv/larder/store/arena"
)

// A table maps keys to records. The keyspace of each shard and database is
// one, and so is each big hash and set.
//
// # Layout
//
// Extendible hashing in two levels. The top bits of a key's hash choose one
// of the sub-tables through a directory; a sub-table is an array of buckets
// of one cache line:
//
//	tags    10 x 1 byte   low eight bits of the position (below)
//	refs    10 x 5 bytes  references of records, and parity bits (snapshot.go)
//	header  4 bytes       counts and the expiry hint (bucket.go)
//
// The 14 bits of the hash after a sub-table's prefix are a record's
// *position*, a fixed-point fraction of the sub-table; its home bucket is
// position * buckets >> 14. So buckets are in hash order at any number of
// buckets, which has three consequences:
//
//   - A sub-table can have any number of buckets up to 128. It grows by about
//     a fifth, as the arena's size classes go, and stays between 68 and 85
//     per cent full, where doubling would leave it half empty in the end
//     (and all sub-tables at the same time, since the hash is uniform).
//   - With at least 64 buckets, bucket and tag together give the position
//     back. Growing reads no record, but for the few that are not at home. A
//     record is read again once per doubling, when its sub-table splits.
//   - A SCAN cursor is a place in hash order, and stays one through growth,
//     splits and shrinking: what is there from start to end is returned.
//
// A bucket that is full sends a new record to the next ones, where it is a
// guest; guests lie behind the residents. Each bucket passed counts it in its
// overflow counter, so that a lookup knows when to stop and a removal takes
// the count back. Guests stay where they are when there is room at home again,
// but eviction and expiry, which have their keys in the cache, move those that
// they meet (bringHome).
//
// A split touches one sub-table of at most about a thousand records, some
// tens of microseconds; no operation ever rehashes the whole table.
//
// # Expiry
//
// No list or wheel of keys with a TTL. A bucket's header has a lower bound of
// the expiry times of its records, a sub-table has one of its buckets, the
// table one of its sub-tables. A sweep looks at one word per sub-table, at one
// per bucket of those that are due, and at the records of buckets that are due:
// 18 bits per bucket instead of 8 to 24 bytes per key. See expire.go.
//
// # Limits
//
// Not safe for concurrent use: the shard's lock covers it.
type table struct {
	ar    *arena.Arena
	cut   *cutState // the shard's
	mem   []byte    // the arena's range
	seed  maphash.Seed
	depth uint8    // the directory has 1<<depth entries
	dir   []uint32 // index into subs
	subs  []subtable
	n     int   // records
	ttls  int   // records with an expiry time
	until int64 // the sum of those times, see datedUntil
	first int64 // of a body: no element expires before this time, 0: none does; see elementttl.go

	spared, sparedDated int // records that are never to be evicted, and those of them with an expiry time

	widest uint16 // no sub-table has more buckets

	due   uint32 // no record expires before this tick, 0: none does; see expire.go
	walk  uint32 // the sub-table that the walk over those that are due is at, 0: there is none
	alarm *alarm // the store's; nil where no record has an expiry time

	moved func(old, ref arena.Ref) // nil, or told of records that compaction moves

	bytes  int64 // of the table's blocks in the arena: bucket arrays and records
	arrays int64 // of the bucket arrays among them

	stock   *tableStock // of a table of the keyspace, while something is counted by prefix
	billing             // of a body

	tableCut
}

type subtable struct {
	base    uint64 // offset of the bucket array
	prefix  uint32 // the sub-table's hashes begin with these depth bits
	due     uint32 // no record expires before this tick; 0: none has a TTL
	count   uint16
	buckets uint16
	depth   uint8
}

const (
	posBits    = 14
	maxBuckets = 128
	bucketSize = 64

	// A sub-table grows when it is more than growAt/256 full.
	growAt = 217
)

// pos is where a record's slot is. It is valid until the next change of the
// table.
type pos struct {
	sub    uint32
	bucket uint16
	slot   uint8
	guests uint8 // how many buckets from home
}

// spare counts a record that comes (+1) or goes (-1) if it is never to be evicted.
func (t *table) spare(r *record, sign int) {
	if r.extra == 0 || !r.extras(t.mem).noEvict() {
		return
	}
	t.spared += sign
	if r.expire != 0 {
		t.sparedDated += sign
	}
}

func newTable(sh *shard, seed maphash.Seed) *table {
	return &table{
		ar: sh.ar, mem: sh.ar.Mem(), seed: seed, dir: []uint32{0}, subs: make([]subtable, 1),
		cut: &sh.cut, tableCut: tableCut{cutMark: cutMark{epoch: sh.cut.epoch}, db: noDB},
	}
}

// keyspace is the table of a shard's database. It fills whole cache lines: writers count in it, and a
// neighbour may be that of a shard in which another event loop reads.
type keyspace struct {
	table
	_ [48]byte
}

// newKeyspace makes the table of a database, whose records may expire.
func (sh *shard) newKeyspace() *table {
	k := &keyspace{table: *newTable(sh, sh.s.seed)}
	t := &k.table
	t.alarm = &sh.s.alarm
	t.stock = sh.newStock()
	return t
}

func (t *table) hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

// subOf returns the index of the sub-table of a hash.
func (t *table) subOf(h uint64) uint32 { return t.dir[h>>1>>(63-t.depth)] }

// position is the hash's place within a sub-table.
func (s *subtable) position(h uint64) uint32 { return uint32(h << s.depth >> (64 - posBits)) }

func (s *subtable) home(position uint32) uint32 {
	return position * uint32(s.buckets) >> posBits
}

// next is the bucket behind bucket i.
func (s *subtable) next(i uint32) uint32 {
	if i++; i == uint32(s.buckets) {
		return 0
	}
	return i
}

// firstPosition is the lowest position whose home is bucket i.
func (s *subtable) firstPosition(i uint32) uint32 {
	return (i<<posBits + uint32(s.buckets) - 1) / uint32(s.buckets)
}

func (t *table) bucket(s *subtable, i uint32) *bucket {
	return (*bucket)(t.mem[s.base+uint64(i)*bucketSize:])
}

// find looks a key up.
func (t *table) find(h uint64, key []byte) (p pos, ref arena.Ref, ok bool) {
	p.sub = t.subOf(h)
	s := &t.subs[p.sub]
	if s.buckets == 0 {
		return p, 0, false
	}
	position := s.position(h)
	tag := uint8(position)
	i := s.home(position)
	for {
		b := t.bucket(s, i)
		for m := b.match(tag); m != 0; m &= m - 1 {
			slot := uint8(bits.TrailingZeros64(m))
			if ref := b.ref(slot); keyEquals(t.mem, ref, key) {
				p.bucket, p.slot = uint16(i), slot
				return p, ref, true
			}
		}
		p.guests++
		if b.overflow() == 0 || int(p.guests) >= int(s.buckets) {
			return p, 0, false
		}
		i = s.next(i)
	}
}

// bucketAt is the bucket of a slot.
func (t *table) bucketAt(p pos) *bucket { return t.bucket(&t.subs[p.sub], uint32(p.bucket)) }

// renew points a slot at a new record.
func (t *table) renew(p pos, ref arena.Ref) { t.bucketAt(p).setRaw(p.slot, t.cut.parity|ref) }

// insert adds a record whose key is known to be absent. expire is its expiry
// time in unix milliseconds, 0 for none; now is needed with it.
func (t *table) insert(h uint64, ref arena.Ref, expire, now int64) pos {
	i := t.subOf(h)
	s := &t.subs[i]
	for int(s.count) >= s.limit() {
		t.expand(i)
		i = t.subOf(h)
		s = &t.subs[i]
	}
	p := t.place(i, s.position(h), t.cut.parity|ref)
	t.n++
	if expire != 0 {
		t.ttls++
		t.until += datedUntil(expire)
		t.noteExpire(p, expire, now)
	}
	return p
}

// limit is the number of records at which the sub-table has to grow.
func (s *subtable) limit() int {
	if s.buckets <= 1 {
		return int(s.buckets) * slots
	}
	return int(s.buckets) * slots * growAt >> 8
}

// place puts a record into its home bucket or as a guest behind it.
func (t *table) place(sub uint32, position uint32, raw arena.Ref) pos {
	s := &t.subs[sub]
	i := s.home(position)
	p := pos{sub: sub}
	s.count++
	b := t.bucket(s, i)
	if b.count() < slots {
		p.bucket, p.slot = uint16(i), b.addResident(uint8(position), raw)
		return p
	}
	for {
		b.passed(+1)
		p.guests++
		i = s.next(i)
		if b = t.bucket(s, i); b.count() < slots {
			p.bucket, p.slot = uint16(i), b.addGuest(uint8(position), raw)
			return p
		}
	}
}

// unlink takes the record at p out of the table. The record itself stays
// allocated. expire is its expiry time, 0 for none.
func (t *table) unlink(p pos, expire int64) { t.unlinkFrom(t.bucketAt(p), p, expire) }

// unlinkFrom is unlink for who has the bucket at p.
func (t *table) unlinkFrom(b *bucket, p pos, expire int64) {
	b.remove(p.slot)
	s := &t.subs[p.sub]
	for i := uint32(p.bucket); p.guests > 0; p.guests-- {
		if i == 0 {
			i = uint32(s.buckets)
		}
		i--
		t.bucket(s, i).passed(-1)
	}
	s.count--
	t.n--
	if expire != 0 {
		t.ttls--
		t.until -= datedUntil(expire)
	}
}

// bringHome moves the guests of a bucket to their homes, or as near as there is room
// by now. It reads their keys. Where keys come and go and no sub-table grows, guests
// take the place of residents, which become guests in turn. With a million keys
// under eviction the lookup of an absent key looked at 15 buckets so, and looks at
// 3 to 5 with this.
func (t *table) bringHome(sub, i uint32) {
	s := &t.subs[sub]
	b := t.bucket(s, i)
	for slot := b.count() - b.guests(); slot < b.count(); {
		home := s.home(s.position(t.hash(recordKey(t.mem, b.ref(slot)))))
		if !t.moveGuest(s, home, i, slot) {
			slot++
		}
	}
}

// moveGuest moves the guest in a slot of bucket i to the first bucket with room, from
// its home on, which is another one. It returns false if there is none before i.
func (t *table) moveGuest(s *subtable, home, i uint32, slot uint8) bool {
	to := home
	for t.bucket(s, to).count() == slots {
		if to = s.next(to); to == i {
			return false
		}
	}
	from, b := t.bucket(s, i), t.bucket(s, to)
	tag, raw := from.tag(slot), from.raw(slot)
	if meta := recordMeta(t.mem, raw&^parityBit); meta&flagExpire != 0 || meta&encMask == uint32(encBody)<<encShift {
		b.inheritHint(from)
	}
	from.remove(slot)
	if to == home {
		b.addResident(tag, raw)
	} else {
		b.addGuest(tag, raw)
	}
	for ; to != i; to = s.next(to) {
		t.bucket(s, to).passed(-1)
	}
	return true
}

// remove is unlink, and gives up buckets that are no longer needed.
func (t *table) remove(p pos, expire int64) {
	t.unlink(p, expire)
	t.shrink(p.sub)
}

func (t *table) shrink(sub uint32) { t.shrinkBelow(sub, usually) }

// shrinkRarely is for who removes many keys, perhaps all, one after the other: it gives up buckets half
// as often as shrink, and so moves a third as many records.
func (t *table) shrinkRarely(sub uint32) { t.shrinkBelow(sub, rarely) }

// A sub-table is sparse if less than one part in so many of its slots are in use.
const usually, rarely = 4, 8

func (s *subtable) sparse(part int) bool { return int(s.count)*part < int(s.buckets)*slots }

// shrinkBelow gives up buckets of a sub-table that is sparse.
func (t *table) shrinkBelow(sub uint32, part int) {
	s := &t.subs[sub]
	if s.count == 0 {
		t.resize(sub, 0)
	} else if s.buckets > 1 && s.sparse(part) {
		t.resize(sub, bucketsFor(int(s.count)))
	}
}

// expand makes room in a sub-table: more buckets, or two sub-tables.
func (t *table) expand(i uint32) {
	s := &t.subs[i]
	switch {
	case s.buckets < 16:
		t.resize(i, max(1, int(s.buckets)*2))
	case s.buckets < maxBuckets:
		t.resize(i, wider(s.buckets))
	default:
		t.split(i)
	}
}

// wider is the next number of buckets above 15: an eighth more, rounded up to
// the arena's next size class.
func wider(buckets uint16) int {
	return arena.RoundUp((int(buckets)*9/8+1)*bucketSize) / bucketSize
}

// bucketsFor is a number of buckets for n records, about three quarters full.
func bucketsFor(n int) int {
	if n == 0 {
		return 0
	}
	b := (n*4/3 + slots - 1) / slots
	if b < 16 {
		return 1 << bits.Len(uint(b-1))
	}
	return min(arena.RoundUp(b*bucketSize)/bucketSize, maxBuckets)
}

// newArray allocates n empty buckets.
func (t *table) newArray(n int) uint64 {
	if n == 0 {
		return 0
	}
	before := t.bytes
	ref := t.alloc(n * bucketSize)
	t.arrays += t.bytes - before
	clear(t.ar.Bytes(ref, n*bucketSize))
	return ref.Off()
}

func (t *table) freeArray(base uint64, n uint16) {
	if n > 0 {
		before := t.bytes
		t.free(arena.Ref(base >> 3))
		t.arrays += t.bytes - before
	}
}

// Every block that a table refers to is taken and given up by the following
// methods, so that bytes is always their sum. What the arena counts in whole slots
// they read from the arena's own count, which costs less than asking for the size
// of a block.

// alloc takes a block of at least n bytes.
func (t *table) alloc(n int) arena.Ref { return t.allocRoom(n, n) }

// allocRoom is alloc for a block that is expected to grow.
func (t *table) allocRoom(n, room int) arena.Ref {
	before := t.ar.Used()
	ref := t.ar.AllocRoom(n, room)
	t.bytes += t.ar.Used() - before
	return ref
}

// free frees a block.
func (t *table) free(ref arena.Ref) {
	before := t.ar.Used()
	t.ar.Free(ref)
	t.bytes += t.ar.Used() - before
}

// resized reports that a block now uses n bytes of its capacity.
func (t *table) resized(ref arena.Ref, n int) {
	before := t.ar.Used()
	t.ar.Resize(ref, n)
	t.bytes += t.ar.Used() - before
}

// disown gives a block up that stays allocated, adopt takes it: for blocks that
// pass to a snapshot or to another table.
func (t *table) disown(ref arena.Ref) { t.bytes -= int64(t.ar.Footprint(ref)) }
func (t *table) adopt(ref arena.Ref)  { t.bytes += int64(t.ar.Footprint(ref)) }

// resize gives a sub-table another number of buckets.
func (t *table) resize(i uint32, buckets int) {
	s := &t.subs[i]
	if buckets == int(s.buckets) {
		return
	}
	old := *s
	s.base, s.buckets, s.count = t.newArray(buckets), uint16(buckets), 0
	t.widest = max(t.widest, s.buckets)
	if buckets == 0 {
		s.due = 0
	}
	t.eachSlot(&old, func(b *bucket, bi uint32, slot uint8, guest bool) {
		var position uint32
		if first := old.firstPosition(bi); !guest && old.buckets >= 64 {
			position = first + uint32(b.tag(slot)-uint8(first))
		} else {
			position = s.position(t.hash(recordKey(t.mem, b.ref(slot))))
		}
		p := t.place(i, position, b.raw(slot))
		t.bucket(s, uint32(p.bucket)).inheritHint(b)
	})
	t.freeArray(old.base, old.buckets)
}

// split divides a full sub-table into two, each with one more bit of prefix.
func (t *table) split(i uint32) {
	old := t.subs[i]
	if old.depth == t.depth {
		dir := make([]uint32, 2*len(t.dir))
		for j, s := range t.dir {
			dir[2*j], dir[2*j+1] = s, s
		}
		t.dir, t.depth = dir, t.depth+1
	}
	// The hash is uniform, so each half gets half of the records, give or
	// take a few.
	n := bucketsFor(int(old.count) / 2)
	low := subtable{base: t.newArray(n), buckets: uint16(n), depth: old.depth + 1, prefix: old.prefix << 1, due: old.due}
	high := subtable{base: t.newArray(n), buckets: uint16(n), depth: old.depth + 1, prefix: old.prefix<<1 | 1, due: old.due}
	t.subs[i] = low
	j := uint32(len(t.subs))
	t.subs = append(t.subs, high)
	span := 1 << (t.depth - high.depth)
	from := int(high.prefix) * span
	for k := from; k < from+span; k++ {
		t.dir[k] = j
	}
	t.prefetchRefs(&old, 0)
	t.prefetchRefs(&old, 1)
	t.eachSlot(&old, func(b *bucket, i uint32, slot uint8, _ bool) {
		if slot == 0 {
			t.prefetchRefs(&old, i+2)
		}
		h := t.hash(recordKey(t.mem, b.ref(slot)))
		sub := t.subOf(h)
		for int(t.subs[sub].count) >= t.subs[sub].limit() {
			t.resize(sub, wider(t.subs[sub].buckets))
		}
		p := t.place(sub, t.subs[sub].position(h), b.raw(slot))
		t.bucket(&t.subs[sub], uint32(p.bucket)).inheritHint(b)
	})
	t.freeArray(old.base, old.buckets)
}

// eachSlot visits the slots of a sub-table's buckets.
func (t *table) eachSlot(s *subtable, fn func(b *bucket, i uint32, slot uint8, guest bool)) {
	for i := uint32(0); i < uint32(s.buckets); i++ {
		b := t.bucket(s, i)
		n, residents := b.count(), b.count()-b.guests()
		for slot := uint8(0); slot < n; slot++ {
			fn(b, i, slot, slot >= residents)
		}
	}
}

// walkAhead is by how many buckets a walk prefetches records, so that some of its misses overlap:
// KEYS and SMEMBERS of a million otherwise wait for memory for two thirds of their time.
const walkAhead = 3

// eachRef visits all records until fn returns false. fn must not change the
// table.
func (t *table) eachRef(fn func(ref arena.Ref) bool) {
	for si := range t.subs {
		s := &t.subs[si]
		for i := uint32(0); i < uint32(s.buckets); i++ {
			t.prefetchRefs(s, i+walkAhead)
			b := t.bucket(s, i)
			for slot := uint8(0); slot < b.count(); slot++ {
				if !fn(b.ref(slot)) {
					return
				}
			}
		}
	}
}

// scan visits the records of one bucket, the one at the cursor, and returns
// the cursor of the next, 0 at the end. A cursor is the top 48 bits of a hash
// in hash order. Records that are not at home are visited with their home
// bucket, so that a cursor finds them wherever they lie.
func (t *table) scan(cursor uint64, fn func(ref arena.Ref)) (next uint64) {
	s, i := t.bucketAtCursor(cursor)
	if s.buckets > 0 {
		t.prefetchRefs(s, i+walkAhead)
		t.scanBucket(s, i, fn)
	}
	return s.cursorAfter(i)
}

// bucketAtCursor is where a cursor points; the sub-table may have no buckets.
func (t *table) bucketAtCursor(cursor uint64) (s *subtable, i uint32) {
	h := cursor << 16
	s = &t.subs[t.subOf(h)]
	return s, s.home(s.position(h))
}

// cursorAfter is the cursor of the bucket after bucket i, 0 at the end.
func (s *subtable) cursorAfter(i uint32) uint64 {
	base := uint64(s.prefix) << 1 << (63 - s.depth) // depth may be 0
	if i++; i < uint32(s.buckets) {
		return (base + uint64(s.firstPosition(i))<<(64-posBits)>>s.depth) >> 16
	}
	// base of the following sub-table; wraps to 0 behind the last
	return (base + 1<<(63-s.depth)<<1) >> 16
}

func (t *table) scanBucket(s *subtable, home uint32, fn func(ref arena.Ref)) {
	b := t.bucket(s, home)
	for slot := uint8(0); slot < b.count()-b.guests(); slot++ {
		fn(b.ref(slot))
	}
	for i, passed := home, 1; b.overflow() > 0 && passed < int(s.buckets); passed++ {
		i = s.next(i)
		b = t.bucket(s, i)
		for slot := b.count() - b.guests(); slot < b.count(); slot++ {
			ref := b.ref(slot)
			if s.home(s.position(t.hash(recordKey(t.mem, ref)))) == home {
				fn(ref)
			}
		}
	}
}

// random returns a record, each with the same probability, or 0 when the
// table is empty. Rejection sampling over the slots of all sub-tables.
func (t *table) random() arena.Ref {
	if t.n == 0 {
		return 0
	}
	for tries := 0; tries < 256; tries++ {
		s := &t.subs[rand.IntN(len(t.subs))]
		x := rand.IntN(int(t.widest) * slots)
		if i := x / slots; i < int(s.buckets) {
			if b := t.bucket(s, uint32(i)); x%slots < int(b.count()) {
				return b.ref(uint8(x % slots))
			}
		}
		if tries == 64 { // the table has shrunk, it seems
			t.widest = 0
			for i := range t.subs {
				t.widest = max(t.widest, t.subs[i].buckets)
			}
		}
	}
	// Nearly empty: walk on from a random sub-table.
	for i, start := 0, rand.IntN(len(t.subs)); ; i++ {
		s := &t.subs[(start+i)%len(t.subs)]
		for j := uint32(0); j < uint32(s.buckets); j++ {
			if b := t.bucket(s, j); b.count() > 0 {
				return b.ref(uint8(rand.IntN(int(b.count()))))
			}
		}
	}
}

// index is the number of bytes of the table itself, without its records. The
// directory is memory of Go.
func (t *table) index() int64 {
	return t.arrays + int64(cap(t.dir))*4 + int64(cap(t.subs))*int64(unsafe.Sizeof(subtable{}))
}
