package commands

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store/arena"
)

// MEMORY: what the server's memory is used for, what to do about it, and what a key
// takes. The advice is in doctor.go.

func memoryCommands() []engine.Spec {
	const group = "server"
	report := []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"}
	return []engine.Spec{{
		Name: "memory", Arity: -2, Group: group, Since: "4.0.0",
		Summary:    "A container for commands about memory.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "doctor", Handler: cmdMemoryDoctor, Arity: 2, Flags: engine.OwnLocks | engine.Survey, Group: group, Since: "4.0.0",
				Tips: report, Summary: "Says what is wrong with the server's memory, and what can be done.", Complexity: "O(1)"},
			{Name: "malloc-stats", Handler: cmdMemoryMallocStats, Arity: 2, Flags: engine.OwnLocks | engine.Survey, Group: group, Since: "4.0.0",
				Tips: report, Summary: "Reports how the allocator's memory is laid out.",
				Complexity: "O(N) where N is the number of values above 16 kilobytes"},
			{Name: "purge", Handler: cmdMemoryPurge, Arity: 2, Group: group, Since: "4.0.0",
				Tips:       []string{"request_policy:all_shards", "response_policy:all_succeeded"},
				Summary:    "Gives free memory back to the system now. Other clients are served meanwhile.",
				Complexity: "O(N) where N is the amount of free memory"},
			{Name: "stats", Handler: cmdMemoryStats, Arity: 2, Flags: engine.OwnLocks | engine.Survey, Group: group, Since: "4.0.0",
				Tips: report, Summary: "Returns what the server's memory is used for.", Complexity: "O(1)"},
			{Name: "usage", Handler: cmdMemoryUsage, Arity: -3, Flags: engine.ReadOnly, Group: group, Since: "4.0.0",
				Keys: []engine.KeySpec{engine.Key(2, engine.RO)}, Syntax: "key [SAMPLES count]",
				Summary: "Returns the bytes that a key and its value take.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdMemoryHelp, Arity: 2, Flags: engine.Loading | engine.Stale, Group: group, Since: "4.0.0",
				Summary: "Describes the subcommands of MEMORY.", Complexity: "O(1)"},
		},
	}}
}

