package commands

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/syntax"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/tests/randtest"
)

// watcher runs scripts with commands that do nothing but note which keys they are called with.
type watcher struct {
	table   *engine.Table
	keys    []string // that are declared
	calls   int      // of commands with keys
	strayed []string
}

// call is redis.call: it refuses what is neither string nor number, as the server does.
func (w *watcher) call(t *lua.Thread) (int, error) {
	var args [][]byte
	for i := 1; i <= t.Count(); i++ {
		if k := t.Arg(i).Kind(); k != lua.KindString && k != lua.KindNumber {
			return 0, t.Errorf("arguments must be strings or integers")
		}
		text, err := t.ToString(t.Arg(i))
		if err != nil {
			return 0, err
		}
		args = append(args, []byte(text.Str()))
	}
	if len(args) == 0 {
		return 0, t.Errorf("no arguments")
	}
	spec := w.table.Resolve(args)
	if spec == nil || !spec.Fits(len(args)) {
		return 0, t.Errorf("no such command")
	}
	if spec.Flags&(engine.AllShards|engine.OwnLocks) != 0 || spec.Locks != nil || spec.Strays != nil && spec.Strays(args) {
		w.strayed = append(w.strayed, spec.FullName())
	}
	for _, k := range spec.FindKeys(args) {
		w.calls++
		if key := string(args[k.Index]); !slices.Contains(w.keys, key) {
			w.strayed = append(w.strayed, string(bytes.Join(args, []byte(" "))))
		}
	}
	if len(args)%2 == 0 {
		return t.Return(lua.Bool(false))
	}
	list := t.State().Table(2, 0)
	list.SetInt(1, t.State().String("stray").Value())
	list.SetInt(2, lua.Number(2))
	return t.Return(list.Value())
}

// state makes an interpreter with its table redis.
func (w *watcher) state() (*lua.State, *lua.Table) {
	hooks := 0
	s := lua.NewState(lua.Options{Limit: 16 << 20, Hook: func() error {
		if hooks++; hooks > 20 {
			return errors.New("too long")
		}
		return nil
	}})
	s.OpenBase()
	s.OpenMath(lua.NewRandom())
	s.OpenString()
	s.OpenTable()
	redis := s.Table(0, 0)
	s.Register(redis, "call", w.call)
	s.Register(redis, "pcall", w.call)
	cjson := s.Table(0, 0)
	s.Register(cjson, "encode", func(t *lua.Thread) (int, error) { return t.Return(s.String("stray").Value()) })
	s.Globals().SetStr(lua.NewString("redis"), redis.Value())
	s.Globals().SetStr(lua.NewString("cjson"), cjson.Value())
	return s, redis
}

// arguments are ARGV.
func arguments(s *lua.State) *lua.Table {
	argv := s.Table(0, 0)
	argv.SetInt(1, s.String("stray").Value())
	argv.SetInt(2, s.String("2").Value())
	return argv
}

// run runs a script with so many keys.
func (w *watcher) run(t *testing.T, chunk *syntax.Func, keys int) {
	t.Helper()
	s, _ := w.state()
	w.keys, w.strayed = nil, nil
	table := s.Table(0, 0)
	for i := 1; i <= keys; i++ {
		w.keys = append(w.keys, fmt.Sprint("K", i))
		table.SetInt(i, s.String(w.keys[i-1]).Value())
	}
	s.Globals().SetStr(lua.NewString("KEYS"), table.Value())
	s.Globals().SetStr(lua.NewString("ARGV"), arguments(s).Value())
	proto, err := lua.Compile(chunk, "@user_script")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Main().Run(s.NewFunction(proto)) // a script that fails may have strayed before
}

// TestProvedScriptsKeepToTheirKeys runs random scripts, and those that are in use.
func TestProvedScriptsKeepToTheirKeys(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	rng := randtest.New(t)
	w := &watcher{table: table}
	var proved, strayed, both int
	check := func(source string) {
		chunk, err := syntax.Parse(source, "@user_script")
		if err != nil {
			t.Fatalf("%s\n%v", source, err)
		}
		least, ok := scripting.Prove(chunk, table)
		for keys := range 4 {
			w.run(t, chunk, keys)
			switch {
			case len(w.strayed) == 0:
			case ok && keys >= least:
				t.Fatalf("with %d keys %q was called by\n%s", keys, w.strayed, source)
			case ok:
				both++
			default:
				strayed++
			}
		}
		if ok {
			proved++
		}
	}
	for _, c := range provables(t) {
		check(c.source)
	}
	const scripts = 1500
	for range scripts {
		m := &scriptMaker{rng: rng, mistakes: []float64{0, 0.003, 0.01, 0.03}[rng.IntN(4)]}
		check(m.script())
	}
	t.Logf("%d of %d are proved; %d runs strayed, %d with too few keys for the proof; %d keys", proved, scripts, strayed, both, w.calls)
	if proved < scripts/20 || strayed < scripts/10 || w.calls < scripts {
		t.Error("the scripts are not what they should be")
	}
}
