package commands

import (
	"strconv"

	"github.com/larderkv/larder/protocol"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// collectionScan is one step of HSCAN, SSCAN or ZSCAN: cursor, options and the reply
// that grows element by element.
//
// A reply begins with the next cursor and the number of elements, and both are
// known at the end only. So the elements are written first and the head is
// moved before them, which costs one copy of the reply and no list of elements.
type collectionScan struct {
	cursor   uint64
	count    int
	pattern  *lex.Pattern // nil: everything
	noValues bool

	out     *protocol.Writer
	body    int // where the reply begins
	written int
}

// mostScanned bounds what one call of the SCAN family visits, whatever its COUNT: some milliseconds.
// COUNT is a hint, so a call may return fewer and the cursor to go on from, which lets others run.
const mostScanned = 16384

// parseCursor reads the cursor at Args[at], behind which the options stand. Redis checks it before it
// looks at the key, and the options only after.
func parseCursor(c *engine.Ctx, at int) (s collectionScan, err error) {
	cursor, ok := lex.ParseCursor(c.Args[at])
	if !ok {
		return s, engine.ErrInvalidCursor
	}
	return collectionScan{cursor: cursor, count: 10}, nil
}

// matchOption takes one of the options that all scans have, and reports whether there was one.
func (s *collectionScan) matchOption(a *engine.Args) bool {
	switch {
	case a.MatchValue("COUNT"):
		n := a.Int64()
		if n < 1 && a.Err() == nil {
			a.Syntax()
		}
		s.count = int(min(n, mostScanned))
	case a.MatchValue("MATCH"):
		s.pattern = narrowing(a.Next())
	default:
		return false
	}
	return true
}

func (s *collectionScan) parseOptions(c *engine.Ctx, hash bool) error {
	a := c.Parse(3)
	for !a.Done() {
		switch {
		case s.matchOption(a):
		case a.Match("NOVALUES"):
			if !hash {
				a.Fail(engine.ErrNoValues)
			}
			s.noValues = true
		default:
			a.Syntax()
		}
	}
	return a.Err()
}

func (s *collectionScan) replyNone(c *engine.Ctx) {
	c.Out.Array(2)
	c.Out.BulkString("0")
	c.Out.Array(0)
}

func (s *collectionScan) begin(c *engine.Ctx) {
	s.out, s.body = c.Out, c.Out.Len()
}

func (s *collectionScan) match(name []byte) bool {
	return s.pattern == nil || s.pattern.Match(name)
}

func (s *collectionScan) emit(b []byte) {
	s.out.Bulk(b)
	s.written++
}

func (s *collectionScan) end(next uint64) {
	head := s.out.Len()
	s.out.Array(2)
	var digits [20]byte
	s.out.Bulk(strconv.AppendUint(digits[:0], next, 10))
	s.out.Array(s.written)
	s.out.MoveToFront(s.body, head)
}
