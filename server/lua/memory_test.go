package lua

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// stopAfter is a hook that ends a script at its nth call.
func stopAfter(n int) func() error {
	return func() error {
		if n--; n < 0 {
			return errStop
		}
		return nil
	}
}

// bombs are scripts that would take all memory. What they hold is in globals, so that it is alive
// after them.
var bombs = map[string]string{
	"items":      `t = {} for i = 1, 1e9 do t[i] = i end`,
	"fields":     `t = {} for i = 1, 1e9 do t['k' .. i] = i end`,
	"far items":  `t = {} for i = 1, 1e9 do t[i * 1000] = i end`,
	"append":     `t = {} while true do t[#t + 1] = 'x' end`,
	"insert":     `t = {} while true do table.insert(t, 1) end`,
	"rawset":     `t = {} local i = 0 while true do i = i + 1 rawset(t, i, i) end`,
	"tables":     `t = {} while true do t = {t} end`,
	"strings":    `s = 'x' while true do s = s .. s end`,
	"many texts": `t = {} for i = 1, 1e9 do t[i] = 'text ' .. i end`,
	"closures":   `t = {} for i = 1, 1e9 do t[i] = function() return i end end`,
	"coroutines": `t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end`,
	"wrapped":    `t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() end) end`,
	"suspended":  `t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() coroutine.yield() end) t[i]() end`,
	"deep stacks": `t = {} local function f(n) if n == 0 then coroutine.yield() end f(n - 1) return 1 end
		for i = 1, 1e9 do t[i] = coroutine.wrap(f) t[i](1000) end`,
	"variables of coroutines": `t = {} for i = 1, 1e9 do
		local co = coroutine.wrap(function()
			local x = i t[i] = function() return x end coroutine.yield() end) co() end`,
	"arguments":      `local function f(...) return f(1, ...) end f()`,
	"more arguments": `local function f(...) return f(1, ..., ...) end f()`,
	"arg tables":     `local function f(n, ...) local a = arg t = {t, a} return f(n, 1, unpack(a)) end f(1)`,
	"code": `t = {} local s = 'return function() return "' .. string.rep('x', 1000) .. '" end'
		for i = 1, 1e9 do t[i] = loadstring(s)() end`,
	"big code": `local s = 'return ' .. string.rep('1 + ', 1e6) .. '1' t = {}
		while true do t[#t + 1] = loadstring(s) end`,
	"parts":           `t = {} while true do t[#t + 1] = string.sub(string.rep('x', 2000) .. #t, -5) end`,
	"matches":         `t = {} while true do t[#t + 1] = string.gmatch(string.rep('x', 100000) .. #t, '.') end`,
	"metatables":      `t = {} while true do t[#t + 1] = setmetatable({}, {__index = {1, 2, 3}}) end`,
	"numbers":         `t = {} for i = 1, 1e9 do t[i + 0.5] = i end`,
	"errors":          `t = {} while true do t[#t + 1] = select(2, pcall(error, {1, 2, 3})) end`,
	"texts of errors": `t = {} s = string.rep('x', 1000) while true do t[#t + 1] = select(2, pcall(error, s)) end`,
	"texts of coroutines": `t = {} s = string.rep('x', 1000) while true do
		t[#t + 1] = select(2, pcall(coroutine.wrap(function() error(s) end))) end`,
	"texts of assert": `t = {} s = string.rep('x', 1000) while true do
		t[#t + 1] = select(2, pcall(assert, false, s)) end`,
	"lists": `t = {} while true do
		t[#t + 1] = {unpack({1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20})} end`,
	"upper":  `t = {} s = string.rep('x', 100000) while true do t[#t + 1] = string.upper(s) end`,
	"concat": `t = {string.rep('x', 100000)} while true do t[#t + 1] = table.concat(t) end`,
	"gsub":   `s = 'xxxxxxxxxx' while true do s = string.gsub(s, 'x', 'xxxxxxxxxx') end`,
	"format": `t = {} s = string.rep('x', 10000) while true do
		t[#t + 1] = string.format('%s%s', s, #t) end`,
}

