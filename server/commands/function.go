package commands

import (
	"cmp"
	"slices"

	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// FUNCTION, and FCALL: the libraries of functions. How they run stands in package scripting.
//
// A change has its words as its effect, and for FUNCTION LOAD that is the whole source, so that a
// log can be replayed without the libraries that were there before it.

func functionCommands(libraries *scripting.Libraries) []engine.Spec {
	return append(callCommands(libraries), engine.Spec{
		Name: "function", Arity: -2, Group: "scripting", Since: "7.0.0",
		Summary:     "A container for commands about functions.",
		Complexity:  "Depends on subcommand.",
		Subcommands: functionSubcommands(libraries),
	})
}

func functionSubcommands(libraries *scripting.Libraries) []engine.Spec {
	const (
		group, cat = "scripting", engine.CatScripting
		no         = engine.NoScript
		change     = engine.Write | engine.ChangesLibraries | no
	)
	f := functions{libraries}
	all := []string{"request_policy:all_shards", "response_policy:all_succeeded"}
	return []engine.Spec{
		{Name: "load", Handler: f.load, Arity: -3, Flags: change | engine.DenyOOM, Locks: libraries.LockChange,
			Group: group, Categories: cat, Since: "7.0.0", Syntax: "[REPLACE] function-code", Tips: all,
			Summary:    "Makes a library of the functions that a source registers.",
			Complexity: "O(1), beside compiling and running the source."},
		{Name: "delete", Handler: f.delete, Arity: 3, Flags: change, Locks: libraries.LockChange,
			Group: group, Categories: cat, Since: "7.0.0", Syntax: "library-name", Tips: all,
			Summary: "Removes a library and its functions.", Complexity: "O(1)"},
		{Name: "flush", Handler: f.flush, Arity: -2, Flags: change, Locks: libraries.LockChange,
			Group: group, Categories: cat, Since: "7.0.0", Syntax: "[ASYNC | SYNC]", Tips: all,
			Summary: "Removes all libraries.", Complexity: "O(1); memory is freed in the background."},
		{Name: "restore", Handler: f.restore, Arity: -3, Flags: change | engine.DenyOOM, Locks: libraries.LockChange,
			Group: group, Categories: cat, Since: "7.0.0", Tips: all,
			Syntax:     "serialized-value [FLUSH | APPEND | REPLACE]",
			Summary:    "Makes libraries of what FUNCTION DUMP returned.",
			Complexity: "O(N) where N is the number of functions in the payload."},
		{Name: "dump", Handler: f.dump, Arity: 2, Flags: no, Group: group, Categories: cat, Since: "7.0.0",
			Summary:    "Returns all libraries in the form that FUNCTION RESTORE takes.",
			Complexity: "O(N) where N is the number of functions."},
		{Name: "list", Handler: f.list, Arity: -2, Flags: no, Group: group, Categories: cat, Since: "7.0.0",
			Syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]", Tips: []string{"nondeterministic_output_order"},
			Summary:    "Returns the libraries with their functions.",
			Complexity: "O(N) where N is the number of functions."},
		{Name: "stats", Handler: f.stats, Arity: 2, Flags: no | engine.AllowBusy,
			Group: group, Categories: cat, Since: "7.0.0",
			Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary: "Says which function takes long, and how many functions there are.", Complexity: "O(1)"},
		{Name: "kill", Handler: cmdFunctionKill, Arity: 2, Flags: no | engine.AllowBusy,
			Group: group, Categories: cat, Since: "7.0.0",
			Tips:    []string{"request_policy:all_shards", "response_policy:one_succeeded"},
			Summary: "Ends the functions that take long and have not written.", Complexity: "O(1)"},
		{Name: "help", Handler: cmdFunctionHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
			Group: group, Categories: cat, Since: "7.0.0",
			Summary: "Describes the subcommands of FUNCTION.", Complexity: "O(1)"},
	}
}

