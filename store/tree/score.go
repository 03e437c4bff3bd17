package tree

import "math"

// Scores are kept as keys: unsigned words in the order of the scores. A float's bits order
// as an integer's but for the sign. -0 has the key before that of 0; they compare equal in a
// sorted set, so a score stands for a range of keys, in which only these two differ.

// KeyOf is the key of a score.
func KeyOf(score float64) uint64 {
	b := math.Float64bits(score)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func scoreOf(key uint64) float64 {
	return math.Float64frombits(key ^ (uint64(int64(^key)>>63) | 1<<63))
}

// keysOf is the range of keys that compare equal to a score.
func keysOf(score float64) (lo, hi uint64) {
	if score == 0 {
		return 1<<63 - 1, 1 << 63
	}
	k := KeyOf(score)
	return k, k
}

// below is the number of keys, which ascend, that are less than key.
func below(keys []uint64, key uint64) int {
	lo, n := 0, len(keys)
	for n > 0 {
		half := n >> 1
		if keys[lo+half] < key {
			lo += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	return lo
}

// within returns the range of the keys from lo to hi.
func within(keys []uint64, lo, hi uint64) (i, j int) {
	i = below(keys, lo)
	j = i
	if i < len(keys) && keys[i] <= hi {
		j += below(keys[i:], hi+1)
	}
	return i, j
}
