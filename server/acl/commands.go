package acl

import "strings"

// Command is what rules know of a row of the command table.
type Command struct {
	Name       string // in lower case, as "config|get"; "" if no rule can name it
	Parent     int    // the index of its container, -1 for none
	Categories uint64 // a bit for each category
}

// Commands is the command table as rules see it. It does not change.
type Commands struct {
	list       []Command
	subs       [][]int // indexes of subcommands, by the container's index
	byName     map[string]int
	lacking    map[string]bool // see Lacking
	categories []string
}

// NewCommands makes the table of commands, whose places are their indexes. categories are the names
// of the categories, the lowest bit first.
func NewCommands(list []Command, categories []string) *Commands {
	t := &Commands{
		list: list, subs: make([][]int, len(list)), byName: make(map[string]int, len(list)), categories: categories,
		lacking: make(map[string]bool),
	}
	for _, name := range Lacking() {
		t.lacking[name] = true
	}
	for i, c := range list {
		if c.Name != "" {
			t.byName[c.Name] = i
		}
		if c.Parent >= 0 {
			t.subs[c.Parent] = append(t.subs[c.Parent], i)
		}
	}
	return t
}

// find looks a command up by its name, which may be that of a subcommand.
func (t *Commands) find(name string) (index int, ok bool) {
	index, ok = t.byName[strings.ToLower(name)]
	return index, ok
}

// category finds a category by its name, without the '@'. It returns its bit.
func (t *Commands) category(name string) (bit uint64, ok bool) {
	for i, c := range t.categories {
		if strings.EqualFold(c, name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// bits is a set of commands.
type bits []uint64

// words is the length of a set that has room for n commands.
func words(n int) int { return (n + 63) / 64 }

func (b bits) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }

func (b bits) set(i int, on bool) {
	if on {
		b[i>>6] |= 1 << (i & 63)
	} else {
		b[i>>6] &^= 1 << (i & 63)
	}
}

func (b bits) fill(word uint64) {
	for i := range b {
		b[i] = word
	}
}
