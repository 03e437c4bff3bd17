package commands

import (
	"math"
	"strconv"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// Commands about the server and about whole databases.

func serverCommands() []engine.Spec {
	const danger = engine.CatKeyspace | engine.CatDangerous
	all := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []engine.Spec{
		{Name: "info", Handler: cmdInfo, Arity: -1, Flags: engine.Loading | engine.Stale | engine.OwnLocks | engine.Survey,
			Group: "server", Categories: engine.CatDangerous, Since: "1.0.0", Syntax: "[section [section ...]]",
			Tips:       []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary:    "Reports on the server and its statistics.",
			Complexity: "O(1)",
			History:    []string{"7.0.0: Several sections are accepted."}},
		{Name: "time", Handler: cmdTime, Arity: 1, Flags: engine.Loading | engine.Stale | engine.Fast,
			Group: "server", Since: "2.6.0", Tips: []string{"nondeterministic_output"},
			Summary:    "Returns the time of the server: seconds since 1970, and microseconds.",
			Complexity: "O(1)"},
		{Name: "dbsize", Handler: cmdDbsize, Arity: 1, Flags: engine.ReadOnly | engine.Fast | engine.OwnLocks,
			Group: "server", Categories: engine.CatKeyspace, Since: "1.0.0",
			Tips:       []string{"request_policy:all_shards", "response_policy:agg_sum"},
			Summary:    "Counts the keys of the database.",
			Complexity: "O(1)"},
		{Name: "flushdb", Handler: cmdFlushdb, Arity: -1, Flags: engine.Write | engine.AllShards,
			Group: "server", Categories: danger, Since: "1.0.0", Syntax: "[ASYNC | SYNC]", Tips: all,
			Summary:    "Removes all keys of the database.",
			Complexity: "O(1); memory is freed in the background.",
			History:    []string{"4.0.0: `ASYNC`.", "6.2.0: `SYNC`."}},
		{Name: "flushall", Handler: cmdFlushall, Arity: -1, Flags: engine.Write | engine.AllShards,
			Group: "server", Categories: danger, Since: "1.0.0", Syntax: "[ASYNC | SYNC]", Tips: all,
			Summary:    "Removes all keys of all databases.",
			Complexity: "O(1); memory is freed in the background.",
			History:    []string{"4.0.0: `ASYNC`.", "6.2.0: `SYNC`."}},
		{Name: "swapdb", Handler: cmdSwapdb, Arity: 3, Flags: engine.Write | engine.Fast | engine.AllShards | engine.NamesDB,
			Group: "server", Categories: danger, Since: "4.0.0", Syntax: "index1 index2",
			Summary:    "Exchanges two databases.",
			Complexity: "O(N) where N is the count of keys that clients watch in both databases."},
	}
}

func cmdTime(c *engine.Ctx) error {
	now := c.Kernel.Now()
	c.Out.Array(2)
	c.Out.BulkString(strconv.FormatInt(now.Unix(), 10))
	c.Out.BulkString(strconv.FormatInt(int64(now.Nanosecond())/int64(time.Microsecond), 10))
	return nil
}

func cmdDbsize(c *engine.Ctx) error {
	c.Out.Int(int64(c.DBStats(c.DB).Keys))
	return nil
}

func cmdFlushdb(c *engine.Ctx) error {
	if err := parseFlush(c); err != nil {
		return err
	}
	flush(c, c.DB)
	c.ForgetAll()
	c.Effect(c.Args...)
	c.Out.OK()
	return nil
}

func cmdFlushall(c *engine.Ctx) error {
	if err := parseFlush(c); err != nil {
		return err
	}
	for db := range c.Store.Databases() {
		flush(c, db)
	}
	c.ForgetAll()
	c.Effect(c.Args...)
	if p := c.Kernel.Persist; p != nil && !c.Loading { // else the log says so, and goes on
		p.Flushed()
	}
	c.Out.OK()
	return nil
}

// flush empties a database. Its keys count as changes; the log is told in any case,
// as by Redis, whose replicas may have keys where there are none here.
func flush(c *engine.Ctx, db int) {
	c.Dirty += int64(c.Store.FlushLocked(db, c.Now))
	c.PurgesFlushed(db)
}

// parseFlush checks the option. SYNC and ASYNC are the same here: the keys are
// gone when the reply is sent, and memory never is the client's to wait for.
func parseFlush(c *engine.Ctx) error {
	a := c.Parse(1)
	if a.Done() || a.Left() == 1 && (a.Match("SYNC") || a.Match("ASYNC")) {
		return nil
	}
	return engine.ErrSyntax
}

func cmdSwapdb(c *engine.Ctx) error {
	first, ok := lex.ParseInt(c.Args[1])
	if !ok || int64(int32(first)) != first {
		return engine.ErrFirstDBIndex
	}
	second, ok := lex.ParseInt(c.Args[2])
	if !ok || int64(int32(second)) != second {
		return engine.ErrSecondDBIndex
	}
	n := int64(c.Store.Databases())
	if first < 0 || first >= n || second < 0 || second >= n {
		return engine.ErrDBIndex
	}
	if first != second {
		c.SwapLocked(int(first), int(second))
		c.PurgesSwapped(int(first), int(second))
		c.ForgetAll() // caches do not know of databases
	}
	c.Dirty++ // even if they are the same one
	c.Out.OK()
	return nil
}

// sleepFor converts seconds to a duration without overflow.
func sleepFor(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), math.MaxInt64/float64(2*time.Second)) * float64(time.Second))
}
