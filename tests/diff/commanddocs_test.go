package diff

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// docsExceptions are commands of which COMMAND DOCS tells other facts than redis-server 7.0.15, by field.
var docsExceptions = map[string]string{
	"client|pause since": "3.0.0 since 7.2; 7.0 has a version that was never released",
	"acl|log history":    "7.2", "client|kill history": "MAXAGE, 7.4", "client|list history": "7.2 and 7.4",
	"zrank history": "WITHSCORE, 7.2", "zrevrank history": "WITHSCORE, 7.2",
	"zrank arguments": "WITHSCORE, 7.2", "zrevrank arguments": "WITHSCORE, 7.2", "hscan arguments": "NOVALUES, 7.4",
	"client|kill arguments":     "MAXAGE, 7.4, and SKIPME takes two words, not any",
	"command|getkeys arguments": "7.2", "command|getkeysandflags arguments": "7.2",
	"set arguments": "conditions on the value, 8.4", "set history": "8.4",
	"zunion arguments": "AGGREGATE COUNT, 8.8", "zinter arguments": "AGGREGATE COUNT, 8.8",
	"zunionstore arguments": "AGGREGATE COUNT, 8.8", "zinterstore arguments": "AGGREGATE COUNT, 8.8",
	"zunion history": "8.8", "zinter history": "8.8", "zunionstore history": "8.8", "zinterstore history": "8.8",
	"zincrby arguments": "the increment may have a fraction",
	"migrate arguments": "two quotes stand for an empty string since 7.2",
	"acl|cat arguments": "named category since 7.2", "lcs arguments": "named min-match-len since 7.2",
}

// commandDocs is what COMMAND DOCS tells of each command and, as "client|id", subcommand.
func commandDocs(c *harness.Conn) map[string]map[string]harness.Reply {
	all := map[string]map[string]harness.Reply{}
	indexDocs(c.Do("COMMAND", "DOCS"), all)
	return all
}

func indexDocs(docs harness.Reply, into map[string]map[string]harness.Reply) {
	for name, doc := range docs.Fields() {
		into[name] = doc.Fields()
		if subs, ok := into[name]["subcommands"]; ok {
			indexDocs(subs, into)
		}
	}
}

// TestCommandDocs compares what can be compared of each command: all but sentences, the names of groups of
// arguments and since when an argument is there.
func TestCommandDocs(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	got, want := commandDocs(larder), commandDocs(redis)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		for _, field := range []string{"summary", "since", "group", "complexity"} {
			if got[name][field].Text == "" {
				t.Errorf("COMMAND DOCS %s has no %s", name, field)
			}
		}
		if want[name] == nil { // came after 7.0: README names it (readme_test.go)
			continue
		}
		for _, field := range slices.Sorted(maps.Keys(docFields)) {
			a, b := docFields[field](got[name][field]), docFields[field](want[name][field])
			if own := docsExceptions[name+" "+field] != ""; (a == b) == own {
				t.Errorf("COMMAND DOCS %s: %s, an exception: %v\n  larder %s\n  redis  %s", name, field, own, a, b)
			}
		}
	}
}

// docFields are the fields that are compared, with what is compared of each.
var docFields = map[string]func(r harness.Reply) string{
	"since": text, "group": text, "deprecated_since": text, "module": text,
	"doc_flags": func(r harness.Reply) string { return r.Sorted(1) },
	"history":   versions,
	"arguments": argShapes,
	"subcommands": func(r harness.Reply) string {
		return "" // each is compared by itself
	},
}

func text(r harness.Reply) string { return r.Text }

func versions(r harness.Reply) string {
	var all []string
	for _, entry := range r.Elems {
		all = append(all, entry.Elems[0].Text)
	}
	return strings.Join(all, " ")
}

// argShapes describes arguments: their names, types, tokens, flags and key specifications, in a line that
// reads alike for what is written in two ways. The names of groups and of words are left out.
func argShapes(r harness.Reply) string {
	var all []string
	for _, arg := range r.Elems {
		all = append(all, argShape(arg.Fields()))
	}
	return strings.Join(all, " ")
}

