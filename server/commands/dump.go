package commands

import (
	"errors"
	"math"
	"strconv"

	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// DUMP and RESTORE: values in the form that Redis' files have, one by one.

func dumpCommands() []engine.Spec {
	const cat = engine.CatKeyspace
	restore := engine.Spec{
		Handler: cmdRestore, Arity: -4, Flags: engine.Write | engine.DenyOOM,
		Keys:       []engine.KeySpec{engine.Key(1, engine.OW|engine.Update)},
		Categories: cat | engine.CatDangerous,
		Syntax:     "key ttl=integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency=integer]",
		Complexity: "O(N) where N is the size of the value.",
		History:    []string{"3.0.0: The option `REPLACE`.", "5.0.0: The option `ABSTTL`.", "5.0.0: The options `IDLETIME` and `FREQ`."},
	}
	asking := restore
	restore.Name, restore.Group, restore.Since = "restore", "generic", "2.6.0"
	restore.Summary = "Makes a key of what DUMP returned."
	asking.Name, asking.Group, asking.Since = "restore-asking", "server", "3.0.0"
	asking.System = true
	asking.Flags |= engine.Asking
	asking.Summary = "Does what RESTORE does, for nodes of a cluster that move keys."
	return []engine.Spec{
		{Name: "dump", Handler: cmdDump, Arity: 2, Flags: engine.ReadOnly, Keys: []engine.KeySpec{engine.Key(1, engine.RO|engine.Access)},
			Group: "generic", Categories: cat, Since: "2.6.0", Syntax: "key", Tips: []string{"nondeterministic_output"},
			Summary:    "Returns the value of a key in the form that RESTORE takes.",
			Complexity: "O(N) where N is the size of the value."},
		restore, asking,
	}
}

func cmdDump(c *engine.Ctx) error {
	e, ok := c.Read(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	v := e.Content()
	c.Out.Bulk(c.Kernel.Dumper.Dump(nil, &v, c.Kernel.Config.Values().RDBCompression))
	return nil
}

// restoreOptions are the words after RESTORE's payload. idle and freq are -1 if
// they were not given.
type restoreOptions struct {
	replace, absolute bool
	idle, freq        int64
}

func parseRestore(c *engine.Ctx) (restoreOptions, error) {
	o := restoreOptions{idle: -1, freq: -1}
	a := c.Parse(4)
	for !a.Done() {
		switch {
		case a.Match("REPLACE"):
			o.replace = true
		case a.Match("ABSTTL"):
			o.absolute = true
		case o.freq < 0 && a.MatchValue("IDLETIME"):
			if o.idle = a.Int64(); o.idle < 0 {
				a.Fail(engine.ErrIdleTime)
			}
		case o.idle < 0 && a.MatchValue("FREQ"):
			if o.freq = a.Int64(); o.freq < 0 || o.freq > math.MaxUint8 {
				a.Fail(engine.ErrFrequency)
			}
		default:
			a.Syntax()
		}
	}
	return o, a.Err()
}

// cmdRestore checks everything before it touches the key: a bad payload leaves
// the old value alone.
func cmdRestore(c *engine.Ctx) error {
	o, err := parseRestore(c)
	if err != nil {
		return err
	}
	k := c.Keys[0]
	if _, exists := c.Write(k); exists && !o.replace {
		return engine.ErrBusyKey
	}
	a := c.Parse(2)
	at, payload := a.Int64(), c.Args[3]
	switch {
	case a.Err() != nil:
		return a.Err()
	case at < 0:
		return engine.ErrTTL
	case rdb.CheckPayload(payload) != nil:
		return engine.ErrPayload
	}
	c.Kernel.Checked.Add(1)
	value, err := rdb.Decode(&c.View, k, payload)
	gone := errors.Is(err, rdb.ErrExpired)
	if err != nil && !gone {
		return engine.ErrBadFormat
	}
	relative := at != 0 && !o.absolute
	if relative {
		at += c.Now // past the largest number it becomes a time in the past, as in Redis
	}
	replaced := c.Vacate(k)
	if gone || at != 0 && at <= c.Now && !c.Loading {
		if !gone {
			value.Discard()
		}
		if replaced {
			c.Dirty++
			c.Changed(k, store.EventDel)
			c.Effect([]byte("DEL"), k.Name)
		}
		c.Out.OK()
		return nil
	}
	if err := value.Store(); err != nil {
		return err
	}
	if at != 0 {
		c.Date(k, at)
	}
	if o.idle >= 0 {
		c.SetIdle(k, min(o.idle, c.Now/1000))
	}
	if o.freq >= 0 {
		c.SetFrequency(k, int(o.freq))
	}
	if (relative || value.Left()) && c.Logged() {
		restoreEffect(c, at, relative, value.Left())
	}
	c.Out.OK()
	return nil
}

// restoreEffect is RESTORE with the time at which the key expires, and with what there is of the value if
// elements were left out: a replay, in which nothing expires, would find them.
func restoreEffect(c *engine.Ctx, at int64, relative, left bool) {
	payload := c.Args[3]
	if left {
		e, _ := c.Peek(c.Keys[0])
		v := e.Content()
		payload = c.Kernel.Dumper.Dump(nil, &v, c.Kernel.Config.Values().RDBCompression)
	}
	args := append([][]byte{c.Args[0], c.Args[1], strconv.AppendInt(nil, at, 10), payload}, c.Args[4:]...)
	if relative {
		args = append(args, []byte("ABSTTL"))
	}
	c.Effect(args...)
}
