package store

// How long a value is fresh, for those who keep values of something else here.
//
// A value may have, within its time to live, a time up to which it is fresh. From then on, or once a
// tag of it was invalidated softly, it is stale: it is still there, for readers who would rather have
// it than wait, and for when there is no better one. Nothing happens in the moment in which a value
// becomes stale: whoever reads it compares two times.
//
// Unless stale values are hidden from plain reads (SetStaleReads): then clients that keep copies of what
// they have read (track.go) have to hear of the end of the fresh time, as they hear of expiry. They are
// told once, by the first plain read that misses for it, or by the sweep that removes expired keys:
// it looks for the end of a fresh time as for the first time of a hash's fields (elementttl.go). Who
// stores a value notes the end in its bucket, and so does who reads one and is tracked, since it may have
// been stored before stale values were hidden. Nobody else is told: the key is as it was.
//
// A version is a number that a value gets when it is stored with SetStringWith by a command that asks
// for one. Of one key a later value has a larger one, also after the key was absent, and after a
// restart: it is the time in microseconds, or one more than the last that the shard has given out or
// read from a file.

// State is what a reader has to know of a string beside the value.
type State struct {
	Fresh   int64  // unix milliseconds up to which it is fresh; 0: as long as it is there
	Cost    int64  // milliseconds that it took to make; 0: not known
	Version uint64 // 0: none
	Stale   bool
}

// State is that of an entry. It allocates nothing, which Extras does for the tags.
func (e *Entry) State(now int64) (s State) {
	if e.rec.extra == 0 {
		return s
	}
	from := e.rec.key + uint64(e.rec.klen)
	fresh, cost, version, links := extrasNumbers(e.t.mem, from)
	s = State{Fresh: fresh, Cost: cost, Version: version, Stale: fresh != 0 && fresh <= now}
	if links > 0 && !s.Stale {
		_, s.Stale = e.sh.stateOfLinks(e.t.mem[links : from+uint64(e.rec.extra)])
	}
	return s
}

// noteFresh lets the sweep find the end of a fresh time by the record at p, if anybody is to be told of it.
func (sh *shard) noteFresh(t *table, p pos, fresh, now int64) {
	if fresh > now && sh.s.hidesStale.Load() {
		t.noteExpire(p, fresh, now)
	}
}

// hidesStale reports whether an entry is to be hidden from a plain read, and tells clients if they do not
// know yet. Stale values are hidden.
func (v *View) hidesStale(e *Entry, k *Key) bool {
	s := e.State(v.Now)
	if s.Stale && s.Fresh != 0 && s.Fresh <= v.Now {
		e.sh.tellStale(e.extras(), k, v.forgetter())
	}
	return s.Stale
}

// tellStale tells clients, once, that plain reads of a key miss from now on.
func (sh *shard) tellStale(x rawExtras, k *Key, f Forgetter) {
	if x[2]&toldStale == 0 {
		x[2] |= toldStale
		sh.publishTracked(f, *k, EventTag)
	}
}

// staleStep is the sweep's look at a record with extras: it tells clients if its value is no longer fresh. It
// returns when to look again, in unix milliseconds, 0 for never.
func (sh *shard) staleStep(r *record, now int64) (next int64) {
	mem := sh.ar.Mem()
	x := r.extras(mem)
	fresh, _, _, _ := x.numbers()
	switch {
	case fresh == 0 || !sh.s.hidesStale.Load():
		return 0
	case fresh > now:
		return fresh
	}
	k := sh.s.Key(r.name(mem))
	_, forgetter := sh.s.told(true)
	sh.tellStale(x, &k, forgetter)
	return 0
}

// NoEvict reports whether the entry is never evicted.
func (e *Entry) NoEvict() bool { return e.extras().noEvict() }

// SetStaleReads sets whether GetString returns stale values. If not, they are misses.
func (s *Store) SetStaleReads(on bool) { s.hidesStale.Store(!on) }

// Version gives out a version for a value of a key.
func (v *View) Version(k Key) uint64 { return v.shard(&k).nextNumber(v.Now) }

// nextNumber is above all that the shard has given out or heard of.
func (sh *shard) nextNumber(now int64) uint64 {
	sh.number = max(sh.number+1, uint64(now)*1000)
	return sh.number
}
