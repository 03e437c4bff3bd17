package store

import (
	"encoding/binary"
	"math"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tree"
)

// zsetBody is the body of a large sorted set. Its members are in a table, like those of a large
// set, and their order is in a counted tree beside it (store/tree). The record of a member has its
// score for a value, eight bytes, so that ZSCORE is one lookup and never sees the tree. The tree
// has pairs of a score and a reference to the record. It finds a rank, or what is at a rank, in
// logarithmic time; names are not in it, and it reads them from the records where scores are equal.
//
// So two places refer to a record, the table's slot and the tree's leaf, and whoever moves one has
// to tell the tree (Order.Moved): compaction does so through table.moved, and setLarge when it
// takes a record over from a running snapshot.
//
// Only the table takes part in a snapshot: a file may have the members of a large sorted set in any
// order, and a score that is changed meanwhile is a record handed over like any other.
type zsetBody struct {
	table
	order *tree.Order

	unordered bool // all members are in the table, and none in the tree: see View.AddScored
}

// orderUnit is how many blocks of the tree a step of release frees.
const orderUnit = 64

func newZsetBody(sh *shard, v *View) *zsetBody {
	b := &zsetBody{table: *newTable(sh, v.Store.seed)}
	b.setOrder(sh)
	return b
}

// setOrder gives the body an empty tree.
func (b *zsetBody) setOrder(sh *shard) {
	mem := b.mem
	b.order = tree.NewOrder(sh.ar, func(ref arena.Ref) []byte { return recordKey(mem, ref) })
	b.moved = b.relocated
}

// relocated is told that compaction has moved a member's record.
func (b *zsetBody) relocated(old, ref arena.Ref) {
	if !b.unordered {
		b.order.Moved(b.scoreAt(ref), recordKey(b.mem, ref), old, ref)
	}
}

// scoreAt reads the score of the member whose record is at ref.
func (b *zsetBody) scoreAt(ref arena.Ref) float64 { return bytesFloat(recordValue(b.mem, ref)) }

// insert adds a member that is not there. h is the hash of its name.
func (b *zsetBody) insert(h uint64, member []byte, score float64) {
	b.order.Insert(score, b.addMember(h, member, score))
}

// addMember adds a member to the table alone, and returns its record.
func (b *zsetBody) addMember(h uint64, member []byte, score float64) arena.Ref {
	value := floatBytes(score)
	ref := b.newRecord(metaOf(TypeString, encPlain), member, value[:], 0)
	b.table.insert(h, ref, 0, 0)
	return ref
}

// arrange builds the tree of a body whose table is complete, in one go.
func (b *zsetBody) arrange(list []scoredRef) {
	for _, s := range list {
		b.order.Append(s.score, s.ref)
	}
}

func (b *zsetBody) size() int64 { return b.bytes + b.order.Bytes() }

func (b *zsetBody) each(fn func(item, value []byte) bool) {
	b.order.Each(0, func(_ int, _ float64, ref arena.Ref) bool {
		r := readRecord(b.mem, ref)
		v := r.value()
		return fn(b.mem[r.key:v:v], b.mem[v:v+8:v+8])
	})
}

// clone copies the buckets of the table as they are, and then the records in the order of the sorted
// set, so that each one's place in the table and in the tree is known at once. No names are compared:
// in the copy, the bucket of a name has the reference to the record that is being copied.
func (b *zsetBody) clone(sh *shard, _ int64) body {
	c := &zsetBody{table: *b.table.cloneBuckets(sh)}
	c.setOrder(sh)
	var s stretch
	b.order.Each(0, func(i int, score float64, ref arena.Ref) bool {
		if !s.add(b, score, ref) || i == b.n-1 {
			c.copyStretch(&s)
			s.n = 0
		}
		return true
	})
	return c
}

// copyStretch copies the records of a stretch, which are another body's, and adds them to the order.
func (b *zsetBody) copyStretch(s *stretch) {
	var hashes [stretchSize]uint64
	for i, el := range s.list[:s.n] {
		hashes[i] = b.hash(recordKey(b.mem, el.ref))
		b.prefetchBucket(hashes[i])
	}
	for i, el := range s.list[:s.n] {
		ref := b.copyRecord(el.ref)
		b.renew(b.locate(hashes[i], el.ref), ref)
		b.order.Append(el.score, ref)
	}
}

func (b *zsetBody) moveTo(sh *shard) {
	b.table.moveTo(sh)
	b.order.SetArena(sh.ar)
}

func (b *zsetBody) release() (done bool) {
	return b.order.Release(orderUnit) && b.table.release()
}

// evacuate moves records first and then nodes of the tree.
func (b *zsetBody) evacuate(c *compaction) (done bool) {
	if !b.table.evacuate(c) {
		return false
	}
	moved, blocks, kept, done := b.order.Evacuate(&c.cursor, unitBytes)
	c.moved += moved
	c.arrays += int64(blocks)
	c.keptArrays += int64(kept)
	return done
}

// body is the body of a sorted set that has one.
func (z *Zset) body() *zsetBody { return z.e.body().(*zsetBody) }

// convert turns a packed sorted set into a large one.
func (z *Zset) convert() {
	b := newZsetBody(z.e.sh, z.v)
	z.eachPacked(0, func(member []byte, score float64) bool {
		b.order.Append(score, b.addMember(b.hash(member), member, score))
		return true
	})
	z.e.embody(b)
}