// callCommands are FCALL and FCALL_RO.
func callCommands(libraries *scripting.Libraries) []engine.Spec {
	f := functions{libraries}
	call := engine.Spec{
		Handler: f.call, Undeclared: f.strays, FlagsOf: f.flags, Locks: f.locks,
		Arity: -3, Group: "scripting", Categories: engine.CatScripting, Since: "7.0.0",
		Flags:      engine.NoScript | engine.Stale | engine.SkipMonitor | engine.NoMandatoryKeys | engine.RunsScript,
		Syntax:     "function numkeys [key [key ...]] [arg [arg ...]]",
		Complexity: "Depends on the function that is executed.",
	}
	reading := call
	call.Name, call.Summary = "fcall", "Calls a function."
	call.Flags |= engine.PausesAsWrite
	call.Keys = []engine.KeySpec{engine.NumKeys(2, engine.RW|engine.Access|engine.Update).Noted(assumedUpdate)}
	reading.Name, reading.Summary = "fcall_ro", "Calls a function that only reads."
	reading.Flags |= engine.ReadOnly
	reading.Keys = []engine.KeySpec{engine.NumKeys(2, engine.RO|engine.Access).Noted(assumedAccess)}
	return []engine.Spec{call, reading}
}

// functions are the handlers of what looks at the libraries.
type functions struct{ libraries *scripting.Libraries }

// strays says yes of a function that is not there: it may be there when it is to run, in a transaction
// that loads it.
func (f functions) strays(c *engine.Ctx) bool {
	n, err := numKeys(c)
	if err != nil {
		return false
	}
	fn := f.libraries.Find(c.Args[1])
	return fn == nil || fn.Strays(c, n)
}

func (f functions) flags(c *engine.Ctx, row engine.Flags) engine.Flags {
	if fn := f.libraries.Find(c.Args[1]); fn != nil {
		return fn.Flags.Of(row)
	}
	return row
}

func (f functions) locks(c *engine.Ctx, l *store.Lockset) {
	f.libraries.LockFunction(c, f.libraries.Find(c.Args[1]), l)
}

func (f functions) call(c *engine.Ctx) error {
	c.ShowScript()
	fn := f.libraries.Find(c.Args[1])
	if fn == nil {
		return engine.ErrNoFunction
	}
	n, err := numKeys(c)
	if err == engine.ErrNotInteger { // it comes as it is
		err = engine.ErrFunctionKeys
	}
	if err != nil {
		return err
	}
	return f.libraries.Call(c, fn, c.Args[3:3+n], c.Args[3+n:])
}

func (f functions) load(c *engine.Ctx) error {
	a := c.Parse(2)
	replace := false
	for a.Left() > 1 {
		if !a.Match("REPLACE") {
			return engine.Errf("ERR Unknown option given: %s", a.Next())
		}
		replace = true
	}
	name, err := f.libraries.Load(c, string(a.Next()), replace)
	if err != nil {
		return err
	}
	c.Out.BulkString(name)
	return nil
}

