package store

// UpdateString gives a string a value that was calculated from its old one. e is what Write has just
// found of the key, a string, or the zero Entry where it has found nothing; value must not alias it.
// expire is in unix milliseconds, 0 for none, KeepTTL for that of before. ev is the event of the
// change.
//
// It is SetString without a second search, and counts as one access together with the Write.
func (v *View) UpdateString(e *Entry, k Key, value []byte, expire int64, ev Event) {
	enc := encPlain
	if ev == EventIncrByFloat {
		enc = encText
	}
	before := e.rec.expire
	if expire == KeepTTL {
		expire = before
	}
	if !e.Found() {
		*e = v.insertRecord(k, v.newMeta(&k, TypeString, enc), value, expire)
	} else {
		if (expire != 0) != (before != 0) { // in the order in which the record moves once at most
			e.setExpire(expire, v.Now)
		}
		e.replaceValue(value, enc)
		if expire != e.rec.expire {
			e.setExpire(expire, v.Now)
		}
	}
	v.Dirty++
	v.Changed(k, ev)
	switch {
	case expire != before && expire != 0:
		v.Changed(k, EventExpire)
	case expire != before:
		v.Changed(k, EventPersist)
	}
}

// Found reports whether there is an entry: the zero Entry is none.
func (e *Entry) Found() bool { return e.t != nil }
