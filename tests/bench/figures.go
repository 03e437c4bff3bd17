//go:build linux

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A figure is one experiment: how to prepare a server, what one trial does, and which measures come
// out of it.
type figure struct {
	name        string   // what -run matches
	flags       []string // for both servers, beside those that every figure gives
	larderEnv   []string // for larder's environment
	larderFlags []string // for larder alone
	secure      bool     // with a TLS port
	fresh       bool     // a new server for each trial; otherwise both live, side by side, through all trials
	memory      int64    // bytes of free memory needed, 0 for little
	files       uint64   // open files needed by one process, 0 for few
	cores       int      // 0 for any
	most        int      // pairs at most, for trials that take long; 0: as many as asked
	note        string   // of its conditions, for the report; may be empty
	measures    []measure
	prepare     func(*server) error              // not measured; may be nil
	trial       func(*server) ([]float64, error) // one value per measure, notMeasured where a server has none
}

// A measure is a line of the table.
type measure struct {
	what  string
	unit  string
	bars  []bar // all must hold; none: shown for information
	worst bool  // the largest value of all trials counts, and not the median
}

// A bar is a limit on larder/Redis (times > 0 from above, least > 0 from below) or on larder's own
// value (atMost > 0, in the measure's unit).
type bar struct {
	times  float64
	least  float64
	atMost float64
	strict bool // meeting it exactly is not enough
}

func ratio(limit float64) bar { return bar{times: limit} }
func atMost(v float64) bar    { return bar{atMost: v} }

// belowRedis, notAboveRedis, notBelowRedis and aboveRedis compare with Redis' own value of the same
// run.
var (
	belowRedis    = bar{times: 1, strict: true}
	notAboveRedis = bar{times: 1}
	notBelowRedis = bar{least: 1}
	aboveRedis    = bar{least: 1, strict: true}
)

// benchKeys is the number of keys, hashes and sets that the commands of the processor-time figures
// pick from at random.
const benchKeys = 100_000

// figures is the table of everything that is measured. Sizes are given as full and quick.
func (b *bench) figures() []figure {
	var all []figure
	all = append(all, b.stringFigures()...)
	all = append(all, b.aloneFigures()...)
	all = append(all, b.tenFigures()...)
	all = append(all, b.threadFigures()...)
	all = append(all, b.typeFigures()...)
	all = append(all, b.listFigures()...)
	all = append(all, b.zsetFigures()...)
	all = append(all, b.scriptFigures()...)
	all = append(all, b.limitFigures()...)
	all = append(all, b.tagFigures()...)
	all = append(all, b.leaseFigures()...)
	all = append(all, b.stampedeFigures()...)
	all = append(all, b.notifyFigures()...)
	all = append(all, b.trackingFigures()...)
	all = append(all, b.secureFigures()...)
	all = append(all, b.prefixFigures()...)
	all = append(all, b.userFigure())
	all = append(all, b.memoryFigures()...)
	all = append(all, b.elementFigures()...)
	all = append(all, b.overwriteFigure(), b.latencyFigure(), b.handoverFigure())
	all = append(all, b.idleFigures()...)
	all = append(all, b.expiryFigure(), b.timelyFigure())
	all = append(all, b.messageFigures()...)
	all = append(all, b.removalFigures()...)
	all = append(all, b.replyFigures()...)
	all = append(all, b.longFigures()...)
	all = append(all, b.snapshotFigures()...)
	all = append(all, b.busySaveFigures()...)
	all = append(all, b.logFigures()...)
	all = append(all, b.hitFigures()...)
	all = append(all, b.evictFigures()...)
	all = append(all, b.lowerFigures()...)
	all = append(all, b.overshootFigures()...)
	all = append(all, b.churnFigures()...)
	return append(all, b.bigPushFigure())
}

// baselineFigures are those that are compared with an older larder unless -run says otherwise,
// baselineSlack what they may have lost.
const (
	baselineFigures = "^cpu-(GET|SET|HGETALL|MGET)-p"
	baselineSlack   = 1.03
)

