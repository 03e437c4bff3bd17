package lex

// Span turns the two inclusive offsets of GETRANGE and SUBSTR into the half-open
// part [lo, hi) of a string of n bytes. Negative offsets count from the end.
//
// The rule is Redis' for strings, which is not its rule for lists: offsets that
// lie before the string move to its first byte, so 0 -100 selects one byte.
// An empty selection is lo == hi == 0.
func Span(start, end int64, n int) (lo, hi int) {
	size := int64(n)
	if start < 0 && end < 0 && start > end {
		return 0, 0
	}
	if start < 0 {
		start = max(size+start, 0)
	}
	if end < 0 {
		end = max(size+end, 0)
	}
	end = min(end, size-1)
	if start > end {
		return 0, 0
	}
	return int(start), int(end) + 1
}

// Ranks turns the two inclusive positions of LRANGE and ZRANGE into the half-open part [lo, hi) of
// n elements. Negative positions count from the end; what lies outside is cut off. An empty
// selection is lo == hi == 0.
func Ranks(start, stop int64, n int) (lo, hi int) {
	size := int64(n)
	if start < 0 {
		start = max(size+start, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return 0, 0
	}
	return int(start), int(stop) + 1
}
