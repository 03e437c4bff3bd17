package rdb

// KeyDB's files are Redis' of version 9 with auxiliary fields between the keys. An active replica
// writes mvcc-tstamp in front of every key: when it was changed, which matters to replication alone.
// Behind a key of which members expire one by one (EXPIREMEMBER) there are two fields for each of
// these: its name and its time. Such a key is of a kind that larder does not have, like a hash with
// field TTLs in Redis: to keep the member for ever would be wrong, and to drop it, too. But that is
// known only when the key has been handed over, so whoever leaves it out has to remove it again.
const (
	auxTimestamp    = "mvcc-tstamp"
	auxMember       = "keydb-subexpire-key"
	auxMemberExpiry = "keydb-subexpire-when"
)

// lastKey is the key read last, if it has been kept.
type lastKey struct {
	place lastPlace
	name  []byte
	typ   byte
	db    int32
}

type lastPlace uint8

const (
	lastNone    lastPlace = iota // there is none, or it has been told of
	lastOfBatch                  // the last entry of the splitter's batch; the other fields are not set
	lastNamed                    // that of the other fields
)

// nameLast makes what is known of the last key outlive its batch.
func (s *splitter) nameLast() {
	if s.last.place != lastOfBatch {
		return
	}
	e := &s.batch.entries[len(s.batch.entries)-1]
	s.last = lastKey{}
	var d decoder
	if name, err := d.textOf(s.buf[e.at:e.value]); err == nil { // else its insertion fails
		s.last = lastKey{lastNamed, append([]byte{}, name...), e.typ, e.db}
	}
}

// keydbAux takes an auxiliary field of KeyDB's and reports whether it was one. They are many, and
// not listed.
func (s *splitter) keydbAux(name string) (is, ok bool) {
	switch name {
	case auxTimestamp, auxMemberExpiry:
		s.origin.family = "KeyDB"
		return true, true
	case auxMember:
		s.origin.family = "KeyDB"
		return true, s.memberExpires()
	}
	return false, true
}

// memberExpires tells of the last key that a member of it expires, once.
func (s *splitter) memberExpires() bool {
	s.nameLast()
	last := s.last
	if last.place == lastNone {
		return true
	}
	s.last = lastKey{}
	f := &foreign{UnknownTypeError: UnknownTypeError{
		Key: last.name, Type: typeRows[last.typ].name + withMemberTTLs, Number: numberOf(last.typ),
		DB: int(last.db), Offset: s.base + int64(s.keep),
	}}
	if err := s.h.unfit(f); err != nil {
		s.err = err
		return false
	}
	return true
}
