package store

// How long a value is fresh, for those who keep values of something else here.
//
// A value may have, within its time to live, a time up to which it is fresh. From then on, or once a
// tag of it was invalidated softly, it is stale: it is still there, for readers who would rather have
// it than wait, and for when there is no better one. Nothing happens in the moment in which a value
// becomes stale: whoever reads it compares two times.
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
	var links []byte
	s.Fresh, s.Cost, s.Version, links = e.extras().numbers()
	if s.Stale = s.Fresh != 0 && s.Fresh <= now; !s.Stale && len(links) > 0 {
		_, s.Stale = e.sh.stateOfLinks(links)
	}
	return s
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