// beside sets the bars for what the figure is measured beside: those against Redis say nothing
// about an older larder.
func (b *bench) beside(f figure) figure {
	if b.baseline == "" {
		return f
	}
	same := regexp.MustCompile(baselineFigures).MatchString(f.name)
	f.measures = slices.Clone(f.measures)
	for i := range f.measures {
		f.measures[i].bars = nil
		if same {
			f.measures[i].bars = []bar{ratio(baselineSlack)}
		}
	}
	return f
}

// stringFigures are GET and SET of 64 bytes over 50 connections at three depths of pipelining.
func (b *bench) stringFigures() []figure {
	var out []figure
	for _, row := range []struct {
		name     string
		pipeline int
		ops      int
		get, set float64 // bars
	}{
		{"p1", 1, b.size(300_000, 30_000), 0.80, 0.80},
		{"p16", 16, b.size(2_000_000, 150_000), 0.55, 0.45},
		{"p100", 100, b.size(4_000_000, 300_000), 0.40, 0.32},
	} {
		l := commandLoad{pipeline: row.pipeline, ops: row.ops, fill: fillStrings}
		l.name, l.what, l.standard, l.limit = "cpu-GET-"+row.name, "GET 64 B", "GET", row.get
		out = append(out, b.commandFigure(l))
		l.name, l.what, l.standard, l.limit = "cpu-SET-"+row.name, "SET 64 B", "SET", row.set
		out = append(out, b.commandFigure(l))
	}
	return out
}

// tenFigures are commands with replies of ten elements at three depths of pipelining.
func (b *bench) tenFigures() []figure {
	const key = "key:__rand_int__"
	var out []figure
	for _, depth := range []struct {
		pipeline, ops int
		limit         float64
	}{
		{1, b.size(200_000, 20_000), 0.95},
		{16, b.size(400_000, 40_000), 0.75},
		{100, b.size(400_000, 40_000), 0.75},
	} {
		for _, l := range []commandLoad{
			{name: "HGETALL", what: "HGETALL, hash of 10 fields", args: []string{"HGETALL", "hash:__rand_int__"}, fill: fillHashes},
			{name: "MGET", what: "MGET of 10 keys, 64 B", args: append([]string{"MGET"}, slices.Repeat([]string{key}, 10)...), fill: fillStrings},
		} {
			l.name = fmt.Sprintf("cpu-%s-p%d", l.name, depth.pipeline)
			l.pipeline, l.ops, l.limit = depth.pipeline, depth.ops, depth.limit
			out = append(out, b.commandFigure(l))
		}
	}
	return out
}

// typeFigures are the other commands of the other types, and INCR, at P=16.
func (b *bench) typeFigures() []figure {
	const rnd = "__rand_int__"
	ops := b.size(1_000_000, 100_000)
	rows := []commandLoad{
		{name: "HSET", what: "HSET, hash of 10 fields", ops: ops, args: []string{"HSET", "hash:" + rnd, "field:4", "v" + rnd}, fill: fillHashes},
		{name: "HGET", what: "HGET, hash of 10 fields", ops: ops, args: []string{"HGET", "hash:" + rnd, "field:4"}, fill: fillHashes},
		{name: "HSET-big", what: "HSET, one hash of 100,000 fields", ops: ops, args: []string{"HSET", "hash", "field:" + rnd, "v" + rnd}},
		// The keys of the next one come from ten times the range, so that sets stay small although
		// every trial adds to them.
		{name: "SADD", what: "SADD, 1M small sets", ops: ops, keys: 10 * benchKeys, args: []string{"SADD", "set:" + rnd, "member:" + rnd}},
		{name: "SADD-big", what: "SADD, one set of 100,000 members", ops: ops, args: []string{"SADD", "set", "member:" + rnd}},
		{name: "SISMEMBER", what: "SISMEMBER, set of 10 members", ops: ops, args: []string{"SISMEMBER", "set:" + rnd, "member:4"}, fill: fillSets},
		{name: "INCR", what: "INCR", ops: ops, args: []string{"INCR", "counter:" + rnd}},
	}
	var out []figure
	for _, row := range rows {
		row.name = "cpu-" + row.name + "-p16"
		row.pipeline = 16
		row.limit = 0.75
		out = append(out, b.commandFigure(row))
	}
	return out
}

