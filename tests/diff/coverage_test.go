package diff

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// elsewhere are commands that no script can hold, or that Redis 7.0 lacks, with the test that has them.
var elsewhere = map[string]string{
	"CACHE.FAIL":         "server/commands",
	"CACHE.GET":          "server/commands",
	"CACHE.MGET":         "server/commands",
	"CACHE.MSET":         "server/commands",
	"CACHE.SET":          "server/commands",
	"BLMOVEM":            "server/commands",
	"CACHE.GETTTL":       "server/commands",
	"BLESS":              "server/commands",
	"BLESS|CLEAR":        "server/commands",
	"BLESS|GET":          "server/commands",
	"BLESS|HELP":         "server/commands",
	"BLESS|SCAN":         "server/commands",
	"BLESS|SET":          "server/commands",
	"CACHE.INVALIDATE":   "server/commands",
	"CACHE.STALE":        "server/commands",
	"CACHE.TAG":          "server/commands",
	"CACHE.TAGS":         "server/commands",
	"CACHE.TAGSCAN":      "server/commands",
	"CACHE.UNTAG":        "server/commands",
	"CACHE.PURGE":        "server/commands",
	"CACHE.PURGE|HELP":   "server/commands",
	"CACHE.PURGE|START":  "server/commands",
	"CACHE.PURGE|STATUS": "server/commands",
	"CACHE.PURGE|STOP":   "server/commands",
	"CACHE.STATS":        "server/commands",
	"CL.THROTTLE":        "server/commands",
	"CL.WINDOW":          "server/commands",
	"DELEX":              "server/commands",
	"DELIFEQ":            "server/commands",
	"DIGEST":             "server/commands",
	"HEXPIRE":            "server/commands",
	"HEXPIREAT":          "server/commands",
	"HEXPIRETIME":        "server/commands",
	"HGETDEL":            "server/commands",
	"HGETEX":             "server/commands",
	"HOTKEYS":            "server/commands",
	"HOTKEYS|GET":        "server/commands",
	"HOTKEYS|HELP":       "server/commands",
	"HOTKEYS|RESET":      "server/commands",
	"HPERSIST":           "server/commands",
	"HPEXPIRE":           "server/commands",
	"HPEXPIREAT":         "server/commands",
	"HPEXPIRETIME":       "server/commands",
	"HPTTL":              "server/commands",
	"HSETEX":             "server/commands",
	"HTTL":               "server/commands",
	"INCREX":             "server/commands",
	"LMOVEM":             "server/commands",
	"MSETEX":             "server/commands",
	"QUIT":               "tests/packets",
	"RM":                 "server/commands",
	"SADDEX":             "server/commands",
	"SEXPIRE":            "server/commands",
	"SEXPIREAT":          "server/commands",
	"SEXPIRETIME":        "server/commands",
	"SPERSIST":           "server/commands",
	"SPEXPIRE":           "server/commands",
	"SPEXPIREAT":         "server/commands",
	"SPEXPIRETIME":       "server/commands",
	"SPTTL":              "server/commands",
	"STTL":               "server/commands",
	"SDIFFCARD":          "server/commands",
	"SHUTDOWN":           "tests/clients",
	"SUNIONCARD":         "server/commands",
}

// commandNames is larder's own list, subcommands as "client|id".
func commandNames(t *testing.T, c *harness.Conn) []string {
	t.Helper()
	names := slices.Sorted(maps.Keys(commandInfo(c)))
	if len(names) == 0 {
		t.Fatal("COMMAND lists nothing")
	}
	return names
}

