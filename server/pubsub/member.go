package pubsub

import (
	"sync"
	"sync/atomic"
)

// Memory that is accounted to a subscriber beside the name, in bytes. Who shares a topic with others
// pays for it as if alone: which of them has made it, and who will be left, is not known.
const (
	linkMemory    = 64
	patternMemory = 256 // and as much again as
	patternByte   = 12  // for each byte of its text, for the compiled pattern
)

// Member is the subscriptions of one subscriber. It is for one goroutine at a time.
type Member[S any] struct {
	hub    *Hub[S]
	slot   uint32
	links  [Kinds]map[uint32]uint32 // links by topic; nil while there are none
	most   [Kinds]int               // length of the map since it was made, at most
	memory int64
}

// Join makes a subscriber known. It is to Leave in the end.
func (h *Hub[S]) Join(who S) *Member[S] {
	return &Member[S]{hub: h, slot: h.members.add(who)}
}

// leaveStep is how many subscriptions Leave ends between two calls of pause: some tenths of a
// millisecond.
const leaveStep = 100

// Leave ends all subscriptions. The member must not be used any more. pause, unless it is nil, is
// called from time to time, and ends it early by false: then the hub must not be used any more either.
func (m *Member[S]) Leave(pause func() (goOn bool)) {
	hidden, ended := m.hub.members.at(m.slot).hidden.Load(), 0
	for kind := range m.links {
		for topic, link := range m.links[kind] {
			m.hub.unsubscribe(Kind(kind), topic, link, nil)
			if hidden {
				m.hub.leaving.Add(-1)
			}
			if ended++; ended%leaveStep == 0 && pause != nil && !pause() {
				return
			}
		}
		m.links[kind] = nil
	}
	m.hub.members.remove(m.slot)
}

// Hide makes all subscriptions ineffective: when it has returned, nothing is delivered by them any
// more. Nothing but Leave may follow.
func (m *Member[S]) Hide() {
	m.hub.leaving.Add(int64(m.Len())) // before the mark: who sees the mark counts the topic's members
	m.hub.members.hide(m.slot)
	for kind := range m.links {
		shards := m.hub.kinds[kind].shards
		for i := range shards {
			shards[i].waitForHolders() // among whom is everybody who has not seen the mark
		}
	}
}

// Count is how many topics of a kind the member has subscribed to.
func (m *Member[S]) Count(kind Kind) int { return len(m.links[kind]) }

// Len is how many topics of all kinds the member has subscribed to.
func (m *Member[S]) Len() int {
	return m.Count(Channels) + m.Count(ShardChannels) + m.Count(Patterns)
}

// Empty reports whether the member has no subscriptions.
func (m *Member[S]) Empty() bool { return m.Len() == 0 }

// Memory is what the subscriptions take, in bytes.
func (m *Member[S]) Memory() int64 { return m.memory }

// Subscribe subscribes to a topic. It reports false if the member has already.
func (m *Member[S]) Subscribe(kind Kind, name []byte) bool {
	links := m.links[kind]
	known := func(topic uint32) bool { _, ok := links[topic]; return ok }
	topic, link, added := m.hub.subscribe(kind, name, m.slot, known)
	if !added {
		return false
	}
	if links == nil {
		links = make(map[uint32]uint32)
		m.links[kind] = links
	}
	links[topic] = link
	m.most[kind] = max(m.most[kind], len(links))
	m.memory += memoryOf(kind, len(name))
	return true
}

// memoryOf is what a subscription is taken to need, in bytes.
func memoryOf(kind Kind, name int) int64 {
	if kind == Patterns {
		return linkMemory + patternMemory + int64(name)*(1+patternByte)
	}
	return linkMemory + int64(name)
}

// Unsubscribe ends the subscription to a topic. It reports false if there is none.
func (m *Member[S]) Unsubscribe(kind Kind, name []byte) bool {
	links := m.links[kind]
	if links == nil {
		return false
	}
	topic, ok := m.hub.find(kind, name) // which cannot go before the member's own subscription does
	if !ok {
		return false
	}
	link, ok := links[topic]
	if !ok {
		return false
	}
	delete(links, topic)
	m.hub.unsubscribe(kind, topic, link, nil)
	m.memory -= memoryOf(kind, len(name))
	m.shrink(kind)
	return true
}

// shrink replaces a map that was much larger once: maps do not give memory back.
func (m *Member[S]) shrink(kind Kind) {
	links := m.links[kind]
	switch n := len(links); {
	case n == 0:
		m.links[kind], m.most[kind] = nil, 0
	case m.most[kind] > 64 && n < m.most[kind]/8:
		smaller := make(map[uint32]uint32, n)
		for topic, link := range links {
			smaller[topic] = link
		}
		m.links[kind], m.most[kind] = smaller, n
	}
}

// UnsubscribeAll ends all subscriptions of a kind. It calls each after every one, with the name of
// the topic, which is valid during the call; Count says what is left.
func (m *Member[S]) UnsubscribeAll(kind Kind, each func(name []byte)) {
	links, name := m.links[kind], []byte(nil)
	for topic, link := range links {
		delete(links, topic)
		m.hub.unsubscribe(kind, topic, link, &name)
		m.memory -= memoryOf(kind, len(name))
		each(name)
	}
	m.shrink(kind)
}

// memberChunk is how many slots are allocated together.
const memberChunk = 256

// members gives every member a slot, by which links name it. A slot is written before the first
// link to it is made and after the last has gone, each under the lock of a shard: so whoever follows
// a link with that lock held may read it.
type members[S any] struct {
	chunks atomic.Pointer[[]*[memberChunk]slot[S]]
	count  atomic.Int64 // of those that are not hidden

	mu   sync.Mutex // protects the fields below, and changes of chunks and slots
	free []uint32
	next uint32 // the first slot that was never used
}

// slot is one member.
type slot[S any] struct {
	who    S
	hidden atomic.Bool // it gets nothing more, and is going to leave
}

func (m *members[S]) at(n uint32) *slot[S] { return &(*m.chunks.Load())[n/memberChunk][n%memberChunk] }

func (m *members[S]) add(who S) (n uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := len(m.free) - 1; last >= 0 {
		n, m.free = m.free[last], m.free[:last]
	} else {
		n = m.next
		m.next++
	}
	var chunks []*[memberChunk]slot[S]
	if p := m.chunks.Load(); p != nil {
		chunks = *p
	}
	if int(n/memberChunk) == len(chunks) {
		more := make([]*[memberChunk]slot[S], len(chunks)+1)
		copy(more, chunks)
		more[len(chunks)] = new([memberChunk]slot[S])
		chunks = more
		m.chunks.Store(&chunks)
	}
	m.at(n).who = who
	m.count.Add(1)
	return n
}

func (m *members[S]) hide(n uint32) {
	m.at(n).hidden.Store(true)
	m.count.Add(-1)
}

func (m *members[S]) remove(n uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.at(n)
	var nobody S
	at.who = nobody
	if !at.hidden.Swap(false) {
		m.count.Add(-1)
	}
	m.free = append(m.free, n)
}
