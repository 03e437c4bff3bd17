package store

import "github.com/larderkv/larder/eviction"

// View is one database as a command sees it while the engine holds the locks
// of the shards of its keys. It is cheap to copy.
type View struct {
	Store   *Store
	DB      int
	Now     int64 // unix milliseconds; one value per command, so that all of it sees the same moment
	NoTouch bool  // CLIENT NO-TOUCH: reads leave the eviction word alone
	Loading bool  // a file is being read: nothing expires
	Held    bool  // every shard is locked, also for what looks at all of them (whole.go)

	Hits, Misses int64 // counted by Read and the reads built on it

	// Uncounted says that lookups are not for the statistics by prefix: the command has run before,
	// and could not be answered, or whoever makes them only looks on.
	Uncounted bool

	// Dirty counts changes as Redis' server.dirty does: a key set or removed
	// by a command is one, of a collection each field or member set, added or
	// removed. Expiry does not count. An operation on two views counts in its
	// receiver.
	Dirty int64

	revived [][]byte // see AddReviving

	// Loan is nil, or where a long value of the command was received. The shards' locks
	// cover what becomes of it.
	Loan *Loan

	// Ready, where set, is told who of those that wait for a key has to look at it, in place of the
	// waiter's owner: by those who can have him do so in time. It is called under the key's lock.
	Ready func(w *Waiter)

	// Stall, where set, is called again and again while a walk over all shards waits for an occupied
	// one (occupied.go). It should take a moment.
	Stall func()

	// Listener, where set, is notified of the view's changes in place of the store's
	// (Store.Listen), of the same classes.
	Listener Listener

	// Forgetter, where set, tells clients what the view changes in place of the store's
	// (Store.SetForgetter).
	Forgetter Forgetter

	Hidden int64 // counts lookups that have found a key whose time had come
}

// shard returns the key's shard, which is locked.
func (v *View) shard(k *Key) *shard {
	sh := &v.Store.shards[k.shard]
	sh.mustBeLocked()
	return sh
}

// table returns the key's table, nil when the database is empty there.
func (v *View) table(k *Key) *table { return v.shard(k).dbs[v.DB] }

// tableForWrite returns the key's table and makes it if need be.
func (v *View) tableForWrite(k *Key) *table {
	sh := v.shard(k)
	if sh.dbs[v.DB] == nil {
		sh.dbs[v.DB] = sh.newKeyspace()
	}
	return sh.dbs[v.DB]
}

// peek makes e, which is zero, the live entry of a key, without counting or touching it. It
// fills the caller's variable in, as do read and write, since an Entry that is handed from function
// to function is copied each time, which took a good part of what the search takes.
func (v *View) peek(e *Entry, k *Key) (ok bool) {
	e.t = v.table(k)
	if e.t == nil {
		return false
	}
	if e.p, e.ref, ok = e.t.find(k.hash, k.Name); !ok {
		return false
	}
	e.sh = v.shard(k)
	e.rec.decode(e.t.mem, e.ref)
	if (e.rec.expire == 0 || e.rec.expire > v.Now) && e.rec.extra == 0 || v.Loading || !e.sh.ended(&e.rec, v.Now) {
		return true
	}
	v.hide(e.sh, *k)
	return false
}

// Peek finds a live entry without counting or touching it.
func (v *View) Peek(k Key) (e Entry, ok bool) {
	ok = v.peek(&e, &k)
	return e, ok
}

// Read finds a live entry for a command that reads: it counts a hit or a miss
// and marks the entry as used. It never removes anything.
func (v *View) Read(k Key) (e Entry, ok bool) {
	ok = v.read(&e, &k)
	return e, ok
}

// ReadString is Read of what should be a string, for hot paths: it fills e in, which is zero. A value of
// another type is an error.
func (v *View) ReadString(e *Entry, k *Key) (ok bool, err error) {
	if !v.peek(e, k) {
		v.missed(k, e)
		return false, nil
	}
	v.hit(e.sh, k)
	v.touchRead(e)
	if e.rec.typ() != TypeString {
		return false, ErrWrongType
	}
	return true, nil
}

func (v *View) read(e *Entry, k *Key) (ok bool) {
	if !v.peek(e, k) {
		v.missed(k, e)
		return false
	}
	v.hit(e.sh, k)
	v.touchRead(e)
	return true
}

// missed notes that a command that reads has not found a key; e is what peek has made of it.
func (v *View) missed(k *Key, e *Entry) {
	v.miss(k, e.Hidden())
	if v.wants(k, ClassKeyMiss) {
		v.Changed(*k, EventKeyMiss)
	}
}

// Lookup is Read without touching: for EXISTS, TTL, TYPE.
func (v *View) Lookup(k Key) (Entry, bool) {
	e, ok := v.Peek(k)
	if ok {
		v.hit(e.sh, &k)
	} else {
		v.missed(&k, &e)
	}
	return e, ok
}

