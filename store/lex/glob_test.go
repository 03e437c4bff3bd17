package lex

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		nocase     bool
		want       bool
	}{
		{"", "", false, true}, {"", "a", false, false}, {"a", "", false, false},
		{"*", "", false, false}, {"*", "a", false, true}, {"**", "abc", false, true},
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
		if got := Match([]byte(c.pattern), []byte(c.s), c.nocase); got != c.want {
			t.Errorf("Match(%q, %q, nocase %v) = %v", c.pattern, c.s, c.nocase, got)
		}
	}
}

// TestMatchBounded runs patterns that cost a backtracking matcher exponential
// time or a deep stack.
func TestMatchBounded(t *testing.T) {
	start := time.Now()
	for range 20 {
		if Match([]byte(strings.Repeat("a*", 50)+"b"), bytes.Repeat([]byte("a"), 5000), false) {
			t.Fatal("matched")
		}
		if !Match([]byte(strings.Repeat("*?", 50_000)), bytes.Repeat([]byte("a"), 50_000), false) {
			t.Fatal("did not match")
		}
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Fatalf("took %v", d)
	}
}

// FuzzMatch compares with the plain reading of the rules: recursive, trying
// every length for every star.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"a*b?[c-e]", "axxbyd"}, {`[^\]]*`, "]"}, {"[a-", "-"}, {"*[*]*", "a*b"}, {"[", "a"}, {"[^", "a"}, {`\`, `\`}} {
		f.Add([]byte(s[0]), []byte(s[1]), false)
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte, nocase bool) {
		if len(pattern) > 24 || len(s) > 24 {
			t.Skip("the model takes exponential time")
		}
		want := modelMatch(pattern, s, nocase)
		if len(s) == 0 {
			want = len(pattern) == 0
		}
		if got := Match(pattern, s, nocase); got != want {
			t.Fatalf("Match(%q, %q, %v) = %v", pattern, s, nocase, got)
		}
	})
}

func modelMatch(p, s []byte, nocase bool) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	if p[0] == '*' {
		return modelMatch(p[1:], s, nocase) || len(s) > 0 && modelMatch(p, s[1:], nocase)
	}
	if len(s) == 0 {
		return false
	}
	members, n := modelElement(p, nocase)
	return members[s[0]] && modelMatch(p[n:], s[1:], nocase)
}

// modelElement lists the bytes that the element at the front of p accepts.
func modelElement(p []byte, nocase bool) (set [256]bool, n int) {
	fold := func(b byte) byte {
		if nocase && 'A' <= b && b <= 'Z' {
			return b | 0x20
		}
		return b
	}
	add := func(from, to byte) {
		lo, hi := int8(from), int8(to)
		if lo > hi {
			lo, hi = hi, lo
		}
		lo, hi = int8(fold(byte(lo))), int8(fold(byte(hi)))
		for c := range 256 {
			if x := int8(fold(byte(c))); lo <= x && x <= hi {
				set[c] = true
			}
		}
	}
	switch {
	case p[0] == '?':
		for c := range set {
			set[c] = true
		}
		return set, 1
	case p[0] == '\\' && len(p) > 1:
		add(p[1], p[1])
		return set, 2
	case p[0] != '[':
		add(p[0], p[0])
		return set, 1
	}
	rest := p[1:]
	not := len(rest) > 0 && rest[0] == '^'
	if not {
		rest = rest[1:]
	}
	for len(rest) > 0 && rest[0] != ']' {
		switch {
		case len(rest) >= 2 && rest[0] == '\\':
			set[rest[1]] = true
			rest = rest[2:]
		case len(rest) >= 3 && rest[1] == '-':
			add(rest[0], rest[2])
			rest = rest[3:]
		default:
			add(rest[0], rest[0])
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		rest = rest[1:]
	}
	if not {
		for c := range set {
			set[c] = !set[c]
		}
	}
	return set, len(p) - len(rest)
}
