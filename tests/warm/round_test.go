package warm

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestRoundTrip exports from either server and fills the other, in every format.
func TestRoundTrip(t *testing.T) {
	for _, pair := range [][2]string{{"larder", "redis"}, {"redis", "larder"}} {
		t.Run(pair[0]+" to "+pair[1], func(t *testing.T) {
			from, to := kinds[pair[0]](t), kinds[pair[1]](t)
			rnd := rand.New(rand.NewPCG(randtest.Seed(t), 1))
			fill(from.Dial(t), rnd, 200)
			want, digest := harness.Contents(t, from), from.Dial(t).Do("DEBUG", "DIGEST").Text
			for _, format := range []string{warm.NDJSON, warm.RESP, warm.RDB} {
				c := to.Dial(t)
				c.MustOK("FLUSHALL")
				r := mustWarm(t, options(to.Addr, file(t, "x", export(t, from, format, "", -1))))
				if got := c.Do("DEBUG", "DIGEST").Text; got != digest {
					t.Errorf("%s: digest %s, want %s", format, got, digest)
				}
				if format != warm.RESP && r.Stored != int64(len(want)) {
					t.Errorf("%s: %d keys stored, want %d", format, r.Stored, len(want))
				}
				sameTimes(t, format, want, harness.Contents(t, to))
			}
		})
	}
}

// sameTimes compares when keys expire: within the time that a test takes.
func sameTimes(t *testing.T, format string, want, got map[harness.Key]harness.Value) {
	t.Helper()
	const tolerance = 60_000
	for k, w := range want {
		g := got[k]
		if off := g.ExpireAt - w.ExpireAt; (g.ExpireAt < 0) != (w.ExpireAt < 0) || off < -tolerance || off > tolerance {
			t.Errorf("%s: %.40q expires at %d, want %d", format, k.Name, g.ExpireAt, w.ExpireAt)
		}
	}
}

// TestStringsAsCSV: csv has strings alone, with all that they may hold.
func TestStringsAsCSV(t *testing.T) {
	eachKind(t, func(t *testing.T, s *harness.Server) {
		c := s.Dial(t)
		c.MustOK("SET", "key", "value")
		c.MustOK("SET", "a,\"b\"\r\n", "\x00\xff,\"\"\n", "PX", "100500")
		c.MustOK("SET", "empty", "")
		c.Do("RPUSH", "list", "x")
		out := export(t, s, warm.CSV, "", -1)
		c.Do("DEL", "list")
		want := c.Do("DEBUG", "DIGEST").Text
		c.MustOK("FLUSHALL")
		mustWarm(t, options(s.Addr, file(t, "x.csv", out)))
		if got := c.Do("DEBUG", "DIGEST").Text; got != want {
			t.Errorf("digest %s, want %s, from %q", got, want, out)
		}
		if ttl, _ := c.Do("PTTL", "a,\"b\"\r\n").Int(); ttl < 40_000 || ttl > 100_500 {
			t.Errorf("TTL %d", ttl)
		}
	})
}

func TestExportTakesPatternTypeAndDatabase(t *testing.T) {
	eachKind(t, func(t *testing.T, s *harness.Server) {
		c := s.Dial(t)
		c.MustOK("SELECT", "3")
		c.MustOK("SET", "page:1", "x")
		c.Do("SADD", "page:2", "y")
		c.MustOK("SET", "other", "z")
		if got, want := export(t, s, warm.NDJSON, "page:2", 3),
			`{"key":"page:2","type":"set","value":["y"]}`+"\n"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := export(t, s, warm.NDJSON, "", 0); got != "" {
			t.Errorf("database 0 has %s", got)
		}
		// A snapshot and commands say which database is theirs.
		for _, format := range []string{warm.RDB, warm.RESP} {
			out := export(t, s, format, "page:*", 3)
			c.MustOK("FLUSHALL")
			mustWarm(t, options(s.Addr, file(t, "x", out)))
			if got := c.Do("DBSIZE").Text; got != "2" {
				t.Errorf("%s: database 3 has %s keys", format, got)
			}
			c.MustOK("SET", "other", "z")
		}
	})
}

func TestEmptyExports(t *testing.T) {
	eachKind(t, func(t *testing.T, s *harness.Server) {
		for _, format := range []string{warm.NDJSON, warm.CSV, warm.RESP, warm.RDB} {
			o := options(s.Addr, "-")
			o.Format, o.Stdin = format, strings.NewReader(export(t, s, format, "", -1))
			if r := mustWarm(t, o); r.Stored != 0 {
				t.Errorf("%s: %d keys out of nothing", format, r.Stored)
			}
		}
	})
}