// cmdMemoryUsage answers exactly, whatever SAMPLES says.
func cmdMemoryUsage(c *engine.Ctx) error {
	a := c.Parse(3)
	for !a.Done() {
		if !a.MatchValue("SAMPLES") {
			return engine.ErrSyntax
		}
		if a.Int64() < 0 {
			a.Syntax()
		}
	}
	if err := a.Err(); err != nil {
		return err
	}
	e, ok := c.Peek(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	c.Out.Int(e.Memory())
	return nil
}

func cmdMemoryStats(c *engine.Ctx) error {
	m := readMemory(c, c.Stats(), stats.ReadProcess(), diskStatus(c.Kernel).Log.PendingBytes)
	const fields = 31 // beside those of databases
	c.Out.Map(fields + len(m.dbs))
	amount := func(name string, n int64) {
		c.Out.BulkString(name)
		c.Out.Int(n)
	}
	share := func(name string, f float64) {
		c.Out.BulkString(name)
		c.Out.Double(f)
	}
	stack := func(name string, l layer) {
		share(name+".ratio", l.ratio())
		amount(name+".bytes", l.bytes())
	}
	amount("peak.allocated", m.peak)
	amount("total.allocated", m.used)
	amount("startup.allocated", m.startup)
	amount("replication.backlog", 0)
	amount("clients.slaves", 0)
	amount("clients.normal", m.clients)
	amount("cluster.links", 0)
	amount("aof.buffer", m.log)
	amount("lua.caches", c.Kernel.Scripts().ScriptMemory)
	amount("functions.caches", c.Kernel.Scripts().LibraryMemory)
	for _, d := range m.dbs {
		c.Out.BulkString(fmt.Sprintf("db.%d", d.db))
		c.Out.Map(2)
		amount("overhead.hashtable.main", d.index)
		amount("overhead.hashtable.expires", 0) // times to live stand in the records
	}
	amount("overhead.db.hashtable.lut", m.index)
	amount("overhead.db.hashtable.rehashing", 0) // tables grow without a second one beside them
	amount("overhead.total", m.overhead())
	amount("db.dict.rehashing.count", 0)
	amount("keys.count", m.keys)
	amount("keys.bytes-per-key", m.bytesPerKey())
	amount("dataset.bytes", m.dataset())
	share("dataset.percentage", m.datasetPercent())
	share("peak.percentage", m.peakPercent())
	amount("allocator.allocated", m.used)
	amount("allocator.active", m.active)
	amount("allocator.resident", m.resident)
	amount("allocator.muzzy", m.muzzy)
	stack("allocator-fragmentation", m.fragmentation())
	stack("allocator-rss", m.unreturned())
	stack("rss-overhead", m.process())
	share("fragmentation", m.total().ratio())
	amount("fragmentation.bytes", m.total().bytes())
	return nil
}

// cmdMemoryPurge lets its client wait while a goroutine of its own gives back what
// is free: with gigabytes of it the clients of the same loop would notice. In a
// transaction nothing waits, and the reply comes before the work is done.
func cmdMemoryPurge(c *engine.Ctx) error {
	k := c.Kernel
	purge := func(ctx context.Context) {
		debug.FreeOSMemory()
		if err := k.Store.Purge(ctx); err != nil {
			k.Log.Error("memory cannot be given back", "error", err)
		}
	}
	done := func(c *engine.Ctx) error {
		c.Out.OK()
		return nil
	}
	if !c.MayWait() {
		k.Go(purge)
		return done(c)
	}
	return c.WaitFor(engine.ForServer, func(resume func()) {
		k.Go(func(ctx context.Context) {
			purge(ctx)
			resume()
		})
	}, 0, done)
}

func cmdMemoryMallocStats(c *engine.Ctx) error {
	c.Out.Verbatim("txt", layout(c.Report()))
	return nil
}

// layout prints a report of the arena: a line for each size of slot that is in use.
func layout(r *arena.Report) string {
	var b strings.Builder
	line := func(cells ...any) { fmt.Fprintf(&b, "%9v %9v %10v %12v %12v %14v %14v %6v\n", cells...) }
	b.WriteString("Memory of keys and values, in bytes. Slots of one size lie in spans of one size.\n\n")
	line("slot", "span", "spans", "slots", "in use", "bytes in use", "bytes held", "full")
	var spans, slots, live, used, held int64
	full := func(part, whole int64) string { return fmt.Sprintf("%.0f%%", percent(part, whole)) }
	for _, c := range r.Classes {
		if c.Spans == 0 {
			continue
		}
		cu, ch := c.Live*int64(c.Size), c.Spans*int64(c.Span)
		line(c.Size, c.Span, c.Spans, c.Slots, c.Live, cu, ch, full(cu, ch))
		spans, slots, live, used, held = spans+c.Spans, slots+c.Slots, live+c.Live, used+cu, held+ch
	}
	line("all", "", spans, slots, live, used, held, full(used, held))
	fmt.Fprintf(&b, "\nlarger blocks      %d of %d bytes\n", r.Large, r.LargeUsed)
	fmt.Fprintf(&b, "free, resident     %d bytes of spans\n", r.Free)
	fmt.Fprintf(&b, "free, given back   %d bytes of spans\n", r.Returned)
	fmt.Fprintf(&b, "to be given back   %d bytes of address space of larger blocks\n", r.Pending)
	return b.String()
}

func cmdMemoryHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"DOCTOR",
		"    Return memory problems reports.",
		"MALLOC-STATS",
		"    Return internal statistics report from the memory allocator.",
		"PURGE",
		"    Attempt to purge dirty pages for reclamation by the allocator.",
		"STATS",
		"    Return information about the memory usage of the server.",
		"USAGE <key> [SAMPLES <count>]",
		"    Return memory in bytes used by <key> and its value. Nested values are",
		"    sampled up to <count> times (default: 5, 0 means sample all).")
}
