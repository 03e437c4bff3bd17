// Package advise_test makes traffic that has one defect each, and expects `larder advise` to find
// that one and no other.
package advise_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/cmd/advise"
	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// connect is a client that is not impatient with a server on a busy machine.
func connect(s *harness.Server, db int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: s.Addr, DB: db, DialTimeout: harness.Patience,
		ReadTimeout: harness.Patience, WriteTimeout: harness.Patience})
}

// load is traffic on a server: step sends a batch of it.
type load struct {
	c   *redis.Client
	rng *rand.Rand
	n   int // batches so far
}

// noise is a value that does not compress.
func (l *load) noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(l.rng.Uint32())
	}
	return string(b)
}

// aside reads keys as a cache is read: what is missing is written.
func (l *load) aside(ctx context.Context, keys []string, value func() string, ttl time.Duration) error {
	pipe := l.c.Pipeline()
	var got []*redis.StringCmd
	for _, k := range keys {
		got = append(got, pipe.Get(ctx, k))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for i, k := range keys {
		if errors.Is(got[i].Err(), redis.Nil) {
			pipe.Set(ctx, k, value(), ttl)
		}
	}
	_, err := pipe.Exec(ctx)
	return err
}

// some are keys drawn from n of a prefix.
func (l *load) some(prefix string, n int) []string {
	var keys []string
	for range 50 {
		keys = append(keys, fmt.Sprintf("%s:%d", prefix, l.rng.IntN(n)))
	}
	return keys
}

// next are keys that follow one another, from a number on.
func next(prefix string, from, n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf("%s:%d", prefix, from+i))
	}
	return keys
}

func (l *load) healthy(ctx context.Context) error {
	return l.aside(ctx, l.some("page", 300), func() string { return l.noise(500) }, 10*time.Second)
}

// defect is a kind of traffic and what is to be said of it.
type defect struct {
	name     string
	params   []string
	step     func(l *load, ctx context.Context) error
	requests int64
	kind     string // empty: nothing
	prefix   string
	says     string
}

func defects() []defect {
	lru := []string{"maxmemory 200mb", "maxmemory-policy allkeys-lru"}
	return []defect{
		{name: "healthy", params: lru, step: (*load).healthy},
		{name: "hardly hits", params: lru, kind: "prefix-hardly-hits", prefix: "search",
			says: `Prefix "search" hardly hits`, step: func(l *load, ctx context.Context) error {
				return errors.Join(l.healthy(ctx),
					l.aside(ctx, next("search", 20*l.n, 20), func() string { return l.noise(500) }, 10*time.Second))
			}},
		{name: "too short", params: lru, kind: "ttl-too-short", prefix: "rate",
			says: `Keys of prefix "rate" expire while they are still wanted`,
			step: func(l *load, ctx context.Context) error {
				keys, value := next("rate", 0, 200), func() string { return l.noise(100) }
				err := errors.Join(l.healthy(ctx), l.aside(ctx, keys, value, 20*time.Millisecond),
					l.aside(ctx, keys, value, 20*time.Millisecond))
				select {
				case <-time.After(25 * time.Millisecond): // until they have expired
				case <-ctx.Done():
				}
				return err
			}},
		{name: "too long", params: lru, kind: "ttl-too-long", prefix: "order",
			says: `Keys of prefix "order" live for 1h0m0s`, step: func(l *load, ctx context.Context) error {
				if l.n == 0 { // what is left of ten minutes
					pipe := l.c.Pipeline()
					for _, k := range next("order:old", 0, 2000) {
						pipe.Set(ctx, k, l.noise(500), 50*time.Minute)
					}
					if _, err := pipe.Exec(ctx); err != nil {
						return err
					}
				}
				keys := next("order", 20*l.n, 20)
				for range 5 {
					if err := l.aside(ctx, keys, func() string { return l.noise(500) }, time.Hour); err != nil {
						return err
					}
				}
				return l.healthy(ctx)
			}},
		{name: "volatile", params: []string{"maxmemory 200mb", "maxmemory-policy volatile-lru"},
			kind: "no-ttl-volatile", says: "under volatile-lru these are never evicted",
			step: func(l *load, ctx context.Context) error {
				return errors.Join(l.healthy(ctx),
					l.aside(ctx, l.some("user", 300), func() string { return l.noise(500) }, 0))
			}},
		{name: "noeviction", params: []string{"maxmemory 200mb", "maxmemory-policy noeviction"},
			kind: "no-ttl-noeviction", says: "at 200.0 MB writes are refused",
			step: func(l *load, ctx context.Context) error {
				return errors.Join(l.healthy(ctx),
					l.aside(ctx, l.some("user", 300), func() string { return l.noise(500) }, 0))
			}},
		{name: "no cap", params: []string{"maxmemory 0", "maxmemory-policy noeviction"}, kind: "no-ttl-noeviction",
			says: "there is no cap", step: func(l *load, ctx context.Context) error {
				return errors.Join(l.healthy(ctx),
					l.aside(ctx, l.some("user", 300), func() string { return l.noise(500) }, 0))
			}},
		{name: "compressible", params: lru, kind: "compressible", prefix: "json",
			says: `Strings of prefix "json" of 1 KB and more`, step: func(l *load, ctx context.Context) error {
				return errors.Join(l.healthy(ctx), l.aside(ctx, l.some("json", 100),
					func() string { return strings.Repeat(`{"id":17,"name":"Ada"},`, 200) }, 10*time.Second))
			}},
		{name: "policy", params: []string{"maxmemory 24mb", "maxmemory-policy allkeys-lru"}, kind: "policy",
			says: "would hit more", requests: 150_000, step: func(l *load, ctx context.Context) error {
				return l.aside(ctx, next("loop", l.n*100%25_000, 100), func() string { return l.noise(1000) }, 0)
			}},
	}
}

