package store

// The change feed. Every mutation of the store ends in View.Changed, which says which key
// changed and how, under the lock of the key's shard and in the order of the changes.
// Those who want to know listen here and nowhere else:
//
//	Watcher    WATCH: the keys that a client watches (watch.go)
//	Waiter     a client that waits for a key, to pop from it (waiters.go)
//	Listener   the engine, on behalf of the log, which has to hear of removals by the store
//	           itself, and of clients that want keyspace notifications
//
// # Cost
//
// Each shard has one word with the classes of events that anybody listens to, in the cache line
// that every command reads: those of the Listener, while a key of the shard is watched those of all
// changes, and while somebody waits for a key those that can give it a value. With nobody
// interested in the class a change costs one test of that word.
//
// # Who made the change
//
// A change is made through a View. A command's View may have a Listener of its own, which is told
// in place of the store's: it knows its client, and can collect what belongs to one command or
// transaction. What a command's eviction removes goes to the store's Listener, and what the
// background work removes to that of its own, if it has one: it may put off some of what follows
// until the end of a slice.

// Listener is notified of a change, under the lock of the key's shard. key is valid until it
// returns. It must not change the store.
type Listener func(db int, key []byte, ev Event)

// Listen sets who is notified of the events of some classes. The caller holds all locks, or nobody
// else uses the store yet.
func (s *Store) Listen(classes EventClass, fn Listener) {
	s.classes, s.listener = classes, fn
	for i := range s.shards {
		s.shards[i].setInterest()
	}
}

// SetBackground sets who is told, in place of the store's own, of what Maintain removes and Evictors
// that say Background. Nobody else uses the store yet.
func (s *Store) SetBackground(fn Listener, f Forgetter) {
	s.background, s.tracking.background = fn, f
}

// setInterest brings the shard's word up to date.
func (sh *shard) setInterest() {
	sh.interest = sh.s.classes
	if len(sh.waiting) > 0 {
		sh.interest |= waitClasses
	}
	if len(sh.watched) > 0 {
		sh.interest |= AllClasses
	}
	if len(sh.leases.byKey) > 0 {
		sh.interest |= AllClasses
	}
	if sh.tracks() || sh.s.tracking.broadcasts.Load() > 0 {
		sh.interest |= AllClasses
	}
	if sh.prefixes.on {
		sh.interest |= classCounted
	}
}

// Changed says that a key was changed. The mutators of the store call it themselves, when the
// change is done.
func (v *View) Changed(k Key, ev Event) { v.changed(&k, ev) }

// changed is Changed for hot paths: a Key is so large that handing it on by value copies it through
// memory each time.
func (v *View) changed(k *Key, ev Event) {
	if sh := v.shard(k); sh.interest&(ev.Class()|classCounted) != 0 {
		v.publish(sh, v.table(k), k, ev)
	}
}

// wants reports whether somebody listens to a class of events of a key. Who would call Changed on a
// hot path where nothing has changed yet asks first: this is inlined, while the call alone would be
// a per cent of a SET of a new key.
func (v *View) wants(k *Key, class EventClass) bool { return v.shard(k).interest&class != 0 }

func (v *View) publish(sh *shard, t *table, k *Key, ev Event) {
	if sh.prefixes.on {
		v.count(sh, t, k, ev)
	}
	if sh.interest&ev.Class() != 0 {
		v.notify(sh, k, ev)
	}
}

// notify tells all who listen. It stands apart from publish, which is short then.
func (v *View) notify(sh *shard, k *Key, ev Event) {
	v.Store.announce(v.Listener, v.DB, k.Name, ev)
	if len(sh.watched) > 0 && AllClasses&ev.Class() != 0 {
		sh.touchWatched(watchKey{v.DB, string(k.Name)}, v.table(k), *k)
	}
	if AllClasses&ev.Class() != 0 {
		sh.publishTracked(v.forgetter(), *k, ev)
	}
	if len(sh.leases.byKey) > 0 && AllClasses&ev.Class() != 0 {
		sh.touchLease(watchKey{v.DB, string(k.Name)}, ev)
	}
	if len(sh.waiting) > 0 && waitClasses&ev.Class() != 0 {
		v.signalKey(sh, *k)
	}
}

// announce passes an event on to fn, or to the store's own Listener if that is nil.
func (s *Store) announce(fn Listener, db int, name []byte, ev Event) {
	if fn == nil {
		fn = s.listener
	}
	if fn != nil && s.classes&ev.Class() != 0 {
		fn(db, name, ev)
	}
}
