// Package advise is `larder advise`: it looks at a server's keys and traffic for a while and says what
// would raise the hit rate or save memory.
//
// # Evidence, and judging it
//
// Gather (this file) collects the evidence: INFO and, of larder, CACHE.STATS before and after; in
// between the requests that MONITOR shows (monitor.go), of which those to a sample of the keys are
// kept (trace.go); at the end some thousands of keys in the order of SCAN (keys.go). Judge (judge.go)
// makes a report of it and asks the server nothing, so that a test can put any evidence before it.
//
// # When it says nothing
//
// A rule with less evidence than it needs is named among what could not be judged, with what was
// missing. What is seen in half a minute says nothing about reuse after an hour: a time to live is
// called too long only if reads of the second half of the time hardly ever came to keys that had
// been left alone in the first, and policies are compared only if the traffic has turned over what
// the server has room for.
//
// # What it costs
//
// MONITOR makes the server write every request once more: it is bounded by time and by a number of
// requests, and can be left out. Looking at keys adds to keyspace_hits, after the time that is judged.
package advise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/cmd/client"
)

// Options say what to look at, and for how long.
type Options struct {
	Client   *redis.Client
	Addr     string // of the server, to be shown
	For      time.Duration
	Requests int64 // that MONITOR shows, at most; 0 to leave MONITOR out
	Keys     int   // that are sampled, at most
}

// evidence is what a report is made of.
type evidence struct {
	before, after client.Info
	seconds       float64
	requests      int64 // that MONITOR has shown
	monitored     bool
	trace         *trace // settled
	rule          prefixRule
	ruleErr       error                // why the server's own rule is not known
	prefixes      map[string]prefixUse // by larder's own count; nil if there is none
	db            int                  // that is looked at
	keys          []sampledKey
}

// prefixUse is what was read of a prefix within the time.
type prefixUse struct {
	reads, hits                    int
	missNew, missExpired, missGone int
}

// Run gathers evidence and judges it.
func Run(ctx context.Context, o Options) (*Report, error) {
	e, err := gather(ctx, o)
	if err != nil {
		return nil, err
	}
	r := judge(e)
	r.Addr = o.Addr
	return r, nil
}

func gather(ctx context.Context, o Options) (*evidence, error) {
	c := o.Client
	e := &evidence{trace: newTrace(defaultLimits()), db: c.Options().DB}
	commands, err := askCommands(ctx, c)
	if err != nil {
		return nil, err
	}
	var before map[string]prefixUse
	if e.before, before, err = counters(ctx, c); err != nil {
		return nil, err
	}
	if e.before["larder_version"] != "" {
		e.rule, e.ruleErr = askPrefixRule(ctx, c)
	}
	start := time.Now()
	if o.Requests > 0 {
		var took time.Duration
		e.monitored = true
		if e.requests, took, err = monitor(ctx, c, commands, e.trace, o.For, o.Requests); err != nil {
			return nil, err
		}
		e.seconds = took.Seconds()
	} else {
		select {
		case <-time.After(o.For):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		e.seconds = time.Since(start).Seconds()
	}
	var after map[string]prefixUse
	if e.after, after, err = counters(ctx, c); err != nil {
		return nil, err
	}
	e.prefixes = used(before, after)
	if err := settle(ctx, c, e); err != nil {
		return nil, err
	}
	e.keys, err = sampleKeys(ctx, c, o.Keys)
	return e, err
}

// settle asks which of the keys that were read and not written are there. It asks by MEMORY USAGE, which
// unlike EXISTS counts neither as a hit nor as a miss.
func settle(ctx context.Context, c *redis.Client, e *evidence) error {
	there := make([]bool, len(e.trace.keys))
	for begin := 0; begin < len(there); begin += scanStep {
		pipe := c.Pipeline()
		var replies []*redis.IntCmd
		for i := begin; i < min(begin+scanStep, len(there)); i++ {
			replies = append(replies, pipe.MemoryUsage(ctx, e.trace.keys[i].name))
		}
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		for i, r := range replies {
			there[begin+i] = r.Err() == nil
		}
	}
	e.trace.settle(e.evicted() > 0, func(key uint32) (bool, bool) { return there[key], true })
	return nil
}

func (e *evidence) evicted() float64 {
	return e.grown("evicted_keys")
}

// counters reads INFO and, where there is one, the count by prefix.
func counters(ctx context.Context, c *redis.Client) (client.Info, map[string]prefixUse, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, nil, err
	}
	reply, err := c.Do(ctx, "CACHE.STATS").Slice()
	if err != nil || len(reply) == 0 {
		return client.ParseInfo(text), nil, nil // no larder, no right to it, or switched off: MONITOR will have to do
	}
	uses := map[string]prefixUse{}
	for _, row := range reply {
		f := client.Fields(row)
		if client.Figure(f["tracked"]) != 1 {
			continue
		}
		n := func(name string) int { return int(client.Figure(f[name])) }
		uses[fmt.Sprint(f["prefix"])] = prefixUse{
			reads: n("hits") + n("misses"), hits: n("hits"), missNew: n("misses_never_set"),
			missExpired: n("misses_expired"), missGone: n("misses_evicted") + n("misses_deleted"),
		}
	}
	return client.ParseInfo(text), uses, nil
}

// used is what has come between two counts.
func used(before, after map[string]prefixUse) map[string]prefixUse {
	if after == nil {
		return nil
	}
	uses := map[string]prefixUse{}
	for name, a := range after {
		b := before[name]
		uses[name] = prefixUse{a.reads - b.reads, a.hits - b.hits, a.missNew - b.missNew,
			a.missExpired - b.missExpired, a.missGone - b.missGone}
	}
	return uses
}
