package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store/invariants"
)

// TestScriptsLeaveNothing: what a script has made, the next one does not find.
func TestScriptsLeaveNothing(t *testing.T) {
	c := newTestClient(t)
	for _, dirt := range []string{
		"KEYS[1], KEYS.x = 'a', 'b' ARGV[7] = 1 setmetatable(KEYS, {__index = function() return 'dirt' end})",
		"redis.setresp(3)",
		"redis.set_repl(redis.REPL_NONE)",
		"redis.call('select', 5)",
		"cjson.encode_sparse_array(true) cjson.decode_max_depth(1)",
		"local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co)",
		"error('half way')",
		"return coroutine.wrap(function() error('inside') end)()",
		"local function f() return f() + 1 end f()",
		"return redis.call('nope')",
		"local t = {} for i = 1, 1e5 do t[i] = {} end",
	} {
		c.do("EVAL", dirt, "2", "x", "y", "z")
		const look = `return {#KEYS, #ARGV, tostring(KEYS[1]), tostring(KEYS.x), tostring(ARGV[7]), type(redis.call('get', 'none')),
			tostring(coroutine.running()), cjson.decode('[[[1]]]')[1][1][1]}`
		c.same(t, dirt, c.do("EVAL", look, "0"), `[:0 :0 "nil" "nil" "nil" "boolean" "nil" :1]`)
		c.same(t, dirt, c.do("EVAL", "return redis.call('set', 'k', '1')", "0"), "+OK")
		c.same(t, dirt, c.do("GET", "k"), `"1"`)
	}
}

func (c *testClient) same(t *testing.T, after, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("after %s:\ngot  %s\nwant %s", after, got, want)
	}
}

