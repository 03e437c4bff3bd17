package store

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/lex"
)

// Set is the handle of a set; see collection.go for what a handle is.
//
// A set has one of three encodings, chosen and left as Redis 7.4 does it. All
// members integers: an intset. Few and short members: a pack, in the order in
// which they came. Else a table whose records have the member for a key and no
// value. An intset that gets another member becomes a pack if that fits, an
// intset or a pack that grows past its limit becomes a table, and no removal
// ever goes back.
type Set struct{ Elements }

// ReadSet finds a set for reading.
func (v *View) ReadSet(k Key) (s Set, ok bool, err error) {
	if !v.read(&s.e, &k) {
		return s, false, nil
	}
	if s.e.Type() != TypeSet {
		return s, false, ErrWrongType
	}
	s.v, s.k = v, k
	return s, true, nil
}

// WriteSet finds a set that is to be changed. It creates none: AddMembers does.
func (v *View) WriteSet(k Key) (s Set, ok bool, err error) {
	if !v.write(&s.e, k) {
		return s, false, nil
	}
	if s.e.Type() != TypeSet {
		return s, false, ErrWrongType
	}
	s.v, s.k = v, k
	s.e.own()
	return s, true, nil
}

// AddMembers adds members (at least one), creating the set if need be. It
// returns the number of those that were not there. The others keep their times to live.
func (v *View) AddMembers(k Key, members [][]byte) (added int, err error) {
	added, _, err = v.AddReviving(k, members)
	return added, err
}

// AddReviving is AddMembers that says which members were there although their time had come. They
// have none any more.
func (v *View) AddReviving(k Key, members [][]byte) (added int, revived [][]byte, err error) {
	s, ok, err := v.WriteSet(k)
	if err != nil {
		return 0, nil, err
	}
	if !ok {
		s.v, s.k = v, k
		added = s.create(v.tableForWrite(&k), members)
		v.Changed(k, EventNew)
		members = members[added:]
	} else if enc := v.Store.enc; s.isIntset() && int64(len(members)) > enc.SetMaxIntset.Load() ||
		s.isPack() && int64(len(members)) > enc.SetMaxEntries.Load() {
		s.convert()
	}
	for _, m := range members {
		if s.add(m) {
			added++
		}
	}
	if added > 0 {
		v.Dirty += int64(added)
		v.Changed(k, EventSAdd)
		revived, v.revived = v.revived, nil
	}
	return added, revived, nil
}

// create makes the set in t, which is the keyspace or a table of its own, and
// stores members from the front on; it returns their number. The first member
// and the number of all decide on the encoding, as in Redis.
func (s *Set) create(t *table, members [][]byte) int {
	v, enc := s.v, s.v.Store.enc
	n := int64(len(members))
	if i, isInt := lex.ParseInt(members[0]); isInt && n <= enc.SetMaxIntset.Load() {
		width := intsetWidth(i)
		s.e = v.insertCollection(t, s.k, v.newMeta(&s.k, TypeSet, encIntset), 1+width)
		b := s.e.value()
		b[0] = byte(width)
		intsetPut(b, width, 0, i)
		return 1
	}
	size, fit := packItems(members, enc.SetMaxValue.Load())
	if !fit || n > enc.SetMaxEntries.Load() {
		s.e = v.newBodyEntry(t, s.k, TypeSet, newTable(v.shard(&s.k), v.Store.seed))
		return 0
	}
	s.e = v.insertCollection(t, s.k, v.newMeta(&s.k, TypeSet, encPack), size)
	used, taken := fillPack(s.e.value(), members, 1)
	if used < size {
		s.e.resizeValue(used, encPack, false)
	}
	return taken
}

func (s *Elements) isIntset() bool { return s.e.rec.encoding() == encIntset }
func (s *Elements) isPack() bool   { return s.e.rec.encoding() == encPack }
func (s *Elements) isTable() bool  { return s.e.rec.encoding() == encBody }

// Len is the number of members, at least 1. Those that have expired count until they are removed.
func (s *Set) Len() int {
	switch s.e.rec.encoding() {
	case encIntset:
		return intset(s.e.value()).len()
	case encPack:
		return pack(s.e.value()).count()
	default:
		return s.e.nested().n
	}
}

// Has reports whether a set has a member.
func (s *Elements) Has(member []byte) bool {
	switch s.e.rec.encoding() {
	case encIntset:
		i, ok := lex.ParseInt(member)
		if ok {
			_, ok = intset(s.e.value()).find(i)
		}
		return ok
	case encPack:
		_, _, ok := pack(s.e.value()).find(member)
		return ok
	default:
		t := s.e.nested()
		_, ref, ok := t.find(t.hash(member), member)
		return ok && !s.dead(t, ref)
	}
}

// hasHashed is Has for a member whose hash is known.
func (s *Set) hasHashed(h uint64, member []byte) bool {
	if !s.isTable() {
		return s.Has(member)
	}
	t := s.e.nested()
	_, ref, ok := t.find(h, member)
	return ok && !s.dead(t, ref)
}

// add adds a member and reports whether it was new.
func (s *Set) add(member []byte) bool {
	switch s.e.rec.encoding() {
	case encIntset:
		return s.addInteger(member)
	case encPack:
		return s.addPacked(member)
	default:
		t := s.e.nested()
		h := t.hash(member)
		if _, ref, ok := t.find(h, member); ok {
			return s.dead(t, ref) && s.revive(member)
		}
		t.insert(h, t.newRecord(metaOf(TypeString, encPlain), member, nil, 0), 0, 0)
		return true
	}
}

