package commands

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// APPEND and SETRANGE build values from parts, so they alone can make one that
// is longer than a request may be. The limit is proto-max-bulk-len here too.

func cmdAppend(c *engine.Ctx) error {
	n, err := c.Append(c.Keys[0], c.Args[2], c.Kernel.Config.Values().ProtoMaxBulkLen)
	if err != nil {
		return err
	}
	c.Out.Int(int64(n))
	return nil
}

// setrangeGrows is how many zero bytes SETRANGE will put in front of its value.
func setrangeGrows(c *engine.Ctx) int64 {
	offset, ok := lex.ParseInt(c.Args[2])
	longest := c.Kernel.Config.Values().ProtoMaxBulkLen // as the handler will
	if patch := int64(len(c.Args[3])); !ok || patch == 0 || offset > longest-patch {
		return 0 // it will do nothing
	}
	n, ok := c.StringLength(c.Args[1])
	if !ok {
		return 0
	}
	return max(0, offset-n)
}

func cmdSetrange(c *engine.Ctx) error {
	a := c.Parse(2)
	offset, patch := a.Int64(), a.Next()
	if err := a.Err(); err != nil {
		return err
	}
	if offset < 0 {
		return engine.ErrOffsetRange
	}
	if len(patch) == 0 { // changes nothing and creates nothing, and is no read that INFO counts
		e, ok := c.Write(c.Keys[0])
		switch {
		case !ok:
			c.Out.Int(0)
		case e.Type() != store.TypeString:
			return store.ErrWrongType
		default:
			c.Out.Int(int64(len(e.Bytes())))
		}
		return nil
	}
	n, err := c.SetRange(c.Keys[0], offset, patch, c.Kernel.Config.Values().ProtoMaxBulkLen)
	if err != nil {
		return err
	}
	c.Out.Int(int64(n))
	return nil
}
