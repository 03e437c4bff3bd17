package evict

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// Money moves between accounts that no volatile policy may evict, while keys with a time to live
// are pressed out around them. Every file is one point in time, so it has every account and the
// whole sum.
const (
	accounts = 1000
	wealth   = 1000 // of each at the beginning
)

func account(i int) string { return name("account", i) }

// openBank makes the accounts, half of them as fields of a hash.
func openBank(c *cache) {
	c.must(accounts, func(i int) []string { return []string{"SET", account(i), strconv.Itoa(wealth)} })
	c.must(accounts, func(i int) []string { return []string{"HSET", "bank", account(i), strconv.Itoa(wealth)} })
}

// transfer moves money from somewhere to somewhere else.
func transfer(b *harness.Batch, rng *rand.Rand) {
	from, to, x := account(rng.IntN(accounts)), account(rng.IntN(accounts)), strconv.Itoa(rng.IntN(100))
	b.Add("MULTI")
	if rng.IntN(2) == 0 {
		b.Add("DECRBY", from, x)
	} else {
		b.Add("HINCRBY", "bank", from, "-"+x)
	}
	if rng.IntN(2) == 0 {
		b.Add("INCRBY", to, x)
	} else {
		b.Add("HINCRBY", "bank", to, x)
	}
	b.Add("EXEC")
}

// checkBank holds a data set against what every point in time has.
func checkBank(t *testing.T, what string, all map[harness.Key]harness.Value) {
	t.Helper()
	var values []string
	for k, v := range all {
		if strings.HasPrefix(k.Name, "account:") {
			values = append(values, v.Data)
		}
	}
	for line := range strings.Lines(all[harness.Key{Name: "bank"}].Data) {
		_, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		values = append(values, strings.Trim(quoted, `"`))
	}
	sum := 0
	for _, v := range values {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("%s: an account holds %q", what, v)
		}
		sum += n
	}
	if len(values) != 2*accounts || sum != 2*accounts*wealth {
		t.Errorf("%s: %d accounts with the sum %d, want %d with %d", what, len(values), sum, 2*accounts, 2*accounts*wealth)
	}
}

// press has clients write keys with a time to live: strings, and collections that grow and go.
func press(l *load, s *harness.Server, seed uint64, clients int) {
	for id := range uint64(clients) {
		rng := rand.New(rand.NewPCG(seed, 100+id))
		l.run(s.Dial(l.t), func(b *harness.Batch, _ int) {
			for range 40 {
				key := strconv.Itoa(rng.IntN(200_000))
				switch rng.IntN(8) {
				case 0:
					b.Add("HSET", "h:"+key, "field "+key, key)
					b.Add("EXPIRE", "h:"+key, "100000")
				case 1:
					args := []string{"SADD", "s:" + strconv.Itoa(rng.IntN(20))}
					for i := range 30 {
						args = append(args, key+":"+strconv.Itoa(i))
					}
					b.Add(args...)
					b.Add("EXPIRE", args[1], "100000")
				case 2:
					b.Add("APPEND", key, "more")
					b.Add("EXPIRE", key, "100000")
				case 3:
					b.Add("GETEX", key, "EX", "50000")
				default:
					b.Add("SET", key, strings.Repeat("v", rng.IntN(300)), "EX", "100000")
				}
			}
		}, noError)
	}
}

// TestSnapshotsWhileEvicting saves and rewrites while keys are evicted. Each file has the bank, in
// both servers.
func TestSnapshotsWhileEvicting(t *testing.T) {
	seed := randtest.Seed(t)
	s := harness.StartSubject(t, "appendonly yes", "appendfsync no", "maxmemory-policy volatile-lru", "auto-aof-rewrite-percentage 0")
	c := newCache(t, s)
	openBank(c)
	c.must(40_000, func(i int) []string {
		return []string{"SET", strconv.Itoa(i), strings.Repeat("v", 250), "EX", "100000"}
	})
	c.room(0)
	l := newLoad(t)
	for id := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, id))
		l.run(s.Dial(t), func(b *harness.Batch, _ int) {
			for range 10 {
				transfer(b, rng)
			}
		}, noError)
	}
	press(l, s, seed, 2)
	harness.Eventually(t, patience, "keys are evicted", func() bool { return t.Failed() || c.stat("evicted_keys") > 1000 })
	commands := []string{"BGSAVE", "BGREWRITEAOF", "BGSAVE", "BGREWRITEAOF"}
	files := make([][]byte, len(commands)) // loaded when nobody writes any more: that takes long beside writers
	for i, command := range commands {
		before := c.stat("evicted_keys")
		c.BackgroundWork(command)
		harness.Eventually(t, patience, "eviction goes on", func() bool { return t.Failed() || c.stat("evicted_keys") > before })
		if t.Failed() {
			return
		}
		file := filepath.Join(s.Dir, "dump.rdb")
		if command == "BGREWRITEAOF" {
			names, err := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.base.*"))
			if err != nil || len(names) == 0 {
				t.Fatalf("%q, %v", names, err)
			}
			file = names[len(names)-1] // numbers have one digit here
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = content
	}
	l.stop()
	for i, content := range files {
		for _, start := range []func(testing.TB, ...string) *harness.Server{harness.StartBinary, harness.StartRedis} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			loaded := start(t, "dir "+dir)
			checkBank(t, strconv.Itoa(i)+": "+commands[i]+" in "+loaded.Name, harness.Contents(t, loaded))
			loaded.Kill(t)
		}
	}
	c.set("maxmemory", 0)
	checkBank(t, "in memory", harness.Contents(t, s))
}

// TestLogOfEvictions kills a server that has evicted while it rewrote its log. What comes back is
// what was there: no evicted key, and none less.
func TestLogOfEvictions(t *testing.T) {
	for _, policy := range []string{"volatile-ttl", "allkeys-lru", "allkeys-lfu"} {
		t.Run(policy, func(t *testing.T) {
			seed := randtest.Seed(t)
			s := harness.StartSubject(t, "appendonly yes", "appendfsync always", "maxmemory-policy "+policy, "auto-aof-rewrite-percentage 0")
			c := newCache(t, s)
			openBank(c)
			limit := c.room(6 << 20)
			l := newLoad(t)
			press(l, s, seed, 4)
			harness.Eventually(t, patience, "keys are evicted", func() bool { return t.Failed() || c.stat("evicted_keys") > 500 })
			c.BackgroundWork("BGREWRITEAOF")
			evicted := c.stat("evicted_keys")
			harness.Eventually(t, patience, "more keys are evicted", func() bool { return t.Failed() || c.stat("evicted_keys") > evicted+500 })
			l.stop()
			c.set("maxmemory", 0)
			want := harness.Contents(t, s)
			s.Kill(t)
			redis := harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))
			harness.SameContents(t, "loaded by Redis", want, harness.Contents(t, redis))
			again := s.Restart(t)
			harness.SameContents(t, "after the kill", want, harness.Contents(t, again))
			again.Kill(t)
			lower := limit - 3<<20
			capped := newCache(t, again.Restart(t, "maxmemory "+strconv.FormatInt(lower, 10)))
			harness.Eventually(t, patience, "memory is under a lower cap", func() bool { return capped.counted() <= lower })
			capped.set("maxmemory", 0) // it would close a client that is slow to take all of it
			for k, v := range harness.Contents(t, capped.server) {
				if want[k] != v {
					t.Errorf("%q has come back as %v, was %v", k.Name, v, want[k])
				}
			}
		})
	}
}
