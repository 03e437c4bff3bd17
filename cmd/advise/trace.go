package advise

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// trace has the accesses to a sample of the keys, in their order.
//
// A key is in the sample or out of it by its hash, as in SHARDS (Waldspurger et al., FAST 2015): all
// accesses to it count or none does, so that the times between them, and what a policy makes of them,
// are as in the whole. Once there are too many keys or accesses, the bar for hashes is lowered, and what
// lies above it is forgotten: memory is bounded whatever the traffic is.
type trace struct {
	bar      uint64 // keys with a hash below are in the sample
	ids      map[string]uint32
	keys     []tracedKey
	accesses []access
	limit    limits
}

// limits bound the memory of a trace: a key takes some 200 bytes beside its name, an access 32.
type limits struct{ keys, accesses int }

func defaultLimits() limits { return limits{keys: 50_000, accesses: 2_000_000} }

// longestName is the longest name of a key that is looked at.
const longestName = 1 << 10

type tracedKey struct {
	name string
	hash uint64
	size int64 // bytes that it takes, 0 for unknown
}

// kind is what an access does.
type kind uint8

const (
	read   kind = iota
	write       // sets or changes the value
	remove      // deletes the key
)

// access is one access to a key.
type access struct {
	at   int64 // µs since the start
	key  uint32
	size int32 // bytes of key and value, of a write that says all of it; else 0
	kind kind
	hit  outcome // of a read
	ttl  int64   // ms, of a write; 0 for none, -1 if it says nothing of it
}

// outcome is what a read found.
type outcome uint8

const (
	unclear outcome = iota
	hit
	missNew     // the key was not there when it was first seen
	missExpired // its time to live was over
	missDeleted
	missGone // it was there, and nobody has removed it: it was evicted
)

func newTrace(l limits) *trace {
	return &trace{bar: 1 << 63, ids: map[string]uint32{}, limit: l}
}

// rate is the part of the keys that is in the sample.
func (t *trace) rate() float64 {
	if t.bar == 1<<63 {
		return 1
	}
	return float64(t.bar) / (1 << 63)
}

// add notes an access, if its key is in the sample.
func (t *trace) add(name []byte, a access) {
	h := xxhash.Sum64(name) >> 1
	if h >= t.bar || len(name) > longestName {
		return
	}
	id, ok := t.ids[string(name)]
	if !ok {
		id = uint32(len(t.keys))
		t.ids[string(name)] = id
		t.keys = append(t.keys, tracedKey{name: string(name), hash: h})
	}
	a.key = id
	if a.size > 0 {
		t.keys[id].size = int64(a.size)
	}
	t.accesses = append(t.accesses, a)
	for len(t.keys) > t.limit.keys || len(t.accesses) > t.limit.accesses && t.bar > 1 {
		t.shrink()
	}
}

// shrink halves the sample.
func (t *trace) shrink() {
	t.bar /= 2
	now := make([]uint32, len(t.keys))
	kept := t.keys[:0]
	clear(t.ids)
	for i, k := range t.keys {
		now[i] = none
		if k.hash < t.bar {
			now[i] = uint32(len(kept))
			t.ids[k.name] = now[i]
			kept = append(kept, k)
		}
	}
	clear(t.keys[len(kept):])
	t.keys = kept
	t.accesses = slices.DeleteFunc(t.accesses, func(a access) bool { return now[a.key] == none })
	for i := range t.accesses {
		t.accesses[i].key = now[t.accesses[i].key]
	}
}

// none is no key.
const none = ^uint32(0)

// settle decides what reads have found: who reads a key and then writes it has missed it, and a key
// that was written and not removed is there until its time to live is over. evicting says that keys
// may have gone without that. exists says of a key whether it was there at the end.
func (t *trace) settle(evicting bool, exists func(key uint32) (there, known bool)) {
	states := make([]keyState, len(t.keys))
	for i := range t.accesses {
		a := &t.accesses[i]
		s := &states[a.key]
		switch a.kind {
		case read:
			a.hit = s.found(a.at)
			s.waiting = append(s.waiting[:0], int32(i))
		case write:
			for _, i := range s.waiting {
				if r := &t.accesses[i]; a.at-r.at < fillWithin {
					r.hit = filled(r.hit, evicting)
				}
			}
			s.written(a)
		case remove:
			s.waiting, s.present, s.expires = s.waiting[:0], missDeleted, 0
		}
	}
	for i := range t.accesses {
		if a := &t.accesses[i]; a.kind == read && a.hit == unclear {
			if there, known := exists(a.key); known {
				a.hit = missNew
				if there {
					a.hit = hit
				}
			}
		}
	}
}

// filled is what a read has found that was followed by a write of its key.
func filled(found outcome, evicting bool) outcome {
	switch {
	case found == unclear:
		return missNew
	case found == hit && evicting:
		return missGone
	}
	return found // a hit that was changed, or a miss with its reason
}

// keyState is what is known of a key while accesses are gone through.
type keyState struct {
	waiting []int32 // the read that awaits what comes next, if there is one
	present outcome
	expires int64 // µs, 0 for never
}

func (s *keyState) found(at int64) outcome {
	if s.present == hit && s.expires != 0 && at >= s.expires {
		s.present = missExpired
	}
	return s.present
}

func (s *keyState) written(a *access) {
	s.waiting, s.present = s.waiting[:0], hit
	if a.ttl >= 0 {
		if s.expires = 0; a.ttl > 0 {
			s.expires = a.at + int64(a.ttl)*1000
		}
	}
}

// fillWithin is how soon after a miss the value is written, in µs, at most.
const fillWithin = 5_000_000
