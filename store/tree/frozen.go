package tree

import "github.com/larderkv/larder/store/arena"

// Frozen versions.
//
// A snapshot writes a list in order and as it was at the cut, while clients push and pop.
// Freeze remembers the root: from then on a node that was made before is never changed
// but copied, from the root down to where the change is, and the old block is retired instead
// of freed. So the frozen version is a tree of its own that shares with the present one what
// has not been changed since. A push costs copies of one path once, some 10 KiB, and
// nothing from then on; the snapshot reads leaves without the lock. Only the sieve of a node
// (sieve.go), which the snapshot does not look at, comes and goes in frozen nodes too.
//
// Rejected: handing over elements that change, as tables do for theirs (store/snapshot.go):
// an element has no identity in a list, only a position, which each push to the front
// changes for all.

// version is a frozen tree.
type version struct {
	root   arena.Ref
	height int
	n      int
}

// batch is a list of retired blocks. It grows by batches and not as a slice, whose growth
// would be copied under the lock.
type batch struct {
	n    int
	refs [126]arena.Ref
	next *batch
}

// Freeze keeps the present elements readable by FrozenLeaf until Thaw. epoch differs from
// those of all earlier calls, and from 0. No version is frozen.
func (l *List) Freeze(epoch uint32) {
	l.epoch = epoch
	l.frozen = &version{l.root, l.height, l.n}
}

// Frozen reports whether there is a frozen version.
func (l *List) Frozen() bool { return l.frozen != nil }

// FrozenLen is the number of elements of the frozen version.
func (l *List) FrozenLen() int { return l.frozen.n }

// Thaw gives the frozen version up, at once, and frees about max of the blocks that only it
// had. It returns done when none is left; the tree can be used meanwhile.
func (l *List) Thaw(max int) (done bool) {
	l.frozen = nil
	return l.freeRetired(&max)
}

// freeRetired frees retired blocks, *max at most, and counts *max down.
func (t *tree) freeRetired(max *int) (done bool) {
	for ; t.retired != nil; *max-- {
		if *max <= 0 {
			return false
		}
		b := t.retired
		b.n--
		t.free(b.refs[b.n])
		if b.n == 0 {
			t.retired = b.next
		}
	}
	return true
}

func (t *tree) retire(ref arena.Ref) {
	if t.retired == nil || t.retired.n == len(t.retired.refs) {
		t.retired = &batch{next: t.retired}
	}
	t.retired.refs[t.retired.n] = ref
	t.retired.n++
}

// own makes the inner nodes of a path writable.
func (t *tree) own(p *path) {
	if t.frozen != nil {
		t.ownFrozen(p)
	}
}

func (t *tree) ownFrozen(p *path) {
	for l := range t.height {
		if t.inner(p.ref[l]).epoch == t.epoch {
			continue
		}
		old := p.ref[l]
		x := t.inner(old)
		ref, y := t.newInner(int(x.n))
		y.appendFrom(x, 0, int(x.n))
		t.dropInner(old)
		t.link(p, l, ref)
	}
}

// shared reports whether the frozen version has a block of the tree.
func (t *tree) shared(ref arena.Ref) bool {
	return t.frozen != nil && (*head)(t.at(ref)).epoch != t.epoch
}

// FrozenLeaf returns the elements of one leaf of the frozen version from element pos on, and
// their number. The bytes are valid until Thaw, without the lock too; so is the
// call, but for Freeze and Thaw.
func (l *List) FrozenLeaf(pos int) (r Run, n int) {
	v := &List{tree: tree{mem: l.mem, arrays: l.arrays, root: l.frozen.root, height: l.frozen.height, n: l.frozen.n}}
	var p path
	v.seek(&p, pos)
	return v.rest(&p)
}
