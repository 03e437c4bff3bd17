package commands

import (
	"bytes"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/store/lex"
)

// EVAL and its relatives, and SCRIPT. How scripts run stands in package scripting.

// scriptRows are the commands of scripts, with what they run.
type scriptRows struct{ scripts *scripting.Scripts }

// What COMMAND INFO says of the keys of scripts and functions.
const (
	assumedUpdate = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"
	assumedAccess = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"
)

func scriptCommands(scripts *scripting.Scripts) []engine.Spec {
	const flags = engine.NoScript | engine.Stale | engine.SkipMonitor | engine.NoMandatoryKeys | engine.RunsScript
	r := scriptRows{scripts}
	rw := []engine.KeySpec{engine.NumKeys(2, engine.RW|engine.Access|engine.Update)}
	ro := []engine.KeySpec{engine.NumKeys(2, engine.RO|engine.Access)}
	evaluating := func(s engine.Spec) engine.Spec {
		s.Arity, s.Group, s.Categories = -3, "scripting", engine.CatScripting
		s.Complexity = "Depends on the script that is executed."
		s.Flags |= flags
		if s.Flags&engine.ReadOnly == 0 {
			s.Flags |= engine.PausesAsWrite
		}
		return s
	}
	return []engine.Spec{
		evaluating(engine.Spec{Name: "eval", Handler: r.eval, Undeclared: r.evalStrays, FlagsOf: r.evalFlags,
			Keys:    []engine.KeySpec{rw[0].Noted(assumedUpdate)},
			Summary: "Runs a Lua script.", Since: "2.6.0",
			Syntax: "script numkeys [key [key ...]] [arg [arg ...]]"}),
		evaluating(engine.Spec{Name: "eval_ro", Handler: r.eval, Undeclared: r.evalStrays, FlagsOf: r.evalFlags,
			Flags:   engine.ReadOnly,
			Keys:    []engine.KeySpec{ro[0].Noted(assumedAccess)},
			Summary: "Runs a Lua script that only reads.", Since: "7.0.0",
			Syntax: "script numkeys [key [key ...]] [arg [arg ...]]"}),
		evaluating(engine.Spec{Name: "evalsha", Handler: r.evalSHA, Undeclared: r.evalSHAStrays, FlagsOf: r.evalSHAFlags,
			Keys:    rw,
			Summary: "Runs a Lua script that the server has, by its SHA1.", Since: "2.6.0",
			Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]"}),
		evaluating(engine.Spec{Name: "evalsha_ro", Handler: r.evalSHA, Undeclared: r.evalSHAStrays, FlagsOf: r.evalSHAFlags,
			Flags:   engine.ReadOnly,
			Keys:    ro,
			Summary: "Runs a Lua script that the server has and that only reads, by its SHA1.", Since: "7.0.0",
			Syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]"}),
		{Name: "script", Arity: -2, Group: "scripting", Since: "2.6.0",
			Summary:     "A container for commands that manage Lua scripts.",
			Complexity:  "Depends on subcommand.",
			Subcommands: r.subcommands()},
	}
}

func (r scriptRows) subcommands() []engine.Spec {
	const cat = engine.CatScripting
	return []engine.Spec{
		{Name: "load", Handler: r.load, Arity: 3, Flags: engine.NoScript | engine.Stale,
			Group: "scripting", Categories: cat, Since: "2.6.0", Syntax: "script",
			Summary:    "Compiles a Lua script and keeps it for EVALSHA.",
			Complexity: "O(N) with N being the length in bytes of the script body.",
			Tips:       []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
		{Name: "exists", Handler: r.exists, Arity: -3, Flags: engine.NoScript,
			Group: "scripting", Categories: cat, Since: "2.6.0", Syntax: "sha1 [sha1 ...]",
			Summary:    "Says of Lua scripts whether the server has them.",
			Complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
			Tips:       []string{"request_policy:all_shards", "response_policy:agg_logical_and"}},
		{Name: "flush", Handler: r.flush, Arity: -2, Flags: engine.NoScript,
			Group: "scripting", Categories: cat, Since: "2.6.0", Syntax: "[ASYNC | SYNC]",
			Summary:    "Forgets all Lua scripts.",
			Complexity: "O(N) with N being the number of scripts in cache",
			History:    []string{"6.2.0: Added the `ASYNC` and `SYNC` flushing mode modifiers."},
			Tips:       []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
		{Name: "kill", Handler: cmdScriptKill, Arity: 2, Flags: engine.NoScript | engine.AllowBusy,
			Group: "scripting", Categories: cat, Since: "2.6.0",
			Summary:    "Ends the Lua scripts that take long and have not written.",
			Complexity: "O(1)",
			Tips:       []string{"request_policy:all_shards", "response_policy:one_succeeded"}},
		{Name: "help", Handler: cmdScriptHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
			Group: "scripting", Categories: cat, Since: "5.0.0",
			Summary:    "Prints help for SCRIPT.",
			Complexity: "O(1)"},
	}
}

// numKeys reads the number of keys, and checks it as Redis does.
func numKeys(c *engine.Ctx) (int, error) {
	n, ok := lex.ParseInt(c.Args[2])
	switch {
	case !ok:
		return 0, engine.ErrNotInteger
	case n > int64(len(c.Args)-3):
		return 0, engine.ErrNumKeysMany
	case n < 0:
		return 0, engine.ErrNumKeysNegative
	}
	return int(n), nil
}

// find returns the script of the request by its SHA, nil if there is none.
func (r scriptRows) find(c *engine.Ctx) *scripting.Script { return r.scripts.Find(c, c.Args[1]) }

// evalStrays compiles the script: what is known of its keys is known before it is locked. A script
// with errors does nothing.
func (r scriptRows) evalStrays(c *engine.Ctx) bool {
	n, err := numKeys(c)
	if err != nil {
		return false
	}
	script, err := r.scripts.Load(c, c.Args[1])
	return err == nil && !script.Proved(n)
}

// evalSHAStrays says yes of a script that is not there: it may be there when it is to run.
func (r scriptRows) evalSHAStrays(c *engine.Ctx) bool {
	n, err := numKeys(c)
	if err != nil {
		return false
	}
	script := r.find(c)
	return script == nil || !script.Proved(n)
}

func (r scriptRows) evalFlags(c *engine.Ctx, row engine.Flags) engine.Flags {
	if !bytes.HasPrefix(c.Args[1], []byte("#!")) {
		return row
	}
	script, err := r.scripts.Load(c, c.Args[1])
	if err != nil {
		return row
	}
	return script.Flags.Of(row)
}

func (r scriptRows) evalSHAFlags(c *engine.Ctx, row engine.Flags) engine.Flags {
	script := r.find(c)
	if script == nil {
		return row
	}
	return script.Flags.Of(row)
}

func (r scriptRows) eval(c *engine.Ctx) error {
	c.ShowScript()
	n, err := numKeys(c)
	if err != nil {
		return err
	}
	script, err := r.scripts.Load(c, c.Args[1])
	if err != nil {
		return err
	}
	return r.scripts.Run(c, script, c.Args[3:3+n], c.Args[3+n:])
}

func (r scriptRows) evalSHA(c *engine.Ctx) error {
	c.ShowScript()
	const digits = 40
	if len(c.Args[1]) != digits {
		return engine.ErrNoScript
	}
	n, err := numKeys(c)
	if err != nil {
		return err
	}
	script := r.find(c)
	if script == nil {
		return engine.ErrNoScript
	}
	return r.scripts.Run(c, script, c.Args[3:3+n], c.Args[3+n:])
}

func (r scriptRows) load(c *engine.Ctx) error {
	script, err := r.scripts.Keep(c, c.Args[2])
	if err != nil {
		return err
	}
	c.Out.BulkString(script.SHA)
	return nil
}

func (r scriptRows) exists(c *engine.Ctx) error {
	digits := c.Args[2:]
	c.Out.Array(len(digits))
	for _, d := range digits {
		c.Out.Int(int64(count(r.scripts.Exists(d))))
	}
	return nil
}

// flush forgets in the same time whatever the mode: Go frees.
func (r scriptRows) flush(c *engine.Ctx) error {
	a := c.Parse(2)
	if len(c.Args) > 3 || !a.Done() && !a.Match("ASYNC") && !a.Match("SYNC") {
		return engine.ErrScriptFlush
	}
	r.scripts.Flush()
	c.Out.OK()
	return nil
}

func cmdScriptKill(c *engine.Ctx) error {
	if err := c.Kernel.KillScripts(false); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdScriptHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"EXISTS <sha1> [<sha1> ...]",
		"    Return information about the existence of the scripts in the script cache.",
		"FLUSH [ASYNC|SYNC]",
		"    Flush the Lua scripts cache. Very dangerous on replicas.",
		"    When called without the optional mode argument, the behavior is determined by the",
		"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
		"    * ASYNC: Asynchronously flush the scripts cache.",
		"    * SYNC: Synchronously flush the scripts cache.",
		"KILL",
		"    Kill the currently executing Lua script.",
		"LOAD <script>",
		"    Load a script into the scripts cache without executing it.",
	)
}