func (f functions) delete(c *engine.Ctx) error {
	if err := f.libraries.Delete(c, string(c.Args[2])); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// flush does the same for ASYNC and SYNC: what is left is garbage.
func (f functions) flush(c *engine.Ctx) error {
	a := c.Parse(2)
	switch {
	case len(c.Args) > 3:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	case !a.Done() && !a.Match("SYNC") && !a.Match("ASYNC"):
		return engine.ErrFunctionFlush
	}
	f.libraries.Flush(c)
	c.Out.OK()
	return nil
}

func (f functions) dump(c *engine.Ctx) error {
	c.Out.Bulk(rdb.AppendLibraries(nil, f.libraries.Sources(), c.Kernel.Config.Values().RDBCompression))
	return nil
}

func (f functions) restore(c *engine.Ctx) error {
	if len(c.Args) > 4 {
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	}
	policy := scripting.Append
	switch a := c.Parse(3); {
	case a.Done(), a.Match("APPEND"):
	case a.Match("REPLACE"):
		policy = scripting.Replace
	case a.Match("FLUSH"):
		policy = scripting.Flush
	default:
		return engine.ErrRestorePolicy
	}
	payload := c.Args[2]
	if rdb.CheckPayload(payload) != nil {
		return engine.ErrPayload
	}
	if err := f.libraries.Restore(c, payload, policy); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// listOptions are the words of FUNCTION LIST.
type listOptions struct {
	pattern *lex.Pattern // nil: all
	code    bool
}

func parseFunctionList(c *engine.Ctx) (o listOptions, err error) {
	for a := c.Parse(2); !a.Done(); {
		switch {
		case !o.code && a.Match("WITHCODE"):
			o.code = true
		case o.pattern == nil && a.Match("LIBRARYNAME"):
			if a.Done() {
				return o, engine.ErrNoLibraryName
			}
			o.pattern = lex.Compile(a.Next(), true)
		default:
			return o, engine.Errf("ERR Unknown argument %s", a.Next())
		}
	}
	return o, nil
}

func (f functions) list(c *engine.Ctx) error {
	o, err := parseFunctionList(c)
	if err != nil {
		return err
	}
	list := f.libraries.All()
	if o.pattern != nil {
		other := func(l *scripting.Library) bool { return !o.pattern.Match([]byte(l.Name)) }
		list = slices.DeleteFunc(slices.Clone(list), other)
	}
	c.Out.Array(len(list))
	for _, l := range list {
		fields := 3
		if o.code {
			fields++
		}
		c.Out.Map(fields)
		c.Out.BulkString("library_name")
		c.Out.BulkString(l.Name)
		c.Out.BulkString("engine")
		c.Out.BulkString("LUA")
		c.Out.BulkString("functions")
		c.Out.Array(len(l.Functions))
		for _, f := range l.Functions {
			replyFunction(c, f)
		}
		if o.code {
			c.Out.BulkString("library_code")
			c.Out.BulkString(l.Source)
		}
	}
	return nil
}

func replyFunction(c *engine.Ctx, f *scripting.Function) {
	c.Out.Map(3)
	c.Out.BulkString("name")
	c.Out.BulkString(f.Name)
	c.Out.BulkString("description")
	if f.Description != nil {
		c.Out.BulkString(*f.Description)
	} else {
		c.Out.Null()
	}
	c.Out.BulkString("flags")
	replyStatusSet(c, "", f.Flags.Names())
}

// stats shows, of several functions that take long, the one that has for longest.
func (f functions) stats(c *engine.Ctx) error {
	c.Out.Map(2)
	c.Out.BulkString("running_script")
	runs := slices.DeleteFunc(c.Kernel.RunningScripts(), func(r engine.RunningScript) bool { return !r.Function })
	if len(runs) == 0 {
		c.Out.Null()
	} else {
		run := slices.MaxFunc(runs, func(a, b engine.RunningScript) int { return cmp.Compare(a.Duration, b.Duration) })
		c.Out.Map(3)
		c.Out.BulkString("name")
		c.Out.BulkString(run.Name)
		c.Out.BulkString("command")
		c.Out.Array(len(run.Command))
		for _, arg := range run.Command {
			c.Out.Bulk(arg)
		}
		c.Out.BulkString("duration_ms")
		c.Out.Int(run.Duration.Milliseconds())
	}
	c.Out.BulkString("engines")
	c.Out.Map(1)
	c.Out.BulkString("LUA")
	c.Out.Map(2)
	c.Out.BulkString("libraries_count")
	c.Out.Int(int64(len(f.libraries.All())))
	c.Out.BulkString("functions_count")
	c.Out.Int(int64(f.libraries.Functions()))
	return nil
}

func cmdFunctionKill(c *engine.Ctx) error {
	if err := c.Kernel.KillScripts(true); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdFunctionHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"LOAD [REPLACE] <FUNCTION CODE>",
		"    Create a new library with the given library name and code.",
		"DELETE <LIBRARY NAME>",
		"    Delete the given library.",
		"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
		"    Return general information on all the libraries:",
		"    * Library name",
		"    * The engine used to run the Library",
		"    * Library description",
		"    * Functions list",
		"    * Library code (if WITHCODE is given)",
		"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
		"STATS",
		"    Return information about the current function running:",
		"    * Function name",
		"    * Command used to run the function",
		"    * Duration in MS that the function is running",
		"    If no function is running, return nil",
		"    In addition, returns a list of available engines.",
		"KILL",
		"    Kill the current running function.",
		"FLUSH [ASYNC|SYNC]",
		"    Delete all the libraries.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the libraries.",
		"    * SYNC: Synchronously flush the libraries.",
		"DUMP",
		"    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
		"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
		"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
		"    control how to handle existing libraries (default APPEND):",
		"    * FLUSH: delete all existing libraries.",
		"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
		"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
		"      libraries with the new libraries (notice that even on this option there is a chance of failure",
		"      in case of functions name collision with another library).",
	)
}
