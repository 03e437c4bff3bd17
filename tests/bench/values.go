//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// Lists and sorted sets: what their commands cost, and the bytes they take.
//
// Big values hold a million elements. Their members, elements and scores are made from numbers of
// twelve digits, which redis-benchmark can draw at random; scores are scattered, so that a sorted
// set is filled in no order. What redis-benchmark cannot send (a random range of exactly 100 ranks)
// is sent by the program's own pipelined load.

// bigElements is the number of elements of a big value.
const bigElements = 1_000_000

const bigKey = "big"

// bigValue is a kind of value that can have a million elements.
type bigValue struct {
	name   string
	holds  string
	append func(b []byte, from, n int) []byte // the command that adds n elements
}

// bigSet, bigHash and bigZset hold what is listed in figures.go; members are 16 to 19 bytes long.
var (
	bigSet = bigValue{"set", "members", func(b []byte, from, n int) []byte {
		b = redcon.AppendArray(b, 2+n)
		b = append(b, "$4\r\nSADD\r\n$3\r\nbig\r\n"...)
		for i := range n {
			b = appendNamed(b, "member:", from+i)
		}
		return b
	}}
	bigHash = bigValue{"hash", "members", func(b []byte, from, n int) []byte {
		b = redcon.AppendArray(b, 2+2*n)
		b = append(b, "$4\r\nHSET\r\n$3\r\nbig\r\n"...)
		for i := range n {
			b = appendNamed(b, "field:", from+i)
			b = appendNamed(b, "v", from+i)
		}
		return b
	}}
	bigZset = bigValue{"sorted set", "members", func(b []byte, from, n int) []byte {
		b = redcon.AppendArray(b, 2+2*n)
		b = append(b, "$4\r\nZADD\r\n$3\r\nbig\r\n"...)
		for i := range n {
			b = appendScored(b, load.Scatter(from+i, bigElements), from+i)
		}
		return b
	}}
	bigList = listOf(20)
)

// listOf is a list of elements of that size, each of which begins with "element:" and its number.
func listOf(size int) bigValue {
	return bigValue{"list", "elements", func(b []byte, from, n int) []byte {
		b = redcon.AppendArray(b, 2+n)
		b = append(b, "$5\r\nRPUSH\r\n$3\r\nbig\r\n"...)
		for i := range n {
			b = redcon.AppendBulkString(b, element(from+i, size))
		}
		return b
	}}
}

// element is the i-th one of a list.
func element(i, size int) string {
	return fmt.Sprintf("element:%012d%s", i, value[:max(size-20, 0)])
}

// fill gives the value at bigKey n elements, a multiple of 100.
func (v bigValue) fill(s *server, n int) error {
	const batch = 100
	return s.fill(n/batch, func(b []byte, i int) []byte { return v.append(b, i*batch, batch) })
}

// fillTo is fill for the preparation of a figure.
func (v bigValue) fillTo(n int) func(*server) error {
	return func(s *server) error { return v.fill(s, n) }
}

// fillSmallLists and fillSmallZsets make what a queue or a ranking of one user looks like.
func fillSmallLists(b []byte, i int) []byte {
	b = append(b, "*7\r\n$5\r\nRPUSH\r\n"...)
	b = appendNamed(b, "list:", i)
	for m := range 5 {
		b = appendElement(b, "itm:", i, m)
	}
	return b
}

func fillSmallZsets(b []byte, i int) []byte {
	b = append(b, "*12\r\n$4\r\nZADD\r\n"...)
	b = appendNamed(b, "rank:", i)
	for m := range 5 {
		b = redcon.AppendBulkInt(b, int64(load.Scatter(i+m, bigElements)))
		b = appendElement(b, "mem:", i, m)
	}
	return b
}

// listFigures are the commands of one list: pushes let it grow through all trials, pops find it
// filled again before each.
func (b *bench) listFigures() []figure {
	const size = 64
	list := listOf(size)
	ops := b.size(1_000_000, 100_000)
	few := b.size(200_000, 20_000)
	var out []figure
	for _, l := range []commandLoad{
		{name: "LPUSH", what: "LPUSH 64 B", ops: ops, args: []string{"LPUSH", bigKey, element(0, size)}},
		{name: "RPUSH", what: "RPUSH 64 B", ops: ops, args: []string{"RPUSH", bigKey, element(0, size)}},
		{name: "LPOP", what: "LPOP 64 B", ops: ops, args: []string{"LPOP", bigKey}, refill: list.fillTo(ops)},
		{name: "RPOP", what: "RPOP 64 B", ops: ops, args: []string{"RPOP", bigKey}, refill: list.fillTo(ops)},
		{name: "LRANGE", what: "LRANGE of 100 elements, 64 B", ops: few, args: []string{"LRANGE", bigKey, "0", "99"}, setup: list.fillTo(few)},
	} {
		out = append(out, b.commandFigure(l.at(loadPipeline, 0.75)))
	}
	return append(out, b.middleFigures()...)
}