func argShape(arg map[string]harness.Reply) string {
	flag := func(name string) bool {
		return slices.ContainsFunc(arg["flags"].Elems, func(f harness.Reply) bool { return f.Text == name })
	}
	s := arg["name"].Text + ":" + arg["type"].Text
	switch arg["type"].Text {
	case "pure-token":
		s = ""
	case "block":
		s = argShapes(arg["arguments"])
	case "oneof":
		var all []string
		for _, choice := range arg["arguments"].Elems {
			all = append(all, argShape(choice.Fields()))
		}
		s = "<" + strings.Join(all, "|") + ">"
	}
	if index, ok := arg["key_spec_index"]; ok {
		s += "#" + index.Raw[1:2]
	}
	multiple, token := flag("multiple"), arg["token"].Text
	if multiple && token != "" && !flag("multiple_token") {
		s, multiple = s+"...", false // the token once, and what follows it several times
	}
	if token != "" {
		s = strings.TrimSpace(token + " " + s)
	}
	if multiple {
		s += "..."
	}
	if flag("optional") {
		s = "[" + s + "]"
	}
	return s
}

// TestDisplayText: what is a part of a request has a text to be shown, as in Redis since 7.2, and what is
// a group of such parts has none.
func TestDisplayText(t *testing.T) {
	var check func(args harness.Reply)
	checked := 0
	check = func(args harness.Reply) {
		for _, arg := range args.Elems {
			fields := arg.Fields()
			_, shown := fields["display_text"]
			_, group := fields["arguments"]
			if shown == group {
				t.Errorf("%v", arg)
			}
			checked++
			check(fields["arguments"])
		}
	}
	for _, doc := range commandDocs(harness.Start(t).Dial(t)) {
		check(doc["arguments"])
	}
	if checked < 500 {
		t.Errorf("there are %d arguments only", checked)
	}
}

// TestCommandList compares COMMAND LIST and its filters, as far as both servers have the commands.
func TestCommandList(t *testing.T) {
	d := duel{harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)}
	shared := func(r, of harness.Reply, known map[string]harness.Reply) []string {
		names := slices.DeleteFunc(r.Strings(), func(name string) bool { _, ok := known[name]; return !ok })
		slices.Sort(names)
		return names
	}
	larder, redis := commandInfo(d.larder), commandInfo(d.redis)
	filters := [][]string{
		{}, {"FILTERBY", "MODULE", "x"}, {"FILTERBY", "ACLCAT", "nosuch"}, {"filterby", "aclcat", "ReaD"},
		{"FILTERBY", "PATTERN", "*"},
		{"FILTERBY", "PATTERN", "z*"}, {"FILTERBY", "PATTERN", "client|*"}, {"FILTERBY", "PATTERN", "GE[^x]"},
		{"filterby", "pattern", ""},
		{"FILTERBY", "PATTERN"}, {"FILTERBY"}, {"FILTERBY", "NOSUCH", "x"}, {"FILTERBY", "PATTERN", "a", "b"}, {"x"},
		{"FILTERBY", "@read", "x"},
	}
	for _, category := range d.redis.Do("ACL", "CAT").Strings() {
		filters = append(filters, []string{"FILTERBY", "ACLCAT", category},
			[]string{"FILTERBY", "ACLCAT", "@" + category})
	}
	for _, filter := range filters {
		call := append([]string{"COMMAND", "LIST"}, filter...)
		a, b := d.do(call)
		if a.IsError() || b.IsError() {
			if a.Raw != b.Raw {
				t.Errorf("%s\n  larder %v\n  redis  %v", show(call), a, b)
			}
			continue
		}
		if x, y := shared(a, b, redis), shared(b, a, larder); !slices.Equal(x, y) &&
			!slices.Contains(filter, "blocking") {
			t.Errorf("%s\n  larder %v\n  redis  %v", show(call), x, y)
		}
	}
	if n, _ := d.larder.Do("COMMAND", "COUNT").Int(); n != int64(len(d.larder.Do("COMMAND").Elems)) {
		t.Errorf("COMMAND COUNT says %d", n)
	}
}
