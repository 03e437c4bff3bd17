package commands

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/aof"
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
	if synced := m != nil && m.LogReady() && m.Log().Synced(); !c.MayWait() || replicas == 0 && (synced || local == 0) {
		replyWaited(c, synced)
		return nil
	}
	w := &waiting{kernel: c.Kernel, local: local == 1, replicas: replicas > 0}
	return c.WaitFor(engine.ForAck, func(resume func()) {
		if m == nil {
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		c.AfterWait(cancel)
		w.kernel.Go(func(end context.Context) {
			defer context.AfterFunc(end, cancel)()
			if w.follow(ctx, m.LogReady, m.Log()) {
				resume()
			}
		})
	}, timeout, func(c *engine.Ctx) error {
		if w.off.Load() {
			return engine.ErrWaitAOFOff
		}
		replyWaited(c, w.synced.Load() || m != nil && m.LogReady() && m.Log().Synced())
		return nil
	})
}

// waiting is one WAITAOF that waits.
type waiting struct {
	kernel          *engine.Kernel
	local, replicas bool // what for
	synced          atomic.Bool
	off             atomic.Bool // the log was switched off, so that it cannot be waited for
}

// parseWaitaof reads the arguments. A timeout of 0 is none.
func parseWaitaof(c *engine.Ctx) (local, replicas int64, timeout time.Duration, err error) {
	a := c.Parse(1)
	if local = a.Int64(); local < 0 || local > 1 {
		a.Fail(engine.ErrNumLocal)
	}
	replicas = a.IntRange(0, math.MaxInt64, string(engine.ErrPositive))
	timeout = waitTimeout(a)
	return local, replicas, timeout, a.Err()
}

// follow has the log synced, again and again if that fails, and reports whether the
// wait is over by that or because the log has been switched off. For replicas it
// goes on until ctx ends: there are none.
func (w *waiting) follow(ctx context.Context, ready func() bool, log *aof.Log) (over bool) {
	for {
		switch {
		case !w.synced.Load() && ready() && log.Sync() == nil:
			w.synced.Store(true)
			if !w.replicas {
				return true
			}
		case w.local && !w.kernel.Config.Values().AppendOnly:
			w.off.Store(true)
			return true
		}
		select {
		case <-ctx.Done():
			return false
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
