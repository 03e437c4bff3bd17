package lua

import (
	"testing"
)

// run runs a script in a State.
func run(s *State, source string) ([]Value, error) {
	p, err := Load(source, "@user_script")
	if err != nil {
		return nil, err
	}
	return s.Main().Run(s.NewFunction(p))
}

func TestSmallRunsDoNotAllocate(t *testing.T) {
	for _, source := range []string{
		`return 1`,
		`local x = 0 for i = 1, 10 do x = x + i end return x`,
		`local t = KEYS if t[1] == 'key' then return #t end return 0`,
		`return pcall(type, 5)`,
		`local function f(...) return select('#', ...) end return f(1, 2, 3)`,
		`for i, v in ipairs(KEYS) do if v == 'none' then return i end end return 'x' == nil`,
	} {
		s := newLibraryState(Options{Limit: 1 << 30})
		keys := s.Table(1, 0)
		keys.SetInt(1, s.String("key").Value())
		s.Globals().SetStr(NewString("KEYS"), keys.Value())
		p, err := Load(source, "@user_script")
		if err != nil {
			t.Fatal(err)
		}
		fn := s.NewFunction(p)
		most := 0.0
		if len(p.protos) > 0 {
			most = 1 // the closure
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := s.Main().Run(fn); err != nil {
				t.Fatal(err)
			}
		}); n > most {
			t.Errorf("%s: %v allocations", source, n)
		}
	}
}
