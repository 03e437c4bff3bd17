// Package limit decides whether something may pass now: the arithmetic of CL.THROTTLE and
// CL.WINDOW. It knows no key, keeps nothing, and takes the time from its caller.
package limit

import "math/bits"

// The generic cell rate algorithm, a leaky bucket that is stored as one time.
//
// The theoretical arrival time (TAT) of a key is when its bucket will be empty. A token that passes
// moves it, or the present if that is later, by the emission interval: the period divided by the
// count. It passes if the TAT then is no further ahead than the burst allows, which is burst + 1
// intervals (the tolerance). So the key holds a single integer, nothing runs in the background, and
// a key whose TAT has passed is the same as no key.
//
// Source: ITU-T I.371, annex A (the virtual scheduling algorithm), in the form of redis-cell's README
// (github.com/brandur/redis-cell), whose command, replies and stored value these are. All is
// integers, in nanoseconds; the interval is cut to whole ones, as there and in Dragonfly, so that
// for counts that do not divide the period the rate is too high by at most one part in the interval.
// Replies in seconds are rounded up, lest who comes back then be too early; redis-cell adds a second
// to whole ones as well.

const ( // in nanoseconds
	second      = 1_000_000_000
	millisecond = 1_000_000
)

// Rate is how many tokens may pass: a burst, and then one per emission interval.
type Rate struct {
	limit     int64 // tokens, burst + 1
	emission  int64 // ns per token, at least 1
	tolerance int64 // ns, limit x emission
}

// Fault is what is wrong with a rate.
type Fault uint8

const (
	Fine     Fault = iota
	TooFast        // less than a nanosecond per token
	TooLarge       // the tolerance reaches beyond what a time can say
)

// NewRate makes a rate of 0 <= burst, 1 <= count tokens per 1 <= period, in seconds. now is in unix
// nanoseconds, as for Throttle: a TAT of later than int64 can say is a fault.
func NewRate(burst, count, period, now int64) (Rate, Fault) {
	hi, lo := bits.Mul64(uint64(period), second)
	if hi >= uint64(count) {
		return Rate{}, TooLarge
	}
	emission, _ := bits.Div64(hi, lo, uint64(count))
	if emission == 0 {
		return Rate{}, TooFast
	}
	limit := uint64(burst) + 1
	hi, tolerance := bits.Mul64(emission, limit)
	if hi != 0 || tolerance > uint64(lastTime-now) {
		return Rate{}, TooLarge
	}
	return Rate{int64(limit), int64(emission), int64(tolerance)}, Fine
}

// lastTime is the latest time there is, in any unit.
const lastTime = 1<<63 - 1

// Verdict is the answer to somebody who wants to pass.
type Verdict struct {
	Limited    bool
	Limit      int64 // tokens that can pass at once if none has before
	Remaining  int64 // tokens that can pass now
	RetryAfter int64 // until as much as was asked for can pass; -1: it has passed, or never can
	ResetAfter int64 // until it is as if nothing had ever passed
}

// Throttle lets quantity tokens pass at the time now, 0 <= now, or none of them. tat is that of the
// key, of which any value is legal, 0 if there is none; the new one is returned, the old one if
// nothing has passed. With a quantity of 0 it tells how things stand. Times are in nanoseconds.
func (r Rate) Throttle(tat, now, quantity int64) (int64, Verdict) {
	v := Verdict{Limited: true, Limit: r.limit, RetryAfter: -1}
	base := max(tat, now)
	// No sum overflows: now + tolerance is a time (NewRate), and base is no less than now.
	room := now + r.tolerance - base
	if quantity <= r.limit {
		increment := quantity * r.emission
		if increment <= room {
			v.Limited = false
			base += increment
			room -= increment
		} else {
			v.RetryAfter = increment - room
		}
	}
	v.Remaining = max(0, room/r.emission)
	v.ResetAfter = base - now
	if v.Limited || quantity == 0 {
		return tat, v
	}
	return base, v
}

// Seconds rounds nanoseconds up; what is negative stays.
func Seconds(ns int64) int64 { return ceil(ns, second) }

// Millis rounds nanoseconds up.
func Millis(ns int64) int64 { return ceil(ns, millisecond) }

func ceil(ns, unit int64) int64 {
	switch {
	case ns < 0:
		return ns
	case ns%unit == 0:
		return ns / unit
	}
	return ns/unit + 1
}
