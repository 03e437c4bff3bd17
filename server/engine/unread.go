// Unread messages: what happens to clients that do not read what they are told, under maxmemory.
//
// A reply that does not fit under the cap is not made, since whoever asked for it can wait, or be
// told so (replyroom.go). A message has nobody to wait: its publisher must not be slowed down by the
// slowest subscriber, and the subscriber does not know that there is one. The output limit of class
// pubsub bounds what one client leaves unread, 32 MB, and 100 of them leave 3 GB. So under a cap
// messages have two bounds together, and clients are closed at once to keep them:
//
//   - With replies that have not been read they take at most half of the cap (unsentShare).
//   - They take what the cap leaves free, and a thirty-second of it (aheadShare). They count towards
//     the cap, and the janitor is woken to evict for them; but they may come faster than keys go, or
//     nothing may be evicted.
//
// Who leaves most unread goes first, as whoever left it would sooner or later at its own limit. A
// client that has taken none of its replies for a second is as good a choice.
//
// # What is a message that is not read
//
// Messages are shared by all who get them until the loop of each has offered them to the kernel. A
// megabyte for 100 subscribers that read is therefore one for some milliseconds, though it counts
// for each of them in queues. To count every queue would close those who read, and evict keys for
// memory that nobody takes (Options.Queued). So what counts is what a client has not taken when it was
// offered (netloop.Sizes.Unread), of which an event loop has copies. The portable driver goes on
// sharing it, or not, if each client has a channel of its own: there it counts as a copy after a tenth
// of a second, when the client is late. It lies on the Go heap, where garbage takes as much again.
//
// # When
//
// When clients with unread messages have grown by a 128th of the cap together (lookShare), the one
// that has grown last looks at all clients. Ten times a second the janitor does, and whoever sets the
// cap. A sum of unread messages that is always at hand was rejected: every message to every client
// would change a word that all loops share. What is said to clients in less time than that, by one
// loop to one client, may be above the bounds for that moment.

package engine

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/server/netloop"
)

const (
	// Messages may take 1/aheadShare of the limit above it.
	aheadShare = 32
	// Growth of clients with unread messages by 1/lookShare of the limit is worth a look at all.
	lookShare = 128
)

// unread is what the kernel knows of messages that are not read.
type unread struct {
	looking sync.Mutex   // held by the one who looks
	grown   atomic.Int64 // bytes by which clients with unread messages have grown since the last look
}

// holder is a client that may be closed for its output.
type holder struct {
	*Session
	bytes int64
}

// grewUnread is told that a client has grown by so many bytes, and its buffers are z now. Safe from
// any goroutine, whatever shards it has locked.
func (k *Kernel) grewUnread(z *netloop.Sizes, grown int64) {
	limit := k.Config.Values().MaxMemory
	if limit > 0 && z.Unread > 0 && k.unread.grown.Add(grown) >= limit/lookShare {
		k.boundUnread(limit)
	}
}

// boundUnread closes clients until unread messages are within their bounds.
func (k *Kernel) boundUnread(limit int64) {
	if limit == 0 || k.Clients.Memory() < limit/aheadShare || !k.unread.looking.TryLock() {
		return
	}
	defer k.unread.looking.Unlock()
	k.unread.grown.Store(0)
	holders, u := k.holders()
	over := k.counted(limit) - limit
	if over > 0 && u.messages > 0 {
		k.Store.Ring()
	}
	ahead := limit / aheadShare
	excess := max(u.all-limit/unsentShare, min(over, u.messages)-ahead)
	if excess > 0 && u.messages > 0 {
		slices.SortFunc(holders, func(a, b holder) int {
			return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.ID(), b.ID()))
		})
		for _, h := range holders {
			if excess <= 0 {
				break
			}
			k.closeHolder(h)
			excess -= h.bytes
		}
	}
}

// unreadSums are bytes of all clients.
type unreadSums struct {
	all      int64 // of output that has not been read
	messages int64 // of messages among it
}

// holders lists who may be closed for output, and says how much there is of all.
func (k *Kernel) holders() (holders []holder, u unreadSums) {
	now := k.clock().UnixNano()
	r := &k.Clients
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.byID {
		if s.killed.Load() {
			continue
		}
		z := s.conn.Sizes()
		replies, messages := max(0, z.Output-z.Messages), z.Unread
		switch {
		case messages > 0:
			messages += z.OutputFree
			holders = append(holders, holder{s, messages})
		case isStuck(&z, now):
			holders = append(holders, holder{s, z.Output + z.OutputFree})
		}
		u.messages += messages
		u.all += replies + messages
	}
	return holders, u
}

// closeHolder closes a client for what it has not read.
func (k *Kernel) closeHolder(h holder) {
	r := &k.Clients
	r.size.listing.Lock()
	r.releaseLocked(h.Session)
	r.size.listing.Unlock()
	if r.evict(h.Session) {
		k.logEvicted(h.Session, "evicting client that does not read its messages, under maxmemory", "output", h.bytes)
	}
}
