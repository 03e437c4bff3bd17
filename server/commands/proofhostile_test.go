package commands

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
)

// TestProofsAreBounded gives scripts that would take a proof long. That it ends is what is tested: it
// may judge either way.
func TestProofsAreBounded(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"a long chain": "local a = KEYS[1]\n" + strings.Repeat("do local b = a; a = b end\n", 20000),
		"backwards": "local a, b, c, d, e\n" + strings.Repeat("local function f() a = b b = c c = d d = e e = KEYS[1] end\n", 150) +
			"return redis.call('get', a)",
		"functions in functions": strings.Repeat("local function f(x) ", 190) + "return redis.call('get', x)" + strings.Repeat(" end f(KEYS[1])", 190),
		"recursion of many":      strings.Repeat("local f f = function(...) return f(f(f(...)), ...) end f(KEYS[1])\n", 100),
		"tables in tables":       "return " + strings.Repeat("{", 190) + strings.Repeat("}", 190),
		"tables of tables":       strings.Repeat("local t = {} t[#t] = t t = {t, t, t}\n", 90),
		"many fields":            "local t = {" + strings.Repeat("x = 1, ", 50000) + "}\n" + strings.Repeat("t[t] = t\n", 10000),
		"many elements":          "local t = {" + strings.Repeat("KEYS[1], ", 20000) + "}\n" + strings.Repeat("t[ARGV[1]] = KEYS[1] redis.call(unpack(t))\n", 10000),
		"a deep sum":             "return 1" + strings.Repeat("+ 1", 9000),
		"a deep name":            "local a = {} return a" + strings.Repeat(".b", 9000),
		"calls of calls":         "local f = redis.call f('get', KEYS[1])" + strings.Repeat("()", 5000),
		"many names":             strings.Repeat("local a = KEYS\n", 190) + strings.Repeat("redis.call('get', KEYS[1])\n", 30000),
	} {
		t.Run(name, func(t *testing.T) { t.Log(prove(t, table, source)) })
	}
}
