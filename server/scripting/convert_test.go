package scripting

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/tests/randtest"
)

func newTestInterpreter(t testing.TB) *interpreter {
	t.Helper()
	cfg, err := config.New()
	if err != nil {
		t.Fatal(err)
	}
	return newInterpreter(New(cfg, slog.New(slog.DiscardHandler)))
}

// randomReply writes a reply that Lua has a value for.
func randomReply(rng *rand.Rand, w *protocol.Writer, depth int) {
	text := strings.Repeat("x", rng.IntN(20)) + string(rune(rng.IntN(0x800)))
	kinds := 11
	if depth == 0 {
		kinds = 8
	}
	switch rng.IntN(kinds) {
	case 0:
		w.Int(rng.Int64N(1<<53) - 1<<52)
	case 1:
		w.BulkString(text + "\r\n")
	case 2:
		w.Status("fine")
	case 3:
		w.Error("CODE text")
	case 4:
		w.Double(rng.NormFloat64())
	case 5:
		w.BigNumber("12345678901234567890")
	case 6:
		w.Verbatim("txt", text)
	case 7:
		w.Bool(rng.IntN(2) == 0)
	case 8:
		n := rng.IntN(300)
		w.Array(n)
		for range n {
			randomReply(rng, w, 0)
		}
	case 9: // of several the order is Lua's
		w.Map(1)
		w.BulkString(text)
		randomReply(rng, w, depth-1)
	case 10:
		w.Set(1)
		w.BulkString(text)
	}
}

// TestRepliesGoThroughLua: what a command replies in RESP3, a script gets and returns unchanged.
func TestRepliesGoThroughLua(t *testing.T) {
	rng := randtest.New(t)
	in := newTestInterpreter(t)
	in.state.SetHook(nil)
	for range 5000 {
		w, out := protocol.NewWriter(), protocol.NewWriter()
		w.SetRESP3(true)
		out.SetRESP3(true)
		randomReply(rng, w, 4)
		want := string(w.Bytes())
		v, rest, err := in.value(in.state.Main(), w.Bytes())
		if err != nil || len(rest) != 0 {
			t.Fatalf("%q: %v, left %q", want, err, rest)
		}
		r := replier{c: &engine.Ctx{Out: out}, resp3: true}
		if err := r.reply(v, firstHeight); err != nil {
			t.Fatal(err)
		}
		if got := string(out.Bytes()); got != want {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		in.reset(0)
	}
}

// FuzzReply returns what any source returns, in both versions of the protocol: one whole reply.
func FuzzReply(f *testing.F) {
	for _, source := range []string{
		"return {1,{2},'x'}", "return {map={a={1}}}", "return {err='x\\r\\ny'}", "return {set={[{}]=1}}, {double=0/0}",
	} {
		f.Add(source)
	}
	in := newTestInterpreter(f)
	f.Fuzz(func(t *testing.T, source string) {
		script, err := compile(nil, "return "+source)
		if err != nil || strings.Contains(source, "redis") {
			return
		}
		steps := 0
		in.state.SetLimit(1 << 20)
		in.state.SetHook(func() error {
			if steps++; steps > 100 {
				return engine.ErrScriptKilled
			}
			return nil
		})
		defer in.reset(0)
		var result lua.Value
		if results, err := in.state.Main().Run(in.state.NewFunction(script.proto)); err == nil && len(results) > 0 {
			result = results[0]
		}
		for _, resp3 := range []bool{false, true} {
			out := protocol.NewWriter()
			out.SetRESP3(resp3)
			r := replier{c: &engine.Ctx{Out: out, Kernel: &engine.Kernel{}}, resp3: resp3}
			if err := r.reply(result, firstHeight); err != nil {
				return
			}
			if b := out.Bytes(); engine.ReplyLength(b) != len(b) {
				t.Errorf("%s: %q", source, b)
			}
		}
	})
}
