package arena

import "math/bits"

// extents are the free address space of large blocks, behind which no memory is.
//
// Values of 100 MB whose length is a bit different each time would use up any
// address space if a free block served its own size only. So neighbours are
// joined, the first that is long enough is cut, and what borders on the space
// never used goes back to it.
//
// An extent is on the list of its bin, of which there are eight for each doubling,
// so a block that is taken from the next bin is at most a quarter longer than
// need be before it is cut. The descriptors of its first and last page have its length and
// a flag; those of blocks in use have no flag. All is covered by the heap's mutex,
// but for blocks' own descriptors, whose flags only this file touches.
type extents struct {
	desc  []desc
	heads [bins]uint32
	some  [bins / 64]uint64 // which lists are not empty
}

const bins = 256

// bin is the list on which an extent of so many pages is, and whether no extent on
// it is shorter.
func bin(pages uint32) (i int, least bool) {
	if pages < 16 {
		return int(pages), true
	}
	shift := bits.Len32(pages) - 4
	return shift*8 + int(pages>>shift), pages&(1<<shift-1) == 0
}

// take cuts pages out of an extent. It returns 0 if none is found that is long
// enough.
func (x *extents) take(pages uint32) (page uint32) {
	i, least := bin(pages)
	if !least {
		i++
	}
	word, set := i>>6, x.some[i>>6]>>(i&63)<<(i&63)
	for set == 0 {
		if word++; word == len(x.some) {
			return 0
		}
		set = x.some[word]
	}
	page = x.heads[word<<6+bits.TrailingZeros64(set)]
	whole := x.remove(page)
	if whole > pages {
		x.insert(page+pages, whole-pages)
	}
	return page
}

// insert adds an extent.
func (x *extents) insert(page, pages uint32) {
	first, last := &x.desc[page], &x.desc[page+pages-1]
	i, _ := bin(pages)
	last.index, first.index = pages, pages
	last.flags |= flagFreeEnd
	first.flags |= flagFree
	first.prev, first.next = 0, x.heads[i]
	if first.next != 0 {
		x.desc[first.next].prev = page
	}
	x.heads[i] = page
	x.some[i>>6] |= 1 << (i & 63)
}

// remove takes an extent off its list and returns its length.
func (x *extents) remove(page uint32) (pages uint32) {
	first := &x.desc[page]
	pages = first.index
	i, _ := bin(pages)
	if first.prev != 0 {
		x.desc[first.prev].next = first.next
	} else if x.heads[i] = first.next; first.next == 0 {
		x.some[i>>6] &^= 1 << (i & 63)
	}
	if first.next != 0 {
		x.desc[first.next].prev = first.prev
	}
	first.flags &^= flagFree
	x.desc[page+pages-1].flags &^= flagFreeEnd
	return pages
}

// join adds free pages together with the extents beside them, between the pages
// low and bump. It returns where the space never used begins now.
func (x *extents) join(page, pages, low, bump uint32) uint32 {
	if page > low && x.desc[page-1].flags&flagFreeEnd != 0 {
		n := x.desc[page-1].index
		x.remove(page - n)
		page, pages = page-n, pages+n
	}
	if next := page + pages; next < bump && x.desc[next].flags&flagFree != 0 {
		pages += x.remove(next)
	}
	if page+pages == bump {
		return page
	}
	x.insert(page, pages)
	return bump
}
