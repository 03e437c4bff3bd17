package commands

import (
	"bytes"
	"math"

	"github.com/larderkv/larder/server/engine"
)

// Renaming, copying and moving keys. A key's name picks its shard whatever the
// database, so the locks of the names in the request cover every database.

func cmdRename(c *engine.Ctx) error {
	if !c.Rename(c.Keys[0], c.Keys[1]) {
		return engine.ErrNoSuchKey
	}
	c.Out.OK()
	return nil
}

func cmdRenamenx(c *engine.Ctx) error {
	from, to := c.Keys[0], c.Keys[1]
	if _, ok := c.Write(from); !ok {
		return engine.ErrNoSuchKey
	}
	if _, exists := c.Write(to); exists { // itself included
		c.Out.Int(0)
		return nil
	}
	replyDone(c, c.Rename(from, to))
	return nil
}

func cmdCopy(c *engine.Ctx) error {
	target, replace := c.View, false
	a := c.Parse(3)
	for !a.Done() {
		switch {
		case a.Match("REPLACE"):
			replace = true
		case a.MatchValue("DB"):
			target.DB = database(c, a)
		default:
			a.Syntax()
		}
	}
	if err := a.Err(); err != nil {
		return err
	}
	from, to := c.Keys[0], c.Keys[1]
	if target.DB == c.DB && bytes.Equal(from.Name, to.Name) {
		return engine.ErrSameObject
	}
	if _, exists := c.Read(from); exists {
		if _, exists = target.Write(to); exists && !replace {
			c.Out.Int(0)
			return nil
		}
	}
	replyDone(c, c.Copy(from, &target, to))
	return nil
}

func cmdMove(c *engine.Ctx) error {
	a := c.Parse(2)
	target := c.View
	target.DB = database(c, a)
	if err := a.Err(); err != nil {
		return err
	}
	if target.DB == c.DB {
		return engine.ErrSameObject
	}
	replyDone(c, c.Move(c.Keys[0], &target))
	return nil
}

// database reads the number of a database, or latches an error.
func database(c *engine.Ctx, a *engine.Args) int {
	n := a.Int64()
	switch {
	case n < math.MinInt32 || n > math.MaxInt32:
		a.Fail(engine.ErrInt32Range)
	case n < 0 || n >= int64(c.Store.Databases()):
		a.Fail(engine.ErrDBIndex)
	}
	return int(n)
}
