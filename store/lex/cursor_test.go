package lex

import (
	"math"
	"testing"
)

func TestParseCursor(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "17": 17, "+5": 5, "05": 5, "-0": 0, " 0": 0, "\t\n\v\f\r 7": 7, " -1": math.MaxUint64, "-01": math.MaxUint64,
		"-18446744073709551615": 1, "18446744073709551615": math.MaxUint64, "1\x00": 1, "1\x00a": 1, "9223372036854775808": 1 << 63,
	} {
		if got, ok := ParseCursor([]byte(text)); !ok || got != want {
			t.Errorf("ParseCursor(%q) = %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "-", "+", "-1", "-9223372036854775808", "1 ", "1a", "a", "0x10", "--1", "- 1", "\x00", "\x001",
		"18446744073709551616", "99999999999999999999999", "-18446744073709551616",
	} {
		if got, ok := ParseCursor([]byte(text)); ok {
			t.Errorf("ParseCursor(%q) = %d, want refusal", text, got)
		}
	}
}