// TestScriptsThatWouldHarm: whatever a script does, it ends with an error or a reply, and the next one
// runs.
func TestScriptsThatWouldHarm(t *testing.T) {
	c := newTestClient(t)
	c.do("CONFIG", "SET", "lua-memory-limit", "32mb")
	c.do("SET", "k", strings.Repeat("v", 1<<20))
	for name, script := range map[string]struct{ source, want string }{
		"string":       {"local s = 'x' while true do s = s .. s end", "-ERR not enough memory"},
		"rep":          {"return #string.rep('x', 1e9)", "-ERR not enough memory"},
		"rep of rep":   {"return #string.rep(string.rep('x', 1e4), 1e7)", "-ERR not enough memory"},
		"table":        {"local t = {} for i = 1, 1e9 do t[i] = i end", "-ERR"},
		"hash":         {"local t = {} for i = 1, 1e9 do t['k' .. i] = i end", "-ERR"},
		"sparse":       {"local t = {} t[60000000] = 1 return #t", ":0"},
		"closures":     {"local t = {} while true do t[#t+1] = function() return t end end", "-ERR"},
		"coroutines":   {"local t = {} while true do t[#t+1] = coroutine.create(print or next) end", "-ERR"},
		"recursion":    {"local function f() return 1 + f() end return f()", "-ERR user_script:1: stack overflow"},
		"pcalls":       {"local function f() return pcall(f) end return tostring(f())", `"true"`},
		"metamethods":  {"local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.a", "-ERR"},
		"replies":      {"local t = {} for i = 1, 100 do t[i] = redis.call('get', 'k') .. i end return #t", "-ERR"},
		"arguments":    {"local t = {} for i = 1, 7000 do t[i] = i end return redis.call('mget', unpack(t))", "[nil nil"},
		"unpack":       {"return redis.call('mget', unpack({}, 1, 1e8))", "-ERR user_script:1: too many results to unpack"},
		"long width":   {"return string.format('%999999999d', 1)", "-ERR user_script:1: invalid format (width or precision too long)"},
		"self":         {"local t = {} t[1] = t return t", "[[["},
		"self twice":   {"local t = {} for i = 1, 20 do t[i] = t end return t", "-ERR the script's reply is longer than 512 MB"},
		"long error":   {"return {err = string.rep('x', 1e6)}", "-xxx"},
		"nested":       {"local t = 1 for i = 1, 1e5 do t = {t} end return t", "[[["},
		"error table":  {"local t = {} t.err = t error(t)", "-ERR unknown error"},
		"json":         {"local t = {} t[1] = t return cjson.encode(t)", "-ERR"},
		"msgpack":      {"return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "-ERR"},
		"error loop":   {"return xpcall(function() error('x') end, function(e) error(e) end)", "nil"},
		"gsub":         {"return #string.gsub(string.rep('a', 1e6), 'a', string.rep('b', 1e3))", "-ERR"},
		"sort":         {"local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() return true end)", "-ERR user_script:1: invalid order function for sorting"},
		"load":         {"return load(function() return string.rep('x=1 ', 1e5) end)", "-ERR"},
		"deep source":  {"return loadstring('return ' .. string.rep('(', 1e5) .. string.rep(')', 1e5))", ""},
		"wrap in wrap": {"local function f() return coroutine.wrap(f)() end return f()", "-ERR"},
	} {
		got := c.do("EVAL", script.source, "0")
		if !strings.HasPrefix(got, script.want) {
			t.Errorf("%s: %.200s, want %s", name, got, script.want)
		}
		if got := c.do("EVAL", "return 'alive'", "0"); got != `"alive"` {
			t.Fatalf("after %s: %s", name, got)
		}
	}
}

// TestManyArguments: KEYS and ARGV of some hundred thousand elements each.
func TestManyArguments(t *testing.T) {
	n := 300_000
	if invariants.Enabled || raceEnabled {
		n /= 10
	}
	words := []string{"EVAL", "return {#KEYS, #ARGV, KEYS[#KEYS], ARGV[#ARGV]}", fmt.Sprint(n)}
	for range 2 {
		for i := range n {
			words = append(words, fmt.Sprint(i))
		}
	}
	c := newTestClient(t)
	c.do("CONFIG", "SET", "lua-memory-limit", "256mb")
	want := fmt.Sprintf(`[:%d :%d "%d" "%d"]`, n, n, n-1, n-1)
	for range 2 {
		if got := c.do(words...); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestEvaluatedScriptsAreEvicted: those of EVAL, oldest first, and never those of SCRIPT LOAD.
func TestEvaluatedScriptsAreEvicted(t *testing.T) {
	c := newTestClient(t)
	loaded, used, old := loadScript(c, "return 'loaded'"), shaOf("return 'x'"), "return 'old'"
	c.do("EVAL", "return 'x'", "0")
	c.do("EVAL", old, "0")
	for i := range 600 {
		c.do("EVAL", fmt.Sprintf("return %d", i), "0")
		if got := c.do("EVALSHA", used, "0"); got != `"x"` {
			t.Fatalf("used script, after %d: %s", i, got)
		}
	}
	if got := c.do("EVALSHA", loaded, "0"); got != `"loaded"` {
		t.Error(got)
	}
	if got := c.do("EVALSHA", shaOf(old), "0"); !strings.HasPrefix(got, "-NOSCRIPT") {
		t.Error(got)
	}
	s := c.kernel.Scripts()
	if s.Scripts != 501 || s.Evicted != 102 || s.ScriptMemory < 500*100 {
		t.Errorf("%+v", s)
	}
	c.do("SCRIPT", "FLUSH")
	if s := c.kernel.Scripts(); s.Scripts != 0 || s.ScriptMemory != 0 || s.Memory != 0 {
		t.Errorf("after SCRIPT FLUSH: %+v", s)
	}
	if got := c.do("EVALSHA", used, "0"); !strings.HasPrefix(got, "-NOSCRIPT") {
		t.Error(got)
	}
}

// TestHotScriptsAllocateTheirStringsOnly: the keys and arguments, and what commands reply.
func TestHotScriptsAllocateTheirStringsOnly(t *testing.T) {
	c := newTestClient(t)
	c.do("SET", "lock", "other")
	for name, of := range map[string]struct {
		script string
		args   []string
		want   float64
	}{
		"one": {one, []string{"0"}, 0}, "unlock": {unlock, []string{"1", "lock", "token"}, 3},
		"window": {window, []string{"1", "count", "60"}, 2}, "sliding": {sliding, []string{"1", "log", "1", "10", "5"}, 4},
	} {
		request := encode(append([]string{"EVALSHA", loadScript(c, of.script)}, of.args...))
		out := make([]byte, 0, 1<<10)
		if n := testing.AllocsPerRun(300, func() { c.data(request, out) }); n > of.want && !raceEnabled {
			t.Errorf("%s: %v allocations, want %v", name, n, of.want)
		}
	}
}

// TestScriptCounts: commandstats have the script and its commands, errorstats an error once.
func TestScriptCounts(t *testing.T) {
	c := newTestClient(t)
	for range 3 {
		c.do("EVAL", "redis.call('set', KEYS[1], 'v') redis.pcall('incr', KEYS[1]) return redis.call('lpush', KEYS[1], 'x')", "1", "k")
	}
	c.do("EVAL", "return {err='MINE x'}", "0")
	c.do("EVAL", "return {{err='MINE x'}, redis.pcall('nope')}", "0")
	c.do("EVAL", "error('x')", "0")
	for name, want := range map[string][3]int64{"eval": {6, 7, 0}, "set": {3, 0, 0}, "incr": {3, 3, 0}, "lpush": {3, 3, 0}} {
		row := c.kernel.Stats.Row(c.kernel.Table.Lookup([]byte(name)).Index())
		if row.Calls != want[0] || row.Failed != want[1] || row.Rejected != want[2] {
			t.Errorf("%s: %+v, want %v", name, row, want)
		}
	}
	info := c.do("INFO", "errorstats")
	for _, line := range []string{"errorstat_ERR:count=5", "errorstat_WRONGTYPE:count=3", "errorstat_MINE:count=2"} {
		if !strings.Contains(info, line) {
			t.Errorf("no %s in %s", line, info)
		}
	}
}

// handing is a connection that notes when its loop is handed over.
type handing struct {
	testConn
	handed func()
}

func (h handing) HandOver() { h.handed() }

// TestLongSourcesLeaveTheLoop: others of the loop do not wait while a long source is compiled, which
// happens once, and see which command it is.
func TestLongSourcesLeaveTheLoop(t *testing.T) {
	c := newTestClient(t)
	times, shown := 0, ""
	var session netloop.Session
	session, refused := c.kernel.Connect(handing{handed: func() {
		times++
		shown = session.(*engine.Session).Info().Command
	}})
	if session == nil {
		t.Fatalf("refused: %q", refused)
	}
	t.Cleanup(func() { session.Closed(netloop.ClientClosed) })
	c.session = session
	script := "do " + strings.Repeat("x = 1 ", 20_000) + "end return 1"
	for _, request := range []struct {
		words []string
		want  int
	}{
		{[]string{"EVAL", "return 1", "0"}, 0},
		{[]string{"EVAL", "local x " + script, "0"}, 1},
		{[]string{"EVAL", "local x " + script, "0"}, 1},
		{[]string{"SCRIPT", "LOAD", strings.Repeat("local x = 1 ", 10_000)}, 2}, // an error: too many locals
		{[]string{"SCRIPT", "LOAD", "local x  " + script}, 3},
		{[]string{"FUNCTION", "LOAD", "#!lua name=l\nlocal x " + script + " redis.register_function('f', print)"}, 4},
	} {
		c.do(request.words...)
		if times != request.want {
			t.Errorf("%.30s: the loop was handed over %d times, want %d", strings.Join(request.words, " "), times,
				request.want)
		}
		if name := strings.ToLower(request.words[0]); times > 0 && !strings.HasPrefix(shown, name) {
			t.Errorf("%s is shown as %s", name, shown)
		}
	}
}
