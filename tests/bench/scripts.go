//go:build linux

package main

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"
)

// Scripts: what the common ones cost, and what others notice of one that takes long.

const (
	unlockScript = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`
	windowScript = `local n = redis.call("INCR", KEYS[1])
if n == 1 then redis.call("EXPIRE", KEYS[1], ARGV[1]) end
return n`
	slidingScript = `local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call("ZREMRANGEBYSCORE", KEYS[1], 0, now - window)
if redis.call("ZCARD", KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("PEXPIRE", KEYS[1], window)
return 1`
	additionScript = `local x = 0 for i = 1, tonumber(ARGV[1]) do x = x + i end return x`
	endlessScript  = `while true do end`
)

const (
	lockToken    = "4f2c7e0a-7d43-4c1f-9b0e-3a1d5c6b7e88"
	slidingKeys  = 10_000
	slidingHolds = 10 // hits in the window of a key, of twice as many that are allowed
)

func scriptName(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// appendScript appends an EVALSHA up to its key, which the caller appends, and then its arguments.
func appendScript(b []byte, script string, arguments int) []byte {
	b = redcon.AppendArray(b, 4+arguments)
	b = redcon.AppendBulkString(b, "EVALSHA")
	b = redcon.AppendBulkString(b, script)
	return redcon.AppendBulkString(b, "1")
}

// fillLocks makes locks as libraries do.
func fillLocks(b []byte, i int) []byte {
	b = appendNamed(append(b, "*5\r\n$3\r\nSET\r\n"...), "lock:", i)
	b = redcon.AppendBulkString(b, lockToken)
	return redcon.AppendBulkString(redcon.AppendBulkString(b, "PX"), "3600000")
}

// unlocks release the locks from 0 to n-1 in turn, again and again: a trial that sends n finds every
// lock once, if all were there.
func unlocks(n, depth int) *piped {
	name, next := scriptName(unlockScript), new(atomic.Int64)
	return &piped{conns: cpuConns, mark: ':', depth: depth, next: func(b []byte, _ *rand.Rand) []byte {
		i := int(next.Add(1)-1) % n
		return redcon.AppendBulkString(appendNamed(appendScript(b, name, 1), "lock:", i), lockToken)
	}}
}

// hits are of limiters whose windows hold some of them. The time is a count of hits.
func hits(depth int) *piped {
	name, clock := scriptName(slidingScript), new(atomic.Int64)
	window, most := strconv.Itoa(slidingKeys*slidingHolds), strconv.Itoa(2*slidingHolds)
	return &piped{conns: cpuConns, mark: ':', depth: depth, next: func(b []byte, _ *rand.Rand) []byte {
		now := clock.Add(1)
		b = appendNamed(appendScript(b, name, 3), "hits:", int(now%slidingKeys))
		b = redcon.AppendBulkString(b, strconv.FormatInt(now, 10))
		return redcon.AppendBulkString(redcon.AppendBulkString(b, window), most)
	}}
}

// loadScript has the server keep a script.
func loadScript(text string) func(*server) error {
	return func(s *server) error { return s.once("SCRIPT", "LOAD", text) }
}

// scriptFigures are EVALSHA of small scripts by their processor time, and long scripts.
func (b *bench) scriptFigures() []figure {
	var out []figure
	empty := func(s *server) error { return s.once("FLUSHALL") }
	for _, depth := range []struct{ pipeline, ops int }{{16, b.size(600_000, 60_000)}, {1, b.size(200_000, 20_000)}} {
		ops := depth.ops
		locked := func(s *server) error { return s.fillKeys(ops, fillLocks) }
		for _, l := range []commandLoad{
			{name: "return", what: "EVALSHA of return 1", setup: loadScript("return 1"),
				args: []string{"EVALSHA", scriptName("return 1"), "0"}},
			{name: "unlock", what: "EVALSHA of an unlock: GET, compare, DEL", setup: loadScript(unlockScript), refill: locked, own: unlocks(ops, depth.pipeline)},
			{name: "window", what: "EVALSHA of a fixed window: INCR, EXPIRE at 1", setup: loadScript(windowScript), refill: empty,
				args: []string{"EVALSHA", scriptName(windowScript), "1", "hits:__rand_int__", "60"}},
			{name: "sliding", what: "EVALSHA of a sliding window: ZREMRANGEBYSCORE, ZCARD, ZADD, PEXPIRE", setup: loadScript(slidingScript), own: hits(depth.pipeline)},
		} {
			l.name = fmt.Sprintf("script-%s-p%d", l.name, depth.pipeline)
			l.pipeline, l.ops, l.limit = depth.pipeline, ops, 1.0
			f := b.commandFigure(l)
			f.note = scriptNotes[strings.Split(l.name, "-")[1]]
			out = append(out, f)
		}
	}
	return append(out, b.additionFigure(), b.besideScriptFigure())
}

// scriptNotes say what makes the figures fair.
var scriptNotes = map[string]string{
	"unlock":  "every unlock finds its lock: all locks are made anew before each trial, which is not measured",
	"window":  fmt.Sprintf("%d keys that are all gone before each trial, so that the first hits set the time to live", benchKeys),
	"sliding": fmt.Sprintf("%d keys, %d hits in each window; once it is full every hit drives one out", slidingKeys, slidingHolds),
}

// additionFigure runs a loop of a million additions.
func (b *bench) additionFigure() figure {
	rounds := b.size(20, 2)
	f := figure{name: "script-additions", trial: func(s *server) ([]float64, error) {
		used, err := s.cpuOf(func() error {
			for range rounds {
				if err := s.once("EVAL", additionScript, "0", "1000000"); err != nil {
					return err
				}
			}
			return nil
		})
		return []float64{float64(used) / float64(rounds) / float64(time.Millisecond)}, err
	}}
	f.measures = []measure{{what: "CPU per EVAL of a loop of a million additions", unit: "ms"}}
	return f
}

const (
	scriptKey     = "script"
	besideKeys    = 5000
	besideProbes  = "5" // milliseconds after which who waits is told that a script runs
	besideAdds    = 200_000_000
	besideBusyFor = 10 * time.Second
)

// besideScriptFigure sends GETs while a script runs for seconds that has declared one key. Of the
// server's processor time, what the script takes when it runs alone is the script's. In Redis
// nobody is served meanwhile.
func (b *bench) besideScriptFigure() figure {
	gets, adds := b.size(2_000_000, 100_000), b.size(besideAdds, besideAdds/20)
	var free []int // keys whose shard the script does not hold
	f := figure{name: "script-beside", cores: 2, flags: []string{"--busy-reply-threshold", besideProbes}}
	f.note = "what the script takes alone is taken off; the GETs are of keys that are not in the shard of the script's key"
	f.measures = []measure{
		{what: "CPU per GET 64 B, P=16, while a script with declared keys runs on one shard, against without", unit: "x", bars: []bar{atMost(1.1)}},
		{what: "the same: GETs/s, against without", unit: "x"},
	}
	f.prepare = func(s *server) (err error) {
		if err := s.fillKeys(besideKeys, fillStrings); err != nil || s.side == redisSide {
			return err
		}
		free, err = s.keysBesideScript()
		return err
	}
	f.trial = func(s *server) ([]float64, error) {
		if s.side == redisSide {
			return []float64{notMeasured, notMeasured}, nil
		}
		return s.besideScript(gets, adds, free)
	}
	return f
}

// keysBesideScript returns which keys can be read while a script has scriptKey.
func (s *server) keysBesideScript() (free []int, err error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	ended := make(chan error, 1)
	go func() { ended <- s.once("EVAL", endlessScript, "1", scriptKey) }()
	for began := time.Now(); ; time.Sleep(pollEvery) {
		if _, err := c.do("GET", scriptKey); err != nil && strings.Contains(err.Error(), "BUSY") {
			break
		}
		if time.Since(began) > besideBusyFor {
			return nil, errors.New("no script is seen to run")
		}
	}
	for i := range besideKeys {
		switch _, err := c.do("GET", fmt.Sprintf("key:%012d", i)); {
		case err == nil:
			free = append(free, i)
		case !strings.Contains(err.Error(), "BUSY"):
			return nil, err
		}
	}
	_, err = c.do("SCRIPT", "KILL")
	<-ended // with the error of a killed script
	if err == nil && len(free) == 0 {
		err = errors.New("the script holds every key")
	}
	return free, err
}

// besideScript measures GETs without a script, a script without GETs, and GETs for as long as a
// script runs.
func (s *server) besideScript(gets, adds int, keys []int) ([]float64, error) {
	script := func() error { return s.once("EVAL", additionScript, "1", scriptKey, strconv.Itoa(adds)) }
	alone, err := s.getsDuring(keys, func(l *pipedLoad) error {
		for l.total() < int64(gets) && !l.failed.Load() {
			time.Sleep(pollEvery)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	scripts, err := s.cpuOf(script)
	if err != nil {
		return nil, err
	}
	beside, err := s.getsDuring(keys, func(*pipedLoad) error { return script() })
	cost := (beside.used - scripts).Seconds() / float64(beside.gets)
	return []float64{cost / (alone.used.Seconds() / float64(alone.gets)), beside.rate() / alone.rate()}, err
}

// getsUnder is what GETs took while something else was under way.
type getsUnder struct {
	gets       int64
	took, used time.Duration
}

func (g getsUnder) rate() float64 { return float64(g.gets) / g.took.Seconds() }

// getsDuring sends GETs while do runs.
func (s *server) getsDuring(keys []int, do func(*pipedLoad) error) (g getsUnder, err error) {
	began := time.Now()
	g.used, err = s.cpuOf(func() error {
		l, err := startPiped(s, getsOf(keys))
		if err != nil {
			return err
		}
		err = errors.Join(do(l), l.stop())
		g.gets = l.total()
		return err
	})
	g.took = time.Since(began)
	return g, err
}

// getsOf are GETs of these keys at random.
func getsOf(keys []int) piped {
	size := len(redcon.AppendBulk(nil, value[:64]))
	return piped{conns: loadConns, mark: '$', reply: size, next: func(b []byte, rnd *rand.Rand) []byte {
		return appendNamed(append(b, "*2\r\n$3\r\nGET\r\n"...), "key:", keys[rnd.IntN(len(keys))])
	}}
}
