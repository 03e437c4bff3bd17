package store

import (
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/store/arena"
)

// Expiry: where to look for keys whose time has come, when, and the look itself.
//
// # Ticks
//
// The time at which to look is counted in ticks of 32 ms. A record is due at the first tick at
// which it has expired, so it goes at most a tick late, and what it takes to get to it. Three words
// lead to it, each a lower bound of those below: the due tick of its table, that of its sub-table,
// and the hint of its bucket. They are lowered when a record comes, and made exact when they are
// swept: so what is overwritten or deleted costs one look in vain at most.
//
// With a million keys that go within a minute, two of five sub-tables are due at each tick. To
// sweep one takes a look at each of its buckets and at the records of one or two. All of it takes
// 1.7 us per key, 2.8 % of a core (BenchmarkExpiry), where ticks of a second took 1.0 us. Half a
// tick would double the looks at buckets for 16 ms.
//
// A hint has 18 bits, 140 minutes. Hints are compared on the circle, which is sound while they lie
// within half of it. They are never more than 44 minutes ahead: a bucket whose records live longer
// is looked at before and told to wait on, 26 to 44 minutes later, by the number of its sub-table,
// so that what was loaded together is soon not looked at together. So a bucket may be 26 minutes
// late with being looked at, while others, or records that are added to it, have hints of the
// present. A sub-table that is later (active expiry was off, or the machine asleep) is looked at as
// a whole.
//
// The due ticks of tables and sub-tables have 32 bits, four years, which are no concern.
//
// # When
//
// Who calls Maintain asks Rest how long to sleep: until the first of the tables' due ticks. A
// record that is due earlier than that and comes meanwhile rings a bell. Nearly all commands only
// compare two words of their own table: the store's, which all shards share, is read by a record
// that is due before all others of its table.

const (
	tickShift = 5 // a tick is 1<<tickShift milliseconds

	hintHalf   = 1 << (hintBits - 1) // ticks, as the others
	hintAhead  = 5 << 14
	hintSpread = 1 << 15
	hintLate   = hintHalf - hintAhead - 2 // since a hint may be a tick late, and the clock's tick has begun
)

// tickAt is the tick that runs at a time in unix milliseconds.
func tickAt(now int64) uint32 { return uint32(now >> tickShift) }

// before compares two ticks less than two years apart.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// earlier compares two hints on the circle.
func earlier(a, b uint32) bool { return (a-b)&hintMask >= hintHalf }

// dueTick is the tick at which to look for a record of a sub-table that expires at the given time
// (unix milliseconds, above 0, up to the largest int64). Its lower bits are the hint, neither is 0.
func dueTick(sub uint32, expire, now int64) uint32 {
	due, at := (expire-1)>>tickShift+1, now>>tickShift
	if uint64(due-at) >= hintAhead {
		due = at // it has expired already
		if expire > now {
			due += hintAhead - 1 - int64(sub*0x9E3779B1%hintSpread)
		}
	}
	if due&hintMask == 0 {
		due++ // a tick late, once in 140 minutes: a look before it is due would not be the last
	}
	return uint32(due)
}

// noteExpire records that the record at p expires at the given time.
func (t *table) noteExpire(p pos, expire, now int64) {
	s := &t.subs[p.sub]
	due := dueTick(p.sub, expire, now)
	t.bucket(s, uint32(p.bucket)).lowerHint(due & hintMask)
	if s.due == 0 || before(due, s.due) {
		s.due = due
		t.lowerDue(due)
	}
}

// lowerDue takes the due tick of a sub-table into account.
func (t *table) lowerDue(due uint32) {
	if t.due == 0 || before(due, t.due) {
		t.due = due
		if t.alarm != nil {
			t.alarm.tell(due)
		}
	}
}

// nextDue returns the next sub-table that may hold expired records, which the caller sweeps, and
// false when there is none. It walks over the sub-tables once the table is due. While the walk is
// under way, over several calls, the table's due tick is the bound of those that are behind it, and
// at its end of all.
func (t *table) nextDue(now int64) (sub uint32, ok bool) {
	at := tickAt(now)
	if t.walk == 0 {
		if t.due == 0 || before(at, t.due) {
			return 0, false
		}
		t.due = 0
	}
	for int(t.walk) < len(t.subs) {
		sub = t.walk
		t.walk++
		switch due := t.subs[sub].due; {
		case due == 0:
		case before(at, due):
			t.lowerDue(due)
		default:
			return sub, true
		}
	}
	t.walk = 0
	return 0, false
}

