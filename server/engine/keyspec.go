// Key specs: where a command's keys stand among its arguments and what the
// command does to them. The model is Redis 7's (begin search, find keys), so
// that COMMAND INFO can print it; the same specs drive locking, which is why a
// key that a row forgets is a data race and not a cosmetic fault.
//
// Extraction never fails: arguments that make no sense (a numkeys that is no
// number, or larger than the request) yield no keys for that spec, nothing is
// locked, and the handler's own argument check writes the error. A handler must
// therefore validate before it indexes Ctx.Keys.

package engine

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"

	"github.com/larderkv/larder/store"
)

// KeyFlags say what happens to the keys of a spec.
type KeyFlags uint16

// Exactly one of the first four is set, usually with one or more of the next.
const (
	RO KeyFlags = 1 << iota // read only
	RW                      // read and changed
	OW                      // overwritten without being read
	RM                      // removed
	Access
	Update
	Insert
	Delete
	NotKey
	Incomplete
	VariableFlags
)

var keyFlagNames = [...]string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
}

// Names lists the flags as COMMAND INFO prints them.
func (f KeyFlags) Names() []string {
	names := make([]string, 0, 3)
	for i, n := range keyFlagNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// KeySpec is one group of keys. Build it with Key, KeyRange or NumKeys.
type KeySpec struct {
	Notes string
	Flags KeyFlags
	// Pos is the index of the argument where the search begins; 0 searches for
	// Keyword from argument From (negative: from the end) instead.
	Pos     int
	Keyword string
	From    int
	// A range: the last key (relative to the first; negative from the end),
	// the step, and the divisor of the remaining arguments (0: none).
	Last, Step, Limit int
	// ByCount: the number of keys stands at begin+CountAt, the first key at
	// begin+FirstAt, and Step is the step.
	ByCount          bool
	CountAt, FirstAt int
	// Unknown keys cannot be found by a rule: KeysAt finds them, or they are not
	// among the arguments at all (Strays). The spec is there for COMMAND INFO.
	Unknown bool
	// FlagsOf computes the flags of a request where they depend on its arguments
	// (VariableFlags). nil: they are Flags.
	FlagsOf func(args [][]byte) KeyFlags
}

// Key is the single key at argument pos.
func Key(pos int, flags KeyFlags) KeySpec {
	return KeySpec{Flags: flags, Pos: pos, Step: 1}
}

// KeyRange is the keys from argument pos to last (negative: counted from the
// end, -1 is the last argument), every step-th argument.
func KeyRange(pos, last, step int, flags KeyFlags) KeySpec {
	if last >= 0 {
		last -= pos
	}
	return KeySpec{Flags: flags, Pos: pos, Last: last, Step: step}
}

// NumKeys is the keys that follow a count at argument pos.
func NumKeys(pos int, flags KeyFlags) KeySpec {
	return KeySpec{Flags: flags, Pos: pos, Step: 1, ByCount: true, FirstAt: 1}
}

// UnknownKeys is keys that no rule finds.
func UnknownKeys(flags KeyFlags, notes string) KeySpec {
	return KeySpec{Flags: flags, Unknown: true, Notes: notes}
}

// Noted returns the spec with the note COMMAND INFO shows.
func (k KeySpec) Noted(notes string) KeySpec {
	k.Notes = notes
	return k
}

// Depending returns the spec with flags that depend on the request.
func (k KeySpec) Depending(flagsOf func(args [][]byte) KeyFlags) KeySpec {
	k.FlagsOf = flagsOf
	return k
}

// span finds the keys of the spec in a request: args[first], args[first+step] ... args[last]. ok is
// false when there are none, as always with NotKey: the arguments of such a spec are listed by
// COMMAND INFO, but name no key that could be locked or reported.
func (k *KeySpec) span(args [][]byte) (first, last, step int, ok bool) {
	if k.Flags&NotKey != 0 || k.Unknown {
		return 0, 0, 0, false
	}
	begin := k.Pos
	if begin == 0 {
		if begin = k.search(args); begin == 0 {
			return 0, 0, 0, false
		}
	}
	if k.ByCount {
		if begin+k.CountAt >= len(args) {
			return 0, 0, 0, false
		}
		n := leadingInt(args[begin+k.CountAt], len(args))
		if n < 1 {
			return 0, 0, 0, false
		}
		first = begin + k.FirstAt
		last = first + (n-1)*k.Step
	} else {
		first = begin
		switch {
		case k.Last >= 0:
			last = first + k.Last
		case k.Limit <= 1:
			last = len(args) + k.Last
		default:
			last = first + (len(args)-first)/k.Limit + k.Last
		}
	}
	if first < 1 || last < first || last >= len(args) {
		return 0, 0, 0, false
	}
	return first, last, k.Step, true
}

// leadingInt is C's atoi, by which Redis reads counts of keys: the digits at the
// front, whatever follows them. It stops at a number past most.
func leadingInt(b []byte, most int) (n int) {
	b = bytes.TrimLeft(b, " \t\n\v\f\r")
	if len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' || n > most {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// search finds the argument after the spec's keyword, 0 when it is absent.
func (k *KeySpec) search(args [][]byte) int {
	if k.From >= 0 {
		for i := k.From; i < len(args)-1; i++ {
			if equalFold(args[i], k.Keyword) {
				return i + 1
			}
		}
		return 0
	}
	for i := len(args) + k.From; i > 0; i-- {
		if equalFold(args[i], k.Keyword) {
			return i + 1
		}
	}
	return 0
}

// KeyAt is one key of a request: the index of its argument, and what the request
// does to it.
type KeyAt struct {
	Index int
	Flags KeyFlags
}

// FindKeys lists the keys of a request that fits the row's arity. As in Redis there are none at all
// if the number of some of them is wrong.
func (s *Spec) FindKeys(args [][]byte) []KeyAt {
	if s.KeysAt != nil {
		return s.KeysAt(args)
	}
	var keys []KeyAt
	for i := range s.Keys {
		k := &s.Keys[i]
		flags := k.Flags
		if k.FlagsOf != nil {
			flags = k.FlagsOf(args)
		}
		first, last, step, ok := k.span(args)
		if !ok && k.ByCount && k.Pos > 0 {
			return nil
		}
		for j := first; ok && j <= last; j += step {
			keys = append(keys, KeyAt{j, flags})
		}
	}
	return keys
}

// appendKeys resolves the keys of a request for execution.
func (s *Spec) appendKeys(keys []store.Key, st *store.Store, args [][]byte) []store.Key {
	if s.KeysAt != nil {
		for _, k := range s.KeysAt(args) {
			keys = append(keys, st.Key(args[k.Index]))
		}
		return keys
	}
	for i := range s.Keys {
		first, last, step, ok := s.Keys[i].span(args)
		for j := first; ok && j <= last; j += step {
			keys = append(keys, st.Key(args[j]))
		}
	}
	return keys
}

// lockKind is how a command's shards are locked, decided once per row.
type lockKind uint8

const (
	lockNone lockKind = iota
	lockOne           // exactly one key at a fixed position: no Lockset
	lockKeys
	lockAll
	lockStray // lockAll if the request strays, else lockKeys
)

// legacyRange is the first/last/step triple that COMMAND INFO printed before
// key specs existed, and clients still route by.
type legacyRange struct{ first, last, step int }

// LegacyRange returns the triple; all zero for a command without keys in
// plain ranges.
func (s *Spec) LegacyRange() (first, last, step int) {
	return s.legacy.first, s.legacy.last, s.legacy.step
}

// deriveKeys computes the legacy range and the lock kind. It follows Redis'
// populateCommandLegacyRangeSpec, because cluster clients depend on the result.
func (s *Spec) deriveKeys() {
	s.deriveLock()
	if len(s.Keys) == 0 {
		return
	}
	if k := &s.Keys[0]; len(s.Keys) == 1 && k.plain() {
		s.legacy = legacyRange{k.Pos, k.absLast(), k.Step}
		if k.Flags&Incomplete != 0 {
			s.Flags |= MovableKeys
		}
		return
	}
	first, last, prev := math.MaxInt, 0, 0
	for i := range s.Keys {
		k := &s.Keys[i]
		if !k.plain() || k.Step != 1 || (prev != 0 && prev != k.Pos-1) {
			s.Flags |= MovableKeys
			continue
		}
		if k.Flags&Incomplete != 0 {
			s.Flags |= MovableKeys
		}
		first = min(first, k.Pos)
		if l := k.absLast(); uint(l) > uint(last) {
			last = l // a negative position counts as the largest
		}
		prev = last
	}
	if first == math.MaxInt {
		s.Flags |= MovableKeys
		return
	}
	s.legacy = legacyRange{first, last, 1}
}

// deriveLock chooses the cheapest way to lock what FindKeys may find.
func (s *Spec) deriveLock() {
	switch k := s.Keys; {
	case s.Flags&AllShards != 0:
		s.lockKind = lockAll
	case s.Strays != nil:
		s.lockKind = lockStray
	case s.Undeclared != nil || s.Locks != nil:
		s.lockKind = lockKeys
	case !s.HasKeys():
		s.lockKind = lockNone
	case len(k) == 1 && k[0].plain() && k[0].Last == 0 && s.KeysAt == nil:
		s.lockKind, s.keyPos = lockOne, k[0].Pos
	default:
		s.lockKind = lockKeys
	}
}

// HasKeys reports whether a request may have keys.
func (s *Spec) HasKeys() bool {
	for i := range s.Keys {
		if s.Keys[i].Flags&NotKey == 0 {
			return true
		}
	}
	return false
}

// checkKeys finds contradictions in what the row says of its keys.
func (s *Spec) checkKeys() error {
	least := max(s.Arity, -s.Arity)
	incomplete := false
	for i := range s.Keys {
		k := &s.Keys[i]
		incomplete = incomplete || k.Flags&Incomplete != 0 || k.Unknown
		kind := k.Flags & (RO | RW | OW | RM)
		switch {
		case k.Unknown && s.KeysAt == nil && s.Strays == nil:
			return fmt.Errorf("BUG: row %q has keys that nothing finds", s.full)
		case !k.Unknown && (k.Step < 1 || (k.Pos == 0) == (k.Keyword == "")):
			return fmt.Errorf("BUG: row %q has a broken key spec", s.full)
		case k.plain() && k.Last >= 0 && k.Pos+k.Last >= least:
			return fmt.Errorf("BUG: row %q has keys beyond its arity", s.full)
		case (bits.OnesCount16(uint16(kind)) != 1) != (k.Flags&NotKey != 0):
			return fmt.Errorf("BUG: row %q does not say one thing of what happens to its keys", s.full)
		case (k.FlagsOf != nil) != (k.Flags&VariableFlags != 0):
			return fmt.Errorf("BUG: row %q has variable key flags and no function for them, or the other way round",
				s.full)
		}
	}
	switch element := s.Element; {
	case s.KeysAt != nil && !incomplete:
		return fmt.Errorf("BUG: row %q finds its keys by itself, but its key specs claim to be complete", s.full)
	case s.Flags&Write != 0 && !s.HasKeys() && s.Flags&AllShards == 0 && s.Locks == nil:
		return fmt.Errorf("BUG: row %q writes without a lock", s.full)
	case element == 0:
		return nil
	case len(s.Keys) != 1 || !s.Keys[0].plain() || s.Keys[0].Last != 0 || s.KeysAt != nil:
		return fmt.Errorf("BUG: row %q has an element and not exactly one key", s.full)
	case element <= s.Keys[0].Pos || element >= least:
		return fmt.Errorf("BUG: row %q has an element that is no argument of every request", s.full)
	}
	return nil
}

// plain reports whether the keys are a range that begins at a fixed argument.
func (k *KeySpec) plain() bool { return k.Pos > 0 && !k.ByCount }

// absLast is the range's last key as an argument index, or negative from the end.
func (k *KeySpec) absLast() int {
	if k.Last >= 0 {
		return k.Last + k.Pos
	}
	return k.Last
}
