package commands

import (
	"math"
	"math/bits"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// LCS: the longest common subsequence of two strings, as a string, as a
// length, or as the ranges of both strings where it runs.
//
// Redis fills a table of (n+1) x (m+1) lengths of four bytes, which for two
// strings of 10 KB takes 400 MB and half a second in which nobody else is
// served. Here a row of the table is a bit vector (Crochemore et al., "A fast
// and practical bit-vector algorithm for the longest common subsequence
// problem", 2001): bit j is 0 where the length grows from column j to j+1.
// A row follows from the one before it by four operations per 64 columns.
//
// The walk back from the table's corner, which decides which of several longest
// subsequences is found, has to be Redis' own. It asks at a mismatch whether the
// neighbour above is longer than the one to the left. Neighbours differ by at
// most one and the cell is their maximum, so that is so exactly where the cell
// is longer than its left neighbour: the cell's own bit. The rows are all it
// needs.
//
// Redis refuses when its table would exceed proto-max-bulk-len. So does
// larder, by the same formula: it keeps the answer the same, and bounds the time.

// lcsOptions are the arguments of LCS.
type lcsOptions struct {
	length, indexes, withLength bool
	minLength                   int64
}

func (o *lcsOptions) parse(a *engine.Args) error {
	for !a.Done() {
		switch {
		case a.Match("IDX"):
			o.indexes = true
		case a.Match("LEN"):
			o.length = true
		case a.Match("WITHMATCHLEN"):
			o.withLength = true
		case a.MatchValue("MINMATCHLEN"):
			o.minLength = max(a.Int64(), 0)
		default:
			a.Syntax()
		}
	}
	if o.length && o.indexes {
		a.Fail(engine.ErrLCSLenAndIdx)
	}
	return a.Err()
}

// cmdLcs looks at the keys before the options, as Redis does.
func cmdLcs(c *engine.Ctx) error {
	a, b, err := lcsOperands(c)
	if err != nil {
		return err
	}
	var o lcsOptions
	if err := o.parse(c.Parse(3)); err != nil {
		return err
	}
	if len(a) >= math.MaxUint32-1 || len(b) >= math.MaxUint32-1 {
		return engine.ErrLCSTooLong
	}
	hi, cells := bits.Mul64(uint64(len(a)+1), uint64(len(b)+1))
	if limit := c.Kernel.Config.Values().ProtoMaxBulkLen; hi != 0 || cells > uint64(limit)/4 {
		return engine.ErrLCSMemory
	}
	if o.length {
		c.Out.Int(int64(newLCS(a, b, false).length))
		return nil
	}
	l := newLCS(a, b, true)
	if o.indexes {
		l.replyIndexes(c, &o)
		return nil
	}
	result := make([]byte, l.length)
	at := l.length
	l.walk(func(i, _ int) {
		at--
		result[at] = a[i]
	})
	c.Out.Bulk(result)
	return nil
}

func lcsOperands(c *engine.Ctx) (a, b []byte, err error) {
	var values [2][]byte
	for i, k := range c.Keys {
		e, ok := c.Read(k)
		switch {
		case ok && e.Type() == store.TypeString:
			values[i] = e.Bytes()
		case ok:
			err = engine.ErrLCSType
		}
	}
	return values[0], values[1], err
}

// lcs is the table of one comparison.
type lcs struct {
	a, b   []byte
	length int
	words  int      // per row
	rows   []uint64 // row i, after i+1 bytes of a; empty if only the length was asked for
}

// newLCS compares. With keep, the table stays for walk: len(a) x len(b) bits.
func newLCS(a, b []byte, keep bool) *lcs {
	l := &lcs{a: a, b: b, words: (len(b) + 63) / 64}
	if len(a) == 0 || len(b) == 0 {
		return l
	}
	masks := l.masks()
	row := make([]uint64, l.words)
	for j := range row {
		row[j] = math.MaxUint64
	}
	if keep {
		l.rows = make([]uint64, len(a)*l.words)
	}
	for i, c := range a {
		next := row
		if keep {
			next = l.rows[i*l.words : (i+1)*l.words]
		}
		nextRow(next, row, masks[c])
		row = next
	}
	for j, v := range row {
		if j == l.words-1 && len(b)%64 != 0 {
			v |= math.MaxUint64 << (len(b) % 64)
		}
		l.length += bits.OnesCount64(^v)
	}
	return l
}

// masks has, for every byte value that occurs in a, the columns where b has it.
func (l *lcs) masks() *[256][]uint64 {
	masks := new([256][]uint64)
	for _, c := range l.a {
		if masks[c] == nil {
			masks[c] = make([]uint64, l.words)
		}
	}
	for j, c := range l.b {
		if m := masks[c]; m != nil {
			m[j/64] |= 1 << (j % 64)
		}
	}
	return masks
}

// nextRow computes a row from the one before it; they may be the same memory.
func nextRow(next, row, mask []uint64) {
	var carry uint64
	for j, v := range row {
		u := v & mask[j]
		sum, c := bits.Add64(v, u, carry)
		next[j] = sum | v&^mask[j]
		carry = c
	}
}

// walk visits the pairs of indexes of the subsequence, from its end to its start.
func (l *lcs) walk(visit func(i, j int)) {
	i, j := len(l.a), len(l.b)
	for i > 0 && j > 0 {
		switch {
		case l.a[i-1] == l.b[j-1]:
			i--
			j--
			visit(i, j)
		case l.rows[(i-1)*l.words+(j-1)/64]>>((j-1)%64)&1 == 0:
			i--
		default:
			j--
		}
	}
}

// span is one run of equal bytes, ends included.
type span struct{ a, b, n int }

// replyIndexes answers with the runs, last one first, and the whole length.
func (l *lcs) replyIndexes(c *engine.Ctx, o *lcsOptions) {
	c.Out.Map(2)
	c.Out.BulkString("matches")
	body, count := c.Out.Len(), 0
	emit := func(s span) {
		if s.n == 0 || int64(s.n) < o.minLength {
			return
		}
		count++
		s.reply(c, o.withLength)
	}
	var run span
	l.walk(func(i, j int) {
		if run.n > 0 && i == run.a-1 && j == run.b-1 {
			run = span{i, j, run.n + 1}
			return
		}
		emit(run)
		run = span{i, j, 1}
	})
	emit(run)
	head := c.Out.Len()
	c.Out.Array(count)
	c.Out.MoveToFront(body, head)
	c.Out.BulkString("len")
	c.Out.Int(int64(l.length))
}

func (s span) reply(c *engine.Ctx, withLength bool) {
	n := 2
	if withLength {
		n = 3
	}
	c.Out.Array(n)
	for _, from := range [2]int{s.a, s.b} {
		c.Out.Array(2)
		c.Out.Int(int64(from))
		c.Out.Int(int64(from + s.n - 1))
	}
	if withLength {
		c.Out.Int(int64(s.n))
	}
}
