package advise

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/eviction"
)

func newWatcher(l limits) *watcher {
	return &watcher{trace: newTrace(l), db: "0", start: 1_000_000_000_000_000, commands: commandTable{
		"get": {name: "get", kind: read, first: 1, last: 1, step: 1}, "mget": {name: "mget", kind: read, first: 1, last: -1, step: 1},
		"set": {name: "set", kind: write, first: 1, last: 1, step: 1}, "mset": {name: "mset", kind: write, first: 1, last: -1, step: 2},
		"setex": {name: "setex", kind: write, first: 1, last: 1, step: 1}, "del": {name: "del", kind: remove, first: 1, last: -1, step: 1},
	}}
}

func (w *watcher) see(lines ...string) {
	for i, line := range lines {
		text := fmt.Sprintf("+%d.%06d [0 127.0.0.1:50000] %s\r\n", 1_000_000_000+i/10, i%10*100_000, line)
		w.line([]byte(text), len(text))
	}
}

// TestLines: what MONITOR shows becomes accesses, with Redis' escapes undone.
func TestLines(t *testing.T) {
	w := newWatcher(defaultLimits())
	w.see(
		`"GET" "a\x00\xff\"\\\n"`, `"set" "k" "12345" "EX" "60"`, `"SetEx" "k" "5" "v"`, `"mset" "a" "1" "b" "22"`, `"mget" "a" "b"`,
		`"del" "a" "b"`, `"set" "k" "v" "px" "1500"`, `"set" "k" "v" "keepttl"`, `"ping"`, `"unknown" "a"`, `"get"`, `"set" "k" "v"`,
	)
	for _, bad := range []string{"", "+OK\r\n", "+x.y [0 z] \"get\" \"a\"\r\n", "+1000000000.000000 [1 127.0.0.1:1] \"get\" \"other db\"\r\n", "+1.1 [0 "} {
		w.line([]byte(bad), len(bad))
	}
	var got []string
	for _, a := range w.trace.accesses {
		got = append(got, fmt.Sprintf("%d %q %d ttl=%d size=%d", a.at, w.trace.keys[a.key].name, a.kind, a.ttl, a.size))
	}
	want := []string{
		`0 "a\x00\xff\"\\\n" 0 ttl=-1 size=0`, `100000 "k" 1 ttl=60000 size=62`, `200000 "k" 1 ttl=5000 size=58`,
		`300000 "a" 1 ttl=0 size=58`, `300000 "b" 1 ttl=0 size=59`, `400000 "a" 0 ttl=-1 size=0`, `400000 "b" 0 ttl=-1 size=0`,
		`500000 "a" 2 ttl=-1 size=0`, `500000 "b" 2 ttl=-1 size=0`, `600000 "k" 1 ttl=1500 size=58`, `700000 "k" 1 ttl=-1 size=58`, `1100000 "k" 1 ttl=0 size=58`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("+1000000000.000000 [0 127.0.0.1:1] \"set\" \"a\\x00\" \"b\"\r\n"))
	f.Fuzz(func(_ *testing.T, line []byte) {
		newWatcher(defaultLimits()).line(line, len(line))
	})
}

// TestBounds: a trace takes no more than it may, and all accesses to a key stay or none does.
func TestBounds(t *testing.T) {
	tr := newTrace(limits{keys: 100, accesses: 1000})
	for round := range 10 {
		for i := range 5000 {
			tr.add(fmt.Appendf(nil, "k%d", i), access{at: int64(round*5000 + i)})
		}
	}
	counts := map[uint32]int{}
	for _, a := range tr.accesses {
		counts[a.key]++
	}
	if len(tr.keys) > 100 || len(tr.accesses) > 1000 || len(tr.keys) < 10 || len(counts) != len(tr.keys) || len(tr.ids) != len(tr.keys) {
		t.Fatalf("%d keys, %d accesses to %d", len(tr.keys), len(tr.accesses), len(counts))
	}
	for key, n := range counts {
		if n != 10 {
			t.Errorf("%d of 10 accesses to %s", n, tr.keys[key].name)
		}
	}
	if all := float64(len(tr.keys)) / tr.rate(); all < 2500 || all > 10_000 {
		t.Errorf("%d keys at a rate of %v make %v, want 5000", len(tr.keys), tr.rate(), all)
	}
}

