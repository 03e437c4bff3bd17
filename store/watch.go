package store

import "sync/atomic"

// WATCH. A shard keeps the watchers of each watched key; every change of a
// key marks them dirty. A key that expires counts as changed, unless it had
// already expired when it was watched: its removal then changes nothing that
// the client could see.

// Watcher is the set of keys one client watches. Its methods are for the
// client's own loop, but for those that say Locked.
type Watcher struct {
	dirty atomic.Bool
	keys  []watchedKey
	bytes int64 // see Memory
}

type watchKey struct {
	db   int
	name string
}

type watchedKey struct {
	watchKey
	shard int
}

type watch struct {
	w       *Watcher
	expired bool // the key had expired when it was watched
}

// Watch adds a key to w. The key's shard is locked.
func (v *View) Watch(k Key, w *Watcher) {
	sh := v.shard(&k)
	wk := watchKey{v.DB, string(k.Name)}
	for _, x := range sh.watched[wk] {
		if x.w == w {
			return
		}
	}
	if sh.watched == nil {
		sh.watched = make(map[watchKey][]watch)
	}
	sh.watched[wk] = append(sh.watched[wk], watch{w: w, expired: v.isExpired(k)})
	sh.setInterest()
	w.keys = append(w.keys, watchedKey{watchKey: wk, shard: k.Shard()})
	w.bytes += watchMemory + int64(len(wk.name))
}

func (v *View) isExpired(k Key) bool {
	e, ok := v.Peek(k)
	return !ok && e.Hidden()
}

// watchMemory is what watching a key takes besides its name, in bytes: here and in the shard's map,
// which is measured.
const watchMemory = 160

// Memory is what the watched keys take, in bytes, those that others watch as well included.
func (w *Watcher) Memory() int64 { return w.bytes }

// Len is the number of watched keys.
func (w *Watcher) Len() int { return len(w.keys) }

// Changed reports whether a watched key has been changed or removed. Safe from any goroutine.
func (w *Watcher) Changed() bool { return w.dirty.Load() }

// AddShards puts the shards of the watched keys into a lockset.
func (w *Watcher) AddShards(l *Lockset) {
	for _, k := range w.keys {
		l.Add(k.shard)
	}
}

// DirtyLocked reports whether a watched key has changed or expired. The
// shards of the watched keys are locked.
func (s *Store) DirtyLocked(w *Watcher, now int64) bool {
	if w.dirty.Load() {
		return true
	}
	for _, k := range w.keys {
		v := View{Store: s, DB: k.db, Now: now}
		for _, x := range s.shards[k.shard].watched[k.watchKey] {
			if x.w == w && !x.expired && v.isExpired(s.Key([]byte(k.name))) {
				return true
			}
		}
	}
	return false
}

// Unwatch forgets all keys of w. It locks their shards one by one; the caller
// holds none.
func (s *Store) Unwatch(w *Watcher) {
	for _, k := range w.keys {
		sh := &s.shards[k.shard]
		sh.mu.Lock()
		if sh.occupied {
			sh.later(func() { sh.unwatch(k.watchKey, w) })
		} else {
			sh.unwatch(k.watchKey, w)
		}
		sh.mu.Unlock()
	}
	w.reset()
}

// UnwatchLocked is Unwatch for a caller that holds the shards.
func (s *Store) UnwatchLocked(w *Watcher) {
	for _, k := range w.keys {
		s.shards[k.shard].unwatch(k.watchKey, w)
	}
	w.reset()
}

func (w *Watcher) reset() {
	w.keys, w.bytes = w.keys[:0], 0
	w.dirty.Store(false)
}

func (sh *shard) unwatch(k watchKey, w *Watcher) {
	list := sh.watched[k]
	for i := range list {
		if list[i].w == w {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(sh.watched, k)
		sh.setInterest()
	} else {
		sh.watched[k] = list
	}
}

func (sh *shard) touchWatched(wk watchKey, t *table, k Key) {
	list := sh.watched[wk]
	for i := range list {
		if list[i].expired && !t.has(k) {
			list[i].expired = false // the removal of a key that was already gone for the client
			continue
		}
		list[i].w.dirty.Store(true)
	}
}

func (t *table) has(k Key) bool {
	if t == nil {
		return false
	}
	_, _, ok := t.find(k.hash, k.Name)
	return ok
}

// touchWatchedDB marks the watchers of keys of a database that is emptied, or
// replaced by the table by: only keys that exist before or after count.
func (sh *shard) touchWatchedDB(db int, by *table, now int64) {
	for wk, list := range sh.watched {
		if wk.db != db {
			continue
		}
		k := Key{Name: []byte(wk.name)}
		for _, t := range []*table{sh.dbs[db], by} {
			if t == nil {
				continue
			}
			k.hash = t.hash(k.Name)
			_, ref, ok := t.find(k.hash, k.Name)
			if !ok {
				continue
			}
			r := readRecord(t.mem, ref)
			gone := sh.ended(&r, now)
			for _, x := range list {
				if !x.expired || !gone {
					x.w.dirty.Store(true)
				}
			}
		}
	}
}
