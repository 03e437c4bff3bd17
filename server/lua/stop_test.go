package lua

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/lua/syntax"
)

// newLibraryState is an interpreter with all libraries.
func newLibraryState(o Options) *State {
	s := NewState(o)
	s.OpenBase()
	s.OpenString()
	s.OpenTable()
	s.OpenMath(NewRandom())
	s.OpenOS(func() time.Duration { return 1500 * time.Millisecond })
	return s
}

// function compiles a script.
func (s *State) function(t testing.TB, script string) *Function {
	t.Helper()
	f, err := syntax.Parse(script, "user_script")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(f, "@user_script")
	if err != nil {
		t.Fatal(err)
	}
	return s.NewFunction(p)
}

var errStop = errors.New("stopped by the hook")

// TestLibrariesAreEnded: a native that would run for years asks the hook, whose error ends it,
// whatever the script does to catch it.
func TestLibrariesAreEnded(t *testing.T) {
	for _, script := range []string{
		`string.find(("a"):rep(1000), ("a*"):rep(30) .. "b")`,
		`string.match(("a"):rep(1000), ("a-"):rep(30) .. "b")`,
		`string.gsub(("a"):rep(1000), (".-"):rep(30) .. "b", "")`,
		`for _ in string.gmatch(("a"):rep(1000), ("(a?)"):rep(30) .. (".*"):rep(20) .. "b") do end`,
		`string.find(("a"):rep(100000), ".-.-.-b")`,
		`string.find(("("):rep(1000000), "%b().-%b()")`,
		`string.gsub(("a"):rep(1000000), ".", function() for i = 1, 100 do end end)`,
		`table.insert({}, -2^31, 1)`,
		`table.concat({}, "", -2^31, 2^31 - 1)`,
		`local t = {} for i = 1, 100000 do t[i] = 1 end while true do table.insert(t, 1, 1) end`,
		`local t = {} for i = 1, 300000 do t[i] = (i * 7919) % 300007 end while true do table.sort(t) end`,
		`local t = {} for i = 1, 300000 do t[i] = i end while true do table.maxn(t) end`,
		`local s = ("x"):rep(1000000) while true do s:upper() end`,
		`local s = ("x"):rep(1000000) while true do s:reverse():find("y", 1, true) end`,
		`while true do string.rep("x", 10000000) end`,
	} {
		// The limit is out of reach of these but for what they leave behind.
		s := newLibraryState(Options{Limit: 256 << 20})
		calls := 0
		s.SetHook(func() error {
			if calls++; calls > 200 {
				return errStop
			}
			return nil
		})
		script = "local function f() " + script + " end while true do pcall(f) end"
		if _, err := s.Main().Run(s.function(t, script)); !errors.Is(err, errStop) {
			t.Errorf("%s\n  ends with %v", script, err)
		}
	}
}

// TestHookIsCalledAfterCollect: an interpreter of which it was found out what is alive stops as any.
func TestHookIsCalledAfterCollect(t *testing.T) {
	s := newLibraryState(Options{})
	stop := false
	s.SetHook(func() error {
		if stop {
			return errStop
		}
		return nil
	})
	keep := s.function(t, `t = {} for i = 1, 10000 do t[i] = {} end`)
	if _, err := s.Main().Run(keep); err != nil {
		t.Fatal(err)
	}
	s.Collect()
	stop = true
	if _, err := s.Main().Run(s.function(t, `for i = 1, 1e7 do end`)); !errors.Is(err, errStop) {
		t.Errorf("a loop ends with %v", err)
	}
}

