package lua

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// seeds are programs that between them use every instruction.
var seeds = []string{
	`local a, b = 1, 'x' for i = 1, 3 do a = a + i b = b .. i end return a, b, #b, -a, not a`,
	`local t = {1, 2, x = 3, [4] = 5} t.y = t.x t[1] = t[2] for k, v in pairs(t) do t[k] = nil end return next(t)`,
	`local function f(n, ...) if n == 0 then return ... end return f(n - 1, n, ...) end return select('#', f(20))`,
	`local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a * 2) end end) return co(1), co(2)`,
	`local t = setmetatable({}, {__index = function(t, k) return k end,
		__call = function(...) return ... end}) return t.x, t(1)`,
	`local f for i = 1, 3 do local j = i f = function() j = j + 1 return j end end return f(), f()`,
	`return pcall(function() local x = nil; return x.y.z end), xpcall(error, function(e) return e end)`,
	`local s = 0 repeat local k = s s = s + 1 until k > 5 or s == 9
		while s > 0 do s = s - 2 if s < 3 then break end end return s`,
	`return loadstring('return ' .. ('1 + '):rep(20) .. '2')(), tostring(1e300 * 10), 7 % -3, 2 ^ 0.5`,
	`local function arg2(a, ...) return arg.n, a end
		return arg2(1, 2, 3), table.concat({1, 2}, ','), unpack({1, nil, 3}, 1, 3)`,
	`goto = 1`, `x = `, `local t = {} t[nil] = 1`, `error({})`, `return #5`,
}

// runAnything runs a source that may be anything, and fails only by a panic.
func runAnything(source string) {
	s := newLibraryState(Options{Limit: 1 << 20, Hook: stopAfter(30)})
	_, _ = run(s, source)
	s.Collect()
}

func FuzzRun(f *testing.F) {
	for _, source := range seeds {
		f.Add(source)
	}
	f.Fuzz(func(_ *testing.T, source string) { runAnything(source) })
}

// TestMixedPrograms runs programs of which the words were mixed with those of others: most are
// wrong, and many get past the parser.
func TestMixedPrograms(t *testing.T) {
	rng := randtest.New(t)
	var words [][]string
	var all []string
	for _, source := range seeds {
		words = append(words, strings.Fields(source))
		all = append(all, strings.Fields(source)...)
	}
	for range 3000 {
		program := append([]string(nil), words[rng.IntN(len(words))]...)
		for range 1 + rng.IntN(4) {
			mix(rng, program, all)
		}
		runAnything(strings.Join(program, " "))
	}
}

// mix changes one word.
func mix(rng *rand.Rand, program, all []string) {
	i := rng.IntN(len(program))
	if rng.IntN(2) == 0 {
		program[i] = all[rng.IntN(len(all))]
	} else {
		program[i] = program[rng.IntN(len(program))]
	}
}

// TestStatesShareCode: two States run the same Proto at once.
func TestStatesShareCode(t *testing.T) {
	p, err := Load(`
		local t = {x = 1, y = {z = 'text'}}
		for i = 1, 200 do
			t['k' .. i] = function() return t.x + i end
			t.x = t['k' .. i]() - i + #t.y.z:upper()
		end
		return t.x`, "@user_script")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			s := newLibraryState(Options{Limit: 1 << 20})
			for range 20 {
				results, err := s.Main().Run(s.NewFunction(p))
				if err != nil || results[0].Num() != 801 {
					t.Error(results, err)
				}
				s.Collect()
			}
		})
	}
	group.Wait()
}

// TestTheHookEndsScripts: whatever they do, and whatever they catch.
func TestTheHookEndsScripts(t *testing.T) {
	for _, source := range []string{
		`while true do end`,
		`repeat until false`,
		`for i = 1, 1e300 do end`,
		`local function f() return f() end f()`,
		`while true do pcall(function() while true do end end) end`,
		`while true do xpcall(function() while true do end end, function() while true do end end) end`,
		`local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end`,
		`local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end})
			while true do pcall(function() return t[1] end) end`,
		`while true do local co = coroutine.create(function() while true do end end) coroutine.resume(co) end`,
		`local f f = function() pcall(f) f() end f()`,
		`for x in function() return 1 end do end`,
		`table.sort({1, 2, 3}, function() while true do end end)`,
		`string.gsub('x', '.', function() while true do end end)`,
		`while true do string.rep('x', 1000) end`,
		`while true do loadstring('return 1') end`,
		`local s = ('a'):rep(3000) .. 'b' while true do s:find('a-a-a-a-c') end`,
		`while true do tostring(setmetatable({}, {__tostring = function() return 'x' end})) end`,
		`local a = {} for i = 1, 7000 do a[i] = i end while true do local t = {unpack(a)} end`,
	} {
		s := newLibraryState(Options{Limit: 16 << 20, Hook: stopAfter(10)})
		if _, err := run(s, source); !errors.Is(err, errStop) {
			t.Errorf("%s ends with %v", source, err)
		}
		s.SetHook(nil)
		if results, err := run(s, `return 1 + 1`); err != nil || results[0].Num() != 2 {
			t.Errorf("after %s: %v %v", source, results, err)
		}
	}
}

// TestErrorsSayWhere: Run notes where an error was raised.
func TestErrorsSayWhere(t *testing.T) {
	for source, want := range map[string]int{
		"\n\nerror('x')":                                 3,
		"\nlocal x = nil + 1":                            2,
		"local function f()\nerror({})\nend f()":         2,
		"error('x',\n0)":                                 1,
		"pcall(error, 'x')\nstring.rep()":                2,
		"\ncoroutine.wrap(function()\nerror('x') end)()": 3,
	} {
		_, err := run(newLibraryState(Options{}), source)
		var e *Error
		if !errors.As(err, &e) || e.Source != "@user_script" || e.Line != want {
			t.Errorf("%q: %+v", source, err)
		}
	}
}
