package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/limit"
	"github.com/larderkv/larder/tests/randtest"
)

func TestThrottle(t *testing.T) {
	c := newTestClient(t)
	// The example of redis-cell's README, but for its rounding: 15 tokens behind the first, 30 in 60 s.
	c.expect("CL.THROTTLE user 15 30 60", "[:0 :16 :15 :-1 :2]")
	c.expect("TYPE user", "+string")
	c.expect("GET user", `"1700000002000000000"`)
	c.expect("PTTL user", ":2000")
	c.expect("CL.THROTTLE user 15 30 60 0", "[:0 :16 :15 :-1 :2]")
	c.expect("CL.THROTTLE user 15 30 60 15", "[:0 :16 :0 :-1 :32]")
	c.expect("CL.THROTTLE user 15 30 60", "[:1 :16 :0 :2 :32]")
	c.expect("CL.THROTTLE user 15 30 60 0", "[:0 :16 :0 :-1 :32]")
	c.expect("CL.THROTTLE user 15 30 60 16", "[:1 :16 :0 :32 :32]")
	c.expect("CL.THROTTLE user 15 30 60 17", "[:1 :16 :0 :-1 :32]")
	c.expect("GET user", `"1700000032000000000"`)
	c.now = c.now.Add(1999 * time.Millisecond)
	c.expect("CL.THROTTLE user 15 30 60", "[:1 :16 :0 :1 :31]")
	c.now = c.now.Add(time.Millisecond)
	c.expect("CL.THROTTLE user 15 30 60", "[:0 :16 :0 :-1 :32]")
	c.now = c.now.Add(32 * time.Second)
	c.expect("EXISTS user", ":0")
	c.expect("CL.THROTTLE user 15 30 60 0", "[:0 :16 :16 :-1 :0]")
	c.expect("EXISTS user", ":0")

	c.expect("CL.THROTTLE fast 0 1000000 1", "[:0 :1 :0 :-1 :1]") // a microsecond: it lives until the next millisecond
	c.expect("PTTL fast", ":1")
	c.expect("CL.THROTTLE user 1 0 60", "-"+engine.ErrRateCount.Error())
	c.expect("CL.THROTTLE user 1 1 0", "-"+engine.ErrPeriod.Error())
	c.expect("CL.THROTTLE user -1 1 1", "-"+engine.ErrMaxBurst.Error())
	c.expect("CL.THROTTLE user 1 1 1 -1", "-"+engine.ErrQuantity.Error())
	c.expect("CL.THROTTLE user 1 1 x", "-"+engine.ErrPeriod.Error())
	c.expect("CL.THROTTLE user 1 1 1 1 1", "-ERR syntax error")
	c.expect("CL.THROTTLE user 1 1", "-ERR wrong number of arguments for 'cl.throttle' command")
	c.expect("CL.THROTTLE user 1 1000000001 1", "-ERR zero rates are not supported")
	c.expect("CL.THROTTLE user 9223372036854775807 1 1", "-"+engine.ErrRateRange.Error())
	c.expect("CL.THROTTLE user 1 1 9223372036854775807", "-"+engine.ErrRateRange.Error())
	c.expect("CL.THROTTLE user 1 1 1 9223372036854775807", "[:1 :2 :2 :-1 :0]")
	c.expect("LPUSH list x", ":1")
	c.expect("CL.THROTTLE list 1 1 1", "-WRONGTYPE Operation against a key holding the wrong kind of value")
	c.expect("SET text x", "+OK")
	c.expect("CL.THROTTLE text 1 1 1", "-"+engine.ErrNotRate.Error())
}

