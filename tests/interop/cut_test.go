package interop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// Money moves between accounts: strings in two databases and the fields of a hash of thousands.
// Every transfer takes from one and gives to the other at one point in time, so at any point in
// time the sum is what it was, and so it must be in every file. Around the accounts, the things
// that move tables and records under a running snapshot: expiry, FLUSHDB, SWAPDB, RENAME, growing
// and shrinking collections.
const (
	accounts = 4000
	wealth   = 1000 // of each account at the beginning
	total    = (2*accounts + accounts) * wealth
	members  = 3000 // wander between two sets
	pairs    = 500  // of strings that MSET writes together
	ballast  = 40_000
)

func account(i int) string { return "account:" + strconv.Itoa(i) }

// pair is the call that writes both halves of a pair, which add up to wealth.
func pair(i, x int) []string {
	name := "pair:" + strconv.Itoa(i)
	return []string{"MSET", name + ":a", strconv.Itoa(x), name + ":b", strconv.Itoa(wealth - x)}
}

// openBank makes the accounts, and what the noise works on.
func openBank(t *testing.T, s *harness.Server) {
	t.Helper()
	var calls []call
	for db := range 2 {
		for i := range accounts {
			calls = append(calls, call{db, []string{"SET", account(i), strconv.Itoa(wealth)}})
		}
	}
	for i := range accounts {
		calls = append(calls, call{0, []string{"HSET", "bank", account(i), strconv.Itoa(wealth)}})
	}
	for i := range members {
		calls = append(calls, call{0, []string{"SADD", "here", "member:" + strconv.Itoa(i)}})
	}
	for i := range pairs {
		calls = append(calls, call{0, pair(i, 0)})
	}
	for i := range ballast {
		calls = append(calls, call{1, []string{"SET", "ballast:" + strconv.Itoa(i), strings.Repeat("x", i%100)}})
	}
	calls = append(calls, call{0, []string{"SET", "name:a", "token"}}, call{8, []string{"SET", "where", "8"}}, call{9, []string{"SET", "where", "9"}})
	fill(t, s, calls)
}

// checkBank holds a data set against what every point in time has.
func checkBank(t *testing.T, what string, all map[harness.Key]harness.Value) {
	t.Helper()
	sum, found, seen := 0, 0, 0
	add := func(text string) {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: an account holds %q", what, text)
		}
		sum += n
		found++
	}
	for k, v := range all {
		if strings.HasPrefix(k.Name, "account:") {
			add(v.Data)
		}
	}
	for line := range strings.Lines(all[harness.Key{DB: 0, Name: "bank"}].Data) {
		_, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, err := strconv.Unquote(value)
		if err != nil {
			t.Fatal(err)
		}
		add(value)
	}
	if sum != total || found != 3*accounts {
		t.Errorf("%s: %d accounts with the sum %d, want %d with %d", what, found, sum, 3*accounts, total)
	}
	for _, set := range []string{"here", "there"} {
		if v, ok := all[harness.Key{DB: 0, Name: set}]; ok {
			seen += strings.Count(v.Data, "\n") + 1
		}
	}
	if seen != members {
		t.Errorf("%s: %d members in both sets, want %d", what, seen, members)
	}
	for i := range pairs {
		x, errX := strconv.Atoi(all[harness.Key{DB: 0, Name: fmt.Sprintf("pair:%d:a", i)}].Data)
		y, errY := strconv.Atoi(all[harness.Key{DB: 0, Name: fmt.Sprintf("pair:%d:b", i)}].Data)
		if x+y != wealth || errX != nil || errY != nil {
			t.Errorf("%s: pair %d adds up to %d, %v, %v", what, i, x+y, errX, errY)
			break
		}
	}
	tokens := 0
	for _, name := range []string{"name:a", "name:b"} {
		if _, ok := all[harness.Key{DB: 0, Name: name}]; ok {
			tokens++
		}
	}
	if tokens != 1 {
		t.Errorf("%s: %d names for the token", what, tokens)
	}
	if a, b := all[harness.Key{DB: 8, Name: "where"}].Data, all[harness.Key{DB: 9, Name: "where"}].Data; a == b || len(a)+len(b) != 2 {
		t.Errorf("%s: swapped databases hold %q and %q", what, a, b)
	}
}

