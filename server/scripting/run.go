package scripting

import (
	"errors"
	"fmt"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// Run runs a script of EVAL and writes its reply. keys and args are KEYS and ARGV.
func (s *Scripts) Run(c *engine.Ctx, script *Script, keys, args [][]byte) error {
	s.cache.touch(script)
	in := s.acquire()
	defer s.release(in)
	limit := in.bound()
	if err := c.EnterScript(script.SHA, false, script.Flags, limit); err != nil {
		return err
	}
	result, err := in.run(c, script, keys, args)
	c.LeaveScript()
	if err != nil {
		return in.fail(c, script.SHA, err)
	}
	return in.answer(c, result)
}

// run runs a script and returns what it returns, good until the interpreter is released.
func (in *interpreter) run(c *engine.Ctx, script *Script, keys, args [][]byte) (lua.Value, error) {
	in.ctx, in.resp = c, 2
	if err := in.fill(in.keys, keys); err != nil {
		return lua.Nil, err
	}
	if err := in.fill(in.argv, args); err != nil {
		return lua.Nil, err
	}
	return in.result(in.function(script))
}

// result calls a function for its first result.
func (in *interpreter) result(fn *lua.Function, args ...lua.Value) (lua.Value, error) {
	results, err := in.state.Main().Run(fn, args...)
	if err != nil || len(results) == 0 {
		return lua.Nil, err
	}
	return results[0], nil
}

// fail writes the error that a script has ended with, or returns it for the engine to write and count.
func (in *interpreter) fail(c *engine.Ctx, name string, err error) error {
	var raised *lua.Error
	switch {
	case errors.As(err, &raised):
	case err == engine.ErrScriptKilled: // it comes as it is
		text := engine.ErrScriptKilled + engine.Error(" script: "+name)
		if in.place != "" {
			text += engine.Error(", on @" + in.place + ".")
		}
		return text
	default:
		return err
	}
	f := failure{}
	if t := raised.Value.AsTable(); t != nil {
		f = failureOf(t)
	} else {
		text, err := in.state.Main().ToString(raised.Value)
		if err != nil {
			return err
		}
		f.text = "ERR " + text.Str()
	}
	if raised.Source != "" {
		f.text += fmt.Sprintf(" script: %s, on %s:%d.", name, raised.Source, raised.Line)
	}
	if f.quiet {
		c.CountFailures(1)
		c.Out.Error(f.text)
		return nil
	}
	return engine.Error(f.text)
}

// failure is what a table says that is an error.
type failure struct {
	text  string
	quiet bool // it was counted in errorstats when it came about
}

// failureOf reads such a table.
func failureOf(t *lua.Table) failure {
	f := failure{text: "ERR unknown error"}
	v := t.GetStr(fieldErr)
	if s := v.AsString(); s != nil {
		f.text = lua.CText(s.Str())
	} else if v.IsNumber() {
		f.text = string(lua.AppendNumber(nil, v.Num()))
	}
	f.quiet, _ = t.GetStr(fieldQuiet).AsBool()
	return f
}
