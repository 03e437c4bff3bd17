package commands

import (
	"math"
	"strings"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// ACL: users and their rights. What rules mean stands in package acl, what becomes of sessions whose
// rights change in engine/users.go.

func aclCommands() []engine.Spec {
	const (
		open  = engine.NoScript | engine.Loading | engine.Stale
		admin = engine.Admin | open
	)
	secret := func(_ [][]byte, i int) bool { return i > 1 }
	return []engine.Spec{{
		Name: "acl", Arity: -2, Group: "server", Since: "6.0.0",
		Summary:    "A container for commands about users and their rights.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "cat", Handler: cmdACLCat, Arity: -2, Flags: open, Group: "server", Since: "6.0.0",
				Syntax: "[category]", Summary: "Lists the categories of commands, or the commands of one.",
				Complexity: "O(1) since the categories and commands are a fixed set."},
			{Name: "deluser", Handler: cmdACLDeluser, Arity: -3, Flags: admin, Secret: secret,
				Group: "server", Since: "6.0.0",
				Syntax: "username [username ...]", Summary: "Deletes users and closes their connections.",
				Complexity: "O(1) amortized time considering the typical user."},
			{Name: "dryrun", Handler: cmdACLDryrun, Arity: -4, Flags: admin, Group: "server", Since: "7.0.0",
				Syntax:     "username command [arg [arg ...]]",
				Summary:    "Says whether a user may run a command, without running it.",
				Complexity: "O(1)."},
			{Name: "genpass", Handler: cmdACLGenpass, Arity: -2, Flags: open, Group: "server", Since: "6.0.0",
				Syntax: "[bits=integer]", Summary: "Makes a random password.", Complexity: "O(1)"},
			{Name: "getuser", Handler: cmdACLGetuser, Arity: 3, Flags: admin, Secret: secret,
				Group: "server", Since: "6.0.0",
				Syntax: "username", Summary: "Describes a user.",
				Complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
				History: []string{"6.2.0: Channel patterns are told.",
					"7.0.0: Selectors are told, and key and channel patterns as rules."}},
			{Name: "list", Handler: cmdACLList, Arity: 2, Flags: admin, Group: "server", Since: "6.0.0",
				Summary:    "Describes all users as lines of a configuration file.",
				Complexity: "O(N). Where N is the number of configured users."},
			{Name: "load", Handler: cmdACLLoad, Arity: 2, Flags: admin, Group: "server", Since: "6.0.0",
				Summary:    "Replaces all users by those of the aclfile.",
				Complexity: "O(N). Where N is the number of configured users."},
			{Name: "log", Handler: cmdACLLog, Arity: -2, Flags: admin, Group: "server", Since: "6.0.0",
				Syntax: "[count | RESET]", Summary: "Lists the latest refusals, or forgets them.",
				Complexity: "O(N) with N being the number of entries shown.",
				History:    []string{"7.2.0: Entries have an identifier and the times when they were made and changed."}},
			{Name: "save", Handler: cmdACLSave, Arity: 2, Flags: admin, Group: "server", Since: "6.0.0",
				Summary:    "Writes all users into the aclfile.",
				Complexity: "O(N). Where N is the number of configured users."},
			{Name: "setuser", Handler: cmdACLSetuser, Arity: -3, Flags: admin, Secret: secret,
				Group: "server", Since: "6.0.0",
				Syntax: "username [rule [rule ...]]", Summary: "Makes a user, or changes its rights.",
				Complexity: "O(N). Where N is the number of rules provided.",
				History: []string{"6.2.0: Rules of channels came.",
					"7.0.0: Selectors and key patterns for reading or writing came."}},
			{Name: "users", Handler: cmdACLUsers, Arity: 2, Flags: admin, Group: "server", Since: "6.0.0",
				Summary:    "Lists the names of all users.",
				Complexity: "O(N). Where N is the number of configured users."},
			{Name: "whoami", Handler: cmdACLWhoami, Arity: 2, Flags: open, Group: "server", Since: "6.0.0",
				Summary: "Returns the name of this connection's user.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdACLHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
				Group: "server", Since: "6.0.0",
				Summary: "Describes the subcommands of ACL.", Complexity: "O(1)"},
		},
	}}
}

