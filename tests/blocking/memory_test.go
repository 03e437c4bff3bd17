package blocking

import (
	"fmt"
	"math"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestMemoryOfWaiting: ten thousand clients that wait, each for a key of its own and with a time
// limit, take a few hundred bytes more than ten thousand that have said PING.
func TestMemoryOfWaiting(t *testing.T) {
	if testing.Short() {
		t.Skip("opens ten thousand connections")
	}
	const n, most = 10_000, 800 // a goroutine would be 2,000 more; of ten thousand, the noise of a process is 50 each
	s := harness.StartBinary(t, "maxclients 11000")
	b := &bench{s.Dial(t), t, s}
	conns := make([]*harness.Conn, n)
	for i := range conns {
		conns[i] = s.Dial(t)
		conns[i].Do("PING")
	}
	// What runs for the first time while memory is compared would be counted by the pages of its code.
	conns[0].Send("BLPOP", "first", "1000")
	b.untilBlocked(1)
	b.Do("RPUSH", "first", "x")
	read(t, conns[0], popped("first", "x"))
	b.number("memory", "mem_clients_normal")
	// What a moment's garbage takes, or a page that is still to be given back, is not what is compared: of
	// some looks the one that sees the least.
	resident := func() int64 {
		least := int64(math.MaxInt64)
		for range 5 {
			b.Do("MEMORY", "PURGE")
			least = min(least, s.RSS(t))
		}
		return least
	}
	idle, told := resident(), b.number("memory", "mem_clients_normal")
	for i, c := range conns {
		c.Send("BLPOP", fmt.Sprintf("queue:%010d", i), "1000")
	}
	b.untilBlocked(n)
	waiting, tells := resident(), b.number("memory", "mem_clients_normal")
	each, counted := float64(waiting-idle)/n, float64(tells-told)/n
	t.Logf("%.0f bytes resident for an idle client, %.0f more for one that waits, %.0f of them counted", float64(idle)/n, each, counted)
	if each > most {
		t.Errorf("a client that waits takes %.0f bytes more than an idle one", each)
	}
	if counted < each/2 || counted > 2*each {
		t.Errorf("%.0f bytes are counted for it", counted)
	}
	b.Do("MULTI")
	for i := range conns {
		b.Do("RPUSH", fmt.Sprintf("queue:%010d", i), "x")
	}
	b.Do("EXEC")
	for i, c := range conns {
		read(t, c, popped(fmt.Sprintf("queue:%010d", i), "x"))
	}
}
