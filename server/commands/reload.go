package commands

import (
	"errors"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// DEBUG RELOAD saves the data, and takes them from the file that this has made. DEBUG LOADAOF takes them
// from the log.
//
// As in Redis everybody waits for it: no change may come between the save and the new data. The
// file is read into a store of its own, and only when all of it has been found good do its keys take
// the place of those that are there; so a bad file changes nothing, and for a moment the data are
// there twice. Libraries of functions stay as they are.
//
// Keys that have expired and are still there come back as they were: commands that follow rely on their
// removal being logged (engine/effect.go).

// reloading is what the words of a RELOAD ask for.
type reloading struct{ merge, keep, nosave bool }

func debugReload(c *engine.Ctx, a *engine.Args) error {
	var o reloading
	for !a.Done() {
		switch {
		case a.Match("MERGE"):
			o.merge = true
		case a.Match("NOFLUSH"):
			o.keep = true
		case a.Match("NOSAVE"):
			o.nosave = true
		default:
			return engine.ErrReloadOption
		}
	}
	m, err := persistLoaded(c)
	if err != nil {
		return err
	}
	alone(c, func() { err = o.reload(c, m) })
	if err != nil {
		return err
	}
	c.Kernel.Log.Warn("DB reloaded by DEBUG RELOAD")
	c.Out.OK()
	return nil
}

// persistLoaded is persist, and refuses while data are loaded.
func persistLoaded(c *engine.Ctx) (*persistence.Manager, error) {
	m, err := persist(c)
	if err == nil && m.State()&persistence.Loading != 0 {
		err = engine.ErrLoading
	}
	return m, err
}

// reload does it. All shards are locked.
func (o *reloading) reload(c *engine.Ctx, m *persistence.Manager) error {
	if !o.nosave {
		if err := m.SaveAtOnceLocked(); err != nil {
			return saveError(err)
		}
	}
	now := int64(0)
	if o.nosave {
		now = c.Now
	}
	err := o.take(c, func(into *store.Store) error { return m.ReadSnapshot(into, now) })
	if err != nil {
		c.Kernel.Log.Error("DEBUG RELOAD", "error", err)
		return engine.ErrReload
	}
	if o.nosave && m.Log().On() {
		_, err = m.Rewrite() // the log knows nothing of what the file had
	}
	return err
}

// debugLoadAOF is refused inside a transaction, whose effects are not in the log yet: Redis then loses
// them in memory and logs them.
func debugLoadAOF(c *engine.Ctx, _ *engine.Args) error {
	if c.Inside() {
		return engine.ErrNoMulti
	}
	m, err := persistLoaded(c)
	if err != nil {
		return err
	}
	var o reloading
	alone(c, func() {
		err = o.take(c, func(into *store.Store) error {
			return m.ReadLogLocked(into,
				func() func([]aof.Command) error { return c.Kernel.NewReplayerInto(into).Replay })
		})
	})
	if errors.Is(err, persistence.ErrRewriteRunning) || errors.Is(err, persistence.ErrSaveRunning) {
		return saveError(err)
	}
	if err != nil {
		c.Kernel.Log.Error("DEBUG LOADAOF", "error", err)
		return engine.ErrLoadLog
	}
	c.Kernel.Log.Warn("Append Only File loaded by DEBUG LOADAOF")
	c.Out.OK()
	return nil
}

// take reads data into a store of its own and, if all is well, puts their keys in place. All shards are
// locked.
func (o *reloading) take(c *engine.Ctx, read func(into *store.Store) error) error {
	from, err := store.Open(store.Options{Databases: c.Store.Databases(), Meter: c.Store.Meter()})
	if err != nil {
		return err
	}
	if err = read(from); err == nil {
		err = o.replace(c, from)
	}
	return errors.Join(err, from.Close())
}

var errReloadClash = errors.New("a key of the file is there already")

// replace puts the keys of a store in place of those that there are, or beside them.
func (o *reloading) replace(c *engine.Ctx, from *store.Store) error {
	if o.keep && !o.merge {
		clash := false
		eachKey(c, from, func(_ *store.View, v *store.View, e *store.Entry, name []byte) error {
			_, there := v.Peek(c.Store.Key(name))
			clash = clash || there
			return nil
		})
		if clash {
			return errReloadClash
		}
	}
	if !o.keep {
		for db := range c.Store.Databases() {
			c.Store.FlushLocked(db, c.Now)
		}
	}
	c.ForgetAll()
	return eachKey(c, from, func(source, v *store.View, e *store.Entry, name []byte) error {
		k, value := c.Store.Key(name), e.Content()
		copied, err := rdb.Decode(v, k, c.Kernel.Dumper.Dump(nil, &value, false))
		if err != nil {
			return err
		}
		v.Vacate(k)
		if err := copied.Store(); err != nil {
			return err
		}
		if at := e.ExpireAt(); at != 0 {
			v.Date(k, at)
		}
		if x, ok := e.Extras(); ok {
			v.Attach(k, &x)
		}
		v.SetIdle(k, e.IdleSeconds(source))
		v.SetFrequency(k, int(e.Frequency(source)))
		return nil
	})
}

// eachKey visits the keys of a store, with a view of their database there and one of it in c's store. It
// returns the first error.
func eachKey(c *engine.Ctx, from *store.Store,
	fn func(source, v *store.View, e *store.Entry, name []byte) error) (err error) {
	for db := range from.Databases() {
		source := store.View{Store: from, DB: db, Now: c.Now}
		v := store.View{Store: c.Store, DB: db, Now: c.Now, Held: true, Loading: true,
			Listener: func(int, []byte, store.Event) {}} // as in Redis nobody is told of keys that are loaded
		for cursor := uint64(0); ; {
			const every = 0 // no time to live is over by then
			cursor = from.Scan(db, cursor, digestSlice, every, func(e *store.Entry, name []byte) {
				err = errors.Join(err, fn(&source, &v, e, name))
			})
			if cursor == 0 {
				break
			}
		}
	}
	return err
}
