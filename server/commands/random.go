package commands

import (
	"math"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER share: a positive count asks for that many
// distinct elements, at most all; a negative one for exactly that many draws,
// each from the whole collection.

// maxRandomReply bounds, in bytes, what a negative count can make the server
// write. Redis has no bound: one such request with a count of some billions
// takes all its memory.
const maxRandomReply = 512 << 20

// leastBulk is the length of the shortest element of a reply.
const leastBulk = len("$0\r\n\r\n")

// randomCount reads the count.
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

// randomOptions reads what HRANDFIELD and ZRANDMEMBER have from the count on: it may be followed by
// the word that asks for values.
func randomOptions(c *engine.Ctx, word string) (count int64, withValues bool, err error) {
	if count, err = randomCount(c.Args[2]); err != nil {
		return 0, false, err
	}
	a := c.Parse(3)
	withValues = a.Match(word)
	if !a.Done() {
		a.Syntax()
	} else if withValues && (count < -math.MaxInt64/2 || count > math.MaxInt64/2) {
		a.Fail(engine.ErrValueRange)
	}
	return count, withValues, a.Err()
}

// randomReplySize is the number of elements that a count asks of a collection of
// size elements.
func randomReplySize(c *engine.Ctx, count int64, size int) (int, error) {
	if count >= 0 {
		return int(min(count, int64(size))), nil
	}
	if !c.MayFit(-float64(count) * float64(leastBulk)) {
		return 0, engine.ErrReplyOOM // without drawing millions of elements to find that out
	}
	if count < -int64(maxRandomReply/leastBulk) {
		return 0, engine.ErrValueRange
	}
	return int(-count), nil
}

// draws bounds the reply to a negative count while it is drawn: how long it becomes is known only
// when its elements are, and millions of them take seconds in which others wait.
type draws struct {
	c     *engine.Ctx
	start int // length of the output before the reply
	left  int // elements still to draw, -1: the count is positive, and the collection bounds the reply
	err   error
}

func beginDraws(c *engine.Ctx, count int64, n int) draws {
	if count >= 0 {
		n = -1
	}
	return draws{c: c, start: c.Out.Len(), left: n}
}

// goOn is called after each element. It reports whether the reply may still end within its bounds,
// were all elements to come as short as can be; err says why not.
func (d *draws) goOn() bool {
	if d.left < 0 {
		return true
	}
	d.left--
	length := d.c.Out.Len()
	switch {
	case length >= maxRandomReply:
		d.err = engine.ErrValueRange
	case !d.c.MayFit(float64(length-d.start) + float64(d.left)*float64(leastBulk)):
		d.err = engine.ErrReplyOOM
	}
	return d.err == nil
}
