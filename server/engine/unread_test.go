package engine

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// leave connects a client that has not taken so many bytes, of which the latter were pushed.
func (r *rig) leave(held, unread int64) *client {
	c := r.connect()
	c.conn.sizes = netloop.Sizes{Output: held, Messages: unread, Unread: unread}
	c.Sized(held)
	return c
}

// TestUnreadMessagesAreBounded: who leaves most messages unread goes when there is too much in all.
func TestUnreadMessagesAreBounded(t *testing.T) {
	const mb = 1 << 20
	r := newRig(t)
	r.configure("maxmemory", fmt.Sprint(200*mb))
	var cs []*client
	for _, held := range []int64{20, 30, 10, 25} {
		cs = append(cs, r.leave(held*mb, held*mb))
	}
	replies := r.leave(12*mb, 0)
	expectEvicted(t, cs)
	cs = append(cs, r.leave(7*mb, 7*mb)) // 104 MB are more than half
	expectEvicted(t, cs, 1)
	r.configure("maxmemory", fmt.Sprint(100*mb))
	expectEvicted(t, cs, 1, 3) // 20, 10, 12 and 7 MB are left
	if replies.evicted() {
		t.Error("a client was closed for replies that it has just got")
	}
	if n := r.kernel.Clients.Evicted(); n != 2 {
		t.Errorf("%d are counted", n)
	}
}

// TestUnreadBeyondTheCap: where nothing is free, messages have a small share of the cap.
func TestUnreadBeyondTheCap(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	a.fill(60_000, "")
	r.cap("noeviction", 0)
	limit := r.cfg.Values().MaxMemory
	for i, c := range []*client{a, b} {
		n := limit/aheadShare/2 - 10_000 + int64(i)
		c.conn.sizes = netloop.Sizes{Output: n, Messages: n, Unread: n}
		c.Sized(n)
	}
	expectEvicted(t, []*client{a, b})
	b.conn.sizes.Output += limit / 64
	b.conn.sizes.Messages += limit / 64
	b.conn.sizes.Unread += limit / 64
	b.Sized(limit / 64)
	expectEvicted(t, []*client{a, b}, 1)
}
