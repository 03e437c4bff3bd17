// Effects: what commands have done to the data, for the journal (persistence/journal), which the
// log reads.
//
// It holds commands, Redis' way, so that a file of one server can be read by
// the other. What goes there is not always what the client sent: an effect must
// give the same data set when it is run again, later and by itself. So a relative
// time to live becomes an absolute one, SPOP the members it drew, INCRBYFLOAT the
// sum; and what changed nothing is not there. By default the effect of a command
// is its own words, if View.Dirty says that it changed something; a handler whose
// words do not do says Effect.
//
// # Order
//
// Effects are appended while the shard locks of the command are still held. Two
// commands that change the same key hold the same lock, one after the other, so
// the order of effects in the log is, for every key, the order of the changes; a
// snapshot is cut under all locks, so what it holds is what was appended before
// the cut. The log's own lock is the last one taken, and held to copy some bytes.
//
// One command has usually one effect. Where there are more (EXEC, SPOP of a great
// many, a key that expired and was then set) they are collected in the Ctx and
// appended together, as MULTI and EXEC if they are several: a crash leaves all or
// none of them.
//
// # Removals
//
// Nothing expires while a log is replayed, whatever the clock says, since the
// commands after an expiry may have relied on the key's absence, and those
// before on its presence. So a removal by the store is an effect of its own, DEL.
// One that a command causes belongs between the effects before it and those that
// follow, which may not have been appended yet; hence the store tells the
// command of it (notify.go) and it is collected with the rest. One
// by the janitor has no command around it and is appended at once, under the
// shard's lock like everything else.
//
// For the same reason a command that stores something made of other keys must not
// merely look past expired ones, as readers do, but remove them: its words, run
// again, would find them. See Ctx.Expire.
//
// # Cost
//
// With the log off a command costs one atomic load more than without persistence
// (admit asks for its state), a write three (Ctx.run asks again, and for the log).
// With the log on a SET is appended as it came from the client: no allocation, one copy.

package engine

import (
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/store"
)

// run executes the handler of s. Its shards are locked.
func (c *Ctx) run(s *Spec) error {
	switch {
	case c.monitored:
		return c.runShown(s)
	case s.Flags&Write == 0:
		return c.runRead(s)
	}
	return c.runWrite(s)
}

// runRead is run for rows that do not write.
func (c *Ctx) runRead(s *Spec) error {
	if c.remembers && s.Flags&ReadOnly != 0 {
		return c.remember(s)
	}
	return s.Handler(c)
}

// runWrite is run for a command that writes.
func (c *Ctx) runWrite(s *Spec) error {
	if c.frame.kept { // the call around it has asked and will append
		return c.collect(s)
	}
	if err := c.Kernel.barred(Write); err != nil {
		return err
	}
	if c.logging = c.Kernel.journal.On(); !c.logging {
		return s.Handler(c)
	}
	dirty := c.Dirty
	c.said = false
	err := s.Handler(c)
	changed := c.Dirty != dirty && !c.said
	if changed && c.effects.Len() == 0 && s.Flags&Own == 0 {
		c.Kernel.journal.AppendWire(c.DB, c.wire, c.Args)
		c.Session.logged = true
	} else if changed {
		c.addWords(s)
	}
	c.flushEffects()
	return err
}

// collect executes the handler of a write and keeps its effect for later.
func (c *Ctx) collect(s *Spec) error {
	dirty := c.Dirty
	c.said = false
	err := s.Handler(c)
	if c.logging && c.Dirty != dirty && !c.said {
		c.addWords(s)
	}
	return err
}

// addWords collects a command's own words as its effect.
func (c *Ctx) addWords(s *Spec) {
	if s.Flags&Own != 0 {
		c.effects.AddOwn(c.DB, c.Args...)
		return
	}
	c.effects.Add(c.DB, c.Args...)
}

// flushEffects appends what has been collected. The shards are still locked.
func (c *Ctx) flushEffects() {
	if c.script.stopped { // the server ends, and nothing of the script is to be found again
		c.effects.Reset()
	}
	if c.effects.Len() > 0 {
		c.Kernel.journal.AppendEffects(&c.effects)
		c.effects.Reset()
		c.Session.logged = true
	}
	c.logging = false
}

// Effect says what the running command has done, in place of its own words: a
// command that does the same whenever and wherever it is run. Several calls make
// several effects. It counts even if View.Dirty does not. The arguments are copied.
func (c *Ctx) Effect(args ...[]byte) {
	c.said = true
	if c.logging {
		c.effects.Add(c.DB, args...)
	}
}

// OwnEffect is Effect for a command that only larder knows.
func (c *Ctx) OwnEffect(args ...[]byte) {
	c.said = true
	if c.logging {
		c.effects.AddOwn(c.DB, args...)
	}
}

// Logged reports whether effects are wanted: if not, a handler need not prepare any.
func (c *Ctx) Logged() bool { return c.logging }

// removed is the effect of a removal by the store in the course of the running command.
func (c *Ctx) removed(db int, key []byte) {
	if c.logging {
		c.effects.Add(db, []byte("DEL"), key)
		return
	}
	c.Kernel.removed(db, key)
}

// removed is the effect of a removal by the store outside any command.
func (k *Kernel) removed(db int, key []byte) { k.Effect(db, []byte("DEL"), key) }

// Effect says what was done outside any command, as a command. The caller holds the shards of what
// it changed. The arguments are copied.
func (k *Kernel) Effect(db int, args ...[]byte) {
	if k.journal.On() {
		k.journal.Append(db, args...)
	}
}

// Expire removes those of the keys whose time has come, and elements whose time has come of the
// others, for a command that writes what it reads from them.
func (c *Ctx) Expire(keys []store.Key) {
	for _, k := range keys {
		if e, ok := c.Peek(k); !ok && e.Hidden() {
			c.Write(k)
		} else if ok {
			c.ExpireElements(k, func(typ store.Type, element []byte) {
				if c.logging {
					c.effects.Add(c.DB, []byte(elementRemovals[typ]), k.Name, element)
				}
			})
		}
	}
}

// elementRemovals are the commands that remove elements, of the types whose elements can expire.
var elementRemovals = [store.NumTypes]string{store.TypeHash: "HDEL", store.TypeSet: "SREM"}

// CountChanges adds what the session has changed so far to the server's count.
// The batch's end does so too; this is for those who look at the count earlier.
func (c *Ctx) CountChanges() {
	if c.Dirty != 0 && c.Kernel.Persist != nil {
		c.Kernel.Persist.AddDirty(c.Dirty)
	}
	c.Dirty = 0
}

// state is a set of the bits of package persistence and of those in pause.go and monitor.go.
func (k *Kernel) state() uint32 { return k.word.Load() }

// barred returns why a command with these flags must not run after all. It asks again, under the
// locks of a write, what may have changed since it was admitted: whether the last snapshot has been
// made, so that what is written now would be lost, or writes pause.
func (k *Kernel) barred(flags Flags) error {
	switch state := k.state(); {
	case flags&Write == 0 || state&(persistence.Stopping|pausedAll|pausedWrites) == 0:
		return nil
	case state&persistence.Stopping != 0:
		return errStopped
	}
	return errPaused
}
