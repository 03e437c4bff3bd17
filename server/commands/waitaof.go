package commands

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/engine"
)

// WAITAOF: a client that wants to know its writes durable, whatever appendfsync
// says. Redis waits for the sync that comes next by itself, which under
// `appendfsync no` may never come; here the command has the log synced.

func waitCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "waitaof", Handler: cmdWaitaof, Arity: 4, Flags: engine.Blocking,
		Group: "generic", Categories: engine.CatConnection, Since: "7.2.0",
		Syntax:     "numlocal=integer numreplicas=integer timeout=integer",
		Tips:       []string{"request_policy:all_shards", "response_policy:agg_min"},
		Summary:    "Waits until the client's writes are on the disk of this server and of replicas.",
		Complexity: "O(1)",
	}}
}

// waitRetry is the time between two tries to sync while the disk fails, or until
// the log has its base file.
const waitRetry = 100 * time.Millisecond

func cmdWaitaof(c *engine.Ctx) error {
	local, replicas, timeout, err := parseWaitaof(c)
	switch {
	case err != nil:
		return err
	case local == 1 && !c.Kernel.Config.Values().AppendOnly:
		return engine.ErrWaitAOFOff
	}
	m := c.Kernel.Persist
	if synced := m != nil && m.LogReady() && m.Log().Synced(); c.InExec() || replicas == 0 && (synced || local == 0) {
		replyWaited(c, synced)
		return nil
	}
	var synced atomic.Bool
	return c.WaitFor(func(resume func()) {
		if m == nil {
			return
		}
		c.Kernel.Go(func(ctx context.Context) {
			ctx, cancel := withTimeout(ctx, timeout)
			defer cancel()
			if syncLog(ctx, m); ctx.Err() == nil {
				synced.Store(true)
				if replicas == 0 {
					resume() // else there is nobody to wait for but the time
				}
			}
		})
	}, timeout, func(c *engine.Ctx) error {
		replyWaited(c, synced.Load())
		return nil
	})
}

// parseWaitaof reads the arguments. A timeout of 0 is none.
func parseWaitaof(c *engine.Ctx) (local, replicas int64, timeout time.Duration, err error) {
	a := c.Parse(1)
	if local = a.Int64(); local < 0 || local > 1 {
		a.Fail(engine.ErrNumLocal)
	}
	replicas = a.IntRange(0, math.MaxInt64, string(engine.ErrPositive))
	ms := a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrTimeoutInt))
	if ms < 0 {
		a.Fail(engine.ErrTimeoutNegative)
	}
	const most = math.MaxInt64 / int64(time.Millisecond)
	return local, replicas, time.Duration(min(ms, most)) * time.Millisecond, a.Err()
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// syncLog returns when the log has been synced or ctx has ended.
func syncLog(ctx context.Context, m *persistence.Manager) {
	for !m.LogReady() || m.Log().Sync() != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(waitRetry):
		}
	}
}

// replyWaited says whether this server, and how many replicas, have the writes.
func replyWaited(c *engine.Ctx, synced bool) {
	c.Out.Array(2)
	c.Out.Int(int64(count(synced)))
	c.Out.Int(0)
}
