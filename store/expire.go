package store

import (
	"math"

	"github.com/larderkv/larder/store/arena"
)

// Expiry inside a table: hints that tell where to look, and the look itself.
// The idea is described in table.go, the hint's encoding in bucket.go.

// noteExpire records that the record at p expires at the given time.
func (t *table) noteExpire(p pos, expire, now int64) {
	s := &t.subs[p.sub]
	t.bucket(s, uint32(p.bucket)).lowerHint(hint(expire, now))
	due := uint32(min(dueSecond(expire), now/1000+hintAhead-1, math.MaxUint32))
	if s.due == 0 || due < s.due {
		s.due = due
	}
}

// nextDue returns the first sub-table from the given one on that may hold
// expired records, and false when there is none.
func (t *table) nextDue(from uint32, now int64) (uint32, bool) {
	sec := uint32(now / 1000)
	for i := from; int(i) < len(t.subs); i++ {
		if due := t.subs[i].due; due != 0 && due <= sec {
			return i, true
		}
	}
	return 0, false
}

// sweep unlinks the expired records of a sub-table and passes each to fn,
// with its parity bit, which frees it. fn must not change the table. It
// returns how many.
func (t *table) sweep(sub uint32, now int64, fn func(raw arena.Ref)) (removed int) {
	s := &t.subs[sub]
	sec := now / 1000
	// A due time of more than hintLate ago (active expiry was off, or the
	// machine asleep) makes the hints ambiguous: every bucket is looked at.
	overslept := sec-int64(s.due) >= hintLate
	s.due = 0
	for i := uint32(0); i < uint32(s.buckets); i++ {
		b := t.bucket(s, i)
		h := b.hint()
		if h == 0 {
			continue
		}
		if overslept || !earlier(uint32(sec)&hintMask, h) {
			n, left := t.sweepBucket(sub, i, now, fn)
			removed += n
			b.setHint(left)
			if n > 0 {
				t.bringHome(sub, i) // while the keys are in the cache
			}
			if h = left; h == 0 {
				continue
			}
		}
		due := uint32(sec + int64((h-uint32(sec))&hintMask))
		if s.due == 0 || due < s.due {
			s.due = due
		}
	}
	if removed > 0 {
		t.shrink(sub)
	}
	return removed
}

// sweepBucket returns the hint of what is left. Slots are visited from the
// last to the first, since a removal moves later ones into the gap.
func (t *table) sweepBucket(sub, i uint32, now int64, fn func(raw arena.Ref)) (removed int, left uint32) {
	s := &t.subs[sub]
	b := t.bucket(s, i)
	t.prefetchRefs(s, i)
	for slot := int(b.count()) - 1; slot >= 0; slot-- {
		raw := b.raw(uint8(slot))
		r := readRecord(t.mem, raw&^parityBit)
		switch {
		case r.expire == 0:
		case r.expire <= now:
			p := pos{sub: sub, bucket: uint16(i), slot: uint8(slot)}
			if slot >= int(b.count()-b.guests()) {
				p.guests = t.guestsAt(s, &r, i)
			}
			t.unlink(p, true)
			fn(raw)
			removed++
		default:
			if h := hint(r.expire, now); left == 0 || earlier(h, left) {
				left = h
			}
		}
	}
	return removed, left
}
