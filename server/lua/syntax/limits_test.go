package syntax

import (
	"runtime"
	"strings"
	"testing"
)

// list is text(0) to text(n-1) in a row.
func list(n int, text func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(text(i))
	}
	return b.String()
}

func name(i int) string {
	return string([]byte{'a' + byte(i/26/26%26), 'a' + byte(i/26%26), 'a' + byte(i%26)}) + "_"
}

// limits are sources at and beyond a limit of Lua, with the errors that redis-server 7.0.15 gives.
var limits = []struct {
	what, source, err string
}{
	{"200 locals", list(200, func(i int) string { return "local " + name(i) + "\n" }), ""},
	{"201 locals", list(201, func(i int) string { return "local " + name(i) + "\n" }),
		"user_script:202: main function has more than 200 local variables"},
	{"201 locals at once", "local a" + strings.Repeat(",a", 200),
		"user_script:1: main function has more than 200 local variables"},
	{"201 locals in a function", "\nlocal function f()\n" + strings.Repeat("local a\n", 201) + "end",
		"user_script:204: function at line 2 has more than 200 local variables"},
	{"a loop's hidden locals", strings.Repeat("local a\n", 197) + "for i = 1, 2 do end",
		"user_script:198: main function has more than 200 local variables"},
	{"parameters and arg", "local function f(a" + strings.Repeat(",a", 199) + ", ...) end",
		"user_script:1: function at line 1 has more than 200 local variables"},
	{"many locals in turn", strings.Repeat("do local a end ", 32767), ""},
	{"too many locals in turn", strings.Repeat("do local a end ", 32768), "too many local variables"},
	{"60 upvalues", upvalues(60), ""},
	{"61 upvalues", upvalues(61), "user_script:3: function at line 3 has more than 60 upvalues"},
	{"an upvalue that shadows another", "local a local function f() local b = a local a = 1 " +
		"return function() return a end end", ""},
	{"parentheses", "return " + strings.Repeat("(", 198) + "1" + strings.Repeat(")", 198), ""},
	{"more parentheses", "return " + strings.Repeat("(", 199) + "1" + strings.Repeat(")", 199),
		"user_script:1: chunk has too many syntax levels"},
	{"minus signs", "return " + strings.Repeat("- ", 199) + "1", "user_script:1: chunk has too many syntax levels"},
	{"tables", "return " + strings.Repeat("{", 199) + strings.Repeat("}", 199), ""},
	{"more tables", "return " + strings.Repeat("{", 200) + strings.Repeat("}", 200),
		"user_script:1: chunk has too many syntax levels"},
	{"blocks", strings.Repeat("do ", 199) + strings.Repeat("end ", 199), ""},
	{"more blocks", strings.Repeat("do ", 200) + strings.Repeat("end ", 200),
		"user_script:1: chunk has too many syntax levels"},
	{"concatenations", "return a" + strings.Repeat("..a", 198), ""},
	{"more concatenations", "return a" + strings.Repeat("..a", 199), "user_script:1: chunk has too many syntax levels"},
	{"targets", "a" + strings.Repeat(",a", 199) + " = 1", ""},
	{"more targets", "a" + strings.Repeat(",a", 200) + " = 1",
		"user_script:1: main function has more than 199 variables in assignment"},
	{"sums", "return 1" + strings.Repeat("+1", 5000), ""},
}

// upvalues is a function that uses n locals of the one around it, and one of no function.
func upvalues(n int) string {
	names := func(from, to int) string {
		return list(to-from, func(i int) string { return "," + name(from+i) })[1:]
	}
	return "local " + names(0, 40) + " local function f() local " + names(40, n) +
		"\n\nreturn function() return none," + names(0, n) + " end end"
}

func TestLimits(t *testing.T) {
	for _, c := range limits {
		if *redis != "" {
			if got := askRedis(t, c.source); got != c.err {
				t.Errorf("%s: Redis has %q", c.what, got)
			}
		}
		if got := errorOf(c.source); got != c.err {
			t.Errorf("%s: got %q, want %q", c.what, got, c.err)
		}
	}
}

// TestHostile parses what would take all memory or stack if there were no limits.
func TestHostile(t *testing.T) {
	const many = 1_000_000
	const deep = "user_script:1: chunk has too many syntax levels"
	const memory = "not enough memory"
	for _, c := range []struct{ what, source, err string }{
		{"parentheses", "return " + strings.Repeat("(", many), deep},
		{"functions", strings.Repeat("f(function() ", many), deep},
		{"not", "return " + strings.Repeat("not ", many), deep},
		{"sums", "return 1" + strings.Repeat("+1", many), deep},
		{"fields", "return a" + strings.Repeat(".b", many), deep},
		{"calls", "a" + strings.Repeat("()", many), deep},
		{"methods", "a" + strings.Repeat(":b()", many), deep},
		{"strings", "a" + strings.Repeat("''", many), deep},
		{"a function's name", "function a" + strings.Repeat(".b", many) + "() end", deep},
		{"nested sums", strings.Repeat("(", 100) + "1" + strings.Repeat(strings.Repeat("+1", 200)+")", 100), deep},
		{"elseif", "if a then " + strings.Repeat("elseif a then ", 2*many) + "end", memory},
		{"statements", strings.Repeat("a=1 ", 2*many), memory},
		{"items", "return {" + strings.Repeat("a,", 4*many) + "}", memory},
		{"names", list(many, func(i int) string { return "local a = b" + name(i) + name(i/3) + "\n" }),
			"user_script:201: main function has more than 200 local variables"},
		{"comments", strings.Repeat("--[[ x ]]\n", many), ""},
		{"a long string", "return '" + strings.Repeat("x", 1<<24) + "'", ""},
		{"a longer string", "return '" + strings.Repeat("x", 1<<27) + "'", memory},
		{"an escaped string", "return '" + strings.Repeat(`\n`, 1<<26+1<<20) + "'", memory},
		{"a long string of lines", "return [[" + strings.Repeat("\r\n", 1<<23) + "]]", ""},
		{"a number", "return " + strings.Repeat("9", 1<<22), ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := errorOf(c.source)
		runtime.ReadMemStats(&after)
		if err != c.err {
			t.Errorf("%s: got %q, want %q", c.what, err, c.err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*treeLimit {
			t.Errorf("%s took %d MB", c.what, took>>20)
		}
	}
}
