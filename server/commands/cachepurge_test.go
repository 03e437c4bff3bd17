package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// purgeRig is a kernel whose background work is done by the test.
type purgeRig struct {
	*logRig
	*testClient
}

func newPurgeRig(t *testing.T, keys int) *purgeRig {
	t.Helper()
	r := &purgeRig{logRig: newLogRig(t, "no")}
	r.testClient = r.client()
	for i := range keys {
		for _, prefix := range []string{"a:", "b:"} {
			r.do("SET", fmt.Sprint(prefix, i), "v")
		}
	}
	return r
}

// work does what the background work would at one moment, and returns the number of steps.
func (r *purgeRig) work() (steps int) {
	now := time.UnixMilli(r.logRig.now.Load())
	for r.logRig.kernel.PurgeStep(now) {
		if steps++; steps > 100_000 {
			r.logRig.t.Fatal("the purges do not come to an end")
		}
	}
	return steps
}

// status is the field of a purge in STATUS.
func (r *purgeRig) status(id, field string) string {
	r.logRig.t.Helper()
	reply := r.do("CACHE.PURGE", "STATUS", id)
	_, rest, found := strings.Cut(reply, fmt.Sprintf("%q ", field))
	if !found {
		r.logRig.t.Fatalf("%s has no field %s", reply, field)
	}
	value, _, _ := strings.Cut(rest, " ")
	return strings.TrimRight(value, "]")
}

func (r *purgeRig) expectStatus(id, field, want string) {
	r.logRig.t.Helper()
	if got := r.status(id, field); got != want {
		r.logRig.t.Errorf("%s of purge %s is %s, want %s", field, id, got, want)
	}
}

func TestPurge(t *testing.T) {
	r := newPurgeRig(t, 3000)
	r.do("SADD", "a:set", "m")
	r.do("SELECT", "1")
	r.do("SET", "a:1", "of another database")
	r.do("SELECT", "0")
	before := len(loggedCommands(r.logRig, 0))
	r.expect("CACHE.PURGE START PREFIX a: TYPE String", ":1")
	r.expect("DBSIZE", ":6001")
	r.expectStatus("1", "state", `"running"`)
	r.expectStatus("1", "progress", `"0"`)
	for range 40 {
		r.logRig.kernel.PurgeStep(time.UnixMilli(r.logRig.now.Load()))
	}
	if progress := r.status("1", "progress"); progress <= `"0"` || progress >= `"1"` {
		t.Errorf("half way the progress is %s", progress)
	}
	r.work()
	r.expect("DBSIZE", ":3001")
	r.expectStatus("1", "state", `"done"`)
	r.expectStatus("1", "visited", ":6001")
	r.expectStatus("1", "deleted", ":3000")
	r.expectStatus("1", "progress", `"1"`)
	r.expectStatus("1", "match", "nil")
	r.expectStatus("1", "prefix", `"a:"`)
	r.expectStatus("1", "type", `"string"`)
	r.expectStatus("1", "user", `"default"`)
	if info := r.do("INFO", "stats"); !strings.Contains(info, `purges_running:0\r\npurged_keys:3000`) {
		t.Errorf("INFO: %s", info)
	}

	r.expect("CACHE.PURGE START MATCH *:1? RATE 1000000", ":2")
	r.expectStatus("2", "rate", ":1000000")
	r.work()
	r.expect("DBSIZE", ":2991")
	r.expectStatus("2", "deleted", ":10")

	removed := 0
	for _, line := range loggedCommands(r.logRig, before) {
		words := strings.Fields(line)
		if words[0] != "UNLINK" || len(words) > 100 {
			t.Fatalf("%s is in the log", line)
		}
		removed += len(words) - 1
	}
	if removed != 3010 {
		t.Errorf("%d keys deleted in the log", removed)
	}
	later := newTestClient(t)
	r.readLog(later.kernel.NewReplayer().Replay)
	if d := cmp.Diff(contents(r.logRig.store, 0), contents(later.kernel.Store, 0)); d != "" {
		t.Errorf("the replayed log differs (-live +replayed):\n%s", d)
	}
}