// Inspect is Lookup for OBJECT, of which a miss counts but is told to nobody.
func (v *View) Inspect(k Key) (Entry, bool) {
	e, ok := v.Peek(k)
	if ok {
		v.hit(e.sh, &k)
	} else {
		v.miss(&k, e.Hidden())
	}
	return e, ok
}

// Write finds a live entry for a command that changes it. An expired one is
// removed first.
func (v *View) Write(k Key) (e Entry, ok bool) {
	ok = v.write(&e, k)
	return e, ok
}

func (v *View) write(e *Entry, k Key) (ok bool) {
	if v.peek(e, &k) {
		v.touchWrite(e)
		return true
	}
	if e.Hidden() {
		v.removeEnded(e, &k)
	}
	*e = Entry{}
	return false
}

// Hidden is for an entry that Peek has not shown, and reports whether there is one: its time has come,
// or it was invalidated.
func (e *Entry) Hidden() bool { return e.ref != 0 }

// removeEnded removes an entry whose time has come, or that was invalidated.
func (v *View) removeEnded(e *Entry, k *Key) {
	ev := v.Store.endedBy(&e.rec, v.Now)
	e.remove()
	v.changed(k, ev)
}

// endedBy counts the end of a record that has ended, and returns what ended it.
func (s *Store) endedBy(r *record, now int64) Event {
	if r.expire == 0 || r.expire > now {
		return EventInvalidated
	}
	s.expired.Add(1)
	return EventExpired
}

// touchRead marks an entry as read now.
func (v *View) touchRead(e *Entry) {
	if !v.NoTouch {
		e.setWord(v.Store.meter.Load().Read(e.word(), v.Now))
	}
}

// touchWrite marks an entry as one that is changed now. NoTouch is about accesses:
// under LRM a change is noted in any case.
func (v *View) touchWrite(e *Entry) {
	if m := v.Store.meter.Load(); !v.NoTouch || m.Policy().Rule == eviction.LRM {
		e.setWord(m.Write(e.word(), v.Now))
	}
}

// SetIdle makes a key one that was last used some seconds ago, 0 <= seconds. It
// does nothing under a policy that keeps no such time, or without the key.
func (v *View) SetIdle(k Key, seconds int64) {
	if word, ok := v.Store.Meter().WithIdle(seconds, v.Now); ok {
		v.setWord(k, word)
	}
}

// SetFrequency sets a key's access counter, 0 <= f < 256. It does nothing under
// a policy that keeps none, or without the key.
func (v *View) SetFrequency(k Key, f int) {
	if word, ok := v.Store.Meter().WithFrequency(uint32(f), v.Now); ok {
		v.setWord(k, word)
	}
}

func (v *View) setWord(k Key, word uint32) {
	if e, ok := v.Peek(k); ok {
		e.setWord(word)
	}
}

// newMeta is the word of a new record, of a key that is known to be absent.
func (v *View) newMeta(k *Key, t Type, e encoding) uint32 {
	again := false
	if all := v.Store.arrivals.Load(); all != nil {
		again = v.arrives(k, &(*all)[k.shard])
	}
	return metaOf(t, e) | v.Store.meter.Load().New(again, v.Now)<<wordShift
}

// arrives notes that a key is inserted, and reports whether it has been here lately.
func (v *View) arrives(k *Key, in *eviction.Arrivals) bool {
	keys := 0
	if t := v.table(k); t != nil {
		keys = t.n
	}
	return in.Note(k.hash, int32(v.DB), keys)
}

// Delete removes a key and reports whether it was there. What a big collection
// holds is freed in the background. Of an absent key it ends the lease.
func (v *View) Delete(k Key) bool {
	e, ok := v.Write(k)
	if !ok {
		v.endLeaseOf(&k)
		return false
	}
	e.remove()
	v.Dirty++
	v.Changed(k, EventDel)
	return true
}

// Vacate removes a key of which the caller goes on to say what becomes of it, and reports whether it
// was there. It counts no change.
func (v *View) Vacate(k Key) bool {
	e, ok := v.Write(k)
	if ok {
		e.remove()
	}
	return ok
}

// stored says that a key has got a whole value by one command, in place of another one or not.
func (v *View) stored(k Key, replaced bool, ev Event) {
	v.Dirty++
	if !replaced {
		v.Changed(k, EventNew)
	}
	v.Changed(k, ev)
}

// insertRecord adds a record for a key that is known to be absent.
func (v *View) insertRecord(k Key, meta uint32, value []byte, expire int64) Entry {
	t := v.tableForWrite(&k)
	ref := t.newRecord(meta, k.Name, value, expire)
	p := t.insert(k.hash, ref, expire, v.Now)
	v.Changed(k, EventNew)
	return Entry{sh: v.shard(&k), t: t, ref: ref, p: p, rec: readRecord(t.mem, ref)}
}
