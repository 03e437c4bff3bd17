package lua

import (
	"errors"
	"testing"
)

// fuzzState is an interpreter that a script can neither fill nor occupy for long.
func fuzzState() *State {
	calls := 0
	return newLibraryState(Options{Limit: 16 << 20, Hook: func() error {
		if calls++; calls > 20 {
			return errStop
		}
		return nil
	}})
}

// fuzzCall calls a script with strings. It may fail, but not crash, and only with an error of Lua's or
// the hook's.
func fuzzCall(t *testing.T, script string, args ...string) {
	s := fuzzState()
	f := s.function(t, script)
	values := make([]Value, len(args))
	for i, a := range args {
		values[i] = s.String(a).Value()
	}
	_, err := s.Main().Run(f, values...)
	if failure := (*Error)(nil); err != nil && !errors.As(err, &failure) && !errors.Is(err, errStop) {
		t.Fatalf("%q: %v", args, err)
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("hello world", "(%w+) %f[%a](.-)$", "%2%1%0")
	f.Add("a(b(c)d)", "%b()", "%")
	f.Add("x", "[^]", "%9")
	f.Add("\x00a", "[%z-\xff]*()%1", "")
	f.Fuzz(func(t *testing.T, s, pattern, replacement string) {
		fuzzCall(t, `local s, p, r = ... s:find(p) s:find(p, -3, true) s:match(p)
			for a, b in s:gmatch(p) do end
			s:gsub(p, function(a) return a end) s:gsub(p, {}) s:gsub(p, r)`, s, pattern, replacement)
	})
}

func FuzzFormats(f *testing.F) {
	f.Add("%5.2f|%-10s|%q|%c|%x", "12", "text")
	f.Add("%#.99g%+099d% .0e", "1e308", "\x00")
	f.Fuzz(func(t *testing.T, format, a, b string) {
		fuzzCall(t, `local f, a, b = ... f:format(tonumber(a) or a, b, a) f:format(b, tonumber(b), a)`, format, a, b)
	})
}
