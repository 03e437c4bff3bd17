package crash

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestTornTail kills the server, cuts random bytes off the end of its log, as a power failure may,
// and starts it again: it must hold what the rest of the log says, which is one point in time, and
// the same as redis-server makes of the same files. Then it goes on.
func TestTornTail(t *testing.T) {
	seed := randtest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1000))
	params := []string{"appendonly yes", "appendfsync no"}
	s := harness.StartSubject(t, params...)
	addBallast(t, s, rng)
	s.Dial(t).BackgroundWork("BGREWRITEAOF") // the ballast goes to the base, which is not cut
	l := newLoad(clients, seed)
	lostAll := 0
	for cycle := range cycles(t) {
		if !harness.SubjectIsLarder() {
			// Redis leaves the beginning of a transaction in the log if it is cut within a command
			// of it; what is appended then belongs to that transaction.
			s.Dial(t).BackgroundWork("BGREWRITEAOF")
		}
		before := lastFile(t, s)
		least := fileSize(t, before)
		killOnce(t, s, l, time.Duration(rng.IntN(250))*time.Millisecond, "")
		after := lastFile(t, s)
		if after != before { // the log was rewritten: the models reach back to its new base
			least = 0
		}
		cut(t, after, least, rng)
		params := slices.Concat(params, variation(rng))
		copied := harness.CopyFolder(t, s.Dir)
		s = harness.StartSubject(t, append(params, "dir "+s.Dir)...)
		redis := harness.StartRedis(t, append(params, "dir "+copied)...)
		want := harness.Contents(t, redis)
		redis.Kill(t)
		got := harness.Contents(t, s)
		for _, all := range []map[harness.Key]harness.Value{want, got} {
			for key := range all {
				if fleeting(key.Name) { // they expire between the two readings
					delete(all, key)
				}
			}
		}
		harness.SameContents(t, "what Redis reads from the same log", want, got)
		lostAll += l.verify(t, s, make([]int, len(l.clients)))
		if t.Failed() {
			t.Fatalf("cycle %d", cycle)
		}
	}
	t.Logf("%d operations were cut off", lostAll)
}

// lastFile is the file at the end of the log.
func lastFile(t *testing.T, s *harness.Server) string {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(s.Dir, "appendonlydir", "appendonly.aof.manifest"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(manifest)), "\n")
	name := strings.Fields(lines[len(lines)-1])[1]
	if !strings.HasSuffix(name, ".incr.aof") {
		t.Fatalf("the log ends with %s", name)
	}
	return filepath.Join(s.Dir, "appendonlydir", name)
}

func fileSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// cut shortens a file by a random length, mostly short; not below least bytes, for the models do
// not reach further back.
func cut(t *testing.T, file string, least int64, rng *rand.Rand) {
	t.Helper()
	size := fileSize(t, file)
	n := rng.Int64N(min(size-least, 1<<rng.IntN(18)) + 1)
	if err := os.Truncate(file, size-n); err != nil {
		t.Fatal(err)
	}
}
