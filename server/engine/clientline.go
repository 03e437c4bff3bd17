package engine

import (
	"fmt"
	"time"
)

// String is the client's line of CLIENT LIST, without its end. A client has no reply buffer of fixed
// size (rbs, rbp, obl): replies are written to one of its event loop's, and what the kernel does
// not take at once is held in a buffer of its size (oll, omem).
func (i ClientInfo) String() string {
	events, owed := "r", 0
	if i.Sizes.Output > 0 {
		events, owed = "rw", 1
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d"+
		" sub=%d psub=%d ssub=%d multi=%d watch=%d"+
		" qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=0 rbp=0 obl=0 oll=%d omem=%d tot-mem=%d"+
		" events=%s cmd=%s user=%s redir=%d resp=%d lib-name=%s lib-ver=%s",
		i.ID, i.Addr, i.LocalAddr, i.FD, i.Name, seconds(i.Age), seconds(i.Idle), i.Flags, i.DB,
		i.Channels, i.Patterns, i.ShardChannels, i.Queued, i.Watched,
		i.Sizes.QueryBuf, i.Sizes.QueryFree, i.Tables, i.QueueBytes, owed, i.Sizes.Output+i.Sizes.OutputFree, i.Memory,
		events, i.Command, i.User, i.Redirect, i.RESP, i.LibName, i.LibVer)
}

func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
