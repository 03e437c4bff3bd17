package tree

import "github.com/larderkv/larder/store/arena"

// Inner nodes split and join one at a time, from the leaf's parent upwards.
//
// Both make new blocks and give the old ones up, rather than move children between blocks:
// the new ones have just the room they need, and a frozen version needs no care.

// setRoot makes a leaf the whole tree.
func (t *tree) setRoot(leaf arena.Ref, n int) {
	t.root, t.height, t.n = leaf, 0, n
	t.leaves = 1
}

// insertLeaf puts right behind the path's leaf, which is left from now on. Their counts are
// in the ancestors' already. The path is not valid any more.
func (t *tree) insertLeaf(p *path, left, right entry) {
	t.leaves++
	for l := t.height - 1; l >= 0; l-- {
		i := p.at[l]
		x := t.inner(p.ref[l])
		t.dropSieve(x)
		x.set(i, left)
		if int(x.n) < t.fanout {
			t.roomy(p, l).insert(i+1, right)
			return
		}
		left, right = t.splitInner(p, l, right)
	}
	if t.height == maxHeight {
		panic("BUG: tree: too high")
	}
	ref, x := t.newInner(2)
	x.insert(0, left)
	x.insert(1, right)
	t.root = ref
	t.height++
}

// roomy returns the path's node at level l with room for one more child: it goes into a larger
// block if need be.
func (t *tree) roomy(p *path, l int) inner {
	ref := p.ref[l]
	x := t.inner(ref)
	if x.n < x.cap {
		return x
	}
	n := int(x.n)
	grown, y := t.newInner(min(n+1+n/8, t.fanout))
	y.appendFrom(x, 0, n)
	t.dropInner(ref)
	t.link(p, l, grown)
	return y
}

// splitInner splits a full node, with a new child behind the path's, into two. It splits
// in the middle, but at the ends of the tree it leaves all but one child in one of them:
// what grows at an end has full nodes.
func (t *tree) splitInner(p *path, l int, e entry) (left, right entry) {
	x := t.inner(p.ref[l])
	n, i := int(x.n), p.at[l]+1
	cut := n / 2
	switch {
	case i == n && t.atLast(p, l):
		cut = n
	case i == 1 && t.atFirst(p, l):
		cut = 1
	}
	room := 1 // for e, in the node that it goes to
	if i > cut || i == n {
		room = 0
	}
	a, y := t.newInner(cut + room)
	b, z := t.newInner(n - cut + 1 - room)
	y.appendFrom(x, 0, cut)
	z.appendFrom(x, cut, n)
	if room > 0 {
		y.insert(i, e)
	} else {
		z.insert(i-cut, e)
	}
	t.dropInner(p.ref[l])
	return t.summary(a), t.summary(b)
}

// removeLeaf takes the path's leaf out; its elements no longer count in the ancestors. The
// leaf's block is the caller's. The path is not valid any more.
func (t *tree) removeLeaf(p *path) {
	t.leaves--
	l := t.height - 1
	for ; l >= 0; l-- {
		x := t.inner(p.ref[l])
		if x.n > 1 {
			break
		}
		t.dropInner(p.ref[l])
	}
	if l < 0 {
		t.root, t.height = 0, 0
		return
	}
	t.removeChild(p, l)
}

// removeChild takes the path's child at level l out of its node, which has others.
func (t *tree) removeChild(p *path, l int) {
	x := t.inner(p.ref[l])
	t.dropSieve(x)
	x.remove(p.at[l])
	if p.at[l] == 0 && x.hasKeys() {
		t.refence(p, l, x.keys()[0], arena.Ref(x.fences()[0]))
	}
	t.thin(p, l)
}

// thin joins the path's node at level l with a neighbour if it has few children, and its
// ancestors where that leaves them few. The ancestors are writable, the neighbours need
// not be. The root goes when it has one child.
func (t *tree) thin(p *path, l int) {
	for ; l > 0 && int(t.inner(p.ref[l]).n) < t.sparse(); l-- {
		up := t.inner(p.ref[l-1])
		i := p.at[l-1]
		switch n := int(t.inner(p.ref[l]).n); {
		case i > 0 && n+int(t.inner(up.kid(i-1)).n) <= t.joined():
			i--
		case i+1 < int(up.n) && n+int(t.inner(up.kid(i+1)).n) <= t.joined():
		default:
			return
		}
		t.joinInner(up, i)
	}
	for t.height > 0 && t.inner(t.root).n == 1 {
		old := t.root
		t.root = t.inner(old).kid(0)
		t.height--
		t.dropInner(old)
	}
}

// joinInner makes children i and i+1 of a node, inner nodes themselves, one.
func (t *tree) joinInner(up inner, i int) {
	a, b := up.kid(i), up.kid(i+1)
	x, y := t.inner(a), t.inner(b)
	ref, z := t.newInner(int(x.n + y.n))
	z.appendFrom(x, 0, int(x.n))
	z.appendFrom(y, 0, int(y.n))
	e := up.entry(i)
	e.kid, e.count = ref, e.count+up.counts()[i+1]
	up.set(i, e)
	up.remove(i + 1)
	t.dropInner(a)
	t.dropInner(b)
}
