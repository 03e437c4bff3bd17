package top

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/client"
)

// reading is what a server said at a moment.
type reading struct {
	at   time.Time
	trip time.Duration // until INFO was answered
	info client.Info

	view    string // whose rows reply has, by its key; empty for none
	reply   any
	refused error // the server's answer instead of rows
}

// capped is what of the memory counts for maxmemory.
func capped(in client.Info) float64 {
	return in.Number("used_memory") - in.Number("mem_not_counted_for_evict")
}

// span is the time between two readings of the same server.
type span struct {
	before, now *reading // before is nil until there are two
}

// next is the span up to a reading. One of a server that was started anew has nothing before it.
func (s span) next(r *reading) span {
	if s.now == nil || s.now.info["run_id"] != r.info["run_id"] ||
		s.now.info.Number("total_commands_processed") > r.info.Number("total_commands_processed") {
		return span{now: r}
	}
	return span{before: s.now, now: r}
}

func (s span) seconds() float64 { return s.now.at.Sub(s.before.at).Seconds() }

// grown is by how much a counter has grown, NaN where that is not known. A counter falls when
// somebody resets the statistics.
func grown(before, now float64) float64 {
	if now < before {
		return math.NaN()
	}
	return now - before
}

// grown is by how much a field of INFO has grown.
func (s span) grown(name string) float64 {
	if s.before == nil {
		return math.NaN()
	}
	return grown(s.before.info.Number(name), s.now.info.Number(name))
}

// rate is grown by second.
func (s span) rate(name string) float64 {
	if s.before == nil {
		return math.NaN()
	}
	return s.grown(name) / s.seconds()
}

// share is a part of a sum in per cent, NaN of nothing.
func share(part, rest float64) float64 {
	if part+rest == 0 {
		return math.NaN()
	}
	return 100 * part / (part + rest)
}

// command is what INFO says of a command.
type command struct {
	name                                  string
	calls, usec, failed, rejected         float64
	p50, p99, p999                        float64 // µs, since the start; NaN if not tracked
	newCalls, newUsec, perSecond, average float64 // within the span; NaN if unknown
}

// commands are the commands that were called at all, busiest first.
func (s span) commands() []command {
	var all []command
	for field, value := range s.now.info {
		name, ok := strings.CutPrefix(field, "cmdstat_")
		if !ok {
			continue
		}
		l, lat := client.Pairs(value), client.Pairs(s.now.info["latency_percentiles_usec_"+name])
		c := command{
			name: strings.ReplaceAll(name, "|", " "), calls: client.Number(l["calls"]), usec: client.Number(l["usec"]),
			failed: client.Number(l["failed_calls"]), rejected: client.Number(l["rejected_calls"]),
			p50: math.NaN(), p99: math.NaN(), p999: math.NaN(),
			newCalls: math.NaN(), newUsec: math.NaN(), perSecond: math.NaN(), average: math.NaN(),
		}
		for _, p := range []struct {
			name string
			to   *float64
		}{{"p50", &c.p50}, {"p99", &c.p99}, {"p99.9", &c.p999}} {
			if text, ok := lat[p.name]; ok {
				*p.to = client.Number(text)
			}
		}
		if s.before != nil {
			was := client.Pairs(s.before.info[field])
			c.newCalls = grown(client.Number(was["calls"]), c.calls)
			c.newUsec = grown(client.Number(was["usec"]), c.usec)
			c.perSecond = c.newCalls / s.seconds()
			c.average = c.newUsec / c.newCalls // NaN for 0 of 0
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b command) int {
		return cmp.Or(cmp.Compare(b.newUsec, a.newUsec), cmp.Compare(b.usec, a.usec), cmp.Compare(a.name, b.name))
	})
	return all
}
