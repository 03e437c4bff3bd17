package store

import (
	"math"
	"strconv"

	"github.com/larderkv/larder/store/lex"
)

// Strings. A value is kept as the client sent it, numbers too: the digits of
// a counter are rarely longer than eight bytes, and a GET copies them as they
// are. OBJECT ENCODING is derived from the bytes when it is asked for.

// KeepTTL as an expiry time leaves a key's expiry time as it is.
const KeepTTL = -1

// GetString reads a string, a stale one unless SetStaleReads says otherwise. The value aliases the
// arena. A missing key is nil and false.
func (v *View) GetString(k Key) ([]byte, bool, error) {
	var e Entry
	if !v.peek(&e, &k) || e.rec.extra > 0 && v.Store.hidesStale.Load() && v.hidesStale(&e, &k) {
		v.missed(&k, &e)
		return nil, false, nil
	}
	v.hit(e.sh, &k)
	v.touchRead(&e)
	if e.rec.typ() != TypeString {
		return nil, false, ErrWrongType
	}
	return e.value(), true, nil
}

// SetString stores a value whatever was there before. expire is in unix
// milliseconds, 0 for none, KeepTTL for that of the key before.
func (v *View) SetString(k Key, value []byte, expire int64) {
	if sh, t := v.storeString(&k, value, expire); sh.interest&(ClassString|classCounted) != 0 {
		v.publish(sh, t, &k, EventSet)
	}
	if expire > 0 && v.wants(&k, ClassGeneric) { // the time to live is booked with the value
		v.Changed(k, EventExpire)
	}
}

// storeString is SetString but for its events. It returns where the key is.
func (v *View) storeString(k *Key, value []byte, expire int64) (*shard, *table) {
	t := v.tableForWrite(k)
	e := Entry{sh: v.shard(k), t: t}
	var ok bool
	if e.p, e.ref, ok = t.find(k.hash, k.Name); !ok {
		v.insertString(t, k, value, max(expire, 0))
		return e.sh, t
	}
	e.rec.decode(t.mem, e.ref)
	if (e.rec.expire != 0 || e.rec.extra > 0) && !v.Loading && e.sh.ended(&e.rec, v.Now) {
		v.removeEnded(&e, k)
		v.insertString(v.tableForWrite(k), k, value, max(expire, 0))
		return e.sh, t
	}
	v.overwriteString(&e, value, expire)
	return e.sh, t
}

func (v *View) insertString(t *table, k *Key, value []byte, expire int64) {
	ref := v.newRecord(t, v.newMeta(k, TypeString, encPlain), k.Name, value, expire)
	t.insert(k.hash, ref, expire, v.Now)
	v.Dirty++
	if v.wants(k, ClassNew) {
		v.Changed(*k, EventNew)
	}
}

func (v *View) overwriteString(e *Entry, value []byte, expire int64) {
	v.Dirty++
	meta := metaOf(TypeString, encPlain) | v.Store.meter.Load().Write(e.word(), v.Now)<<wordShift
	if v.Loan.Holds(value) || e.rec.extra > 0 || e.unsaved() {
		v.renewString(e, meta, value, expire, e.shed())
		return
	}
	e.sh.dropBody(&e.rec)
	e.rec.meta = meta | e.rec.meta&flagExpire
	if expire != KeepTTL && (expire != 0) != (e.rec.expire != 0) {
		e.setExpire(expire, v.Now)
		expire = KeepTTL
	}
	e.replaceValue(value, encPlain)
	if expire > 0 {
		e.setExpire(expire, v.Now)
	}
}

// renewString overwrites a value with a new record: one that a running snapshot has
// yet to write, or for the sake of a value that need not be copied, or of other extras.
func (v *View) renewString(e *Entry, meta uint32, value []byte, expire int64, extra rawExtras) {
	if expire == KeepTTL {
		expire = e.rec.expire
	}
	old, saved := e.rec, !e.unsaved()
	if saved {
		e.sh.dropBody(&old)
	}
	if len(extra) > 0 {
		e.become(e.t.newRecordWith(meta, e.name(), extra, value, expire))
	} else {
		e.become(v.newRecord(e.t, meta, e.name(), value, expire))
	}
	if !saved {
		e.sh.dropBody(&old) // the old record is still there
	}
	e.noteExpire(old.expire, v.Now)
}

