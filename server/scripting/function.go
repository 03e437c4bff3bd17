package scripting

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// newLibraryInterpreter makes an interpreter for a library, with what its functions find in their
// globals: that of EVAL, but for KEYS, ARGV and what Redis has kept for old scripts.
func (s *Scripts) newLibraryInterpreter() *interpreter {
	in := &interpreter{scripts: s}
	in.state = lua.NewState(lua.Options{Hook: in.tick, Budget: &s.budget})
	in.libraries = s.openLibraries(in.state)
	redis := in.redisTable()
	drop(redis, "replicate_commands", "breakpoint", "debug")
	globals := in.state.Globals()
	drop(globals, "os")
	globals.SetStr(lua.NewString("redis"), redis.Value())
	protect(in.state)
	in.bound()
	return in
}

// drop removes fields from a table.
func drop(t *lua.Table, names ...string) {
	for _, name := range names {
		t.SetStr(lua.NewString(name), lua.Nil)
	}
}

// Call calls a function, whose slot is locked, and writes its reply.
func (ls *Libraries) Call(c *engine.Ctx, f *Function, keys, args [][]byte) error {
	in := f.library.in
	limit := in.bound()
	if err := c.EnterScript(f.Name, true, f.Flags, limit); err != nil {
		return err
	}
	defer f.library.rest()
	result, err := in.callFunction(c, f, keys, args)
	c.LeaveScript()
	if err != nil {
		return in.fail(c, f.Name, err)
	}
	return in.answer(c, result)
}

// callFunction calls a function with tables of its keys and arguments, and returns what it returns.
func (in *interpreter) callFunction(c *engine.Ctx, f *Function, keys, args [][]byte) (lua.Value, error) {
	in.ctx, in.resp = c, 2
	var tables [2]lua.Value
	for i, list := range [...][][]byte{keys, args} {
		t := in.state.Table(len(list), 0)
		if err := in.fill(t, list); err != nil {
			return lua.Nil, err
		}
		tables[i] = t.Value()
	}
	return in.result(f.callback, tables[:]...)
}

// rest is called when a call is over.
func (l *Library) rest() {
	l.in.forget()
	l.in.state.Rest()
	l.bytes.Store(l.in.state.Memory())
}