// TestOutcomes: what reads have found follows from what comes before and after.
func TestOutcomes(t *testing.T) {
	for _, test := range []struct {
		name     string
		lines    []string
		evicting bool
		there    bool
		want     []outcome
	}{
		{"never written, there at the end", []string{`"get" "a"`, `"get" "a"`}, false, true, []outcome{hit, hit}},
		{"never written, not there", []string{`"get" "a"`, `"get" "a"`}, false, false, []outcome{missNew, missNew}},
		{"missed and filled", []string{`"get" "a"`, `"set" "a" "1"`, `"get" "a"`}, false, true, []outcome{missNew, hit}},
		{"expired", []string{`"set" "a" "1" "px" "100"`, `"get" "b"`, `"get" "a"`}, false, true, []outcome{hit, missExpired}},
		{"deleted", []string{`"set" "a" "1"`, `"del" "a"`, `"get" "a"`}, false, false, []outcome{missDeleted}},
		{"changed", []string{`"set" "a" "1"`, `"get" "a"`, `"set" "a" "2"`}, false, true, []outcome{hit}},
		{"evicted", []string{`"set" "a" "1"`, `"get" "a"`, `"set" "a" "2"`}, true, true, []outcome{missGone}},
	} {
		w := newWatcher(defaultLimits())
		w.see(test.lines...)
		w.trace.settle(test.evicting, func(uint32) (bool, bool) { return test.there, true })
		var got []outcome
		for _, a := range w.trace.accesses {
			if a.kind == read {
				got = append(got, a.hit)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestSimulation: a loop that does not fit is what LRU is worst at, and a hot set what LFU is for.
func TestSimulation(t *testing.T) {
	tr := newTrace(limits{keys: 10_000, accesses: 1_000_000})
	for i := range 100_000 {
		tr.add(fmt.Appendf(nil, "k%d", i%1000), access{at: int64(i) * 10_000, kind: read})
	}
	for i := range tr.keys {
		tr.keys[i].size = 100
	}
	lru, random := simulate(tr, eviction.Policy{Rule: eviction.LRU}, 80_000), simulate(tr, eviction.Policy{Rule: eviction.Random}, 80_000)
	if !lru.full || lru.reads < 90_000 || random.hitRate() < 0.4 || lru.hitRate() > random.hitRate()-0.1 {
		t.Errorf("in a loop LRU hits %v, random eviction %v", lru.hitRate(), random.hitRate())
	}
	if s := simulate(tr, eviction.Policy{Rule: eviction.LRU}, 100_000); s.full || s.reads != 0 {
		t.Errorf("a cache that holds all of it was full: %+v", s)
	}
}

// TestCautious: what is too little is said, and nothing is advised.
func TestCautious(t *testing.T) {
	e := &evidence{before: client.Info{}, after: client.Info{"maxmemory_policy": "allkeys-lru", "evicted_keys": "10"}, trace: newTrace(defaultLimits())}
	r := judge(e)
	if len(r.Advice) > 0 || len(r.Unknown) != 3 || r.HitRate != nil {
		t.Errorf("%+v", r)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil || !strings.Contains(b.String(), "Nothing to advise.") || !strings.Contains(b.String(), "Not judged, for lack of data:") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestHostilePrefix: a report holds no character that a terminal would follow.
func TestHostilePrefix(t *testing.T) {
	r := &Report{Server: "redis \x1b[2J", Addr: "a\nb"}
	r.advise("x", "p", "Prefix "+quote("\x1b]0;pwned\x07\u202e\xff"+strings.Repeat("x", 500))+" hardly hits.", nil)
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.String() {
		if c < ' ' && c != '\n' || c > '~' {
			t.Fatalf("%q", b.String())
		}
	}
}

// TestPrefixRule: names are cut as the server cuts them.
func TestPrefixRule(t *testing.T) {
	for _, tt := range []struct {
		rule         prefixRule
		name, prefix string
	}{
		{prefixRule{}, "user:7:cart", "user"}, {prefixRule{}, "plain", ""}, {prefixRule{}, ":x", ""}, {prefixRule{'/', 1}, "a:b/c", "a:b"},
		{prefixRule{':', 2}, "user:7:cart", "user:7"}, {prefixRule{':', 2}, "user:7", "user"}, {prefixRule{':', 2}, "a::b", "a:"},
		{prefixRule{':', 3}, "a:b:c:d", "a:b:c"},
		{prefixRule{}, strings.Repeat("x", 255) + ":y", strings.Repeat("x", 255)}, {prefixRule{}, strings.Repeat("x", 256) + ":y", ""},
	} {
		if got := tt.rule.of(tt.name); got != tt.prefix {
			t.Errorf("%v: prefix of %.20q is %q, want %q", tt.rule, tt.name, got, tt.prefix)
		}
	}
}

// TestAdvisedTTLKeepsHits: keys that are read all the time expire all the same, so a time to live has to be
// a hundred times the time between two reads, or one hit in a hundred is lost.
func TestAdvisedTTLKeepsHits(t *testing.T) {
	const every = 500_000 // µs
	e := &evidence{trace: newTrace(defaultLimits())}
	for n := range 120 {
		for i := range 100 {
			e.trace.add(fmt.Appendf(nil, "page:%d", i), access{at: int64(n*every + i), kind: read, hit: hit})
		}
	}
	for i := range 100 {
		e.keys = append(e.keys, sampledKey{name: fmt.Sprint("page:", i), kind: "string", ttl: 10*3600_000 + int64(i)*60_000, bytes: 1000})
	}
	r := &Report{}
	judgeReuse(r, e, newMemory(e.keys, 100, e.rule))
	if len(r.Advice) != 1 || r.Advice[0].Kind != "ttl-too-long" {
		t.Fatalf("%+v", r)
	}
	enough, said := r.Advice[0].Figures["enough_ms"], r.Advice[0].Figures["lost_share"]
	lost, reads, expires := 0, 0, enough
	for at := 0.; at < 100*enough; at += every / 1000 {
		if reads++; at >= expires {
			lost, expires = lost+1, at+enough
		}
	}
	if is := share(lost, reads); is > 0.0101 || said < is || said > 2*is {
		t.Errorf("with a time to live of %v ms %v of the hits are lost, said are %v: %s", enough, is, said, r.Advice[0].Text)
	}
}
