package stats

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestCommandsSumOverSlots(t *testing.T) {
	c := NewCommands(3)
	var wg sync.WaitGroup
	for s := range Slots {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				c.Add(s, 1, 2, time.Microsecond)
				c.Rejected(s, 2)
				c.Failed(s, 1, 1)
				c.Lookups(s, 1, 3)
			}
		}()
	}
	wg.Wait()
	want := Row{Calls: 200 * Slots, Time: 100 * Slots * time.Microsecond, Failed: 100 * Slots}
	if got := c.Row(1); got != want {
		t.Errorf("row 1: got %+v, want %+v", got, want)
	}
	if got := c.Row(2); got.Rejected != 100*Slots || got.Calls != 0 {
		t.Errorf("row 2: got %+v", got)
	}
	if hits, misses := c.Keyspace(); hits != 100*Slots || misses != 300*Slots {
		t.Errorf("keyspace: got %d hits, %d misses", hits, misses)
	}
	c.Reset()
	if c.Total() != 0 {
		t.Errorf("total after Reset: %d", c.Total())
	}
}

func TestErrorsAreBounded(t *testing.T) {
	var e Errors
	for i := range 10 * maxErrorCodes {
		e.Add("CODE" + strconv.Itoa(i))
	}
	if n := len(e.Codes()); n != maxErrorCodes {
		t.Errorf("%d codes kept, want %d", n, maxErrorCodes)
	}
	if e.Total() != 10*maxErrorCodes {
		t.Errorf("total %d", e.Total())
	}
}

func TestRateAverages(t *testing.T) {
	var r Rate
	now := time.Unix(1000, 0)
	for i := range rateSamples + 1 {
		r.Sample(now.Add(time.Duration(i)*100*time.Millisecond), int64(i)*50)
	}
	if got := r.PerSecond(); got != 500 {
		t.Errorf("got %d per second, want 500", got)
	}
}