func (s *Set) addPacked(member []byte) bool {
	p := pack(s.e.value())
	if _, _, ok := p.find(member); ok {
		return false
	}
	n, add, enc := p.count(), packedSize(len(member)), s.v.Store.enc
	if int64(n) >= enc.SetMaxEntries.Load() || int64(len(member)) > enc.SetMaxValue.Load() || len(p)+add > packMaxSize {
		s.convert()
		return s.add(member)
	}
	b, at := s.e.editPack(packEdit{off: len(p), add: add, count: n + 1})
	putPacked(b[at:], member)
	return true
}

func (s *Set) addInteger(member []byte) bool {
	is := intset(s.e.value())
	n := is.len()
	v, isInt := lex.ParseInt(member)
	if !isInt {
		if s.packable(is, member) {
			s.convertToPack()
		} else {
			s.convert()
		}
		return s.add(member)
	}
	i, ok := is.find(v)
	if ok {
		return false
	}
	b := s.e.resizeValue(is.sizeWith(v), encIntset, false)
	intsetInsert(b, n, i, v)
	if int64(n) >= s.v.Store.enc.SetMaxIntset.Load() {
		s.convert()
	}
	return true
}

// packable reports whether an intset and one more member fit a pack.
func (s *Set) packable(is intset, member []byte) bool {
	enc := s.v.Store.enc
	n := is.len()
	// The longest number is the first or the last.
	var digits [20]byte
	longest := max(len(strconv.AppendInt(digits[:0], is.at(0), 10)), len(strconv.AppendInt(digits[:0], is.at(n-1), 10)))
	limit := enc.SetMaxValue.Load()
	return int64(n) < enc.SetMaxEntries.Load() && int64(longest) <= limit && int64(len(member)) <= limit &&
		n*packedSize(longest)+packedSize(len(member)) < packMaxSize
}

// convertToPack turns an intset into a pack. It prints into a buffer of its own:
// the member about to be added may stand in the shard's.
func (s *Set) convertToPack() {
	is := intset(s.e.value())
	var digits [20]byte
	p := binary.AppendUvarint(nil, uint64(is.len()))
	for i := range is.len() {
		d := strconv.AppendInt(digits[:0], is.at(i), 10)
		p = append(p, byte(len(d)))
		p = append(p, d...)
	}
	s.e.replaceValue(p, encPack)
}

// Remove removes members and returns how many were there. The handle is spent if none is left.
func (s *Set) Remove(members [][]byte) (removed int) { return s.deleteAll(members, EventSRem) }

func (s *Elements) removeInteger(member []byte) bool {
	is := intset(s.e.value())
	v, ok := lex.ParseInt(member)
	if !ok {
		return false
	}
	i, ok := is.find(v)
	if ok {
		s.cutInteger(is, i)
	}
	return ok
}

func (s *Elements) cutInteger(is intset, i int) {
	if is.len() == 1 {
		s.e.drop()
		return
	}
	is.remove(i)
	s.e.resizeValue(len(is)-is.width(), encIntset, false)
}

// Each visits the members until fn returns false.
func (s *Set) Each(fn func(member []byte) bool) {
	switch s.e.rec.encoding() {
	case encIntset:
		is := intset(s.e.value())
		for i := range is.len() {
			if !fn(s.digits(is.at(i))) {
				return
			}
		}
	case encPack:
		pack(s.e.value()).each(fn)
	default:
		t := s.e.nested()
		t.eachRef(func(ref arena.Ref) bool { return s.dead(t, ref) || fn(recordKey(t.mem, ref)) })
	}
}

// digits prints an integer member into the shard's buffer.
func (s *Set) digits(v int64) []byte {
	return strconv.AppendInt(s.e.sh.digits[:0], v, 10)
}

// Scan visits about count members from a cursor on and returns the cursor to go
// on with, 0 at the end. A member that is there throughout is visited at least
// once. A set that is no table is visited whole.
func (s *Set) Scan(cursor uint64, count int, fn func(member []byte)) (next uint64) {
	if s.e.rec.encoding() != encBody {
		s.Each(func(member []byte) bool {
			fn(member)
			return true
		})
		return 0
	}
	t := s.e.nested()
	return t.scanTable(cursor, count, func(ref arena.Ref) {
		if !s.dead(t, ref) {
			fn(recordKey(t.mem, ref))
		}
	})
}

// Repeat makes n independent draws, until fn returns false.
func (s *Set) Repeat(n int, fn func(member []byte) bool) {
	size := s.Len()
	switch s.e.rec.encoding() {
	case encIntset:
		is := intset(s.e.value())
		for ; n > 0 && fn(s.digits(is.at(rand.IntN(size)))); n-- {
		}
	case encPack:
		p := pack(s.e.value())
		if n == 1 {
			member, _ := p.next(p.nth(rand.IntN(size)))
			fn(member)
			return
		}
		offsets := p.offsets(1)
		for more := true; n > 0 && more; n-- {
			member, _ := p.next(int(offsets[rand.IntN(size)]))
			more = fn(member)
		}
	default:
		t := s.e.nested()
		if t.dated() {
			s.repeatLive(n, func(ref arena.Ref) bool { return fn(recordKey(t.mem, ref)) })
			return
		}
		for ; n > 0 && fn(recordKey(t.mem, t.random())); n-- {
		}
	}
}

// Sample draws n distinct members, n <= LiveLen, until fn returns false. Of a set
// that is no table they come in its order.
func (s *Set) Sample(n int, fn func(member []byte) bool) {
	if s.isTable() && !s.Dated() {
		t := s.e.nested()
		t.sample(n, func(ref arena.Ref) bool { return fn(recordKey(t.mem, ref)) })
		return
	}
	pick := selection{need: n, left: s.LiveLen()}
	s.Each(func(member []byte) bool {
		return !pick.take() || fn(member) && pick.need > 0
	})
}
