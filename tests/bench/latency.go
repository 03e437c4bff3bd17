//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/larderkv/larder/cmd/load"
)

// Latency at a fixed rate. A generator that waits for a reply before it sends the next request asks
// least when the server is slowest and so hides just what is looked for. Here request k is due at
// k/rate whatever happened to the ones before it, and its latency is counted from that moment, so a
// stall of the server (or of the generator, which is the same for both servers) shows in all
// requests it held up. The generator is that of package load, which takes one core; the server has
// another one.

type openLoop struct {
	keys       int
	gets, sets int     // per second; 0: none
	record     kinds   // whose latencies are of interest
	fill       request // makes a key, and is what the SETs send
}

// kinds of requests.
type kinds uint8

const (
	gets kinds = 1 << iota
	sets
)

const (
	getConns    = 16
	setConns    = 4
	latencyUnit = time.Nanosecond
	longestSeen = 20 * time.Second // of a latency; what is longer counts as this
	openSeed    = 20_000           // of the random keys: the same ones for both servers
)

// openLoopFigure drives both loaded servers in turn for the time of length: median, p99.9 and
// longest GET in microseconds, longest stop of larder's collector since its start in milliseconds.
func (b *bench) openLoopFigure(name string, l openLoop, length time.Duration) figure {
	return figure{
		name: name, memory: l.memory(), cores: 2, larderEnv: []string{"GODEBUG=gctrace=1"},
		prepare: func(s *server) error { return s.fillKeys(l.keys, l.fill) },
		trial: func(s *server) ([]float64, error) {
			hist, err := l.run(s, func(now time.Duration) bool { return now >= length })
			if err != nil {
				return nil, err
			}
			pause := notMeasured
			if longest, _ := s.said.collector(); s.side == larderSide {
				pause = float64(longest) / float64(time.Millisecond)
			}
			return []float64{micros(hist.ValueAtQuantile(50)), micros(hist.ValueAtQuantile(99.9)), micros(hist.Max()), pause}, nil
		},
	}
}

// memory is room for the keys in both servers.
func (l openLoop) memory() int64 { return int64(l.keys) * 500 }

// micros converts from the histogram's unit.
func micros(v int64) float64 { return float64(v) * float64(latencyUnit) / float64(time.Microsecond) }

// run offers the load until over says so of the time since its start, and returns the latencies of
// the kinds to record.
func (l openLoop) run(s *server, over func(now time.Duration) bool) (*hdrhistogram.Histogram, error) {
	rnd := rand.New(rand.NewPCG(openSeed, openSeed))
	return offer(s, over,
		openFlow{l.gets, getConns, l.record&gets != 0, flowOfGets(l.keys, rnd)},
		openFlow{l.sets, setConns, l.record&sets != 0, flow{len("+OK\r\n"), '+', func(b []byte) []byte {
			return l.fill(b, rnd.IntN(l.keys))
		}}})
}

// flowOfGets asks for random ones of the keys that fillStrings or fillNoise has made.
func flowOfGets(keys int, rnd *rand.Rand) flow {
	return flow{len("$64\r\n") + 64 + len("\r\n"), '$', func(b []byte) []byte {
		return appendNamed(append(b, "*2\r\n$3\r\nGET\r\n"...), "key:", rnd.IntN(keys))
	}}
}

// flow is a stream of requests of one kind.
type flow struct {
	reply   int  // bytes of a reply
	mark    byte // its first byte
	request func([]byte) []byte
}

// openFlow is a flow with its rate per second and the number of its connections; without a rate
// there is none. The latencies of those to record are taken together.
type openFlow struct {
	rate, conns int
	record      bool
	flow        flow
}

// openStream is what one connection of a flow sends.
type openStream struct {
	flow flow
	hist *hdrhistogram.Histogram // nil: not of interest
	replies
}

func (o *openStream) Next(b []byte) []byte { return o.flow.request(b) }

func (o *openStream) Took(late time.Duration) {
	if o.hist != nil {
		_ = o.hist.RecordValue(int64(min(late, longestSeen) / latencyUnit)) // it is in range
	}
}

// offer keeps the flows going until over says so of the time since their start, and returns the
// latencies to record.
func offer(s *server, over func(now time.Duration) bool, rows ...openFlow) (*hdrhistogram.Histogram, error) {
	hist := hdrhistogram.New(1, int64(longestSeen/latencyUnit), 3)
	loop := load.NewOpen()
	defer loop.Close()
	for _, row := range rows {
		if row.rate == 0 {
			continue
		}
		f := loop.Flow(float64(row.rate))
		for range row.conns {
			conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
			if err != nil {
				return nil, err
			}
			stream := &openStream{flow: row.flow, replies: replies{size: row.flow.reply, mark: row.flow.mark}}
			if row.record {
				stream.hist = hist
			}
			if err := loop.Connect(f, conn, stream); err != nil {
				return nil, err
			}
		}
	}
	// The collector of this program would stop the generator.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	err := loop.Run(load.Endless, over)
	if kept := loop.Kept; err == nil && kept.Unsent+kept.Unanswered > 0 {
		err = fmt.Errorf("%d requests could not be sent and %d replies are missing: the server does not keep up with the rate", kept.Unsent, kept.Unanswered)
	}
	return hist, err
}
