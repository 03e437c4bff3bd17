package scripting

import (
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// Bounds of the reply of a script. Nesting ends where C's stack of values would: by height, of
// which each level of a table takes some, and what it begins with. A table that contains itself ends
// there too; one that contains itself twice would go on for longer than the world, so that the whole
// has a size, that of the longest string.
const (
	mostHeight  = lua.MostSlots - 4
	firstHeight = 2
	mostReply   = 512 << 20
)

// replier writes what a script has returned.
type replier struct {
	c     *engine.Ctx
	resp3 bool // of the script
	start int  // of the reply
	steps int  // since the last tick
	own   bool // an error of the script's own is in the reply

	failures int // of the script, for commandstats
}

// stepsPerTick is how many steps the replier takes between two ticks: a value is one, and so are
// bytesPerStep of a text.
const stepsPerTick = 1024

// countedPerStep is how many elements are counted in the time of a step. A table that contains itself
// is counted again each time it is met.
const countedPerStep = 16

// spend is asked for each value, and for the bytes of its text. An error ends the reply.
func (r *replier) spend(bytes int) error {
	if r.c.Out.Len()-r.start+bytes > mostReply {
		return engine.ErrScriptResult
	}
	if r.steps += 1 + bytes/bytesPerStep; r.steps < stepsPerTick {
		return nil
	}
	r.steps = 0
	return r.c.Tick()
}

// answer replies what a script has returned.
func (in *interpreter) answer(c *engine.Ctx, result lua.Value) error {
	r := replier{c: c, resp3: in.resp == 3, start: c.Out.Len()}
	err := r.reply(result, firstHeight)
	if err == nil && r.failures > 0 {
		c.CountFailures(r.failures)
	}
	return err
}

// reply writes a value of Lua as a reply, as Redis' luaReplyToRedisReply. An error replaces all of it.
func (r *replier) reply(v lua.Value, height int) error {
	s := v.AsString()
	bytes := 0
	if s != nil {
		bytes = len(s.Str())
	}
	if err := r.spend(bytes); err != nil {
		return err
	}
	out := r.c.Out
	if height > mostHeight {
		out.Error("ERR reached lua stack limit")
		return nil
	}
	switch v.Kind() {
	case lua.KindString:
		out.BulkString(s.Str())
	case lua.KindNumber:
		out.Int(int64(lua.ToInt(v.Num())))
	case lua.KindBool:
		switch {
		case r.resp3:
			out.Bool(v.Truth())
		case v.Truth():
			out.Int(1)
		default:
			out.Null()
		}
	case lua.KindTable:
		return r.table(v.AsTable(), height)
	default:
		out.Null()
	}
	return nil
}

// failed writes an error, and counts it as Redis does: each that came of a command is a failure of the
// script too, and all of the script's own together are one.
func (r *replier) failed(f failure) {
	if f.quiet || !r.own {
		r.failures++
	}
	if !f.quiet {
		r.own = true
		r.c.CountError(engine.Error(f.text))
	}
	r.c.Out.Error(f.text)
}

// table writes a table: one that stands for a reply that Lua has no type for, or an array.
func (r *replier) table(t *lua.Table, height int) error {
	out := r.c.Out
	if s := t.GetStr(fieldErr).AsString(); s != nil {
		if err := r.spend(len(s.Str())); err != nil {
			return err
		}
		r.failed(failureOf(t))
		return nil
	}
	if s := t.GetStr(fieldOK).AsString(); s != nil {
		if err := r.spend(len(s.Str())); err != nil {
			return err
		}
		out.Status(lua.CText(s.Str()))
		return nil
	}
	if n := t.GetStr(fieldDouble); n.IsNumber() {
		out.Double(n.Num())
		return nil
	}
	if s := t.GetStr(fieldBig).AsString(); s != nil {
		if err := r.spend(len(s.Str())); err != nil {
			return err
		}
		out.BigNumber(blankLines.Replace(s.Str()))
		return nil
	}
	if m := t.GetStr(fieldVerbatim).AsTable(); m != nil {
		text, format := m.GetStr(fieldString).AsString(), m.GetStr(fieldFormat).AsString()
		if text != nil && format != nil {
			if err := r.spend(len(text.Str())); err != nil {
				return err
			}
			out.Verbatim(threeLetters(format.Str()), text.Str())
			return nil
		}
	}
	if m := t.GetStr(fieldMap).AsTable(); m != nil {
		return r.pairs(m, height, true)
	}
	if m := t.GetStr(fieldSet).AsTable(); m != nil {
		return r.pairs(m, height, false)
	}
	return r.array(t, height)
}

// blankLines keeps a value of one line on one line.
var blankLines = strings.NewReplacer("\r", " ", "\n", " ")

// threeLetters is the format of a verbatim string, filled up with blanks.
func threeLetters(format string) string {
	const blanks = "   "
	return (lua.CText(format) + blanks)[:len(blanks)]
}

// array writes the elements of a table up to the first nil.
func (r *replier) array(t *lua.Table, height int) error {
	n := 0
	for !t.GetInt(n + 1).IsNil() {
		n++
	}
	r.steps += n / countedPerStep
	r.c.Out.Array(n)
	for i := range n {
		if err := r.reply(t.GetInt(i+1), height+1); err != nil {
			return err
		}
	}
	return nil
}

// pairs writes the keys of a table as a set, or with its values as a map.
func (r *replier) pairs(t *lua.Table, height int, values bool) error {
	n := 0
	for key, _, ok, _ := t.Next(lua.Nil); ok; key, _, ok, _ = t.Next(key) {
		n++
	}
	r.steps += n / countedPerStep
	keyHeight := height + 3
	if values {
		keyHeight = height + 4
		r.c.Out.Map(n)
	} else {
		r.c.Out.Set(n)
	}
	for key, v, ok, _ := t.Next(lua.Nil); ok; key, v, ok, _ = t.Next(key) {
		if err := r.reply(key, keyHeight); err != nil {
			return err
		}
		if !values {
			continue
		}
		if err := r.reply(v, height+3); err != nil {
			return err
		}
	}
	return nil
}
