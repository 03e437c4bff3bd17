// Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//
// A queued command is copied out of the input, or a long argument kept where it is
// (loan.go), and kept with its row. EXEC takes
// the union of all queued keys' shards and of the watched keys' shards once, in
// index order (every shard if a queued row needs all, or
// locks by itself elsewhere; the right to lock others if a queued script may touch keys that
// it does not declare, see straying.go), looks whether the watch
// still stands, runs the queue and lets go. So a transaction is isolated from
// everything else, and it can wait for a lock only before it has done anything.
//
// WATCH is a flag that the store sets under the lock of the key's shard whenever
// the key changes, FLUSHALL and SWAPDB included (store/watch.go). EXEC asks for it
// with the watched keys' shards locked, and the store then looks at the clock too:
// a key whose time came between WATCH and EXEC counts as changed, as in Redis.
//
// The effects of all commands are collected and appended to the log as one, while
// the locks are held (effect.go).
//
// An error while queueing spoils the transaction (EXECABORT); an error while
// running is one of the replies and undoes nothing.

package engine

import (
	"unsafe"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
)

// txn is the state of MULTI and WATCH of one session.
type txn struct {
	queuing bool  // between MULTI and EXEC
	aborted bool  // a command was refused while queueing
	flags   Flags // union of the queued rows'
	lacks   Flags // union of the flags that queued rows do not have
	queue   []kept
	bytes   int64 // of the queue's arguments

	watcher store.Watcher
}

// queueMemory is what the queue takes, in bytes.
func (t *txn) queueMemory() int64 {
	return t.bytes + int64(cap(t.queue))*int64(unsafe.Sizeof(kept{}))
}

// memory is what the transaction takes besides itself, in bytes.
func (t *txn) memory() int64 { return t.queueMemory() + t.watcher.Memory() }

// enqueue copies the request into the queue and answers QUEUED.
func (s *Session) enqueue(c *Ctx, spec *Spec) {
	t := s.txn
	if t.aborted || t.watcher.Changed() { // EXEC will run nothing
		c.Out.Status("QUEUED")
		return
	}
	request := kept{args: c.Args}
	t.bytes += request.size()
	if t.bytes > s.kernel.Config.Values().ClientQueryBufferLimit {
		s.kernel.Log.Warn("closing client that reached max query buffer length",
			"id", s.ID(), "addr", s.conn.RemoteAddr(), "queued", t.bytes)
		s.conn.Kill(netloop.QueryBufferLimit)
		s.next = netloop.CloseNow
		return
	}
	t.queue = append(t.queue, s.keep(c, spec))
	t.flags |= spec.flags(c)
	if spec.Strays != nil && spec.Strays(c.Args) {
		t.flags |= AllShards
	}
	t.lacks |= ^spec.Flags
	s.pub.queueBytes.Store(t.queueMemory())
	c.Out.Status("QUEUED")
}

// dropTxn ends MULTI and WATCH. The caller holds no shard.
func (s *Session) dropTxn() {
	t := s.txn
	if t == nil {
		return
	}
	s.kernel.Store.Unwatch(&t.watcher)
	for i := range t.queue {
		s.kernel.giveBack(t.queue[i].loan)
	}
	s.txn = nil
	s.pub.queueBytes.Store(0)
}

func (s *Session) needTxn() *txn {
	if s.txn == nil {
		s.txn = &txn{}
	}
	return s.txn
}

// Queuing reports whether the client is between MULTI and EXEC.
func (s *Session) Queuing() bool { return s.txn != nil && s.txn.queuing }

// Multi begins to queue.
func (c *Ctx) Multi() error {
	if c.Session.Queuing() {
		return ErrNestedMulti
	}
	c.Session.needTxn().queuing = true
	c.Out.OK()
	return nil
}

// Discard forgets the queue and the watched keys.
func (c *Ctx) Discard() error {
	if !c.Session.Queuing() {
		return ErrDiscardNoMulti
	}
	c.Session.dropTxn()
	c.Out.OK()
	return nil
}

// WatchKeys watches the command's keys, whose shards are locked.
func (c *Ctx) WatchKeys() error {
	if c.Session.Queuing() {
		return ErrWatchInMulti
	}
	t := c.Session.needTxn()
	for _, k := range c.Keys {
		c.Watch(k, &t.watcher)
	}
	c.Out.OK()
	return nil
}

// Unwatch forgets the watched keys. Inside a transaction it does nothing: EXEC,
// which runs it, forgets them all.
func (c *Ctx) Unwatch() error {
	if !c.Inside() {
		c.Session.dropTxn()
	}
	c.Out.OK()
	return nil
}

// Exec runs the queue.
func (c *Ctx) Exec() error {
	s := c.Session
	if !s.Queuing() {
		return ErrExecNoMulti
	}
	t := s.txn
	if t.aborted {
		s.dropTxn()
		return ErrExecAbort
	}
	if err := c.lockTxn(t); err != nil {
		return err // the queue stays, likewise
	}
	unlock := c.unlock
	flags := t.flags
	if flags&PausesAsWrite != 0 { // a script may write
		flags |= Write
	}
	if err := c.Kernel.barred(flags); err != nil {
		unlock() // the queue stays: what pauses comes again
		return err
	}
	defer s.dropTxn()
	defer unlock()
	if c.Store.DirtyLocked(&t.watcher, c.Now) {
		c.Out.NullArray()
		return nil
	}
	if t.flags&(ManyReplies|SwitchesRESP) != 0 {
		c.settle()
	}
	c.logging = c.Kernel.journal.On()
	defer c.flushEffects()
	t.queuing = false
	c.Out.Array(len(t.queue))
	c.within(func() {
		for i := range t.queue {
			if e := c.forbiddenQueued(&t.queue[i]); e != "" {
				c.writeError(e)
				continue
			}
			c.perform(&t.queue[i])
		}
	})
	return nil
}

// lockTxn locks what the queue and the watched keys need, for unlock.
func (c *Ctx) lockTxn(t *txn) error {
	all := t.flags&(AllShards|OwnLocks) != 0
	err := c.lockClaims(func() {
		t.watcher.AddShards(&c.locks)
		c.claimQueued(t)
		if all {
			c.locks.AddAll(c.Store)
		}
	})
	if err != nil {
		return err
	}
	c.Held = all
	return nil
}

// claimQueued puts what the queued commands need into c.locks.
func (c *Ctx) claimQueued(t *txn) {
	args := c.Args
	for i := range t.queue {
		q := &t.queue[i]
		c.Args, c.Keys = q.args, q.spec.appendKeys(c.Keys[:0], c.Store, q.args)
		c.most = max(c.most, len(c.Keys))
		c.claim(q.spec)
	}
	c.Args = args
}
