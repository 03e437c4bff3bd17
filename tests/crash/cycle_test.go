package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

const clients = 4

// ballastKeys of ballastSize bytes give a snapshot and a rewrite something to write, so that kills
// find them at work.
const (
	ballastDB   = 7
	ballastKeys = 300
	ballastSize = 16 << 10
)

func addBallast(t *testing.T, s *harness.Server, rng *rand.Rand) {
	t.Helper()
	c := s.Dial(t)
	c.MustOK("SELECT", fmt.Sprint(ballastDB))
	for i := range ballastKeys {
		value := make([]byte, ballastSize)
		for j := range value {
			value[j] = byte(rng.Uint32())
		}
		c.MustOK("SET", fmt.Sprintf("ballast:%d", i), string(value))
	}
}

// contents reads a server's data set, by client; the ballast must be complete.
func (l *load) contents(t *testing.T, s *harness.Server) []map[string]harness.Value {
	t.Helper()
	all := harness.Contents(t, s)
	held := make([]map[string]harness.Value, len(l.clients))
	for i := range held {
		held[i] = map[string]harness.Value{}
	}
	ballast := 0
	for key, v := range all {
		if strings.HasPrefix(key.Name, "ballast:") {
			if ballast++; key.DB != ballastDB || len(v.Data) != ballastSize {
				t.Errorf("%v is damaged: %v", key, v)
			}
			continue
		}
		var id int
		if _, err := fmt.Sscanf(key.Name, "%d:", &id); err != nil || id >= len(l.clients) || l.clients[id].db != key.DB {
			t.Fatalf("a key that nobody wrote: %v = %v", key, v)
		}
		held[id][key.Name] = v
	}
	if ballast != ballastKeys {
		t.Errorf("%d keys of ballast, want %d", ballast, ballastKeys)
	}
	return held
}

// verify holds a restarted server against the models. least is how many operations of each client
// must be there. It returns how many acknowledged operations are missing.
func (l *load) verify(t *testing.T, s *harness.Server, least []int) (lost int) {
	t.Helper()
	held := l.contents(t, s)
	var sentLast, ackedFirst time.Time // of what is there; of what is missing
	for i, cl := range l.clients {
		f, err := cl.compare(held[i], least[i])
		if err != nil {
			t.Error(err)
			if older, err := cl.compare(held[i], 0); err == nil {
				t.Logf("client %d: it is the state after %d..%d operations", cl.id, older.first, older.last)
			}
			continue
		}
		acked := int(cl.acked.Load())
		lost += max(0, acked-f.last)
		if f.first > 0 && cl.operations[f.first-1].sent.After(sentLast) {
			sentLast = cl.operations[f.first-1].sent
		}
		if f.last < acked && (ackedFirst.IsZero() || cl.operations[f.last].acked.Before(ackedFirst)) {
			ackedFirst = cl.operations[f.last].acked
		}
	}
	if t.Failed() {
		return lost
	}
	if !ackedFirst.IsZero() && sentLast.After(ackedFirst) {
		t.Fatalf("no point in time: an operation is missing that was acknowledged %v before another one was sent that is there", sentLast.Sub(ackedFirst))
	}
	return lost
}

// disturb repeats background work until the server has gone, and notes after each success which
// operations it must hold.
func disturb(c *harness.Conn, command string, l *load) {
	do := func(args ...string) (string, bool) {
		if c.TryWrite(harness.Encode(args...)) != nil {
			return "", false
		}
		r, err := c.TryRead()
		return r.Text, err == nil
	}
	for {
		before := l.acknowledged()
		if _, ok := do(command); !ok {
			return
		}
		for {
			info, ok := do("INFO", "persistence")
			if !ok {
				return
			}
			if strings.Contains(info, "rdb_bgsave_in_progress:0") && strings.Contains(info, "aof_rewrite_in_progress:0") {
				if strings.Contains(info, "rdb_last_bgsave_status:ok") {
					l.saved = before
				}
				break
			}
		}
	}
}

