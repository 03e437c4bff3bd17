// Pauses: CLIENT PAUSE. For some time no client gets anything done, or nothing that would change the
// data, so that whoever moves them elsewhere sees them stand still.
//
// # Who waits
//
// A request is admitted in all other respects first; what is refused is refused at once. Then it is
// kept, and its client blocks (wait.go) like one that waits for a key: the request, its row and no
// goroutine. What the client has sent behind it stays where it is. When the pause is over the
// request is run as if it had just come, so that it may as well be refused then, or pause again.
// Whoever is blocked on a key when the pause begins stays so, and its time limit goes on.
//
// # When it begins
//
// CLIENT PAUSE runs with every shard locked. A write asks again whether it is paused when it has
// its locks (Kernel.barred), so none that has been admitted elsewhere comes after the reply to
// CLIENT PAUSE. As in Redis the rest of a transaction that has CLIENT PAUSE in it runs to its end.
//
// While it lasts nothing disappears either: the janitor removes no expired keys and evicts none.
// Readers do not see expired keys as always, and writers, who would remove them, wait.
//
// # When it ends
//
// Those who wait are resumed some at a time, in the order in which they came (lineup.go).

package engine

import (
	"math"
	"sync"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
)

// Bits of the state word that are the kernel's own.
const (
	// pausedWrites: what writes, or may, pauses.
	pausedWrites = persistence.FirstFree << iota
	// pausedAll: every command pauses.
	pausedAll
)

// postponed is what admission says of a request that is to wait until the pause is over. It is
// never a reply.
const postponed Error = "postponed"

// pause is what the kernel knows of the pause in force and of who waits for its end.
type pause struct {
	mu    sync.Mutex // protects what follows and the bits of the state word
	until time.Time
	timer *time.Timer // nil: there never was a pause

	lineup lineup // who waits for its end
}

// Pause has clients wait for some time, those that write or all. A pause in force becomes no shorter
// and no milder, not even by one of no time, which is nothing else. All shards are locked.
func (k *Kernel) Pause(d time.Duration, all bool) {
	p := &k.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if d == 0 && !k.Still() {
		return
	}
	d = min(d, math.MaxInt64/2) // more than a hundred years
	if until := time.Now().Add(d); !k.Still() || until.After(p.until) {
		p.until = until
		if p.timer == nil {
			p.timer = time.AfterFunc(d, k.endPause)
		} else {
			p.timer.Reset(d)
		}
	}
	k.word.Or(pausedWrites)
	if all {
		k.word.Or(pausedAll)
	}
	k.Store.KeepStill(true)
}

// endPause is called when the time of a pause has come.
func (k *Kernel) endPause() {
	p := &k.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := time.Until(p.until); left > 0 { // it has become longer meanwhile
		p.timer.Reset(left)
		return
	}
	k.unpauseLocked()
}

// Unpause ends the pause, if there is one.
func (k *Kernel) Unpause() {
	p := &k.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		k.unpauseLocked()
	}
}

// unpauseLocked ends the pause. The caller holds pause.mu.
func (k *Kernel) unpauseLocked() {
	k.Store.KeepStill(false)
	k.word.And(^(pausedAll | pausedWrites))
	k.pause.lineup.open()
}

// Paused reports whether nothing is to change, whether that is for all commands, and for how long.
func (k *Kernel) Paused() (paused, all bool, left time.Duration) {
	p := &k.pause
	p.mu.Lock()
	defer p.mu.Unlock()
	state := k.state()
	if paused = state&(pausedAll|pausedWrites) != 0; paused {
		left = max(0, time.Until(p.until))
	}
	return paused, state&pausedAll != 0, left
}

// Still reports whether a pause forbids that keys expire or are evicted.
func (k *Kernel) Still() bool { return k.state()&(pausedAll|pausedWrites) != 0 }

// pauses reports whether a command with these flags has to wait.
func (s *Session) pauses(flags Flags, state uint32) bool {
	return !s.monitor && (state&pausedAll != 0 ||
		state&pausedWrites != 0 && flags&(Write|MayReplicate|PausesAsWrite) != 0)
}

// postpone keeps the request in c until the pause is over.
func (s *Session) postpone(c *Ctx, spec *Spec) {
	s.postponeCall(s.keep(c, spec))
}

// postponeAdmitted is postpone for a request that was admitted before the pause began.
func (s *Session) postponeAdmitted(c *Ctx, spec *Spec) {
	if w := s.wait.Load(); w != nil { // it has waited for a key
		w.again, w.until = true, &s.kernel.pause.lineup
		return
	}
	s.postpone(c, spec)
}

func (s *Session) postponeCall(call kept) *wait {
	w := &wait{session: s, reason: ForPause, spec: call.spec, call: call}
	s.wait.Store(w)
	s.next = netloop.Block
	s.kernel.Clients.blocked.Add(1)
	s.kernel.pause.lineup.join(w)
	return w
}

// runPostponed runs the request of a client that has been paused.
func (s *Session) runPostponed(w *wait, out *chain.Buffer) netloop.Action {
	s.next = netloop.Wait
	c := s.begin(out)
	call := w.call
	w.call = kept{}
	s.endWait(c)
	c.Args, c.looked, c.wire = call.args, nil, nil
	s.loan, c.Loan = call.loan, call.loan
	if !s.request(c) { // there is no room for it yet: in the next turn
		s.loan = nil
		s.postponeCall(call).end(done)
	}
	c.Loan = nil
	s.GiveBack()
	s.handOn(c, false)
	s.finish(c)
	return s.next
}
