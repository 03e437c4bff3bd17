package config

import (
	"math"
	"strconv"
	"strings"
)

// ParseMemory reads an amount of memory as Redis' memtoull does: digits and a unit, case does not
// matter. b or nothing is bytes; k, m, g are powers of 1000; kb, mb, gb are powers of 1024. No
// digits are zero. Digits past 64 bits saturate, as in Redis; a product past 64 bits is refused
// where Redis wraps around, and so are more digits than Redis' buffer holds.
func ParseMemory(s string) (uint64, bool) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	const mostDigits = 127
	unit, ok := memoryUnit(s[digits:])
	if !ok || digits > mostDigits {
		return 0, false
	}
	var n uint64
	if digits > 0 {
		var err error
		if n, err = strconv.ParseUint(s[:digits], 10, 64); err != nil {
			n = math.MaxUint64
		}
	}
	if n > math.MaxUint64/unit {
		return 0, false
	}
	return n * unit, true
}

func memoryUnit(s string) (uint64, bool) {
	switch strings.ToLower(s) {
	case "", "b":
		return 1, true
	case "k":
		return 1000, true
	case "kb":
		return 1 << 10, true
	case "m":
		return 1000 * 1000, true
	case "mb":
		return 1 << 20, true
	case "g":
		return 1000 * 1000 * 1000, true
	case "gb":
		return 1 << 30, true
	}
	return 0, false
}

// formatMemory writes an amount as CONFIG REWRITE does: in the largest unit that divides it.
func formatMemory(n uint64) string {
	switch {
	case n != 0 && n%(1<<30) == 0:
		return strconv.FormatUint(n>>30, 10) + "gb"
	case n != 0 && n%(1<<20) == 0:
		return strconv.FormatUint(n>>20, 10) + "mb"
	case n != 0 && n%(1<<10) == 0:
		return strconv.FormatUint(n>>10, 10) + "kb"
	}
	return strconv.FormatUint(n, 10)
}
