package functions

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

const (
	patience = harness.Patience
	busy     = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.\r\n"
	spins    = `#!lua name=spins
redis.register_function('forever', function() while true do end end)
redis.register_function('writes', function(keys) redis.call('SET', keys[1], 'written') while true do end end)
redis.register_function('quick', function() return 'quick' end)`
	other = `#!lua name=other
redis.register_function('other', function(keys) return redis.call('GET', keys[1]) end)`
)

// start starts a server with one loop, on which a function is soon taken for long, and loads libraries.
func start(t *testing.T, libraries ...string) (*harness.Server, *harness.Conn) {
	t.Helper()
	s := harness.StartBinary(t, "io-threads 1", "busy-reply-threshold 100", "lua-memory-limit 16mb")
	c := s.Dial(t)
	for _, l := range libraries {
		if r := c.Do("FUNCTION", "LOAD", l); r.IsError() {
			t.Fatal(r)
		}
	}
	return s, c
}

// begin calls a function that does not end, and returns when the server says that it takes long.
func begin(t *testing.T, s *harness.Server, c *harness.Conn, args ...string) *harness.Conn {
	t.Helper()
	caller := s.Dial(t)
	caller.Send(args...)
	harness.Eventually(t, patience, "the function takes long", func() bool {
		r := c.Do("FUNCTION", "STATS")
		return strings.Contains(r.Raw, "$4\r\nname\r\n") && strings.Contains(r.Raw, "\r\n"+args[1]+"\r\n")
	})
	return caller
}

// TestEndlessFunction: it keeps its library and its keys, and nothing else, until FUNCTION KILL.
func TestEndlessFunction(t *testing.T) {
	t.Parallel()
	s, c := start(t, spins, other)
	c.MustOK("SET", "elsewhere", "v")
	caller := begin(t, s, c, "FCALL", "forever", "1", "mine")
	want := func(reply string, args ...string) {
		t.Helper()
		if r := c.Do(args...); r.Raw != reply {
			t.Errorf("%q: %v, want %q", args, r, reply)
		}
	}
	for _, refused := range [][]string{
		{"FCALL", "quick", "0"}, {"GET", "mine"}, {"FUNCTION", "LOAD", "REPLACE", other}, {"FUNCTION", "DELETE", "other"},
		{"FUNCTION", "FLUSH"}, {"FUNCTION", "RESTORE", c.Do("FUNCTION", "DUMP").Text, "REPLACE"},
	} {
		want(busy, refused...)
	}
	want("+PONG\r\n", "PING")
	want("$1\r\nv\r\n", "GET", "elsewhere")
	want("$1\r\nv\r\n", "FCALL", "other", "1", "elsewhere") // both are known to keep to their keys
	want("-"+strings.TrimPrefix(busy, "-"), "SCRIPT", "KILL")
	if r := c.Do("FUNCTION", "STATS"); !strings.Contains(r.Raw, "command\r\n*4\r\n$5\r\nFCALL\r\n$7\r\nforever\r\n") {
		t.Errorf("%v", r)
	}
	want("+OK\r\n", "FUNCTION", "KILL")
	if r := caller.Read(); !strings.HasPrefix(r.Raw, "-ERR Script killed by user with FUNCTION KILL") &&
		!strings.HasPrefix(r.Raw, "-ERR Script killed by user with SCRIPT KILL") {
		t.Errorf("the killed function replies %v", r)
	}
	want("$5\r\nquick\r\n", "FCALL", "quick", "0")
	want("$1\r\nv\r\n", "FCALL", "other", "1", "elsewhere")
	want("$-1\r\n", "GET", "mine")
	want("-NOTBUSY No scripts in execution right now.\r\n", "FUNCTION", "KILL")
	want("$5\r\nother\r\n", "FUNCTION", "LOAD", "REPLACE", other)
}

// TestFunctionThatHasWritten cannot be killed, and SHUTDOWN NOSAVE ends the server with it.
func TestFunctionThatHasWritten(t *testing.T) {
	t.Parallel()
	s, c := start(t, spins)
	begin(t, s, c, "FCALL", "writes", "1", "k")
	if r := c.Do("FUNCTION", "KILL"); !strings.HasPrefix(r.Raw, "-UNKILLABLE ") {
		t.Errorf("FUNCTION KILL: %v", r)
	}
	c.Send("SHUTDOWN", "NOSAVE")
	if code := s.Wait(t, patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestEndlessSource: a source that does not end is refused after half a second, and others are served
// meanwhile.
func TestEndlessSource(t *testing.T) {
	t.Parallel()
	s, c := start(t, other)
	loader := s.Dial(t)
	loader.Send("FUNCTION", "LOAD", "#!lua name=endless\nwhile true do end")
	c.MustOK("SET", "k", "v")
	if r := c.Do("GET", "k"); r.Text != "v" {
		t.Error(r)
	}
	if r := loader.Read(); r.Raw != "-ERR Error registering functions: ERR FUNCTION LOAD timeout\r\n" {
		t.Error(r)
	}
	if r := loader.Do("FCALL", "other", "1", "k"); r.Text != "v" {
		t.Error(r)
	}
}

// TestBombs: what would take all memory ends in an error, in sources and in functions, and the
// library works on.
func TestBombs(t *testing.T) {
	t.Parallel()
	_, c := start(t, `#!lua name=bombs
local kept = {}
redis.register_function('rep', function() return #string.rep('x', 1e10) end)
redis.register_function('grow', function() local t = {} for i = 1, 1e9 do t[i] = {i} end end)
redis.register_function('deep', function() local function f() return 1 + f() end return f() end)
redis.register_function('keep', function() for i = 1, 1e9 do kept[#kept + 1] = 'value ' .. i end end)
redis.register_function('forget', function() kept = {} return 'forgotten' end)
redis.register_function('fine', function() return #kept >= 0 end)`)
	for _, f := range []string{"rep", "grow", "deep"} {
		if r := c.Do("FCALL", f, "0"); !r.IsError() {
			t.Errorf("%s: %v", f, r)
		}
		if r := c.Do("FCALL", "fine", "0"); r.Raw != ":1\r\n" {
			t.Errorf("after %s: %v", f, r)
		}
	}
	for _, source := range []string{"local s = ('x'):rep(1e10)", "local s = 'x' while true do s = s .. s end"} {
		if r := c.Do("FUNCTION", "LOAD", "#!lua name=big\n"+source); !strings.Contains(r.Raw, "not enough memory") {
			t.Errorf("%s: %v", source, r)
		}
	}
	// What a library keeps for good may leave it no memory: then it says so, until it forgets.
	if r := c.Do("FCALL", "keep", "0"); !strings.Contains(r.Raw, "not enough memory") {
		t.Error(r)
	}
	if r := c.Do("FCALL", "forget", "0"); r.Text != "forgotten" {
		t.Error(r)
	}
	if r := c.Do("FCALL", "fine", "0"); r.Raw != ":1\r\n" {
		t.Error(r)
	}
}