// memoryFigures fill a server and look at its size; the first one also takes the time of it.
func (b *bench) memoryFigures() []figure {
	keys := b.size(3_000_000, 200_000)
	values := b.size(1_000_000, 100_000)
	load := b.pipeFigure("load", keys)
	load.measures = []measure{
		{what: "loading 3M keys by redis-cli --pipe", unit: "s", bars: []bar{ratio(0.55)}},
		{what: "loading 3M keys: server CPU", unit: "s"},
		{what: "RSS per key, 16 B key, 64 B value", unit: "B", bars: []bar{ratio(0.66), atMost(113)}},
		{what: "RSS per key above the empty server's", unit: "B"},
	}
	return []figure{
		load,
		b.sizeFigure("rss-ttl", "RSS per key with a TTL, 16 B key, 64 B value", keys, fillExpiring, ratio(0.58), atMost(124)),
		b.sizeFigure("rss-hash", "RSS per hash of 5 small fields", values, fillSmallHashes, ratio(0.80)),
		b.sizeFigure("rss-set", "RSS per set of 5 small members", values, fillSmallSets, ratio(0.80)),
	}
}

func (b *bench) overwriteFigure() figure {
	f := b.growFigure("rss-overwrite", b.size(1_000_000, 50_000), 100, 150, 700)
	f.measures = []measure{
		{what: "RSS / payload, 100 B values", unit: "x"},
		{what: "RSS / payload, overwritten with 150 B", unit: "x", bars: []bar{belowRedis}},
		{what: "RSS / payload, overwritten with 700 B", unit: "x", bars: []bar{belowRedis}},
	}
	return f
}

func (b *bench) latencyFigure() figure {
	f := b.openLoopFigure("latency", openLoop{
		keys: b.size(10_000_000, 300_000), gets: 20_000, sets: 5_000, record: gets, fill: fillStrings,
	}, b.duration(15*time.Second, 2*time.Second))
	f.measures = []measure{
		{what: "GET at 20,000/s beside 5,000 SET/s, 10M keys: median", unit: "us"},
		{what: "the same: p99.9", unit: "us", bars: []bar{notAboveRedis}},
		{what: "the same: longest", unit: "us"},
		{what: "the same: longest stop of the collector", unit: "ms", bars: []bar{atMost(1)}, worst: true},
	}
	return f
}

// idleFigures are of connections that have sent a PING each, and of those that wait for an element after
// that: 100 for each of 100 lists, which is what a pool of workers does.
func (b *bench) idleFigures() []figure {
	n := b.size(10_000, 1_000)
	plain := func(s *server) (*client, error) { return dial(s.addr) }
	idle := b.connectionsFigure("idle", n, plain, nil)
	idle.measures = []measure{{what: "memory per idle connection (10,000)", unit: "B", bars: []bar{belowRedis}}}
	waiting := b.connectionsFigure("idle-waiting", n, plain, func(c *client, i int) error {
		return c.send("BLPOP", fmt.Sprint("queue:", i%100), "0")
	})
	waiting.measures = []measure{{what: "memory per connection that waits in BLPOP (10,000)", unit: "B"}}
	return []figure{idle, waiting}
}

