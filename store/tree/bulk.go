package tree

import "github.com/larderkv/larder/store/arena"

// FromRun is a list of the n elements of a run, which may lie in the arena.
func FromRun(ar *arena.Arena, run []byte, n int) *List {
	l := NewList(ar)
	l.AppendRun(run, n)
	return l
}

// AppendRun adds the n elements of a run behind the last one, in leaves of their own, as full as
// they may be. The run may lie in the arena, but not in the list.
func (l *List) AppendRun(run []byte, n int) {
	for n > 0 {
		end, k := 0, 0
		for k < n && k < l.entries {
			next := skipNext(run, end)
			if next > l.room && k > 0 {
				break
			}
			end = next
			k++
		}
		l.appendLeaf(Run{b: run[:end]}, k)
		run, n = run[end:], n-k
	}
}

// appendLeaf adds a leaf with n elements.
func (l *List) appendLeaf(r Run, n int) {
	ref, x := l.newLeaf(len(r.b))
	x.n, x.end, x.width = uint32(n), x.start+uint32(len(r.b)), uint32(r.width)
	copy(x.bytes(), r.b)
	l.data += int64(r.asEntries(len(r.b)))
	if l.n == 0 {
		l.setRoot(ref, n)
		return
	}
	var p path
	l.seekLast(&p)
	l.change(&p)
	l.add(&p, n)
	last := p.ref[l.height]
	l.insertLeaf(&p, entry{kid: last, count: uint64(l.leaf(last).n)}, entry{kid: ref, count: uint64(n)})
}

// Clone copies the list into another arena, or its own.
func (l *List) Clone(ar *arena.Arena) *List { return l.Copy(ar, 0, l.n) }

// Copy copies n elements from element i on into another arena, or the list's own.
func (l *List) Copy(ar *arena.Arena, i, n int) *List {
	c := NewList(ar)
	c.room, c.entries = l.room, l.entries
	for n > 0 {
		r, k := l.Leaf(i)
		if k > n {
			r.b = r.b[:r.seek(k, n)]
			k = n
		}
		c.appendLeaf(r, k)
		i, n = i+k, n-k
	}
	return c
}
