package scripting

import (
	"bytes"
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/words"
)

// The first line of a script may say things about it: which engine runs it and, for EVAL, which flags
// it has, or for FUNCTION LOAD, which name the library has. The functions of a library get their
// flags when they are registered. The line stays in front of the code as an empty one, so that
// errors count lines as the author does.

// shebang cuts a source's first line into words. rest is the code from the line's end on. The line
// ends, as Redis looks for it, in front of any NUL. ended: there is an end of the line.
func shebang(source string) (line [][]byte, rest string, ended bool) {
	end := strings.IndexAny(source, "\n\x00")
	if end < 0 || source[end] == 0 {
		return nil, "", false
	}
	line, _ = words.Split(nil, []byte(source[:end])) // of unbalanced quotes there are no words
	return line, source[end:], true
}

const shebangMark = "#!"

// ParseScript takes the first line off a script of EVAL. Without one the flags are engine.NoShebang.
func ParseScript(source string) (f engine.ScriptFlags, code string, err error) {
	if !strings.HasPrefix(source, shebangMark) {
		return engine.NoShebang, source, nil
	}
	line, rest, ended := shebang(source)
	switch {
	case !ended:
		return 0, "", engine.ErrShebang
	case len(line) == 0:
		return 0, "", engine.ErrShebangEngine
	case string(line[0]) != shebangMark+"lua":
		return 0, "", engine.Errf("ERR Unexpected engine in script shebang: %s", line[0])
	}
	for _, option := range line[1:] {
		list, ok := bytes.CutPrefix(option, []byte("flags="))
		if !ok {
			return 0, "", engine.Errf("ERR Unknown lua shebang option: %s", option)
		}
		if len(list) == 0 {
			continue
		}
		for _, name := range bytes.Split(list, []byte(",")) {
			flag, ok := engine.ScriptFlag(string(name))
			if !ok {
				return 0, "", engine.Errf("ERR Unexpected flag in script shebang: %s", name)
			}
			f |= flag
		}
	}
	return f, rest, nil
}

// parseLibrary takes the first line off a library's source.
func parseLibrary(source string) (name, code string, err error) {
	if !strings.HasPrefix(source, shebangMark) {
		return "", "", engine.ErrLibraryNoHead
	}
	line, rest, ended := shebang(source)
	if !ended || len(line) == 0 {
		return "", "", engine.ErrLibraryHead
	}
	named := false
	for _, option := range line[1:] {
		if len(option) < len("name=") || !bytes.EqualFold(option[:len("name=")], []byte("name=")) {
			return "", "", engine.Errf("ERR Invalid metadata value given: %s", option)
		}
		if named {
			return "", "", engine.ErrLibraryNames
		}
		name, named = string(option[len("name="):]), true
	}
	if !named {
		return "", "", engine.ErrLibraryNoName
	}
	if !validName(name) {
		return "", "", engine.ErrLibraryName
	}
	if of := line[0][len(shebangMark):]; !bytes.EqualFold(of, []byte("lua")) {
		return "", "", engine.Errf("ERR Engine '%s' not found", string(of))
	}
	return name, rest, nil
}

// validName reports whether a library or a function may have this name.
func validName(name string) bool {
	for _, c := range []byte(name) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' {
			return false
		}
	}
	return name != ""
}
