package engine

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/server/stats"
)

// slowRows are rows SLOW ms [word [secret]] that take so long by the clock of a rig.
func slowRows(now *atomic.Int64) []Spec {
	take := func(c *Ctx) error {
		ms, _ := strconv.ParseInt(string(c.Args[1]), 10, 64)
		now.Add(ms)
		if ms > 0 && c.Kernel.ticks.now.Load() != 0 {
			c.Kernel.ticks.now.Add(1)
		}
		c.Out.OK()
		return nil
	}
	hide := func(_ [][]byte, i int) bool { return i == 3 }
	return []Spec{
		{Name: "slow", Arity: -2, Secret: hide, Handler: take},
		{Name: "slowfast", Arity: -2, Flags: Fast, Handler: take},
		{Name: "slowquiet", Arity: -2, Flags: SkipSlowlog, Handler: take},
	}
}

// logged empties the slow log of a rig and returns its commands, the first one first.
func (r *rig) logged() (list []string) {
	entries := r.kernel.Slow.Last(1000)
	r.kernel.Slow.Reset()
	for i := len(entries) - 1; i >= 0; i-- {
		list = append(list, strings.Join(entries[i].Args, " ")+" "+entries[i].Took.String())
	}
	return list
}

// TestSlowCommandOfAPipeline: the one slow command is found, and those around it are not, with ticks
// and without.
func TestSlowCommandOfAPipeline(t *testing.T) {
	for _, ticking := range []bool{false, true} {
		r := newRig(t)
		c := r.connect()
		if ticking {
			r.kernel.ticks.now.Store(1)
		}
		for _, pipeline := range []string{
			strings.Repeat("slow 0 light\n", 100) + "slow 12 heavy\n" + strings.Repeat("slow 0 light\n", 30),
			"slow 12 heavy\n", "slow 0\nget k\nslow 12 heavy\nget k\n",
			"slowquiet 12\nslowfast 12 heavy\nslowquiet 12\n",
			"multi\nslow 0\nslow 12 heavy\nslow 0\nexec\n",
			"slow 9 below\nslow 9 below\nslow 9 below\nslow 12 heavy\n",
		} {
			c.do(pipeline)
			if got := r.logged(); len(got) != 1 || !strings.HasSuffix(got[0], " 12 heavy 12ms") {
				t.Errorf("ticking %v, %.40q: %q", ticking, pipeline, got)
			}
		}
	}
}

// TestSlowLogOfScripts: a script is logged behind its commands, with all that it has taken.
func TestSlowLogOfScripts(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.do("script 1 k slow:8 get:k slow:11 slow:8")
	got := r.logged()
	if len(got) != 2 || got[0] != "slow 11 11ms" || !strings.HasPrefix(got[1], "script 1 k ") || !strings.HasSuffix(got[1], " 27ms") {
		t.Errorf("got %q", got)
	}
	for name, want := range map[string]stats.Row{"script": {Calls: 1, Time: 27 * time.Millisecond}, "slow": {Calls: 3, Time: 27 * time.Millisecond}, "get": {Calls: 1}} {
		if got := r.kernel.Stats.Row(r.kernel.Table.Lookup([]byte(name)).Index()); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	c.do("multi\nscript 1 k slow:11\nexec")
	if got := r.logged(); len(got) != 2 {
		t.Errorf("in a transaction: %q", got)
	}
}

// TestSlowLogParameters: the threshold, 0 for all and -1 for none, and what is hidden.
func TestSlowLogParameters(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	r.configure("slowlog-log-slower-than", "0")
	c.do("slow 0 word password\nget k\nget k\nnope\nget")
	if got := r.logged(); len(got) != 3 || got[0] != "slow 0 word (redacted) 0s" || got[1] != "get k 0s" {
		t.Errorf("with 0: %q", got)
	}
	for name, value := range map[string]string{"slowlog-log-slower-than": "-1", "slowlog-max-len": "0"} {
		r.configure("slowlog-log-slower-than", "0")
		r.configure(name, value)
		if c.do("slow 100"); r.kernel.Slow.Len() != 0 {
			t.Errorf("logged with %s %s", name, value)
		}
	}
}

// TestLatencyEvents: commands and turns of a loop count as events from the threshold on.
func TestLatencyEvents(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.do("slow 100")
	r.configure("latency-monitor-threshold", "10")
	c.do("slow 9")
	if got := r.kernel.Latency.Events(); len(got) != 0 {
		t.Fatalf("got %+v", got)
	}
	c.do("slow 11\nslowfast 12\nslowquiet 10")
	for _, e := range r.kernel.Latency.Events() {
		if want := map[string]int64{"command": 11, "fast-command": 12, "loop-stall": 33}[e.Name]; e.Worst != want {
			t.Errorf("%s: %d ms, want %d", e.Name, e.Worst, want)
		}
	}
	if n := r.kernel.Latency.ResetAll(); n != 3 {
		t.Errorf("%d events", n)
	}
}

// TestTicksFollowPipelines: the counter moves while a client pipelines, and stands still later.
func TestTicksFollowPipelines(t *testing.T) {
	r := newRig(t)
	k := r.kernel
	defer k.Close()
	k.ticks.able = true
	c := r.connect()
	if c.do("get k"); k.ticks.running.Load() {
		t.Fatal("ticks for a client that does not pipeline")
	}
	c.do("get k\nget k")
	until := func(what string, ok func() bool) {
		for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	until("no ticks", func() bool { return k.ticks.now.Load() > 3 })
	until("ticks for nobody", func() bool { return k.ticks.now.Load() == 0 && !k.ticks.running.Load() })
	c.do("get k\nget k")
	until("no ticks again", func() bool { return k.ticks.now.Load() > 3 })
}
