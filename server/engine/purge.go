// Purges: keys that match are deleted in the background (CACHE.PURGE).
//
// A purge is a walk like that of RM, done by the goroutine of the background work in place of a client.
// A step visits some hundred keys of one shard under its lock and deletes some tens of them, in less
// than a tenth of a millisecond, so nobody waits for longer than that; how many steps there are in a
// second is the background work's to say, and the purge's own bound.
//
// What goes is the same as if a client had deleted it: an effect in the log (UNLINK of all keys of a
// step), events, WATCH, caches of clients, statistics. And like a client's writes a purge waits while
// clients pause, while the disk fails and while the data are loaded.
//
// # Rights
//
// A purge has the rights of who started it, as they are when a key's turn comes. Keys that he may not
// write stay. Once he may not start one any more, or is gone, it ends.
//
// # Other data
//
// A purge is of the data that its database has at the start. If SWAPDB moves these to another number,
// it goes on there: who swaps in a new set of data does not lose any of it to what was meant for the
// old one. FLUSHALL and FLUSHDB have nothing left to be deleted, so they end it. A restart does too:
// what is left to be done is not kept.
//
// # Locking
//
// A step holds the mutex behind that of its shard. So after the reply to STOP nothing is deleted any
// more.

package engine

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

const (
	// mostPurges is how many may run at a time, and how many that have ended are remembered.
	mostPurges = 16
	// LongestPurge bounds the pattern, in bytes, since it is kept.
	LongestPurge = 4096

	purgeVisits  = 512 // keys that a step visits, at most
	purgeDeletes = 64  // keys that it deletes, at most
	// purgeLag is for how long a purge with a bound may be behind its time: what it missed before, it
	// does not make up for.
	purgeLag = 50 * time.Millisecond
	// purgePause is the time until the next try if something stands against a step.
	purgePause = 10 * time.Millisecond
)

// PurgeRule is what a purge deletes, and how fast.
type PurgeRule struct {
	Pattern string // of names, or how they begin
	Prefix  bool
	Typed   bool // only keys of one type
	Type    store.Type
	Rate    int64 // keys deleted per second, at most; 0 is no bound
}

// PurgeState is how far a purge is.
type PurgeState uint8

const (
	PurgeRunning PurgeState = iota
	PurgeDone               // it has been through all keys
	PurgeStopped            // by a command
	PurgeRefused            // its user has lost the right to it
)

func (s PurgeState) String() string {
	return [...]string{"running", "done", "stopped", "refused"}[s]
}

// PurgeStatus is what is told of a purge.
type PurgeStatus struct {
	ID   int64
	Rule PurgeRule
	// State is PurgeRunning also while something keeps it from going on.
	State            PurgeState
	DB               int
	User             string
	Visited, Deleted int64   // keys
	Progress         float64 // of the walk, 0 to 1
	Took             time.Duration
}

// purge is one that runs.
type purge struct {
	PurgeStatus
	by       *acl.Record
	question acl.Request
	matches  *lex.Pattern // nil with a prefix
	cursor   uint64
	began    time.Time
	due      time.Time // no step before
}

// purges are those of a server.
type purges struct {
	mu      sync.Mutex // protects the next four, and what is in them
	running []*purge
	ended   []PurgeStatus
	turn    int // index of the one that comes next
	started int64

	active  atomic.Int32 // len(running)
	deleted atomic.Int64 // by all
	bell    chan struct{}
}

// StartPurge begins one in the command's database and with its user's rights, and returns its number.
func (c *Ctx) StartPurge(rule PurgeRule) (id int64, err error) {
	ps := &c.Kernel.purges
	p := &purge{by: c.Session.user.Load(), began: c.Kernel.clock()}
	p.Rule, p.DB, p.User = rule, c.DB, p.by.User().Name()
	p.question = acl.Request{Command: c.Spec.index, Args: copyArgs(c.Args[:min(len(c.Args), 2)], nil)}
	if !rule.Prefix {
		p.matches = lex.Compile([]byte(rule.Pattern), false)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.running) == mostPurges {
		return 0, ErrManyPurges
	}
	ps.started++
	p.ID = ps.started
	ps.running = append(ps.running, p)
	ps.active.Add(1)
	select {
	case ps.bell <- struct{}{}:
	default:
	}
	return p.ID, nil
}

// StopPurges ends the purge of a number, or all that run if it is 0, and returns how many it has ended.
func (k *Kernel) StopPurges(id int64) (stopped int) {
	ps := &k.purges
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range slices.Clone(ps.running) {
		if id == 0 || id == p.ID {
			ps.end(p, PurgeStopped, k.clock())
			stopped++
		}
	}
	return stopped
}

// Purges are those that run and the last that have ended, in the order of their numbers.
func (k *Kernel) Purges() []PurgeStatus {
	ps := &k.purges
	ps.mu.Lock()
	defer ps.mu.Unlock()
	all := slices.Clone(ps.ended)
	for _, p := range ps.running {
		status := p.PurgeStatus
		status.Took = k.clock().Sub(p.began)
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b PurgeStatus) int { return int(a.ID - b.ID) })
	return all
}

// RunningPurges counts those that run.
func (k *Kernel) RunningPurges() int { return int(k.purges.active.Load()) }

