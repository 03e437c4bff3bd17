package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/syntax"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/tests/randtest"
)

// library makes a random library of two functions. Some of the variables are the library's, others
// those of a function.
func (m *scriptMaker) library() string {
	var b strings.Builder
	b.WriteString("local i, d1, d2, k1, k2, t1, t2, f1, f2 = 1, 'stray', 'exists', nil, nil, {}, {}\n")
	b.WriteString("local c1, c2 = redis.call, redis.pcall\nf1 = function(a, b) return a end\nf2 = function(a, ...) return ... end\n")
	for range 2 {
		begin, end, _ := strings.Cut(m.pick("('name', | )", "{function_name = 'name', callback = | }"), "|")
		b.WriteString("redis.register_function" + begin + "function(KEYS, ARGV)\n")
		for _, local := range []string{"k1, k2 = KEYS[1], KEYS[2]", "t1, t2 = {KEYS[1]}, {}", "f1, f2 = function(a) return a end, function(...) return ... end", "d1 = ARGV[1]"} {
			if m.rng.IntN(5) > 0 {
				b.WriteString("local " + local + "\n")
			}
		}
		for range 1 + m.rng.IntN(6) {
			b.WriteString(m.statement() + "\n")
		}
		b.WriteString("end" + end + "\n")
	}
	return b.String()
}

// runLibrary runs a library's functions, several times and with other keys each time.
func (w *watcher) runLibrary(t *testing.T, chunk *syntax.Func, keys int) {
	t.Helper()
	s, redis := w.state()
	var functions []*lua.Function
	s.Register(redis, "register_function", func(t *lua.Thread) (int, error) {
		f := t.Arg(2).AsFunction()
		if named := t.Arg(1).AsTable(); named != nil {
			f = named.GetStr(lua.NewString("callback")).AsFunction()
		}
		if f != nil {
			functions = append(functions, f)
		}
		return 0, nil
	})
	proto, err := lua.Compile(chunk, "@user_function")
	if err != nil {
		t.Fatal(err)
	}
	w.keys, w.strayed = nil, nil
	_, _ = s.Main().Run(s.NewFunction(proto))
	w.strayed = nil // there are no commands yet
	for round := range 4 {
		for _, f := range functions {
			w.keys = nil
			table := s.Table(0, 0)
			for i := range keys {
				w.keys = append(w.keys, fmt.Sprintf("K%d.%d", round, i))
				table.SetInt(i+1, s.String(w.keys[i]).Value())
			}
			_, _ = s.Main().Run(f, table.Value(), arguments(s).Value())
		}
	}
}

// TestProvedLibrariesKeepToTheirKeys runs random libraries: no key of one call is used in another.
func TestProvedLibrariesKeepToTheirKeys(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	rng := randtest.New(t)
	w := &watcher{table: table}
	var proved, strayed int
	const libraries = 1500
	for range libraries {
		m := &scriptMaker{rng: rng, mistakes: []float64{0, 0, 0.003, 0.01}[rng.IntN(4)]}
		source := m.library()
		chunk, err := syntax.Parse(source, "@user_function")
		if err != nil {
			t.Fatalf("%s\n%v", source, err)
		}
		least, ok := scripting.ProveLibrary(chunk, table)
		for keys := range 4 {
			w.runLibrary(t, chunk, keys)
			if len(w.strayed) > 0 && ok && keys >= least {
				t.Fatalf("with %d keys %q was called by\n%s", keys, w.strayed, source)
			}
			if len(w.strayed) > 0 && !ok {
				strayed++
			}
		}
		if ok {
			proved++
		}
	}
	t.Logf("%d of %d are proved; %d runs strayed; %d keys", proved, libraries, strayed, w.calls)
	if proved < libraries/20 || strayed < libraries/50 || w.calls < libraries {
		t.Error("the libraries are not what they should be")
	}
}

// What is proved of libraries, and what is not.
func TestProofsOfLibraries(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ want, source string }{
		{"0", "redis.register_function('f', function(keys, args) return redis.call('SET', keys[1], args[1]) end)"},
		{"0", "local r = redis\nr.register_function{function_name = 'f', callback = function(k) return r.call('GET', k[1]) end, flags = {'no-writes'}}"},
		{"0", "local n = 0\nlocal function f(keys) n = n + 1 return redis.call('INCRBY', keys[1], n) end\nredis.register_function('f', f)"},
		{"0", "local M = {}\nfunction M.get(k) return redis.call('GET', k) end\nredis.register_function('f', function(keys) return M.get(keys[1]) end)"},
		{"0", "local function reg(name, f) redis.register_function(name, f) end\nreg('a', function(k) return redis.call('GET', k[1]) end)"},
		{"0", "redis.register_function('f', function(keys, args) local c = {'DEL', keys[1]} return redis.call(unpack(c)) end)"},
		{"1", "redis.register_function('f', function(keys, args) local c = {'SET', keys[1]} c[#c + 1] = args[1] return redis.call(unpack(c)) end)"},
		{"0", "redis.register_function('f', function(keys) local k = keys[1] local function g() return redis.call('GET', k) end return g() end)"},
		{"0", "local seen = {}\nredis.register_function('f', function(keys, args) seen[args[1]] = args[2] return redis.call('GET', keys[1]) end)"},
		{"no", "redis.register_function('f', function(keys, args) return redis.call('GET', args[1]) end)"},
		{"no", "redis.register_function('f', function(keys) return redis.call('GET', keys[1] .. ':x') end)"},
		{"no", "redis.register_function('f', function() return redis.call('GET', KEYS[1]) end)"},
		{"no", "local last\nredis.register_function('f', function(keys) local k = last last = keys[1] return redis.call('GET', k) end)"},
		{"no", "local last\nredis.register_function('f', function(keys) last = last or keys return redis.call('GET', last[1]) end)"},
		{"no", "local seen = {}\nredis.register_function('f', function(keys) seen[1] = seen[1] or keys[1] return redis.call('GET', seen[1]) end)"},
		{"no", "local s = {t = {}}\nredis.register_function('f', function(keys) s.t.x = s.t.x or keys[1] return redis.call('GET', s.t.x) end)"},
		{"no", "local function new() local t = {} return function(k) t[1] = t[1] or k return t[1] end end\nlocal keep = new()\nredis.register_function('f', function(keys) return redis.call('GET', keep(keys[1])) end)"},
		{"no", "local g\nredis.register_function('f', function(keys) g = g or function() return redis.call('GET', keys[1]) end return g() end)"},
		{"no", "local co\nredis.register_function('f', function(keys) co = co or coroutine.wrap(function() while true do redis.call('GET', keys[1]) coroutine.yield() end end) co() end)"},
		{"no", "local co\nredis.register_function('f', function(keys) local k = keys[1] local function g() return redis.call('GET', k) end co = co or coroutine.wrap(function() while true do g() coroutine.yield() end end) co() end)"},
		{"no", "local t = {}\nredis.register_function('f', function(keys) table.insert(t, keys[1]) return redis.call('GET', t[1]) end)"},
		{"no", "redis.register_function{function_name = 'f', Callback = function(a, b) return redis.call('GET', b[1]) end}"},
	} {
		chunk, err := syntax.Parse(test.source, "@user_function")
		if err != nil {
			t.Fatal(err)
		}
		got := "no"
		if least, ok := scripting.ProveLibrary(chunk, table); ok {
			got = fmt.Sprint(least)
		}
		if got != test.want {
			t.Errorf("%s, want %s of\n%s", got, test.want, test.source)
		}
	}
}
