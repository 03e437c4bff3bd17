package scripts

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// bomb is a script that would take all memory, all time or all stack if it could.
type bomb struct {
	name, text string
	ends       string // what its reply has in it when it ends by itself; empty: it is killed
}

const noMemory = "not enough memory"

var bombs = []bomb{
	{"a string that doubles", "local s = 'x' while true do s = s .. s end", noMemory},
	{"string.rep", "return #string.rep('x', 1e9)", noMemory},
	{"string.rep of long strings", "local s = string.rep('x', 1e6) return #s:rep(1e6)", noMemory},
	{"string.rep beyond all integers", "return #string.rep('xxxxxxxx', 2^31 - 1)", noMemory},
	{"a table of numbers", "local t, i = {}, 0 while true do i = i + 1 t[i] = i end", noMemory},
	{"a table of strings", "local t, i = {}, 0 while true do i = i + 1 t[i] = 'key' .. i end", noMemory},
	{"a table of names", "local t, i = {}, 0 while true do i = i + 1 t['key' .. i] = i end", noMemory},
	{"tables in tables", "local t = {} while true do t = {t, {}} end", noMemory},
	{"closures", "local t, i = {}, 0 while true do i = i + 1 t[i] = function() return i end end", noMemory},
	{"coroutines", "local t, i = {}, 0 while true do i = i + 1 t[i] = coroutine.create(function() end) end", noMemory},
	{"coroutines under way", "local t, i = {}, 0 while true do i = i + 1 t[i] = coroutine.wrap(function() coroutine.yield(i) end) t[i]() end", noMemory},
	{"a memory error that is caught", "local t = {} while true do pcall(function() while true do t[#t + 1] = string.rep('x', 100000) end end) end", ""},
	{"table.concat", "local t = {} for i = 1, 10000 do t[i] = string.rep('x', 100000) end return #table.concat(t)", noMemory},
	{"table.concat of one string", "local t, s = {}, string.rep('x', 1e6) for i = 1, 10000 do t[i] = s end return #table.concat(t)", noMemory},
	{"gsub", "return #(string.gsub(string.rep('x', 1e5), '.', string.rep('y', 1e5)))", noMemory},
	{"format", "local s = string.rep('x', 3e7) return #string.format('%s%s%s%s%s', s, s, s, s, s)", noMemory},
	{"a wide format", "return string.format('%1000000000d', 1)", "invalid format"},
	{"a precise format", "return string.format('%.1000000000f', 1)", "invalid format"},
	{"%q", "local s = string.rep('\\0', 3e7) return #string.format('%q', s)", noMemory},
	{"unpack", "return unpack({}, 1, 1e9)", "too many results to unpack"},
	{"unpack of all integers", "return unpack({}, -2^31, 2^31 - 1)", "too many results to unpack"},
	{"string.char and byte", "return {string.byte(string.rep('x', 1e7), 1, -1)}", "string slice too long"},
	{"recursion", "local function f() return 1 + f() end return f()", "stack overflow"},
	{"recursion with many locals", "local function f() local " + strings.Repeat("a,", 150) + "b = 1 return 1 + f() end return f()", noMemory},
	{"recursion through metamethods", "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]", "stack overflow"},
	{"recursion through pcall", "local function f() return select(2, pcall(f)) end return tostring(f())", "stack overflow"},
	{"recursion through gsub", "local function f() return (string.gsub('x', 'x', f)) end return f()", "stack overflow"},
	{"recursion through sort", "local function f() table.sort({1, 2}, f) return true end return f()", "stack overflow"},
	{"recursion through coroutines", "local function f() return coroutine.wrap(f)() end return f()", "stack overflow"},
	{"recursion through tostring", "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)", "stack overflow"},
	{"a tail call without end", "local function f() return f() end return f()", ""},
	{"nested parentheses", "return loadstring('return ' .. string.rep('(', 1e6))", ""},
	{"a long chain of concatenations", "return select(2, loadstring('return ' .. string.rep('x ..', 1e6) .. 'x'))", "user_script"},
	{"nested quantifiers", "return string.find(string.rep('a', 100000), string.rep('a-', 100) .. 'b')", ""},
	{"repeated captures", "return string.find(string.rep('a', 30000), '(.-)(.-)(.-)(.-)b')", ""},
	{"balanced", "return string.find(string.rep('(', 300000), '%b()')", ""},
	{"gmatch", "for _ in string.gmatch(string.rep('a', 100000), '.-b') do end", ""},
	{"an inconsistent order", "local t = {} for i = 1, 1e6 do t[i] = i end while true do pcall(table.sort, t, function() return true end) end", ""},
	{"cjson of deep tables", "local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)", "excessive nesting"},
	{"cjson of a table in itself", "local t = {} t[1] = t return cjson.encode(t)", "excessive nesting"},
	{"cjson of wide tables", "local t = {} for i = 1, 1000 do t[i] = string.rep('\\1', 100000) end return #cjson.encode(t)", noMemory},
	{"cjson to read, deep", "return cjson.decode(string.rep('[', 1e6))", "nested"},
	{"cjson to read, wide", "local s = '[' .. string.rep('{},', 3e6) .. '1]' return #cjson.decode(s)", noMemory},
	{"cmsgpack of a table in itself", "local t = {} for i = 1, 30 do t = {t, t} end return #cmsgpack.pack(t)", ""},
	{"cmsgpack that promises much", `return #cmsgpack.unpack('\221\255\255\255\255')`, "Missing bytes"},
	{"cmsgpack that is deep", `return cmsgpack.unpack(string.rep('\145', 1e6))`, "user_script"},
	{"struct", "return #struct.pack(string.rep('d', 1e7), 1)", "bad argument"},
	{"struct with padding", "return #struct.pack('c1000000000', 'x')", "string too short"},
	{"arguments", "local t = {} for i = 1, 7000 do t[i] = string.rep('x', 100000) end return redis.call('MGET', unpack(t))", ""},
	{"values that commands give", "redis.call('SETRANGE', KEYS[1], 3e7, 'x') local t = {} while true do t[#t + 1] = redis.call('GET', KEYS[1]) end", noMemory},
	{"a reply in itself", "local t = {} t[1] = t return t", ""},
	{"commands without end", "while true do redis.call('PING') end", ""},
	{"slow commands without end", "while true do redis.call('SINTERCARD', 2, 'large set', 'large set') end", ""},
	{"long arguments without end", "local s = string.rep('x', 3e7) while true do redis.call('EXISTS', s) end", ""},
	{"errors without end", "while true do pcall(error, {}) end", ""},
	{"log without end", "while true do redis.log(redis.LOG_DEBUG, 'x') end", ""},
	{"a wide reply", "local t, s = {}, string.rep('x', 1e6) for i = 1, 1e5 do t[i] = s end return t", "longer than 512 MB"}, // must be the last one
}

