package commands

import "github.com/larderkv/larder/server/engine"

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

func cmdSetrange(c *engine.Ctx) error {
	a := c.Parse(2)
	offset, patch := a.Int64(), a.Next()
	if err := a.Err(); err != nil {
		return err
	}
	if offset < 0 {
		return engine.ErrOffsetRange
	}
	if len(patch) == 0 { // changes nothing and creates nothing
		return cmdStrlen(c)
	}
	n, err := c.SetRange(c.Keys[0], offset, patch, c.Kernel.Config.Values().ProtoMaxBulkLen)
	if err != nil {
		return err
	}
	c.Out.Int(int64(n))
	return nil
}
