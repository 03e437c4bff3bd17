package commands

import (
	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// CONFIG: the commands in front of package config, which holds the parameters, their rules and the
// texts of its errors.

func configCommands() []engine.Spec {
	const flags = engine.Admin | engine.NoScript | engine.Loading | engine.Stale
	return []engine.Spec{{
		Name: "config", Arity: -2, Group: "server", Since: "2.0.0",
		Summary:    "A container for the commands of the server's configuration.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "get", Handler: cmdConfigGet, Arity: -3, Flags: flags, Group: "server", Since: "2.0.0",
				Syntax:     "parameter [parameter ...]",
				Summary:    "Returns the values of configuration parameters.",
				Complexity: "O(N) when N is the number of configuration parameters provided",
				History:    []string{"7.0.0: Several patterns are accepted in one call."}},
			{Name: "set", Handler: cmdConfigSet, Arity: -4, Flags: flags | engine.OwnLocks | engine.Survey, Group: "server", Since: "2.0.0",
				Secret:     configSecret,
				Syntax:     "parameter value [parameter value ...]",
				Summary:    "Sets configuration parameters while the server runs, all of them or none.",
				Complexity: "O(N) when N is the number of configuration parameters provided",
				History:    []string{"7.0.0: Several parameters are accepted in one call."},
				Tips:       []string{"request_policy:all_nodes", "response_policy:all_succeeded"}},
			{Name: "rewrite", Handler: cmdConfigRewrite, Arity: 2, Flags: flags, Group: "server", Since: "2.8.0",
				Summary:    "Writes the configuration in force into the configuration file.",
				Complexity: "O(1)"},
			{Name: "resetstat", Handler: cmdConfigResetstat, Arity: 2, Flags: flags | engine.OwnLocks | engine.Survey, Group: "server", Since: "2.0.0",
				Summary:    "Resets the statistics that INFO reports.",
				Complexity: "O(1)"},
			{Name: "help", Handler: cmdConfigHelp, Arity: 2, Flags: engine.Loading | engine.Stale, Group: "server", Since: "5.0.0",
				Summary:    "Describes the subcommands of CONFIG.",
				Complexity: "O(1)"},
		},
	}}
}

// configSecret finds the passwords among the arguments of CONFIG SET, also where one too many or too
// few of them has values stand where names should.
func configSecret(args [][]byte, i int) bool {
	return i >= 3 && config.Secret(string(args[i-1]))
}

func cmdConfigGet(c *engine.Ctx) error {
	patterns := make([]string, 0, len(c.Args)-2)
	for _, arg := range c.Args[2:] {
		patterns = append(patterns, string(arg))
	}
	pairs := c.Kernel.Config.Get(patterns, func(pattern string) func(string) bool {
		p := lex.Compile([]byte(pattern), true)
		return func(name string) bool { return p.Match([]byte(name)) }
	})
	c.Out.Map(len(pairs))
	for _, pair := range pairs {
		c.Out.BulkString(pair[0])
		c.Out.BulkString(pair[1])
	}
	return nil
}

func cmdConfigSet(c *engine.Ctx) error {
	if len(c.Args)%2 != 0 {
		return engine.ErrSyntax
	}
	settings := make([]config.Setting, 0, len(c.Args)/2-1)
	for i := 2; i < len(c.Args); i += 2 {
		settings = append(settings, config.Setting{Name: string(c.Args[i]), Value: string(c.Args[i+1])})
	}
	if m := c.Kernel.Persist; m != nil && m.State()&persistence.Loading != 0 &&
		c.Kernel.Config.DeniedWhileLoading(settings) {
		return engine.ErrLoading
	}
	if err := c.Kernel.Config.Set(settings, c.Session.Local()); err != nil {
		return err
	}
	c.FollowNotifications()
	c.FollowPrefixes()
	c.Out.OK()
	return nil
}

func cmdConfigRewrite(c *engine.Ctx) error {
	if err := c.Kernel.Config.Rewrite(); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdConfigResetstat(c *engine.Ctx) error {
	c.ResetStats()
	c.Out.OK()
	return nil
}

func cmdConfigHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"GET <pattern>",
		"    Return parameters matching the glob-like <pattern> and their values.",
		"SET <directive> <value>",
		"    Set the configuration <directive> to <value>.",
		"RESETSTAT",
		"    Reset statistics reported by the INFO command.",
		"REWRITE",
		"    Rewrite the configuration file.")
}