// sweep unlinks the expired records of a sub-table and passes each to fn,
// with its parity bit, which frees it. fn must not change the table. It
// returns how many. look, if not nil, is asked about records with a body or
// extras, of which something else may be due: the expired elements of the body,
// which it removes (elementttl.go), or the end of a fresh time (fresh.go). It
// returns when to look again, and whether the record is to go since no element is
// left, of which fn is told.
func (t *table) sweep(sub uint32, now int64, fn func(raw arena.Ref, emptied bool), look sweepLook) (removed int) {
	s := &t.subs[sub]
	at := tickAt(now)
	overslept := at-s.due >= hintLate // the hints are ambiguous: every bucket is looked at
	s.due = 0
	for i := uint32(0); i < uint32(s.buckets); i++ {
		b := t.bucket(s, i)
		h := b.hint()
		if h == 0 {
			continue
		}
		if overslept || !earlier(at&hintMask, h) {
			n, left := t.sweepBucket(sub, i, now, fn, look)
			removed += n
			b.setHint(left)
			if n > 0 {
				t.bringHome(sub, i) // while the keys are in the cache
			}
			if h = left; h == 0 {
				continue
			}
		}
		due := at + (h-at)&hintMask
		if s.due == 0 || before(due, s.due) {
			s.due = due
		}
	}
	if removed > 0 {
		t.shrink(sub)
	}
	if s.due != 0 {
		t.lowerDue(s.due)
	}
	return removed
}

// sweepBucket returns the hint of what is left. Slots are visited from the
// last to the first, since a removal moves later ones into the gap.
func (t *table) sweepBucket(
	sub, i uint32, now int64, fn func(raw arena.Ref, emptied bool), look sweepLook,
) (removed int, left uint32) {
	s := &t.subs[sub]
	b := t.bucket(s, i)
	t.prefetchRefs(s, i)
	for slot := int(b.count()) - 1; slot >= 0; slot-- {
		raw := b.raw(uint8(slot))
		r := readRecord(t.mem, raw&^parityBit)
		next, emptied := r.expire, false
		if look != nil && (r.encoding() == encBody || r.extra > 0) && (next == 0 || next > now) {
			var first int64
			first, emptied = look(pos{sub: sub, bucket: uint16(i), slot: uint8(slot)}, raw&^parityBit)
			if first != 0 && (next == 0 || first < next) {
				next = first
			}
			raw = b.raw(uint8(slot)) // the record may have moved
			r = readRecord(t.mem, raw&^parityBit)
		}
		switch {
		case r.expire != 0 && r.expire <= now || emptied:
			p := pos{sub: sub, bucket: uint16(i), slot: uint8(slot)}
			if slot >= int(b.count()-b.guests()) {
				p.guests = t.guestsAt(s, &r, i)
			}
			t.unlink(p, r.expire)
			fn(raw, emptied)
			removed++
		case next != 0:
			if h := dueTick(sub, next, now) & hintMask; left == 0 || earlier(h, left) {
				left = h
			}
		}
	}
	return removed, left
}

// sweepLook is what sweep asks about records with bodies or extras.
type sweepLook func(p pos, ref arena.Ref) (next int64, emptied bool)

// alarm wakes who calls Maintain if something expires earlier than it meant to look.
type alarm struct {
	at   atomic.Uint32 // the tick up to which it sleeps; 0, or one that is past, when it does not
	bell chan struct{} // holds one ring
}

// tell rings if due is before the end of the sleep.
func (a *alarm) tell(due uint32) {
	for at := a.at.Load(); at != 0 && before(due, at); at = a.at.Load() {
		if a.at.CompareAndSwap(at, 0) {
			a.ring()
		}
	}
}

func (a *alarm) ring() {
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// Bell says that the sleep that Rest was asked for is to end early.
func (s *Store) Bell() <-chan struct{} { return s.alarm.bell }

// Ring ends the sleep of who calls Maintain, for other work than the store's own.
func (s *Store) Ring() { s.alarm.ring() }

// Rest returns for how long who calls Maintain may sleep until something expires or a lease ends, usual if nothing
// does before. It locks one shard after the other.
func (s *Store) Rest(now time.Time, usual time.Duration) time.Duration {
	active := s.activeExpire.Load()
	// It is set before the tables are looked at, so that what comes behind the look rings.
	until := tickAt(now.Add(usual).UnixMilli()) | 1 // not 0
	s.alarm.at.Store(until)
	first := until
	s.survey(false, func(sh *shard) {
		for _, t := range sh.dbs {
			if active && t != nil && t.due != 0 && before(t.due, first) {
				first = t.due
			}
		}
		if due, ok := sh.leases.dueTick(now.UnixMilli()); ok && before(due, first) {
			first = due
		}
	}, func(*occupation) {})
	if first == until || !s.alarm.at.CompareAndSwap(until, first) {
		return usual
	}
	at := now.UnixMilli() >> tickShift
	at += int64(int32(first - uint32(at)))
	return min(max(0, time.UnixMilli(at<<tickShift).Sub(now)), usual)
}
