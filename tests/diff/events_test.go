package diff

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// everyEvent asks for all keyspace notifications there are.
const everyEvent = "notify-keyspace-events AKEmn"

// alsoPublished are calls that the grammar does not have. VALUE stands for what DUMP says of s1.
var alsoPublished = []string{
	"DUMP key", "RESTORE key 0 value [ REPLACE ]", "RESTORE key ttl VALUE [ REPLACE ]", "RESTORE key 1 VALUE REPLACE ABSTTL",
	"FLUSHALL", "FLUSHDB", "EXPIRE key 0", "PEXPIREAT key 1", "GETEX key EXAT 1", "SET key value PXAT 1", "SWAPDB 0 1",
	"CONFIG SET notify-keyspace-events AKEmn",
}

// A witness is a server, a client that sends calls to it, and one that is told of all events.
type witness struct{ caller, told *harness.Conn }

const eventsBegin, eventsEnd = "events:begin", "events:end"

func newWitness(t *testing.T, s *harness.Server) witness {
	t.Helper()
	w := witness{s.Dial(t), s.Dial(t)}
	w.told.Do("PSUBSCRIBE", "__key*__:*")
	w.told.Do("SUBSCRIBE", eventsBegin)
	w.told.Do("SUBSCRIBE", eventsEnd)
	return w
}

// newWitnesses are of both servers, neither of which removes expired keys by itself.
func newWitnesses(t *testing.T) (larder, redis witness) {
	t.Helper()
	larder = newWitness(t, harness.Start(t, "enable-debug-command yes", everyEvent))
	redis = newWitness(t, harness.StartRedis(t, everyEvent))
	for _, w := range []witness{larder, redis} {
		w.caller.MustOK("DEBUG", "SET-ACTIVE-EXPIRE", "0")
	}
	return larder, redis
}

// eventsOf sends calls to a server with nothing but the fixture. It returns the reply to the first of
// them, and what has been published since: "channel message", in order.
func (w witness) eventsOf(t *testing.T, calls ...[]string) (reply harness.Reply, events []string) {
	t.Helper()
	var all strings.Builder
	for _, call := range slices.Concat(fixture, [][]string{{"PUBLISH", eventsBegin, ""}}, calls, [][]string{{"PUBLISH", eventsEnd, ""}}) {
		all.WriteString(harness.Encode(call...))
	}
	w.caller.WriteRaw(all.String())
	for range len(fixture) + 1 {
		w.caller.Read()
	}
	reply = w.caller.Read()
	for range calls { // the others, and the end
		w.caller.Read()
	}
	for begun := false; ; {
		r := w.told.Read()
		n := len(r.Elems)
		if n < 3 {
			t.Fatalf("%v is no message", r)
		}
		switch channel := r.Elems[n-2].Text; {
		case channel == eventsEnd:
			return reply, events
		case channel == eventsBegin:
			begun = true
		case begun:
			events = append(events, channel+" "+r.Elems[n-1].Text)
		}
	}
}

// withoutExpiry takes the expiry of s3 out of what was published, and counts it. Redis' reads remove
// an expired key, larder's leave that to whoever writes next, or to the background.
func withoutExpiry(events []string) (others []string, expiries int) {
	for _, e := range events {
		if strings.HasSuffix(e, " expired") || strings.Contains(e, ":expired ") {
			expiries++
		} else {
			others = append(others, e)
		}
	}
	return others, expiries
}

// TestEvents draws calls of every row of the grammar, some of them damaged, and compares what is
// published of each.
func TestEvents(t *testing.T) {
	const draws = 12
	seed := randtest.Seed(t)
	larder, redis := newWitnesses(t)
	redis.caller.MustOK("SET", "s1", "42")
	value := redis.caller.Do("DUMP", "s1").Text
	drawCalls(seed, draws, alsoPublished, []string{"CONFIG", "MULTI", "EXEC", "CLIENT"}, func(args []string) {
		if publishesByChance(args) {
			return
		}
		for i := range args {
			if args[i] == "VALUE" {
				args[i] = value
			}
		}
		compareEvents(t, seed, larder, redis, args)
	})
}

func compareEvents(t *testing.T, seed uint64, larder, redis witness, args []string) {
	t.Helper()
	toucher := []string{"APPEND", "s3", "x"} // for whom a key that is still there expires
	a, all := larder.eventsOf(t, args, toucher)
	got, gone := withoutExpiry(all)
	b, all := redis.eventsOf(t, args, toucher)
	want, wantGone := withoutExpiry(all)
	if !slices.Equal(got, want) || gone != wantGone {
		t.Errorf("SEED=%d: %s\n  larder %q, %d expiries, %v\n  redis  %q, %d expiries, %v", seed, show(args), got, gone, a, want, wantGone, b)
	}
}

