package engine

import (
	"errors"
	"time"
)

// meter attributes a batch's time to the commands it runs: the time since the
// last reading belongs to the row that ran since then.
type meter struct {
	since time.Time
	row   *Spec // the row since then, nil at the start
	calls int64
	last  *Spec // the last command, refused and queued ones included
}

// call runs an admitted command and counts it.
func (c *Ctx) call(spec *Spec) {
	s, m := c.Session, &c.meter
	if spec != m.row || m.calls >= clockEvery {
		if m.row != nil {
			s.settle(c, s.kernel.clock())
		}
		m.row = spec
	}
	m.calls++
	m.last = spec
	c.Spec = spec
	if spec.lockKind == lockNone || spec.lockKind == lockAll {
		c.CountChanges() // it may look at the count: INFO, BGSAVE
	}
	start := c.Out.Len()
	var err error
	if c.inExec {
		c.resolve(spec) // EXEC holds the shards of the whole queue
		err = c.run(spec)
	} else {
		err = c.invoke(spec)
	}
	if err != nil {
		c.fail(spec, start, err)
	}
}

// fail replaces what a handler has written since start by its error.
func (c *Ctx) fail(spec *Spec, start int, err error) {
	c.Out.Truncate(start)
	if errors.Is(err, errStopped) {
		c.Session.CloseAfterReply() // with the replies to what came before
		return
	}
	c.writeError(asReply(err))
	c.Kernel.Stats.Failed(int(c.Session.slot), spec.index)
}

// writeError writes an error reply and counts it in errorstats.
func (c *Ctx) writeError(e Error) {
	c.Kernel.Errors.Add(e.code())
	c.Out.Error(string(e))
}

// settle counts the run of equal commands up to now and begins the next.
func (s *Session) settle(c *Ctx, now time.Time) {
	m := &c.meter
	if m.calls > 0 {
		s.kernel.Stats.Add(int(s.slot), m.row.index, m.calls, now.Sub(m.since))
	}
	m.since, m.calls = now, 0
	if !c.inExec { // a transaction happens at one moment
		c.Now = now.UnixMilli()
	}
}
