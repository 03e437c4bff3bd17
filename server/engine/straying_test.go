package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/invariants"
	"github.com/larderkv/larder/tests/randtest"
)

// scriptRow is a row SCRIPT numkeys key [key ...] command [command ...], whose commands are written
// as "incr:k".
func scriptRow(name string, undeclared func(c *Ctx) bool) Spec {
	return Spec{Name: name, Arity: -3, Flags: RunsScript | PausesAsWrite | SkipMonitor, Keys: []KeySpec{NumKeys(1, RW)}, Undeclared: undeclared, Handler: func(c *Ctx) error {
		commands := c.Args[2+len(c.Keys):]
		return runCommands(c, commands, NoShebang)
	}}
}

// runCommands runs commands as a script's, and answers with an array of their replies.
func runCommands(c *Ctx, commands [][]byte, flags ScriptFlags) error {
	c.ShowScript()
	if err := c.EnterScript("script", false, flags, 1<<20); err != nil {
		return err
	}
	var replies []byte
	for _, command := range commands {
		reply, err := c.CallInner(bytes.Split(command, []byte(":")))
		if err != nil {
			c.LeaveScript()
			return err
		}
		replies = append(replies, reply...)
	}
	c.LeaveScript()
	c.Out.Array(len(commands))
	c.Out.Raw(replies)
	return nil
}

// TestScriptsReachWhatTheyNeed: keys that a script has not declared, one by one or all, before and
// after it has written, in a transaction too.
func TestScriptsReachWhatTheyNeed(t *testing.T) {
	for name, c := range map[string]struct{ lines, want string }{
		"declared":    {"script 1 k incr:k get:k held:k", "*3 :1 $1 1 +false"},
		"proved":      {"proved 2 k l incr:k incr:l", "*2 :1 :1"},
		"undeclared":  {"script 1 k incr:a incr:k incr:b get:a swapvalues:c:d", "*5 :1 :1 :1 $1 1 +OK"},
		"none":        {"script 0 incr:a get:b", "*2 :1 $-1"},
		"all":         {"script 1 k incr:k incr:a size flush size incr:b", "*6 :1 :1 :2 +OK :0 :1"},
		"strays":      {"script 1 k held:k held:k:other held:k", "*3 +false +true +true"},
		"not held on": {"script 1 k held:k:other\nheld k", "*1 +true +false"},
		"transaction": {"multi\nscript 1 k incr:k incr:a size\nincr k\nproved 1 b incr:b\nexec\nheld k",
			"+OK +QUEUED +QUEUED +QUEUED *3 *3 :1 :1 :2 :2 *1 :1 +false"},
		"database": {"script 1 k select:1 incr:a incr:k select:0 get:k", "*5 +OK :1 :1 +OK $-1"},
	} {
		t.Run(name, func(t *testing.T) { newRig(t).connect().expect(c.lines, c.want) })
	}
}

// TestProvedScriptThatStrays: a script that was taken for a proved one gets what is free, and waits
// if nobody else may; only if somebody else has the right is its command refused.
func TestProvedScriptThatStrays(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	st := r.kernel.Store
	c.expect("proved 1 k incr:k incr:other", "*2 :1 :1")
	other := st.ShardOf([]byte("other"))
	if other == st.ShardOf([]byte("k")) {
		t.Fatal("two keys in one shard")
	}
	if invariants.Enabled {
		return // it panics
	}
	var locks store.Lockset
	locks.Add(other)
	locks.AddGrowth()
	locks.Lock(st)
	c.expect("proved 1 k incr:k incr:other incr:k", "*3 :2 -"+string(errStrays)+" :3")
	locks.Unlock(st)
	c.expect("proved 1 k incr:k incr:other", "*2 :4 :2")
}