// TestMemoryIsBounded: the hook ends those that take too long for the test. No script holds more
// than the limit, and the account agrees with Go's heap.
func TestMemoryIsBounded(t *testing.T) {
	const limit = 4 << 20
	for name, source := range bombs {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s := newLibraryState(Options{Limit: limit, Hook: stopAfter(20000)})
			_, err := run(s, source)
			if !errors.Is(err, errStop) && (err == nil || !strings.HasSuffix(err.Error(), "not enough memory")) {
				t.Errorf("ends with %v", err)
			}
			live := s.Collect()
			if live > limit+limit/8 { // what was under way when the limit was passed
				t.Errorf("%d bytes are alive, the limit is %d", live, limit)
			}
			if held := heap() - before; held > live+live/2+1<<20 {
				t.Errorf("the heap holds %d bytes, accounted for are %d", held, live)
			}
			s.Globals().Clear()
			if live := s.Collect(); live > 1<<20 {
				t.Errorf("%d bytes are alive when all is dropped", live)
			}
		})
	}
}

// heap is how many bytes are reachable in the process.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryErrorsCanBeCaught: a script goes on when it lets go of what it held, and fails again
// until then.
func TestMemoryErrorsCanBeCaught(t *testing.T) {
	s := newLibraryState(Options{Limit: 8 << 20, Hook: stopAfter(100000)})
	results, err := run(s, `
		t = {}
		local function fill() for i = 1, 1e9 do t[i] = 'text ' .. i end end
		local ok1, e1 = pcall(fill)
		local ok2, e2 = pcall(function() return string.rep('x', 4e6) end)
		t = nil
		local ok3, e3 = pcall(function() return #string.rep('x', 4e6) end)
		return e1 .. ', ' .. e2 .. ', ' .. e3`)
	if err != nil {
		t.Fatal(err)
	}
	if got := results[0].AsString().Str(); got != "not enough memory, not enough memory, 4000000" {
		t.Error(got)
	}
}

// TestMemoryErrorsInALoop: a script that catches errors gets no further, whether it is stopped or
// fails where it catches none.
func TestMemoryErrorsInALoop(t *testing.T) {
	const limit = 8 << 20
	s := newLibraryState(Options{Limit: limit, Hook: stopAfter(3000)})
	if _, err := run(s, `
		t = {}
		local function fill() while true do t[#t + 1] = {} end end
		while true do pcall(fill) end`); err == nil {
		t.Error("it has ended")
	}
	if live := s.Collect(); live > limit+limit/16 {
		t.Errorf("%d bytes are alive", live)
	}
}

// TestLargeRequestsAskFirst: what would be large at once fails before it is allocated.
func TestLargeRequestsAskFirst(t *testing.T) {
	for _, source := range []string{
		`return string.rep('x', 1e9)`,
		`local s = string.rep('x', 4e6) return s .. s .. s .. s .. s`,
		`local t = {} for i = 1, 100 do t[i] = string.rep('x', 4e6) end`,
		`return table.concat({string.rep('x', 4e6), string.rep('x', 4e6)}, string.rep('x', 4e6))`,
		`return string.format('%s%s%s', string.rep('x', 4e6), string.rep('x', 3e6), string.rep('x', 4e6))`,
		`return (string.gsub(string.rep('x', 1e6), 'x', string.rep('y', 1e6)))`,
		`return (string.gsub(string.rep('x', 1e6), 'x', function() return string.rep('y', 1e6) end))`,
	} {
		var before, after runtime.MemStats
		s := newLibraryState(Options{Limit: 8 << 20, Hook: stopAfter(100000)})
		runtime.ReadMemStats(&before)
		_, err := run(s, source)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "not enough memory") {
			t.Errorf("%s ends with %v", source, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s has allocated %d bytes", source, got)
		}
	}
	s := newLibraryState(Options{Limit: 8 << 20})
	if _, err := run(s, `local t = {} t[60000000] = 1 t[2^40] = 2 return t[60000000]`); err != nil {
		t.Error(err)
	}
}

// TestUnfinishedCoroutinesAreFreed: what nobody can resume any more is not alive.
func TestUnfinishedCoroutinesAreFreed(t *testing.T) {
	s := newLibraryState(Options{Limit: 4 << 20})
	_, err := run(s, `for i = 1, 20000 do local f = coroutine.wrap(function() coroutine.yield() end) f() end`)
	if err != nil {
		t.Fatal(err)
	}
	if live := s.Collect(); live > 1<<20 {
		t.Errorf("%d bytes are alive", live)
	}
}