// texts copies arguments.
func texts(args [][]byte) []string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = string(a)
	}
	return list
}

func replyTexts(c *engine.Ctx, list []string) {
	c.Out.Array(len(list))
	for _, text := range list {
		c.Out.BulkString(text)
	}
}

func cmdACLWhoami(c *engine.Ctx) error {
	c.Out.BulkString(c.Session.User().Name())
	return nil
}

func cmdACLSetuser(c *engine.Ctx) error {
	if err := c.SetUser(string(c.Args[2]), texts(c.Args[3:])); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdACLDeluser(c *engine.Ctx) error {
	deleted := int64(0)
	for _, name := range c.Args[2:] {
		if string(name) == acl.DefaultName {
			return acl.ErrDeleteDefault
		}
		if c.DeleteUser(string(name)) {
			deleted++
		}
	}
	c.Out.Int(deleted)
	return nil
}

func cmdACLGetuser(c *engine.Ctx) error {
	r := c.Kernel.Users.Find(string(c.Args[2]))
	if r == nil {
		c.Out.Null()
		return nil
	}
	w, u := c.Out, r.User()
	w.Map(6)
	w.BulkString("flags")
	flags := u.Flags()
	w.Set(len(flags))
	for _, flag := range flags {
		w.BulkString(flag)
	}
	w.BulkString("passwords")
	replyTexts(c, u.Passwords())
	rights := u.Rights()
	replyRights(c, rights[0])
	w.BulkString("selectors")
	w.Array(len(rights) - 1)
	for _, r := range rights[1:] {
		w.Map(3)
		replyRights(c, r)
	}
	return nil
}

// replyRights writes three pairs of a map.
func replyRights(c *engine.Ctx, r acl.Rights) {
	c.Out.BulkString("commands")
	c.Out.BulkString(r.Commands)
	c.Out.BulkString("keys")
	c.Out.BulkString(r.Keys)
	c.Out.BulkString("channels")
	c.Out.BulkString(r.Channels)
}

func cmdACLList(c *engine.Ctx) error { return replyUsers(c, (*acl.User).Line) }

func cmdACLUsers(c *engine.Ctx) error { return replyUsers(c, (*acl.User).Name) }

func replyUsers(c *engine.Ctx, text func(*acl.User) string) error {
	users := c.Kernel.Users.All()
	c.Out.Array(len(users))
	for _, u := range users {
		c.Out.BulkString(text(u))
	}
	return nil
}

func cmdACLCat(c *engine.Ctx) error {
	switch len(c.Args) {
	case 2:
		replyTexts(c, engine.Category(math.MaxUint32).Names())
		return nil
	case 3:
	default:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	}
	category, ok := engine.ParseCategory(string(c.Args[2]))
	if !ok {
		return engine.Errf("ERR Unknown category '%s'", c.Args[2])
	}
	var names []string
	c.Kernel.Table.Each(func(s *engine.Spec) {
		if s.ACL()&category != 0 && s.Flags&engine.Hidden == 0 {
			names = append(names, s.FullName())
		}
	})
	replyTexts(c, names)
	return nil
}

func cmdACLGenpass(c *engine.Ctx) error {
	bits := int64(256)
	switch len(c.Args) {
	case 2:
	case 3:
		var ok bool
		if bits, ok = lex.ParseInt(c.Args[2]); !ok {
			return engine.ErrNotInteger
		}
		if bits <= 0 || bits > acl.MaxGenerated {
			return engine.ErrACLPassLength
		}
	default:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	}
	c.Out.BulkString(acl.Generate(int(bits)))
	return nil
}

func cmdACLDryrun(c *engine.Ctx) error {
	r := c.Kernel.Users.Find(string(c.Args[2]))
	if r == nil {
		return engine.Errf("ERR User '%s' not found", c.Args[2])
	}
	args := c.Args[3:]
	s := c.Kernel.Table.Resolve(args)
	switch {
	case s == nil:
		return engine.Errf("ERR Command '%s' not found", args[0])
	case !s.Fits(len(args)):
		return engine.ErrArity(s)
	}
	u := r.User()
	why, index := c.Judge(u, s, args)
	if why == acl.Allowed {
		c.Out.OK()
		return nil
	}
	c.Out.BulkString(engine.DryDenial(u, s, why, args[index]))
	return nil
}

func cmdACLLoad(c *engine.Ctx) error {
	if c.Kernel.Config.Values().ACLFile == "" {
		return engine.ErrACLNoFile
	}
	if err := c.LoadUsers(); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func cmdACLSave(c *engine.Ctx) error {
	v := c.Kernel.Config.Values()
	if v.ACLFile == "" {
		return engine.ErrACLNoFile
	}
	if err := c.Kernel.Users.SaveFile(v.Path(v.ACLFile)); err != nil {
		c.Kernel.Log.Warn("saving the users failed", "error", err)
		return engine.ErrACLSave
	}
	c.Out.OK()
	return nil
}

func cmdACLLog(c *engine.Ctx) error {
	most := 10
	switch len(c.Args) {
	case 2:
	case 3:
		if strings.EqualFold(string(c.Args[2]), "RESET") {
			c.Kernel.Refusals.Reset()
			c.Out.OK()
			return nil
		}
		n, ok := lex.ParseInt(c.Args[2])
		if !ok {
			return engine.ErrNotInteger
		}
		most = int(min(max(n, 0), math.MaxInt32))
	default:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	}
	entries, now := c.Kernel.Refusals.Latest(most), c.Kernel.Now()
	w := c.Out
	w.Array(len(entries))
	for _, e := range entries {
		w.Map(10)
		w.BulkString("count")
		w.Int(e.Count)
		for _, pair := range [...][2]string{
			{"reason", e.Why.String()}, {"context", e.Where.String()},
			{"object", e.Object}, {"username", e.Username},
		} {
			w.BulkString(pair[0])
			w.BulkString(pair[1])
		}
		w.BulkString("age-seconds")
		w.Double(float64(now.Sub(e.Updated).Milliseconds()) / 1000)
		w.BulkString("client-info")
		w.BulkString(e.Client)
		w.BulkString("entry-id")
		w.Int(e.ID)
		w.BulkString("timestamp-created")
		w.Int(e.Created.UnixMilli())
		w.BulkString("timestamp-last-updated")
		w.Int(e.Updated.UnixMilli())
	}
	return nil
}

func cmdACLHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"CAT [<category>]",
		"    List all commands that belong to <category>, or all command categories",
		"    when no category is specified.",
		"DELUSER <username> [<username> ...]",
		"    Delete a list of users.",
		"DRYRUN <username> <command> [<arg> ...]",
		"    Returns whether the user can execute the given command without executing the command.",
		"GETUSER <username>",
		"    Get the user's details.",
		"GENPASS [<bits>]",
		"    Generate a secure 256-bit user password. The optional `bits` argument can",
		"    be used to specify a different size.",
		"LIST",
		"    Show users details in config file format.",
		"LOAD",
		"    Reload users from the ACL file.",
		"LOG [<count> | RESET]",
		"    Show the ACL log entries.",
		"SAVE",
		"    Save the current config to the ACL file.",
		"SETUSER <username> <attribute> [<attribute> ...]",
		"    Create or modify a user with the specified attributes.",
		"USERS",
		"    List all the registered usernames.",
		"WHOAMI",
		"    Return the current connection username.")
}
