package tree

import "github.com/larderkv/larder/store/arena"

// maxHeight is far above what the references of an arena can fill: neighbours have more
// than joined() children together.
const maxHeight = 8

// A path leads from the root (level 0) to a leaf (level height). No node knows its parent:
// a node can be moved or copied by changing one reference.
type path struct {
	ref [maxHeight + 1]arena.Ref
	at  [maxHeight + 1]int // which child; in the leaf, which element
}

// seek finds the leaf that holds element pos, which exists.
func (t *tree) seek(p *path, pos int) {
	ref, rest, total := t.root, uint64(pos), uint64(t.n)
	for l := range t.height {
		x := t.inner(ref)
		p.ref[l] = ref
		p.at[l], rest = x.find(rest, total)
		ref, total = x.kid(p.at[l]), x.counts()[p.at[l]]
	}
	p.ref[t.height], p.at[t.height] = ref, int(rest)
}

// seekFirst finds the first leaf, seekLast the last.
func (t *tree) seekFirst(p *path) { t.descendFirst(p, 0, t.root) }
func (t *tree) seekLast(p *path)  { t.descendLast(p, 0, t.root) }

func (t *tree) descendFirst(p *path, l int, ref arena.Ref) {
	for ; l < t.height; l++ {
		p.ref[l], p.at[l] = ref, 0
		ref = t.inner(ref).kid(0)
	}
	p.ref[l], p.at[l] = ref, 0
}

func (t *tree) descendLast(p *path, l int, ref arena.Ref) {
	for ; l < t.height; l++ {
		x := t.inner(ref)
		p.ref[l], p.at[l] = ref, int(x.n)-1
		ref = x.kid(p.at[l])
	}
	p.ref[l], p.at[l] = ref, 0
}

// next goes on to the leaf behind the path's, at its first element. It returns false if
// there is none.
func (t *tree) next(p *path) bool {
	for l := t.height - 1; l >= 0; l-- {
		x := t.inner(p.ref[l])
		if p.at[l]+1 < int(x.n) {
			p.at[l]++
			t.descendFirst(p, l+1, x.kid(p.at[l]))
			return true
		}
	}
	return false
}

// previous goes back to the leaf before the path's.
func (t *tree) previous(p *path) bool {
	for l := t.height - 1; l >= 0; l-- {
		if p.at[l] > 0 {
			p.at[l]--
			t.descendLast(p, l+1, t.inner(p.ref[l]).kid(p.at[l]))
			return true
		}
	}
	return false
}

// toLeaf makes child i of the path's lowest node, x, the path's leaf, at its first element.
func (t *tree) toLeaf(p *path, x inner, i int) {
	h := t.height
	p.at[h-1], p.ref[h], p.at[h] = i, x.kid(i), 0
}

// position is the position of the path's element.
func (t *tree) position(p *path) int {
	pos := uint64(p.at[t.height])
	for l := range t.height {
		for _, c := range t.inner(p.ref[l]).counts()[:p.at[l]] {
			pos += c
		}
	}
	return int(pos)
}

// atFirst reports whether the path down to level l keeps to the left end, atLast to the
// right end.
func (t *tree) atFirst(p *path, l int) bool {
	for ; l >= 0; l-- {
		if p.at[l] > 0 {
			return false
		}
	}
	return true
}

func (t *tree) atLast(p *path, l int) bool {
	for ; l >= 0; l-- {
		if p.at[l]+1 < int(t.inner(p.ref[l]).n) {
			return false
		}
	}
	return true
}

// add changes the counts along the path, and the tree's.
func (t *tree) add(p *path, n int) {
	t.n += n
	for l := range t.height {
		t.inner(p.ref[l]).counts()[p.at[l]] += uint64(n)
	}
}

// endLeaf is the first leaf or the last.
func (t *tree) endLeaf(first bool) (leaf arena.Ref) {
	leaf = t.root
	for range t.height {
		kids := t.inner(leaf).kids()
		i := 0
		if !first {
			i = len(kids) - 1
		}
		leaf = arena.Ref(kids[i])
	}
	return leaf
}

// countEnd changes the counts along the way to the first leaf or the last, and the tree's, and
// returns the leaf.
func (t *tree) countEnd(first bool, n int) (leaf arena.Ref) {
	t.n += n
	leaf = t.root
	for range t.height {
		x, i := t.inner(leaf), 0
		if !first {
			i = int(x.n) - 1
		}
		x.counts()[i] += uint64(n)
		leaf = x.kid(i)
	}
	return leaf
}

// link gives the path another block at a level and tells the parent, which is writable.
func (t *tree) link(p *path, l int, ref arena.Ref) {
	p.ref[l] = ref
	if l == 0 {
		t.root = ref
		return
	}
	t.inner(p.ref[l-1]).kids()[p.at[l-1]] = uint64(ref)
}

// refence tells the ancestors that the first element of the path's node at level l is
// another one now.
func (t *tree) refence(p *path, l int, key uint64, fence arena.Ref) {
	for l--; l >= 0; l-- {
		x := t.inner(p.ref[l])
		i := p.at[l]
		x.keys()[i], x.fences()[i] = key, uint64(fence)
		if i > 0 {
			return
		}
	}
}
