// Package pubsub knows who has subscribed to what: channels, shard channels and patterns. It knows
// neither the protocol nor the network: a subscriber is a value that the caller gets back when there
// is something to deliver.
//
// # Layout
//
// A million subscriptions are a million small things that refer to each other, which is what a
// garbage collector is slowest with. So they are records without pointers, in chunks, and refer to
// each other by number (pool.go):
//
//	topic   a channel or pattern that somebody has subscribed to: its name and its list of links
//	link    one subscription: who, and its neighbours in the list of the topic
//	Member  what one subscriber has: for each kind a map from the number of a topic to that of a link
//
// Subscribing, unsubscribing and leaving take constant time per subscription, however many
// subscribers a topic has. A list in an array would be faster to walk, but a subscription that moves
// in it would have to tell the map of another subscriber. A subscription to a channel of 16 bytes
// that nobody else has takes about 75 bytes.
//
// # Locks
//
// Topics lie in shards by the hash of their names; the patterns have one shard, with an index that
// finds those that match a channel (patterns.go). Publish holds the channel's shard alone while it
// delivers, and that of the patterns together with other publishers. So all that is published on a
// channel reaches all its subscribers in the same order, whether they have subscribed to the channel
// or to patterns, and whichever loops the publishers run on. To share the channel's lock among
// publishers was rejected for that: two subscribers could then disagree about what came last.
//
// What deliver does must therefore be short, and must not call back. A subscription is in force when
// Subscribe returns, and nothing is delivered by it after Unsubscribe has returned.
//
// # Leaving with a million subscriptions
//
// A million small things also take a second or more to remove, most of it waiting for memory, and
// that is too long for an event loop. So a member can be hidden first (Member.Hide), and leave later
// on another goroutine. Hiding sets a mark in the member's slot, which every publisher looks at, and
// then takes the lock of each shard once. Who has looked before the mark was set holds the lock of a
// shard while it delivers: so nothing is delivered after Hide. Hidden members are not counted among
// the subscribers of a topic, and a topic of theirs alone is not named. But Topics counts it until it
// is removed: to know how many have no other subscriber would take the walk that is to be avoided.
package pubsub

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/larderkv/larder/store/lex"
)

// Kind is a kind of topic. Equal names of different kinds have nothing to do with each other.
type Kind uint8

// The kinds.
const (
	Channels Kind = iota
	ShardChannels
	Patterns
	Kinds int = iota
)

// channelShards is how many shards the topics of a kind have. The number is a compromise: each takes
// a few kilobytes once it is used, and publishers on different channels of one shard wait for each
// other.
const channelShards = 16

// Hub is all topics and their subscribers. S is a subscriber. It is safe from any goroutine.
type Hub[S any] struct {
	seed    maphash.Seed
	kinds   [Kinds]registry
	index   index // under the lock of the patterns' shard
	members members[S]
	leaving atomic.Int64 // subscriptions of hidden members
}

// registry is the topics of one kind.
type registry struct {
	shards []shard
	topics atomic.Int64
}

// NewHub makes a hub without subscribers.
func NewHub[S any]() *Hub[S] {
	h := &Hub[S]{seed: maphash.MakeSeed()}
	h.kinds[Channels].shards = make([]shard, channelShards)
	h.kinds[ShardChannels].shards = make([]shard, channelShards)
	h.kinds[Patterns].shards = make([]shard, 1)
	return h
}

// place finds the shard of a name, its number, and the name's hash within it.
func (h *Hub[S]) place(kind Kind, name []byte) (s *shard, n, hash uint32) {
	r, sum := &h.kinds[kind], maphash.Bytes(h.seed, name)
	n = uint32(sum>>32) % uint32(len(r.shards))
	return &r.shards[n], n, uint32(sum)
}

// Topics counts the topics of a kind that have subscribers, hidden ones included.
func (h *Hub[S]) Topics(kind Kind) int { return int(h.kinds[kind].topics.Load()) }

// Members counts the subscribers that have subscribed to anything.
func (h *Hub[S]) Members() int { return int(h.members.count.Load()) }

// Leaving counts the subscriptions of hidden members that are still to be removed.
func (h *Hub[S]) Leaving() int { return int(h.leaving.Load()) }