func TestPurgeRequests(t *testing.T) {
	const syntax = "-ERR syntax error, it is CACHE.PURGE START <MATCH pattern | PREFIX prefix> [TYPE type] [RATE keys-per-second]"
	r := newPurgeRig(t, 1)
	for request, want := range map[string]string{
		"CACHE.PURGE START":                      "-ERR wrong number of arguments for 'cache.purge|start' command",
		"CACHE.PURGE START TYPE string":          syntax,
		"CACHE.PURGE START TYPE string MATCH":    syntax,
		"CACHE.PURGE START MATCH a PREFIX b":     syntax,
		"CACHE.PURGE START MATCH a TYPE strings": "-ERR unknown type name 'strings'",
		"CACHE.PURGE START MATCH a RATE 0":       "-ERR RATE is the number of keys per second, and must be positive",
		"CACHE.PURGE START MATCH a RATE x":       "-ERR RATE is the number of keys per second, and must be positive",
		"CACHE.PURGE STOP 0":                     "-ERR the number of a purge must be positive",
		"CACHE.PURGE STOP 1 2":                   "-ERR syntax error, it is CACHE.PURGE STOP [id]",
		"CACHE.PURGE STATUS":                     "[]",
		"CACHE.PURGE STATUS 3":                   "[]",
		"CACHE.PURGE STOP":                       ":0",
		"CACHE.PURGE NOPE":                       "-ERR unknown subcommand 'NOPE'. Try CACHE.PURGE HELP.",
		"EVAL_RO " + `return(redis.call('CACHE.PURGE','START','MATCH','*')) 0`: "-ERR Write commands are not allowed from read-only scripts. script: ",
	} {
		if got := r.do(strings.Fields(request)...); !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %s\nwant %s", request, got, want)
		}
	}
	if got := r.do("CACHE.PURGE", "START", "MATCH", strings.Repeat("a", 4097)); got != "-ERR the pattern of a purge is longer than 4096 bytes" {
		t.Error(got)
	}
	for i := range 16 {
		r.expect("CACHE.PURGE START PREFIX a:", fmt.Sprintf(":%d", i+1))
	}
	r.expect("CACHE.PURGE START PREFIX a:", "-ERR too many purges are running: wait, or stop one of them")
	r.expect("CACHE.PURGE STOP 3", ":1")
	r.expect("CACHE.PURGE STOP 3", ":0")
	r.expectStatus("3", "state", `"stopped"`)
	r.expect("EVAL return(redis.call('CACHE.PURGE','START','MATCH','b:*')) 0", ":17")
	r.expect("CACHE.PURGE STOP", ":16")
	r.work()
	r.expect("DBSIZE", ":2")
	if n := strings.Count(r.do("CACHE.PURGE", "STATUS"), `"id"`); n != 16 {
		t.Errorf("%d purges are remembered", n)
	}
	r.do("HELLO", "3")
	if got := r.do("CACHE.PURGE", "STATUS", "17"); !strings.HasPrefix(got, `[%["id" :17 "state" "stopped" "db" :0 "match" "b:*" "prefix" nil "type" nil "rate" :0`) {
		t.Error(got)
	}
}

// TestPurgeRate: no more keys go in any time than the bound allows, and what could not go is not made up
// for.
func TestPurgeRate(t *testing.T) {
	r := newPurgeRig(t, 2000)
	r.expect("CACHE.PURGE START PREFIX a: RATE 200", ":1")
	left := 4000
	for range 200 {
		r.work()
		var n int
		if _, err := fmt.Sscanf(r.do("DBSIZE"), ":%d", &n); err != nil {
			t.Fatal(err)
		}
		if gone := left - n; gone > 30 { // 4 in 20 ms, what it may be behind, and what was in one bucket
			t.Fatalf("%d keys at once", gone)
		}
		left = n
		r.logRig.now.Add(20)
	}
	if left < 4000-900 || left > 4000-700 {
		t.Errorf("%d of 4000 keys are left after 4 s", left)
	}
	at := time.UnixMilli(r.logRig.now.Load())
	r.work()
	if rest := r.logRig.kernel.PurgeRest(at, time.Second); rest > 100*time.Millisecond {
		t.Errorf("the background work may sleep for %v", rest)
	}
	r.expect("CONFIG SET hz 500 maxmemory-policy allkeys-lfu", "+OK")
	r.expect("CACHE.PURGE START PREFIX b:", ":2") // which does not wait for the other one
	r.work()
	r.expectStatus("2", "state", `"done"`)
	r.expectStatus("1", "state", `"running"`)
}

