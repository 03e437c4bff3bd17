package syntax

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestLines compares the line that a node has with the one that redis-server 7.0.15 gives in the error
// of the node's operation. The node is the only one with the name or operator that is marked.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		source string
		node   string // as nodeName gives it
		line   int
	}{
		{"local a\nreturn 1 +\n\na\n\n", "+", 4},
		{"local a\nreturn a\n+\n1", "+", 4},
		{"local a\nreturn -\na", "-", 3},
		{"local a\nreturn a ..\n'x'\n", "..", 3},
		{"local a = {}\nreturn a\n<\n1", "<", 4},
		{"local a\na\n.b\n= 1", ".b", 4},
		{"local a\na.b\n=\n1\n", ".b", 4},
		{"local a\nlocal x = a\n.b\n", ".b", 3},
		{"local a\nlocal x = {a.b\n,\n1}", ".b", 3},
		{"local a\nlocal x = {a.b\n}", ".b", 3},
		{"local a\nlocal x = {x = a.b\n}", ".b", 2},
		{"local a\nlocal x = a.b\n..\n'c'", ".b", 3},
		{"local a\nreturn type(a.b\n)", ".b", 3},
		{"local a\nreturn type(a.b\n, 1)", ".b", 3},
		{"local a\nreturn (a.b\n)", ".b", 3},
		{"local a\nif a.b\nthen end", ".b", 2},
		{"local a\nlocal x = a\n.b\n.c", ".b", 3},
		{"local a = {}\nlocal x = a\n.b\n.c", ".c", 4},
		{"local a\nlocal x, y = a\n.b\n,\n1", ".b", 4},
		{"local a\nlocal x = a\n[1\n]\n", "[1]", 4},
		{"local a = {}\na\n.b(\n1\n)", "b()", 3},
		{"local a\na\n(1)", "", 0},
		{"local a\na{\n\n}", "a()", 2},
		{"local a\na[[\n\n]]", "a()", 4},
		{"local a = {}\nreturn a\n:b(\n1)", ":b()", 3},
		{"local a = {}\nfunction a\n.b\n.c() end", ".c", 2},
		{"for i = 1,\nnil\ndo\nend", "for", 3},
		{"for i in\nnil\ndo\nend", "for", 2},
		{"nothing\n= 1", "nothing", 2},
		{"local x = nothing\n\n", "nothing", 1},
		{"local x = nothing\n+\n1", "nothing", 2},
		{"return {nothing\n,\n}", "nothing", 3},
	} {
		chunk, err := Parse(c.source, "@user_script")
		if (err == nil) != (c.line > 0) {
			t.Errorf("%q: %v", c.source, err)
		}
		if err != nil {
			continue
		}
		lines := make(map[string]int)
		nodeLines(reflect.ValueOf(chunk), lines)
		if got := lines[c.node]; got != c.line {
			t.Errorf("%q: line %d of %s, want %d (%v)", c.source, got, c.node, c.line, lines)
		}
		if *redis != "" {
			place := fmt.Sprintf("user_script:%d:", c.line)
			if reply := ask(t, "EVAL", c.source, "0"); !strings.Contains(reply, place) {
				t.Errorf("%q: Redis says %s", c.source, reply)
			}
		}
	}
}

// nodeLines notes the lines of all nodes that have a name.
func nodeLines(v reflect.Value, lines map[string]int) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			if name, line := nodeName(v.Interface()); name != "" {
				lines[name] = line
			}
			nodeLines(v.Elem(), lines)
		}
	case reflect.Slice:
		for i := range v.Len() {
			nodeLines(v.Index(i), lines)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			nodeLines(v.Field(i), lines)
		}
	}
}

func nodeName(node any) (name string, line int) {
	switch n := node.(type) {
	case *Binary:
		return [...]string{
			"+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or",
		}[n.Op], n.Line
	case *Unary:
		return [...]string{"-", "not", "#"}[n.Op-OpNeg], n.Line
	case *Name:
		return n.Name, n.Line
	case *Index:
		if key, ok := n.Key.(*String); ok {
			return "." + key.Value, n.Line
		}
		return "[1]", n.Line
	case *Call:
		called, _ := nodeName(n.Func)
		return strings.TrimPrefix(called, ".") + "()", n.Line
	case *Method:
		return ":" + n.Name + "()", n.Line
	case *NumericForStmt:
		return "for", n.Line
	case *GenericForStmt:
		return "for", n.Line
	}
	return "", 0
}

func TestChunkID(t *testing.T) {
	long := strings.Repeat("0123456789", 10)
	for _, c := range []struct{ name, running, parsing string }{
		{"@user_script", "user_script", "user_script"},
		{"=(load)", "(load)", "(load)"},
		{"", `[string ""]`, `[string ""]`},
		{"return 1", `[string "return 1"]`, `[string "return 1"]`},
		{"a\nb", `[string "a..."]`, `[string "a..."]`},
		{"\nb", `[string "..."]`, `[string "..."]`},
		{"a\x00b", `[string "a"]`, `[string "a"]`},
		{long, `[string "` + long[:43] + `..."]`, `[string "` + long[:63] + `..."]`},
		{"=" + long, long[:59], long[:79]},
		{"@" + long, "..." + long[100-52:], "..." + long[100-72:]},
	} {
		if got := ChunkID(c.name); got != c.running {
			t.Errorf("%q: %q, want %q", c.name, got, c.running)
		}
		if got := chunkID(c.name, parserIDSize); got != c.parsing {
			t.Errorf("%q: %q, want %q in errors of the parser", c.name, got, c.parsing)
		}
	}
}