// Subscribers counts those who have subscribed to a topic.
func (h *Hub[S]) Subscribers(kind Kind, name []byte) int {
	s, _, hash := h.place(kind, name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.findLocked(hash, name)
	if !ok {
		return 0
	}
	if h.leaving.Load() == 0 {
		return int(s.topics.get(n).subscribers)
	}
	return h.deliverLocked(s, n, func(S) {})
}

// Names calls each with the name of every topic of a kind, which is only valid during the call. It
// locks one shard at a time: each must be short.
func (h *Hub[S]) Names(kind Kind, each func(name []byte)) {
	for i := range h.kinds[kind].shards {
		s := &h.kinds[kind].shards[i]
		s.mu.RLock()
		for _, n := range s.table {
			if n != 0 && h.subscribedLocked(s, n-1) {
				each(s.nameLocked(n - 1))
			}
		}
		s.mu.RUnlock()
	}
}

// Each calls fn for every subscription to a topic of a kind whose name is picked. The name is only
// valid during the call. It locks one shard at a time: pick and fn must be short.
func (h *Hub[S]) Each(kind Kind, pick func(name []byte) bool, fn func(name []byte, to S)) {
	for i := range h.kinds[kind].shards {
		s := &h.kinds[kind].shards[i]
		s.mu.RLock()
		for _, n := range s.table {
			if n == 0 {
				continue
			}
			if name := s.nameLocked(n - 1); pick(name) {
				h.deliverLocked(s, n-1, func(to S) { fn(name, to) })
			}
		}
		s.mu.RUnlock()
	}
}

// subscribedLocked reports whether a topic has a subscriber who is not hidden. The shard is locked.
func (h *Hub[S]) subscribedLocked(s *shard, n uint32) bool {
	if h.leaving.Load() == 0 {
		return true
	}
	for at := s.topics.get(n).first; at != none; {
		l := s.links.get(at)
		if !h.members.at(l.who).hidden.Load() {
			return true
		}
		at = l.next
	}
	return false
}

// Publish delivers something to the subscribers of a channel, and if it is no shard channel to those
// of the patterns that match it afterwards. begin is called before the deliveries to the channel's
// subscribers, with nil, and before those to the subscribers of each pattern, with its text, which is
// valid until the last of them. Publish returns how many deliveries there were: whoever has subscribed
// in several ways gets several.
func (h *Hub[S]) Publish(kind Kind, channel []byte, begin func(pattern []byte), deliver func(to S)) int {
	patterns := kind == Channels && h.Topics(Patterns) > 0
	if !patterns && h.Topics(kind) == 0 {
		return 0
	}
	s, _, hash := h.place(kind, channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	delivered := 0
	if n, ok := s.findLocked(hash, channel); ok {
		begin(nil)
		delivered = h.deliverLocked(s, n, deliver)
	}
	if !patterns {
		return delivered
	}
	p := &h.kinds[Patterns].shards[0]
	p.mu.RLock()
	defer p.mu.RUnlock()
	h.index.match(channel, func(n uint32) {
		begin(p.nameLocked(n))
		delivered += h.deliverLocked(p, n, deliver)
	})
	return delivered
}

// deliverLocked delivers to all subscribers of a topic, in the order in which they have subscribed,
// and returns how many they are. The shard is locked.
func (h *Hub[S]) deliverLocked(s *shard, n uint32, deliver func(to S)) (delivered int) {
	for at := s.topics.get(n).first; at != none; {
		l := s.links.get(at)
		at = l.next
		if to := h.members.at(l.who); !to.hidden.Load() {
			deliver(to.who)
			delivered++
		}
	}
	return delivered
}

// subscribe links a member with a topic, unless it has one of these already: known reports that for
// the topic's number.
func (h *Hub[S]) subscribe(kind Kind, name []byte, who uint32,
	known func(topic uint32) bool) (topic, link uint32, added bool) {
	var compiled *lex.Pattern
	if kind == Patterns {
		compiled = lex.Compile(name, false) // before the lock is taken: the text may be long
	}
	r := &h.kinds[kind]
	s, number, hash := h.place(kind, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, found := s.findLocked(hash, name)
	if !found {
		n = s.addLocked(hash, name)
		r.topics.Add(1)
		if kind == Patterns {
			h.index.add(n, compiled)
		}
	}
	topic = n*uint32(len(r.shards)) + number
	if found && known(topic) {
		return topic, none, false
	}
	return topic, s.linkLocked(n, who), true
}

// find returns the number of a topic.
func (h *Hub[S]) find(kind Kind, name []byte) (topic uint32, ok bool) {
	s, number, hash := h.place(kind, name)
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.findLocked(hash, name)
	return n*uint32(len(h.kinds[kind].shards)) + number, ok
}

// unsubscribe removes a link, and the topic with its last one. name, if it is not nil, gets the topic's name.
func (h *Hub[S]) unsubscribe(kind Kind, topic, link uint32, name *[]byte) {
	r := &h.kinds[kind]
	s, n := &r.shards[topic%uint32(len(r.shards))], topic/uint32(len(r.shards))
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != nil {
		*name = append((*name)[:0], s.nameLocked(n)...)
	}
	s.unlinkLocked(n, link)
	if s.topics.get(n).subscribers == 0 {
		if kind == Patterns {
			h.index.remove(n)
		}
		s.removeLocked(n)
		r.topics.Add(-1)
	}
}
