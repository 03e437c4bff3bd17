package pubsub

import "sync"

// none is the number of no record.
const none = ^uint32(0)

const (
	nameUnit = 8   // names take multiples of this many bytes
	longName = 256 // a name that is longer has an allocation of its own
)

// shard is some of the topics of a kind.
type shard struct {
	mu     sync.RWMutex // protects all below
	table  []uint32     // numbers of topics plus one by hash, with linear probing; 0: free
	live   int          // topics
	topics pool[topic]
	links  pool[link]
	names  []pool[byte]      // by length in units, rounded up
	long   map[uint32][]byte // long names, by topic
}

// topic is a channel or a pattern that has subscribers.
type topic struct {
	name        uint32 // in the pool for its length
	length      uint32
	hash        uint32
	first, last uint32 // links
	subscribers uint32
}

// link is one subscription.
type link struct {
	who        uint32 // the member's slot
	prev, next uint32
}

// waitForHolders returns when whoever holds the lock now has let go of it.
func (s *shard) waitForHolders() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

// nameLocked is the name of a topic. It is valid while the shard is locked.
func (s *shard) nameLocked(n uint32) []byte {
	t := s.topics.get(n)
	switch {
	case t.length == 0:
		return []byte{}
	case t.length > longName:
		return s.long[n]
	}
	class := units(int(t.length))
	return s.names[class].row(t.name, class*nameUnit)[:t.length]
}

func units(length int) int { return (length + nameUnit - 1) / nameUnit }

// setNameLocked copies a name for a topic.
func (s *shard) setNameLocked(n uint32, name []byte) {
	t := s.topics.get(n)
	t.length = uint32(len(name))
	switch {
	case len(name) == 0:
	case len(name) > longName:
		if s.long == nil {
			s.long = make(map[uint32][]byte)
		}
		s.long[n] = append([]byte(nil), name...)
	default:
		class := units(len(name))
		for len(s.names) <= class {
			s.names = append(s.names, pool[byte]{})
		}
		t.name = s.names[class].take(class * nameUnit)
		copy(s.names[class].row(t.name, class*nameUnit), name)
	}
}

// findLocked finds the topic of a name.
func (s *shard) findLocked(hash uint32, name []byte) (n uint32, ok bool) {
	if s.live == 0 {
		return 0, false
	}
	mask := uint32(len(s.table) - 1)
	for i := hash & mask; s.table[i] != 0; i = (i + 1) & mask {
		n = s.table[i] - 1
		if s.topics.get(n).hash == hash && string(s.nameLocked(n)) == string(name) {
			return n, true
		}
	}
	return 0, false
}

// addLocked makes a topic without subscribers.
func (s *shard) addLocked(hash uint32, name []byte) uint32 {
	n := s.topics.take(1)
	*s.topics.get(n) = topic{hash: hash, first: none, last: none}
	s.setNameLocked(n, name)
	s.live++
	if s.live*8 > len(s.table)*7 {
		s.resizeLocked(max(8, 2*len(s.table)))
	}
	s.enterLocked(n, hash)
	return n
}

// enterLocked puts a topic into the table, which has room.
func (s *shard) enterLocked(n, hash uint32) {
	mask := uint32(len(s.table) - 1)
	i := hash & mask
	for s.table[i] != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = n + 1
}

// resizeLocked gives the table another size, a power of two. It is done at once: a table has the
// topics of one shard, a few thousandths of a second for millions of topics.
func (s *shard) resizeLocked(size int) {
	old := s.table
	s.table = make([]uint32, size)
	for _, n := range old {
		if n != 0 {
			s.enterLocked(n-1, s.topics.get(n-1).hash)
		}
	}
}

// removeLocked ends a topic without subscribers.
func (s *shard) removeLocked(n uint32) {
	t := s.topics.get(n)
	s.leaveLocked(n, t.hash)
	switch length := int(t.length); {
	case length == 0:
	case length > longName:
		delete(s.long, n)
	default:
		s.names[units(length)].release(t.name)
	}
	s.topics.release(n)
	s.live--
	if s.live*8 < len(s.table) && len(s.table) > 8 {
		s.resizeLocked(len(s.table) / 2)
	}
}

// leaveLocked takes a topic out of the table and moves those behind it up, so that the table needs
// no marks for what was removed.
func (s *shard) leaveLocked(n, hash uint32) {
	mask := uint32(len(s.table) - 1)
	gap := hash & mask
	for s.table[gap] != n+1 {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; s.table[i] != 0; i = (i + 1) & mask {
		home := s.topics.get(s.table[i]-1).hash & mask
		if (i-home)&mask >= (i-gap)&mask { // it may stand in the gap
			s.table[gap] = s.table[i]
			gap = i
		}
	}
	s.table[gap] = 0
}

// linkLocked subscribes a member to a topic and returns the link.
func (s *shard) linkLocked(n, who uint32) uint32 {
	at := s.links.take(1)
	t := s.topics.get(n)
	*s.links.get(at) = link{who: who, prev: t.last, next: none}
	if t.last == none {
		t.first = at
	} else {
		s.links.get(t.last).next = at
	}
	t.last = at
	t.subscribers++
	return at
}

// unlinkLocked ends a subscription to a topic.
func (s *shard) unlinkLocked(n, at uint32) {
	t, l := s.topics.get(n), *s.links.get(at)
	if l.prev == none {
		t.first = l.next
	} else {
		s.links.get(l.prev).next = l.next
	}
	if l.next == none {
		t.last = l.prev
	} else {
		s.links.get(l.next).prev = l.prev
	}
	t.subscribers--
	s.links.release(at)
}
