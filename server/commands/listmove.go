package commands

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// LMOVEM and BLMOVEM: several elements at once. How they come to lie is said by store.Moving.
//
// The log has a pop and a push of what was moved, which older versions of Redis can run.

// parseMoving reads the ends and what follows them. For BLMOVEM a time limit stands in between, which
// is returned as it is.
func parseMoving(c *engine.Ctx, waits bool) (m store.Moving, limit []byte, err error) {
	a := c.Parse(3)
	m = store.Moving{From: parseEnd(a), To: parseEnd(a), Count: 1}
	if waits {
		limit = a.Next()
	}
	if !a.Done() {
		switch {
		case a.Match("EXACTLY"):
			m.Exactly = true
		case a.Match("COUNT"):
		default:
			a.Syntax()
		}
		m.Count = int(a.IntRange(1, math.MaxInt32, string(engine.ErrPopCountZero)))
		switch {
		case a.Match("BULK"):
			m.Bulk = true
		case a.Match("OBO"):
		default:
			a.Syntax()
		}
		if a.Left() > 0 {
			a.Syntax()
		}
	}
	return m, limit, a.Err()
}

// moveElements moves elements from the first of the command's keys to the second, and replies with
// them. It reports whether there were enough; if not, there is no reply.
func moveElements(c *engine.Ctx, m store.Moving) (done bool, err error) {
	from, to := c.Keys[0], c.Keys[1]
	return c.MoveElements(from, to, m, func(elements [][]byte, changes bool) {
		c.Out.Array(len(elements))
		for _, e := range elements {
			c.Out.Bulk(e)
		}
		if changes {
			movedEffect(c, m, elements)
		} else {
			c.Effect([]byte("LMOVE"), from.Name, to.Name, endWord(m.From), endWord(m.From)) // which leaves all as it is
		}
	})
}

// movedEffect says that elements, which are in the order of the destination, go from one key to the
// other.
func movedEffect(c *engine.Ctx, m store.Moving, elements [][]byte) {
	if !c.Logged() {
		return
	}
	c.Effect(popWord(m.From), c.Keys[0].Name, strconv.AppendInt(nil, int64(len(elements)), 10))
	words := make([][]byte, 0, 2+len(elements))
	if m.To == store.Back {
		c.Effect(append(append(words, []byte("RPUSH"), c.Keys[1].Name), elements...)...)
		return
	}
	words = append(words, []byte("LPUSH"), c.Keys[1].Name)
	for _, e := range slices.Backward(elements) {
		words = append(words, e)
	}
	c.Effect(words...)
}

// endWord is what parseEnd reads.
func endWord(end store.End) []byte {
	if end == store.Front {
		return []byte("LEFT")
	}
	return []byte("RIGHT")
}

func cmdLmovem(c *engine.Ctx) error {
	m, _, err := parseMoving(c, false)
	if err != nil {
		return err
	}
	done, err := moveElements(c, m)
	if err == nil && !done {
		c.Out.NullArray()
	}
	return err
}

func cmdBlmovem(c *engine.Ctx) error {
	m, limit, err := parseMoving(c, true)
	if err != nil {
		return err
	}
	var timeout time.Duration
	if timeout, err = parseTimeout(c, limit); err != nil {
		return err
	}
	done := false
	if e, ok := c.Peek(c.Keys[0]); !c.Waited() || ok && e.Type() == store.TypeList {
		done, err = moveElements(c, m)
	}
	if done || err != nil {
		return err
	}
	return c.WaitForElements(c.Keys[0], store.TypeList, m.Least(), timeout, nothing)
}
