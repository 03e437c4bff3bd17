package rdb

import (
	"errors"

	"github.com/larderkv/larder/store"
)

// inserter is one of the goroutines that decode and insert.
//
// It sorts the keys of a batch by shard first: a lock is then taken once for some
// tens of keys, and the buckets that the next ones need are on their way from
// memory while one is inserted.
type inserter struct {
	l     *loader
	d     decoder
	names items
	keys  []store.Key
	order []uint32                    // indices of entries, by shard
	heads [store.MaxShards + 1]uint32 // where each shard's begin in order
	view  store.View
	first int // shard

	inserted int64 // keys of this batch
}

var errExhausted = errors.New("rdb: the store's address range is used up")

// prefetchAhead is how many keys ahead buckets are prefetched.
const prefetchAhead = 6

func newInserter(l *loader, i int) *inserter {
	return &inserter{l: l, first: i * l.st.Shards() / l.o.Workers,
		view: store.View{Store: l.st, Now: l.o.Clock, Loading: true}}
}

func (in *inserter) run() {
	for b := range in.l.full {
		if !in.l.failed.Load() {
			in.entries(b)
		}
		for i := range b.pieces {
			in.piece(b, &b.pieces[i])
		}
		in.l.keys.Add(in.inserted)
		in.inserted = 0
		in.l.free <- b
	}
}

// fail reports what is wrong with the value at an offset in the file.
func (in *inserter) fail(offset int64, err error) {
	var c corruption
	if errors.As(err, &c) {
		err = &CorruptError{Offset: offset, Reason: string(c)}
	}
	in.l.fail(offset, err)
}

func (in *inserter) entries(b *batch) {
	if in.l.st.Exhausted() {
		in.l.fail(b.base, errExhausted)
	}
	if !in.locate(b) {
		return
	}
	// Each goroutine begins with another shard, to keep out of the others' way.
	shards := in.l.st.Shards()
	for i := range shards {
		shard := (in.first + i) & (shards - 1)
		list := in.order[in.heads[shard]:in.heads[shard+1]]
		if len(list) == 0 {
			continue
		}
		in.l.st.Lock(shard)
		for i, at := range list {
			if i+prefetchAhead < len(list) {
				next := list[i+prefetchAhead]
				in.view.DB = int(b.entries[next].db)
				in.view.PrefetchInsertLocked(&in.keys[next])
			}
			in.entry(b, at)
		}
		in.l.st.Unlock(shard)
	}
}

// locate decodes the names of a batch and sorts its entries by shard.
func (in *inserter) locate(b *batch) bool {
	in.names.reset()
	in.keys = in.keys[:0]
	clear(in.heads[:])
	for i := range b.entries {
		e := &b.entries[i]
		c := cursor{b: b.block[e.at:e.value]}
		name := c.str(&in.names)
		if err := c.err(); err != nil {
			in.fail(b.base+int64(e.at), err)
			return false
		}
		k := in.l.st.Key(name)
		in.keys = append(in.keys, k)
		in.heads[k.Shard()+1]++
	}
	for i := range in.l.st.Shards() {
		in.heads[i+1] += in.heads[i]
	}
	if cap(in.order) < len(in.keys) {
		in.order = make([]uint32, len(in.keys))
	}
	in.order = in.order[:len(in.keys)]
	// Filled from the back, which turns the ends of the parts into their heads.
	for i := len(in.keys) - 1; i >= 0; i-- {
		end := &in.heads[in.keys[i].Shard()+1]
		*end--
		in.order[*end] = uint32(i)
	}
	copy(in.heads[:], in.heads[1:])
	in.heads[in.l.st.Shards()] = uint32(len(in.keys))
	return true
}

// entry inserts one key; its shard is locked.
func (in *inserter) entry(b *batch, i uint32) {
	e, k := &b.entries[i], in.keys[i]
	in.view.DB = int(e.db)
	offset := b.base + int64(e.at) - 1
	err := in.d.value(e.typ, b.block[e.value:e.end], in.l.o.Now)
	if err == nil {
		err = in.insert(k, e)
	}
	in.countOutcome(err, e, k.Name, offset)
}

