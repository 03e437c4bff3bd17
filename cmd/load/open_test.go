package load

import (
	"errors"
	"io"
	"math"
	"net"
	"testing"
	"time"
)

// fakeLinks are connections to a server in a time of their own, which goes on by a step at each poll.
// The server answers each PING after delay, and nothing while it stands still.
type fakeLinks struct {
	now, step time.Duration
	delay     func(now time.Duration) time.Duration // negative: never
	sent      [][]time.Duration                     // per link, when the replies are due
	fail      error
	writes    int // so many, and then they fail, though replies are there; 0: without end
}

func (f *fakeLinks) clock() time.Duration { return f.now }

func (f *fakeLinks) add(net.Conn) (int, error) {
	f.sent = append(f.sent, nil)
	return len(f.sent) - 1, nil
}

func (f *fakeLinks) poll() error {
	f.now += f.step
	return f.fail
}

func (f *fakeLinks) ready(i int) bool { return len(f.sent[i]) > 0 && f.sent[i][0] <= f.now }

// read gives one reply at a time.
func (f *fakeLinks) read(i int, b []byte) (n int, more bool, err error) {
	if !f.ready(i) {
		return 0, false, nil
	}
	f.sent[i] = f.sent[i][1:]
	return copy(b, "+OK\r\n"), true, nil
}

func (f *fakeLinks) write(i int, b []byte) (int, error) {
	if f.writes--; f.writes == 0 {
		return 0, io.ErrClosedPipe
	}
	const request = len("*1\r\n$4\r\nPING\r\n")
	for range len(b) / request {
		d := f.delay(f.now)
		at := f.now + d
		if d < 0 {
			at = math.MaxInt64
		}
		if n := len(f.sent[i]); n > 0 {
			at = max(at, f.sent[i][n-1]) // replies keep their order
		}
		f.sent[i] = append(f.sent[i], at)
	}
	return len(b), nil
}

func (f *fakeLinks) close() {}

func never(time.Duration) bool { return false }

// offered runs an open loop over so many connections for a time.
func offered(t *testing.T, f *fakeLinks, rate float64, conns int, length time.Duration) (*Open, *recorder, error) {
	t.Helper()
	o := &Open{links: f, clock: f.clock, Drain: 3 * time.Second}
	flow := o.Flow(rate)
	var all *recorder
	for range conns {
		s := scripted(t)
		if all == nil {
			all = s.recorder
		}
		s.recorder = all
		if err := o.Connect(flow, nil, s); err != nil {
			t.Fatal(err)
		}
	}
	err := o.Run(length, never)
	for _, c := range o.conns {
		c.stream.(*stream).flush()
	}
	return o, all, err
}

func TestOpenKnownDelay(t *testing.T) {
	f := &fakeLinks{step: 100 * time.Microsecond,
		delay: func(time.Duration) time.Duration { return 5 * time.Millisecond }}
	o, r, err := offered(t, f, 1000, 4, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Kept{Sent: 10_000}); o.Kept != want {
		t.Errorf("%+v, want %+v", o.Kept, want)
	}
	if l := latencyOf(r.kinds[0].latency); r.kinds[0].requests != 10_000 || !near(l.P50, 5000) || !near(l.Max, 5000) {
		t.Errorf("%d requests, %+v", r.kinds[0].requests, l)
	}
}