func (b *bench) expiryFigure() figure {
	f := b.massExpiryFigure("expiry", b.size(1_000_000, 100_000), b.duration(5*time.Second, time.Second))
	f.measures = []measure{
		{what: "1M keys of one TTL: out of DBSIZE after", unit: "s", bars: []bar{atMost(2)}},
		{what: "the same: out of memory after", unit: "s", bars: []bar{atMost(2)}},
		{what: "the same: server CPU", unit: "s"},
		{what: "the same: share of a core meanwhile", unit: "x", bars: []bar{atMost(0.25)}},
		{what: "the same: longest PING meanwhile", unit: "ms", bars: []bar{atMost(2)}},
	}
	return f
}

// timelyFigure is how late keys go that expire one after the other.
func (b *bench) timelyFigure() figure {
	f := b.expiryLagFigure("expiry-lag", b.size(1_000_000, 100_000), b.duration(time.Minute, 3*time.Second))
	f.measures = []measure{
		{what: "1M keys, times spread over a minute: lag of the expired event, median", unit: "ms"},
		{what: "the same: p99", unit: "ms", bars: []bar{atMost(100), belowRedis}},
		{what: "the same: longest", unit: "ms"},
		{what: "the same: events that have not come after 10 s", unit: "keys"},
		{what: "the same: server CPU", unit: "s"},
	}
	return f
}

// removalFigures get rid of one big value in each of the ways there are. The first one does
// nothing: it shows what the machine adds.
func (b *bench) removalFigures() []figure {
	members := b.size(1_000_000, 100_000)
	quiet := b.quietFigure("stall-nothing", b.duration(2*time.Second, 500*time.Millisecond))
	quiet.measures = []measure{{what: "longest PING while nothing happens: the machine's own noise", unit: "ms"}}
	out := []figure{quiet}
	for _, kind := range []bigValue{bigSet, bigHash, bigList, bigZset} {
		for _, way := range []removal{byDel, byFlush, byExpiry} {
			f := b.bigRemovalFigure("stall-"+strings.ReplaceAll(kind.name, " ", "-")+"-"+way.name, kind, way, members)
			f.measures = []measure{{what: "longest PING while a " + kind.name + " of 1M " + kind.holds + " goes by " + way.name, unit: "ms", bars: []bar{atMost(2)}}}
			out = append(out, f)
		}
	}
	return out
}

// snapshotFigures look at BGSAVE: what it costs, who notices, and how fast a server starts from its
// file.
func (b *bench) snapshotFigures() []figure {
	grow := b.saveGrowthFigure("bgsave-rss", b.size(3_000_000, 30_000), b.duration(3*time.Second, 200*time.Millisecond))
	grow.measures = []measure{
		{what: "extra memory during BGSAVE, 3M keys of 1 KB, full SET load", unit: "%", bars: []bar{atMost(3)}},
		{what: "the same: BGSAVE takes", unit: "s"},
		{what: "the same: SETs meanwhile", unit: "/s"},
	}
	stall := b.saveStallFigure("bgsave-latency", openLoop{
		keys: b.size(10_000_000, 100_000), gets: 10_000, sets: 10_000, record: gets | sets, fill: fillNoise,
	})
	stall.measures = []measure{
		{what: "GET and SET at 20,000/s during BGSAVE, 10M keys: p99.9", unit: "us", bars: []bar{atMost(2000), belowRedis}},
		{what: "the same: longest", unit: "us"},
		{what: "the same: BGSAVE takes", unit: "s"},
	}
	save := b.saveFigure("bgsave", b.size(10_000_000, 100_000))
	save.measures = []measure{
		{what: "BGSAVE of 10M keys of 64 B", unit: "s", bars: []bar{notAboveRedis}},
		{what: "the same: server CPU", unit: "s", bars: []bar{notAboveRedis}},
		{what: "BGSAVE of 10M keys of 64 B, rdbcompression no", unit: "s", bars: []bar{notAboveRedis}},
		{what: "the same: server CPU", unit: "s", bars: []bar{notAboveRedis}},
	}
	start := b.startFigure("start-rdb", b.size(10_000_000, 100_000))
	start.measures = []measure{
		{what: "start from that file", unit: "s", bars: []bar{ratio(0.6)}},
		{what: "the same: server CPU", unit: "s"},
		{what: "start of both from the file that Redis wrote", unit: "s"},
	}
	return []figure{grow, stall, save, start}
}