// middleFigures go to the middle of a list of a million elements, where Redis walks. LINDEX is sent
// in long pipelines, so that it is the command that is compared and not the socket; what LLEN
// costs, which goes nowhere, is taken off for information.
func (b *bench) middleFigures() []figure {
	const size, deep, limit = 64, 100, 0.05
	list, n := listOf(size), b.size(bigElements, bigElements/10)
	index := commandLoad{name: "LINDEX-middle", what: "LINDEX in the middle of 1M elements, 64 B", ops: b.size(300_000, 20_000),
		args: []string{"LINDEX", bigKey, strconv.Itoa(n / 2)}, setup: list.fillTo(n)}.at(deep, limit)
	length := index
	length.args = []string{"LLEN", bigKey}
	f := b.commandFigure(index)
	f.measures = append(f.measures, measure{what: "the same: beyond what LLEN costs", unit: "us"})
	f.trial = func(s *server) ([]float64, error) {
		all, err := b.costOf(s, index)
		if err != nil {
			return nil, err
		}
		rest, err := b.costOf(s, length)
		return []float64{all, all - rest}, err
	}
	insert := commandLoad{name: "LINSERT-middle", what: "LINSERT before the middle one of 1M elements, 64 B", ops: b.size(500, 100),
		args: []string{"LINSERT", bigKey, "BEFORE", element(n/2, size), "inserted"}, setup: list.fillTo(n)}
	return []figure{f, b.commandFigure(insert.at(loadPipeline, limit))}
}

// zsetFigures are the commands of one sorted set of a million members, and ZADD to many small ones.
func (b *bench) zsetFigures() []figure {
	const rnd = "__rand_int__"
	n := b.size(bigElements, bigElements/10)
	ops := b.size(1_000_000, 100_000)
	few := b.size(200_000, 20_000)
	full := bigZset.fillTo(n)
	var out []figure
	for _, l := range []commandLoad{
		{name: "ZADD-big", what: "ZADD, new scores in one sorted set of 1M members", args: []string{"ZADD", bigKey, rnd, "mem:" + rnd}, setup: full},
		{name: "ZADD-small", what: "ZADD, 100,000 small sorted sets", keys: benchKeys, args: []string{"ZADD", "rank:" + rnd, rnd, "mem:" + rnd}},
		{name: "ZINCRBY", what: "ZINCRBY, sorted set of 1M members", args: []string{"ZINCRBY", bigKey, "1", "mem:" + rnd}, setup: full},
		{name: "ZSCORE", what: "ZSCORE, sorted set of 1M members", args: []string{"ZSCORE", bigKey, "mem:" + rnd}, setup: full},
		{name: "ZRANK", what: "ZRANK, sorted set of 1M members", args: []string{"ZRANK", bigKey, "mem:" + rnd}, setup: full},
		{name: "ZRANGE-rank", what: "ZRANGE of 100 by rank, sorted set of 1M members", ops: few, own: rankRanges(n, 100), setup: full},
		{name: "ZRANGE-score", what: "ZRANGE of 100 by score, sorted set of 1M members", ops: few,
			args: []string{"ZRANGE", bigKey, rnd, "+inf", "BYSCORE", "LIMIT", "0", "100"}, setup: full},
		{name: "ZPOPMIN", what: "ZPOPMIN, sorted set of 1M members", ops: ops / 2, args: []string{"ZPOPMIN", bigKey}, refill: bigZset.fillTo(n)},
	} {
		if l.ops == 0 {
			l.ops = ops
		}
		if l.keys == 0 {
			l.keys = n
		}
		out = append(out, b.commandFigure(l.at(loadPipeline, 0.75)))
	}
	return out
}

// at completes a row of the processor-time figures.
func (l commandLoad) at(pipeline int, limit float64) commandLoad {
	l.name = fmt.Sprintf("cpu-%s-p%d", l.name, pipeline)
	l.pipeline, l.limit = pipeline, limit
	return l
}

// rankRanges are ZRANGEs of so many ranks from a random one on, in a sorted set of n members of 16
// bytes.
func rankRanges(n, ranks int) *piped {
	const member = len("$16\r\n") + 16 + len("\r\n")
	k := piped{conns: cpuConns, mark: '*', reply: len(fmt.Sprintf("*%d\r\n", ranks)) + ranks*member}
	k.next = func(b []byte, rnd *rand.Rand) []byte {
		from := rnd.IntN(n - ranks)
		b = append(b, "*4\r\n$6\r\nZRANGE\r\n$3\r\nbig\r\n"...)
		b = redcon.AppendBulkInt(b, int64(from))
		return redcon.AppendBulkInt(b, int64(from+ranks-1))
	}
	return &k
}

// elementFigures are the bytes that elements of lists and sorted sets take.
func (b *bench) elementFigures() []figure {
	n, values := b.size(bigElements, bigElements/10), b.size(1_000_000, 100_000)
	return []figure{
		b.elementsFigure("rss-list-big", "RSS per element, list of 1M elements of 20 B", bigList, n, ratio(0.95)),
		b.elementsFigure("rss-zset-big", "RSS per member, sorted set of 1M members of 16 B", bigZset, n, ratio(0.50)),
		b.sizeFigure("rss-zset", "RSS per sorted set of 5 small members", values, fillSmallZsets, ratio(0.70)),
		b.sizeFigure("rss-list", "RSS per list of 5 small elements", values, fillSmallLists, ratio(0.70)),
	}
}
