package scripting

import (
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/codec"
)

// allowed are the functions of Lua's base library that scripts of Redis have: its allow list, by what
// redis-server 7.0.15 shows in pairs(_G). What is missing reads or writes files, prints, or changes
// the environment of functions.
var allowed = []string{
	"assert", "collectgarbage", "error", "gcinfo", "getmetatable", "ipairs", "load", "loadstring", "next",
	"pairs", "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring",
	"type", "unpack", "xpcall", "_G", "_VERSION", "coroutine", "math", "os", "string", "table",
}

// openLibraries installs what all scripts have, of EVAL and of libraries, but for redis.
func (s *Scripts) openLibraries(state *lua.State) *codec.Libraries {
	state.OpenBase()
	state.OpenMath(s.random)
	state.OpenOS(s.clock)
	state.OpenString()
	state.OpenTable()
	keep(state.Globals(), allowed)
	return codec.Open(state)
}

// keep removes all but some fields from a table, whose keys are strings.
func keep(t *lua.Table, names []string) {
	kept := make(map[string]bool, len(names))
	for _, name := range names {
		kept[name] = true
	}
	var others []*lua.String
	for key, _, ok, _ := t.Next(lua.Nil); ok; key, _, ok, _ = t.Next(key) {
		if s := key.AsString(); !kept[s.Str()] {
			others = append(others, s)
		}
	}
	for _, s := range others {
		t.SetStr(s, lua.Nil)
	}
}

// protect makes the globals, and all tables in them, such that scripts cannot change them, and cannot
// read what is not there.
func protect(state *lua.State) {
	globals := state.Globals()
	guard(state, globals)
	freeze(globals)
	if strings := state.StringMeta(); strings != nil {
		freeze(strings)
	}
}

// guard makes it an error to read what a table does not have.
func guard(state *lua.State, t *lua.Table) {
	meta := state.Table(0, 1)
	state.Register(meta, "__index", missingGlobal)
	t.SetMeta(meta)
}

// freeze makes a table and what it refers to read-only.
func freeze(t *lua.Table) {
	if t.ReadOnly() {
		return
	}
	t.SetReadOnly(true)
	if meta := t.Meta(); meta != nil {
		freeze(meta)
	}
	for key, v, ok, _ := t.Next(lua.Nil); ok; key, v, ok, _ = t.Next(key) {
		if inner := v.AsTable(); inner != nil {
			freeze(inner)
		}
	}
}

// missingGlobal is what a global that does not exist is read by.
func missingGlobal(t *lua.Thread) (int, error) {
	if t.Count() != 2 {
		return 0, t.Errorf("Wrong number of arguments to luaProtectedTableError")
	}
	name := t.Arg(2)
	if name.AsString() == nil && !name.IsNumber() {
		return 0, t.Errorf("Second argument to luaProtectedTableError must be a string or number")
	}
	text, err := t.ToString(name)
	if err != nil {
		return 0, err
	}
	return 0, t.Errorf("Script attempted to access nonexistent global variable '%s'", text.Str())
}

// The fields of tables that are replies, or errors.
var (
	fieldErr      = lua.NewString("err")
	fieldOK       = lua.NewString("ok")
	fieldDouble   = lua.NewString("double")
	fieldMap      = lua.NewString("map")
	fieldSet      = lua.NewString("set")
	fieldBig      = lua.NewString("big_number")
	fieldVerbatim = lua.NewString("verbatim_string")
	fieldFormat   = lua.NewString("format")
	fieldString   = lua.NewString("string")
	fieldQuiet    = lua.NewString("ignore_error_stats_update")
	globalKeys    = lua.NewString("KEYS")
	globalArgv    = lua.NewString("ARGV")
)

// open gives an interpreter of EVAL its globals.
func (in *interpreter) open() {
	globals := in.state.Globals()
	in.libraries = in.scripts.openLibraries(in.state)
	globals.SetStr(lua.NewString("redis"), in.redisTable().Value())
	globals.SetStr(globalKeys, in.keys.Value())
	globals.SetStr(globalArgv, in.argv.Value())
	protect(in.state)
	in.keys.SetReadOnly(false)
	in.argv.SetReadOnly(false)
}