// PurgesFlushed ends those of a database that was emptied. All shards are locked.
func (c *Ctx) PurgesFlushed(db int) {
	ps := &c.Kernel.purges
	if ps.active.Load() == 0 || c.Store != c.Kernel.Store {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range slices.Clone(ps.running) {
		if p.DB == db {
			ps.end(p, PurgeDone, c.Kernel.clock())
		}
	}
}

// PurgesSwapped has those of two databases go on with their data. All shards are locked.
func (c *Ctx) PurgesSwapped(a, b int) {
	ps := &c.Kernel.purges
	if ps.active.Load() == 0 || c.Store != c.Kernel.Store {
		return
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.running {
		switch p.DB {
		case a:
			p.DB = b
		case b:
			p.DB = a
		}
	}
}

// PurgeBell says that the sleep of the background work is to end, since a purge has begun.
func (k *Kernel) PurgeBell() <-chan struct{} { return k.purges.bell }

// PurgeRest is how long the background work may sleep, most at most, until a purge can go on.
func (k *Kernel) PurgeRest(now time.Time, most time.Duration) time.Duration {
	ps := &k.purges
	if ps.active.Load() == 0 {
		return most
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.running {
		most = min(most, max(p.due.Sub(now), 0))
	}
	return max(most, time.Millisecond)
}

// PurgeStep does a step of the purge whose turn it is, and reports whether there was one to be done. The
// background work calls it.
func (k *Kernel) PurgeStep(now time.Time) bool {
	ps := &k.purges
	if ps.active.Load() == 0 {
		return false
	}
	p := ps.next(now)
	if p == nil {
		return false
	}
	k.stepPurge(p, now)
	return true
}

// next is the purge whose turn it is, nil if all have to wait.
func (ps *purges) next(now time.Time) *purge {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for range ps.running {
		ps.turn = (ps.turn + 1) % len(ps.running)
		if p := ps.running[ps.turn]; !p.due.After(now) {
			return p
		}
	}
	return nil
}

func (k *Kernel) stepPurge(p *purge, now time.Time) {
	ps, st := &k.purges, k.Store
	shard, _ := st.CursorShard(p.cursor) // which nobody else changes
	st.Lock(shard)
	defer st.Unlock(shard)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	const bars = persistence.Loading | persistence.SaveFailing | persistence.LogFailing
	switch {
	case p.State != PurgeRunning: // it has just been ended
		return
	case k.state()&bars != 0 || k.barred(Write) != nil || st.Occupier(shard) != nil:
		p.due = now.Add(purgePause)
		return
	case !p.permitted():
		ps.end(p, PurgeRefused, now)
		return
	}
	v := store.View{
		Store: st, DB: p.DB, Now: now.UnixMilli(),
		Listener: k.changedInBackground, Forgetter: &forgetter{k, k.background},
	}
	d := v.DeleteScanned(p.cursor, purgeVisits, p.most(), p.picks)
	if len(d.Names) > 0 {
		k.Effect(p.DB, append([][]byte{[]byte("UNLINK")}, d.Names...)...)
	}
	if k.Persist != nil {
		k.Persist.AddDirty(v.Dirty)
	}
	ps.deleted.Add(int64(len(d.Names)))
	p.advance(&d, now)
	if d.Next == 0 {
		ps.end(p, PurgeDone, now)
		return
	}
	p.Progress = st.CursorPart(d.Next)
}

// permitted reports whether the user may still start such a purge.
func (p *purge) permitted() bool {
	if p.by.Gone() {
		return false
	}
	why, _ := p.by.User().Check(&p.question)
	return why == acl.Allowed
}

// picks reports whether a key is to go.
func (p *purge) picks(e *store.Entry, name []byte) bool {
	if p.matches == nil {
		if !bytes.HasPrefix(name, []byte(p.Rule.Pattern)) {
			return false
		}
	} else if !p.matches.Match(name) {
		return false
	}
	return (!p.Rule.Typed || p.Rule.Type == e.Type()) && p.by.User().CheckKey(&p.question, name, acl.Write)
}

// most is how many keys the next step may delete.
func (p *purge) most() int {
	if p.Rule.Rate == 0 {
		return purgeDeletes
	}
	return int(min(max(p.Rule.Rate*int64(purgeLag)/int64(time.Second), 1), purgeDeletes))
}

// advance notes what a step has done.
func (p *purge) advance(d *store.Deletions, now time.Time) {
	p.cursor = d.Next
	p.Visited += int64(d.Visited)
	p.Deleted += int64(len(d.Names))
	if p.Rule.Rate > 0 {
		if late := now.Add(-purgeLag); p.due.Before(late) {
			p.due = late
		}
		p.due = p.due.Add(time.Duration(len(d.Names)) * time.Second / time.Duration(p.Rule.Rate))
	}
}

// end takes a purge out of those that run. The caller holds the mutex.
func (ps *purges) end(p *purge, how PurgeState, now time.Time) {
	p.State, p.Took = how, now.Sub(p.began)
	if how == PurgeDone {
		p.Progress = 1
	}
	ps.running = slices.DeleteFunc(ps.running, func(other *purge) bool { return other == p })
	ps.active.Add(-1)
	if ps.ended = append(ps.ended, p.PurgeStatus); len(ps.ended) > mostPurges {
		ps.ended = slices.Delete(ps.ended, 0, 1)
	}
}
