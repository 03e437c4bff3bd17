package commands

import (
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// RM deletes while it scans, as Dragonfly's command of that name: the keys that match never go to the
// client and back.
//
// A call works in the one shard that its cursor stands in and holds no other, so that it is as atomic as
// DEL of the keys that it finds, and holds up only who needs that shard. So there are at least as many
// calls to a walk as there are shards. A cursor of SCAN is one of RM too.
//
// A user deletes what its key patterns let it write. Other keys stay, without an error: that they are
// there is not told either, since the reply counts only what was deleted.

// mostRemoved bounds what one call of RM deletes, and with it the time that it holds a shard: about a
// millisecond, with the log and notifications.
const mostRemoved = 512

// rmLocks adds the shard that the walk goes on in.
func rmLocks(c *engine.Ctx, l *store.Lockset) {
	if cursor, ok := lex.ParseCursor(c.Args[1]); ok {
		if shard, ok := c.Store.CursorShard(cursor); ok {
			l.Add(shard)
		}
	}
}

func cmdRm(c *engine.Ctx) error {
	s, err := parseKeyScan(c, 1)
	if err != nil {
		return err
	}
	var d store.Deletions
	if _, ok := c.Store.CursorShard(s.cursor); ok {
		d = c.DeleteScanned(s.cursor, min(s.count, scanSlice), mostRemoved, func(e *store.Entry, name []byte) bool {
			return s.picks(e, name) && c.MayWriteKey(name)
		})
	}
	if len(d.Names) > 0 {
		c.Effect(append([][]byte{[]byte("DEL")}, d.Names...)...)
	}
	c.Out.Array(2)
	var digits [20]byte
	c.Out.Bulk(strconv.AppendUint(digits[:0], d.Next, 10))
	c.Out.Int(int64(len(d.Names)))
	return nil
}
