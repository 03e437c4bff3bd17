package store

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/larderkv/larder/store/arena"
)

// Pop removes n random members, 0 < n <= LiveLen, each passed to fn before it goes.
// The handle is spent if none is left.
func (s *Set) Pop(n int, fn func(member []byte)) {
	switch size := s.Len(); {
	case s.Dated():
		if n = s.popLive(n, fn); n == 0 {
			return
		}
	case n == size:
		s.Each(func(member []byte) bool {
			fn(member)
			return true
		})
		s.e.drop()
	case s.isIntset():
		s.popIntegers(n, fn)
	case s.isPack():
		s.popPacked(n, fn)
	case (size-n)*rebuildShare <= n:
		s.popMost(n, fn)
	default:
		s.popElements(n, fn)
	}
	s.v.Dirty += int64(n)
	s.e.changed(s.v, s.k, EventSPop)
}

// popLive is Pop for members with times to live. It returns how many there were. The names of several
// are copied, since to remove one may move the others.
func (s *Set) popLive(n int, fn func(member []byte)) (popped int) {
	t := s.e.nested()
	if n == 1 { // without a look at all of them
		s.repeatLive(1, func(ref arena.Ref) bool {
			member := recordKey(t.mem, ref)
			fn(member)
			s.e.removeElement(member)
			popped = 1
			return false
		})
		return popped
	}
	members := make([][]byte, 0, n)
	s.Sample(n, func(member []byte) bool {
		members = append(members, slices.Clone(member))
		return true
	})
	for _, m := range members {
		fn(m)
		s.e.removeElement(m)
	}
	return len(members)
}

func (s *Set) popIntegers(n int, fn func(member []byte)) {
	is := intset(s.e.value())
	if n == 1 {
		i := rand.IntN(is.len())
		fn(s.digits(is.at(i)))
		s.cutInteger(is, i)
		return
	}
	pick := selection{need: n, left: is.len()}
	width, kept := is.width(), 0
	for i := range is.len() {
		if v := is.at(i); pick.take() {
			fn(s.digits(v))
		} else {
			intsetPut(is, width, kept, v)
			kept++
		}
	}
	s.e.resizeValue(1+kept*width, encIntset, false)
}

func (s *Set) popPacked(n int, fn func(member []byte)) {
	p := pack(s.e.value())
	size := p.count()
	if n == 1 {
		off := p.nth(rand.IntN(size))
		member, end := p.next(off)
		fn(member)
		s.cut(p, off, end, 1)
		return
	}
	pick := selection{need: n, left: size}
	used := lenSize(size - n)
	for off := p.first(); off < len(p); {
		member, end := p.next(off)
		if pick.take() {
			fn(member)
		} else {
			used += copy(p[used:], p[off:end])
		}
		off = end
	}
	binary.PutUvarint(p, uint64(size-n))
	s.e.resizeValue(used, encPack, false)
}

func (s *Set) popElements(n int, fn func(member []byte)) {
	t := s.e.nested()
	for ; n > 0; n-- {
		member := recordKey(t.mem, t.random())
		fn(member)
		el, _ := s.e.element(t, member)
		el.remove()
	}
}

// popMost builds the set of those that stay beside the old one. Their table is
// freed in the background.
func (s *Set) popMost(n int, fn func(member []byte)) {
	t := s.e.nested()
	rest := s.v.NewSet(s.k)
	keep := selection{need: t.n - n, left: t.n}
	t.eachRef(func(ref arena.Ref) bool {
		if member := recordKey(t.mem, ref); keep.take() {
			rest.Add(member)
		} else {
			fn(member)
		}
		return true
	})
	expire, x := s.e.rec.expire, s.e.describe()
	for i := range x.Tags { // they may be freed with their last key
		x.Tags[i] = slices.Clone(x.Tags[i])
	}
	had := s.e.rec.extra > 0
	s.e.drop()
	rest.set.e.attach(s.v, s.k, expire)
	if had {
		s.v.setExtras(&rest.set.e, s.k, &x)
	}
	s.e = rest.set.e // the key is still there
}