// transfer moves money from a random account to another, in one of the ways that are atomic. The
// connection is in database 0 before and after.
func transfer(r *harness.Batch, rng *rand.Rand) {
	a, b := account(rng.IntN(accounts)), account(rng.IntN(accounts))
	x := strconv.Itoa(rng.IntN(100))
	r.Add("MULTI")
	switch rng.IntN(5) {
	case 0:
		r.Add("DECRBY", a, x)
		r.Add("INCRBY", b, x)
	case 1:
		r.Add("HINCRBY", "bank", a, "-"+x)
		r.Add("HINCRBY", "bank", b, x)
	case 2:
		r.Add("INCRBY", a, x)
		r.Add("HINCRBY", "bank", b, "-"+x)
	case 3:
		r.Add("DECRBY", a, x)
		r.Add("SELECT", "1")
		r.Add("INCRBY", b, x)
		r.Add("SELECT", "0")
	case 4: // overwrites the hash's record twice
		r.Add("RENAME", "bank", "moved")
		r.Add("HINCRBY", "moved", a, x)
		r.Add("DECRBY", b, x)
		r.Add("RENAME", "moved", "bank")
	}
	r.Add("EXEC")
}

// wander moves members, the token and databases, and lets other keys come and go.
func wander(r *harness.Batch, rng *rand.Rand) {
	member := "member:" + strconv.Itoa(rng.IntN(members))
	switch rng.IntN(14) {
	case 12, 13:
		r.Add(pair(rng.IntN(pairs), rng.IntN(wealth))...)
		return
	case 0, 1, 2:
		r.Add("SMOVE", "here", "there", member)
		return
	case 3, 4, 5:
		r.Add("SMOVE", "there", "here", member)
		return
	case 6:
		r.Add("RENAME", "name:a", "name:b")
		return
	case 7:
		r.Add("RENAME", "name:b", "name:a")
		return
	case 8:
		r.Add("SWAPDB", "8", "9")
		return
	}
	noise := strconv.Itoa(rng.IntN(2000))
	r.Add("SELECT", "5")
	switch rng.IntN(8) {
	case 0:
		r.Add("SET", "fleeting:"+noise, "v", "PX", strconv.Itoa(1+rng.IntN(20)))
	case 1:
		if rng.IntN(20) == 0 {
			r.Add("FLUSHDB")
		}
	case 2:
		args := []string{"SADD", "popped"}
		for i := range 300 {
			args = append(args, noise+":"+strconv.Itoa(i))
		}
		r.Add(args...)
	case 3:
		r.Add("SPOP", "popped", "200")
	case 4:
		args := []string{"HSET", "grows:" + strconv.Itoa(rng.IntN(3))}
		for i := range 200 {
			args = append(args, noise+":"+strconv.Itoa(i), noise)
		}
		r.Add(args...)
	case 5:
		r.Add("DEL", "grows:"+strconv.Itoa(rng.IntN(3)))
	case 6:
		r.Add("RENAME", "grows:0", "grows:1")
	case 7:
		r.Add("SETRANGE", "long", noise, strings.Repeat("y", 500))
	}
	r.Add("SELECT", "0")
}

// load is clients at work.
type load struct {
	stopped atomic.Bool
	killed  atomic.Bool // the server is about to go: errors are expected
	clients sync.WaitGroup
}

