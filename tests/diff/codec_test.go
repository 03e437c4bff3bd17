package diff

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/lua"
	"github.com/larderkv/larder/server/lua/codec"
	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// codecs runs pieces of Lua in an interpreter of larder and in redis-server. Each piece is the body
// of a function; testdata/codec/case.lua calls it and writes down what it returned.
type codecs struct {
	t     *testing.T
	frame string
	redis *harness.Conn
	state *lua.State
	libs  *codec.Libraries
}

func newCodecs(t *testing.T) *codecs {
	frame, err := os.ReadFile("testdata/codec/case.lua")
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState(lua.Options{Limit: 1 << 30})
	state.OpenBase()
	state.OpenString()
	state.OpenTable()
	state.OpenMath(lua.NewRandom())
	return &codecs{t, string(frame), harness.StartRedis(t).Dial(t), state, codec.Open(state)}
}

// compare reports a difference, and whether there was none.
func (c *codecs) compare(piece string) bool {
	c.t.Helper()
	source := strings.Replace(c.frame, "CASE", piece, 1)
	want := c.redis.Do("EVAL", source, "0").Text
	// Keys that are tables lie in the order of their addresses.
	if got := c.run(source); got != want && !strings.Contains(want, "[{") {
		c.t.Errorf("%s\nlarder %s\nredis  %s", piece, got, want)
		return false
	}
	return true
}

func (c *codecs) run(source string) string {
	c.t.Helper()
	proto, err := lua.Load(source, "@user_script")
	if err != nil {
		c.t.Fatal(err)
	}
	c.libs.Reset()
	results, err := c.state.Main().Run(c.state.NewFunction(proto))
	if err != nil {
		return "ERROR " + err.Error()
	}
	return results[0].AsString().Str()
}

// TestCodecs compares what cjson, cmsgpack, struct and bit return and how they fail.
func TestCodecs(t *testing.T) {
	c := newCodecs(t)
	files, err := filepath.Glob("testdata/codec/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases: ", err)
	}
	count := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for piece := range strings.Lines(string(text)) {
			c.compare(strings.TrimSpace(piece))
			count++
		}
	}
	t.Logf("%d cases", count)
}

// TestCodecsRandom compares random input, most of it broken in one place.
func TestCodecsRandom(t *testing.T) {
	c := newCodecs(t)
	g := codecGenerator{randtest.New(t)}
	for range 400 {
		for _, piece := range []string{
			"return cjson.decode(" + luaLiteral(g.broken(g.json(4))) + ")",
			"return cjson.encode(cjson.decode(" + luaLiteral(g.json(4)) + "))",
			"return cmsgpack.unpack(" + luaLiteral(g.broken(g.msgpack(4))) + ")",
			"return cmsgpack.pack(cmsgpack.unpack(" + luaLiteral(g.msgpack(4)) + "))",
			"return struct.unpack(" + luaLiteral(g.format()) + "," + luaLiteral(g.bytes(40)) + ")",
			"return struct.pack(" + luaLiteral(g.format()) + "," + g.numbers(12) + ")",
			"return " + g.bitCall(),
		} {
			if !c.compare(piece) {
				return
			}
		}
	}
}

// luaLiteral is a Lua string of any bytes.
func luaLiteral(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// codecGenerator makes input for the libraries.
type codecGenerator struct{ *rand.Rand }

func (g codecGenerator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g codecGenerator) bytes(most int) string {
	b := make([]byte, g.IntN(most))
	for i := range b {
		b[i] = byte(g.Uint32())
		if g.IntN(3) == 0 {
			b[i] %= 8
		}
	}
	return string(b)
}

// broken changes, drops or adds a byte, more often than not.
func (g codecGenerator) broken(s string) string {
	if s == "" || g.IntN(4) == 0 {
		return s
	}
	i := g.IntN(len(s))
	switch g.IntN(4) {
	case 0:
		return s[:i]
	case 1:
		return s[:i] + s[i+1:]
	case 2:
		return s[:i] + string([]byte{byte(g.Uint32())}) + s[i:]
	}
	return s[:i] + g.pick("{", "}", "[", "]", `"`, `\`, ":", ",", "-", "0x", "nan", "\x00", "\xff", "e") + s[i+1:]
}

func (g codecGenerator) list(most int, element func() string) string {
	var parts []string
	for range g.IntN(most) {
		parts = append(parts, element())
	}
	return strings.Join(parts, g.pick(",", " ,", ", "))
}

func (g codecGenerator) json(depth int) string {
	kind := g.IntN(8)
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		return g.pick("true", "false", "null")
	case 1, 2:
		return g.number()
	case 3:
		return fmt.Sprint(g.IntN(2000) - 1000)
	case 4, 5:
		return g.jsonString()
	case 6:
		return "[" + g.list(6, func() string { return g.json(depth - 1) }) + "]"
	}
	return "{" + g.list(6, func() string { return g.jsonString() + ":" + g.json(depth-1) }) + "}"
}

func (g codecGenerator) jsonString() string {
	var b strings.Builder
	for range g.IntN(8) {
		b.WriteString(g.pick("a", "b", "key", "/", "ä", "\xfe", `\n`, `\"`, `\\`, `\/`, `\u0041`, `\u00e4`,
			`\u20ac`, `\ud83d\ude00`, `\u0000`, "\x01", "long text without anything"))
	}
	return `"` + b.String() + `"`
}

