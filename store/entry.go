package store

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/arena"
)

// Entry is a live record that was found. It is valid until the next change of
// its shard.
type Entry struct {
	sh  *shard
	t   *table
	ref arena.Ref
	p   pos
	rec record
}

// remove unlinks and frees the entry.
func (e *Entry) remove() {
	if e.rec.extra > 0 {
		e.sh.unlinkExtras(e.t, &e.rec)
	}
	parity := e.t.bucketAt(e.p).parity(e.p.slot)
	e.t.remove(e.p, e.rec.expire)
	e.sh.releaseRecord(e.t, &e.rec, e.ref, parity)
}

// word is the entry's eviction word.
func (e *Entry) word() uint32 { return e.rec.meta >> wordShift }

// setWord changes the eviction word in the record.
func (e *Entry) setWord(word uint32) {
	if word != e.word() { // spare the cache line when nothing changes
		e.rec.meta = e.rec.meta&(1<<wordShift-1) | word<<wordShift
		binary.LittleEndian.PutUint32(e.t.mem[e.rec.off:], e.rec.meta)
	}
}

// Type is the data type of the value.
func (e *Entry) Type() Type { return e.rec.typ() }

// Bytes is the value of a string. It aliases the arena.
func (e *Entry) Bytes() []byte { return e.value() }

func (e *Entry) value() []byte {
	v := e.rec.value()
	return e.t.mem[v : v+uint64(e.rec.vlen) : v+uint64(e.rec.vlen)]
}

// ExpireAt is the expiry time in unix milliseconds, 0 for none.
func (e *Entry) ExpireAt() int64 { return e.rec.expire }

// IdleSeconds is the time since the last access, as exactly as the policy keeps
// it.
func (e *Entry) IdleSeconds(v *View) int64 { return v.Store.Meter().Idle(e.word(), v.Now) }

// Frequency is the logarithmic access counter, 0 under a policy without one.
func (e *Entry) Frequency(v *View) int64 { return int64(v.Store.Meter().Frequency(e.word(), v.Now)) }

// Memory is the number of bytes the entry takes in the arena, in whole slots: its
// record, and all that a big collection holds. With the bucket arrays of the
// databases (DBStats) the sum over all keys is Used, but for what is being freed
// or saved.
func (e *Entry) Memory() int64 { return e.sh.bytesOf(e.t, &e.rec, e.ref) }

// bytesOf is what a record of a table takes, with all that it owns.
func (sh *shard) bytesOf(t *table, r *record, ref arena.Ref) int64 {
	sum := int64(t.ar.Footprint(ref))
	if b := sh.bodyOf(r); b != nil {
		sum += b.size()
	}
	return sum
}

// room is how many bytes the record can have without being moved.
func (e *Entry) room() int { return e.t.ar.Cap(e.ref) }

// resizeValue gives the value n bytes and the encoding enc, keeping as many
// of the old bytes as fit; new ones are arbitrary. The record moves when it
// has to, or when a smaller size class would do. It returns the value.
//
// slack asks for room to grow by as much again, for values that are appended
// to.
func (e *Entry) resizeValue(n int, enc encoding, slack bool) []byte {
	size := e.rec.sizeWith(n)
	meta := e.rec.meta&^encMask | uint32(enc)<<encShift
	if e.unsaved() {
		e.move(meta, n, size, slack)
		return e.value()
	}
	if n == e.rec.vlen && size <= 16<<10 {
		binary.LittleEndian.PutUint32(e.t.mem[e.rec.off:], meta)
		e.rec.meta = meta
		return e.value()
	}
	fits := arena.RoundUp(size)
	another := fits != arena.RoundUp(e.rec.size())
	if another || fits > 16<<10 { // a large block may be shorter than its size class (Loan)
		if have := e.room(); size > have || another && !slack && fits < have {
			e.move(meta, n, size, slack)
			return e.value()
		}
	}
	e.t.resized(e.ref, size)
	if lenSize(n) == lenSize(e.rec.vlen) {
		var b [maxHeader]byte
		h := writeHeader(b[:], meta, e.rec.klen, n, e.rec.date())
		copy(e.t.mem[e.rec.off:], b[:h])
	} else {
		e.rewriteHeader(meta, n)
	}
	e.rec.meta, e.rec.vlen = meta, n
	return e.value()
}