// publishesByChance are calls of which Redis publishes what it meets on its way: SCAN with TYPE looks
// up the keys that it passes, and SORT the keys of its BY in the order in which the elements lie in
// memory. And what is stored over an expired key deletes that in Redis as if it were there.
func publishesByChance(args []string) bool {
	has := func(word string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.EqualFold(a, word) })
	}
	name := strings.ToUpper(args[0])
	switch {
	case name == "SCAN":
		return has("TYPE")
	case strings.HasPrefix(name, "SORT") && has("BY"):
		return true
	}
	return has("s3") && (name == "RESTORE" || strings.Contains(name, "STORE") || has("STORE"))
}

// TestEventsOfTransactions: the events of a transaction's commands stand between its commands.
func TestEventsOfTransactions(t *testing.T) {
	larder, redis := newWitnesses(t)
	var members string
	for i := range 200 {
		members += " m" + strconv.Itoa(i)
	}
	for _, script := range []string{
		"MULTI|SET a 1|SADD b x y|INCR a|GET nothing|SPOP b 2|SELECT 1|SET a 2|EXEC",
		"MULTI|SET a 1|LPUSH a x|RPUSH l x|RENAME l k|EXEC",
		"MULTI|SET a 1|DISCARD",
		"MULTI|SET a 1 EX 100|CONFIG SET notify-keyspace-events E$|SET a 2|GETEX a PERSIST|EXEC|INCR a|CONFIG SET notify-keyspace-events AKEmn",
		"CONFIG SET notify-keyspace-events KAmn|SET a 1|CONFIG SET notify-keyspace-events AE|SET b 1|GET c|CONFIG SET notify-keyspace-events Alm|" +
			"SET c 1|CONFIG SET notify-keyspace-events AKEmn",
		"SADD big" + members + "|SPOP big 190|SCARD big|SPOP big 10", // of which little stays, and then nothing
	} {
		var calls [][]string
		for call := range strings.SplitSeq(script, "|") {
			calls = append(calls, strings.Fields(call))
		}
		_, got := larder.eventsOf(t, calls...)
		_, want := redis.eventsOf(t, calls...)
		if !slices.Equal(got, want) || len(want) == 0 && !strings.Contains(script, "DISCARD") {
			t.Errorf("%s\n  larder %q\n  redis  %q", script, got, want)
		}
	}
}

// TestEventsOfWaiting: a client that waited causes its events once it is served, after those of the
// command that served it.
func TestEventsOfWaiting(t *testing.T) {
	var said [2][]string
	for i, s := range []*harness.Server{harness.Start(t, everyEvent), harness.StartRedis(t, everyEvent)} {
		w, waiting := newWitness(t, s), s.Dial(t)
		for n, call := range []string{"BLPOP q 0", "BLMOVE q to LEFT RIGHT 0", "BZPOPMIN q 0", "BLMPOP 0 1 q LEFT"} {
			waiting.Send(strings.Fields(call)...)
			harness.Eventually(t, harness.Patience, "the client waits", func() bool { return w.caller.Info("clients", "blocked_clients") == "1" })
			push := strings.Fields("RPUSH q a")
			if n == 2 {
				push = strings.Fields("ZADD q 1 a")
			}
			w.caller.Do(push...)
			waiting.Read()
			w.caller.Do("PUBLISH", eventsEnd, "")
			for {
				r := w.told.Read()
				if r.Elems[1].Text == eventsEnd {
					break
				}
				said[i] = append(said[i], r.Elems[2].Text+" "+r.Elems[3].Text)
			}
		}
	}
	if !slices.Equal(said[0], said[1]) {
		t.Errorf("\n  larder %q\n  redis  %q", said[0], said[1])
	}
}

// TestEventsOfExpiry: keys that nobody asks for expire and are told of all the same.
func TestEventsOfExpiry(t *testing.T) {
	for _, s := range []*harness.Server{harness.Start(t, "notify-keyspace-events Kx"), harness.StartRedis(t, "notify-keyspace-events Kx")} {
		w := newWitness(t, s)
		w.caller.MustOK("SET", "k", "v", "PX", "1")
		if r := w.told.Read(); r.Elems[2].Text != "__keyspace@0__:k" || r.Elems[3].Text != "expired" {
			t.Errorf("%s: %v", s.Name, r)
		}
	}
}
