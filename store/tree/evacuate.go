package tree

import "github.com/larderkv/larder/store/arena"

// Compaction (arena.BeginCompaction): the tree's part is to visit its blocks and to move those
// that lie in spans which are being emptied.

// Cursor is where Evacuate goes on: an element's position. Whatever changes in between, the
// walk ends; what it misses stays where it is. The zero value is the beginning.
type Cursor struct{ pos int }

// visited is how many leaves one call of Evacuate looks at.
const visited = 256

// Evacuate goes on with a walk, and moves blocks that the arena wants emptied until about budget
// bytes were moved. It returns how many bytes were, how many blocks, how many blocks were
// looked at and left, and done at the end of the walk. While a version is frozen nothing moves.
func (t *tree) Evacuate(c *Cursor, budget int64) (moved int64, blocks, left int, done bool) {
	if t.frozen != nil {
		return 0, 0, 0, true
	}
	for range visited {
		if c.pos >= t.n {
			return moved, blocks, left, true
		}
		if moved >= budget {
			break
		}
		var p path
		t.seek(&p, c.pos)
		n := t.n
		if t.height > 0 {
			x := t.inner(p.ref[t.height-1])
			n = int(x.counts()[p.at[t.height-1]])
		}
		c.pos += n - p.at[t.height]
		for l := t.height; l >= 0; l-- {
			if l < t.height {
				t.evacuateSieve(p.ref[l])
			}
			if t.ar.Evacuating(p.ref[l]) {
				moved += int64(t.relocate(&p, l))
				blocks++
			} else {
				t.ar.Adopt(p.ref[l])
				left++
			}
			if l > 0 && p.at[l-1] > 0 {
				break // the nodes above were looked at with an earlier leaf
			}
		}
	}
	return moved, blocks, left, false
}

// evacuateSieve takes the sieve of a node away if the arena wants its span emptied: the next search
// makes it anew.
func (t *tree) evacuateSieve(ref arena.Ref) {
	if x := t.inner(ref); x.sieve != 0 && t.ar.Evacuating(x.sieve) {
		t.dropSieve(x)
	}
}

// relocate moves the block of the path at a level, and returns its size.
func (t *tree) relocate(p *path, l int) int {
	ref := p.ref[l]
	n := t.ar.Cap(ref)
	moved := t.alloc(n)
	copy(t.ar.Bytes(moved, n), t.ar.Bytes(ref, n))
	t.free(ref)
	t.link(p, l, moved)
	return n
}
