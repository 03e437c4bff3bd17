package warm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
)

func TestOnlyMissingOverwritesNothing(t *testing.T) {
	const in = `{"key":"s","value":"new"}
{"key":"l","type":"list","value":["new"]}
{"key":"h","type":"hash","value":{"f":"new"}}
{"key":"s2","value":"new"}
{"key":"l2","type":"list","value":["new"]}
`
	eachKind(t, func(t *testing.T, s *harness.Server) {
		c := s.Dial(t)
		c.MustOK("SET", "s", "old", "EX", "1000")
		c.MustOK("SET", "l", "of another type")
		c.Do("HSET", "h", "g", "old")
		o := options(s.Addr, file(t, "x.ndjson", in))
		o.OnlyMissing = true
		if r := mustWarm(t, o); r.Stored != 2 || r.Existing != 3 {
			t.Errorf("%+v", r.Counts)
		}
		for want, args := range map[string][]string{
			"old": {"GET", "s"}, "of another type": {"GET", "l"}, "1": {"HLEN", "h"}, "new": {"GET", "s2"},
			"list": {"TYPE", "l2"},
		} {
			if got := c.Do(args...).Text; got != want {
				t.Errorf("%v: %s, want %s", args, got, want)
			}
		}
		o.OnlyMissing = false
		mustWarm(t, o)
		if got := c.Do("LRANGE", "l", "0", "-1").Strings(); len(got) != 1 || got[0] != "new" {
			t.Errorf("l is %v", got)
		}
	})
}

// TestTheLastOfAKeyWins: also with many connections.
func TestTheLastOfAKeyWins(t *testing.T) {
	var in strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&in, "k%d,%d\n", i%50, i)
	}
	s := harness.Start(t)
	o := options(s.Addr, file(t, "x.csv", in.String()))
	o.Concurrency = 8
	mustWarm(t, o)
	for i := range 50 {
		if got, want := s.Dial(t).Do("GET", fmt.Sprintf("k%d", i)).Text, fmt.Sprint(4_950+i); got != want {
			t.Errorf("k%d is %s, want %s", i, got, want)
		}
	}
}

func TestTimesToLiveAndPrefix(t *testing.T) {
	var in strings.Builder
	for i := range 200 {
		fmt.Fprintf(&in, `{"key":"a%d","type":"set","value":[1]}`+"\n"+`{"key":"b%d","value":1,"ttl_ms":50000000}`+"\n", i, i)
	}
	eachKind(t, func(t *testing.T, s *harness.Server) {
		o := options(s.Addr, "-")
		o.Stdin, o.Format = strings.NewReader(in.String()), warm.NDJSON
		o.TTL, o.Jitter, o.Prefix = 10_000*time.Second, 0.5, "v2:"
		mustWarm(t, o)
		c := s.Dial(t)
		for prefix, most := range map[string]int64{"v2:a": 10_000_000, "v2:b": 50_000_000} {
			distinct := map[int64]bool{}
			for i := range 200 {
				ttl, _ := c.Do("PTTL", fmt.Sprintf("%s%d", prefix, i)).Int()
				if ttl > most || ttl < most/2-15_000 {
					t.Errorf("%s%d has %d ms left", prefix, i, ttl)
				}
				distinct[ttl/1000] = true
			}
			if len(distinct) < 100 {
				t.Errorf("%s: only %d different times", prefix, len(distinct))
			}
		}
	})
}

// TestRate: never faster than asked for. Slower it may be.
func TestRate(t *testing.T) {
	s := harness.Start(t)
	o := options(s.Addr, file(t, "x.csv", strings.Repeat("k,v\n", 300)))
	o.Rate = 1000
	if r := mustWarm(t, o); r.Took < 200*time.Millisecond {
		t.Errorf("300 keys at 1000 per second took %v", r.Took)
	}
}

func TestWhatAFormatCannotDoIsRefused(t *testing.T) {
	commands, snapshot := file(t, "x.resp", ""), file(t, "x.rdb", "")
	for want, change := range map[string]func(o *warm.Options){
		"sent as it is":          func(o *warm.Options) { o.From, o.OnlyMissing = commands, true },
		"--db is for the other":  func(o *warm.Options) { o.From, o.Target.DB = snapshot, 2 },
		"cannot be read again":   func(o *warm.Options) { o.From, o.State, o.Stdin = "-", "state", strings.NewReader("") },
		"no such file":           func(o *warm.Options) { o.From = commands + ".not" },
		"is a folder":            func(o *warm.Options) { o.From = t.TempDir() },
		"not in the file":        func(o *warm.Options) { o.From, o.Offset = commands, 9 },
		"say which by --format":  func(o *warm.Options) { o.From = file(t, "x", "text") },
		"none of the formats":    func(o *warm.Options) { o.From, o.Format = commands, "xml" },
		"one of them is enough":  func(o *warm.Options) { o.From, o.Target.URL = commands, "redis://h" },
		"unexpected end of file": func(o *warm.Options) { o.From = snapshot },
	} {
		o := options("127.0.0.1:1", "")
		o.Wait = 0
		change(&o)
		if _, err := warm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
