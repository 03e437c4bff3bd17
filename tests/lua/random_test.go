package lua

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// quote is a string as a literal of Lua.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		fmt.Fprintf(&b, `\%03d`, s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// draw is a text of up to n pieces.
func draw(rnd *rand.Rand, n int, pieces []string) string {
	var b strings.Builder
	for range rnd.IntN(n + 1) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

// drawNumber is a number as a literal: small, large, whole or any.
func drawNumber(rnd *rand.Rand) string {
	n := 0.0
	switch rnd.IntN(8) {
	case 0:
		return []string{"0", "-0", "(1/0)", "(-1/0)", "(0/0)", "(-(0/0))", "2^31", "-2^31", "2^53", "2^63", "-2^63", "2^64"}[rnd.IntN(12)]
	case 1:
		n = math.Float64frombits(rnd.Uint64())
		if n != n || math.IsInf(n, 0) {
			n = 1
		}
	case 2:
		n = rnd.NormFloat64() * math.Pow(10, float64(rnd.IntN(40)-20))
	case 3:
		n = rnd.Float64()
	case 4:
		n = float64(rnd.Int64N(1<<54) - 1<<53)
	case 5:
		n = float64(rnd.IntN(20001)-10000) / 8
	default:
		n = float64(rnd.IntN(2001) - 1000)
	}
	return "(" + strconv.FormatFloat(n, 'g', 17, 64) + ")"
}

var patternItems = []string{
	"a", "b", "c", "1", ".", "%a", "%d", "%s", "%w", "%W", "%p", "%l", "%u", "%x", "%z", "%c", "%A", "[ab]", "[^a]", "[a-c]", "[%a1]", "[]]", "[^]a]",
	"[a-]", "[%]]", "(", ")", "()", "(a)", "(.-)", "(b*)", "*", "+", "-", "?", "^", "$", "%1", "%2", "%b()", "%bab", "%f[%a]", "%f[^b]", "%%", "%.",
	"%", "[", "]", "\x00", "(%a+)", ".-", ".*",
}

// TestRandomPatterns compares what the functions with patterns make of random ones, faults included.
func TestRandomPatterns(t *testing.T) {
	d, rnd := newDuel(t), randtest.New(t)
	subject := []string{"a", "b", "c", "ab", "1", " ", "(", ")", "A", ".", "%", "]", "-", "^", "$", "\x00", "\xe4", "abc"}
	replacement := []string{"x", "%0", "%1", "%2", "%%", "%", "<", "\x00", "%a"}
	for range 1500 {
		s, p := quote(draw(rnd, 10, subject)), quote(draw(rnd, 7, patternItems))
		var body string
		switch rnd.IntN(6) {
		case 0:
			body = fmt.Sprintf("return string.find(%s, %s, %d)", s, p, rnd.IntN(24)-12)
		case 1:
			body = fmt.Sprintf("return string.match(%s, %s, %d)", s, p, rnd.IntN(24)-12)
		case 2:
			body = fmt.Sprintf("local r = {} for a, b, c in string.gmatch(%s, %s) do r[#r+1] = {a, b, c} end return r", s, p)
		case 3:
			body = fmt.Sprintf("return string.gsub(%s, %s, %s, %d)", s, p, quote(draw(rnd, 4, replacement)), rnd.IntN(20)-2)
		case 4:
			body = fmt.Sprintf("return string.gsub(%s, %s, {a = 1, b = 'B', ab = false, c = true})", s, p)
		case 5:
			body = fmt.Sprintf("return string.gsub(%s, %s, function(a, b) return b or a end)", s, p)
		}
		d.compare(body, shown(body))
	}
}

// TestRandomFormats compares what string.format makes of random formats and numbers.
func TestRandomFormats(t *testing.T) {
	d, rnd := newDuel(t), randtest.New(t)
	flags := []string{"-", "+", " ", "#", "0"}
	verbs := strings.Split("d i u o x X e E f g G c s q d g f x % y", " ")
	for range 1500 {
		format := draw(rnd, 2, []string{"a", "%%", " "}) + "%" + draw(rnd, 3, flags)
		if rnd.IntN(2) == 0 {
			format += strconv.Itoa(rnd.IntN(30))
		}
		if rnd.IntN(2) == 0 {
			format += "." + strconv.Itoa(rnd.IntN(25))
		}
		format += verbs[rnd.IntN(len(verbs))] + draw(rnd, 1, []string{"|", "%d", "%s"})
		value := drawNumber(rnd)
		if rnd.IntN(5) == 0 {
			value = quote(draw(rnd, 60, []string{"abc", "\x00", "\"", "\n", "1", "\\", "xyz"}))
		}
		body := fmt.Sprintf("return string.format(%s, %s, %s)", quote(format), value, drawNumber(rnd))
		d.compare(strconv.Quote(format)+" "+body, shown(body))
	}
}

// TestRandomNumbers compares how numbers are read and written, and what arithmetic makes of them.
func TestRandomNumbers(t *testing.T) {
	d, rnd := newDuel(t), randtest.New(t)
	pieces := strings.Split("0 1 2 9 10 a f . e E p x 0x 0X + - inf nan ( ) _ , \t \n \x00 00 123456789 e5 e-3 e308 p4 INF Infinity", " ")
	pieces = append(pieces, " ")
	for range 800 {
		a, b := drawNumber(rnd), drawNumber(rnd)
		text := quote(draw(rnd, 5, pieces))
		body := fmt.Sprintf("local a, b = %s, %s return tostring(a), a + b, a - b, a * b, a / b, a %% b, -a, a < b, a == b, "+
			"math.floor(a), math.ceil(a), math.fmod(a, b), math.abs(a), math.max(a, b), math.min(a, b), math.sqrt(a), "+
			"{math.modf(a)}, math.ldexp(a, 3), math.deg(a), math.rad(a), tonumber(%s)", a, b, text)
		d.compare(body, shown(body))
	}
}

// TestRandomFunctions compares the functions of C's libm. glibc rounds some results to the second
// nearest number, about one in fifty; all others have to be the same.
func TestRandomFunctions(t *testing.T) {
	d, rnd := newDuel(t), randtest.New(t)
	differ, total := map[string]int{}, 200
	for _, f := range strings.Split("exp log log10 sin cos tan asin acos atan sinh cosh tanh atan2 pow", " ") {
		for range total {
			x, y := rnd.NormFloat64()*math.Pow(10, float64(rnd.IntN(7)-3)), rnd.NormFloat64()*10
			switch f {
			case "log", "log10", "pow":
				x = math.Abs(x)
			case "asin", "acos":
				x = rnd.Float64()*2 - 1
			}
			script := fmt.Sprintf("return string.format('%%.17g', math.%s(%.17g, %.17g))", f, x, y)
			want, got := d.redis.Do("EVAL", script, "0").Text, d.larder(script)
			if want == got {
				continue
			}
			differ[f]++
			a, errA := strconv.ParseFloat(want, 64)
			b, errB := strconv.ParseFloat(got, 64)
			if errA != nil || errB != nil || a != math.Nextafter(b, a) {
				t.Errorf("%s: larder %s, redis %s", script, got, want)
			}
		}
	}
	for f, n := range differ {
		t.Logf("%s: %d of %d differ", f, n, total)
		if n > total/10 {
			t.Errorf("%d of %d results of math.%s are not those of redis", n, total, f)
		}
	}
}

// TestRandomSort compares the calls that a sort makes, with comparisons that make sense or do not.
func TestRandomSort(t *testing.T) {
	d, rnd := newDuel(t), randtest.New(t)
	orders := []string{"a < b", "a > b", "a <= b", "true", "false", "a % 3 < b % 3", "(a * 7 + b) % 5 > 2", "a < b and a or nil"}
	for range 400 {
		var items []string
		for range rnd.IntN(40) {
			items = append(items, strconv.Itoa(rnd.IntN(1+rnd.IntN(60))))
		}
		order := orders[rnd.IntN(len(orders))]
		body := fmt.Sprintf("local t, calls = {%s}, {} local ok, err = pcall(table.sort, t, function(a, b) "+
			"calls[#calls+1] = tostring(a) .. '<' .. tostring(b) return %s end) return ok, err, calls, t",
			strings.Join(items, ", "), order)
		d.compare(body, shown(body))
	}
}
