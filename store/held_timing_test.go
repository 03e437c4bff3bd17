package store

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is what the calling goroutine has used of a processor while it is locked to its thread. Time in
// which the thread does not run, since others do, is not in it; time that a hypervisor takes away is.
func threadTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// holds are processor times for which locks were held.
type holds struct {
	b                 *testing.B
	command           []time.Duration // of what a client waits for
	units, idle       []time.Duration // of the background work, and of counting, one after each
	counted, untilNow int
}

// time adds what f holds a lock for.
func (h *holds) time(to *[]time.Duration, f func()) {
	began := threadTime(h.b)
	f()
	*to = append(*to, threadTime(h.b)-began)
}

// unit is time for a unit of the background work. Behind it there is as much counting as takes some 50 us:
// what is longer than usual there is the machine's.
func (h *holds) unit(f func()) {
	h.time(&h.units, f)
	h.time(&h.idle, func() {
		for range 100_000 {
			h.counted += h.untilNow ^ h.counted
			h.untilNow++
		}
	})
}

func (h *holds) report() {
	report := func(what string, took []time.Duration) {
		if len(took) == 0 {
			return
		}
		slices.Sort(took)
		n := len(took)
		for _, q := range []struct {
			name string
			at   int
		}{{"median", n / 2}, {"p99.9", n * 999 / 1000}, {"longest", n - 1}} {
			h.b.ReportMetric(float64(took[q.at].Nanoseconds())/1000, what+"-"+q.name+"-us")
		}
	}
	report("command", h.command)
	report("unit", h.units)
	report("counting", h.idle)
	h.b.ReportMetric(float64(len(h.units))/float64(h.b.N), "units/op")
	h.b.ReportMetric(0, "ns/op")
}

// BenchmarkHolds is for how long locks are held, in processor time, by what is done to ten million keys of
// which each has a tag of five million, one of twenty thousand, and one of ten. What a command does under all
// locks is one hold. A unit of the background work holds a lock for no longer than it takes.
func BenchmarkHolds(b *testing.B) {
	const keys = 10_000_000
	flush := func(s *Store, v *View, h *holds) { h.time(&h.command, func() { s.FlushLocked(0, v.Now) }) }
	for _, of := range []struct {
		name string
		do   func(s *Store, v *View, h *holds)
	}{
		{"invalidate", func(s *Store, v *View, h *holds) {
			h.time(&h.command, func() { v.Invalidate([]byte("half:1"), false) })
		}},
		{"flush", flush},
		{"flush beside another database", func(s *Store, v *View, h *holds) { // which keeps all from going at once
			other := &View{Store: s, Now: v.Now, DB: 1}
			for i := range uint64(1000) {
				other.SetString(s.Key(benchKey(i)), []byte("x"), 0)
			}
			flush(s, v, h)
		}},
		{"purge", func(s *Store, v *View, h *holds) { // as engine/purge.go does it
			prefix := func(_ *Entry, name []byte) bool { return string(name[:4]) == "key:" }
			for cursor, done := uint64(0), false; !done; {
				h.unit(func() {
					d := v.DeleteScanned(cursor, 512, 64, prefix)
					cursor, done = d.Next, d.Next == 0
				})
			}
		}},
	} {
		b.Run(of.name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			h := &holds{b: b}
			for b.Loop() {
				s, err := Open(Options{})
				if err != nil {
					b.Fatal(err)
				}
				s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: 1, Most: 100})
				s.Listen(ClassInvalidated|ClassGeneric, func(int, []byte, Event) {})
				v := &View{Store: s, Now: 1_700_000_000_000}
				fillTagged(s, v, keys)
				workOff(b, s, v.Now, func(f func()) { f() })
				of.do(s, v, h)
				workOff(b, s, v.Now, h.unit)
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			h.report()
		})
	}
}

// fillTagged sets keys with three tags each.
func fillTagged(s *Store, v *View, keys uint64) {
	rng := rand.New(rand.NewPCG(1, 1))
	value := make([]byte, 64)
	x := &Extras{Tags: make([][]byte, 3)}
	for i := range keys {
		x.Tags[0] = fmt.Appendf(x.Tags[0][:0], "half:%d", rng.IntN(2))
		x.Tags[1] = fmt.Appendf(x.Tags[1][:0], "brand:%d", i%500)
		x.Tags[2] = fmt.Appendf(x.Tags[2][:0], "product:%d", i/10)
		v.SetStringWith(s.Key(benchKey(i)), value, 0, x)
	}
}

// workOff does all units of the maintenance.
func workOff(b *testing.B, s *Store, now int64, unit func(f func())) {
	for more := true; more; {
		var err error
		unit(func() { more, err = s.Maintain(now) })
		if err != nil {
			b.Fatal(err)
		}
	}
}
