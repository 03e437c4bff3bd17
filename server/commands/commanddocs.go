package commands

import (
	"slices"
	"strings"

	"github.com/larderkv/larder/server/engine"
)

// COMMAND DOCS. redis-cli asks for it when it starts and builds its hints from
// the arguments, which engine.ParseSyntax derives from the rows' syntax lines.

// ownSince is the version of larder since which there are the commands that are its own. Those of Redis
// and Valkey have the version of these.
const ownSince = "0.1.0"

func cmdCommandDocs(c *engine.Ctx) error {
	rows := listed(c)
	if len(c.Args) > 2 {
		rows = rows[:0]
		for _, name := range c.Args[2:] {
			if s := lookup(c, name); s != nil {
				rows = append(rows, s)
			}
		}
	}
	return replyDocs(c, rows)
}

func replyDocs(c *engine.Ctx, rows []*engine.Spec) error {
	c.Out.Map(len(rows))
	for _, s := range rows {
		c.Out.BulkString(s.FullName())
		if err := replyDoc(c, s); err != nil {
			return err
		}
	}
	return nil
}

// replyDoc writes one command: the fields it has, in Redis' order.
func replyDoc(c *engine.Ctx, s *engine.Spec) error {
	args, err := engine.ParseSyntax(s.Syntax)
	if err != nil {
		return err
	}
	deprecated := s.DeprecatedSince != ""
	w := c.Out
	w.Map(4 + count(s.System || deprecated) + count(deprecated) + count(s.ReplacedBy != "") +
		count(len(s.History) > 0) + count(len(args) > 0) + count(s.Subtable() != nil))
	field := func(name, value string) {
		w.BulkString(name)
		w.BulkString(value)
	}
	field("summary", s.Summary)
	field("since", s.Since)
	field("group", s.Group)
	field("complexity", s.Complexity)
	if s.System || deprecated {
		w.BulkString("doc_flags")
		replyStatusSet(c, "", docFlags(s))
	}
	if deprecated {
		field("deprecated_since", s.DeprecatedSince)
	}
	if s.ReplacedBy != "" {
		field("replaced_by", s.ReplacedBy)
	}
	if len(s.History) > 0 {
		w.BulkString("history")
		replyHistory(c, s.History)
	}
	if len(args) > 0 {
		w.BulkString("arguments")
		d := argDocs{c: c, keys: s.Keys}
		d.write(args)
	}
	if s.Subtable() != nil {
		w.BulkString("subcommands")
		return replyDocs(c, s.Subtable().Rows())
	}
	return nil
}

func docFlags(s *engine.Spec) (flags []string) {
	if s.DeprecatedSince != "" {
		flags = append(flags, "deprecated")
	}
	if s.System {
		flags = append(flags, "syscmd")
	}
	return flags
}

func replyHistory(c *engine.Ctx, history []string) {
	c.Out.Set(len(history))
	for _, h := range history {
		version, change, _ := strings.Cut(h, ": ")
		c.Out.Array(2)
		c.Out.BulkString(version)
		c.Out.BulkString(change)
	}
}

// argDocs writes an argument tree. Arguments that are keys belong to the row's
// key specs in their order; the last spec takes the rest. Patterns of keys belong
// to the spec of which COMMAND says that nobody can find the keys, if there is one:
// those of SORT.
type argDocs struct {
	c    *engine.Ctx
	keys []engine.KeySpec
	next int // the spec of the next key
}

// keySpec is the index of the argument's key spec, -1 if it is no key.
func (d *argDocs) keySpec(a *engine.Arg) int {
	switch a.Type {
	case "key":
		spec := min(d.next, len(d.keys)-1)
		d.next = spec + 1
		return spec
	case "pattern":
		unknown := slices.IndexFunc(d.keys, func(k engine.KeySpec) bool { return k.Unknown })
		d.next = max(d.next, unknown+1)
		return unknown
	}
	return -1
}

func (d *argDocs) write(args []engine.Arg) {
	d.c.Out.Array(len(args))
	for i := range args {
		d.arg(&args[i])
	}
}

func (d *argDocs) arg(a *engine.Arg) {
	w := d.c.Out
	var flags []string
	for _, f := range []struct {
		on   bool
		name string
	}{{a.Optional, "optional"}, {a.Multiple, "multiple"}, {a.MultipleToken, "multiple_token"}} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	spec, shown := d.keySpec(a), len(a.Args) == 0 // what has no arguments stands in a request itself
	w.Map(2 + count(shown) + count(spec >= 0) + count(a.Token != "") + count(len(flags) > 0) + count(len(a.Args) > 0))
	w.BulkString("name")
	w.BulkString(a.Name)
	w.BulkString("type")
	w.BulkString(a.Type)
	if shown {
		w.BulkString("display_text")
		w.BulkString(a.Name)
	}
	if spec >= 0 {
		w.BulkString("key_spec_index")
		w.Int(int64(spec))
	}
	if a.Token != "" {
		w.BulkString("token")
		w.BulkString(a.Token)
	}
	if len(flags) > 0 {
		w.BulkString("flags")
		replyStatusSet(d.c, "", flags)
	}
	if len(a.Args) > 0 {
		w.BulkString("arguments")
		d.write(a.Args)
	}
}

// count is 1 for true.
func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
