// Straying: scripts that touch keys which they have not declared.
//
// Redis asks of a script that it gets all its keys in KEYS, and does not check: libraries make names
// inside (BullMQ, asynq, cacheops), or read them from a set. Redis has one lock, so to speak. Here a
// script that starts has locked the shards of the keys that it declares; a command inside that needs
// another shard has it locked then, to the end of the script, in whatever order (store/lockset.go
// says why that comes to an end). So the script runs once, from its first step to its last, and no
// one sees a half of it; undeclared keys cost the time of a lock, and those who use them alone.
//
// # Proved scripts
//
// A set of locks grows by right, which one call has at a time: two scripts that have both written
// something could otherwise wait for each other. A script of which it is proved that it keeps to its
// declared keys does not need that right, so it runs beside all others. That is nearly every script
// whose author has read Redis' documentation; those that are not proved run one at a time.
// Spec.Undeclared tells the two apart before the script starts. A transaction asks it for all
// scripts in its queue and has the right for all of them or for none.
//
// Should a script stray nevertheless that has been taken for a proved one, it gets the shard, or at
// least the right to wait for it, if that is free. If not, the command is refused: a bug, which does
// not cost more than that.
//
// # Rejected
//
// To lock every shard for a script of which nothing is proved: it would stop everybody for its whole
// time. To run a script again from its start, under more locks, when it strays: what it has
// written would have to be taken back, whatever its size, and others must not have heard of it
// before: messages, log lines, monitors, statistics. To take shards without waiting, and to run
// again only if one is not free: the same, more seldom, which is less tested.

package engine

import (
	"runtime"
	"time"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/invariants"
)

// reach has the shards locked that a command inside a script needs. c.Keys are the command's.
func (c *Ctx) reach(s *Spec) error {
	if s.Flags&Write != 0 && !c.mayWrite() {
		return ErrScriptKilled
	}
	if c.Held {
		return nil
	}
	for i := range c.Keys {
		if shard := c.Keys[i].Shard(); !c.locks.Has(shard) {
			if err := c.grow(shard); err != nil {
				return err
			}
		}
	}
	all := s.Flags&(AllShards|OwnLocks) != 0 || s.Strays != nil && s.Strays(c.Args)
	if !all && s.Locks == nil {
		return nil
	}
	return c.reachFor(s, all)
}

// reachFor has all shards locked, or those that the row's Locks adds.
func (c *Ctx) reachFor(s *Spec, all bool) error {
	var more store.Lockset
	if all {
		more.AddAll(c.Store)
	} else {
		s.Locks(c, &more)
	}
	for shard := range c.Store.Shards() {
		if more.Has(shard) && !c.locks.Has(shard) {
			if err := c.grow(shard); err != nil {
				return err
			}
		}
	}
	c.Held = all
	return nil
}

// How a script waits for a shard: it gives the processor away so many times, since most locks are
// held for some microseconds, and then sleeps.
const (
	growYields = 100
	growSleep  = 100 * time.Microsecond
)

// grow locks one more shard, or waits until it can.
func (c *Ctx) grow(shard int) error {
	for tries := 0; !c.locks.Grow(c.Store, shard); tries++ {
		switch {
		case !c.locks.Grows():
			if invariants.Enabled {
				panic("BUG: engine: a script strays that was proved not to")
			}
			return errStrays
		case tries < growYields:
			runtime.Gosched()
		default:
			time.Sleep(growSleep)
			if err := c.Tick(); err != nil {
				return err
			}
		}
	}
	return nil
}
