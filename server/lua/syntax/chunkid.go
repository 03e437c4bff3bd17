package syntax

import "strings"

// How long the name of a chunk may be in messages, with its closing NUL in C: in those of running
// code (LUA_IDSIZE), and in those of the parser (MAXSRC).
const (
	idSize       = 60
	parserIDSize = 80
)

// ChunkID is how messages of running code call the chunk of this name (luaO_chunkid): "@f" is f, "=f"
// is f, and everything else is the source itself, of which [string "..."] is made.
func ChunkID(name string) string { return chunkID(name, idSize) }

// chunkID cuts as C does for a buffer of size bytes.
func chunkID(name string, size int) string {
	name = cString(name)
	if name, ok := strings.CutPrefix(name, "="); ok {
		return name[:min(len(name), size-1)]
	}
	if name, ok := strings.CutPrefix(name, "@"); ok {
		if most := size - len(" '...' ") - 1; len(name) > most {
			return "..." + name[len(name)-most:]
		}
		return name
	}
	line := name
	if end := strings.IndexAny(name, "\r\n"); end >= 0 {
		line = name[:end]
	}
	line = line[:min(len(line), size-len(` [string "..."] `)-1)]
	if len(line) < len(name) {
		line += "..."
	}
	return `[string "` + line + `"]`
}