func (g codecGenerator) number() string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("%d", g.Int64()>>g.IntN(63))
	case 1:
		return fmt.Sprintf("%g", g.NormFloat64())
	case 2:
		return fmt.Sprintf("%.17e", g.NormFloat64()*1e200)
	case 3:
		return fmt.Sprintf("-%d.%03d", g.IntN(1000), g.IntN(1000))
	case 4:
		return fmt.Sprintf("%de%d", g.IntN(100), g.IntN(640)-320)
	}
	return g.pick("0", "-0", "1e15", "123456789012345", "9007199254740993", "0x1F", "-0x1p-3", "00012", "1.", "4294967296",
		"2147483648", "-2147483649", "9223372036854775807", "18446744073709551616", "1e400")
}

// msgpack is a value with headers of every size, whether it needs them or not.
func (g codecGenerator) msgpack(depth int) string {
	kind := g.IntN(12)
	if depth == 0 {
		kind %= 10
	}
	switch kind {
	case 0:
		return string([]byte{byte(g.Uint32()) & 0x7f})
	case 1:
		return string([]byte{byte(g.Uint32()) | 0xe0})
	case 2:
		return g.pick("\xc2", "\xc3", "\xc0")
	case 3, 4:
		tag := byte(0xcc + g.IntN(8))
		return string([]byte{tag}) + g.fill(1 << (tag & 3))[:1<<(tag&3)]
	case 5:
		return "\xca" + g.fill(4)
	case 6:
		return "\xcb\x40" + g.fill(7)
	case 7, 8, 9:
		s := g.bytes(31)
		return g.header(len(s), "\xa0", "\xd9", "\xda", "\xdb") + s
	case 10:
		n := g.IntN(6)
		return g.header(n, "\x90", "", "\xdc", "\xdd") + g.times(n, func() string { return g.msgpack(depth - 1) })
	}
	n := g.IntN(6)
	return g.header(n, "\x80", "", "\xde", "\xdf") + g.times(n, func() string { return g.msgpack(0) + g.msgpack(depth-1) })
}

func (g codecGenerator) times(n int, element func() string) string {
	var b strings.Builder
	for range n {
		b.WriteString(element())
	}
	return b.String()
}

func (g codecGenerator) fill(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return string(b)
}

func (g codecGenerator) header(n int, short, tag8, tag16, tag32 string) string {
	switch g.IntN(4) {
	case 0:
		if tag8 != "" {
			return tag8 + string([]byte{byte(n)})
		}
	case 1:
		return tag16 + string([]byte{0, byte(n)})
	case 2:
		return tag32 + string([]byte{0, 0, 0, byte(n)})
	}
	return string([]byte{short[0] | byte(n)})
}

func (g codecGenerator) format() string {
	return g.times(g.IntN(8), func() string {
		return g.pick("b", "B", "h", "H", "l", "L", "T", "f", "d", "s", "x", "c", "c0", "bc0", "c3", "i", "I", "i1", "i2", "i3",
			"I5", "i8", "i9", "I16", "i32", ">", "<", "!", "!1", "!2", "!4", "!8", "!16", " ", "!3", "i33", "z", "=")
	})
}

func (g codecGenerator) numbers(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = g.pick(`"`+g.number()+`"`, fmt.Sprint(g.IntN(70000)-300), `"12"`, `"text"`, "-(2^63)", "2^64", "0.5", "1/0", "-1/0", "0/0")
	}
	return strings.Join(parts, ",")
}

func (g codecGenerator) bitCall() string {
	name := g.pick("tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap", "tohex")
	return "bit." + name + "(" + g.numbers(1+g.IntN(3)) + ")"
}
