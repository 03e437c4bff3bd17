// Handing over: what becomes of a loop whose session computes for seconds. See "Handing over" in the
// package's comment.

package netloop

import (
	"runtime"

	"github.com/larderkv/larder/protocol/chain"
)

// away is a batch that a goroutine goes on executing after it has handed its loop over. The fields
// are that goroutine's until bringBack, but for those with a note.
type away struct {
	c     *conn
	batch batch // of Data; without a connection: it is a call of Resumed
	reply *chain.Buffer

	taken   int
	next    Action
	out     []byte
	more    chain.Chain
	whole   bool
	changed bool

	resume bool // the loop's: a Resume has come
	last   bool // the loop's: the connection is to be closed after the reply
}

// HandOver has a new goroutine take the loop over. What of the loop's memory the running call has
// got, input and output, stays with this one.
func (c *conn) HandOver() {
	if c.away != nil {
		return
	}
	l := c.loop
	a := &away{c: c, reply: l.reply}
	if l.batch.c == c {
		a.batch, l.batch = l.batch, batch{}
	}
	c.away = a
	l.reply = new(chain.Buffer)
	l.in, l.inUsed = make([]byte, readSize), 0
	l.out = make([]byte, 0, outSize)
	l.resumes = true
	l.server.detached.Add(1)
	go l.run()
	runtime.Gosched() // to run: the loop has waited long enough
}

// bringBack hands the outcome of the batch to the loop. It does not return: the functions that have
// called this one were about to go on with a round that has been over for long.
func (a *away) bringBack(taken int, next Action) {
	a.taken, a.next = taken, next
	a.out, a.more, a.whole = a.reply.Take()
	a.changed = changed(a.c.session)
	a.c.post(noticeBack)
	runtime.Goexit()
}

// comeBack ends a turn that another goroutine has executed.
func (c *conn) comeBack() {
	a, l := c.away, c.loop
	c.away = nil
	l.server.detached.Add(-1)
	held := c.sizes.away.Swap(0)
	c.sizes.memory.Add(held)
	c.making += int(held)
	if c.closed {
		a.more.Free()
		c.endSession()
		return
	}
	if a.batch.c != nil {
		c.keepRest(a.batch.in[a.taken:], a.batch.taken+a.taken, a.batch.inQuery)
	}
	if a.next == Wait || a.next == Again {
		a.next = Yield // to what came in meanwhile
	}
	l.sendTurns()
	l.more = a.more
	l.turns = append(l.turns, turn{c: c, out: a.out, next: a.next, changed: a.changed, cut: !a.whole})
	l.sendTurns()
	if c.closed || !c.messagesFirst() {
		return
	}
	if a.last {
		c.closeAfterFlush(Shutdown)
		return
	}
	if a.resume {
		c.resume()
	}
}

// grow is Grow for the output of the batch. The loop does not know of it: it counts separately.
func (a *away) grow(n, written int) bool {
	c := a.c
	if lim := c.limits(); lim.OutputHard > 0 && c.sizes.output.Load()+int64(written) > lim.OutputHard {
		c.Kill(OutputHardLimit)
		return false
	}
	a.account(n)
	if c.killed.Load() != 0 { // all clients together take too much, and this one most
		a.account(-n)
		return false
	}
	return true
}

// account adds n bytes to what the output of the batch takes.
func (a *away) account(n int) {
	a.c.sizes.away.Add(int64(n))
	a.c.tell(a.c.session, int64(n))
}
