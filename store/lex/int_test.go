package lex

import (
	"math"
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	good := []int64{0, 1, -1, 9, 10, -10, 1234567890, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1}
	for _, want := range good {
		text := strconv.FormatInt(want, 10)
		if got, ok := ParseInt([]byte(text)); !ok || got != want {
			t.Errorf("ParseInt(%q) = %d, %v", text, got, ok)
		}
	}
	bad := []string{
		"", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1a", "a", "/", ":", "0x10", "1.0", "1e3",
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "-99999999999999999999", "123456789012345678901", "1\x00", "--1",
	}
	for _, text := range bad {
		if got, ok := ParseInt([]byte(text)); ok {
			t.Errorf("ParseInt(%q) = %d, want refusal", text, got)
		}
	}
}

// TestParseIntByWords: texts that are read as one word, with any byte in any place.
func TestParseIntByWords(t *testing.T) {
	for n := 3; n <= 9; n++ {
		for _, text := range []string{"123456789", "999999999", "100000000"} {
			for i := range n {
				for c := range 256 {
					b := []byte(text[:n])
					b[i] = byte(c)
					want, err := strconv.ParseInt(string(b), 10, 64)
					canonical := err == nil && strconv.FormatInt(want, 10) == string(b)
					if got, ok := ParseInt(b); ok != canonical || ok && got != want {
						t.Fatalf("ParseInt(%q) = %d, %v", b, got, ok)
					}
				}
			}
		}
	}
}

// FuzzParseInt holds the definition: a text is an integer if and only if
// printing its value gives the text back.
func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"0", "-9223372036854775808", "9223372036854775808", "+5", "007"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := ParseInt(b)
		want, err := strconv.ParseInt(string(b), 10, 64)
		canonical := err == nil && strconv.FormatInt(want, 10) == string(b)
		if ok != canonical || ok && got != want {
			t.Fatalf("ParseInt(%q) = %d, %v; want %d, %v", b, got, ok, want, canonical)
		}
	})
}
