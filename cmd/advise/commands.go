package advise

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// commandTable has the commands that read or write the values of keys, by name.
type commandTable map[string]commandRow

// commandRow says where a command's keys are, as COMMAND does.
type commandRow struct {
	name              string
	kind              kind
	first, last, step int
}

// askCommands reads the table from the server: it knows its own commands best.
func askCommands(ctx context.Context, c *redis.Client) (commandTable, error) {
	infos, err := c.Command(ctx).Result()
	if err != nil {
		return nil, err
	}
	t := commandTable{}
	for name, i := range infos {
		name = strings.ToLower(name)
		row := commandRow{name: name, first: int(i.FirstKeyPos), last: int(i.LastKeyPos), step: int(i.StepCount)}
		switch {
		case row.first == 0 || slices.Contains(neither(), name):
			continue
		case slices.Contains([]string{"del", "unlink", "getdel", "delex", "delifeq"}, name):
			row.kind = remove
		case slices.Contains(i.Flags, "readonly"):
			row.kind = read
		case slices.Contains(i.Flags, "write"):
			row.kind = write
		default:
			continue
		}
		t[name] = row
	}
	return t, nil
}

// neither are commands with keys that neither use a value nor change it.
func neither() []string {
	return []string{
		"expire", "pexpire", "expireat", "pexpireat", "persist", "ttl", "pttl", "expiretime", "pexpiretime",
		"exists", "touch", "type", "object", "memory", "debug", "dump",
		"migrate", "rename", "renamenx", "copy", "move", "watch",
	}
}

// value is the argument that is all of the value of the key at argument i, 0 if there is none.
func (r commandRow) value(i int) int {
	switch r.name {
	case "set", "mset":
		return i + 1
	case "setex", "psetex":
		return 3
	}
	return 0
}

// ttlOf is the time to live that a write sets, in ms: 0 for none, -1 if it leaves that as it is. A
// moment (EXAT) is left out: clocks differ.
func ttlOf(name string, args [][]byte) int64 {
	number := func(i int, unit int64) int64 {
		if i < len(args) {
			if n, err := strconv.ParseInt(string(args[i]), 10, 64); err == nil && n > 0 && n < 1<<40 {
				return n * unit
			}
		}
		return -1
	}
	switch name {
	case "setex":
		return number(2, 1000)
	case "psetex":
		return number(2, 1)
	case "mset":
		return 0
	case "set":
		for i := 3; i < len(args); i++ {
			switch strings.ToLower(string(args[i])) {
			case "ex":
				return number(i+1, 1000)
			case "px":
				return number(i+1, 1)
			case "exat", "pxat", "keepttl":
				return -1
			}
		}
		return 0
	}
	return -1
}