// TestEveryCommandIsCompared fails when larder has a command that neither the grammar nor a script
// calls.
func TestEveryCommandIsCompared(t *testing.T) {
	called := map[string]bool{}
	note := func(args []string) {
		called[strings.ToLower(args[0])] = true
		if len(args) > 1 {
			called[strings.ToLower(args[0]+"|"+args[1])] = true
		}
	}
	for _, row := range grammar {
		note(strings.Fields(row.call))
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	conversations, err := filepath.Glob("testdata/messages/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, conversations...) {
		for _, l := range readScript(t, f) {
			if len(l.args) > 0 {
				note(l.args)
			}
		}
	}
	for name := range elsewhere {
		called[strings.ToLower(name)] = true
	}
	for _, name := range commandNames(t, harness.Start(t).Dial(t)) {
		if !called[name] {
			t.Errorf("no comparison calls %s", strings.ReplaceAll(name, "|", " "))
		}
	}
}

// TestArity calls every command with every wrong number of arguments up to one more than it takes.
func TestArity(t *testing.T) {
	larder, redis := harness.Start(t, "enable-debug-command yes"), harness.StartRedis(t)
	d := duel{larder.Dial(t), redis.Dial(t)}
	known := map[string]bool{}
	for _, name := range commandNames(t, d.redis) {
		known[name] = true
	}
	for _, info := range d.larder.Do("COMMAND").Elems {
		checkArity(t, d, known, info)
		if len(info.Elems) > 9 {
			for _, sub := range info.Elems[9].Elems {
				checkArity(t, d, known, sub)
			}
		}
	}
}

func checkArity(t *testing.T, d duel, known map[string]bool, info harness.Reply) {
	t.Helper()
	name := info.Elems[0].Text
	arity, _ := info.Elems[1].Int()
	if !known[name] { // came after 7.0
		return
	}
	words := strings.Split(name, "|")
	counts := []int{}
	for n := len(words); n < int(max(arity, -arity)); n++ {
		counts = append(counts, n)
	}
	if arity > 0 {
		counts = append(counts, int(arity)+1)
	}
	for _, n := range counts {
		args := slices.Clone(words)
		for len(args) < n {
			args = append(args, fmt.Sprintf("arg%d", len(args)))
		}
		if a, b := d.do(args); a.Raw != b.Raw {
			t.Errorf("%s\n  larder %v\n  redis  %v", show(args), a, b)
		}
	}
}

// TestCommandInfo compares the facts of each command: arity, flags, key positions, ACL categories,
// tips, key specifications.
func TestCommandInfo(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	want, got := commandInfo(redis), commandInfo(larder)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		w, ok := want[name]
		if !ok { // came after 7.0: README names it (readme_test.go)
			continue
		}
		for _, diff := range infoDifferences(got[name], w) {
			if !infoExceptions[name+" "+diff.field] {
				t.Errorf("COMMAND INFO %s: %s\n  larder %s\n  redis  %s", name, diff.field, diff.larder, diff.redis)
			}
		}
	}
}

// commandInfo is what COMMAND tells of each command and, as "client|id", subcommand.
func commandInfo(c *harness.Conn) map[string]harness.Reply {
	all := map[string]harness.Reply{}
	indexInfo(c.Do("COMMAND"), all)
	return all
}

func indexInfo(all harness.Reply, into map[string]harness.Reply) {
	for _, info := range all.Elems {
		into[info.Elems[0].Text] = info
		if len(info.Elems) > 9 {
			indexInfo(info.Elems[9], into)
		}
	}
}

type infoDifference struct{ field, larder, redis string }

// infoFields are the places in a COMMAND INFO entry; the subcommands, at 9, are compared on their
// own.
var infoFields = []string{"name", "arity", "flags", "first key", "last key", "step", "ACL categories", "tips", "key specifications"}

func infoDifferences(a, b harness.Reply) []infoDifference {
	if len(a.Elems) < len(infoFields) || len(b.Elems) < len(infoFields) {
		return []infoDifference{{"length", a.String(), b.String()}}
	}
	var out []infoDifference
	for i, field := range infoFields {
		x, y := a.Elems[i].Raw, b.Elems[i].Raw
		if field == "flags" || field == "ACL categories" || field == "tips" {
			x, y = a.Elems[i].Sorted(1), b.Elems[i].Sorted(1)
		}
		if x != y {
			out = append(out, infoDifference{field, fmt.Sprint(a.Elems[i]), fmt.Sprint(b.Elems[i])})
		}
	}
	return out
}