// TestDefects: of larder and of Redis, each defect gets its advice, and healthy traffic none.
func TestDefects(t *testing.T) {
	for _, server := range []string{"larder", "redis"} {
		for _, d := range defects() {
			t.Run(server+"/"+d.name, func(t *testing.T) {
				start := harness.Start
				if server == "redis" {
					start = harness.StartRedis
				}
				report := adviseDuring(t, start(t, d.params...), d)
				var kinds, want []string
				for _, a := range report.Advice {
					kinds = append(kinds, a.Kind)
				}
				if d.kind != "" {
					want = []string{d.kind}
				}
				if !slices.Equal(kinds, want) || len(report.Unknown) > 0 {
					t.Fatalf("advice %q, want %q\n%s", kinds, want, text(t, report))
				}
				if d.kind != "" && (report.Advice[0].Prefix != d.prefix ||
					!strings.Contains(report.Advice[0].Text, d.says) || len(report.Advice[0].Figures) == 0) {
					t.Errorf("it says of prefix %q\n%s\nwant %q with %q", report.Advice[0].Prefix, text(t, report),
						d.prefix, d.says)
				}
			})
		}
	}
}

// adviseDuring looks at a server while it has traffic.
func adviseDuring(t *testing.T, s *harness.Server, d defect) *advise.Report {
	t.Helper()
	c := connect(s, 0)
	ctx, stop := context.WithCancel(t.Context())
	l := &load{c: c, rng: randtest.New(t)}
	var done sync.WaitGroup
	var failed error
	warm := make(chan struct{})
	done.Go(func() {
		for ; ctx.Err() == nil; l.n++ {
			if err := d.step(l, ctx); err != nil && ctx.Err() == nil {
				if failed = err; l.n <= 50 {
					close(warm)
				}
				break
			}
			if l.n == 50 {
				close(warm)
			}
		}
	})
	<-warm
	requests := max(d.requests, 20_000) // end it, however slow the machine: fewer show another defect
	report, err := advise.Run(ctx,
		advise.Options{Client: c, Addr: s.Addr, For: 5 * time.Minute, Requests: requests, Keys: 5000})
	stop()
	done.Wait()
	if err := errors.Join(err, failed, c.Close()); err != nil {
		t.Fatal(err)
	}
	return report
}

