package engine

import (
	"sync"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/store"
)

// Ctx is what a handler sees of one command: the selected database (the embedded
// View), its arguments, its keys with their shards locked, and the reply. How that
// command came to run does not matter to it (call.go).
//
// A Ctx lives for one batch of one session and is then reused by another; a
// handler must not keep it, nor Args, Keys or bytes read from the store.
type Ctx struct {
	store.View
	Args    [][]byte    // Args[0] is the name as sent; all alias the input
	Keys    []store.Key // in the order of the row's key specs, and only those that were found
	Out     *protocol.Writer
	Session *Session
	Kernel  *Kernel
	Spec    *Spec

	wire   []byte // the request as it came, behind Args
	parser Args
	writer protocol.Writer
	locks  store.Lockset
	meter  meter
	frame  frame
	ahead  lookahead
	looked *request // what looking ahead has found out about the request, nil: nothing
	most   int      // the largest len(Keys) of the batch

	room     replyRoom
	evictor  *store.Evictor // nil until it is needed
	evicting time.Duration  // spent by the batch on eviction, beyond first steps
	handed   bool           // the batch has let the other clients of its loop go on

	// Memo is what a row has found out about a request, and may find useful for the next one: the
	// script that it has run.
	Memo any

	question acl.Request // scratch memory of what users' rules are asked

	monitored bool // there are monitors, see monitor.go

	effects journal.Effects // collected, not appended yet
	logging bool            // effects of what runs now are wanted
	said    bool            // the handler has said Effect

	parts   []int // where the reply's part about each of Keys ends, if the handler says it
	parting bool  // somebody wants to know

	pushed []byte     // scratch memory of settle
	many   bool       // more or less was written than one reply, see checkReply
	own    []byte     // messages for the session itself, to follow the reply, see message.go
	script scriptCall // the script that runs
	inner  inner      // its commands, see inner.go
	short  bool       // there was no room for what the request needs
	long   *Run       // it, once it takes long
	behind *Run       // the script that the request has to wait for

	ready []*wait // whom to tell that a key of theirs may have something, see waitkeys.go

	remembers bool    // the keys that a command reads are noted, see tracking.go
	changes   changes // what BCAST clients are to be told of
}

// Parse returns the argument parser, positioned at Args[from]. There is one per
// Ctx: a second Parse begins again.
func (c *Ctx) Parse(from int) *Args {
	c.parser = Args{args: c.Args, pos: from}
	return &c.parser
}

// ctxPool hands scratch Ctxs to sessions, one per batch, so that an idle
// connection holds none.
type ctxPool struct{ pool sync.Pool }

func (p *ctxPool) get(k *Kernel) *Ctx {
	if c, ok := p.pool.Get().(*Ctx); ok {
		return c
	}
	return newCtx(k)
}

// newCtx makes what all batches have in common; a batch begins with what differs (Session.begin).
func newCtx(k *Kernel) *Ctx {
	c := &Ctx{Kernel: k}
	c.Out, c.room.allow = &c.writer, c.mayGrow
	c.inner.replies.AllowGrowth(c.mayAnswer)
	c.View = store.View{Store: k.Store, Listener: c.changed,
		Ready: c.madeReady, Forgetter: &forgetter{k, c}, Stall: c.stall}
	return c
}

// put takes c back and lets go of everything it refers to. What earlier commands of the batch have
// left behind the present length of a slice would keep the query buffer of a client that is long
// gone from being freed.
func (p *ctxPool) put(c *Ctx) {
	c.writer.Reset(nil, false)
	c.script, c.behind = scriptCall{}, nil
	c.Args, c.wire, c.Session, c.Spec, c.parser = nil, nil, nil, nil, Args{}
	c.looked = nil
	c.ahead.letGo()
	clear(c.Keys[:c.most])
	c.Keys, c.most = c.Keys[:0], 0
	p.pool.Put(c)
}

// resolve fills c.Keys for the row and the arguments in c.
func (c *Ctx) resolve(s *Spec) {
	switch {
	case c.looked != nil && c.looked.keyed:
		c.Keys = append(c.Keys[:0], c.looked.key)
	case s.lockKind == lockOne:
		c.Keys = append(c.Keys[:0], c.Store.Key(c.Args[s.keyPos]))
	default:
		c.Keys = s.appendKeys(c.Keys[:0], c.Store, c.Args)
	}
	c.most = max(c.most, len(c.Keys))
}

