package store

// Bodies and the statistics by prefix (prefixes.go). The bytes of a body belong to its key's prefix.

// billing says to whom the bytes of a body are booked.
type billing struct {
	owner *table // of the keyspace; nil: to nobody, since the body is not of any key
	bytes int64
	since uint32 // number of the table of prefixes that gave the slot to the prefix
	epoch uint32 // of the shard, see shardPrefixes
	slot  uint16
	fresh bool // it has come into being, or to its key, and is not booked yet
}

func (b *billing) billed() *billing { return b }

// touch notes that the bytes of a body may be about to change.
func (sh *shard) touch(b body) {
	p := &sh.prefixes
	if !p.on {
		return
	}
	if n := len(p.touched); n > 0 && p.touched[n-1] == b {
		return
	}
	if len(p.touched) == maxTouched {
		sh.settleBodies()
	}
	p.touched, p.owing = append(p.touched, b), true
}

// maxTouched bounds what commands that only read leave behind.
const maxTouched = 32

// arrive notes that a body has got a handle, and with the next booking a key.
func (sh *shard) arrive(b body) {
	if sh.prefixes.on {
		*b.billed() = billing{epoch: sh.prefixes.epoch, fresh: true}
		sh.touch(b)
	}
}

// depart takes a body that loses its handle, or its key, out of the books.
func (sh *shard) depart(b body) {
	if a := b.billed(); a.epoch == sh.prefixes.epoch && a.owner != nil {
		a.owner.stock.of(sh.billedTo(a)).bytes -= a.bytes
	}
	*b.billed() = billing{}
}

// billedTo is the slot that a bill is in: not the one that it names if that has changed hands.
func (sh *shard) billedTo(a *billing) uint16 {
	if a.slot >= firstSlot && sh.prefixes.table.names[a.slot].since != a.since {
		return otherSlot
	}
	return a.slot
}

// bookBodies books what bodies have gained or lost. The fresh ones go to a slot of table t.
func (sh *shard) bookBodies(t *table, slot uint16) {
	p := &sh.prefixes
	for i, b := range p.touched {
		if a := b.billed(); a.fresh && a.epoch == p.epoch {
			sh.bill(b, t, slot)
		} else {
			sh.settleBody(b)
		}
		p.touched[i] = nil
	}
	p.touched, p.owing = p.touched[:0], false
}

// settleBodies books what bodies that have an owner have gained or lost.
func (sh *shard) settleBodies() {
	p := &sh.prefixes
	kept := p.touched[:0]
	for _, b := range p.touched {
		if a := b.billed(); a.fresh && a.epoch == p.epoch {
			kept = append(kept, b)
		} else {
			sh.settleBody(b)
		}
	}
	clear(p.touched[len(kept):])
	p.touched, p.owing = kept, len(kept) > 0
}

// bill books all bytes of a body to a slot of table t.
func (sh *shard) bill(b body, t *table, slot uint16) {
	a := b.billed()
	*a = billing{owner: t, bytes: b.size(), epoch: sh.prefixes.epoch, slot: slot}
	if slot >= firstSlot {
		a.since = sh.prefixes.table.names[slot].since
	}
	t.stock.of(slot).bytes += a.bytes
}

// settleBody books what a body has gained or lost, if it is in the books.
func (sh *shard) settleBody(b body) {
	a := b.billed()
	if a.owner == nil || a.epoch != sh.prefixes.epoch {
		return
	}
	if size := b.size(); size != a.bytes {
		a.owner.stock.of(sh.billedTo(a)).bytes += size - a.bytes
		a.bytes = size
	}
}
