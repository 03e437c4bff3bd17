package store

import "unsafe"

// Waiting for keys. A client that finds nothing to pop waits, in the order of arrival, for a value
// of one type under one of its keys: it stands in the queue of each key, which its shard keeps.
//
//	Wait        the client joins, under the locks under which it has found nothing
//	signal      whoever makes a key ready tells the first in its queue, under the key's lock
//	StillReady  that one looks whether what it was told of is still there, and if so tries
//	Stay        the one that was told has tried again in vain; it keeps its place
//	Leave       it goes: served, out of patience, or gone
//
// Only one in a queue is told at a time, so that they are served in the order in which they came
// and an element wakes nobody in vain. When that one stays or leaves, the key is looked at again
// and the next is told. Hence what must always hold, under the key's lock:
//
//	a live value that somebody in the key's queue waits for
//	    implies that one in that queue has been told and has not answered yet
//
// Clients in one queue may wait for different things (BLPOP and BZPOPMIN of one name; BLMOVEM for a
// number of elements): the first for whom the value is enough is told. What is of another type, or
// too little, does not wake a client; a string that is set under the name leaves it waiting, as in
// Redis.
//
// # Cost
//
// A shard in whose queues nobody waits tests nothing more than it does anyway: the queues are part
// of its interest word (feed.go). With somebody waiting each change of the classes that can give
// him something looks the key up in a map.

// Waiter is somebody who waits. Wait, Stay and Leave are for its owner's goroutine.
type Waiter struct {
	Type  Type
	Lease bool                 // not for a value, but for the end of the lease on one key (leases.go)
	Least uint32               // elements that the value must have to be of use; 0 is any number. It fits beside Type
	Owner interface{ Ready() } // is told where the change was not a command's (View.Ready)

	places []waitPlace
	one    [1]waitPlace // room for the most common number of them
}

// waitPlace is where a waiter stands in one queue.
type waitPlace struct {
	w          *Waiter
	q          *waitQueue
	prev, next *waitPlace
	shard      int32
	told       bool // of a lease, of which several are told at once
}

// waitQueue is those who wait for one key.
type waitQueue struct {
	key         watchKey
	first, last *waitPlace
	told        *waitPlace // has been told that the key is ready
	lease       *lease     // nil, or it is those who wait for its end
}

// join puts a place at the end of the queue.
func (q *waitQueue) join(p *waitPlace) {
	p.q, p.prev = q, q.last
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
}

// takes reports whether a live value is what w waits for.
func (w *Waiter) takes(e *Entry) bool {
	return e.rec.typ() == w.Type && (w.Least <= 1 || e.size() >= int64(w.Least))
}

// waitClasses are the events that can give a key a value that somebody waits for.
const waitClasses = ClassGeneric | ClassList | ClassZset

// Wait puts w into the queues of some keys, behind those who wait already. The keys' shards are
// locked. A key that is named twice counts once.
func (v *View) Wait(keys []Key, w *Waiter) {
	if w.Lease {
		v.joinLease(keys[0], w)
		return
	}
	w.places = w.one[:0]
	if len(keys) > len(w.one) {
		w.places = make([]waitPlace, 0, len(keys))
	}
	for _, k := range keys {
		sh := v.shard(&k)
		q := sh.waitQueue(watchKey{v.DB, string(k.Name)})
		if q.last != nil && q.last.w == w {
			continue
		}
		w.places = append(w.places, waitPlace{w: w, shard: int32(k.Shard())})
		q.join(&w.places[len(w.places)-1])
	}
}

// waitQueue is the queue of a key. It is made if need be.
func (sh *shard) waitQueue(k watchKey) *waitQueue {
	q := sh.waiting[k]
	if q == nil {
		q = &waitQueue{key: k}
		if sh.waiting == nil {
			sh.waiting = make(map[watchKey]*waitQueue)
		}
		sh.waiting[k] = q
		sh.setInterest()
	}
	return q
}

// StillReady reports whether a key that w has been told of still has something for it. If not, w is
// to stay without a try: a request of several keys takes from the first that it finds something
// under, and that may be one whose queue others are before it in. The caller holds no shard.
func (v *View) StillReady(w *Waiter) bool {
	if len(w.places) == 1 { // the try looks at nothing else
		return true
	}
	for i := range w.places {
		p := &w.places[i]
		sh := &v.Store.shards[p.shard]
		if !sh.lock() {
			return true // the try will have to wait for it
		}
		e, ok := v.awaited(sh, p.q)
		ready := ok && p.q.told == p && w.takes(&e)
		sh.mu.Unlock()
		if ready {
			return true
		}
	}
	return false
}

