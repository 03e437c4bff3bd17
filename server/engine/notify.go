// Keyspace notifications: what happens to keys is published on channels that are named after the
// key (__keyspace@<db>__:<key>, the message is the event) and after the event
// (__keyevent@<db>__:<event>, the message is the key), as far as notify-keyspace-events asks for.
//
// They follow the store's change feed (store/feed.go), as the log does, which has to hear of
// removals in any case. One listener serves both, since a shard has one word with the classes that
// somebody wants: with notifications off a change costs the test of that word and no more.
//
// # Order
//
// An event is published in the middle of the command that causes it, under the lock of the key's
// shard. So the events of one key come in the order of its changes; and who reads the key after the
// message waits for that lock and sees the change. Redis publishes there too: a transaction's
// events stand between its commands, whose replies come together after them.
//
// # Cost
//
// While nobody has subscribed to anything, which the hub says by two atomic loads, not even the
// channels' names are made.
//
// # Switching
//
// The wanted classes stand in every shard, where the words of two shards must not differ in the
// middle of a command that locks both. So they change under all locks: CONFIG SET takes them after
// the configuration has let go of its own, which comes after the shards (server/locks.go), or has
// them from the EXEC around it. That is why its row says OwnLocks.

package engine

import (
	"strconv"
	"strings"

	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/store"
)

// notified is what notify-keyspace-events asks for. It changes under all shards' locks; any of them
// is enough to read it.
type notified struct {
	letters  string // the parameter that the rest is made of
	classes  store.EventClass
	keyspace bool
	keyevent bool
}

// loggedClasses are the events that the log hears of.
const loggedClasses = store.ClassExpired | store.ClassEvicted | store.ClassInvalidated

// parseNotified reads the parameter. Without a channel nothing is wanted.
func parseNotified(letters string) notified {
	n := notified{letters: letters, keyspace: strings.Contains(letters, "K"), keyevent: strings.Contains(letters, "E")}
	if !n.keyspace && !n.keyevent {
		return n
	}
	for _, class := range [...]struct {
		letter string
		class  store.EventClass
	}{
		{"g", store.ClassGeneric | store.ClassInvalidated}, {"$", store.ClassString}, {"l", store.ClassList}, {"s", store.ClassSet},
		{"h", store.ClassHash}, {"z", store.ClassZset}, {"x", store.ClassExpired}, {"e", store.ClassEvicted},
		{"n", store.ClassNew}, {"m", store.ClassKeyMiss},
	} {
		if strings.Contains(letters, class.letter) {
			n.classes |= class.class
		}
	}
	return n
}

// FollowNotifications brings what is published in line with the configuration, which may have
// changed.
func (c *Ctx) FollowNotifications() {
	if !c.Held {
		c.LockAll()
		defer c.Store.UnlockAll()
	}
	if c.Kernel.Config.Values().NotifyKeyspaceEvents != c.Kernel.notified.letters {
		c.Kernel.listen()
	}
}

// listen tells the store what to tell of. The caller holds all shards, or nobody else uses the
// store yet.
func (k *Kernel) listen() {
	k.notified = parseNotified(k.Config.Values().NotifyKeyspaceEvents)
	k.Store.Listen(loggedClasses|k.notified.classes, func(db int, key []byte, ev store.Event) {
		k.changed(nil, db, key, ev)
	})
}

// changed is the store's report of a change by the running command.
func (c *Ctx) changed(db int, key []byte, ev store.Event) {
	if loggedClasses&ev.Class() != 0 {
		c.removed(db, key)
	}
	c.Kernel.notify(c, db, key, ev)
}

// changed is the store's report of a change outside any command. by is nil, or the background work.
func (k *Kernel) changed(by *Ctx, db int, key []byte, ev store.Event) {
	if loggedClasses&ev.Class() != 0 {
		k.removed(db, key)
	}
	k.notify(by, db, key, ev)
}

// changedInBackground is changed for the background work.
func (k *Kernel) changedInBackground(db int, key []byte, ev store.Event) {
	k.changed(k.background, db, key, ev)
}

// notify publishes an event, if it is wanted. by is the command that causes it, nil without one.
func (k *Kernel) notify(by *Ctx, db int, key []byte, ev store.Event) {
	n := &k.notified
	if n.classes&ev.Class() == 0 || k.PubSub.Topics(pubsub.Channels)|k.PubSub.Topics(pubsub.Patterns) == 0 {
		return
	}
	var room [notifyRoom]byte
	name := ev.String()
	b := append(room[:0], name...)
	if n.keyspace {
		b = append(appendChannel(b, "__keyspace@", db), key...)
		k.Publish(by, b[len(name):], b[:len(name)])
		b = b[:len(name)]
	}
	if n.keyevent {
		b = append(appendChannel(b, "__keyevent@", db), name...)
		k.Publish(by, b[len(name):], key)
	}
}

// notifyRoom is as many bytes as an event and its channel usually take; more are allocated.
const notifyRoom = 128

func appendChannel(b []byte, head string, db int) []byte {
	b = append(b, head...)
	b = strconv.AppendInt(b, int64(db), 10)
	return append(b, "__:"...)
}