func TestWindow(t *testing.T) {
	c := newTestClient(t)
	c.expect("CL.WINDOW user 3 1000", "[:0 :3 :2 :-1 :1000]")
	c.expect("TYPE user", "+string")
	c.now = c.now.Add(400 * time.Millisecond)
	c.expect("CL.WINDOW user 3 1000 2", "[:0 :3 :0 :-1 :1000]")
	c.expect("PTTL user", ":1000")
	c.expect("CL.WINDOW user 3 1000", "[:1 :3 :0 :600 :1000]")
	c.expect("CL.WINDOW user 3 1000 2", "[:1 :3 :0 :1000 :1000]")
	c.expect("CL.WINDOW user 3 1000 4", "[:1 :3 :0 :-1 :1000]")
	c.expect("CL.WINDOW user 3 1000 0", "[:0 :3 :0 :-1 :1000]")
	c.now = c.now.Add(599 * time.Millisecond)
	c.expect("CL.WINDOW user 3 1000", "[:1 :3 :0 :1 :401]")
	c.now = c.now.Add(time.Millisecond)
	c.expect("CL.WINDOW user 3 1000", "[:0 :3 :0 :-1 :1000]")
	c.now = c.now.Add(time.Second)
	c.expect("EXISTS user", ":0")
	c.expect("CL.WINDOW user 3 1000 0", "[:0 :3 :3 :-1 :0]")
	c.expect("EXISTS user", ":0")

	for request, want := range map[string]engine.Error{
		"CL.WINDOW user 0 1000": engine.ErrWindowLimit, "CL.WINDOW user x 1000": engine.ErrWindowLimit,
		"CL.WINDOW user 1 1 -1": engine.ErrQuantity, "CL.WINDOW user 1 x": engine.ErrWindowTime,
		"CL.WINDOW user 1 0": engine.ErrWindowTime, "CL.WINDOW user 1 9223372036854775807": engine.ErrWindowTime,
	} {
		c.expect(request, "-"+want.Error())
	}
	c.expect("CL.WINDOW user 1 1 1 1", "-ERR syntax error, it is CL.WINDOW key limit milliseconds [quantity]")
	c.expect("CL.WINDOW user 9223372036854775807 2305843009213693952 9223372036854775807",
		"[:0 :9223372036854775807 :0 :-1 :2305843009213693952]")
	c.expect("LPUSH list x", ":1")
	c.expect("CL.WINDOW list 1 1", "-WRONGTYPE Operation against a key holding the wrong kind of value")
	c.expect("SET text 5", "+OK")
	c.expect("CL.WINDOW text 1 1", "-ERR value is not a sliding window of CL.WINDOW")
}

func TestIncrex(t *testing.T) {
	c := newTestClient(t)
	c.expect("INCREX n", "[:1 :1]")
	c.expect("INCREX n BYINT 4 UBOUND 5", "[:5 :4]")
	c.expect("INCREX n UBOUND 5 EX 10", "[:5 :0]")
	c.expect("TTL n", ":-1")
	c.expect("INCREX n BYINT 4 UBOUND 7 SATURATE EX 10 ENX", "[:7 :2]")
	c.expect("TTL n", ":10")
	c.expect("INCREX n BYINT -1 EX 20 ENX", "[:6 :-1]")
	c.expect("TTL n", ":10")
	c.expect("INCREX n BYINT -9 LBOUND 0 PX 20000", "[:6 :0]")
	c.expect("TTL n", ":10")
	c.expect("INCREX n BYINT -9 LBOUND 0 SATURATE PX 20000", "[:0 :-6]")
	c.expect("TTL n", ":20")
	c.expect("INCREX n BYINT 0 EXAT 1700000030", "[:0 :0]")
	c.expect("TTL n", ":30")
	c.expect("INCREX n", "[:1 :1]")
	c.expect("TTL n", ":30")
	c.expect("INCREX n PERSIST", "[:2 :1]")
	c.expect("TTL n", ":-1")
	c.expect("INCREX n PXAT 1", "[:3 :1]")
	c.expect("EXISTS n", ":0")
	c.expect("INCREX n UBOUND 0", "[:0 :0]")
	c.expect("EXISTS n", ":0")
	c.expect("INCREX n LBOUND 5 UBOUND 9 SATURATE", "[:5 :5]")
	c.expect("INCREX n LBOUND 7 UBOUND 9", "[:5 :0]")

	c.expect("SET n 9223372036854775807", "+OK")
	c.expect("INCREX n", "-ERR increment or decrement would overflow")
	c.expect("INCREX n LBOUND 0", "-ERR increment or decrement would overflow")
	c.expect("INCREX n UBOUND 9223372036854775807", "[:9223372036854775807 :0]")
	c.expect("INCREX n SATURATE", "[:9223372036854775807 :0]")
	c.expect("INCREX n BYINT -9 UBOUND -9223372036854775808 SATURATE", "-ERR increment or decrement would overflow")

	c.expect("INCREX f BYFLOAT 0.1", `["0.1" "0.1"]`)
	c.expect("INCREX f BYFLOAT 0.2 UBOUND 0.3", `["0.3" "0.2"]`)
	c.expect("INCREX f BYFLOAT 0.2 UBOUND 0.3", `["0.3" "0"]`)
	c.expect("INCREX f BYFLOAT 0.2 UBOUND 0.4 SATURATE PX 100", `["0.4" "0.1"]`)
	c.expect("INCREX f BYFLOAT -2 LBOUND -inf", `["-1.6" "-2"]`)
	c.expect("OBJECT ENCODING f", `"embstr"`)
	c.expect("PTTL f", ":100")
	c.expect("INCREX f BYFLOAT inf", "-ERR increment would produce NaN or Infinity")
	c.expect("INCREX f", "-ERR value is not an integer or out of range")

	c.expect("INCREX n BYINT 1 BYFLOAT 1", "-ERR syntax error")
	c.expect("INCREX n BYINT", "-ERR syntax error")
	c.expect("INCREX n ENX", "-ERR syntax error")
	c.expect("INCREX n PERSIST ENX", "-ERR syntax error")
	c.expect("INCREX n PERSIST EX 1", "-ERR syntax error")
	c.expect("INCREX n EX 1 PX 1", "-ERR syntax error")
	c.expect("INCREX n EX 0", "-ERR invalid expire time in 'increx' command")
	c.expect("INCREX n BYINT 1.5", "-ERR value is not an integer or out of range")
	c.expect("INCREX n UBOUND 1.5", "-ERR value is not an integer or out of range")
	c.expect("INCREX n BYFLOAT x", "-ERR value is not a valid float")
	c.expect("INCREX n BYFLOAT 1 UBOUND x", "-ERR value is not a valid float")
	c.expect("INCREX n LBOUND 2 UBOUND 1", "-ERR LBOUND is greater than UBOUND")
	c.expect("INCREX n BYFLOAT 1 LBOUND 2 UBOUND 1", "-ERR LBOUND is greater than UBOUND")
	c.expect("LPUSH list x", ":1")
	c.expect("INCREX list", "-WRONGTYPE Operation against a key holding the wrong kind of value")
	c.expect("INCREX list BYFLOAT 1", "-WRONGTYPE Operation against a key holding the wrong kind of value")

	c.do("HELLO", "3")
	c.expect("INCREX g BYFLOAT 1.5", "[,1.5 ,1.5]")
	c.expect("INCREX g BYFLOAT -1e309", "[,-inf ,-inf]")
	c.expect("INCREX h", "[:1 :1]")
}