// logFigures look at the append-only log: what it costs, and how fast it is replayed.
func (b *bench) logFigures() []figure {
	cost := b.logCostFigure("aof-cpu", b.size(1_000_000, 100_000))
	cost.measures = []measure{
		{what: "CPU per SET 64 B, P=16: appendfsync everysec / without AOF", unit: "x", bars: []bar{atMost(1.25)}},
		{what: "the same: with appendfsync everysec", unit: "us"},
	}
	always := b.logRateFigure("aof-always", b.size(200_000, 2_000))
	always.measures = []measure{
		{what: "SET 64 B with appendfsync always, 50 connections", unit: "/s", bars: []bar{notBelowRedis}},
		{what: "the same: server CPU per SET", unit: "us"},
	}
	replay := b.replayFigure("aof-replay", b.size(3_000_000, 100_000))
	replay.measures = []measure{
		{what: "start from an incremental AOF of 3M commands", unit: "s", bars: []bar{ratio(0.6)}},
		{what: "the same: server CPU", unit: "s"},
	}
	return []figure{cost, always, replay}
}

// hitFigures use both servers as caches with a cap. Policies by frequency need longer until their
// hits stay the same.
func (b *bench) hitFigures() []figure {
	var out []figure
	for _, row := range []struct {
		name, what            string
		keys                  sized
		warmRecent, warmOften int
	}{
		{"64B", "64 B", sized{b.size(8_000_000, 2_000_000), alwaysBytes(64)}, b.size(2_000_000, 300_000), b.size(9_000_000, 300_000)},
		{"mixed", "16 B to 4 KB", sized{b.size(2_000_000, 400_000), mixedSize}, b.size(2_000_000, 200_000), b.size(5_000_000, 200_000)},
	} {
		data, counted := row.keys.bytes(), b.size(1_000_000, 100_000)
		for _, p := range []struct {
			policyPair
			warm int
		}{
			{bothPolicies("allkeys-lru"), row.warmRecent},
			{bothPolicies("allkeys-lfu"), row.warmOften},
			{adaptivePolicies(), row.warmOften},
		} {
			f := b.hitFigure("hits-"+row.name+"-"+p.name(), row.keys, data/capShare, p.policyPair, p.warm, counted)
			f.note = fmt.Sprintf("%d keys of %d bytes, with their values %d bytes; a tenth of that is maxmemory; %d GETs to warm up, %d counted",
				row.keys.n, keySize, data, p.warm, counted)
			f.measures = []measure{
				{what: "hits, Zipf 0.9, values of " + row.what + ", " + p.what(), unit: "%", bars: []bar{aboveRedis}},
				{what: "the same: keys there", unit: "keys"},
				{what: "the same: GETs", unit: "/s"},
			}
			out = append(out, f)
		}
	}
	return out
}

const megabyte = 1 << 20

// evictFigures write new keys to servers that are full: the cost of it, and what clients notice.
func (b *bench) evictFigures() []figure {
	limit, full := int64(b.size(100, 20)*megabyte), b.size(1_500_000, 300_000)
	var out []figure
	for _, p := range []policyPair{bothPolicies("allkeys-lru"), adaptivePolicies()} {
		cost := b.evictCostFigure("evict-cpu-"+p.name(), p, limit, full, b.size(2_000_000, 200_000))
		cost.note = fmt.Sprintf("maxmemory %dmb; all keys are new; without a cap the server grows from nothing to 2M keys", limit/megabyte)
		cost.measures = []measure{
			{what: "CPU per SET 64 B, P=16, " + p.what() + ": each evicts / without a cap", unit: "x", bars: []bar{atMost(1.4)}},
			{what: "the same: each evicts", unit: "us", bars: []bar{belowRedis}},
			{what: "the same: without a cap", unit: "us"},
		}
		late := b.evictLatencyFigure("evict-latency-"+p.name(), p, limit, full, 20_000, b.duration(10*time.Second, time.Second))
		late.note = fmt.Sprintf("maxmemory %dmb; all keys are new; %d connections", limit/megabyte, setConns)
		late.measures = []measure{
			{what: "SET at 20,000/s, each evicts, " + p.what() + ": median", unit: "us"},
			{what: "the same: p99.9", unit: "us", bars: []bar{notAboveRedis}},
			{what: "the same: longest", unit: "us"},
		}
		out = append(out, cost, late)
	}
	return out
}

