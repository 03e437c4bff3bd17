package syntax

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// words are what random sources are made of.
var words = strings.Fields("and break do else elseif end false for function if in local nil not or repeat return " +
	"then true until while .. ... == >= <= ~= = < > + - * / % ^ # ( ) [ ] { } ; : , . 1 0x1F 1e5 3x 1.5 a b c d " +
	"'x' \"y\" [[z]] [==[w]==] 'un --x [= end end a a ( ) ) , = do then return")

// phrases are whole pieces, which take a source further.
var phrases = []string{
	"local a = 1 ", "local a, b = f(), ... ", "a.b[c] = d ", "if a then ", "elseif b then ", "else ", "end ", "end ",
	"while a do ", "for i = 1, 2 do ", "for k, v in pairs(t) do ", "repeat ", "until x ", "break ", "return ",
	"function f(a, ...) ", "local function g() ", "f(a, b) ", "a:b(c) ", "f{a, b = c, [d] = 1} ", "f'x' ", "x = ",
	"(a or b) ", "a + b * c ", "function() ", "{", "} ", "( ", ") ", "\n", "\n", "do ", "f\n",
}

func randomSource(rng *rand.Rand) string {
	var b strings.Builder
	for range 1 + rng.IntN(25) {
		if rng.IntN(3) > 0 {
			b.WriteString(phrases[rng.IntN(len(phrases))])
		} else {
			b.WriteString(words[rng.IntN(len(words))])
			b.WriteString([]string{" ", " ", "\n", ""}[rng.IntN(4)])
		}
	}
	return b.String()
}

// TestRandomSources parses sources that are nearly right. With -redis it compares errors.
func TestRandomSources(t *testing.T) {
	rng := randtest.New(t)
	good := 0
	for range 3000 {
		source := randomSource(rng)
		got := oneLine(errorOf(source))
		if got == "" {
			good++
		}
		if *redis == "" {
			continue
		}
		if want := askRedis(t, source); got != want {
			t.Errorf("%q\n got %q\nwant %q", source, got, want)
		}
	}
	t.Logf("%d sources are right", good)
}

func FuzzParse(f *testing.F) {
	for _, c := range limits {
		if len(c.source) < 1000 {
			f.Add(c.source)
		}
	}
	f.Add("local k = KEYS[1] if redis.call('get', k) == ARGV[1] then return redis.call('del', k) end return 0")
	f.Add("x = [==[a]]]==] --[[c]] .. 'a\\065\\n' .. 0x1p4 .. {1; a = 2, [3] = 4}")
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Parse(source, "=f")
		if err != nil && !strings.HasPrefix(err.Error(), "f:") && err.Error() != "not enough memory" {
			t.Errorf("%q: %v", source, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	source := strings.Repeat("local count = tonumber(redis.call('hincrby', KEYS[1], 'n', 1))\n"+
		"if count == 1 then redis.call('pexpire', KEYS[1], ARGV[1]) end\n", 100)
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("do "+strings.ReplaceAll(source, "end\n", "end end do\n")+" end", "@x"); err != nil {
			b.Fatal(err)
		}
	}
}