// invoke resolves the keys, locks their shards unless the call around it has done so,
// runs the handler and unlocks.
//
//	lockNone  nothing is held; store functions that span shards lock themselves
//	lockOne   that one shard
//	lockKeys  the union of the keys' shards, in index order, and what Spec.Locks adds
//	lockAll   every shard
//	lockStray every shard for a request whose keys are not all among its arguments, else as lockKeys
func (c *Ctx) invoke(s *Spec) error {
	c.resolve(s)
	if c.frame.locked {
		if c.frame.script {
			if err := c.reach(s); err != nil {
				return err
			}
			c.accessed(s)
			return c.run(s)
		}
		c.accessed(s)
		return c.runCounted(s)
	}
	switch s.lockKind {
	case lockOne:
		shard := c.Keys[0].Shard()
		c.Store.Lock(shard)
		if by := c.Store.Occupier(shard); by != nil {
			c.Store.Unlock(shard)
			return c.occupied(by)
		}
		c.Accessed(&c.Keys[0])
		start := c.Out.Len()
		err := c.run(s)
		if err == nil && c.Keys[0].Counted() {
			c.countOne(start)
		}
		c.Store.Unlock(shard)
		return err
	case lockKeys:
		return c.runLocked(s)
	case lockAll:
		return c.runAlone(s)
	case lockStray:
		if s.Strays(c.Args) {
			return c.runAlone(s)
		}
		return c.runLocked(s)
	}
	if s.Flags&(OwnLocks|Survey) == OwnLocks && c.Store.Occupied() {
		if err := c.BehindScripts(); err != nil {
			return err
		}
	}
	return c.run(s)
}

// runLocked runs s with the shards of its keys locked, and if it is a script that needs it with the
// right to lock others.
func (c *Ctx) runLocked(s *Spec) error {
	err := c.lockClaims(func() { c.claim(s) })
	if err != nil {
		return err
	}
	c.Store.PrefetchLocked(c.DB, c.Keys)
	c.accessed(s)
	err = c.runCounted(s)
	c.unlock()
	return err
}

// accessed notes that a command uses its keys, for HOTKEYS. Those of a script are used by its
// commands, and those of EXEC by what was queued.
func (c *Ctx) accessed(s *Spec) {
	if s.Flags&(RunsScript|RunsQueue) != 0 {
		return
	}
	for i := range c.Keys {
		c.Accessed(&c.Keys[i])
	}
}

// claim puts what a request needs into c.locks.
func (c *Ctx) claim(s *Spec) {
	for i := range c.Keys {
		c.locks.Add(c.Keys[i].Shard())
	}
	if s.Locks != nil {
		s.Locks(c, &c.locks)
	}
	if s.Undeclared != nil && s.Undeclared(c) {
		c.locks.AddGrowth()
	}
}

// lockClaims locks what claim puts into c.locks. What a function needs depends on the library that it
// is in, so that is looked up anew if the libraries have changed before all was locked; after that
// they cannot, for whom it matters.
func (c *Ctx) lockClaims(claim func()) error {
	for {
		libraries := c.Kernel.Libraries.Load()
		c.locks.Reset()
		claim()
		if err := c.lock(); err != nil {
			return err
		}
		if c.Kernel.Libraries.Load() == libraries {
			return nil
		}
		c.unlock()
	}
}

// lock locks c.locks, if nothing of it is occupied. A call that may stray has a shard from the start:
// so a pause, or the last snapshot, which take all of them, do not begin while it runs.
func (c *Ctx) lock() error {
	if c.locks.Grows() && c.locks.Shardless(c.Store) {
		c.locks.Add(0)
	}
	if by := c.locks.Lock(c.Store); by != nil {
		return c.occupied(by)
	}
	return nil
}

// unlock unlocks c.locks.
func (c *Ctx) unlock() {
	c.Held = false
	c.locks.Unlock(c.Store)
	if c.long != nil {
		c.endLong()
	}
}

// runAlone runs s with every shard locked.
func (c *Ctx) runAlone(s *Spec) error {
	c.locks.Reset()
	c.locks.AddAll(c.Store)
	if err := c.lock(); err != nil {
		return err
	}
	c.Held = true
	c.accessed(s)
	err := c.runCounted(s)
	c.unlock()
	return err
}
