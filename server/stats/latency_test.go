package stats

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A bucket holds what it says, and is no wider than a 128th.
func TestBucketsAreNarrow(t *testing.T) {
	last := int64(-1)
	for o := range octaves {
		for i := range 1 << digits {
			h := highest(o, i)
			if o2, i2 := bucket(time.Duration(h)); h > 0 && h <= int64(longest) && (o2 != o || i2 != i) {
				t.Fatalf("%d ns is in bucket %d of %d, not %d of %d", h, i2, o2, i, o)
			}
			if h <= last || h-last > max(1, h/128) {
				t.Fatalf("a bucket from %d to %d ns", last+1, h)
			}
			last = h
		}
	}
}

func TestPercentiles(t *testing.T) {
	c := NewCommands(1)
	c.Tracking.Store(true)
	for us := range 1000 {
		c.Add(us%Slots, 0, 1, time.Duration(us+1)*time.Microsecond)
	}
	c.Add(0, 0, 1000, 3*time.Second) // each 3 ms
	l := c.Latencies(0)
	if l.Calls != 2000 {
		t.Fatalf("%d calls", l.Calls)
	}
	for percent, want := range map[float64]time.Duration{0: 1, 25: 500, 50: 1000, 75: 3000, 100: 3000} {
		want *= time.Microsecond
		if got := l.Percentile(percent); got < want || got > want+want/100 {
			t.Errorf("%v %%: %v, want %v", percent, got, want)
		}
	}
	c.Tracking.Store(false)
	c.Add(0, 0, 1, time.Second)
	if l := c.Latencies(0); l.Calls != 2000 {
		t.Errorf("%d calls after tracking has ended", l.Calls)
	}
	c.Reset()
	if l := c.Latencies(0); l.Calls != 0 || l.Percentile(50) != 0 {
		t.Errorf("%d calls after Reset", l.Calls)
	}
}

// Steps are cumulative, and those of Redis: 1, 2, 4 ... 16, 33 ... 132 µs.
func TestSteps(t *testing.T) {
	c := NewCommands(1)
	c.Tracking.Store(true)
	for _, us := range []time.Duration{0, 1, 3, 20, 20, 100, 2_000_000} {
		c.Add(0, 0, 1, us*time.Microsecond)
	}
	l := c.Latencies(0)
	var got []int64
	l.Steps(func(bound time.Duration, calls int64) { got = append(got, bound.Microseconds(), calls) })
	if want := []int64{1, 2, 4, 3, 33, 5, 132, 6, 1082130, 7}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSlowLogKeepsTheLast(t *testing.T) {
	var l SlowLog
	for range 5 {
		l.Add(SlowCommand{}, 3)
	}
	if got := l.Last(2); l.Len() != 3 || len(got) != 2 || got[0].ID != 4 || got[1].ID != 3 {
		t.Errorf("%d entries, the last ones %v", l.Len(), got)
	}
	l.Add(SlowCommand{}, 1)
	if got := l.Last(9); len(got) != 1 || got[0].ID != 5 {
		t.Errorf("shorter: %v", got)
	}
	l.Reset()
	if l.Add(SlowCommand{}, 9); l.Last(1)[0].ID != 6 {
		t.Error("numbers begin anew")
	}
}

func TestShortenArgs(t *testing.T) {
	args := [][]byte{[]byte("a"), []byte("secret"), []byte(strings.Repeat("x", 129)), []byte(strings.Repeat("y", 128))}
	got := ShortenArgs(args, func(i int) bool { return i == 1 })
	want := []string{"a", "(redacted)", strings.Repeat("x", 128) + "... (1 more bytes)", strings.Repeat("y", 128)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for n, last := range map[int]string{32: "z", 33: "... (2 more arguments)", 100: "... (69 more arguments)"} {
		many := slices.Repeat([][]byte{[]byte("z")}, n)
		if got := ShortenArgs(many, nil); len(got) != 32 || got[31] != last {
			t.Errorf("%d arguments: %q", n, got[31])
		}
	}
}

func TestLatencyKeepsTheWorstOfASecond(t *testing.T) {
	now := time.Unix(1000, 0)
	l := NewLatency(func() time.Time { return now })
	l.Add("a", time.Second)
	if len(l.Events()) != 0 {
		t.Fatal("noted with a threshold of 0")
	}
	l.SetThreshold(10)
	for _, ms := range []time.Duration{9, 20, 30, 15} {
		l.Add("a", ms*time.Millisecond)
	}
	now = now.Add(4 * time.Second)
	l.Add("a", 10*time.Millisecond)
	e, _ := l.Event("a")
	if want := []Sample{{1000, 30}, {1004, 10}}; !slices.Equal(e.Samples, want) || e.Worst != 30 {
		t.Errorf("%v, worst %d", e.Samples, e.Worst)
	}
	if got, want := e.Summarize(now), (Summary{Min: 10, Max: 30, Mean: 20, MAD: 10, Samples: 2, Period: 2}); got != want {
		t.Errorf("got %+v", got)
	}
	for i := range 1000 {
		now = now.Add(time.Duration(1+i%3) * time.Second)
		l.Add("a", time.Duration(10+i%5)*time.Millisecond)
	}
	if e, _ = l.Event("a"); len(e.Samples) != latencySamples || e.Last().Time != now.Unix() || e.Worst != 30 {
		t.Errorf("%d samples, worst %d", len(e.Samples), e.Worst)
	}
	if !l.Reset("a") || l.Reset("a") || l.ResetAll() != 0 {
		t.Error("Reset")
	}
}

// Watch notes what takes long, returns what it returns, and looks at no clock for nothing.
func TestWatch(t *testing.T) {
	now, looks := time.Unix(1000, 0), 0
	l := NewLatency(func() time.Time { looks++; return now })
	slow := func() error { now = now.Add(20 * time.Millisecond); return io.EOF }
	if err := l.Watch("a", slow); err != io.EOF || looks > 0 {
		t.Errorf("%v, %d looks at the clock", err, looks)
	}
	l.SetThreshold(10)
	err := l.Watch("a", slow)
	if e, ok := l.Event("a"); err != io.EOF || !ok || e.Worst != 20 {
		t.Errorf("%v, %+v", err, e)
	}
}

// TestCountingWhileReset: CONFIG RESETSTAT takes histograms away from loops that count.
func TestCountingWhileReset(t *testing.T) {
	c := NewCommands(1)
	c.Tracking.Store(true)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20_000 {
				c.Add(0, 0, 1, time.Microsecond)
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 20_000 {
				c.Reset()
			}
		})
	}
	wg.Wait()
}
