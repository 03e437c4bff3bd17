package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// ownHelp are the parts of a HELP, by container and title, that redis-server 7.0.15 has in other words or
// not at all.
var ownHelp = map[string]string{
	"client KILL <option> <value> [<option> <value> [...]]": "MAXAGE came with 7.4",
	"client SETINFO <option> <value>":                       "came with 7.2",
	"client NO-TOUCH (ON|OFF)":                              "came with 7.2",
	"debug RELOAD [option ...]":                             "what clashes changes nothing",
	"debug SLEEP <seconds>":                                 "nobody else is stopped",
	"debug STRINGMATCH-LEN <pattern> <string>":              "came later",
}

// helpPart is what a HELP says of one subcommand.
type helpPart struct{ title, lines string }

// subcommand is whose part it is, in capitals. The part on the container itself has none.
func (p *helpPart) subcommand() string {
	word, _, _ := strings.Cut(p.title, " ")
	return strings.ToUpper(word)
}

func helpParts(r harness.Reply) (parts []helpPart) {
	for _, line := range r.Strings() {
		if !strings.HasPrefix(line, " ") {
			parts = append(parts, helpPart{title: line})
		} else if n := len(parts) - 1; n >= 0 {
			parts[n].lines += line + "\n"
		}
	}
	return parts
}

func titles(parts []helpPart) (all []string) {
	for _, p := range parts {
		all = append(all, p.title)
	}
	return all
}

// TestHelp compares HELP of every container, and of DEBUG, which is none. All that larder has is said in
// Redis' words and order, each subcommand is there, and what Redis says beside is of what larder lacks.
func TestHelp(t *testing.T) {
	d := debugDuel(t)
	containers := map[string][]string{"debug": {"help"}}
	for _, info := range d.larder.Do("COMMAND").Elems {
		for _, sub := range info.Elems[9].Elems {
			name := info.Elems[0].Text
			containers[name] = append(containers[name], strings.TrimPrefix(sub.Elems[0].Text, name+"|"))
		}
	}
	for name, subs := range containers {
		a, b := d.do([]string{name, "HELP"})
		if !b.IsError() { // else Redis has no such container
			compareHelp(t, name, helpParts(a), helpParts(b))
		}
		for _, sub := range subs {
			if !slices.ContainsFunc(helpParts(a),
				func(p helpPart) bool { return p.subcommand() == strings.ToUpper(sub) }) {
				t.Errorf("%s HELP does not mention %s", name, sub)
			}
		}
		for _, p := range helpParts(b) {
			if !slices.Contains(titles(helpParts(a)), p.title) && knows(d.larder, name, p.subcommand()) {
				t.Errorf("%s HELP does not have %q", name, p.title)
			}
		}
	}
}

// compareHelp compares what both servers have.
func compareHelp(t *testing.T, name string, larder, redis []helpPart) {
	t.Helper()
	var shared []string
	for _, p := range larder {
		own := ownHelp[name+" "+p.title] != ""
		if same := slices.Contains(redis, p); same == own {
			t.Errorf("%s HELP: %q, %q: the same in Redis: %v", name, p.title, p.lines, same)
		}
		if slices.Contains(titles(redis), p.title) {
			shared = append(shared, p.title)
		}
	}
	there := slices.DeleteFunc(titles(redis), func(title string) bool { return !slices.Contains(shared, title) })
	if !slices.Equal(there, shared) {
		t.Errorf("%s HELP\n  larder %q\n  redis  %q", name, shared, there)
	}
}

// knows reports whether a server has a subcommand, whatever its arguments.
func knows(c *harness.Conn, container, sub string) bool {
	if container != "debug" {
		return !c.Do("COMMAND", "INFO", container+"|"+sub).Elems[0].IsNull()
	}
	for _, args := range [][]string{{}, {"0"}, {"x", "x"}} {
		reply := c.Do(append([]string{"DEBUG", sub}, args...)...)
		if !strings.Contains(reply.Text, "unknown subcommand") {
			return true
		}
	}
	return false
}
