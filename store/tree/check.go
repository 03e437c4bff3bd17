package tree

import (
	"fmt"
	"hash/maphash"

	"github.com/larderkv/larder/store/arena"
)

// checker walks all of a tree and adds up what it finds.
type checker struct {
	t      *tree
	leaf   func(ref arena.Ref) (entry, error) // checks a leaf
	leaves int
	sieves int
	bytes  int64
}

// check verifies the counts, the accounts and, of an order, the fences. leaf checks a leaf and
// says what its parent has to say of it.
func (t *tree) check(leaf func(ref arena.Ref) (entry, error)) error {
	c := &checker{t: t, leaf: leaf}
	if t.root == 0 {
		if t.n != 0 || t.height != 0 {
			return fmt.Errorf("no root with %d elements and height %d", t.n, t.height)
		}
	} else if e, err := c.visit(t.root, 0); err != nil {
		return err
	} else if e.count != uint64(t.n) {
		return fmt.Errorf("%d elements, %d counted", t.n, e.count)
	}
	for b := t.retired; b != nil; b = b.next {
		for _, ref := range b.refs[:b.n] {
			c.bytes += int64(t.ar.Footprint(ref))
		}
	}
	if c.bytes != t.bytes || c.leaves != t.leaves || c.sieves != t.sieves.n {
		return fmt.Errorf("%d bytes, %d leaves and %d sieves, accounts say %d, %d and %d",
			c.bytes, c.leaves, c.sieves, t.bytes, t.leaves, t.sieves.n)
	}
	return nil
}

// visit checks what is below a node at a level, which is as deep as the tree is high.
func (c *checker) visit(ref arena.Ref, level int) (e entry, err error) {
	t := c.t
	c.bytes += int64(t.ar.Footprint(ref))
	if level == t.height {
		c.leaves++
		return c.leaf(ref)
	}
	x := t.inner(ref)
	if x.n == 0 || x.n > x.cap || int(x.cap) > t.fanout || level == 0 && x.n < 2 {
		return e, fmt.Errorf("a node of level %d has %d children and room for %d", level, x.n, x.cap)
	}
	if size := innerHeadSize + int(x.cap)*t.arrays*wordSize; size > t.ar.Cap(ref) {
		return e, fmt.Errorf("a node of %d bytes in a block of %d", size, t.ar.Cap(ref))
	}
	if x.sieve != 0 {
		c.sieves++
		c.bytes += int64(t.ar.Footprint(x.sieve))
	}
	for i := range int(x.n) {
		said := x.entry(i)
		is, err := c.visit(said.kid, level+1)
		if err != nil {
			return e, err
		}
		if is.kid = said.kid; is != said {
			return e, fmt.Errorf("child %d of level %d: parent says %+v, is %+v", i, level, said, is)
		}
	}
	return t.summary(ref), nil
}

// Check verifies the list's structure and accounts.
func (l *List) Check() error {
	data := int64(0)
	err := l.check(func(ref arena.Ref) (e entry, err error) {
		x := l.leaf(ref)
		if x.n == 0 || x.start < leafHeadSize || x.start > x.end || x.end > x.cap || int(x.cap) > l.ar.Footprint(ref) {
			return e, fmt.Errorf("leaf of %d elements from %d to %d of %d bytes", x.n, x.start, x.end, x.cap)
		}
		r, n := x.run(), 0
		for off := 0; off < len(r.b); n++ {
			s, next := r.Next(off)
			data += int64(EntrySize(len(s)))
			if _, prev := r.prev(next); prev != off || next-off != r.sizeOf(len(s)) {
				return e, fmt.Errorf("entry from %d to %d begins at %d seen from its end", off, next, prev)
			}
			off = next
		}
		if n != int(x.n) {
			return e, fmt.Errorf("leaf of %d elements says %d", n, x.n)
		}
		return entry{count: uint64(n)}, nil
	})
	if err == nil && data != l.data {
		return fmt.Errorf("%d bytes of entries, accounts say %d", data, l.data)
	}
	if err == nil && l.sieves.n > 0 {
		err = l.checkSieves()
	}
	return err
}

// checkSieves verifies that sieves know of every element of the leaves that they know.
func (l *List) checkSieves() error {
	var p path
	l.seekFirst(&p)
	for more := true; more; more = l.next(&p) {
		x, i := l.inner(p.ref[l.height-1]), p.at[l.height-1]
		if x.sieve == 0 {
			continue
		}
		r := l.leaf(p.ref[l.height]).run()
		for off := 0; off < len(r.b); {
			var s []byte
			if s, off = r.Next(off); l.sieve(x).likely(maphash.Bytes(l.sieves.seed, s))>>i&1 == 0 {
				return fmt.Errorf("leaf %d of a node holds %q, its sieve says it does not", i, s)
			}
		}
	}
	return nil
}

// Check verifies the order's structure and accounts.
func (o *Order) Check() error {
	var last target
	return o.check(func(ref arena.Ref) (e entry, err error) {
		x := o.pairs(ref)
		if x.n == 0 || x.n > x.cap || pairsSize(int(x.cap)) > o.ar.Cap(ref) {
			return e, fmt.Errorf("leaf of %d pairs with room for %d in %d bytes", x.n, x.cap, o.ar.Cap(ref))
		}
		for i, key := range x.keys {
			g := targetOf(scoreOf(key), x.ref(i))
			if last.ref != 0 && (last.lo > g.lo || last.lo == g.lo && o.compare(last.ref, &g) >= 0) {
				return e, fmt.Errorf("pair %v, %q stands behind %v, %q",
					scoreOf(g.hi), o.member(g.ref), scoreOf(last.hi), o.member(last.ref))
			}
			last = g
		}
		return x.summary(ref), nil
	})
}