// Stay says that w, which may have been told that a key is ready, goes on waiting. The caller holds
// no shard.
func (v *View) Stay(w *Waiter) {
	for i := range w.places {
		p := &w.places[i]
		sh := &v.Store.shards[p.shard]
		sh.mu.Lock()
		if sh.occupied {
			at := &View{Store: v.Store, Now: v.Now}
			sh.later(func() { stay(at, sh, p) })
		} else {
			stay(v, sh, p)
		}
		sh.mu.Unlock()
	}
}

func stay(v *View, sh *shard, p *waitPlace) {
	if p.q.lease != nil {
		p.q.lease.stay(p)
	} else if p.q.told == p {
		p.q.told = nil
		v.signal(sh, p.q)
	}
}

// Leave takes w out of its queues. The caller holds no shard.
func (v *View) Leave(w *Waiter) {
	later := false
	for i := range w.places {
		p := &w.places[i]
		sh := &v.Store.shards[p.shard]
		sh.mu.Lock()
		if sh.occupied {
			later = true
			at := &View{Store: v.Store, Now: v.Now}
			sh.later(func() { at.leave(sh, p) })
		} else {
			v.leave(sh, p)
		}
		sh.mu.Unlock()
	}
	if !later {
		clear(w.one[:])
	}
	w.places = nil
}

// leave takes one place out of its queue.
func (v *View) leave(sh *shard, p *waitPlace) {
	q := p.q
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	if q.lease != nil {
		q.lease.leave(sh, p)
		return
	}
	if q.first == nil {
		delete(sh.waiting, q.key)
		sh.setInterest()
		return
	}
	if q.told == p {
		q.told = nil
		v.signal(sh, q)
	}
}

// signal tells the first who waits for what the key has, unless somebody has been told already.
func (v *View) signal(sh *shard, q *waitQueue) {
	if q.told != nil {
		return
	}
	e, ok := v.awaited(sh, q)
	if !ok {
		return
	}
	for p := q.first; p != nil; p = p.next {
		if p.w.takes(&e) {
			q.told = p
			v.tell(p.w)
			return
		}
	}
}

// awaited is the live value that the key of a queue has, if it has one.
func (v *View) awaited(sh *shard, q *waitQueue) (e Entry, ok bool) {
	t := sh.dbs[q.key.db]
	if t == nil {
		return e, false
	}
	name := []byte(q.key.name)
	p, ref, ok := t.find(t.hash(name), name)
	if !ok {
		return e, false
	}
	e = Entry{sh: sh, t: t, ref: ref, p: p, rec: readRecord(t.mem, ref)}
	return e, !sh.ended(&e.rec, v.Now)
}

func (v *View) tell(w *Waiter) {
	if v.Ready != nil {
		v.Ready(w)
	} else {
		w.Owner.Ready()
	}
}

// signalKey tells those who wait for a key that it has changed.
func (v *View) signalKey(sh *shard, k Key) {
	if q := sh.waiting[watchKey{v.DB, string(k.Name)}]; q != nil {
		v.signal(sh, q)
	}
}

// signalDB tells those who wait for keys of a database that holds other data now.
func (v *View) signalDB(db int) {
	for i := range v.Store.shards {
		sh := &v.Store.shards[i]
		for k, q := range sh.waiting {
			if k.db == db {
				v.signal(sh, q)
			}
		}
	}
}

// waitMemory is what waiting for a key takes besides its name, in bytes: the queue, and its entry
// in the shard's map, which is measured.
const waitMemory = int64(unsafe.Sizeof(waitQueue{})) + 64

// Memory is what the waiter's places take, in bytes, queues that others stand in as well included.
func (w *Waiter) Memory() int64 {
	sum := int64(0)
	for i := range w.places {
		if q := w.places[i].q; q.lease == nil { // else it is part of that, and counted there
			sum += waitMemory + int64(len(q.key.name))
		}
	}
	if len(w.places) > len(w.one) {
		sum += int64(cap(w.places)) * int64(unsafe.Sizeof(waitPlace{}))
	}
	return sum
}

// AwaitedKeys counts the keys that somebody waits for.
func (v *View) AwaitedKeys() (n int) {
	v.Store.survey(v.Held, func(sh *shard) { n += len(sh.waiting) }, func(o *occupation) { n += o.awaited })
	return n
}
