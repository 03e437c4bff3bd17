package arena

import "slices"

// Compaction.
//
// Survivors of a mass deletion sit one here and one there, and no span is
// empty. Their owner, the store, walks its tables: BeginCompaction marks the
// sparse spans, Evacuating tells for each block met on the walk whether it
// lies in one, the store allocates anew, copies, frees, and the emptied spans
// go back to the heap. EndCompaction lifts the marks that are left. The walk
// needs no map from blocks to owners, at the price of passing over blocks
// which stay; it is begun only when a class has a quarter of its slots free.

// sparseShare is the share of free slots, in percent, from which a class is
// worth compacting.
const sparseShare = 25

// Fragmented returns the bytes that compaction could give back. A caller
// weighs it against Held.
func (a *Arena) Fragmented() int64 {
	var sum int64
	for c := range a.spans {
		if free := a.sparse(c); free > 0 {
			sum += free * int64(sizeClasses.class[c].size)
		}
	}
	return sum
}

// sparse is the number of free slots of a class beyond one span's worth, or 0
// when they are too few to bother.
func (a *Arena) sparse(c int) int64 {
	l, cl := &a.spans[c], &sizeClasses.class[c]
	slots := int64(len(l.all)) * int64(cl.slots)
	free := slots - int64(l.live) - int64(cl.slots)
	if len(l.all) < 3 || free*100 < slots*sparseShare {
		return 0
	}
	return free
}

// BeginCompaction marks the emptiest spans of each sparse class, as many as
// fit into the free slots of the others. It reports whether any was marked.
func (a *Arena) BeginCompaction() bool {
	marked := false
	for c := range a.spans {
		if a.sparse(c) > 0 && a.markSparse(c) {
			marked = true
		}
	}
	return marked
}

func (a *Arena) markSparse(c int) (marked bool) {
	l, cl := &a.spans[c], &sizeClasses.class[c]
	slices.SortFunc(l.all, func(x, y uint32) int { return int(a.desc[x].live) - int(a.desc[y].live) })
	for i, page := range l.all {
		a.desc[page].index = uint32(i)
	}
	room := int64(len(l.all))*int64(cl.slots) - int64(l.live)
	for _, page := range l.all {
		d := &a.desc[page]
		room -= int64(cl.slots) // its free slots are lost, its blocks need places
		if room < 0 || d.live == cl.slots {
			break
		}
		if d.flags&flagListed != 0 {
			a.unlist(l, page)
		}
		d.flags |= flagEvacuating
		marked = true
	}
	return marked
}

// Evacuating reports whether the block r should be moved.
func (a *Arena) Evacuating(r Ref) bool {
	off := r.Off()
	kind := a.kindOf(off)
	if kind == kinds {
		return false
	}
	return a.desc[off>>spanShift[kind]<<(spanShift[kind]-descShift)].flags&flagEvacuating != 0
}

// EndCompaction lifts the marks of the spans that did not empty.
func (a *Arena) EndCompaction() {
	for c := range a.spans {
		l := &a.spans[c]
		for _, page := range l.all {
			d := &a.desc[page]
			if d.flags&flagEvacuating == 0 {
				continue
			}
			d.flags &^= flagEvacuating
			if d.live < sizeClasses.class[c].slots {
				a.listLast(l, page)
			}
		}
	}
}