// TestScriptsThatStrayAtEveryPoint: scripts increment all counters, of which they have declared the
// first few: they stray after 0, 1, 2 ... writes, in any order. Others increment and swap, lock all
// shards, and run transactions with such scripts inside. Nobody sees some counters incremented and
// others not, nothing is counted twice or lost, and all of it comes to an end.
func TestScriptsThatStrayAtEveryPoint(t *testing.T) {
	r := newRigOn(t, nil, "--busy-reply-threshold", "0")
	seed := randtest.Seed(t)
	const counters, rounds = 6, 150
	setup := r.connect()
	for i := range counters {
		setup.do(fmt.Sprintf("set k%d 0", i))
	}
	var clients sync.WaitGroup
	for w := range 6 {
		c := r.connect()
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		clients.Go(func() {
			for i := range rounds {
				for _, lines := range strayingRound(rng, i%(counters+1), counters) {
					if got := c.doInTurn(lines); strings.Contains(got, "-") {
						t.Errorf("%s: %s", lines, got)
					}
				}
				got := c.doInTurn("multi\nget k0\nget k1\nget k2\nget k3\nget k4\nget k5\nexec")
				if sum := sumOf(t, got[strings.LastIndex(got, "*"):]); sum%counters != 0 {
					t.Errorf("half a script was seen: %s", got)
				}
			}
		})
	}
	clients.Wait()
	got := setup.do("multi\nget k0\nget k1\nget k2\nget k3\nget k4\nget k5\nexec")
	if sum, want := sumOf(t, got[strings.LastIndex(got, "*"):]), 6*rounds*counters*3; sum != want {
		t.Errorf("the counters add up to %d, want %d", sum, want)
	}
}

// doInTurn is do for a client that has to wait when the script of another one takes long, which on a
// busy machine any may.
func (c *client) doInTurn(lines string) string {
	in, all := []byte(strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n"), []byte(nil)
	for (len(in) > 0 || c.next == netloop.Block) && c.next <= netloop.Block {
		if c.next != netloop.Block {
			taken, out, next := c.data(in, all)
			in, all, c.next = in[taken:], out, next
			continue
		}
		for end := time.Now().Add(patience); !c.conn.resumed.CompareAndSwap(true, false); runtime.Gosched() {
			if time.Now().After(end) {
				c.t.Errorf("%s: the client still waits", lines)
				return ""
			}
		}
		all = append(all, c.resume()...)
	}
	return strings.TrimSuffix(strings.ReplaceAll(string(all), "\r\n", " "), " ")
}

// strayingRound is three scripts with so many declared keys, the last in a transaction, and something
// for which others need several shards.
func strayingRound(rng *rand.Rand, declared, counters int) []string {
	script := func() string {
		keys := rng.Perm(counters)
		line := fmt.Sprintf("script %d", declared)
		for _, k := range keys[:declared] {
			line += fmt.Sprintf(" k%d", k)
		}
		if declared == counters && rng.IntN(2) == 0 {
			line = strings.Replace(line, "script", "proved", 1)
		}
		for _, k := range keys {
			line += fmt.Sprintf(" incr:k%d", k)
		}
		return line
	}
	a, b := rng.IntN(counters), rng.IntN(counters)
	return []string{
		script(), fmt.Sprintf("swapvalues k%d k%d", a, b), "size",
		script(), "multi\n" + fmt.Sprintf("get k%d\n", a) + script() + "\nexec",
	}
}

// sumOf adds up the values of an array of bulk strings.
func sumOf(t *testing.T, reply string) (sum int) {
	fields := strings.Fields(reply)
	for i := 2; i < len(fields); i += 2 {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			t.Errorf("%q: %v", reply, err)
		}
		sum += n
	}
	return sum
}

// TestLocksOfScriptsCostNoMemory: neither locks that are there nor those that a script adds.
func TestLocksOfScriptsCostNoMemory(t *testing.T) {
	r := newRig(t)
	c := newCtx(r.kernel)
	row := r.kernel.Table.Resolve([][]byte{[]byte("get")})
	key := []byte("undeclared")
	if n := testing.AllocsPerRun(100, func() {
		c.locks.Reset()
		c.locks.AddGrowth()
		c.lock()
		c.Keys = append(c.Keys[:0], c.Store.Key(key))
		if err := c.reach(row); err != nil {
			t.Error(err)
		}
		c.unlock()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