// TestBombs: with one loop and a small limit, whatever a script does, others are answered meanwhile,
// it ends by itself or when it is killed, and the server stays as small as the limit lets it.
func TestBombs(t *testing.T) {
	const limit, replyLimit = 64 << 20, 512 << 20
	s := harness.StartBinary(t, "io-threads 1", "lua-memory-limit 64mb", "busy-reply-threshold 20")
	other := s.Dial(t)
	other.MustOK("SET", "key", "value")
	for i := range 100 {
		members := []string{"SADD", "large set"}
		for j := range 3000 {
			members = append(members, strconv.Itoa(3000*i+j)+"x")
		}
		other.Do(members...)
	}
	// Go's collector lets garbage grow to the size of what is alive, and what is freed is resident
	// until the system wants it back.
	most := s.RSS(t) + 8*limit
	for _, b := range bombs {
		if b.name == "a wide reply" {
			most += 4 * replyLimit // replies are no memory of Lua's
		}
		t.Run(b.name, func(t *testing.T) {
			reply := blowUp(t, s, other, b, most)
			if b.ends != "" && !strings.Contains(reply.Raw, b.ends) {
				t.Errorf("%s\n  %v", b.text, reply)
			}
			if got := s.Dial(t).Do("EVAL", "return redis.call('GET', 'key')", "0"); got.Text != "value" {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}

// blowUp runs a script, asks all the time until it has ended, and kills it if it would not end.
func blowUp(t *testing.T, s *harness.Server, other *harness.Conn, b bomb, most int64) harness.Reply {
	const answersBeforeKill = 300
	runner := s.Dial(t)
	ended := make(chan harness.Reply, 1)
	runner.Send("EVAL", b.text, "1", "the key of the bomb")
	go func() {
		r, _ := runner.TryRead() // a connection that is cut gives no reply, which is no error either
		ended <- r
	}()
	deadline := time.Now().Add(patience)
	for answers := 0; time.Now().Before(deadline); answers++ {
		if r := other.Do("PING"); r.Text != "PONG" {
			t.Fatalf("PING while it runs: %v", r)
		}
		if rss := s.RSS(t); rss > most {
			t.Fatalf("resident are %d MB, more than %d", rss>>20, most>>20)
		}
		if b.ends == "" && answers >= answersBeforeKill {
			other.Do("SCRIPT", "KILL") // it may just have ended
		}
		select {
		case r := <-ended:
			return r
		default:
		}
	}
	t.Fatalf("it still runs")
	return harness.Reply{}
}