// TestPurgeAndOtherData: a purge is of the data that there are when it starts.
func TestPurgeAndOtherData(t *testing.T) {
	r := newPurgeRig(t, 1000)
	r.do("SELECT", "1")
	r.do("SET", "a:new", "v")
	r.expect("CACHE.PURGE START PREFIX a:", ":1") // in database 1
	r.do("SELECT", "0")
	r.expect("CACHE.PURGE START PREFIX a:", ":2")
	r.logRig.kernel.PurgeStep(time.UnixMilli(r.logRig.now.Load()))
	r.expect("SWAPDB 0 1", "+OK")
	r.expectStatus("1", "db", ":0")
	r.expectStatus("2", "db", ":1")
	r.expect("CACHE.PURGE STOP 1", ":1")
	r.work()
	r.expect("EXISTS a:new", ":1")
	r.do("SELECT", "1")
	r.expect("DBSIZE", ":1000")
	r.expectStatus("2", "state", `"done"`)

	for i, flush := range []string{"FLUSHDB", "FLUSHALL"} {
		id := fmt.Sprint(3 + i)
		r.expect("CACHE.PURGE START MATCH *", ":"+id)
		r.expect(flush, "+OK")
		r.expectStatus(id, "state", `"done"`)
		r.do("SET", "later", "v")
	}
	if steps := r.work(); steps != 0 {
		t.Errorf("%d steps of purges that have ended", steps)
	}
	r.expect("CACHE.PURGE START MATCH *", ":5")
	r.do("SELECT", "2")
	r.expect("FLUSHDB", "+OK")
	r.expectStatus("5", "state", `"running"`)
}

// TestPurgeWithoutTheRight: what its user may not write stays, and a purge ends with the right to it.
func TestPurgeWithoutTheRight(t *testing.T) {
	r := newPurgeRig(t, 100)
	r.do("SET", "c:1", "v")
	r.expect("ACL SETUSER u on nopass ~a:* %R~b:* +cache.purge +select", "+OK")
	r.expect("ACL SETUSER other on nopass ~* +@read +@string", "+OK")
	u := r.client()
	u.expect("AUTH other x", "+OK")
	u.expect("CACHE.PURGE START MATCH *", "-NOPERM User other has no permissions to run the 'cache.purge|start' command")
	u.expect("AUTH u x", "+OK")
	u.expect("CACHE.PURGE START MATCH *", ":1")
	r.work()
	r.expectStatus("1", "deleted", ":100")
	r.expectStatus("1", "user", `"u"`)
	r.expect("DBSIZE", ":101")

	u.expect("CACHE.PURGE START MATCH *", ":2")
	r.expect("ACL SETUSER u %W~b:1*", "+OK") // since
	r.work()
	r.expectStatus("2", "deleted", ":11")
	u.expect("CACHE.PURGE START MATCH *", ":3")
	u.expect("CACHE.PURGE START MATCH *", ":4")
	r.expect("ACL SETUSER u -cache.purge", "+OK")
	r.work()
	r.expectStatus("3", "state", `"refused"`)
	r.expect("ACL SETUSER u +cache.purge ~*", "+OK")
	u.expect("CACHE.PURGE START MATCH *", ":5")
	r.expect("ACL DELUSER u", ":1")
	r.work()
	r.expectStatus("5", "state", `"refused"`)
	r.expect("DBSIZE", ":90")
}

// TestPurgeWaits while nothing may change, and goes on then.
func TestPurgeWaits(t *testing.T) {
	r := newPurgeRig(t, 100)
	r.expect("MULTI", "+OK")
	r.expect("CACHE.PURGE START PREFIX a:", "+QUEUED")
	r.expect("CLIENT PAUSE 1000 WRITE", "+QUEUED")
	r.expect("EXEC", "[:1 +OK]")
	r.work()
	r.expect("DBSIZE", ":200")
	r.expect("CLIENT UNPAUSE", "+OK")
	r.work()
	r.expect("DBSIZE", ":200") // it looks again in some milliseconds
	r.logRig.now.Add(10)
	r.work()
	r.expect("DBSIZE", ":100")
}

// TestPurgeBoundsAStep: a step visits and deletes few keys, however many there are.
func TestPurgeBoundsAStep(t *testing.T) {
	r := newPurgeRig(t, 20_000)
	r.expect("CACHE.PURGE START PREFIX a:", ":1")
	r.expect("CACHE.PURGE START PREFIX none:", ":2")
	now := time.UnixMilli(r.logRig.now.Load())
	size := func() int { return r.logRig.store.DB(0).Keys }
	most, before := 0, size()
	for steps := 0; r.logRig.kernel.PurgeStep(now); steps++ {
		n := size()
		most, before = max(most, before-n), n
		if steps == 3 { // two of each
			var visited int
			if _, err := fmt.Sscanf(r.status("2", "visited"), ":%d", &visited); err != nil || visited < 512 || visited > 2*600 {
				t.Errorf("%d keys visited in two steps, %v", visited, err)
			}
		}
	}
	if most > 2*64 { // the last bucket may have some more
		t.Errorf("%d keys deleted in a step", most)
	}
	r.expectStatus("1", "deleted", ":20000")
	r.expectStatus("2", "deleted", ":0")
}
