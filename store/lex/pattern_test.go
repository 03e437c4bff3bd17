package lex

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		nocase     bool
		want       bool
	}{
		{"", "", false, true}, {"", "a", false, false}, {"a", "", false, false},
		{"*", "", false, true}, {"**", "", false, false}, {"*", "a", false, true}, {"**", "abc", false, true},
		{"a*", "a", false, true}, {"a***", "a", false, true}, {"*a", "a", false, true}, {"*a*", "a", false, true},
		{"a*c", "abbbc", false, true}, {"a*c", "abbb", false, false}, {"*b*b*b", "abbb", false, true},
		{"h?llo", "hello", false, true}, {"h?llo", "hllo", false, false}, {"?", "", false, false}, {"*?", "a", false, true},
		{"h[ae]llo", "hallo", false, true}, {"h[ae]llo", "hillo", false, false}, {"h[^e]llo", "hallo", false, true}, {"h[^e]llo", "hello", false, false},
		{"[a-c]", "b", false, true}, {"[c-a]", "b", false, true}, {"[a-c]", "d", false, false}, {"[a-]", "-", false, false},
		{"[a-]]", "_", false, true}, {"[]", "a", false, false}, {"[^]", "a", false, true}, {"[]a", "a", false, false},
		{"[abc", "b", false, true}, {"[abc", "d", false, false}, {"[", "[", false, false}, {"[^", "x", false, true},
		{`\*`, "*", false, true}, {`\*`, "a", false, false}, {`a\`, `a\`, false, true}, {`[\]]`, "]", false, true}, {`[\-a]`, "-", false, true},
		{`\a`, "a", false, true}, {`[\`, `\`, false, true},
		{"HeLLo", "hEllO", true, true}, {"HeLLo", "hEllO", false, false}, {"[a-c]", "B", true, true}, {"[abc]", "B", true, true}, {`[\b]`, "B", true, false},
		{"*é*", "café!", false, true}, {"[a-\xff]", "a", false, true}, {"[a-\xff]", "z", false, false}, {"[a-\xff]", "\x00", false, true},
		{"a\x00b", "a\x00b", false, true}, {"a", "a\x00", false, false},
		{"user:*:profile", "user:1000:profile", false, true}, {"user:*:profile", "user:1000:profiles", false, false},
	} {
		if got := Compile([]byte(c.pattern), c.nocase).Match([]byte(c.s)); got != c.want {
			t.Errorf("%q, %q, nocase %v: %v", c.pattern, c.s, c.nocase, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		pattern, prefix string
		nocase, all     bool
	}{
		{"", "", false, false}, {"*", "", false, true}, {"**", "", false, false}, {"user:*", "user:", false, false}, {"a?b", "a", false, false},
		{`a\*[bc]`, "a*", false, false}, {"abc", "abc", false, false}, {"12-A*", "12-", true, false}, {"[a]bc*", "", false, false},
	} {
		p := Compile([]byte(c.pattern), c.nocase)
		if string(p.Prefix()) != c.prefix || p.All() != c.all {
			t.Errorf("%q: prefix %q, all %v", c.pattern, p.Prefix(), p.All())
		}
	}
}

// modelMatch is stringmatchlen of Redis 7.0's util.c, line by line, but for what it does about its
// stack and its time. at reads a byte beyond the end as C does, which has a 0 there.
func modelMatch(pattern, s []byte, nocase bool) bool {
	at := func(i int) byte {
		if i < len(pattern) {
			return pattern[i]
		}
		return 0
	}
	fold := func(b byte) int {
		if nocase && 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		return int(int8(b))
	}
	for len(pattern) > 0 && len(s) > 0 {
		switch pattern[0] {
		case '*':
			for at(1) == '*' {
				pattern = pattern[1:]
			}
			if len(pattern) == 1 {
				return true
			}
			for ; len(s) > 0; s = s[1:] {
				if modelMatch(pattern[1:], s, nocase) {
					return true
				}
			}
			return false
		case '?':
		case '[':
			i := 1
			not := at(i) == '^'
			if not {
				i++
			}
			match := false
			for {
				left := len(pattern) - i
				if left >= 2 && at(i) == '\\' {
					i++
					match = match || pattern[i] == s[0]
				} else if left > 0 && at(i) == ']' {
					break
				} else if left <= 0 {
					i--
					break
				} else if left >= 3 && at(i+1) == '-' {
					from, to := pattern[i], pattern[i+2]
					if int8(from) > int8(to) {
						from, to = to, from
					}
					match = match || fold(from) <= fold(s[0]) && fold(s[0]) <= fold(to)
					i += 2
				} else {
					match = match || fold(pattern[i]) == fold(s[0])
				}
				i++
			}
			if match == not {
				return false
			}
			pattern = pattern[i:]
		case '\\':
			if len(pattern) >= 2 {
				pattern = pattern[1:]
			}
			fallthrough
		default:
			if fold(pattern[0]) != fold(s[0]) {
				return false
			}
		}
		pattern, s = pattern[1:], s[1:]
		if len(s) == 0 {
			for at(0) == '*' {
				pattern = pattern[1:]
			}
		}
	}
	return len(pattern) == 0 && len(s) == 0
}

// checkModel compares with the model, which takes exponential time.
func checkModel(t *testing.T, pattern, s []byte, nocase bool) {
	t.Helper()
	want := string(pattern) == "*" || modelMatch(pattern, s, nocase)
	if got := Compile(pattern, nocase).Match(s); got != want {
		t.Fatalf("%q, %q, nocase %v: %v", pattern, s, nocase, got)
	}
}

func TestMatchLikeTheModel(t *testing.T) {
	rnd := randtest.New(t)
	for range 100_000 {
		pattern := randomText(rnd, "**??[]^-\\aaabbZ\xfe\x05", 12)
		checkModel(t, pattern, randomText(rnd, "aabbzZ-]\\\xff", 10), rnd.IntN(2) == 0)
	}
}

func randomText(rnd *rand.Rand, alphabet string, most int) []byte {
	b := make([]byte, rnd.IntN(most+1))
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return b
}

// TestLongPieces compares long pieces, which are searched in other ways than short ones, with trying
// every place. Texts of few different bytes, with few exceptions, fit nearly everywhere.
func TestLongPieces(t *testing.T) {
	rnd := randtest.New(t)
	found := 0
	for range 2000 {
		s := bytes.Repeat(randomText(rnd, "ab", 3), 1+rnd.IntN(2000))
		for range rnd.IntN(4) {
			if len(s) > 0 {
				s[rnd.IntN(len(s))] = "abc"[rnd.IntN(3)]
			}
		}
		from := rnd.IntN(len(s) + 1)
		piece := s[from : from+rnd.IntN(len(s)-from+1)]
		pattern := []byte{'*'}
		plain := rnd.IntN(3) == 0
		for _, c := range piece {
			switch k := rnd.IntN(8); {
			case plain || k > 2:
				pattern = append(pattern, c)
			case k == 2:
				pattern = append(pattern, '[', c, 'x', ']')
			case k == 1:
				pattern = append(pattern, "[^x]"...)
			default:
				pattern = append(pattern, '?')
			}
		}
		if len(piece) > 0 && rnd.IntN(2) == 0 {
			pattern[len(pattern)-1] = "abc"[rnd.IntN(3)] // mostly to no avail; may end a class otherwise
		}
		p := Compile(append(pattern, '*'), false)
		if len(p.pieces) != 3 {
			continue
		}
		at, _ := p.find(p.pieces[1], s)
		if want := naiveFind(p, p.pieces[1], s); at != want {
			t.Fatalf("%q in %q: at %d, want %d", pattern, s, at, want)
		}
		if at > 0 {
			found++
		}
	}
	if found == 0 {
		t.Error("nothing was found behind the beginning")
	}
}

func naiveFind(p *Pattern, piece piece, s []byte) int {
	for at := 0; at+int(piece.n) <= len(s); at++ {
		if _, ok := p.fits(piece, s[at:]); ok {
			return at
		}
	}
	return -1
}

func TestTwoWay(t *testing.T) {
	rnd := randtest.New(t)
	for range 50_000 {
		s, needle := randomText(rnd, "ab", 40), append(randomText(rnd, "ab", 9), 'a')
		at, steps := twoWay(s, needle)
		if want := bytes.Index(s, needle); at != want {
			t.Fatalf("%q in %q: %d, want %d", needle, s, at, want)
		}
		if most := 3*len(s) + 7*len(needle) + 7; steps > most {
			t.Fatalf("%q in %q: %d steps, at most %d", needle, s, steps, most)
		}
	}
}

// nasty are patterns that make other matchers slow, with a subject of n bytes for each.
func nasty(n int) []struct{ name, pattern, s string } {
	many := strings.Repeat
	as, half := many("a", n), n/2
	mixed := many("ab", n/2)
	holed := many("a", n/2) + "bb" + many("a", n-n/2-2)
	return []struct{ name, pattern, s string }{
		{"a long class", "*[" + many("z", 2*n/3) + "]", many("y", n)},
		{"a long class that is never closed", "*[" + many("z", 2*n/3), many("y", n)},
		{"many classes that are never closed", "*" + many("[z*", half), many("y", n)},
		{"half the subject, one byte off at the end", "*" + many("a", half) + "b*", as},
		{"the same in the middle", "*" + many("a", half/2) + "b" + many("a", half/2) + "*", as},
		{"the same at the start", "*b" + many("a", half) + "*", as},
		{"a period of sixteen", "*" + many("abcdefghijklmnop", half/16) + "x*", many("abcdefghijklmnop", n/16)},
		{"a byte of the subject is off", "*" + many("a", half) + "*", holed},
		{"many stars", many("*a", half) + "*b", as},
		{"many stars and ?", many("*?", half) + "b", as},
		{"many stars and classes", many("*[ab]", n/5) + "c", as},
		{"stars, the last piece off", many("a*", 50) + "b*", as},
		{"? for half the subject", "*" + many("?", half) + "b*", as},
		{"every other byte ?", "*" + many("a?", half/2) + "b*", as},
		{"every other byte ?, off in the middle", "*" + many("a?", half/4) + "b" + many("a?", half/4) + "*", as},
		{"every other byte ?, each place off elsewhere", "*" + many("a?", half/2) + "*", holed},
		{"the same, in both bytes", "*" + many("a?", half/2) + "a*", mixed},
		{"classes, off at the end", "*" + many("[ab]", n/5) + "c*", as},
		{"classes, each place off elsewhere", "*" + many("[ac]", n/5) + "*", many("a", n/3) + "b" + many("a", n/3) + "b" + many("a", n/3)},
		{"different classes", "*" + different(n/5) + "*", many("a", n/2) + "b" + many("a", n/2)},
		{"negated classes", "*" + many("[^b]", n/5) + "*", many("a", n/3) + "b" + many("a", n/3) + "b" + many("a", n/3)},
		{"many short pieces with ?", many("*a?b", n/5) + "c*", many("aab", n/3)},
		{"many pieces just too long for a word", many("*"+many("a?", 33), n/100) + "c*", as},
		{"many long pieces, each a little further on", many("*"+many("a?", 33)+"b", n/300) + "*", many(many("a", 130)+"b", n/131)},
	}
}

// different is classes that all have an a and are all different.
func different(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("[a" + string(rune('c'+i%23)) + string(rune('c'+i/23%23)) + "]")
	}
	return b.String()
}

// checkSteps holds a match against the bound that is promised for it.
func checkSteps(t *testing.T, p *Pattern, s []byte) {
	t.Helper()
	_, steps := p.match(s)
	elements, n := len(p.code), len(s)
	most := 16*(len(p.literals)+n) + 2*elements*n/64 + 64
	if steps > most {
		t.Fatalf("%d steps for %d elements and %d bytes; at most %d", steps, len(p.literals), n, most)
	}
}

func TestNastyPatterns(t *testing.T) {
	for _, c := range nasty(60_000) {
		t.Run(c.name, func(t *testing.T) {
			checkSteps(t, Compile([]byte(c.pattern), false), []byte(c.s))
			checkSteps(t, Compile([]byte(c.pattern), true), []byte(c.s))
		})
	}
}

// TestCompileMemory holds the memory of a pattern against its length.
func TestCompileMemory(t *testing.T) {
	for _, c := range nasty(6000) {
		p := Compile([]byte(c.pattern), false)
		size := 12*cap(p.pieces) + cap(p.literals) + 4*cap(p.code) + 32*cap(p.classes)
		if most := 32*len(c.pattern) + 64; size > most {
			t.Errorf("%s: %d bytes for %d", c.name, size, len(c.pattern))
		}
	}
}

// FuzzMatch compares with the model.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"a*b?[c-e]", "axxbyd"}, {`[^\]]*`, "]"}, {"[a-", "-"}, {"*[*]*", "a*b"}, {"[", "a"}, {"[^", "a"}, {`\`, `\`}} {
		f.Add([]byte(s[0]), []byte(s[1]), false)
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte, nocase bool) {
		if len(pattern) > 24 || len(s) > 24 {
			t.Skip("the model takes exponential time")
		}
		checkModel(t, pattern, s, nocase)
	})
}

// FuzzSteps repeats parts of a pattern and of a subject, and counts steps.
func FuzzSteps(f *testing.F) {
	f.Add([]byte("*"), []byte("a?"), []byte("b*"), uint16(2000), []byte("a"), []byte("b"), uint16(8000))
	f.Add([]byte("*"), []byte("[ab]"), []byte("c*"), uint16(1000), []byte("ab"), []byte(""), uint16(4000))
	f.Add([]byte("a"), []byte("*a?"), []byte(""), uint16(1000), []byte("aab"), []byte("b"), uint16(4000))
	f.Fuzz(func(t *testing.T, before, part, after []byte, parts uint16, text, end []byte, texts uint16) {
		pattern := append(bytes.Repeat(part, int(parts)%(1+20_000/(1+len(part)))), after...)
		s := append(bytes.Repeat(text, int(texts)%(1+20_000/(1+len(text)))), end...)
		checkSteps(t, Compile(append(before, pattern...), false), s)
	})
}

func BenchmarkNasty(b *testing.B) {
	for _, c := range nasty(60_000) {
		b.Run(c.name, func(b *testing.B) {
			pattern, s := []byte(c.pattern), []byte(c.s)
			for b.Loop() {
				Compile(pattern, false).Match(s)
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	s := []byte("user:1000:profile")
	for _, pattern := range []string{"user:*", "*:profile", "user:*:profile", "user:[0-9]*", "*:1?0*", "nobody*"} {
		b.Run(pattern, func(b *testing.B) {
			p := Compile([]byte(pattern), false)
			for b.Loop() {
				p.Match(s)
			}
		})
	}
}
