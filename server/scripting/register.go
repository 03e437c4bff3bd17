package scripting

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
)

// How a library is loaded.
//
// While its source runs there is nothing but redis.register_function and redis.log: no command, and
// nothing of Lua's libraries. The functions that it makes see all of that when they are called. In
// between their globals have not changed, since these are an empty table that nobody can write to:
// it shows one thing or the other by its metatable.

// loadTime is how long a source may run. Registering functions takes microseconds.
const loadTime = 500 * time.Millisecond

// errLoadTime ends a source that runs for longer.
var errLoadTime = errors.New("FUNCTION LOAD timeout")

const functionChunk = "@user_function"

// registration is a library that is being loaded.
type registration struct {
	in      *interpreter
	library *Library
}

// run has the library's source register its functions, in an interpreter that is the library's from
// then on. c is nil, or replays the log, if the library is one that has been saved. That is loaded
// without a limit of time, as in Redis.
func (ls *Libraries) run(c *engine.Ctx, l *Library, code string) error {
	if c != nil && len(code) > longSource {
		c.LeaveLoop()
	}
	proto, err := lua.Load(code, functionChunk)
	if err != nil {
		return engine.Errf("ERR Error compiling function: %s", err.Error())
	}
	in := ls.scripts.newLibraryInterpreter()
	l.in = in
	view := in.state.Table(0, 1)
	all := in.state.Globals()
	view.SetStr(fieldIndex, loadGlobals(&registration{in, l}).Value())
	globals := in.state.Table(0, 0)
	globals.SetMeta(view)
	globals.SetReadOnly(true)
	in.state.SetGlobals(globals)
	in.state.SetHook(loadHook(c, l.Name))
	_, err = in.state.Main().Run(in.state.NewFunction(proto))
	in.state.SetHook(in.tick)
	if err != nil {
		return registerError(err)
	}
	view.SetStr(fieldIndex, all.Value())
	view.SetStr(fieldFunctions, callbacks(in.state, l).Value())
	slices.SortFunc(l.Functions, func(a, b *Function) int { return strings.Compare(a.Name, b.Name) })
	l.bytes.Store(in.state.Collect())
	return nil
}

// loadHook is called while a source runs.
func loadHook(c *engine.Ctx, name string) func() error {
	if c == nil || c.Loading {
		return nil
	}
	began := time.Now()
	c.BeginScript(name, true)
	return func() error {
		if time.Since(began) > loadTime {
			return errLoadTime
		}
		return c.Tick()
	}
}

// registerError is the reply to a source that has ended in an error.
func registerError(err error) error {
	var raised *lua.Error
	if !errors.As(err, &raised) {
		if errors.Is(err, errLoadTime) {
			return engine.Errf("ERR Error registering functions: ERR %s", err.Error())
		}
		return err // the script was killed, or the server ends
	}
	if t := raised.Value.AsTable(); t != nil {
		return engine.Errf("ERR Error registering functions: %s", failureOf(t).text)
	}
	return engine.Errf("ERR Error registering functions: ERR %s", raised.Error())
}

var (
	fieldIndex     = lua.NewString("__index")
	fieldFunctions = lua.NewString("functions")
)

// callbacks keeps the functions of a library in its interpreter's account.
func callbacks(s *lua.State, l *Library) *lua.Table {
	t := s.Table(0, len(l.Functions))
	for _, f := range l.Functions {
		t.SetStr(s.String(f.Name), f.callback.Value())
	}
	return t
}

// loadGlobals are the globals of a source.
func loadGlobals(r *registration) *lua.Table {
	s := r.in.state
	redis := s.Table(0, 8)
	s.Register(redis, "register_function", r.register)
	all := r.in.redisTable()
	for _, name := range []string{
		"log", "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING", "REDIS_VERSION", "REDIS_VERSION_NUM",
	} {
		name := lua.NewString(name)
		redis.SetStr(name, all.GetStr(name))
	}
	globals := s.Table(0, 1)
	globals.SetStr(lua.NewString("redis"), redis.Value())
	guard(s, redis)
	guard(s, globals)
	freeze(globals)
	return globals
}

// register is redis.register_function.
func (r *registration) register(t *lua.Thread) (int, error) {
	f := &Function{library: r.library}
	var problem string
	switch t.Count() {
	case 1:
		problem = f.named(t)
	case 2:
		problem = f.positional(t)
	default:
		problem = "wrong number of arguments to redis.register_function"
	}
	switch {
	case problem != "":
	case !validName(f.Name):
		problem = strings.TrimPrefix(string(engine.ErrLibraryName), "ERR ")
	case slices.ContainsFunc(r.library.Functions, func(other *Function) bool { return other.Name == f.Name }):
		problem = "Function already exists in the library"
	}
	if problem != "" {
		return 0, r.in.raise(problem)
	}
	r.library.Functions = append(r.library.Functions, f)
	return 0, nil
}

// positional takes a name and a callback.
func (f *Function) positional(t *lua.Thread) (problem string) {
	name, ok := textOf(t.Arg(1))
	if !ok {
		return "first argument to redis.register_function must be a string"
	}
	f.Name, f.callback = name, t.Arg(2).AsFunction()
	if f.callback == nil {
		return "second argument to redis.register_function must be a function"
	}
	return ""
}

// named takes a table of named arguments.
func (f *Function) named(t *lua.Thread) (problem string) {
	args := t.Arg(1).AsTable()
	if args == nil {
		return "calling redis.register_function with a single argument is only applicable to Lua table " +
			"(representing named arguments)."
	}
	given := false
	for key, v, ok, _ := args.Next(lua.Nil); ok; key, v, ok, _ = args.Next(key) {
		name, ok := textOf(key)
		if !ok {
			return "named argument key given to redis.register_function is not a string"
		}
		switch strings.ToLower(name) {
		case "function_name":
			if f.Name, given = textOf(v); !given {
				return "function_name argument given to redis.register_function must be a string"
			}
		case "description":
			text, ok := textOf(v)
			if !ok {
				return "description argument given to redis.register_function must be a string"
			}
			f.Description = &text
		case "callback":
			if f.callback = v.AsFunction(); f.callback == nil {
				return "callback argument given to redis.register_function must be a function"
			}
		case "flags":
			if problem := f.flags(v.AsTable()); problem != "" {
				return problem
			}
		default:
			return "unknown argument given to redis.register_function"
		}
	}
	switch {
	case !given:
		return "redis.register_function must get a function name argument"
	case f.callback == nil:
		return "redis.register_function must get a callback argument"
	}
	return ""
}

// flags takes an array of flags.
func (f *Function) flags(list *lua.Table) (problem string) {
	if list == nil {
		return "flags argument to redis.register_function must be a table representing function flags"
	}
	for i := 1; ; i++ {
		v := list.GetInt(i)
		if v.IsNil() {
			return ""
		}
		name, _ := textOf(v)
		flag, ok := engine.ScriptFlag(strings.ToLower(name))
		if !ok {
			return "unknown flag given"
		}
		f.Flags |= flag
	}
}
