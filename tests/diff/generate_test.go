package diff

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// steps is the number of generated calls per run; a run exists for each protocol and driver.
const steps = 12000

// TestGenerated draws calls from the grammar and sends each to both servers.
func TestGenerated(t *testing.T) {
	seed := randtest.Seed(t)
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		for proto := 2; proto <= 3; proto++ {
			t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
				t.Parallel()
				larder := harness.Start(t, "network-driver "+driver, "enable-debug-command yes")
				redis := harness.StartRedis(t)
				g := &generator{
					t: t, d: &drawer{rand.New(rand.NewPCG(seed, uint64(proto))), time.Now()},
					duel: duel{larder.DialRESP(t, proto), redis.DialRESP(t, proto)},
				}
				for range steps {
					g.step()
					if t.Failed() {
						t.Fatalf("SEED=%d; the last calls:\n%s", seed, strings.Join(g.history, "\n"))
					}
				}
				g.compareKeyspaces()
			})
		}
	})
}

// generator drives one pair of connections.
type generator struct {
	duel
	t       *testing.T
	d       *drawer
	history []string // the last calls, for a failure
}

func (g *generator) remember(args []string) {
	const most = 25
	g.history = append(g.history, show(args))
	if len(g.history) > most {
		g.history = g.history[1:]
	}
}

func (g *generator) step() {
	row := grammar[g.d.IntN(len(grammar))]
	if row.compare == rare && g.d.IntN(20) != 0 {
		return
	}
	if row.compare == transaction {
		g.transaction()
		return
	}
	args := g.d.draw(row.call)
	if g.d.IntN(6) == 0 {
		if args = g.d.damage(args); livesShortly(args) || mayMixScores(args) {
			return
		}
	}
	if !tooDangerous(args) {
		g.call(args, row.compare)
	}
}

// livesShortly tells damaged calls that may have got a time of a few milliseconds or seconds: what
// they touch would go at another moment on the other server.
func livesShortly(args []string) bool {
	switch strings.ToUpper(args[0]) {
	case "SET", "GETEX", "SETEX", "PSETEX", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT":
	case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP": // it might wait for ever
		return true
	default:
		return false
	}
	return slices.ContainsFunc(args[1:], func(a string) bool {
		n, err := strconv.Atoi(a)
		return err == nil && n > 0 && n < 100_000
	})
}

// mayMixScores tells damaged calls that could give other scores to the sorted sets whose ranges are
// compared by name: a source may have become the destination. What such a range is with mixed scores is
// for chance to say on Redis.
func mayMixScores(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return slices.Contains(lexKeys, a) })
}

// tooDangerous are damaged calls that would make the oracle itself hang or eat the machine, or that
// end the comparison.
func tooDangerous(args []string) bool {
	switch strings.ToUpper(args[0]) {
	case "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER": // a huge negative count asks for that many elements, and Redis obliges
		return slices.ContainsFunc(args[1:], func(a string) bool { return len(a) > 6 && a[0] == '-' })
	case "ZRANK", "ZREVRANK": // 7.0 does not know WITHSCORE: one argument more aborts a transaction there
		return len(args) == 4
	case "COMMAND": // the list has no order
		return len(args) < 3
	case "CONFIG": // a pattern would ask for every parameter; the oracle takes a NUL for the end of a value
		return slices.ContainsFunc(args[1:], func(a string) bool { return strings.ContainsAny(a, "*\x00") })
	case "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP": // nobody ends a wait without a limit
		return slices.ContainsFunc(args[1:], func(a string) bool {
			seconds, err := strconv.ParseFloat(a, 64)
			return err == nil && (seconds == 0 || seconds > 1)
		})
	case "SETRANGE": // half a gigabyte of zeros
		return slices.ContainsFunc(args[1:], func(a string) bool { return len(a) > 6 && a[0] >= '1' && a[0] <= '9' && len(a) < 10 })
	}
	return false
}

