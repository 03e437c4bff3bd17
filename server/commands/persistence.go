package commands

import (
	"context"
	"errors"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/engine"
)

// The commands that have the data set written to disk. When and how that happens
// is package persistence's; here are the requests and the texts of the replies.

func persistenceCommands() []engine.Spec {
	const (
		admin = engine.Admin | engine.NoScript | engine.NoAsyncLoading
		// A snapshot is of the moment of the command, hence all shards; but whoever
		// asks while one is being written does not stop anybody.
		save = admin | engine.OwnLocks
	)
	return []engine.Spec{
		{Name: "save", Handler: cmdSave, Arity: 1, Flags: save | engine.NoMulti, Group: "server", Since: "1.0.0",
			Summary:    "Saves the data set; the reply comes when it is on disk. Other clients are served meanwhile.",
			Complexity: "O(N) where N is the total number of keys in all databases"},
		{Name: "bgsave", Handler: cmdBgsave, Arity: -1, Flags: save, Group: "server", Since: "1.0.0", Syntax: "[SCHEDULE]",
			Summary:    "Begins to save the data set.",
			Complexity: "O(1)",
			History:    []string{"3.2.2: The option `SCHEDULE`."}},
		{Name: "lastsave", Handler: cmdLastsave, Arity: 1, Flags: engine.Loading | engine.Stale | engine.Fast,
			Group: "server", Categories: engine.CatAdmin | engine.CatDangerous, Since: "1.0.0",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Returns the time of the last successful save, in seconds since 1970.",
			Complexity: "O(1)"},
		{Name: "bgrewriteaof", Handler: cmdBgrewriteaof, Arity: 1, Flags: admin, Group: "server", Since: "1.0.0",
			Summary:    "Begins to rewrite the log of changes.",
			Complexity: "O(1)"},
		{Name: "shutdown", Handler: cmdShutdown, Arity: -1,
			Flags: engine.Admin | engine.NoScript | engine.Loading | engine.Stale | engine.NoMulti | engine.AllowBusy,
			Group: "server", Since: "1.0.0", Syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
			Summary:    "Saves the data set, if that is configured or asked for, and stops the server.",
			Complexity: "O(N) when saving, where N is the total number of keys in all databases, otherwise O(1)",
			History:    []string{"7.0.0: `NOW`, `FORCE` and `ABORT`."}},
	}
}

// persist is the server's persistence, or the error that there is none.
func persist(c *engine.Ctx) (*persistence.Manager, error) {
	if c.Kernel.Persist == nil {
		return nil, engine.ErrNothingKept
	}
	return c.Kernel.Persist, nil
}

// cmdSave lets its client wait for a save that runs like any other.
func cmdSave(c *engine.Ctx) error {
	m, err := persist(c)
	if err != nil {
		return err
	}
	if err := m.RefusesSave(); err != nil {
		return saveError(err)
	}
	outcome := make(chan error, 1)
	end := func(resume func()) func(error) {
		return func(err error) {
			outcome <- err
			resume()
		}
	}
	return c.WaitFor(engine.ForServer, func(resume func()) {
		c.LockAll() // never inside EXEC, see the row
		err := m.SaveLocked(end(resume))
		c.Store.UnlockAll()
		if err != nil {
			end(resume)(err)
		}
	}, 0, func(c *engine.Ctx) error {
		if err := <-outcome; err != nil {
			return saveError(err)
		}
		c.Out.OK()
		return nil
	})
}

// saveError is what clients are told of a save that did not succeed.
func saveError(err error) error {
	switch {
	case errors.Is(err, persistence.ErrSaveRunning):
		return engine.ErrSaveRunning
	case errors.Is(err, persistence.ErrRewriteRunning):
		return engine.ErrChildActive
	}
	return engine.ErrPlain // as in Redis: the log says more
}

func cmdBgsave(c *engine.Ctx) error {
	m, err := persist(c)
	if err != nil {
		return err
	}
	a := c.Parse(1)
	schedule := a.Match("SCHEDULE")
	if !a.Done() {
		return engine.ErrSyntax
	}
	scheduled := true
	if c.Inside() { // the snapshot would have one half of the transaction
		err = m.ScheduleSave()
	} else if err = m.RefusesSave(); err == nil {
		c.LockAll()
		scheduled, err = m.BackgroundSaveLocked(schedule)
		c.Store.UnlockAll()
	}
	switch {
	case err != nil:
		return saveError(err)
	case scheduled:
		c.Out.Status("Background saving scheduled")
	default:
		c.Out.Status("Background saving started")
	}
	return nil
}

func cmdLastsave(c *engine.Ctx) error {
	at := c.Kernel.Started
	if m := c.Kernel.Persist; m != nil {
		at = m.LastSave()
	}
	c.Out.Int(at.Unix())
	return nil
}

// cmdBgrewriteaof needs no lock: the rewrite takes them all by itself, later, and
// so inside EXEC not before the transaction is over.
func cmdBgrewriteaof(c *engine.Ctx) error {
	m, err := persist(c)
	if err != nil {
		return err
	}
	scheduled, err := m.Rewrite()
	switch {
	case errors.Is(err, persistence.ErrRewriteRunning):
		return engine.ErrRewriteRunning
	case err != nil:
		return engine.ErrRewrite
	case scheduled || c.Inside():
		c.Out.Status("Background append only file rewriting scheduled")
	default:
		c.Out.Status("Background append only file rewriting started")
	}
	return nil
}

// shutdownOptions are SHUTDOWN's words.
type shutdownOptions struct {
	persistence.ShutdownMode
	now, abort bool
}

func parseShutdown(c *engine.Ctx) (o shutdownOptions, err error) {
	for a := c.Parse(1); !a.Done(); {
		switch {
		case a.Match("NOSAVE"):
			o.NoSave = true
		case a.Match("SAVE"):
			o.Save = true
		case a.Match("NOW"):
			o.now = true
		case a.Match("FORCE"):
			o.Force = true
		case a.Match("ABORT"):
			o.abort = true
		default:
			return o, engine.ErrSyntax
		}
	}
	if o.NoSave && o.Save || o.abort && o != (shutdownOptions{abort: true}) {
		return o, engine.ErrSyntax
	}
	return o, nil
}

// cmdShutdown stops the server without a reply, as Redis does, if what is to be
// saved can be. The final save is made elsewhere, so that this client's loop goes
// on until it is over. ABORT finds nothing to abort: it is for the time that Redis
// waits for replicas.
func cmdShutdown(c *engine.Ctx) error {
	o, err := parseShutdown(c)
	switch {
	case err != nil:
		return err
	case o.abort:
		return engine.ErrNoShutdown
	}
	if !o.NoSave {
		if err := c.BehindScripts(); err != nil {
			return err
		}
	}
	k := c.Kernel
	k.Log.Info("SHUTDOWN received", "addr", c.Session.Conn().RemoteAddr(),
		"now", o.now, "save", o.Save, "nosave", o.NoSave, "force", o.Force)
	if k.Persist == nil {
		c.Session.CloseAfterReply()
		k.Shutdown(o.now)
		return nil
	}
	var failed error
	return c.WaitFor(engine.ForServer, func(resume func()) {
		k.Go(func(context.Context) {
			if failed = k.Persist.PrepareShutdown(o.ShutdownMode); failed == nil {
				k.Shutdown(o.now)
			} else {
				k.Log.Error("not stopping: data would be lost", "error", failed)
			}
			resume()
		})
	}, 0, func(c *engine.Ctx) error {
		if failed != nil {
			return engine.ErrServerDown
		}
		c.Session.CloseAfterReply()
		return nil
	})
}