// lossWindow: under everysec a write waits while a sync is under way, for up to two seconds, and
// its reply does not: Redis' flushAppendOnlyFile. What was acknowledged in that time can be missing
// after a kill. At the cut of a rewrite larder may wait so under no, too: it waits for the sync of
// the file that it leaves, so that a power failure makes no hole in the middle of the log, but not
// for longer than 50 ms.
const lossWindow = 3 * time.Second

// oldEnough is how many operations of each client were acknowledged longer than the window ago.
func (l *load) oldEnough(window time.Duration) []int {
	horizon := time.Now().Add(-window)
	least := l.acknowledged()
	for i, cl := range l.clients {
		for least[i] > 0 && cl.operations[least[i]-1].acked.After(horizon) {
			least[i]--
		}
	}
	return least
}

// TestKillUnderLoad is the cycle of the package's description.
func TestKillUnderLoad(t *testing.T) {
	for _, test := range []struct {
		name   string
		params []string
	}{
		{"always", []string{"appendonly yes", "appendfsync always"}},
		{"everysec", []string{"appendonly yes", "appendfsync everysec"}},
		{"no", []string{"appendonly yes", "appendfsync no"}},
		{"snapshots", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			seed := randtest.Seed(t)
			rng := rand.New(rand.NewPCG(seed, 1000))
			s := harness.StartSubject(t, test.params...)
			addBallast(t, s, rng)
			if test.params == nil {
				s.Dial(t).MustOK("SAVE")
			}
			l := newLoad(clients, seed)
			total, lostAll, lossy := 0, 0, 0
			for cycle := range cycles(t) {
				background := "BGSAVE"
				if test.params != nil {
					background = []string{"", "", "BGREWRITEAOF", "BGREWRITEAOF", "BGSAVE"}[rng.IntN(5)]
				}
				lifetime := time.Duration(rng.IntN(250)) * time.Millisecond
				if test.name == "everysec" && cycle == 0 {
					lifetime += lossWindow // so that something is older than what may be missing
				}
				killOnce(t, s, l, lifetime, background)
				if t.Failed() {
					t.Fatalf("cycle %d", cycle)
				}
				least := l.acknowledged()
				switch {
				case test.name == "everysec", test.name == "no" && background == "BGREWRITEAOF" && harness.SubjectIsLarder():
					least = l.oldEnough(lossWindow)
				case test.name == "snapshots":
					least = l.saved
				}
				for _, n := range l.acknowledged() {
					total += n
				}
				s = harness.StartSubject(t, slices.Concat(test.params, variation(rng), []string{"dir " + s.Dir})...)
				lost := l.verify(t, s, least)
				if t.Failed() {
					t.Fatalf("cycle %d", cycle)
				}
				if lostAll += lost; lost > 0 {
					lossy++
				}
			}
			t.Logf("%d operations acknowledged; %d are missing, in %d of %d cycles", total, lostAll, lossy, cycles(t))
		})
	}
}

// variation changes what may change from one run on a folder to the next.
func variation(rng *rand.Rand) []string {
	choose := func(options ...string) string { return options[rng.IntN(len(options))] }
	return []string{
		choose("aof-use-rdb-preamble yes", "aof-use-rdb-preamble no"),
		choose("aof-timestamp-enabled yes", "aof-timestamp-enabled no"),
		choose("io-threads 1", "io-threads 2"),
		choose("network-driver epoll", "network-driver portable"),
	}
}

// killOnce lets the clients write, and background work run, for a random time, and kills the
// server.
func killOnce(t *testing.T, s *harness.Server, l *load, lifetime time.Duration, background string) {
	t.Helper()
	l.saved = make([]int, len(l.clients))
	l.start(t, s)
	done := make(chan struct{})
	conn := s.Dial(t)
	go func() {
		defer close(done)
		if background != "" {
			disturb(conn, background, l)
		}
	}()
	<-time.After(lifetime) // the random moment; nothing is waited for
	s.Kill(t)
	<-done
	l.gone.Wait()
}
