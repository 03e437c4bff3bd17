package tree

import "github.com/larderkv/larder/store/arena"

// Insert adds a pair whose member is not there.
func (o *Order) Insert(score float64, ref arena.Ref) {
	if o.n == 0 {
		o.first(score, ref)
		return
	}
	g := targetOf(score, ref)
	for {
		var p path
		o.descend(&p, &g)
		if o.put(&p, KeyOf(score), ref) {
			return
		}
		o.split(&p)
	}
}

func (o *Order) first(score float64, ref arena.Ref) {
	leaf, x := o.newPairs(1)
	x.insert(0, KeyOf(score), ref)
	o.setRoot(leaf, 1)
}

// put inserts a pair at the path's place. It returns false if the leaf has to be split for
// that: if it is full, the place is at no end of the order, and the leaf behind cannot take
// what belongs between the two.
func (o *Order) put(p *path, key uint64, ref arena.Ref) bool {
	h := o.height
	x, at := o.pairs(p.ref[h]), p.at[h]
	if int(x.n) < maxPairs {
		o.insertPair(p, at, key, ref)
		return true
	}
	switch {
	case at == int(x.n) && o.atLast(p, h-1), at == 0: // at 0 only in the first leaf
		o.add(p, 1)
		o.addPairs(p, key, ref, at == 0)
	case at == int(x.n) && o.nextHasRoom(p):
		p.at[h-1]++
		p.ref[h] = o.inner(p.ref[h-1]).kid(p.at[h-1])
		o.insertPair(p, 0, key, ref)
	default:
		return false
	}
	return true
}

// nextHasRoom reports whether the leaf behind the path's has room, and the same parent.
func (o *Order) nextHasRoom(p *path) bool {
	up, i := o.inner(p.ref[o.height-1]), p.at[o.height-1]+1
	return i < int(up.n) && int(o.pairs(up.kid(i)).n) < maxPairs
}

// insertPair puts a pair into the path's leaf, which is not full.
func (o *Order) insertPair(p *path, i int, key uint64, ref arena.Ref) {
	h := o.height
	x := o.pairs(p.ref[h])
	if n := int(x.n); x.n == x.cap {
		room := n + 1
		if i == n && o.atLast(p, h-1) {
			room = min(n+1+n/2, maxPairs) // more will come
		}
		next := o.copyPairs(x, 0, n, room)
		o.free(p.ref[h])
		o.link(p, h, next)
		x = o.pairs(next)
	}
	x.insert(i, key, ref)
	o.add(p, 1)
	if i == 0 {
		o.refence(p, h, key, ref)
	}
}

// addPairs makes a leaf for one pair before or behind the path's, which counts the pair already.
func (o *Order) addPairs(p *path, key uint64, ref arena.Ref, before bool) {
	leaf, x := o.newPairs(1)
	x.insert(0, key, ref)
	old := p.ref[o.height]
	left, right := o.pairs(old).summary(old), x.summary(leaf)
	if before {
		o.refence(p, o.height, key, ref)
		left, right = right, left
	}
	o.insertLeaf(p, left, right)
}

// split makes two leaves of the path's.
func (o *Order) split(p *path) {
	old := p.ref[o.height]
	x := o.pairs(old)
	n := int(x.n)
	a := o.copyPairs(x, 0, n/2, n/2+1)
	b := o.copyPairs(x, n/2, n, n-n/2+1)
	o.free(old)
	o.insertLeaf(p, o.pairs(a).summary(a), o.pairs(b).summary(b))
}

// Append adds a pair that comes behind all others.
func (o *Order) Append(score float64, ref arena.Ref) {
	if o.n == 0 {
		o.first(score, ref)
		return
	}
	var p path
	o.seekLast(&p)
	p.at[o.height] = int(o.pairs(p.ref[o.height]).n)
	o.put(&p, KeyOf(score), ref)
}

// Delete removes a pair and reports whether it was there.
func (o *Order) Delete(score float64, ref arena.Ref) bool {
	if o.n == 0 {
		return false
	}
	var p path
	g := targetOf(score, ref)
	if !o.descend(&p, &g) {
		return false
	}
	o.cut(&p, 1)
	return true
}