// TestLibrariesAskForMemory: what would be large is refused before it is made.
func TestLibrariesAskForMemory(t *testing.T) {
	for _, script := range []string{
		`return ("x"):rep(2^31 - 1)`,
		`return ("x"):rep(1e6):rep(1e6)`,
		`local s = "x" while true do s = s:rep(10) end`,
		`local s = ("x"):rep(1e6) return (s:gsub(".", s))`,
		`local s = ("x"):rep(1e6) local t = {} for i = 1, 1000 do t[i] = s end return table.concat(t)`,
		`local s = ("x"):rep(1e6) return string.format(("%s"):rep(20),
			s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s)`,
		`local s, t = ("x"):rep(1e6), {} for i = 1, 100 do t[i] = s:sub(2) end`,
		`local s, t = ("x"):rep(1e6), {} for i = 1, 100 do t[i] = s:upper() end`,
		`local s, t = ("x"):rep(1e6), {} for i = 1, 100 do t[i] = s:match("x(.*)") end`,
		`local big = ("x"):rep(5e5) local function f(n) return (("ab"):gsub(".", function(c)
			if c == "a" then return big end if n > 0 then f(n-1) end return "" end)) end
			return #f(100)`,
		`local t = {} for i = 1, 1e9 do table.insert(t, i) end`,
		`local t = {} for i = 1, 1e9 do t["k" .. i] = i end`,
		`local t = {} for i = 1, 1e9 do t[i * 1.5] = i end`,
	} {
		s := newLibraryState(Options{Limit: 8 << 20})
		_, err := s.Main().Run(s.function(t, script))
		if err == nil || !strings.Contains(err.Error(), "not enough memory") {
			t.Errorf("%s\n  ends with %v", script, err)
		}
	}
}

// TestDeletedKeysAreFreed: tables keep the places of keys that were deleted, but not the keys. In the
// course of a walk such a place is found again.
func TestDeletedKeysAreFreed(t *testing.T) {
	s := newLibraryState(Options{Limit: 4 << 20})
	_, err := s.Main().Run(s.function(t, `local t = {}
		for i = 1, 4000 do t[i + 0.5] = 1 end
		for k in pairs(t) do t[k] = nil end
		for i = 1, 400 do
			local key = ("x"):rep(100000) .. i
			t[key] = 1
			t[key] = nil
		end
		local seen, n = {}, 0
		for i = 1, 500 do t["k" .. i] = i end
		for k in pairs(t) do
			t[k] = nil
			collectgarbage()
			seen[k], n = true, n + 1
		end
		for i = 1, 500 do assert(seen["k" .. i]) end
		assert(n == 500 and next(t) == nil)
		t = setmetatable({}, {})
		for i = 1, 20 do t[{}] = i end
		for k in pairs(t) do
			t[k], n = nil, n + 1
			collectgarbage()
		end
		assert(n == 520)`))
	if err != nil {
		t.Error(err)
	}
	table := NewTable(0, 8)
	s.Globals().SetStr(NewString("t"), table.Value())
	for i := range 8 {
		key := s.String(strings.Repeat("z", 100000) + string(rune('a'+i)))
		table.SetStr(key, True)
		table.SetStr(key, Nil)
	}
	s.Collect()
	for i := range table.nodes {
		if table.nodes[i].key.AsString() != nil {
			t.Fatal("a deleted key is kept")
		}
	}
}

// TestDeepPatterns: what C dies of is an error.
func TestDeepPatterns(t *testing.T) {
	s := newLibraryState(Options{})
	_, err := s.Main().Run(s.function(t, `return string.find(("a"):rep(300000), ("a?"):rep(300000))`))
	if err == nil || err.Error() != "user_script:1: pattern too complex" {
		t.Errorf("a pattern of 300,000 items: %v", err)
	}
}

func TestClock(t *testing.T) {
	s := newLibraryState(Options{})
	r, err := s.Main().Run(s.function(t, "return os.clock()"))
	if err != nil || r[0].Num() != 1.5 {
		t.Errorf("os.clock: %v %v", r, err)
	}
}

// TestLibrariesAllocate: natives allocate for their results, and for nothing else.
func TestLibrariesAllocate(t *testing.T) {
	for script, want := range map[string]float64{
		`local s = "key:1234:value" return s:find(":%d+:"), s:byte(1), #s, s:find("value", 1, true)`: 0,
		`return math.floor(3.7), math.max(1, 2), math.random(10)`:                                    0,
		`return ("abc"):sub(2, 2), ("abc"):upper()`:                                                  2,
		`return string.format("%s:%d:%.2f", "key", 17, 2.5)`:                                         2,
		`return (("a-b-c"):gsub("-", "+"))`:                                                          2,
		`return ("user:17"):match("^(%a+)")`:                                                         2,
	} {
		s := newLibraryState(Options{})
		f := s.function(t, script)
		got := testing.AllocsPerRun(100, func() {
			if _, err := s.Main().Run(f); err != nil {
				t.Fatal(err)
			}
		})
		if got > want {
			t.Errorf("%s: %v allocations, want %v", script, got, want)
		}
	}
}
