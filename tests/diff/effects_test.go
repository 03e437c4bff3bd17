package diff

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestEffects runs scripts on servers that keep a log and compares, after each call, what it has
// appended, and how many changes it counts. Scripts are as in script_test.go; "~" makes the
// arguments of the effects count by their number alone.
func TestEffects(t *testing.T) {
	files, err := filepath.Glob("testdata/effects/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			larder := harness.Start(t, "enable-debug-command yes", "appendonly yes", "appendfsync no")
			redis := harness.StartRedis(t, "appendonly yes", "appendfsync no")
			compareEffects(t, readScript(t, file), larder, redis)
		})
	}
}

func compareEffects(t *testing.T, lines []line, larder, redis *harness.Server) {
	d := duel{larder.Dial(t), redis.Dial(t)}
	ours, theirs := openLogTail(t, larder), openLogTail(t, redis)
	for _, l := range lines {
		args := expand(t, l)
		a, b := d.do(args)
		if a.Kind != b.Kind {
			t.Errorf("%s: %s\n  larder %v\n  redis  %v", l.where, show(args), a, b)
		}
		want, got := mergeRemovals(theirs.next(t)), mergeRemovals(ours.next(t))
		if !sameEffects(want, got, l.mode == anyOrder) {
			t.Errorf("%s: %s\n  larder logs %q\n  redis logs  %q", l.where, show(args), got, want)
		}
		const section, field = "persistence", "rdb_changes_since_last_save"
		if got, want := d.larder.Info(section, field), d.redis.Info(section, field); got != want {
			t.Errorf("%s: %s\n  larder counts %s changes\n  redis counts  %s", l.where, show(args), got, want)
		}
		if t.Failed() && os.Getenv("ALL") == "" {
			t.Fatal("further differences may follow from this one; ALL=1 shows them")
		}
	}
}

// TestFlushallSaves: with save points the snapshot file follows FLUSHALL, or the next start would
// bring the data back.
func TestFlushallSaves(t *testing.T) {
	for _, s := range []*harness.Server{harness.StartSubject(t, "save 3600 1000"), harness.StartRedis(t, "save 3600 1000")} {
		c := s.Dial(t)
		c.MustOK("SET", "k", "v")
		c.BackgroundWork("BGSAVE")
		c.MustOK("FLUSHALL")
		harness.Eventually(t, harness.Patience, "the empty data set is saved", func() bool {
			return c.Info("persistence", "rdb_changes_since_last_save") == "0"
		})
		c.WaitBackgroundWork()
		s.Kill(t)
		if n := s.Restart(t).Dial(t).Do("DBSIZE").Text; n != "0" {
			t.Errorf("%s: %s keys after FLUSHALL and a restart", s.Name, n)
		}
	}
}

// logTail reads the incremental file of a log as it grows. Effects are there before the reply is,
// since nobody waits for a sync under "appendfsync no".
type logTail struct{ r *bufio.Reader }

func openLogTail(t *testing.T, s *harness.Server) *logTail {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: incremental files: %q, %v", s.Name, files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &logTail{r: bufio.NewReader(f)}
}

// next returns the commands that have been appended since the last call.
func (l *logTail) next(t *testing.T) (commands [][]string) {
	t.Helper()
	for {
		if _, err := l.r.Peek(1); errors.Is(err, io.EOF) {
			return commands
		}
		r, err := harness.ReadReply(l.r)
		if err != nil || r.Kind != '*' {
			t.Fatalf("the log has %q: %v", r.Raw, err)
		}
		commands = append(commands, r.Strings())
	}
}

// mergeRemovals joins neighbouring SREMs of the same key: Redis 7.0 logs a member at a time what
// later versions log together. What was a transaction only for them is none then.
func mergeRemovals(commands [][]string) [][]string {
	var merged [][]string
	for _, c := range commands {
		if last := len(merged) - 1; last >= 0 && c[0] == "SREM" && merged[last][0] == "SREM" && c[1] == merged[last][1] {
			merged[last] = append(slices.Clone(merged[last]), c[2:]...)
			continue
		}
		merged = append(merged, c)
	}
	if i := slices.IndexFunc(merged, func(c []string) bool { return c[0] == "MULTI" }); i >= 0 && len(merged) == i+3 && merged[i+2][0] == "EXEC" {
		merged = append(merged[:i], merged[i+1])
	}
	return merged
}

