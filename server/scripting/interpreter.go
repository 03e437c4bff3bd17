package scripting

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/codec"
)

// mostFunctions is how many scripts an interpreter has a function of.
const mostFunctions = 1000

// An interpreter runs one script after another. What a script has made is gone when the next one
// begins: it can change nothing that outlives it.
type interpreter struct {
	scripts   *Scripts
	state     *lua.State
	libraries *codec.Libraries
	ctx       *engine.Ctx // of the request whose script runs
	place     string      // where the script was when it was ended, "user_script:1"
	resp      int         // version of the protocol that the script has asked for

	keys, argv *lua.Table
	functions  map[*Script]*lua.Function
	flushes    int64 // cache.flushes when the functions were made

	args    [][]byte // of a command
	numbers []byte   // those of its arguments that were numbers
	counted int64    // bytes that it has in scripts.inUse
	limit   int64    // lua-memory-limit in force
}

// newInterpreter makes one with all that scripts find in their globals.
func newInterpreter(s *Scripts) *interpreter {
	in := &interpreter{scripts: s, functions: map[*Script]*lua.Function{}}
	in.state = lua.NewState(lua.Options{Hook: in.tick, Budget: &s.budget})
	in.keys, in.argv = in.state.Table(0, 0), in.state.Table(0, 0)
	in.open()
	return in
}

// tick is called by the interpreter every now and then, while a script runs.
func (in *interpreter) tick() error {
	err := in.ctx.Tick()
	if err != nil {
		in.place = in.state.Place()
	}
	in.count(in.state.Memory())
	return err
}

// count notes how many bytes the interpreter takes.
func (in *interpreter) count(memory int64) {
	in.scripts.inUse.Add(memory - in.counted)
	in.counted = memory
}

// function makes a function of a script, which stays for the next time.
func (in *interpreter) function(s *Script) *lua.Function {
	f := in.functions[s]
	if f == nil {
		if len(in.functions) >= mostFunctions {
			clear(in.functions)
		}
		f = in.state.NewFunction(s.proto)
		in.functions[s] = f
	}
	return f
}

// fill makes a table the array of some bytes.
func (in *interpreter) fill(t *lua.Table, values [][]byte) error {
	if len(values) > shortArray {
		if err := in.state.Main().Reserve(len(values) * perElement); err != nil {
			return err
		}
	}
	for i, v := range values {
		s, err := in.newString(v)
		if err != nil {
			return err
		}
		t.SetInt(i+1, s)
	}
	return nil
}

// shortArray is the length up to which memory for an array is not asked for, and perElement what an
// element takes, in bytes.
const (
	shortArray = 100
	perElement = 16
)

// shortString is the length up to which memory for a string is not asked for.
const shortString = 4 << 10

// newString makes a string of bytes, which it copies.
func (in *interpreter) newString(b []byte) (lua.Value, error) {
	if len(b) > shortString {
		if err := in.state.Main().Reserve(len(b)); err != nil {
			return lua.Nil, err
		}
	}
	return in.state.CopyBytes(b).Value(), nil
}

// bound brings the bound of memory up to date, and returns it: bytes.
func (in *interpreter) bound() int64 {
	limit := in.scripts.config.Values().LuaMemoryLimit
	if in.limit != limit {
		in.state.SetLimit(limit)
		in.scripts.setBudget(limit)
		in.limit = limit
	}
	return limit
}

// forget lets go of the request whose script has run.
func (in *interpreter) forget() {
	in.ctx, in.place = nil, ""
	clear(in.args[:cap(in.args)])
	if cap(in.args) > 1<<10 || cap(in.numbers) > 1<<10 {
		in.args, in.numbers = nil, nil
	}
}

// reset forgets what the last script has left behind, and returns how many bytes the interpreter
// takes, and whether it is worth keeping.
func (in *interpreter) reset(flushes int64) (memory int64, keep bool) {
	in.forget()
	for _, t := range [...]*lua.Table{in.keys, in.argv} {
		t.SetMeta(nil)
		t.Clear()
	}
	in.libraries.Reset()
	if in.flushes != flushes {
		clear(in.functions)
		in.flushes = flushes
	}
	memory = in.state.Memory()
	if memory > keptMemory/4 {
		memory = in.state.Collect()
	}
	return memory, memory <= keptMemory
}
