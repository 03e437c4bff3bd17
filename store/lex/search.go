package lex

import "bytes"

// Search for a literal piece of a pattern, linear in the worst case.
//
// bytes.Index is fastest by far, but not linear: it compares the whole of a long needle at every
// sixteenth place, and whoever knows its hash function can have it do so everywhere. So it gets
// needles of up to shortNeedle bytes, which it compares by one or two vector instructions. Longer
// ones, which no ordinary pattern has, are looked for by the two-way algorithm of Crochemore and
// Perrin ("Two-way string-matching", 1991), which needs no memory: less than two comparisons for a
// byte of the text, and three for one of the needle. Knuth, Morris and Pratt's would do too, with a
// table of four bytes for each of the needle's.

// shortNeedle is the length up to which bytes.Index compares without a loop on every machine that
// has vector instructions.
const shortNeedle = 63

// findLiteral returns the first place of needle, which is not empty, in s, negative if there is none.
func findLiteral(s, needle []byte) (at, steps int) {
	if len(needle) > shortNeedle {
		return twoWay(s, needle)
	}
	if at = bytes.Index(s, needle); at < 0 {
		return at, len(s)
	}
	return at, at + len(needle)
}

// twoWay cuts the needle where its local period is its global one. It compares the right part
// forwards, and only when that fits the left part. A mismatch on the right moves the needle behind
// the byte that mismatched; one on the left moves it by the period.
func twoWay(s, needle []byte) (at, steps int) {
	cut, period, steps := criticalCut(needle)
	whole := bytes.Equal(needle[:cut], needle[period:period+cut]) // period is that of the whole needle
	steps += cut
	if !whole {
		period = max(cut, len(needle)-cut+1) // no more is known of it than that it is as long
	}
	known := 0 // so many bytes at the beginning are known to fit
	for at+len(needle) <= len(s) {
		window := s[at : at+len(needle)]
		i := max(cut, known)
		for i < len(needle) && needle[i] == window[i] {
			i++
		}
		steps += i - max(cut, known) + 1
		if i < len(needle) {
			at += i - cut + 1
			known = 0
			continue
		}
		i = cut
		for i > known && needle[i-1] == window[i-1] {
			i--
		}
		steps += cut - i + 1
		if i <= known {
			return at, steps
		}
		at += period
		if known = 0; whole {
			known = len(needle) - period
		}
	}
	return -1, steps
}

// criticalCut returns the critical factorization: where the later of the needle's two maximal
// suffixes begins, one by the order of bytes and one by the reverse order, and the period of it.
func criticalCut(needle []byte) (cut, period, steps int) {
	cut, period, steps = maximalSuffix(needle, false)
	reverse, reversePeriod, more := maximalSuffix(needle, true)
	if reverse > cut {
		cut, period = reverse, reversePeriod
	}
	return cut, period, steps + more
}

// maximalSuffix returns where the greatest suffix of the needle begins, and its period.
func maximalSuffix(needle []byte, reverse bool) (begin, period, steps int) {
	begin, period = -1, 1 // begin is one less while it is looked for, as in the paper
	for next, k := 0, 1; next+k < len(needle); steps++ {
		a, b := needle[next+k], needle[begin+k]
		switch {
		case a == b && k == period:
			next += period
			k = 1
		case a == b:
			k++
		case (a < b) != reverse:
			next += k
			k = 1
			period = next - begin
		default:
			begin = next
			next++
			k, period = 1, 1
		}
	}
	return begin + 1, period, steps
}
