//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// BGSAVE beside writes to big values: a sorted set and a list of millions of elements, which do not
// compress.
//
// RPUSH lets the list grow, which is data and not what the save takes. How much it grows by per
// RPUSH is measured under the same load shortly before the save, and so much is taken off for each
// RPUSH since.

const (
	savedElement = 100     // bytes of an element of the list
	askedKeys    = 100_000 // strings that others GET meanwhile
)

// fillSaved makes the sorted set and the list, of n elements each.
func fillSaved(s *server, n int) error {
	const batch = 100
	if err := s.fill(n/batch, func(b []byte, i int) []byte {
		b = append(redcon.AppendArray(b, 2+2*batch), "$4\r\nZADD\r\n$4\r\nzset\r\n"...)
		for m := range batch {
			b = appendScored(b, load.Scatter(i*batch+m, n), i*batch+m)
		}
		return b
	}); err != nil {
		return err
	}
	return s.fill(n/batch, func(b []byte, i int) []byte {
		b = append(redcon.AppendArray(b, 2+batch), "$5\r\nRPUSH\r\n$4\r\nlist\r\n"...)
		for e := range batch {
			b = redcon.AppendBulk(b, noiseAt(i*batch+e, savedElement))
		}
		return b
	})
}

// appendScored appends a score and the member of that number.
func appendScored(b []byte, score, member int) []byte {
	return appendNamed(appendNamed(b, "", score), "mem:", member)
}

// appendZadd gives a member of the sorted set another score.
func appendZadd(b []byte, n int, rnd *rand.Rand) []byte {
	return appendScored(append(b, "*4\r\n$4\r\nZADD\r\n$4\r\nzset\r\n"...), rnd.IntN(n), rnd.IntN(n))
}

// appendRpush lets the list grow by one.
func appendRpush(b []byte, rnd *rand.Rand) []byte {
	return redcon.AppendBulk(append(b, "*3\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n"...), noiseAt(rnd.IntN(len(noise)), savedElement))
}

// busySaveFigures are BGSAVE's memory and what others notice of it.
func (b *bench) busySaveFigures() []figure {
	n := b.size(3_000_000, 1_000_000) // the length of the list has seven digits from its beginning to its end
	grow := b.busyGrowthFigure("bgsave-big-rss", n, b.duration(3*time.Second, 200*time.Millisecond))
	grow.measures = []measure{
		{what: "extra memory during BGSAVE, big list and sorted set, full RPUSH and ZADD load", unit: "%", bars: []bar{atMost(3)}},
		{what: "the same: BGSAVE takes", unit: "s"},
		{what: "the same: ZADDs meanwhile", unit: "/s"},
		{what: "the same: RPUSHs meanwhile", unit: "/s"},
	}
	late := b.busyLatencyFigure("bgsave-big-latency", n, b.duration(10*time.Second, time.Second))
	late.measures = []measure{
		{what: "GET at 10,000/s beside 10,000 ZADD/s and 10,000 RPUSH/s on them: p99.9", unit: "us"},
		{what: "the same during BGSAVE: p99.9", unit: "us"},
		{what: "the same: p99.9 during BGSAVE above that without", unit: "us", bars: []bar{atMost(1000)}},
		{what: "the same: longest during BGSAVE", unit: "us"},
		{what: "the same: BGSAVE takes", unit: "s"},
	}
	return []figure{grow, late}
}

// busyGrowthFigure saves under full load: what memory grew by in per cent of what the server said
// it held before, seconds of the save, ZADDs and RPUSHs per second meanwhile.
func (b *bench) busyGrowthFigure(name string, n int, before time.Duration) figure {
	return figure{
		name: name, fresh: true, most: 2, memory: 4 << 30,
		prepare: func(s *server) error { return fillSaved(s, n) },
		trial: func(s *server) ([]float64, error) {
			load, err := startPiped(s,
				piped{conns: loadConns / 2, mark: ':', next: func(b []byte, rnd *rand.Rand) []byte { return appendZadd(b, n, rnd) }},
				piped{conns: loadConns / 2, mark: ':', next: appendRpush})
			if err != nil {
				return nil, err
			}
			out, err := s.busyGrowth(load, before)
			return out, errors.Join(err, load.stop())
		},
	}
}

// busyGrowth measures under a load that has begun.
func (s *server) busyGrowth(load *pipedLoad, before time.Duration) ([]float64, error) {
	zadds, pushes := &load.answered[0], &load.answered[1]
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	time.Sleep(before)
	data, err := c.usedMemory()
	if err != nil {
		return nil, err
	}
	pushed := pushes.Load()
	rss, err := s.rss()
	if err != nil {
		return nil, err
	}
	time.Sleep(before)
	added, scored := pushes.Load(), zadds.Load()
	base, err := s.rss()
	if err != nil {
		return nil, err
	}
	if added == pushed {
		return nil, fmt.Errorf("no RPUSH was answered in %v", before)
	}
	each := float64(base-rss) / float64(added-pushed)
	watch := s.watchMemoryBeyond(func() int64 { return int64(each * float64(pushes.Load()-added)) })
	took, _, err := s.bgsave(c)
	perSecond := func(n int64) float64 { return float64(n) / took.Seconds() }
	rates := []float64{perSecond(zadds.Load() - scored), perSecond(pushes.Load() - added)}
	peak, watched := watch.stop()
	if err := errors.Join(err, watched); err != nil {
		return nil, err
	}
	return append([]float64{growthPercent(base, peak, data), took.Seconds()}, rates...), nil
}

// busyLatencyFigure asks for strings beside writes to the big values, without and during BGSAVE:
// p99.9 of either and their difference, the longest GET during it in microseconds, seconds of the
// save.
func (b *bench) busyLatencyFigure(name string, n int, length time.Duration) figure {
	return figure{
		name: name, most: 3, memory: 4 << 30, cores: 2,
		prepare: func(s *server) error {
			return errors.Join(s.fillKeys(askedKeys, fillNoise), fillSaved(s, n))
		},
		trial: func(s *server) ([]float64, error) {
			quiet, err := offer(s, func(now time.Duration) bool { return now >= length }, busyFlows(n)...)
			if err != nil {
				return nil, err
			}
			saving := quiet
			took, err := whileSaving(s, func(over func(time.Duration) bool) (err error) {
				saving, err = offer(s, over, busyFlows(n)...)
				return err
			})
			if err != nil {
				return nil, err
			}
			without, with := micros(quiet.ValueAtQuantile(99.9)), micros(saving.ValueAtQuantile(99.9))
			return []float64{without, with, with - without, micros(saving.Max()), took.Seconds()}, nil
		},
	}
}

// busyFlows are GETs, whose latencies count, ZADDs and RPUSHs.
func busyFlows(n int) []openFlow {
	const rate = 10_000
	rnd := rand.New(rand.NewPCG(openSeed, openSeed))
	return []openFlow{
		{rate, getConns, true, flowOfGets(askedKeys, rnd)},
		{rate, setConns, false, flow{reply: len(":0\r\n"), mark: ':', request: func(b []byte) []byte { return appendZadd(b, n, rnd) }}},
		{rate, setConns, false, flow{reply: len(":1000000\r\n"), mark: ':', request: func(b []byte) []byte { return appendRpush(b, rnd) }}},
	}
}