func (g *generator) fail(args []string, a, b harness.Reply) {
	g.t.Helper()
	g.t.Errorf("%s\n  larder %v\n  redis  %v", show(args), a, b)
}

// call sends one call to both and compares as the row says.
func (g *generator) call(args []string, how compare) {
	g.t.Helper()
	g.remember(args)
	switch how {
	case random, popped:
		g.randomCall(args, how == popped)
		return
	case scan:
		g.scanCall(args)
		return
	}
	a, b := g.do(args)
	if !modeOf(how).equal(a, b) && !excused(exceptions, args, a, b) && !excused(generatedExceptions, args, a, b) {
		g.fail(args, a, b)
	}
}

func modeOf(how compare) mode {
	switch how {
	case sameSet:
		return anyOrder
	case samePairs:
		return pairs
	case sameNear:
		return near
	case sameKindOnly:
		return kind
	}
	return exact
}

// transaction queues a few calls whose replies can be compared exactly, some of them wrong, and
// ends it.
func (g *generator) transaction() {
	g.call([]string{"MULTI"}, same)
	for range g.d.IntN(5) {
		row := grammar[g.d.IntN(len(grammar))]
		if row.compare != same || strings.HasPrefix(row.call, "OBJECT ENCODING") ||
			strings.HasPrefix(row.call, "SORT") && !strings.HasSuffix(row.call, "STORE key") { // their exceptions do not hold for EXEC
			continue
		}
		args := g.d.draw(row.call)
		if g.d.IntN(12) == 0 {
			if args = g.d.damage(args); livesShortly(args) || mayMixScores(args) {
				continue
			}
		}
		if !tooDangerous(args) {
			g.call(args, same)
		}
	}
	g.call([]string{[]string{"EXEC", "EXEC", "EXEC", "DISCARD"}[g.d.IntN(4)]}, same)
}

// population is what a random call may return: read from larder before the call.
func (g *generator) population(args []string) map[string]string {
	var r harness.Reply
	name := strings.ToUpper(args[0])
	switch {
	case name == "RANDOMKEY":
		r = g.larder.Do("KEYS", "*")
	case len(args) < 2:
		return nil
	case name == "HRANDFIELD":
		r = g.larder.Do("HGETALL", args[1])
	case name == "ZRANDMEMBER":
		r = g.larder.Do("ZRANGE", args[1], "0", "-1", "WITHSCORES")
	default:
		r = g.larder.Do("SMEMBERS", args[1])
	}
	of := map[string]string{}
	if r.IsError() {
		return of
	}
	if name == "ZRANDMEMBER" && len(r.Elems) > 0 && r.Elems[0].Kind == '*' { // RESP3 nests the pairs
		for _, pair := range r.Elems {
			of[pair.Elems[0].Raw] = pair.Elems[1].Raw
		}
		return of
	}
	if name == "HRANDFIELD" || name == "ZRANDMEMBER" {
		for pair := range slices.Chunk(r.Elems, 2) {
			of[pair[0].Raw] = pair[1].Raw
		}
		return of
	}
	for _, e := range r.Elems {
		of[e.Raw] = ""
	}
	return of
}

// randomCall compares the shapes of two random replies, and checks that larder drew from what is
// there, without repetition where the command promises that.
func (g *generator) randomCall(args []string, remove bool) {
	from := g.population(args)
	a, b := g.do(args)
	switch {
	case a.IsError() || b.IsError() || a.IsNull() || b.IsNull():
		if a.Raw != b.Raw {
			g.fail(args, a, b)
		}
	case a.Kind != b.Kind || len(a.Elems) != len(b.Elems):
		g.fail(args, a, b)
	default:
		if !drawnFrom(args, a, from) {
			g.t.Errorf("%s: %v is not drawn from %q", show(args), a, from)
		}
	}
	if remove && !a.IsError() {
		g.call([]string{"DEL", args[1]}, sameKindOnly)
	}
}