// sameEffects compares commands; times in milliseconds may differ by what passes between two calls.
func sameEffects(want, got [][]string, byCount bool) bool {
	return slices.EqualFunc(want, got, func(w, g []string) bool {
		if len(w) != len(g) || w[0] != g[0] {
			return false
		}
		for i := range w {
			if w[i] != g[i] && !byCount && !nearTimes(w[i], g[i]) {
				return false
			}
		}
		return true
	})
}

func nearTimes(a, b string) bool {
	const since2001 = 1_000_000_000_000
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	return errX == nil && errY == nil && min(x, y) > since2001 && max(x-y, y-x) < 10_000
}

// TestEffectsReplayed draws calls as TestGenerated does, sends what larder has logged of them to a
// second redis-server, and compares the data sets.
func TestEffectsReplayed(t *testing.T) {
	seed := randtest.Seed(t)
	larder := harness.Start(t, "enable-debug-command yes", "appendonly yes", "appendfsync no")
	g := &generator{
		t: t, d: &drawer{rand.New(rand.NewPCG(seed, 0)), time.Now()},
		duel: duel{larder.Dial(t), harness.StartRedis(t).Dial(t)},
	}
	log := openLogTail(t, larder)
	for range steps {
		g.step()
		if t.Failed() {
			t.FailNow()
		}
	}
	second := harness.StartRedis(t)
	c := second.Dial(t)
	for _, command := range log.next(t) {
		if r := c.Do(command...); r.IsError() {
			t.Fatalf("redis-server refuses %s, which is in the log: %v", show(command), r)
		}
	}
	harness.SameContents(t, "what the log gives", harness.Contents(t, larder), harness.Contents(t, second))
}

// TestNewerEffectsReplayed: what commands do that redis-server does not know is in the log in words that
// it knows.
func TestNewerEffectsReplayed(t *testing.T) {
	if !harness.SubjectIsLarder() {
		t.Skip("these are larder's")
	}
	larder := harness.Start(t, "appendonly yes", "appendfsync no")
	c, log := larder.Dial(t), openLogTail(t, larder)
	for _, request := range []string{
		"SET k v IFNE w", "SET k w IFEQ v EX 1000", "SET k x IFDNE 0000000000000000 KEEPTTL GET", "SET k y IFEQ nothing",
		"MSETEX 3 a 1 b 2 c 3", "MSETEX 2 a 4 b 5 XX EX 1000", "MSETEX 2 a 6 b 7 KEEPTTL", "MSETEX 2 a 8 z 9 NX",
		"DELEX c", "DELEX b IFEQ 7", "DELIFEQ a 7", "SET gone v", "DELIFEQ gone v",
		"RPUSH l 1 2 3 4 5 6 7 8", "LMOVEM l m LEFT LEFT COUNT 3 OBO", "LMOVEM l m RIGHT RIGHT EXACTLY 2 BULK", "LMOVEM l l LEFT RIGHT COUNT 2 OBO",
		"LMOVEM l l LEFT LEFT COUNT 2 OBO", "BLMOVEM m n RIGHT LEFT 0 COUNT 2 OBO", "LMOVEM m m RIGHT LEFT EXACTLY 9 OBO",
		"ZADD z1 1.5 a 2 b", "ZADD z2 3 b 4 c", "ZUNIONSTORE u 2 z1 z2 WEIGHTS 0.1 7 AGGREGATE COUNT", "ZINTERSTORE z1 2 z1 z2 AGGREGATE COUNT",
		"SELECT 1", "MSET a:1 v a:2 v b v", "RM 0 MATCH a:*", "RM 1 MATCH a:*", "RM 2 MATCH a:*",
	} {
		if r := c.Do(strings.Fields(request)...); r.IsError() {
			t.Errorf("%s: %v", request, r)
		}
	}
	c.Do("CACHE.PURGE", "START", "PREFIX", "a:")
	harness.Eventually(t, harness.Patience, "the purge has ended", func() bool { return c.Info("stats", "purges_running") == "0" })
	redis := harness.StartRedis(t)
	d := redis.Dial(t)
	for _, command := range log.next(t) {
		if r := d.Do(command...); r.IsError() {
			t.Fatalf("redis-server refuses %s, which is in the log: %v", show(command), r)
		}
	}
	harness.SameContents(t, "what the log gives", harness.Contents(t, larder), harness.Contents(t, redis))
}
