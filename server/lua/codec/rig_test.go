package codec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/lua"
)

// rig is an interpreter with the libraries, of which tests call the functions from Go.
type rig struct {
	t     testing.TB
	state *lua.State
	libs  *Libraries
}

// testLimit is the memory that scripts have in tests.
const testLimit = 64 << 20

func newRig(t testing.TB) *rig {
	s := lua.NewState(lua.Options{Limit: testLimit})
	return &rig{t, s, Open(s)}
}

// function finds a function by its library and name.
func (r *rig) function(path string) *lua.Function {
	library, name, _ := strings.Cut(path, ".")
	table := r.state.Globals().GetStr(lua.NewString(library)).AsTable()
	f := table.GetStr(lua.NewString(name)).AsFunction()
	if f == nil {
		r.t.Fatalf("there is no %s", path)
	}
	return f
}

// call calls a function. What it returns is valid for as long as the caller likes.
func (r *rig) call(path string, args ...lua.Value) ([]lua.Value, error) {
	results, err := r.state.Main().Run(r.function(path), args...)
	return append([]lua.Value(nil), results...), err
}

// one is the first result of a call that must not fail.
func (r *rig) one(path string, args ...lua.Value) lua.Value {
	r.t.Helper()
	results, err := r.call(path, args...)
	if err != nil || len(results) == 0 {
		r.t.Fatalf("%s: %v, %v", path, results, err)
	}
	return results[0]
}

// fails checks that a call ends with an error.
func (r *rig) fails(want, path string, args ...lua.Value) {
	r.t.Helper()
	if results, err := r.call(path, args...); err == nil || err.Error() != want {
		r.t.Errorf("%s: %v, %v; want the error %q", path, results, err, want)
	}
}

func str(s string) lua.Value { return lua.NewString(s).Value() }

func text(v lua.Value) string { return v.AsString().Str() }

// array makes a table of values from index 1 on.
func array(values ...lua.Value) lua.Value {
	t := lua.NewTable(0, 0)
	for i, v := range values {
		t.SetInt(i+1, v)
	}
	return t.Value()
}

// object makes a table of keys and values in turn.
func object(pairs ...lua.Value) lua.Value {
	t := lua.NewTable(0, 0)
	for i := 0; i < len(pairs); i += 2 {
		if err := t.Set(pairs[i], pairs[i+1]); err != nil {
			panic(err)
		}
	}
	return t.Value()
}

// same reports whether two values are equal, with all that is in them. NaN is equal to itself.
func same(a, b lua.Value) bool {
	x, y := a.AsTable(), b.AsTable()
	if x == nil || y == nil {
		return lua.Equal(a, b) || a.IsNumber() && b.IsNumber() && math.IsNaN(a.Num()) && math.IsNaN(b.Num())
	}
	count := 0
	for i := 0; ; {
		k, v, next := x.Walk(i)
		if next == 0 {
			break
		}
		i = next
		count++
		if k.AsTable() == nil && !same(v, y.Get(k)) { // keys that are tables are only counted
			return false
		}
	}
	for i := 0; ; count-- {
		if _, _, i = y.Walk(i); i == 0 {
			return count == 0
		}
	}
}

// plain is a value as encoding/json makes it.
func plain(v lua.Value) any {
	t := v.AsTable()
	switch {
	case t == nil && v.IsNumber():
		return v.Num()
	case t == nil && v.AsString() != nil:
		return text(v)
	case t == nil:
		return v.Truth()
	case t.Len() > 0:
		list := []any{}
		for i := 1; i <= t.Len(); i++ {
			list = append(list, plain(t.GetInt(i)))
		}
		return list
	}
	object := map[string]any{}
	for i := 0; ; {
		k, v, next := t.Walk(i)
		if next == 0 {
			return object
		}
		i = next
		object[text(k)] = plain(v)
	}
}

// show writes a value down for messages.
func show(v lua.Value) string {
	t := v.AsTable()
	switch {
	case t != nil:
		var parts []string
		for i := 0; ; {
			k, v, next := t.Walk(i)
			if next == 0 {
				return "{" + strings.Join(parts, ",") + "}"
			}
			i = next
			parts = append(parts, "["+show(k)+"]="+show(v))
		}
	case v.IsNumber():
		return fmt.Sprint(v.Num())
	case v.AsString() != nil:
		return fmt.Sprintf("%q", text(v))
	}
	if b, ok := v.AsBool(); ok {
		return fmt.Sprint(b)
	}
	return v.Kind().String()
}

// randomValue makes a value that every codec can carry: no empty tables, which are arrays to one
// codec and objects to the other, and no holes.
func randomValue(g *rand.Rand, depth int) lua.Value {
	kind := g.IntN(6)
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return lua.Bool(g.IntN(2) == 0)
	case 1:
		return str(randomText(g))
	case 2, 3:
		return lua.Number(randomNumber(g))
	case 4:
		values := make([]lua.Value, 1+g.IntN(8))
		for i := range values {
			values[i] = randomValue(g, depth-1)
		}
		return array(values...)
	}
	var pairs []lua.Value
	for i := range 1 + g.IntN(8) {
		pairs = append(pairs, str(fmt.Sprint(i, randomText(g))), randomValue(g, depth-1))
	}
	return object(pairs...)
}

// randomText has no byte that JSON cannot carry through other programs.
func randomText(g *rand.Rand) string {
	b := make([]rune, g.IntN(12))
	for i := range b {
		b[i] = []rune{'a', 'Z', '"', '\\', '/', '\n', 0x7f, 'ä', '€', '😀', 1}[g.IntN(11)]
	}
	return strings.Repeat(string(b), 1+g.IntN(20)*g.IntN(2))
}

// randomNumber has no more than 14 digits.
func randomNumber(g *rand.Rand) float64 {
	switch g.IntN(3) {
	case 0:
		return float64(g.Int64N(2e13) - 1e13)
	case 1:
		return float64(g.IntN(512) - 256)
	}
	return float64(g.IntN(1e6)-5e5) / 256
}
