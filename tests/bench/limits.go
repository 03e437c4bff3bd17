//go:build linux

package main

import (
	"fmt"
	"strconv"
)

// Rate limits: larder's commands beside the scripts that they replace, which redis-server runs.

func (b *bench) limitFigures() []figure {
	var out []figure
	empty := func(s *server) error { return s.once("FLUSHALL") }
	for _, depth := range []struct{ pipeline, ops int }{
		{100, b.size(1_000_000, 60_000)}, {16, b.size(600_000, 60_000)}, {1, b.size(200_000, 20_000)},
	} {
		both := commandLoad{pipeline: depth.pipeline, ops: depth.ops, limit: 0.5, refill: empty}
		fixed, throttle := both, both
		fixed.setup, fixed.args = loadScript(windowScript), []string{"EVALSHA", scriptName(windowScript), "1", "hits:__rand_int__", "60"}
		throttle.what, throttle.args = "CL.THROTTLE / EVALSHA of a fixed window", []string{"CL.THROTTLE", "hits:__rand_int__", "15", "30", "60"}
		f := b.replacedFigure(fmt.Sprintf("limit-throttle-p%d", depth.pipeline), throttle, fixed)
		f.note = fmt.Sprintf("CL.THROTTLE against INCR and EXPIRE at 1; %d keys that are all gone before each trial", benchKeys)
		out = append(out, f)

		both.refill = nil
		sorted, window := both, both
		sorted.setup, sorted.own = loadScript(slidingScript), hits(depth.pipeline)
		window.what, window.keys = "CL.WINDOW / EVALSHA of a sliding window", slidingKeys
		window.args = []string{"CL.WINDOW", "hits:__rand_int__", "1000000", strconv.Itoa(3_600_000)}
		f = b.replacedFigure(fmt.Sprintf("limit-window-p%d", depth.pipeline), window, sorted)
		f.note = fmt.Sprintf("%d keys; Redis' sorted sets hold %d hits each, larder's windows all hits of the run, merged into 64 entries at most", slidingKeys, slidingHolds)
		out = append(out, f)
	}
	return out
}

// replacedFigure is commandFigure with a load for each of the two servers.
func (b *bench) replacedFigure(name string, ours, theirs commandLoad) figure {
	ours.name = name
	f, other := b.commandFigure(ours), b.commandFigure(theirs)
	prepare, trial := f.prepare, f.trial
	f.prepare = func(s *server) error {
		if s.side == redisSide {
			return other.prepare(s)
		}
		return prepare(s)
	}
	f.trial = func(s *server) ([]float64, error) {
		if s.side == redisSide {
			return other.trial(s)
		}
		return trial(s)
	}
	return f
}
