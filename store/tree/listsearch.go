package tree

// Find returns the position of the first element equal to s from element i on, or of the last
// one up to element i if back is set; -1 if there is none.
func (l *List) Find(s []byte, i int, back bool) int {
	if i < 0 || i >= l.n {
		return -1
	}
	var p path
	l.seek(&p, i)
	if back {
		return l.findBack(&p, s, i)
	}
	for more := true; more; more = l.next(&p) {
		x, at := l.leaf(p.ref[l.height]), p.at[l.height]
		run := x.run()
		for off := seekRun(run, int(x.n), at); off < len(run); i++ {
			var e []byte
			if e, off = NextRun(run, off); string(e) == string(s) {
				return i
			}
		}
	}
	return -1
}

func (l *List) findBack(p *path, s []byte, i int) int {
	x := l.leaf(p.ref[l.height])
	run := x.run()
	off := skipNext(run, seekRun(run, int(x.n), p.at[l.height]))
	for {
		for ; off > 0; i-- {
			var e []byte
			if e, off = PrevRun(run, off); string(e) == string(s) {
				return i
			}
		}
		if !l.previous(p) {
			return -1
		}
		run = l.leaf(p.ref[l.height]).run()
		off = len(run)
	}
}

// RemoveEqual removes elements equal to s, the first limit ones or the last if back is set,
// all if limit is 0. It returns how many. It is one pass over the list, and each leaf that
// loses elements is put together once.
func (l *List) RemoveEqual(s []byte, limit int, back bool) (removed int) {
	if limit == 0 {
		limit = l.n
	}
	i := 0
	if back {
		i = l.n - 1
	}
	for removed < limit {
		if i = l.Find(s, i, back); i < 0 {
			break
		}
		var k int
		k, i = l.removeIn(i, s, limit-removed, back)
		removed += k
	}
	return removed
}

// removeIn removes at most limit elements equal to s from the leaf of element i, which is one:
// from i on, or from i back. It returns how many, and where to look for more.
func (l *List) removeIn(i int, s []byte, limit int, back bool) (removed, next int) {
	var p path
	l.seek(&p, i)
	l.own(&p)
	x, at := l.leaf(p.ref[l.height]), p.at[l.height]
	first, n := i-at, int(x.n)
	keep := 0 // so many of the equal ones come first and stay
	from, to := at, n
	if back {
		from, to = 0, at+1
		keep = max(0, countEqual(x, s, to)-limit)
	}
	if l.shared(p.ref[l.height]) {
		ref, y := l.copyLeaf(x, 0, 0, 0, x.size(), false)
		l.drop(p.ref[l.height])
		l.link(&p, l.height, ref)
		x = y
	}
	before := x.size()
	removed = removeEqual(x, s, from, to, keep, limit)
	l.data -= int64(before - x.size())
	l.add(&p, -removed)
	if back {
		next = first - 1
	} else {
		next = first + n - removed
	}
	if x.n == 0 {
		l.removeWhole(&p)
		return removed, next
	}
	if tooLarge(x, x.size(), false) {
		l.splice(&p, 0, 0, 0, 0, false)
	}
	l.thinLeaf(&p)
	return removed, next
}

// countEqual counts the elements equal to s among the first to.
func countEqual(x leaf, s []byte, to int) (n int) {
	run := x.run()
	for off, i := 0, 0; i < to; i++ {
		var e []byte
		if e, off = NextRun(run, off); string(e) == string(s) {
			n++
		}
	}
	return n
}

// removeEqual removes from elements from to to-1 of a leaf those equal to s, without the first
// keep, and at most limit.
func removeEqual(x leaf, s []byte, from, to, keep, limit int) (removed int) {
	run := x.run()
	out := seekRun(run, int(x.n), from)
	off, kept := out, out // run[kept:off] stays and has yet to be moved to out
	flush := func() {
		out += copy(run[out:], run[kept:off])
	}
	for i := from; i < to && removed < limit; i++ {
		e, next := NextRun(run, off)
		if string(e) != string(s) {
			off = next
			continue
		}
		if keep > 0 {
			keep--
			off = next
			continue
		}
		flush()
		off, kept = next, next
		removed++
	}
	off = len(run)
	flush()
	x.end = x.start + uint32(out)
	x.n -= uint32(removed)
	return removed
}
