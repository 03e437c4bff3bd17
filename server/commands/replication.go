package commands

import (
	"math"
	"time"

	"github.com/larderkv/larder/server/engine"
)

// Commands about replication, as a master without replicas answers them. WAIT cannot be had sooner
// than its time limit, or CLIENT UNBLOCK, says: no replica will ever acknowledge anything. Clients
// that use it as a barrier rely on the time, so it is not answered at once.

func replicationCommands() []engine.Spec {
	return []engine.Spec{
		{Name: "wait", Handler: cmdWait, Arity: 3, Flags: engine.Blocking, Group: "generic", Categories: engine.CatConnection, Since: "3.0.0",
			Syntax:     "numreplicas=integer timeout=integer",
			Tips:       []string{"request_policy:all_shards", "response_policy:agg_min"},
			Summary:    "Waits until replicas have acknowledged the client's writes.",
			Complexity: "O(1)"},
		{Name: "role", Handler: cmdRole, Arity: 1, Flags: engine.NoScript | engine.Loading | engine.Stale | engine.Fast,
			Group: "server", Categories: engine.CatAdmin | engine.CatDangerous, Since: "2.8.12",
			Summary:    "Returns the server's part in replication.",
			Complexity: "O(1)"},
	}
}

func cmdWait(c *engine.Ctx) error {
	a := c.Parse(1)
	replicas, timeout := a.Int64(), waitTimeout(a)
	switch {
	case a.Err() != nil:
		return a.Err()
	case replicas <= 0:
		return replyNoReplicas(c)
	}
	return c.WaitFor(engine.ForAck, func(func()) {}, timeout, replyNoReplicas)
}

// replyNoReplicas says how many replicas have the writes.
func replyNoReplicas(c *engine.Ctx) error {
	c.Out.Int(0)
	return nil
}

// waitTimeout reads the milliseconds that WAIT and WAITAOF wait at most. 0 is no limit.
func waitTimeout(a *engine.Args) time.Duration {
	ms := a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrTimeoutInt))
	if ms < 0 {
		a.Fail(engine.ErrTimeoutNegative)
	}
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(ms, most)) * time.Millisecond
}

// cmdRole replies with the role, the offset in the stream to replicas, and the replicas. Like
// INFO's master_repl_offset the offset is 0, as it is in Redis until a first replica has come.
func cmdRole(c *engine.Ctx) error {
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(0)
	c.Out.Array(0)
	return nil
}
