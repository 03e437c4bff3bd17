package limit

import (
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// hitLog is all hits that have passed, one by one: what decides exactly.
type hitLog struct {
	at, count []int64
}

// within is the number of hits later than a time.
func (l *hitLog) within(since int64) (n int64) {
	for i := len(l.at) - 1; i >= 0; i-- {
		if l.at[i] > since {
			n += l.count[i]
		}
	}
	return n
}

func (l *hitLog) add(at, count int64) {
	l.at, l.count = append(l.at, at), append(l.count, count)
	if len(l.at) > 5000 { // what is older cannot matter
		l.at, l.count = l.at[2500:], l.count[2500:]
	}
}

// traffic draws times that come evenly, in bursts or after a long rest.
type traffic struct {
	*rand.Rand
	gap int64
}

func (f *traffic) next(window int64) int64 {
	switch f.IntN(100) {
	case 0:
		return f.Int64N(2*window + 1)
	case 1:
		f.gap = 1 + f.Int64N(max(1, window/(1+f.Int64N(200))))
	}
	return f.Int64N(f.gap + 1)
}

// through is one more step of a key's life: the state is written and read back as the store does.
func through(t *testing.T, state []byte, limit, window, now, quantity int64) ([]byte, Verdict) {
	t.Helper()
	var w Window
	if len(state) > 0 && !w.Parse(state) {
		t.Fatalf("cannot read what was written: %x", state)
	}
	v := w.Take(limit, window, now, quantity)
	if v.Limited || quantity == 0 {
		return state, v
	}
	return w.Append(nil), v
}

// TestWindowIsExact: for limits up to Entries a window decides like the log of all hits.
func TestWindowIsExact(t *testing.T) {
	rng := randtest.New(t)
	for range 40 {
		limit, window := 1+rng.Int64N(Entries), 1+rng.Int64N(1<<rng.IntN(40))
		f, log, now := traffic{rng, window / limit}, hitLog{}, int64(1_700_000_000_000)
		var state []byte
		for range 2000 {
			quantity := drawQuantity(rng, limit-1)
			used := log.within(now - window)
			var v Verdict
			state, v = through(t, state, limit, window, now, quantity)
			if want := quantity > limit-used; v.Limited != want {
				t.Fatalf("limit %d in %d ms, %d used: %d more gave %+v", limit, window, used, quantity, v)
			}
			if !v.Limited && quantity > 0 {
				log.add(now, quantity)
				used += quantity
			}
			if v.Remaining != limit-used || v.Limit != limit {
				t.Fatalf("limit %d, %d used: %+v", limit, used, v)
			}
			checkWindowRetry(t, state, limit, window, now, quantity, v)
			now += f.next(window)
		}
	}
}

// checkWindowRetry: who comes back when he was told to passes, and not a millisecond earlier; and
// nothing is known any more after the time to reset.
func checkWindowRetry(t *testing.T, state []byte, limit, window, now, quantity int64, v Verdict) {
	t.Helper()
	if v.RetryAfter >= 0 != (v.Limited && quantity <= limit) {
		t.Fatalf("%d of %d: %+v", quantity, limit, v)
	}
	if v.RetryAfter >= 0 {
		if _, v := through(t, state, limit, window, now+v.RetryAfter, quantity); v.Limited {
			t.Fatal("refused at the time that was told")
		}
		if _, v := through(t, state, limit, window, now+v.RetryAfter-1, quantity); !v.Limited {
			t.Fatal("told to come later than need be")
		}
	}
	if _, w := through(t, state, limit, window, now+v.ResetAfter, 0); w.Remaining != limit {
		t.Fatalf("%+v, and after that time %+v", v, w)
	}
	if v.ResetAfter > 0 {
		if _, w := through(t, state, limit, window, now+v.ResetAfter-1, 0); w.Remaining == limit {
			t.Fatalf("%+v, and before that time %+v", v, w)
		}
	}
}

// TestWindowBounds: for any limit no more pass within a window than may; who is refused would be by
// the log of a window that is a 62nd longer; and the state keeps to its size.
func TestWindowBounds(t *testing.T) {
	rng := randtest.New(t)
	longest, refused, merged := 0, 0, 0
	for range 40 {
		limit, window := 1+rng.Int64N(1<<rng.IntN(14)), 1+rng.Int64N(1<<rng.IntN(27)) // 16,384 hits, 37 hours
		f, log, now := traffic{rng, max(1, window/limit)}, hitLog{}, int64(1_700_000_000_000)
		slack := (window + parcels - 1) / parcels
		var state []byte
		for range 4000 {
			quantity := drawQuantity(rng, min(limit-1, 4))
			used := log.within(now - window)
			var v Verdict
			state, v = through(t, state, limit, window, now, quantity)
			switch {
			case quantity > limit-used && !v.Limited:
				t.Fatalf("limit %d in %d ms: %d passed while there were %d", limit, window, quantity, used)
			case v.Limited && quantity <= limit-log.within(now-window-slack+1):
				t.Fatalf("limit %d in %d ms: %d refused, and only %d were there in a window of 1/%d more", limit, window, quantity, used, parcels)
			case v.Limited:
				refused++
			case quantity > 0:
				log.add(now, quantity)
			}
			if used > Entries {
				merged++
			}
			checkWindowRetry(t, state, limit, window, now, quantity, v)
			longest = max(longest, len(state))
			now += f.next(window)
		}
	}
	t.Logf("at most %d bytes", longest)
	if longest > 450 || longest < 100 || refused == 0 || merged == 0 {
		t.Errorf("at most %d bytes, %d refused, %d with more than %d hits", longest, refused, merged, Entries)
	}
}

// TestWindowIsSmall: the size that README tells.
func TestWindowIsSmall(t *testing.T) {
	const limit, window = 1000, 3_600_000
	rng := randtest.New(t)
	var state []byte
	longest, now := 0, int64(1_700_000_000_000)
	for range 20_000 {
		state, _ = through(t, state, limit, window, now, 1)
		longest = max(longest, len(state))
		now += rng.Int64N(2 * window / limit)
	}
	t.Logf("at most %d bytes", longest)
	if longest > 270 {
		t.Errorf("a thousand hits in an hour take %d bytes", longest)
	}
}

// TestWindowOfAnyClock: a clock that is set back, windows and limits that change, and absurd numbers.
func TestWindowOfAnyClock(t *testing.T) {
	rng := randtest.New(t)
	var state []byte
	for range 50_000 {
		limit, window := 1+rng.Int64()>>rng.IntN(63), 1+rng.Int64N(MaxWindow)>>rng.IntN(60)
		now := 1 + rng.Int64N(MaxWindow)>>rng.IntN(60)
		var v Verdict
		state, v = through(t, state, limit, window, now, rng.Int64()>>rng.IntN(63))
		if v.Remaining < 0 || v.Remaining > limit || v.ResetAfter < 0 || v.RetryAfter < -1 || len(state) > MaxState {
			t.Fatalf("limit %d in %d ms at %d: %+v, %d bytes", limit, window, now, v, len(state))
		}
		if rng.IntN(1000) == 0 {
			state = nil
		}
	}
}

func TestWindowRefusesOtherStrings(t *testing.T) {
	var w Window
	if w.Parse(nil) || w.Parse([]byte("")) || w.Parse([]byte("5")) || w.Parse([]byte(mark)) {
		t.Error("took something else for a window")
	}
	good := (&Window{n: 2, entries: [Entries]entry{{1_700_000_000_000, 3}, {1_700_000_000_500, 300}}}).Append(nil)
	if !w.Parse(good) || w.total() != 303 || w.Last() != 1_700_000_000_500 {
		t.Errorf("%x read as %v", good, w)
	}
	for n := range good {
		if whole := w.Parse(good[:n]); whole && n != 9 { // nine bytes are the first entry
			t.Errorf("took %d bytes of %d for a window", n, len(good))
		}
	}
	for _, bad := range []string{"\x00\x01", "\x01\x00", "\x01\x01\x00\x01", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if w.Parse([]byte(mark + bad)) {
			t.Errorf("took %q for a window", bad)
		}
	}
	many := []byte(mark)
	for range Entries + 1 {
		many = append(many, 1, 1)
	}
	if !w.Parse(many[:len(many)-2]) || w.Parse(many) {
		t.Error("the number of entries is not bounded")
	}
}

func FuzzWindow(f *testing.F) {
	f.Add([]byte("w\x01\x80\xa0\x81\xf6\xbd\x31\x03"), int64(10), int64(1000), int64(1_700_000_000_000), int64(1))
	f.Fuzz(func(t *testing.T, state []byte, limit, window, now, quantity int64) {
		var w Window
		if !w.Parse(state) || limit < 1 || window < 1 || window > MaxWindow || now < 1 || now > MaxWindow || quantity < 0 {
			return
		}
		w.Take(limit, window, now, quantity)
		if b := w.Append(nil); w.n > 0 && (len(b) > MaxState || !w.Parse(b)) {
			t.Errorf("%x became %x", state, b)
		}
	})
}
