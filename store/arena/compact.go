package arena

// Compaction.
//
// Survivors of a mass deletion sit one here and one there, and no span is
// empty. Their owner, the store, walks its tables: BeginCompaction marks the
// emptiest spans, Evacuating tells for each block met on the walk whether it
// lies in one, the store allocates anew, copies, frees, and the emptied spans
// go back to the heap. EndCompaction lifts the marks that are left. The walk
// needs no map from blocks to owners, at the price of passing over blocks
// which stay.
//
// The blocks of a marked span go into free slots of others. So a byte is moved
// at most once for a byte that is gained, however full the spans are: what grows
// as they become fuller is the number of blocks that are looked at and stay.

// Gain is how many bytes of free slots there are that no compaction has tried to
// gain yet. Any goroutine may call it. It may be more than a compaction brings.
func (a *Arena) Gain() int64 { return a.gain.Load() }

// room is the number of free slots of a class.
func (a *Arena) room(c int) int64 {
	l := &a.spans[c]
	return int64(len(l.all))*int64(sizeClasses.class[c].slots) - int64(l.live)
}

// Fragmented returns the bytes that compaction could give back from classes of
// which at least share percent of the slots are free.
func (a *Arena) Fragmented(share int) int64 {
	var sum int64
	for c := range a.spans {
		cl := &sizeClasses.class[c]
		slots, room := int64(len(a.spans[c].all))*int64(cl.slots), a.room(c)
		if room >= int64(cl.slots) && room*100 >= slots*int64(share) {
			sum += room / int64(cl.slots) << spanShift[cl.kind]
		}
	}
	return sum
}

// BeginCompaction marks the emptiest spans of each class of which at least share
// percent of the slots are free, as many as fit into the free slots of the others
// and of the classes that may stand in. It returns the bytes of the marked spans:
// what is gained if all of them become empty.
func (a *Arena) BeginCompaction(share int) (bytes int64) {
	a.marked.free, a.marked.held = a.held-a.used, a.held
	// Free slots that wider classes have promised to narrower ones.
	var promised [256]int64
	for c := range a.spans {
		cl := &sizeClasses.class[c]
		slots := int64(len(a.spans[c].all)) * int64(cl.slots)
		room := a.room(c) - promised[c]
		if slots == 0 || room <= 0 || room*100 < slots*int64(share) {
			continue
		}
		spare := int64(0)
		for _, w := range cl.wider {
			spare += a.room(int(w)) - promised[w]
		}
		spans, moved := a.markEmptiest(c, room, spare)
		bytes += spans << spanShift[cl.kind]
		room -= spans * int64(cl.slots)
		for _, w := range cl.wider {
			// room below zero is what goes to the wider classes.
			n := min(max(-room, 0), a.room(int(w))-promised[w], moved)
			promised[w] += n
			room += n
		}
	}
	return bytes
}

// markEmptiest marks spans of a class that has room free slots, and may use spare
// of others. It returns how many, and how many blocks they hold.
func (a *Arena) markEmptiest(c int, room, spare int64) (spans, blocks int64) {
	l, slots := &a.spans[c], sizeClasses.class[c].slots
	var counts [maxSlots]int32 // by live blocks
	hist := counts[:slots]
	for _, page := range l.all {
		if live := a.desc[page].live; live < slots {
			hist[live]++
		}
	}
	// Those with fewer than most live blocks are marked, and last of those with
	// most.
	most, last := 0, int32(0)
	for room += spare; most < len(hist); most++ {
		n := min(int64(hist[most]), room/int64(slots))
		room -= n * int64(slots)
		if last = int32(n); last < hist[most] {
			break
		}
	}
	for _, page := range l.all {
		d := &a.desc[page]
		switch live := int(d.live); {
		case live > most || live == int(slots) || live == most && last == 0:
			continue
		case live == most:
			last--
		}
		if d.flags&flagListed != 0 {
			a.unlist(l, page)
		}
		d.flags |= flagEvacuating
		spans++
		blocks += int64(d.live)
	}
	return spans, blocks
}

// Evacuating reports whether the block r should be moved: because its span is being emptied, or is
// another arena's.
func (a *Arena) Evacuating(r Ref) bool {
	off := r.Off()
	kind := a.kindOf(off)
	if kind == kinds {
		return false
	}
	d := &a.desc[off>>spanShift[kind]<<(spanShift[kind]-descShift)]
	return d.owner != a.id || d.flags&flagEvacuating != 0
}

// EndCompaction lifts the marks of the spans that did not empty. What was free when they
// were marked and still is no longer counts in Gain. What others have freed since does:
// while many keys are evicted that is most of it.
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
	a.floor = min(a.held-a.used, max(0, a.marked.free-(a.marked.held-a.held)))
	a.tell()
}
