package diff

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// README lists what larder lacks of redis-server, and has beyond it. The lists are read here and
// held against what both servers say of themselves, in both directions, so that they stay true when
// larder learns a command, and when the oracle is replaced by a newer one.
//
// A list is the items ("- ...") between its heading and the next one; a name is what stands between
// backquotes. A container that is named stands for all of its subcommands.
const (
	lackingHeading   = "### Commands that larder lacks"
	newerHeading     = "### Commands newer than 7.0"
	directiveHeading = "### Directives of other servers"
)

var quoted = regexp.MustCompile("`([^`\n]+)`")

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// readmeList returns the names in the list under a heading, in their order.
func readmeList(t *testing.T, heading string) (names []string) {
	t.Helper()
	_, section, found := strings.Cut(readme(t), "\n"+heading+"\n")
	if !found {
		t.Fatalf("README.md has no heading %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	listed := false
	for line := range strings.Lines(section) {
		listed = strings.HasPrefix(line, "- ") || listed && strings.HasPrefix(line, "  ")
		if !listed {
			continue
		}
		for _, match := range quoted.FindAllStringSubmatch(line, -1) {
			names = append(names, match[1])
		}
	}
	return names
}

// TestReadmeListsCommands compares README's two lists of commands with the two command tables.
func TestReadmeListsCommands(t *testing.T) {
	larder, redis := commandInfo(harness.Start(t).Dial(t)), commandInfo(harness.StartRedis(t).Dial(t))
	compareNames(t, lackingHeading, onlyIn(redis, larder))
	compareNames(t, newerHeading, onlyIn(larder, redis))
}

// onlyIn returns the commands that stand in one table alone, as README writes them. Subcommands
// count with their container if that is missing as a whole.
func onlyIn(table, other map[string]harness.Reply) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		container, _, sub := strings.Cut(name, "|")
		_, known := other[name]
		_, knownContainer := other[container]
		if !known && (!sub || knownContainer) {
			names = append(names, strings.ToUpper(strings.ReplaceAll(name, "|", " ")))
		}
	}
	return names
}

func compareNames(t *testing.T, heading string, want []string) {
	t.Helper()
	got := readmeList(t, heading)
	for i, name := range got {
		switch {
		case !slices.Contains(want, name):
			t.Errorf("README.md, %q: remove `%s`", heading, name)
		case slices.Contains(got[:i], name):
			t.Errorf("README.md, %q: `%s` is there twice", heading, name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("README.md, %q: add `%s`", heading, name)
		}
	}
}

// TestReadmeListsParameters: a parameter of redis-server is one of larder's or stands in README's
// list of directives that larder has none for, and one that larder alone has is named in README.
// That the lists agree with larder's own tables is tested beside the program.
func TestReadmeListsParameters(t *testing.T) {
	larder, redis := parameterNames(harness.Start(t).Dial(t)), parameterNames(harness.StartRedis(t).Dial(t))
	var directives []string
	for _, text := range readmeList(t, directiveHeading) {
		name, _, _ := strings.Cut(text, " ") // the only value that is accepted may follow
		directives = append(directives, name)
		if slices.Contains(larder, name) {
			t.Errorf("README.md, %q: remove `%s`, which is a parameter of larder", directiveHeading, name)
		}
	}
	for _, name := range redis {
		if !slices.Contains(larder, name) && !named(directives, name) {
			t.Errorf("README.md, %q: add `%s`, which redis-server has and larder does not know", directiveHeading, name)
		}
	}
	var all []string
	for _, match := range quoted.FindAllStringSubmatch(readme(t), -1) {
		name, _, _ := strings.Cut(match[1], " ")
		all = append(all, name)
	}
	for _, name := range larder {
		if !slices.Contains(redis, name) && !named(all, name) {
			t.Errorf("README.md: name the parameter `%s`, which redis-server does not have", name)
		}
	}
}

func parameterNames(c *harness.Conn) (names []string) {
	for pair := range slices.Chunk(c.Do("CONFIG", "GET", "*").Strings(), 2) {
		names = append(names, pair[0])
	}
	return names
}

// named reports whether a list has a name, or its beginning with a star.
func named(list []string, name string) bool {
	return slices.ContainsFunc(list, func(text string) bool {
		head, star := strings.CutSuffix(text, "*")
		return text == name || star && head != "" && strings.HasPrefix(name, head)
	})
}