// keepMoving starts the clients.
func keepMoving(t *testing.T, s *harness.Server, seed uint64) *load {
	t.Helper()
	l := &load{}
	for id := range uint64(4) {
		c := s.Dial(t)
		rng := rand.New(rand.NewPCG(seed, id))
		l.clients.Go(func() {
			for !l.stopped.Load() {
				var r harness.Batch
				for range 1 + rng.IntN(20) {
					if id == 3 {
						wander(&r, rng)
					} else {
						transfer(&r, rng)
					}
				}
				if err := exchange(c, &r); err != nil {
					if !l.killed.Load() {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	t.Cleanup(l.stop) // in case the test ends early
	return l
}

// stop ends the clients' work and waits for them.
func (l *load) stop() {
	l.stopped.Store(true)
	l.clients.Wait()
}

// exchange sends a batch and reads its replies. RENAME may find no key; nothing else may fail.
func exchange(c *harness.Conn, r *harness.Batch) error {
	replies, err := r.Exchange(c)
	for _, reply := range replies {
		if reply.IsError() && !strings.Contains(reply.Text, "no such key") {
			return errors.New(reply.Text)
		}
	}
	return err
}

// TestSnapshotIsOnePointInTime loads every snapshot taken under load with larder and with Redis.
func TestSnapshotIsOnePointInTime(t *testing.T) {
	const snapshots = 4
	seed := randtest.Seed(t)
	for _, params := range [][]string{{"io-threads 1"}, {"io-threads 2"}, {"io-threads 2", "appendonly yes"}} {
		t.Run(strings.Join(params, ","), func(t *testing.T) {
			s := harness.StartSubject(t, params...)
			openBank(t, s)
			moving := keepMoving(t, s, seed)
			c := s.Dial(t)
			var dumps [][]byte
			for range snapshots {
				c.BackgroundWork("BGSAVE")
				if t.Failed() {
					break
				}
				dumps = append(dumps, readFile(t, filepath.Join(s.Dir, "dump.rdb")))
			}
			moving.stop()
			for i, dump := range dumps { // not beside the load, which has both processors
				loadBank(t, "snapshot "+strconv.Itoa(i), "dump.rdb", dump)
			}
			checkBank(t, "in memory", harness.Contents(t, s))
		})
	}
}

// TestBaseIsOnePointInTime does the same with the base files of rewrites, in both forms; in the
// end, the whole log, cut off by a kill, must have the sum as well, for a transaction is logged
// whole.
func TestBaseIsOnePointInTime(t *testing.T) {
	const rewrites = 3
	seed := randtest.Seed(t)
	for _, preamble := range []string{"yes", "no"} {
		t.Run("preamble "+preamble, func(t *testing.T) {
			s := harness.StartSubject(t, "io-threads 2", "appendonly yes", "aof-use-rdb-preamble "+preamble)
			openBank(t, s)
			moving := keepMoving(t, s, seed)
			c := s.Dial(t)
			var bases [][]byte
			for range rewrites {
				c.BackgroundWork("BGREWRITEAOF")
				names, err := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.base.*"))
				if err != nil || len(names) == 0 {
					t.Fatalf("%q, %v", names, err)
				}
				newest := names[len(names)-1] // the one it replaces may be there for a moment longer; numbers have one digit here
				bases = append(bases, readFile(t, newest))
			}
			harness.Eventually(t, harness.Patience, "there is a log behind the base", func() bool {
				return t.Failed() || c.InfoInt("persistence", "aof_current_size") > c.InfoInt("persistence", "aof_base_size")+1<<20
			})
			moving.killed.Store(true)
			s.Kill(t)
			moving.stop()
			for i, base := range bases {
				if preamble == "yes" {
					loadBank(t, "base "+strconv.Itoa(i), "dump.rdb", base)
				} else {
					loadBank(t, "base "+strconv.Itoa(i), "appendonly.aof", base, "appendonly yes")
				}
			}
			checkBank(t, "after the kill, with Redis", harness.Contents(t, harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))))
			checkBank(t, "after the kill", harness.Contents(t, s.Restart(t)))
		})
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// loadBank starts both servers on a file that holds the whole data set: a snapshot, or a log as it
// was before there were folders.
func loadBank(t *testing.T, what, name string, content []byte, params ...string) {
	t.Helper()
	for _, start := range []starter{harness.StartSubject, harness.StartRedis} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, append(params, "dir "+dir)...)
		checkBank(t, what+" with "+s.Name, harness.Contents(t, s))
		s.Kill(t)
	}
}