// DeleteRange removes n pairs from position from on. fn, if it is not nil, is called with each
// of them before it is removed, and must not change the order.
func (o *Order) DeleteRange(from, n int, fn func(score float64, ref arena.Ref)) {
	for n > 0 {
		var p path
		o.seek(&p, from)
		x, at := o.pairs(p.ref[o.height]), p.at[o.height]
		k := min(n, int(x.n)-at)
		if fn != nil {
			for i := at; i < at+k; i++ {
				fn(scoreOf(x.keys[i]), x.ref(i))
			}
		}
		o.cut(&p, k)
		n -= k
	}
}

// cut removes k pairs of the path's leaf, from the path's place on.
func (o *Order) cut(p *path, k int) {
	h := o.height
	x, at := o.pairs(p.ref[h]), p.at[h]
	o.add(p, -k)
	if k == int(x.n) {
		o.free(p.ref[h])
		o.removeLeaf(p)
		return
	}
	x.remove(at, at+k)
	n := int(x.n)
	if size, cap := pairsSize(n), o.ar.Cap(p.ref[h]); size*5 <= cap*4 && arena.RoundUp(size)*5 <= cap*4 {
		next := o.copyPairs(x, 0, n, n)
		o.free(p.ref[h])
		o.link(p, h, next)
		x = o.pairs(next)
	}
	if at == 0 {
		o.refence(p, h, x.keys[0], x.ref(0))
	}
	if n < maxPairs/3 && h > 0 {
		o.thinPairs(p, n)
	}
}

// thinPairs joins the path's leaf of n pairs with a neighbour if that leaves a quarter free.
func (o *Order) thinPairs(p *path, n int) {
	l := o.height - 1
	up, i := o.inner(p.ref[l]), p.at[l]
	switch {
	case i > 0 && int(up.counts()[i-1])+n <= maxPairs*3/4:
		i--
	case i+1 < int(up.n) && int(up.counts()[i+1])+n <= maxPairs*3/4:
	default:
		return
	}
	a, b := up.kid(i), up.kid(i+1)
	x, y := o.pairs(a), o.pairs(b)
	n = int(x.n)
	m := int(y.n)
	ref := o.copyPairs(x, 0, n, n+m)
	z := (*head)(o.at(ref))
	z.n += uint16(m)
	w := o.pairs(ref)
	copy(w.keys[n:], y.keys)
	copy(w.refs[refSize*n:], y.refs[:refSize*m])
	up.set(i, w.summary(ref))
	up.remove(i + 1)
	o.leaves--
	o.free(a)
	o.free(b)
	o.thin(p, l)
}

// Update gives a pair another score and reports whether it was there. It is Delete and Insert
// but for a pair that stays in its leaf.
func (o *Order) Update(old, score float64, ref arena.Ref) bool {
	if o.n == 0 {
		return false
	}
	var p path
	g := targetOf(old, ref)
	if !o.descend(&p, &g) {
		return false
	}
	g = targetOf(score, ref)
	h, key := o.height, KeyOf(score)
	x, at := o.pairs(p.ref[h]), p.at[h]
	if !o.staysIn(&p, x, &g) {
		o.cut(&p, 1)
		o.Insert(score, ref)
		return true
	}
	to := at
	if at > 0 && x.keys[at-1] >= g.lo || at+1 < int(x.n) && x.keys[at+1] <= g.hi {
		x.remove(at, at+1)
		to, _ = o.place(x, &g)
		x.insert(to, key, ref)
	}
	x.keys[to] = key
	if at == 0 || to == 0 {
		o.refence(&p, h, x.keys[0], x.ref(0))
	}
	return true
}

// staysIn reports whether the path's leaf is surely the target's place: between the first pair
// of it and that of the next leaf.
func (o *Order) staysIn(p *path, x pairs, g *target) bool {
	if x.keys[0] >= g.lo && !o.atFirst(p, o.height-1) {
		return false
	}
	for l := o.height - 1; l >= 0; l-- {
		if keys := o.inner(p.ref[l]).keys(); p.at[l]+1 < len(keys) {
			return keys[p.at[l]+1] > g.hi
		}
	}
	return true
}

// Moved reports that the record of a pair has moved from old to ref. The record is looked at
// no more at old, and member is its member.
func (o *Order) Moved(score float64, member []byte, old, ref arena.Ref) {
	var p path
	g := targetOf(score, old)
	g.name = member
	if o.n == 0 || !o.descend(&p, &g) {
		panic("BUG: tree: a record moved that the order does not have")
	}
	x, at := o.pairs(p.ref[o.height]), p.at[o.height]
	x.setRef(at, ref)
	if at == 0 {
		o.refence(&p, o.height, x.keys[0], ref)
	}
}
