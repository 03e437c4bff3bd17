package diff

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestRefusedWithoutMemory calls everything in the grammar at a maxmemory that has long been
// passed, by itself and inside MULTI, and lets transactions run that were queued before. What is
// refused is refused by both, and what is not answers the same.
func TestRefusedWithoutMemory(t *testing.T) {
	seed := randtest.Seed(t)
	for proto := 2; proto <= 3; proto++ {
		t.Run([]string{2: "RESP2", 3: "RESP3"}[proto], func(t *testing.T) {
			t.Parallel()
			larder, redis := harness.Start(t, "enable-debug-command yes"), harness.StartRedis(t)
			g := &generator{
				t: t, d: &drawer{rand.New(rand.NewPCG(seed, uint64(proto))), time.Now()},
				duel: duel{larder.DialRESP(t, proto), redis.DialRESP(t, proto)},
			}
			other := duel{larder.Dial(t), redis.Dial(t)}
			limit := func(bytes string) {
				if a, b := other.do([]string{"CONFIG", "SET", "maxmemory", bytes}); a.Raw != "+OK\r\n" || b.Raw != a.Raw {
					t.Fatalf("CONFIG SET maxmemory %s: larder %v, redis %v", bytes, a, b)
				}
			}
			for _, row := range grammar {
				if row.compare == transaction {
					continue
				}
				limit("0")
				for range 30 {
					g.step()
				}
				limit("1")
				for range 3 {
					g.drawn(row.call, row.compare)
				}
				inMulti(g, row.call, row.compare)
				if row.compare == same && !strings.HasPrefix(row.call, "OBJECT ENCODING") {
					limit("0")
					g.call([]string{"MULTI"}, same)
					g.drawn(row.call, same)
					limit("1")
					g.call([]string{"EXEC"}, same)
				}
				if t.Failed() {
					t.Fatalf("SEED=%d; the last calls:\n%s", seed, strings.Join(g.history, "\n"))
				}
			}
			limit("0")
			g.compareKeyspaces()
		})
	}
}

// drawn sends a call of a row, unless it would be too dangerous.
func (g *generator) drawn(call string, how compare) {
	g.t.Helper()
	if args := g.d.draw(call); !tooDangerous(args) {
		g.call(args, how)
	}
}

// inMulti sends a call of a row inside MULTI. Only its own reply and that of EXEC matter, which are
// errors.
func inMulti(g *generator, call string, how compare) {
	g.t.Helper()
	args := g.d.draw(call)
	if tooDangerous(args) {
		return
	}
	if how != rare {
		how = same
	}
	g.call([]string{"MULTI"}, same)
	g.call(args, how)
	g.call([]string{"EXEC"}, same)
	g.call([]string{"UNWATCH"}, same)
}

// alone are commands that would end the comparison, or that nobody answers.
var alone = []string{
	"shutdown", "quit", "debug", "monitor", "wait", "waitaof", "migrate", "client|reply", "client|kill", "hello", "auth", "save", "bgsave",
	"bgrewriteaof", "config|set", "config|rewrite", "exec", "discard", "reset", "multi",
}

// TestWhoIsRefused asks each command of the table, with arguments that fit its arity, whether it is
// refused for lack of memory: as in Redis, and those with the flag denyoom.
func TestWhoIsRefused(t *testing.T) {
	larder, redis := harness.Start(t), harness.StartRedis(t)
	d := duel{larder.Dial(t), redis.Dial(t)}
	known := commandInfo(d.redis)
	d.do([]string{"CONFIG", "SET", "maxmemory", "1"})
	oom := func(r harness.Reply) bool { return strings.HasPrefix(r.Raw, "-OOM ") }
	asked, refused := 0, 0
	for name, info := range commandInfo(d.larder) {
		theirs, ok := known[name]
		if !ok || isContainer(info) || // its subcommands are asked
			slices.ContainsFunc(alone, func(a string) bool { return strings.HasPrefix(name, a) }) {
			continue
		}
		arity, _ := info.Elems[1].Int()
		other, _ := theirs.Elems[1].Int() // a few commands take less since 7.2
		args := strings.Split(name, "|")
		for int64(len(args)) < max(arity, -arity, -other) {
			args = append(args, "1")
		}
		asked++
		a, b := d.do(args)
		if oom(a) != oom(b) || oom(a) != slices.Contains(info.Elems[2].Strings(), "denyoom") {
			t.Errorf("%s\n  larder %v\n  redis  %v", show(args), a, b)
		}
		if oom(a) {
			refused++
		}
		d.do([]string{"MULTI"})
		if a, b = d.do(args); oom(a) != oom(b) {
			t.Errorf("MULTI, %s\n  larder %v\n  redis  %v", show(args), a, b)
		}
		d.do([]string{"DISCARD"})
	}
	if asked < 100 || refused < 20 {
		t.Errorf("%d commands were asked, %d refused", asked, refused)
	}
}
