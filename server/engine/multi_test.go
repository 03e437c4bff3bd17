package engine

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

func TestTransactions(t *testing.T) {
	for name, c := range map[string]struct{ lines, want string }{
		"runs":            {"multi\nset k 1\nincr k\nget k\nexec\nget k", "+OK +QUEUED +QUEUED +QUEUED *3 +OK :2 $1 2 $1 2"},
		"empty":           {"multi\nexec", "+OK *0"},
		"discard":         {"multi\nset k 1\ndiscard\nget k", "+OK +QUEUED +OK $-1"},
		"nested":          {"multi\nmulti\nset k 1\nexec", "+OK -ERR MULTI calls can not be nested +QUEUED *1 +OK"},
		"watch inside":    {"multi\nwatch k\nset k 1\nexec", "+OK -ERR WATCH inside MULTI is not allowed +QUEUED *1 +OK"},
		"without":         {"exec\ndiscard", "-ERR EXEC without MULTI -ERR DISCARD without MULTI"},
		"unknown":         {"multi\nnope\nset k 1\nexec\nget k", "+OK -ERR unknown command 'nope', with args beginning with:  +QUEUED -" + string(ErrExecAbort) + " $-1"},
		"arity":           {"multi\nset k\nexec\nexec", "+OK -ERR wrong number of arguments for 'set' command -" + string(ErrExecAbort) + " -ERR EXEC without MULTI"},
		"exec refused":    {"multi\nexec x\nexec", "+OK -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command -ERR EXEC without MULTI"},
		"no roll back":    {"multi\nset k a\nincr k\nset k b\nexec\nget k", "+OK +QUEUED +QUEUED +QUEUED *3 +OK -ERR value is not an integer or out of range +OK $1 b"},
		"select":          {"multi\nselect 1\nset k 1\nexec\nget k\nselect 0\nget k", "+OK +QUEUED +QUEUED *2 +OK +OK $1 1 +OK $-1"},
		"all shards":      {"set a 1\nmulti\nsize\nflush\nsize\nset b 1\nexec\nsize", "+OK +OK +QUEUED +QUEUED +QUEUED +QUEUED *4 :1 +OK :0 +OK :1"},
		"unwatch in exec": {"watch k\nmulti\nunwatch\nset k 1\nexec", "+OK +OK +QUEUED +QUEUED *2 +OK +OK"},
		"own change":      {"watch k\nset k 1\nmulti\nget k\nexec\nmulti\nget k\nexec", "+OK +OK +OK +QUEUED *-1 +OK +QUEUED *1 $1 1"},
		"unwatch":         {"watch k\nset k 1\nunwatch\nmulti\nget k\nexec", "+OK +OK +OK +OK +QUEUED *1 $1 1"},
		"discard unwatches": {"watch k\nset k 1\nmulti\ndiscard\nmulti\nget k\nexec",
			"+OK +OK +OK +OK +OK +QUEUED *1 $1 1"},
		"quit":  {"multi\nset k 1\nquit\nexec", "+OK +QUEUED +OK"},
		"reset": {"multi\nset k 1\nreset\nexec", "+OK +QUEUED +RESET -ERR EXEC without MULTI"},
	} {
		t.Run(name, func(t *testing.T) { newRig(t).connect().expect(c.lines, c.want) })
	}
}

func TestWatchSeesOthers(t *testing.T) {
	for name, c := range map[string]struct {
		before, change string
		expire         int64 // milliseconds that pass
		broken         bool
	}{
		"nothing":               {broken: false},
		"a read":                {before: "set k 1", change: "get k", broken: false},
		"another key":           {change: "set other 1", broken: false},
		"a write":               {change: "set k 1", broken: true},
		"the same value":        {before: "set k 1", change: "set k 1", broken: true},
		"another database":      {change: "select 1\nset k 1", broken: false},
		"a flush":               {before: "set k 1", change: "flush", broken: true},
		"a flush of nothing":    {change: "flush", broken: false},
		"a write in a MULTI":    {change: "multi\nset k 1\nexec", broken: true},
		"time":                  {before: "set k 1 px 100", expire: 101, broken: true},
		"not yet":               {before: "set k 1 px 100", expire: 99, broken: false},
		"time, and a new value": {before: "set k 1 px 100", expire: 101, change: "set k 1", broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, b := r.connect(), r.connect()
			if c.before != "" {
				b.do(c.before)
			}
			a.expect("watch k x\nmulti\nset y 1", "+OK +OK +QUEUED")
			r.now.Add(c.expire)
			if c.change != "" {
				b.do(c.change)
			}
			want := "*1 +OK"
			if c.broken {
				want = "*-1"
			}
			a.expect("exec", want)
			a.expect("multi\nset y 1\nexec", "+OK +QUEUED *1 +OK") // and it is over
		})
	}
}

// TestWatchOfAnExpiredKey: what was gone when WATCH came cannot go again.
func TestWatchOfAnExpiredKey(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	b.do("set k 1 px 100")
	r.now.Add(101)
	a.do("watch k\nmulti\nset y 1")
	a.expect("exec", "*1 +OK")
}

func TestQueueIsBounded(t *testing.T) {
	r := newRig(t)
	r.configure("client-query-buffer-limit", "1mb")
	c := r.connect()
	c.do("multi")
	request := "set k " + strings.Repeat("v", 60<<10)
	for range 20 {
		c.do(request)
	}
	if !c.conn.killed.Load() || netloop.CloseReason(c.conn.reason.Load()) != netloop.QueryBufferLimit {
		t.Error("the client may queue without end")
	}
}

// TestTransactionsAreIsolated moves units between counters in transactions that
// take the shards in opposite orders. A deadlock or a torn transaction shows.
func TestTransactionsAreIsolated(t *testing.T) {
	r := newRig(t)
	const keys, rounds = 6, 300
	setup := r.connect()
	for i := range keys {
		setup.do(fmt.Sprintf("set k%d 0", i))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		c := r.connect()
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				a, b := (w+i)%keys, (w+i*5+1)%keys
				c.do(fmt.Sprintf("multi\nincr k%d\nincr k%d\nexec", a, b))
				c.do(fmt.Sprintf("swapvalues k%d k%d", b, a))
				got := c.do("multi\nget k0\nget k1\nget k2\nget k3\nget k4\nget k5\nexec")
				fields := strings.Fields(got[strings.LastIndex(got, "*"):])
				sum := 0
				for j := 2; j < len(fields); j += 2 {
					n, err := strconv.Atoi(fields[j])
					if err != nil {
						t.Errorf("%q: %v", got, err)
						return
					}
					sum += n
				}
				if sum%2 != 0 {
					t.Errorf("half a transaction was seen: %s", got)
					return
				}
			}
		}()
	}
	wg.Wait()
	total := 0
	for i := range keys {
		n, err := strconv.Atoi(strings.Fields(setup.do(fmt.Sprintf("get k%d", i)))[1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	if total != 4*rounds*2 {
		t.Errorf("the counters add up to %d, want %d", total, 4*rounds*2)
	}
}

// TestStrayingRequestsLockAll: a request that looks at keys which it does not name holds every
// shard, in a transaction too; another request of the same row does not.
func TestStrayingRequestsLockAll(t *testing.T) {
	c := newRig(t).connect()
	c.expect("held k\nheld k other\nmulti\nheld k\nexec\nmulti\nheld k\nheld k other\nexec",
		"+false +true +OK +QUEUED *1 +false +OK +QUEUED +QUEUED *2 +true +true")
}