// TestOpenStall: the server answers at once, but for the second from 4 to 5. A tenth of the requests
// falls into it, and they wait from the moment they were due: half a second on average, evenly from 0
// to 1 s. A client that waits would have seen one slow request.
func TestOpenStall(t *testing.T) {
	f := &fakeLinks{step: 100 * time.Microsecond, delay: func(now time.Duration) time.Duration {
		if now >= 4*time.Second && now < 5*time.Second {
			return 5*time.Second - now
		}
		return 0
	}}
	o, r, err := offered(t, f, 1000, 4, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := latencyOf(r.kinds[0].latency)
	if o.Kept.Sent != 10_000 || o.Kept.Late != 0 || l.P50 > 200 {
		t.Errorf("%+v, %+v", o.Kept, l)
	}
	for _, row := range []struct{ got, wantMS float64 }{{l.P95, 500}, {l.P99, 900}, {l.P999, 990}, {l.Max, 1000},
		{l.Mean, 50}} {
		if row.got < row.wantMS*1000*0.99 || row.got > row.wantMS*1000*1.01 {
			t.Errorf("%v us, want about %v ms (%+v)", row.got, row.wantMS, l)
		}
	}
}

// TestOpenGeneratorStalls: that this program stood still shows as well, and is counted.
func TestOpenGeneratorStalls(t *testing.T) {
	f := &fakeLinks{step: 100 * time.Microsecond, delay: func(time.Duration) time.Duration { return 0 }}
	stalled := false
	o := &Open{links: f, clock: func() time.Duration {
		if f.now >= 2*time.Second && !stalled {
			stalled = true
			f.now += 500 * time.Millisecond
		}
		return f.now
	}, Drain: time.Second}
	s := scripted(t)
	if err := o.Connect(o.Flow(1000), nil, s); err != nil {
		t.Fatal(err)
	}
	if err := o.Run(5*time.Second, never); err != nil {
		t.Fatal(err)
	}
	s.flush()
	l := latencyOf(s.recorder.kinds[0].latency)
	// Due in the half second, but for the last millisecond: those that were less late than that.
	if o.Kept.Sent != 5000 || o.Kept.Late < 495 || o.Kept.Late > 500 || l.Max < 495_000 || l.Max > 505_000 {
		t.Errorf("%+v, longest %v us", o.Kept, l.Max)
	}
}

// TestOpenFull: a server that says nothing after a second gets no more than its connections hold.
func TestOpenFull(t *testing.T) {
	const rate, conns = 100_000, 2
	f := &fakeLinks{step: time.Millisecond, delay: func(now time.Duration) time.Duration {
		if now < time.Second {
			return 0
		}
		return -1
	}}
	o, r, err := offered(t, f, rate, conns, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	answered := r.kinds[0].requests
	k := o.Kept
	if k.Sent+k.Unsent != 3*rate || k.Sent != answered+conns*MostInFlight || k.Unanswered != conns*MostInFlight ||
		answered < rate-1000 || answered > rate {
		t.Errorf("%+v and %d answered", k, answered)
	}
}

// TestOpenSlow: what was due before the end is sent after it, if it can be, late.
func TestOpenSlow(t *testing.T) {
	f := &fakeLinks{step: time.Millisecond,
		delay: func(now time.Duration) time.Duration { return max(0, 2500*time.Millisecond-now) }}
	o, r, err := offered(t, f, 50_000, 1, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if k := o.Kept; k.Sent != 100_000 || k.Unsent != 0 || k.Unanswered != 0 || r.kinds[0].requests != 100_000 ||
		k.Late < 100_000-MostInFlight-1000 {
		t.Errorf("%+v, %d answered", k, r.kinds[0].requests)
	}
	if l := latencyOf(r.kinds[0].latency); l.Max < 2.49e6 || l.Max > 2.51e6 {
		t.Errorf("the longest took %v us", l.Max)
	}
}

func TestOpenBroken(t *testing.T) {
	lost := errors.New("lost")
	f := &fakeLinks{step: time.Millisecond, fail: lost, delay: func(time.Duration) time.Duration { return 0 }}
	if o, _, err := offered(t, f, 1000, 1, time.Second); !errors.Is(err, lost) || o.Kept.Unanswered != 1 {
		t.Errorf("%v, %+v", err, o.Kept)
	}
}

// TestOpenLost: replies that have come count, though a write has failed before they were looked at.
func TestOpenLost(t *testing.T) {
	f := &fakeLinks{step: 100 * time.Millisecond, writes: 951, delay: func(time.Duration) time.Duration { return 0 }}
	o, r, err := offered(t, f, 1000, 1, 2*time.Second)
	if !errors.Is(err, io.ErrClosedPipe) || r.kinds[0].requests != 950 || o.Kept.Unanswered != 1 {
		t.Errorf("%v: %d answered, %+v", err, r.kinds[0].requests, o.Kept)
	}
}
