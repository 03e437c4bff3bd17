package commands

import (
	"bytes"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// COMMAND: the table of commands as clients see it. Everything printed here is
// derived from the rows; DOCS is in commanddocs.go.

func commandCommands() []engine.Spec {
	const (
		cat   = engine.CatConnection
		flags = engine.Loading | engine.Stale
	)
	unordered := []string{"nondeterministic_output_order"}
	return []engine.Spec{{
		Name: "command", Handler: cmdCommand, Arity: -1, Flags: flags, Group: "server", Categories: cat, Since: "2.8.13", Tips: unordered,
		Summary:    "Describes all commands.",
		Complexity: "O(N) where N is the total number of commands",
		Subcommands: []engine.Spec{
			{Name: "count", Handler: cmdCommandCount, Arity: 2, Flags: flags, Group: "server", Categories: cat, Since: "2.8.13",
				Summary: "Counts the commands.", Complexity: "O(1)"},
			{Name: "info", Handler: cmdCommandInfo, Arity: -2, Flags: flags, Group: "server", Categories: cat, Since: "2.8.13", Tips: unordered,
				Syntax: "[command-name [command-name ...]]", Summary: "Describes some commands, or all.",
				Complexity: "O(N) where N is the number of commands to look up",
				History:    []string{"7.0.0: Without arguments it describes all commands."}},
			{Name: "docs", Handler: cmdCommandDocs, Arity: -2, Flags: flags, Group: "server", Categories: cat, Since: "7.0.0", Tips: unordered,
				Syntax: "[command-name [command-name ...]]", Summary: "Documents some commands, or all.",
				Complexity: "O(N) where N is the number of commands to look up"},
			{Name: "list", Handler: cmdCommandList, Arity: -2, Flags: flags, Group: "server", Categories: cat, Since: "7.0.0", Tips: unordered,
				Syntax:     "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
				Summary:    "Lists the names of commands.",
				Complexity: "O(N) where N is the total number of commands"},
			{Name: "getkeys", Handler: cmdCommandGetkeys, Arity: -3, Flags: flags, Group: "server", Categories: cat, Since: "2.8.13",
				Syntax: "command [arg [arg ...]]", Summary: "Finds the keys in a request.",
				Complexity: "O(N) where N is the number of arguments to the command"},
			{Name: "getkeysandflags", Handler: cmdCommandGetkeysandflags, Arity: -3, Flags: flags, Group: "server", Categories: cat, Since: "7.0.0",
				Syntax: "command [arg [arg ...]]", Summary: "Finds the keys in a request, with what it does to them.",
				Complexity: "O(N) where N is the number of arguments to the command"},
			{Name: "help", Handler: cmdCommandHelp, Arity: 2, Flags: flags, Group: "server", Categories: cat, Since: "5.0.0",
				Summary: "Describes the subcommands of COMMAND.", Complexity: "O(1)"},
		},
	}}
}

// listed is the rows that COMMAND knows.
func listed(c *engine.Ctx) []*engine.Spec {
	var rows []*engine.Spec
	for _, s := range c.Kernel.Table.Rows() {
		if s.Flags&engine.Hidden == 0 {
			rows = append(rows, s)
		}
	}
	return rows
}

// lookup finds a row by the name that COMMAND prints, "client|kill" included.
func lookup(c *engine.Ctx, name []byte) *engine.Spec {
	container, sub, isSub := bytes.Cut(name, []byte("|"))
	s := c.Kernel.Table.Lookup(container)
	if s != nil && isSub {
		if s.Subtable() == nil {
			return nil
		}
		s = s.Subtable().Lookup(sub)
	}
	if s == nil || s.Flags&engine.Hidden != 0 {
		return nil
	}
	return s
}

func cmdCommand(c *engine.Ctx) error {
	rows := listed(c)
	c.Out.Array(len(rows))
	for _, s := range rows {
		replyCommandInfo(c, s)
	}
	return nil
}

func cmdCommandCount(c *engine.Ctx) error {
	c.Out.Int(int64(len(listed(c))))
	return nil
}

func cmdCommandInfo(c *engine.Ctx) error {
	if len(c.Args) == 2 {
		return cmdCommand(c)
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if s := lookup(c, name); s != nil {
			replyCommandInfo(c, s)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func replyCommandInfo(c *engine.Ctx, s *engine.Spec) {
	w := c.Out
	w.Array(10)
	w.BulkString(s.FullName())
	w.Int(int64(s.Arity))
	replyStatusSet(c, "", s.Flags.Names())
	first, last, step := s.LegacyRange()
	w.Int(int64(first))
	w.Int(int64(last))
	w.Int(int64(step))
	replyStatusSet(c, "@", s.ACL().Names())
	w.Set(len(s.Tips))
	for _, tip := range s.Tips {
		w.BulkString(tip)
	}
	w.Set(len(s.Keys))
	for i := range s.Keys {
		replyKeySpec(c, &s.Keys[i])
	}
	if s.Subtable() == nil {
		w.Set(0)
		return
	}
	subs := s.Subtable().Rows()
	w.Array(len(subs))
	for _, sub := range subs {
		replyCommandInfo(c, sub)
	}
}

func replyStatusSet(c *engine.Ctx, prefix string, names []string) {
	c.Out.Set(len(names))
	for _, n := range names {
		c.Out.Status(prefix + n)
	}
}

func replyKeySpec(c *engine.Ctx, k *engine.KeySpec) {
	w := c.Out
	pairs := 3
	if k.Notes != "" {
		pairs++
	}
	w.Map(pairs)
	if k.Notes != "" {
		w.BulkString("notes")
		w.BulkString(k.Notes)
	}
	w.BulkString("flags")
	replyStatusSet(c, "", k.Flags.Names())
	w.BulkString("begin_search")
	switch {
	case k.Unknown:
		replyTyped(c, "unknown")
		w.BulkString("find_keys")
		replyTyped(c, "unknown")
		return
	case k.Keyword == "":
		replyTyped(c, "index", pair{"index", k.Pos})
	default:
		w.Map(2)
		w.BulkString("type")
		w.BulkString("keyword")
		w.BulkString("spec")
		w.Map(2)
		w.BulkString("keyword")
		w.BulkString(k.Keyword)
		w.BulkString("startfrom")
		w.Int(int64(k.From))
	}
	w.BulkString("find_keys")
	if k.ByCount {
		replyTyped(c, "keynum", pair{"keynumidx", k.CountAt}, pair{"firstkey", k.FirstAt}, pair{"keystep", k.Step})
	} else {
		replyTyped(c, "range", pair{"lastkey", k.Last}, pair{"keystep", k.Step}, pair{"limit", k.Limit})
	}
}

type pair struct {
	name  string
	value int
}

// replyTyped writes {type: kind, spec: {pairs}}.
func replyTyped(c *engine.Ctx, kind string, pairs ...pair) {
	w := c.Out
	w.Map(2)
	w.BulkString("type")
	w.BulkString(kind)
	w.BulkString("spec")
	w.Map(len(pairs))
	for _, p := range pairs {
		w.BulkString(p.name)
		w.Int(int64(p.value))
	}
}

func cmdCommandList(c *engine.Ctx) error {
	keep, err := parseListFilter(c)
	if err != nil {
		return err
	}
	var names []string
	c.Kernel.Table.Each(func(s *engine.Spec) {
		if s.Flags&engine.Hidden == 0 && keep(s) {
			names = append(names, s.FullName())
		}
	})
	c.Out.Array(len(names))
	for _, n := range names {
		c.Out.BulkString(n)
	}
	return nil
}

func parseListFilter(c *engine.Ctx) (keep func(*engine.Spec) bool, err error) {
	keep = func(*engine.Spec) bool { return true }
	a := c.Parse(2)
	if a.Done() {
		return keep, nil
	}
	if a.Left() != 3 || !a.Match("FILTERBY") {
		return nil, engine.ErrSyntax
	}
	switch {
	case a.Match("MODULE"):
		keep = func(*engine.Spec) bool { return false } // there are no modules
	case a.Match("ACLCAT"):
		cat, ok := engine.ParseCategory(string(a.Next()))
		keep = func(s *engine.Spec) bool { return ok && s.ACL()&cat != 0 }
	case a.Match("PATTERN"):
		pattern := lex.Compile(a.Next(), true)
		keep = func(s *engine.Spec) bool { return pattern.Match([]byte(s.FullName())) }
	default:
		return nil, engine.ErrSyntax
	}
	return keep, nil
}

func cmdCommandGetkeys(c *engine.Ctx) error {
	return replyKeys(c, func(request [][]byte, k engine.KeyAt) { c.Out.Bulk(request[k.Index]) })
}

func cmdCommandGetkeysandflags(c *engine.Ctx) error {
	return replyKeys(c, func(request [][]byte, k engine.KeyAt) {
		c.Out.Array(2)
		c.Out.Bulk(request[k.Index])
		replyStatusSet(c, "", k.Flags.Names())
	})
}

// replyKeys finds the keys of the request in the arguments and writes each.
func replyKeys(c *engine.Ctx, write func(request [][]byte, k engine.KeyAt)) error {
	request := c.Args[2:]
	s := c.Kernel.Table.Resolve(request)
	switch {
	case s == nil || s.Flags&engine.Hidden != 0:
		return engine.ErrBadCommand
	case !s.HasKeys():
		return engine.ErrNoArgKeys
	case !s.Fits(len(request)):
		return engine.ErrBadArgCount
	}
	keys := s.FindKeys(request)
	if len(keys) == 0 && s.Flags&engine.NoMandatoryKeys == 0 {
		return engine.ErrBadArguments
	}
	c.Out.Array(len(keys))
	for _, k := range keys {
		write(request, k)
	}
	return nil
}

func cmdCommandHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"(no subcommand)",
		"    Return details about all Redis commands.",
		"COUNT",
		"    Return the total number of commands in this Redis server.",
		"LIST",
		"    Return a list of all commands in this Redis server.",
		"INFO [<command-name> ...]",
		"    Return details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"DOCS [<command-name> ...]",
		"    Return documentation details about multiple Redis commands.",
		"    If no command names are given, documentation details for all",
		"    commands are returned.",
		"GETKEYS <full-command>",
		"    Return the keys from a full Redis command.",
		"GETKEYSANDFLAGS <full-command>",
		"    Return the keys and the access flags from a full Redis command.")
}