// countOutcome counts the outcome for a key.
func (in *inserter) countOutcome(err error, e *entry, name []byte, offset int64) {
	switch {
	case err == nil:
		in.inserted++
	case errors.Is(err, errEmpty):
		in.l.empty.Add(1)
	case errors.Is(err, ErrExpired):
		in.l.expiredFields.Add(1)
	default:
		in.fail(offset, err)
	}
}

// insert adds the decoded value as a new key.
func (in *inserter) insert(k store.Key, e *entry) error {
	d := &in.d
	if d.repeats() {
		return repeated(d.typ, k.Name, e.db)
	}
	if !codecs[d.typ].insert(&in.view, k, d, e.expire) {
		return duplicate("key", k.Name, e.db)
	}
	in.attributes(k, e)
	return nil
}

// addElements adds the decoded elements to a key that has some already.
func (in *inserter) addElements(k store.Key, e *entry) error {
	row := &codecs[in.d.typ]
	n, err := row.add(&in.view, k, in.d.list)
	if err == nil && n != in.d.count() {
		err = repeated(in.d.typ, k.Name, e.db)
	}
	if err == nil && len(in.d.until) > 0 {
		in.view.DateElements(k, in.d.typ, in.d.list, codecs[in.d.typ].stride, in.d.until)
	}
	return err
}

// attributes sets when a key was accessed, and what it has beside its value.
func (in *inserter) attributes(k store.Key, e *entry) {
	if e.extras != nil {
		in.view.Attach(k, e.extras)
	}
	switch e.kind {
	case accessIdle:
		in.view.SetIdle(k, e.access)
	case accessFreq:
		in.view.SetFrequency(k, int(e.access))
	}
}

// piece inserts a part of a large collection, in its turn if the collection has an order: decoding
// goes on meanwhile. A piece that waits has been taken from the channel after those in front of it,
// by a goroutine that took them or behind others that did; so the first of them never waits, and
// all get their turn. That holds as long as every piece ends its turn, after a failure too, which
// is why those of a batch are gone through in any case.
func (in *inserter) piece(b *batch, p *piece) {
	if p.done != nil {
		defer close(p.done)
	}
	if in.l.failed.Load() {
		return
	}
	big := p.of
	err := in.d.piece(big, b.block[p.at:p.end], p.n, in.l.o.Now)
	in.d.number(big, p)
	if p.turn != nil {
		<-p.turn
	}
	k := in.l.st.Key(big.name)
	in.l.st.Lock(k.Shard())
	defer in.l.st.Unlock(k.Shard())
	in.view.DB = int(big.db)
	in.addPiece(k, big, err)
	if big.pieces.Add(-1) == 0 {
		in.finish(k, big)
	}
}

// addPiece adds the decoded elements of a piece, unless the key is lost already.
func (in *inserter) addPiece(k store.Key, big *bigKey, err error) {
	switch {
	case big.bad != nil:
		return
	case errors.Is(err, ErrExpired):
		big.left = true
		return
	case errors.Is(err, errEmpty): // nodes without elements
		return
	case err != nil:
		big.bad = err
		return
	}
	if _, exists := in.view.Peek(k); exists && !big.begun {
		big.bad = duplicate("key", k.Name, big.db)
		return
	}
	big.begun = true
	big.bad = in.addElements(k, &big.entry)
}

// finish completes the key after its last piece.
func (in *inserter) finish(k store.Key, big *bigKey) {
	err := big.bad
	switch {
	case err == nil && !big.begun && big.left:
		err = ErrExpired
	case err == nil && !big.begun:
		err = errEmpty
	case err != nil && big.begun:
		in.view.Delete(k)
	case err == nil && big.dated != 0 && !in.resolve(k, big, &err):
	case err == nil:
		if complete := codecs[typeRows[big.typ].typ].complete; complete != nil {
			complete(&in.view, k)
		}
		expiring(&in.view, k, big.expire, true)
		in.attributes(k, &big.entry)
	}
	in.countOutcome(err, &big.entry, big.name, big.offset)
}
