package commands

import (
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// DEBUG POPULATE makes a great many keys. As in Redis they are in no log and count as no change,
// and no maxmemory is asked; whoever listens or watches is told of them.
//
// It makes populateSlice keys at a time and lets its loop go on with the other clients in between.

// populateSlice is how many keys are made under one lock: less than a millisecond, if values are
// small.
const populateSlice = 1024

// populating is what is left to do of a POPULATE.
type populating struct {
	next, count int64
	prefix      []byte // of the keys' names, colon included
	size        int    // of values in bytes; 0: as long as their text
	name, value []byte // scratch memory
}

func debugPopulate(c *engine.Ctx, a *engine.Args) error {
	p := populating{prefix: []byte("key:")}
	var ok bool
	if p.count, ok = lex.ParseInt(a.Next()); !ok || p.count < 0 {
		return engine.ErrPositive
	}
	if a.Left() > 0 {
		p.prefix = append(append([]byte(nil), a.Next()...), ':')
	}
	if a.Left() > 0 {
		n, ok := lex.ParseInt(a.Next())
		switch {
		case !ok || n < 0:
			return engine.ErrPositive
		case n > c.Kernel.Config.Values().ProtoMaxBulkLen:
			return engine.ErrStringTooLong
		}
		p.size = int(n)
	}
	return p.step(c)
}

// step makes some keys, or all where nothing may wait, and has the rest made in another turn.
func (p *populating) step(c *engine.Ctx) error {
	end := p.count
	if c.MayWait() {
		end = min(end, p.next+populateSlice)
	}
	dirty := c.Dirty
	alone(c, func() {
		for ; p.next < end; p.next++ {
			p.put(c)
		}
	})
	c.Dirty = dirty
	if p.next == p.count {
		c.Out.OK()
		return nil
	}
	return c.WaitFor(engine.ForServer, func(resume func()) { resume() }, 0, p.step)
}

// put makes the next key, unless it is there.
func (p *populating) put(c *engine.Ctx) {
	p.name = strconv.AppendInt(append(p.name[:0], p.prefix...), p.next, 10)
	k := c.Store.Key(p.name)
	if _, exists := c.Write(k); exists {
		return
	}
	p.value = strconv.AppendInt(append(p.value[:0], "value:"...), p.next, 10)
	if p.size > 0 {
		for len(p.value) < p.size {
			p.value = append(p.value, make([]byte, p.size-len(p.value))...)
		}
		p.value = p.value[:p.size]
	}
	c.SetString(k, p.value, 0)
}