// Append adds bytes at the end of a string, which is made if need be. It
// returns the new length; limit is the longest allowed, in bytes.
func (v *View) Append(k Key, suffix []byte, limit int64) (int, error) {
	e, ok, err := v.writeString(k)
	if err != nil {
		return 0, err
	}
	if !ok {
		v.storeString(&k, suffix, 0)
		v.Changed(k, EventAppend)
		return len(suffix), nil
	}
	old := e.rec.vlen
	if int64(old)+int64(len(suffix)) > limit {
		return 0, ErrTooLong
	}
	copy(e.resizeValue(old+len(suffix), encRaw, true)[old:], suffix)
	v.Dirty++
	v.Changed(k, EventAppend)
	return old + len(suffix), nil
}

// SetRange overwrites a string from an offset on, which is filled up with
// zero bytes if it is past the end. patch is not empty. It returns the new
// length; limit is the longest allowed, in bytes.
func (v *View) SetRange(k Key, offset int64, patch []byte, limit int64) (int, error) {
	e, ok, err := v.writeString(k)
	if err != nil {
		return 0, err
	}
	if offset > limit-int64(len(patch)) {
		return 0, ErrTooLong
	}
	if !ok {
		e = v.insertRecord(k, v.newMeta(&k, TypeString, encRaw), nil, 0)
	}
	old, end := e.rec.vlen, int(offset)+len(patch)
	value := e.resizeValue(max(old, end), encRaw, ok)
	if int(offset) > old {
		clear(value[old:offset])
	}
	copy(value[offset:], patch)
	v.Dirty++
	v.Changed(k, EventSetRange)
	return len(value), nil
}

// IncrBy adds to the integer in a string; a missing one counts as 0. The
// expiry time stays.
func (v *View) IncrBy(k Key, delta int64) (int64, error) {
	e, ok, err := v.writeString(k)
	if err != nil {
		return 0, err
	}
	var n int64
	if ok {
		if n, ok = lex.ParseInt(e.value()); !ok {
			return 0, ErrNotInteger
		}
		if delta < 0 && n < math.MinInt64-delta || delta > 0 && n > math.MaxInt64-delta {
			return 0, ErrOverflow
		}
	}
	n += delta
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	if e.t == nil {
		v.insertString(v.tableForWrite(&k), &k, text, 0)
	} else {
		e.replaceValue(text, encPlain)
		v.Dirty++
	}
	v.Changed(k, EventIncrBy)
	return n, nil
}

// SetText replaces the value of a string, or makes one, and keeps the expiry
// time. The value is text to Redis even if it reads as an integer: so are the
// sums that INCRBYFLOAT stores.
func (v *View) SetText(k Key, text []byte) error {
	e, ok, err := v.writeString(k)
	if err != nil {
		return err
	}
	if ok {
		e.replaceValue(text, encText)
	} else {
		v.insertRecord(k, v.newMeta(&k, TypeString, encText), text, 0)
	}
	v.Dirty++
	v.Changed(k, EventIncrByFloat)
	return nil
}

// writeString is Write for a command that takes strings only.
func (v *View) writeString(k Key) (Entry, bool, error) {
	e, ok := v.Write(k)
	if ok && e.rec.typ() != TypeString {
		return e, false, ErrWrongType
	}
	return e, ok, nil
}

// embstrMax is the length up to which Redis keeps a string and its header in
// one allocation.
const embstrMax = 44

// stringEncoding is Redis' name for how it would keep the string.
func stringEncoding(e *Entry) string {
	value, enc := e.value(), e.rec.encoding()
	switch {
	case enc == encRaw:
		return "raw"
	case enc != encText && len(value) <= 20 && isInteger(value):
		return "int"
	case len(value) <= embstrMax:
		return "embstr"
	}
	return "raw"
}

func isInteger(b []byte) bool {
	_, ok := lex.ParseInt(b)
	return ok
}