// overshootFigures look at the memory of servers that are full.
func (b *bench) overshootFigures() []figure {
	limit := int64(b.size(100, 20) * megabyte)
	var out []figure
	for _, row := range []struct {
		name, what string
		size       func(int) int
	}{
		{"64B", "64 B", alwaysBytes(64)},
		{"1KB", "1 KB", alwaysBytes(kilobyte)},
		{"10KB", "10 KB", alwaysBytes(10 * kilobyte)},
		{"any", "16 B to 32 KB", anySize},
	} {
		f := b.overshootFigure("evict-overshoot-"+row.name, limit, fillOf(row.size), b.duration(3*time.Second, 300*time.Millisecond))
		f.note = fmt.Sprintf("maxmemory %dmb, allkeys-lru; %d connections, P=%d; all keys are new", limit/megabyte, loadConns, loadPipeline)
		f.measures = []measure{
			{what: "used_memory above maxmemory, SETs of " + row.what, unit: "MB", bars: []bar{atMost(4)}, worst: true},
			{what: "the same: RSS above maxmemory", unit: "MB", worst: true},
			{what: "the same: looked at", unit: "times"},
		}
		out = append(out, f)
	}
	return out
}

// churnFigures change the sizes of what full servers hold.
func (b *bench) churnFigures() []figure {
	var doubling []int
	for size := smallest; size <= widest; size *= 2 {
		doubling = append(doubling, size)
	}
	const turnover = 1.5
	limit := int64(b.size(200, 20) * megabyte)
	var out []figure
	for _, row := range []struct {
		name, what string
		sizes      []int
	}{
		{"shift", "100 B, 1 KB, 100 B ... in turn", []int{100, kilobyte, 100, kilobyte, 100, kilobyte, 100}},
		{"doubling", "16 B, 32 B ... 32 KB in turn", doubling},
	} {
		f := b.churnFigure("evict-rss-"+row.name, limit, row.sizes, turnover)
		f.note = fmt.Sprintf("maxmemory %dmb, allkeys-lru; of each of %d sizes as many new keys as fill the cap %s times", limit/megabyte, len(row.sizes), number(turnover))
		f.measures = []measure{
			{what: "RSS / maxmemory, values of " + row.what + ": highest", unit: "x", bars: []bar{atMost(1.1)}, worst: true},
			{what: "the same: at the end", unit: "x", bars: []bar{atMost(1.1)}, worst: true},
			{what: "the same: written", unit: "MB"},
			{what: "the same: SETs", unit: "/s"},
		}
		out = append(out, f)
	}
	return out
}

func (b *bench) bigPushFigure() figure {
	limit := int64(b.size(512, 64) * megabyte)
	f := b.bigValueFigure("evict-big", limit, b.size(5_000_000, 700_000), b.size(100, 10)*megabyte)
	f.note = fmt.Sprintf("maxmemory %dmb, allkeys-lru, full of keys of 16 bytes with values of 84; another client asks every %v", limit/megabyte, pingEvery)
	f.measures = []measure{
		{what: "longest PING or GET while a value of 100 MB is pushed into a full cache", unit: "ms", bars: []bar{atMost(5)}},
		{what: "the same: until its reply", unit: "ms"},
		{what: "the same: stored (1) or refused (0)", unit: "x"},
	}
	return f
}
