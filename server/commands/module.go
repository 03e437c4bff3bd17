package commands

import (
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// MODULE, which lists none since there are none, and LOLWUT.

func moduleCommands() []engine.Spec {
	const admin = engine.Admin | engine.NoScript
	return []engine.Spec{{
		Name: "module", Arity: -2, Group: "server", Since: "4.0.0",
		Summary:    "A container for commands about modules.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "list", Handler: cmdModuleList, Arity: 2, Flags: admin, Group: "server", Since: "4.0.0",
				Tips:    []string{"nondeterministic_output_order"},
				Summary: "Lists the modules that are loaded: none.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdModuleHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
				Group: "server", Since: "5.0.0",
				Summary: "Describes the subcommands of MODULE.", Complexity: "O(1)"},
		},
	}, {
		Name: "lolwut", Handler: cmdLolwut, Arity: -1, Flags: engine.ReadOnly | engine.Fast,
		Group: "server", Since: "5.0.0", Syntax: "[VERSION version=integer]",
		Summary:    "Returns the version of the server.",
		Complexity: "O(1)",
	}}
}

func cmdModuleList(c *engine.Ctx) error {
	c.Out.Array(0)
	return nil
}

func cmdModuleHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"LIST",
		"    Return a list of loaded modules.")
}

// cmdLolwut has no art, so that any version of it is the line that Redis writes below its own. What
// follows a version are the measures of a picture.
func cmdLolwut(c *engine.Ctx) error {
	if a := c.Parse(1); a.Match("VERSION") && !a.Done() {
		if _, ok := lex.ParseInt(a.Next()); !ok {
			return engine.ErrNotInteger
		}
	}
	c.Out.Verbatim("txt", "Redis ver. "+config.RedisVersion+"\n")
	return nil
}
