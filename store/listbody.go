package store

import (
	"math"

	"github.com/larderkv/larder/store/tree"
)

// listBody is the body of a large list: a counted tree whose leaves are runs of elements.
//
// # Snapshots
//
// A list has to be written in order, as it was at the cut, while writers go on. The first of them
// that comes after the cut freezes the tree, as does the walk when it arrives: from then on a node
// is copied before it is changed, and what it was stays until the walk has been there. The bytes
// of the frozen version neither change nor move, so the walk writes them without the lock and
// without a copy. At its end the tree is thawed, which frees the old nodes in steps.
type listBody struct {
	cutMark
	billing
	sh     *shard
	tree   *tree.List
	quick  bool   // OBJECT ENCODING says quicklist
	exact  int    // bytes of a listpack of the elements, kept up to date; 0: not known
	thawed uint32 // number of the cut whose snapshot has had all elements
}

// listBlocks is how many blocks are freed in a step that is made under the shard's lock.
const listBlocks = 64

// newListBody makes a body of a tree in the shard's arena. An empty one gets elements at once.
func newListBody(sh *shard, elements *tree.List, limit listLimit) *listBody {
	b := &listBody{cutMark: cutMark{epoch: sh.cut.epoch}, sh: sh, tree: elements}
	if limit < 0 {
		b.tree.SetLimit(limit.bytes(), math.MaxInt)
	} else {
		b.tree.SetLimit(listpackSafe, limit.entries())
	}
	return b
}

// own lets the tree be changed: what a snapshot has yet to write is kept.
func (b *listBody) own() {
	if b.sh.unfinished(&b.cutMark) && !b.tree.Frozen() && b.thawed != b.sh.cut.epoch {
		b.tree.Freeze(b.sh.cut.epoch)
	}
}

func (b *listBody) push(end End, elements [][]byte) {
	b.sh.touch(b)
	for _, s := range elements {
		if end == Front {
			b.tree.PushFront(s)
		} else {
			b.tree.PushBack(s)
		}
		b.came(s)
	}
}

// pop removes the outermost element of an end, which is not the last one.
func (b *listBody) pop(end End, fn func(element []byte)) {
	b.sh.touch(b)
	front := end == Front
	s := b.tree.End(front)
	fn(s)
	if b.exact > 0 {
		b.exact -= listpackEntry(s)
	}
	b.tree.Pop(front)
}

func (b *listBody) insert(i int, s []byte) {
	b.sh.touch(b)
	b.tree.Insert(i, s)
	b.came(s)
}

func (b *listBody) set(i int, s []byte) {
	b.sh.touch(b)
	b.goes(i, 1)
	b.tree.Set(i, s)
	b.came(s)
}

// cut removes n elements from position i on.
func (b *listBody) cut(i, n int) {
	b.sh.touch(b)
	b.goes(i, n)
	b.tree.Delete(i, n)
}

func (b *listBody) remove(s []byte, from End, most int) (removed int) {
	b.sh.touch(b)
	removed = b.tree.RemoveEqual(s, most, from == Back)
	b.sh.settleBody(b)
	if b.exact > 0 {
		b.exact -= removed * listpackEntry(s)
	}
	return removed
}

// find is tree.Find. A search may leave notes in the tree that speed later ones up, so that a read makes
// it larger.
func (b *listBody) find(s []byte, i int, back bool) int {
	i = b.tree.Find(s, i, back)
	b.sh.settleBody(b)
	return i
}

// positions finds all elements that equal s, from an end on, until fn returns false.
func (b *listBody) positions(s []byte, from End, fn func(i int) bool) {
	i, step := 0, 1
	if from == Back {
		i, step = b.tree.Len()-1, -1
	}
	for ; ; i += step {
		if i = b.find(s, i, from == Back); i < 0 || !fn(i) {
			return
		}
	}
}

// came and goes keep exact up to date.
func (b *listBody) came(s []byte) {
	if b.exact > 0 {
		b.exact += listpackEntry(s)
	}
}

func (b *listBody) goes(i, n int) {
	if b.exact == 0 {
		return
	}
	b.tree.Each(i, func(_ int, s []byte) bool {
		b.exact -= listpackEntry(s)
		n--
		return n > 0
	})
}

// rebuild keeps n elements from position i on in a new body. The old one is freed in the background.
func (l *List) rebuild(i, n int) {
	old := l.b
	l.b = newListBody(l.e.sh, old.tree.Copy(l.e.sh.ar, i, n), l.limit())
	l.b.quick = old.quick
	l.e.rebody(l.b)
}

// What follows makes it a body.

func (b *listBody) elements() int   { return b.tree.Len() }
func (b *listBody) size() int64     { return b.tree.Bytes() }
func (b *listBody) members() *table { return nil }
func (b *listBody) mark() *cutMark  { return &b.cutMark }

func (b *listBody) each(fn func(item, value []byte) bool) {
	b.tree.Each(0, func(_ int, s []byte) bool { return fn(s, nil) })
}

func (b *listBody) clone(sh *shard, _ int64) body {
	return &listBody{cutMark: cutMark{epoch: sh.cut.epoch}, sh: sh,
		tree: b.tree.Clone(sh.ar), quick: b.quick, exact: b.exact}
}

func (b *listBody) moveTo(sh *shard) {
	b.sh = sh
	b.tree.SetArena(sh.ar)
}

func (b *listBody) release() (done bool) { return b.tree.Release(listBlocks) }

func (b *listBody) evacuate(c *compaction) (done bool) {
	moved, blocks, left, done := b.tree.Evacuate(&c.cursor, unitBytes)
	c.moved += moved
	c.arrays += int64(blocks)
	c.keptArrays += int64(left)
	return done
}

// collect takes the elements of the frozen version from the walk's place on. When it is called
// after all of them, they have been written, and what only that version had is freed.
func (b *listBody) collect(c *chunk, w *bodyWalk, quiet bool) (done bool) {
	if !w.walked && !quiet {
		b.own()
		at, size := int(w.cursor), b.tree.FrozenLen()
		for at < size && len(c.items) < chunkRecords {
			run, n := b.tree.FrozenLeaf(at)
			n = min(n, chunkRecords-len(c.items))
			c.takeRun(run, n)
			at += n
		}
		w.cursor, w.walked = uint64(at), at == size
		return false
	}
	b.thawed = b.sh.cut.epoch
	before := b.tree.Bytes()
	done = b.tree.Thaw(listBlocks)
	if b.orphan {
		b.sh.s.orphans.Add(b.tree.Bytes() - before)
	}
	return done
}

// takeRun takes the n elements of a run that stays where and as it is until the next chunk.
func (c *chunk) takeRun(run tree.Run, n int) {
	for off := 0; n > 0; n-- {
		var it item
		it.place = inRun
		it.run, off = run.Next(off)
		it.rec.klen = len(it.run)
		c.items = append(c.items, it)
	}
}
