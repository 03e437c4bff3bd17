package store

import (
	"math/rand/v2"

	"github.com/larderkv/larder/store/arena"
)

// Operations on whole keys, whatever their type.

// SetExpire sets the expiry time of a key, in unix milliseconds; 0 takes it
// away. A time that has passed is the caller's to turn into a Delete. It
// reports whether the key exists.
func (v *View) SetExpire(k Key, at int64) bool {
	e, ok := v.Write(k)
	if !ok {
		return false
	}
	e.setExpire(at, v.Now)
	v.Dirty++
	v.Changed(k, EventExpire)
	return true
}

// Date is SetExpire as a part of a change which others have been told of, or are not told of at all.
func (v *View) Date(k Key, at int64) bool {
	e, ok := v.Write(k)
	if ok {
		e.setExpire(at, v.Now)
		v.booked(k)
	}
	return ok
}

// Persist takes the expiry time away. It reports whether there was one.
func (v *View) Persist(k Key) bool {
	e, ok := v.Write(k)
	if !ok || e.rec.expire == 0 {
		return false
	}
	e.setExpire(0, v.Now)
	v.Dirty++
	v.Changed(k, EventPersist)
	return true
}

// Rename gives from's value and expiry time to the key to, replacing what is
// there. It reports whether from exists. Both shards are locked.
func (v *View) Rename(from, to Key) bool {
	e, ok := v.Write(from)
	if !ok {
		return false
	}
	if string(from.Name) == string(to.Name) {
		return true
	}
	v.transfer(&e, v, to)
	v.Dirty++
	v.Changed(from, EventRenameFrom)
	v.Changed(to, EventRenameTo)
	return true
}

// Move gives a key's value and expiry time to the same name in another
// database, where it must be absent; both report whether it was done.
func (v *View) Move(k Key, to *View) bool {
	e, ok := v.Write(k)
	if !ok {
		return false
	}
	if _, exists := to.Write(k); exists {
		return false
	}
	v.transfer(&e, to, k)
	v.Dirty++
	v.Changed(k, EventMoveFrom)
	to.Changed(k, EventMoveTo)
	return true
}

// transfer moves an entry's value to another key. A big value keeps its body; where the body cannot
// be given to the other key's shard (bodymove.go), it is copied.
func (v *View) transfer(e *Entry, to *View, k Key) {
	dst := v.shard(&k)
	value, meta := e.value(), e.rec.meta
	if e.rec.encoding() == encBody {
		moves := dst == e.sh || e.movable()
		if dst != e.sh {
			var h [handleSize]byte
			if moves {
				h = e.sh.giveBody(value, dst)
			} else {
				h = dst.newHandle(e.body().clone(dst, v.Now))
			}
			value = h[:]
		}
		if moves { // only the old record must not free the body
			if dst == e.sh {
				b := e.body()
				dst.depart(b)
				dst.arrive(b)
			}
			e.rec.meta = meta&^encMask | uint32(encPack)<<encShift
		}
	}
	to.put(k, meta, value, e.rec.expire)
	if e.rec.extra > 0 {
		x := e.describe()
		to.Attach(k, &x)
	}
	v.unlinkAgain(e)
}

// unlinkAgain removes the entry after another insertion, which may have moved
// its slot.
func (v *View) unlinkAgain(e *Entry) {
	key := e.name()
	e.p, _, _ = e.t.find(e.t.hash(key), key)
	e.remove()
}

// Copy copies from's value and expiry time to a key of another view (or the
// same), replacing what is there. It reports whether from exists. It does not mark
// from as used.
func (v *View) Copy(from Key, to *View, k Key) bool {
	e, ok := v.Peek(from)
	if !ok {
		return false
	}
	value := e.value()
	if e.rec.encoding() == encBody {
		dst := v.shard(&k)
		h := dst.newHandle(e.body().clone(dst, v.Now))
		value = h[:]
	}
	to.put(k, to.newMeta(&k, e.rec.typ(), e.rec.encoding()), value, e.rec.expire)
	if e.rec.extra > 0 {
		x := e.describe()
		x.NoEvict = false
		to.Attach(k, &x)
	}
	v.Dirty++
	to.Changed(k, EventCopyTo)
	return true
}

// put stores a value under a key, replacing what is there, and leaves it to the caller to say
// how (Changed). The key is a new one in any case, as in Redis. value may alias the arena: the new
// record is made before the old one is freed.
func (v *View) put(k Key, meta uint32, value []byte, expire int64) {
	t := v.tableForWrite(&k)
	ref := t.newRecord(meta, k.Name, value, expire)
	v.Vacate(k)
	p := t.insert(k.hash, ref, expire, v.Now)
	t.noteElements(v.shard(&k), p, ref, v.Now)
	v.Changed(k, EventNew)
}

// RandomLocked returns the name of a random live key; all shards are locked.
// Every key has the same chance. The name aliases the arena.
func (v *View) RandomLocked() (name []byte, ok bool) {
	total := 0
	for i := range v.Store.shards {
		if t := v.Store.shards[i].dbs[v.DB]; t != nil {
			total += t.n
		}
	}
	if total == 0 {
		return nil, false
	}
	// With expired keys still in the tables, try again; when nearly all have
	// expired, look at each.
	for tries := 0; tries < 64; tries++ {
		n := rand.IntN(total)
		for i := range v.Store.shards {
			t := v.Store.shards[i].dbs[v.DB]
			if t == nil {
				continue
			}
			if n -= t.n; n < 0 {
				if name, ok = v.liveName(&v.Store.shards[i], t, t.random()); ok {
					return name, true
				}
				break
			}
		}
	}
	for i := range v.Store.shards {
		if t := v.Store.shards[i].dbs[v.DB]; t != nil {
			t.eachRef(func(ref arena.Ref) bool {
				name, ok = v.liveName(&v.Store.shards[i], t, ref)
				return !ok
			})
			if ok {
				return name, true
			}
		}
	}
	return nil, false
}

func (v *View) liveName(sh *shard, t *table, ref arena.Ref) ([]byte, bool) {
	r := readRecord(t.mem, ref)
	if sh.ended(&r, v.Now) {
		return nil, false
	}
	return t.mem[r.key : r.key+uint64(r.klen) : r.key+uint64(r.klen)], true
}