// TestIncrexAgainstModel has small numbers with bounds, in both modes, and keys that expire.
func TestIncrexAgainstModel(t *testing.T) {
	c, rng := newTestClient(t), randtest.New(t)
	value, expires, there := int64(0), time.Time{}, false
	for range 20_000 {
		if c.now = c.now.Add(time.Duration(rng.IntN(20)) * time.Millisecond); there && !expires.IsZero() && !c.now.Before(expires) {
			value, expires, there = 0, time.Time{}, false
		}
		by, lower, upper := rng.Int64N(21)-10, rng.Int64N(41)-30, rng.Int64N(41)-10
		saturate, ifNone, ttl, float := rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(200), rng.IntN(2) == 0
		mode, quote := "BYINT", ":%d"
		if float {
			mode, quote = "BYFLOAT", `"%d"`
		}
		words := []string{"INCREX", "k", mode, fmt.Sprint(by), "LBOUND", fmt.Sprint(lower), "UBOUND", fmt.Sprint(upper)}
		if saturate {
			words = append(words, "SATURATE")
		}
		if ttl > 0 {
			words = append(words, "PX", strconv.Itoa(ttl))
			if ifNone {
				words = append(words, "ENX")
			}
		}
		if lower > upper {
			c.expect(strings.Join(words, " "), "-ERR LBOUND is greater than UBOUND")
			continue
		}
		sum := min(max(value+by, lower), upper)
		if saturate || sum == value+by {
			value, by, there = sum, sum-value, true
			if ttl > 0 && !(ifNone && !expires.IsZero()) {
				expires = c.now.Add(time.Duration(ttl) * time.Millisecond)
			}
		} else {
			by = 0
		}
		c.expect(strings.Join(words, " "), fmt.Sprintf("["+quote+" "+quote+"]", value, by))
		at := ":-2"
		if there && expires.IsZero() {
			at = ":-1"
		} else if there {
			at = fmt.Sprintf(":%d", expires.UnixMilli())
		}
		c.expect("PEXPIRETIME k", at)
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestLimitersForgetInTime: keys that expire, and are removed by writes and in the background, decide
// like numbers that are kept for ever.
func TestLimitersForgetInTime(t *testing.T) {
	c, rng := newTestClient(t), randtest.New(t)
	tats, windows := map[string]int64{}, map[string]*limit.Window{}
	for range 20_000 {
		c.now = c.now.Add(time.Duration(rng.IntN(30)) * time.Millisecond)
		if rng.IntN(50) == 0 {
			c.now = c.now.Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
		}
		if rng.IntN(10) == 0 {
			c.maintainOnce()
		}
		n := rng.IntN(5)
		key, quantity := strconv.Itoa(n), int64(rng.IntN(4))
		rate, fault := limit.NewRate(int64(n), 7, 1, c.now.UnixNano())
		if fault != limit.Fine {
			t.Fatal(fault)
		}
		var v limit.Verdict
		tats[key], v = rate.Throttle(tats[key], c.now.UnixNano(), quantity)
		v.RetryAfter, v.ResetAfter = limit.Seconds(v.RetryAfter), limit.Seconds(v.ResetAfter)
		c.expect(fmt.Sprintf("CL.THROTTLE t%s %d 7 1 %d", key, n, quantity), verdict(v))
		if windows[key] == nil {
			windows[key] = new(limit.Window)
		}
		v = windows[key].Take(int64(100*n+3), 1500, c.now.UnixMilli(), quantity)
		c.expect(fmt.Sprintf("CL.WINDOW w%s %d 1500 %d", key, 100*n+3, quantity), verdict(v))
		if t.Failed() {
			t.FailNow()
		}
	}
}

func verdict(v limit.Verdict) string {
	return fmt.Sprintf("[:%d :%d :%d :%d :%d]", count(v.Limited), v.Limit, v.Remaining, v.RetryAfter, v.ResetAfter)
}

// TestLimitersInTheLog: what passes is logged as the string that is there then, what is refused or
// only asks is not.
func TestLimitersInTheLog(t *testing.T) {
	r := newLogRig(t, "no")
	c := r.client()
	for _, request := range []string{
		"CL.THROTTLE t 0 1 10", "CL.THROTTLE t 0 1 10", "CL.THROTTLE t 0 1 10 0", "CL.THROTTLE t 0 1 10 x",
		"CL.WINDOW w 1 5000", "CL.WINDOW w 1 5000", "CL.WINDOW w 1 5000 0",
		"INCREX n", "INCREX n UBOUND 1", "INCREX n EX 10", "INCREX n BYFLOAT 0.5", "INCREX n BYFLOAT 0.5 PERSIST",
		"MULTI", "CL.THROTTLE u 0 1 10", "INCREX m", "EXEC",
		"EVAL return{redis.call('CL.THROTTLE',KEYS[1],0,1,10)[1],redis.call('CL.THROTTLE',KEYS[1],0,1,10)[1]} 1 s",
	} {
		c.do(strings.Fields(request)...)
	}
	var window limit.Window
	window.Take(1, 5000, 1_700_000_000_000, 1)
	state := string(window.Append(nil))
	want := []string{
		"SET t 1700000010000000000 PXAT 1700000010000",
		"SET w " + state + " PXAT 1700000005000",
		"SET n 1 KEEPTTL", "SET n 2 PXAT 1700000010000", "SET n 2.5 KEEPTTL", "SET n 3",
		"SET u 1700000010000000000 PXAT 1700000010000", "SET m 1 KEEPTTL",
		"SET s 1700000010000000000 PXAT 1700000010000",
	}
	var got []string
	r.readLog(func(batch []aof.Command) error {
		for _, command := range batch {
			if text := string(bytes.Join(command.Args, []byte(" "))); strings.HasPrefix(text, "SET ") {
				got = append(got, text)
			} else if strings.HasPrefix(text, "CL.") || strings.HasPrefix(text, "INCREX") || strings.HasPrefix(text, "EVAL") {
				t.Errorf("the log has %q", text)
			}
		}
		return nil
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the log differs (-want +got):\n%s", d)
	}
}

// TestLimitersDoNotAllocate: with the log and without, for keys that are new and old, let through and
// refused.
func TestLimitersDoNotAllocate(t *testing.T) {
	for _, log := range []bool{false, true} {
		t.Run(fmt.Sprintf("log %t", log), func(t *testing.T) {
			c := newTestClient(t)
			if log {
				c = newLogRig(t, "everysec").client()
			}
			for _, words := range [][]string{
				{"CL.THROTTLE", "", "1000000", "1", "60"}, {"CL.THROTTLE", "", "0", "1", "60"}, {"CL.THROTTLE", "", "10", "1", "60", "0"},
				{"DEL", ""}, {"CL.WINDOW", "", "1000000", "60000"}, {"CL.WINDOW", "", "1", "60000"}, {"CL.WINDOW", "", "1", "60000", "0"},
				{"DEL", ""}, {"INCREX", "", "UBOUND", "100000000", "EX", "60", "ENX"}, {"INCREX", "", "UBOUND", "0"}, {"INCREX", "", "BYFLOAT", "0.5"},
			} {
				testHotBatch(t, c, words)
			}
		})
	}
}

// TestFullWindowsDoNotAllocate merges entries all the time.
func TestFullWindowsDoNotAllocate(t *testing.T) {
	c := newTestClient(t)
	rng := rand.New(rand.NewPCG(1, 1))
	in, out := encode(strings.Fields("CL.WINDOW w 1000000 60000")), make([]byte, 0, 1<<10)
	for range 2000 {
		c.now = c.now.Add(time.Duration(rng.IntN(100)) * time.Millisecond)
		c.data(in, out)
	}
	if n := testing.AllocsPerRun(2000, func() {
		c.now = c.now.Add(time.Duration(rng.IntN(100)) * time.Millisecond)
		c.data(in, out)
	}); n > 0 && !raceEnabled {
		t.Errorf("%v allocations", n)
	}
}