func drawnFrom(args []string, r harness.Reply, from map[string]string) bool {
	elems := r.Elems
	if len(elems) == 0 && r.Kind == '$' {
		elems = []harness.Reply{r}
	}
	withValues := len(args) > 3
	repeats := len(args) > 2 && strings.HasPrefix(args[2], "-")
	seen := map[string]bool{}
	for i := 0; i < len(elems); i++ {
		field := elems[i]
		value := ""
		if withValues && field.Kind == '*' { // RESP3 nests the pairs
			value, field = field.Elems[1].Raw, field.Elems[0]
		} else if withValues {
			i++
			value = elems[i].Raw
		}
		is, there := from[field.Raw]
		if !there || withValues && is != value || seen[field.Raw] && !repeats {
			return false
		}
		seen[field.Raw] = true
	}
	return true
}

// scanCall follows a scan that starts at zero to its end on both servers and compares what they
// found; cursors mean nothing to another server, so from any other cursor only the shape is
// compared.
func (g *generator) scanCall(args []string) {
	a, b := g.do(args)
	at := 2
	if strings.EqualFold(args[0], "SCAN") {
		at = 1
	}
	switch {
	case a.IsError() || b.IsError():
		if a.Raw != b.Raw && !excused(exceptions, args, a, b) && !excused(generatedExceptions, args, a, b) {
			g.fail(args, a, b)
		}
	case len(args) <= at || args[at] != "0":
		if !sameKind(a, b) || len(a.Elems) != 2 {
			g.fail(args, a, b)
		}
	default:
		x, y := g.scanToEnd(g.larder, args, at, a), g.scanToEnd(g.redis, args, at, b)
		if !slices.Equal(x, y) {
			g.t.Errorf("%s, to the end:\n  larder %q\n  redis  %q", show(args), x, y)
		}
	}
}

func (g *generator) scanToEnd(c *harness.Conn, args []string, at int, first harness.Reply) []string {
	group, scored := 1, strings.EqualFold(args[0], "ZSCAN")
	if scored || strings.EqualFold(args[0], "HSCAN") {
		group = 2
	}
	var found []string
	args = slices.Clone(args)
	for r, rounds := first, 0; ; rounds++ {
		if len(r.Elems) != 2 || rounds > 10000 {
			g.t.Fatalf("%s: %v after %d rounds", show(args), r, rounds)
		}
		for e := range slices.Chunk(r.Elems[1].Strings(), group) {
			if scored {
				e[1] = harness.SameScore(e[1])
			}
			found = append(found, strings.Join(e, "="))
		}
		if r.Elems[0].Text == "0" {
			break
		}
		args[at] = r.Elems[0].Text
		r = c.Do(args...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// compareKeyspaces compares everything that is stored.
func (g *generator) compareKeyspaces() {
	g.t.Helper()
	for db := range 3 {
		g.call([]string{"SELECT", fmt.Sprint(db)}, same)
		g.call([]string{"DBSIZE"}, same)
		g.call([]string{"KEYS", "*"}, sameSet)
		for _, key := range g.redis.Do("KEYS", "*").Strings() {
			g.call([]string{"PEXPIRETIME", key}, sameNear)
			g.call([]string{"OBJECT", "ENCODING", key}, same)
			switch kind := g.redis.Do("TYPE", key).Text; kind {
			case "string":
				g.call([]string{"GET", key}, same)
			case "hash":
				g.call([]string{"HGETALL", key}, samePairs)
			case "set":
				g.call([]string{"SMEMBERS", key}, sameSet)
			case "list":
				g.call([]string{"LRANGE", key, "0", "-1"}, same)
			case "zset":
				g.call([]string{"ZRANGE", key, "0", "-1", "WITHSCORES"}, same)
			default:
				g.t.Errorf("%q has the type %s", key, kind)
			}
		}
	}
}
