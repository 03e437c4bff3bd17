package commands

import (
	"testing"

	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/netloop"
)

// BenchmarkHandOver is BLPOP, a push, and the reply of BLPOP, without the network.
func BenchmarkHandOver(b *testing.B) {
	worker := newTestClient(b)
	pusher, _ := worker.kernel.Connect(testConn{})
	defer pusher.Closed(netloop.ClientClosed)
	wait, push := encode([]string{"BLPOP", "queue", "0"}), encode([]string{"LPUSH", "queue", "an element"})
	out := make([]byte, 0, 1<<10)
	var reply chain.Buffer
	b.ReportAllocs()
	for b.Loop() {
		if _, _, next := worker.data(wait, out); next != netloop.Block {
			b.Fatalf("BLPOP: next is %d", next)
		}
		reply.Lend(out, nil, nil)
		pusher.Data(push, &reply)
		reply.Lend(out, nil, nil)
		if worker.session.Resumed(&reply); reply.Len() == 0 {
			b.Fatal("no reply")
		}
	}
}
