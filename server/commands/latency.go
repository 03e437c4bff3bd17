package commands

import (
	"fmt"
	"strings"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store/lex"
)

// LATENCY: events that took long (those of commands and of background work, by
// latency-monitor-threshold), and how long the calls of each command take (latency-tracking).

func latencyCommands() []engine.Spec {
	const (
		open  = engine.Loading | engine.Stale
		admin = engine.Admin | engine.NoScript | open
	)
	all := []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"}
	return []engine.Spec{{
		Name: "latency", Arity: -2, Group: "server", Since: "2.8.13",
		Summary:    "A container for commands about latencies.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "doctor", Handler: cmdLatencyDoctor, Arity: 2, Flags: admin,
				Group: "server", Since: "2.8.13", Tips: all,
				Summary: "Describes what took long, and what to do about it.", Complexity: "O(1)"},
			{Name: "graph", Handler: cmdLatencyGraph, Arity: 3, Flags: admin,
				Group: "server", Since: "2.8.13", Tips: all,
				Syntax: "event", Summary: "Draws the latencies of an event.", Complexity: "O(1)"},
			{Name: "histogram", Handler: cmdLatencyHistogram, Arity: -2, Flags: admin,
				Group: "server", Since: "7.0.0", Tips: all,
				Syntax:     "[command [command ...]]",
				Summary:    "Returns how the latencies of some commands, or of all, are distributed.",
				Complexity: "O(N) where N is the number of commands with latency information being retrieved."},
			{Name: "history", Handler: cmdLatencyHistory, Arity: 3, Flags: admin,
				Group: "server", Since: "2.8.13", Tips: all,
				Syntax: "event", Summary: "Returns the latencies of an event with their times.", Complexity: "O(1)"},
			{Name: "latest", Handler: cmdLatencyLatest, Arity: 2, Flags: admin,
				Group: "server", Since: "2.8.13", Tips: all,
				Summary: "Returns the latest latency of each event.", Complexity: "O(1)"},
			{Name: "reset", Handler: cmdLatencyReset, Arity: -2, Flags: admin,
				Group: "server", Since: "2.8.13",
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Syntax:  "[event [event ...]]",
				Summary: "Forgets the latencies of some events, or of all.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdLatencyHelp, Arity: 2, Flags: open,
				Group: "server", Since: "2.8.13",
				Summary: "Describes the subcommands of LATENCY.", Complexity: "O(1)"},
		},
	}}
}

func cmdLatencyHistory(c *engine.Ctx) error {
	e, _ := c.Kernel.Latency.Event(string(c.Args[2]))
	c.Out.Array(len(e.Samples))
	for _, s := range e.Samples {
		c.Out.Array(2)
		c.Out.Int(s.Time)
		c.Out.Int(s.Took)
	}
	return nil
}

func cmdLatencyLatest(c *engine.Ctx) error {
	events := c.Kernel.Latency.Events()
	c.Out.Array(len(events))
	for i := range events {
		last := events[i].Last()
		c.Out.Array(4)
		c.Out.BulkString(events[i].Name)
		c.Out.Int(last.Time)
		c.Out.Int(last.Took)
		c.Out.Int(events[i].Worst)
	}
	return nil
}

func cmdLatencyReset(c *engine.Ctx) error {
	if len(c.Args) == 2 {
		c.Out.Int(int64(c.Kernel.Latency.ResetAll()))
		return nil
	}
	n := 0
	for _, name := range c.Args[2:] {
		n += count(c.Kernel.Latency.Reset(string(name)))
	}
	c.Out.Int(int64(n))
	return nil
}

// cmdLatencyHistogram names commands that were called, each once, and leaves out others: as in Redis
// the reply says which they are.
func cmdLatencyHistogram(c *engine.Ctx) error {
	var rows []*engine.Spec
	add := func(s *engine.Spec) { rows = append(rows, s) }
	if len(c.Args) == 2 {
		c.Kernel.Table.Each(add)
	}
	for _, name := range c.Args[min(2, len(c.Args)):] {
		s := lookup(c, name)
		switch {
		case s == nil:
		case s.Subtable() != nil:
			s.Subtable().Each(add)
		default:
			add(s)
		}
	}
	type timed struct {
		name string
		stats.Latencies
	}
	var found []timed
	for _, s := range rows {
		if l := c.Kernel.Stats.Latencies(s.Index()); l.Calls > 0 {
			found = append(found, timed{s.FullName(), l})
		}
	}
	c.Out.Map(len(found))
	for i := range found {
		c.Out.BulkString(found[i].name)
		replyHistogram(c, &found[i].Latencies)
	}
	return nil
}

func replyHistogram(c *engine.Ctx, l *stats.Latencies) {
	c.Out.Map(2)
	c.Out.BulkString("calls")
	c.Out.Int(l.Calls)
	c.Out.BulkString("histogram_usec")
	steps := 0
	l.Steps(func(time.Duration, int64) { steps++ })
	c.Out.Map(steps)
	l.Steps(func(bound time.Duration, calls int64) {
		c.Out.Int(bound.Microseconds())
		c.Out.Int(calls)
	})
}

func cmdLatencyHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"DOCTOR",
		"    Return a human readable latency analysis report.",
		"GRAPH <event>",
		"    Return an ASCII latency graph for the <event> class.",
		"HISTORY <event>",
		"    Return time-latency samples for the <event> class.",
		"LATEST",
		"    Return the latest latency samples for all events.",
		"RESET [<event> ...]",
		"    Reset latency data of one or more <event> classes.",
		"    (default: reset all data for all event classes)",
		"HISTOGRAM [COMMAND ...]",
		"    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
		"    If no commands are specified then all histograms are replied.")
}

func cmdLatencyGraph(c *engine.Ctx) error {
	e, ok := c.Kernel.Latency.Event(string(c.Args[2]))
	if !ok {
		return engine.Errf("ERR No samples available for event '%s'", c.Args[2])
	}
	c.Out.Verbatim("txt", graph(&e, c.Kernel.Now()))
	return nil
}

// latencystats writes percentiles of how long the calls of each command took, in microseconds.
func (w *infoWriter) latencystats() {
	if !w.v.LatencyTracking {
		return
	}
	w.k.Table.Each(func(s *engine.Spec) {
		l := w.k.Stats.Latencies(s.Index())
		if l.Calls == 0 {
			return
		}
		var said []string
		for _, word := range w.v.LatencyPercentiles {
			p, _ := lex.ParseFloat([]byte(word)) // checked when it was set
			said = append(said, fmt.Sprintf("p%s=%.3f", word, float64(l.Percentile(p))/float64(time.Microsecond)))
		}
		w.put("latency_percentiles_usec_"+s.FullName(), strings.Join(said, ","))
	})
}