// rewriteHeader writes a header of another length and shifts what stands behind it.
func (e *Entry) rewriteHeader(meta uint32, vlen int) {
	var b [maxHeader]byte
	h := writeHeader(b[:], meta, e.rec.klen, vlen, e.rec.date())
	off := e.rec.off
	keep := e.rec.klen + e.rec.extra + min(vlen, e.rec.vlen)
	copy(e.t.mem[off+uint64(h):], e.t.mem[e.rec.key:e.rec.key+uint64(keep)])
	copy(e.t.mem[off:], b[:h])
	e.rec.key = off + uint64(h)
}

// move copies the record to a new block with a value of n bytes.
func (e *Entry) move(meta uint32, n, size int, slack bool) {
	room := size
	if slack {
		room = size + size/4
		if room > 16<<10 {
			room = size * 2 // address space only
		}
	}
	var ref arena.Ref
	if slack && size <= 16<<10 {
		ref = e.t.alloc(min(room, 16<<10))
	} else {
		ref = e.t.allocRoom(size, room)
	}
	b := e.t.ar.Bytes(ref, size)
	p := writeHeader(b, meta, e.rec.klen, n, e.rec.date())
	keep := e.rec.klen + e.rec.extra + min(n, e.rec.vlen)
	copy(b[p:], e.t.mem[e.rec.key:e.rec.key+uint64(keep)])
	if e.rec.extra > 0 {
		e.sh.retainExtras(&e.rec)
	}
	e.release()
	e.t.renew(e.p, ref)
	e.ref = ref
	e.rec.off, e.rec.key, e.rec.meta, e.rec.vlen = ref.Off(), ref.Off()+uint64(p), meta, n
}

// replaceValue sets the value and its encoding. value must not alias the
// entry.
func (e *Entry) replaceValue(value []byte, enc encoding) {
	if e.unsaved() {
		e.renew(e.rec.meta&^encMask|uint32(enc)<<encShift, value, e.rec.expire)
		return
	}
	copy(e.resizeValue(len(value), enc, false), value)
}

// setExpire changes the expiry time; 0 takes it away.
func (e *Entry) setExpire(expire, now int64) {
	e.own()
	old, had := e.rec.expire, e.rec.date() != 0
	e.t.spare(&e.rec, -1)
	e.rec.expire = expire
	date := e.rec.date()
	switch {
	case had && date != 0: // overwrite in place: it stands before the key
		binary.LittleEndian.PutUint64(e.t.mem[e.rec.key-8:], uint64(date))
	case had != (date != 0):
		if size := e.rec.sizeWith(e.rec.vlen); size <= e.room() {
			e.rewriteHeader(e.rec.meta, e.rec.vlen)
		} else {
			e.move(e.rec.meta, e.rec.vlen, size, false)
		}
		e.rec.meta |= flagExpire
		if date == 0 {
			e.rec.meta &^= flagExpire
		}
	}
	e.t.spare(&e.rec, +1)
	e.noteExpire(old, now)
}

// noteExpire brings the table's accounts up to date; old is the expiry time before, 0 for none.
func (e *Entry) noteExpire(old, now int64) {
	had, has := old != 0, e.rec.expire != 0
	e.t.until += datedUntil(e.rec.expire) - datedUntil(old)
	if !had && has {
		e.t.ttls++
	} else if had && !has {
		e.t.ttls--
	}
	if has {
		e.t.noteExpire(e.p, e.rec.expire, now)
	}
}