// setLarge is set for a large sorted set.
func (z *Zset) setLarge(member []byte, score float64, rule ScoreRule) (result float64, change ScoreChange) {
	b := z.body()
	h := b.hash(member)
	p, ref, known := b.find(h, member)
	if !known {
		if change = rule.forNew(); change == ScoreAdded {
			b.insert(h, member, score)
		}
		return score, change
	}
	el := Entry{sh: z.e.sh, t: &b.table, ref: ref, p: p, rec: readRecord(b.mem, ref)}
	current := bytesFloat(el.value())
	if result, change = rule.apply(current, score); change != ScoreUpdated {
		return result, change
	}
	if el.own(); el.ref != ref {
		b.order.Moved(current, member, ref, el.ref)
	}
	b.order.Update(current, result, el.ref)
	binary.LittleEndian.PutUint64(el.value(), math.Float64bits(result))
	return result, change
}

// removeLarge removes a member and reports whether it was there.
func (z *Zset) removeLarge(member []byte) bool {
	b := z.body()
	el, ok := z.e.element(&b.table, member)
	if !ok {
		return false
	}
	b.order.Delete(bytesFloat(el.value()), el.ref)
	el.remove()
	if b.n == 0 {
		z.e.drop()
	}
	return true
}

// score finds a member's score.
func (b *zsetBody) score(member []byte) (score float64, ok bool) {
	_, ref, ok := b.find(b.hash(member), member)
	if !ok {
		return 0, false
	}
	return b.scoreAt(ref), true
}

// rank finds a member's rank and score.
func (b *zsetBody) rank(member []byte) (rank int, score float64, ok bool) {
	_, ref, ok := b.find(b.hash(member), member)
	if !ok {
		return 0, 0, false
	}
	score = b.scoreAt(ref)
	rank, ok = b.order.Rank(score, ref)
	return rank, score, ok
}

// stretch is as many pairs of the tree as are looked at together: their records are loaded from
// memory while others are still collected, so that the waits overlap.
type stretch struct {
	n    int
	list [stretchSize]scoredRef
}

const stretchSize = 32

// add collects a pair and reports whether there is room for more.
func (s *stretch) add(b *zsetBody, score float64, ref arena.Ref) bool {
	b.ar.Prefetch(ref.Off())
	s.list[s.n] = scoredRef{score, ref}
	s.n++
	return s.n < stretchSize
}

// walk is Order.Each or EachBack.
func (b *zsetBody) walk(from int, back bool, fn func(i int, score float64, ref arena.Ref) bool) {
	if back {
		b.order.EachBack(from, fn)
	} else {
		b.order.Each(from, fn)
	}
}

// eachScored is Zset.Each.
func (b *zsetBody) eachScored(from, n int, back bool, fn func(member []byte, score float64)) {
	var s stretch
	b.walk(from, back, func(_ int, score float64, ref arena.Ref) bool {
		n--
		if !s.add(b, score, ref) || n == 0 {
			for _, el := range s.list[:s.n] {
				fn(recordKey(b.mem, el.ref), el.score)
			}
			s.n = 0
		}
		return n > 0
	})
}

// Who pops a member will pop the next ones too, and each of them waits for memory twice, for its
// record and for the bucket. So each pop begins to load what a later one needs: the bucket of the
// member that comes warmBucket after it, whose name must be there by then, and the record of the
// one that comes warmRecord after it.
const (
	warmBucket = 4
	warmRecord = 10
)

// rebuildWithout removes a range by copying all other members into a new body. The old one is freed
// in the background.
func (z *Zset) rebuildWithout(from, to int) {
	old, b := z.body(), newZsetBody(z.e.sh, z.v)
	b.reserve(old.n - (to - from))
	keep := func(member []byte, score float64) {
		b.order.Append(score, b.addMember(b.hash(member), member, score))
	}
	z.Each(0, from, false, keep)
	z.Each(to, old.n-to, false, keep)
	z.e.rebody(b)
}

// takeLarge is take for a range of a large sorted set of which much is to stay. Three passes over
// each stretch load the records, load their buckets, and remove.
func (z *Zset) takeLarge(from, to int, back bool, fn func(member []byte, score float64)) {
	b := z.body()
	for from < to {
		var s stretch
		var hashes [stretchSize]uint64
		n, at := min(to-from, stretchSize), from
		if back {
			at = to - 1
		}
		b.gather(&s, at, n, back)
		for i, el := range s.list[:n] {
			hashes[i] = b.hash(recordKey(b.mem, el.ref))
			b.prefetchBucket(hashes[i])
		}
		for i, el := range s.list[:n] {
			member := recordKey(b.mem, el.ref)
			if fn != nil {
				fn(member, el.score)
			}
			p, ref, _ := b.find(hashes[i], member)
			record := Entry{sh: z.e.sh, t: &b.table, ref: ref, p: p, rec: readRecord(b.mem, ref)}
			record.remove()
		}
		to -= n
		if back {
			at = to
		}
		b.order.DeleteRange(at, n, nil) // looks at no record
	}
}

// gather collects n pairs from a rank on, and prefetches for the pops to come.
func (b *zsetBody) gather(s *stretch, at, n int, back bool) {
	i := 0
	b.walk(at, back, func(_ int, score float64, ref arena.Ref) bool {
		i++
		switch {
		case i <= n:
			s.add(b, score, ref)
		case i == n+warmBucket:
			b.prefetchBucket(b.hash(recordKey(b.mem, ref)))
		case i == n+warmRecord:
			b.ar.Prefetch(ref.Off())
			return false
		}
		return true
	})
}