func text(t *testing.T, r *advise.Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPrefixesAreTheServers: prefixes are what larder's parameters say, by its own count and without it.
func TestPrefixesAreTheServers(t *testing.T) {
	d := defect{step: func(l *load, ctx context.Context) error {
		slashes := func(keys []string) []string {
			for i := range keys {
				keys[i] = "shop/" + strings.ReplaceAll(keys[i], ":", "/")
			}
			return keys
		}
		value := func() string { return l.noise(500) }
		return errors.Join(l.aside(ctx, slashes(l.some("page", 300)), value, 10*time.Second),
			l.aside(ctx, slashes(next("search", 20*l.n, 20)), value, 10*time.Second))
	}}
	for _, stats := range []string{"yes", "no"} {
		s := harness.Start(t, "maxmemory 200mb", "maxmemory-policy allkeys-lru", "prefix-delimiter /", "prefix-depth 2", "prefix-stats "+stats)
		r := adviseDuring(t, s, d)
		if len(r.Advice) != 1 || r.Advice[0].Kind != "prefix-hardly-hits" || r.Advice[0].Prefix != "shop/search" || r.Advice[0].Figures["bytes_share"] < 0.05 {
			t.Errorf("prefix-stats %s: %s", stats, text(t, r))
		}
	}
}

// TestRuleUnknown: who may not read larder's parameters is told by what prefixes are made.
func TestRuleUnknown(t *testing.T) {
	s := harness.Start(t, "user default on nopass ~* &* +@all -config")
	c := connect(s, 0)
	r, err := advise.Run(t.Context(), advise.Options{Client: c, Addr: s.Addr, For: 10 * time.Millisecond, Keys: 10})
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	if len(r.Unknown) == 0 || !strings.Contains(r.Unknown[0], "'config|get'") || !strings.Contains(r.Unknown[0], "the first colon") {
		t.Error(text(t, r))
	}
}

// TestOneDatabase: keys are those of the database that is looked at.
func TestOneDatabase(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	c.MustOK("SET", "a", "1")
	c.MustOK("SELECT", "3")
	c.MustOK("MSET", "b", "1", "c", "2")
	db := connect(s, 3)
	r, err := advise.Run(t.Context(), advise.Options{Client: db, Addr: s.Addr, For: 10 * time.Millisecond, Keys: 10})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if r.Keys != 2 || r.SampledKeys != 2 {
		t.Errorf("%d keys, %d looked at", r.Keys, r.SampledKeys)
	}
}

// TestTooLittle: without data there is no advice, and it is said what was missing.
func TestTooLittle(t *testing.T) {
	s := harness.Start(t, "maxmemory 100mb")
	s.Dial(t).MustOK("SET", "a", "1")
	for _, args := range [][]string{{"--for", "100ms"}, {"--for", "100ms", "--no-monitor"}} {
		out, err := exec.Command(harness.Binary(t),
			append([]string{"advise", "--json", "--addr", s.Addr}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		var r advise.Report
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(r.Advice) > 0 || len(r.Unknown) != 2 || r.HitRate != nil || r.Keys != 1 {
			t.Errorf("%q: %s", args, out)
		}
	}
}

// TestRefusals: what cannot be looked at is one line and exit code 1.
func TestRefusals(t *testing.T) {
	locked := harness.Start(t, "requirepass secret")
	mute := harness.Start(t, "user default on nopass ~* &* +@all -monitor")
	for _, test := range []struct{ args, want string }{
		{"--for 0s", "take more than 0"},
		{"--addr " + locked.Addr, "NOAUTH"},
		{"--addr " + mute.Addr + " --for 100ms", "no permissions to run the 'monitor' command"},
		{"page", "unknown command"},
	} {
		out, err := exec.Command(harness.Binary(t),
			append([]string{"advise"}, strings.Fields(test.args)...)...).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), "larder: ") || strings.Count(string(out), "\n") != 1 ||
			!strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, %q; want one line with %s", test.args, err, out, test.want)
		}
	}
}
