package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// What HRANDFIELD and SRANDMEMBER share: a positive count asks for that many
// distinct elements, at most all; a negative one for exactly that many draws,
// each from the whole collection.

// maxRandomReply bounds, in bytes, what a negative count can make the server
// write. Redis has no bound: one such request with a count of some billions
// takes all its memory.
const maxRandomReply = 512 << 20

// leastBulk is the length of the shortest element of a reply.
const leastBulk = len("$0\r\n\r\n")

// randomCount reads the count of HRANDFIELD and SRANDMEMBER.
func randomCount(arg []byte) (int64, error) {
	n, ok := lex.ParseInt(arg)
	if !ok {
		return 0, engine.ErrNotInteger
	}
	if n == math.MinInt64 {
		return 0, engine.ErrCountRange
	}
	return n, nil
}

// randomReplySize is the number of elements that a count asks of a collection of
// size elements.
func randomReplySize(count int64, size int) (int, error) {
	if count >= 0 {
		return int(min(count, int64(size))), nil
	}
	if count < -int64(maxRandomReply/leastBulk) {
		return 0, engine.ErrValueRange
	}
	return int(-count), nil
}
