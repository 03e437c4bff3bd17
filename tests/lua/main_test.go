package lua

import (
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// chunkName is what Redis calls scripts.
const chunkName = "@user_script"

// duel runs scripts on both sides. Each returns a text.
type duel struct {
	t     testing.TB
	state *lua.State
	redis *harness.Conn
}

func newDuel(t testing.TB) *duel {
	state := lua.NewState(lua.Options{Limit: 256 << 20})
	state.OpenBase()
	state.OpenString()
	state.OpenTable()
	state.OpenMath(lua.NewRandom())
	return &duel{t: t, state: state, redis: harness.StartRedis(t).Dial(t)}
}

// larder runs a script in the interpreter.
func (d *duel) larder(script string) string {
	d.t.Helper()
	p, err := lua.Load(script, chunkName)
	if err != nil {
		return "ERR Error compiling script (new function): " + err.Error()
	}
	d.state.Collect()
	results, err := d.state.Main().Run(d.state.NewFunction(p))
	if err != nil {
		return "error: " + err.Error()
	}
	if len(results) == 0 || results[0].AsString() == nil {
		d.t.Fatalf("%s\nreturns no text", script)
	}
	return results[0].AsString().Str()
}

// compare runs a script on both sides, and reports whether they agree.
func (d *duel) compare(what, script string) bool {
	d.t.Helper()
	want := d.redis.Do("EVAL", script, "0").Text
	if got := d.larder(script); got != want {
		d.t.Errorf("%s\n  larder %q\n  redis  %q", what, got, want)
		return false
	}
	return true
}

// show is a function for scripts that makes a text of any values: numbers with all their digits.
const show = `local show function show(...) ` +
	`local all = {} ` +
	`for i = 1, select('#', ...) do ` +
	`local v = select(i, ...) ` +
	`if type(v) == 'number' then all[i] = string.format('%.17g', v) ` +
	`elseif type(v) == 'string' then all[i] = "'" .. v .. "'" ` +
	`elseif type(v) == 'table' then all[i] = '{' .. show(unpack(v, 1, table.maxn(v))) .. '}' ` +
	`elseif type(v) == 'function' then all[i] = 'function' ` +
	`else all[i] = tostring(v) end end ` +
	`return table.concat(all, ' ') end `

// shown is a script that shows what a function of this body returns, or its error.
func shown(body string) string {
	return show + "return show(pcall(function() " + body + " end))"
}
