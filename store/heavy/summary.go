// Package heavy finds the names that come most often in a stream, in bounded memory.
//
// # Algorithm
//
// Space-Saving: Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements
// in Data Streams", ICDT 2005. A Summary has a fixed number m of counters. A name that has one
// counts there. Any other takes over the counter with the smallest count, adds itself to that count,
// and notes what was there before as its error. So, N being all that was added,
//
//	a name's Count is never below what it has really had, and Count-Error is never above it;
//	no Error is above N/m;
//	every name that has had more than N/m has a counter.
//
// Who must not be deceived by a stream of names that come once each looks at Item.Least: in such a
// stream all counts rise together, and Least stays at 1.
//
// Summaries of parts of a stream can be merged into one of the whole, with the same bounds for the
// sum of all N: Agarwal, Cormode, Huang, Phillips, Wei, Yi, "Mergeable Summaries", PODS 2012.
//
// # Layout
//
// The counters are a heap by count, since weights are arbitrary: the paper's list of buckets of
// equal counts is for weights of one. A count that grows moves away from the top, and what counts
// much is near the leaves, so that an addition to it moves nothing as a rule. Names are found by
// chains over the hash that the caller has in any case. A counter that changes hands keeps its
// buffer, so that in the long run nothing is allocated.
//
// Rejected: Count-Min with a heap, which needs several cache lines per addition and has no lower
// bound; Misra-Gries, which is the same by other accounts but has no upper bound; exponential decay
// of counts, which costs a pass or floating point per addition, where windows (windows.go) cost one
// swap.
package heavy

import (
	"cmp"
	"slices"
	"unsafe"
)

// Summary is an approximate list of the most frequent names of a stream. It belongs to one goroutine
// at a time.
type Summary struct {
	counters []counter // as a heap: none counts less than the one at (i-1)/2
	places   []int32   // by counter's id, where it is in counters
	heads    []int32   // by hash, 1 + the id of the first counter of a chain
	next     []int32   // by id, 1 + the id of the next one
	names    [][]byte  // by id; a counter's buffer stays with its id
	hashes   []uint64  // by id
	most     int       // counters
	longest  int       // bytes of a name
	total    uint64
	bytes    int // of all buffers of names
}

type counter struct {
	count, err uint64
	id         int32
}

// New makes a Summary with a number of counters, at least 1, that takes names of up to longest bytes.
func New(counters, longest int) *Summary {
	chains := 1
	for chains < counters {
		chains *= 2
	}
	return &Summary{most: counters, longest: longest, heads: make([]int32, chains)}
}

// Add counts a name with a weight, usually 1. hash is the same for the same name in this Summary, and
// its lower bits are random. A name that is too long adds to Total alone. The name is copied.
func (s *Summary) Add(hash uint64, name []byte, weight uint64) {
	s.total += weight
	if len(name) > s.longest {
		return
	}
	id, ok := s.find(hash, name)
	switch {
	case ok:
		at := int(s.places[id])
		s.counters[at].count += weight
		s.down(at)
	case len(s.counters) < s.most:
		s.append(hash, name, weight)
	default:
		s.replace(hash, name, weight)
	}
}

// Total is the sum of all weights.
func (s *Summary) Total() uint64 { return s.total }

// Len is the number of names that have a counter.
func (s *Summary) Len() int { return len(s.counters) }

// Bound is what no name without a counter has had more of.
func (s *Summary) Bound() uint64 {
	if len(s.counters) < s.most {
		return 0
	}
	return s.counters[0].count
}

// Memory is the number of bytes that the Summary takes.
func (s *Summary) Memory() int64 {
	perCounter := int(unsafe.Sizeof(counter{})) + 8 /* hash */ + 24 /* name's slice */ + 4 + 4
	return int64(cap(s.counters)*perCounter + 4*len(s.heads) + s.bytes)
}

// Reset forgets everything but keeps the memory.
func (s *Summary) Reset() {
	s.counters, s.total = s.counters[:0], 0
	clear(s.heads)
}

// Item is a name with its count.
type Item struct {
	Name  string
	Count uint64 // at most this much, and
	Error uint64 // this much less at least
}

// Least is what the name has had for certain.
func (it *Item) Least() uint64 { return it.Count - it.Error }

// Items lists the names that have a counter, the largest count first.
func (s *Summary) Items() []Item {
	list := make([]Item, len(s.counters))
	for i := range s.counters {
		c := &s.counters[i]
		list[i] = Item{string(s.names[c.id]), c.count, c.err}
	}
	sortItems(list)
	return list
}

func sortItems(list []Item) {
	slices.SortFunc(list, func(a, b Item) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error), cmp.Compare(a.Name, b.Name))
	})
}

func (s *Summary) find(hash uint64, name []byte) (id int32, ok bool) {
	for i := *s.chain(hash); i != 0; i = s.next[i-1] {
		if id = i - 1; s.hashes[id] == hash && string(s.names[id]) == string(name) {
			return id, true
		}
	}
	return 0, false
}

func (s *Summary) chain(hash uint64) *int32 { return &s.heads[hash&uint64(len(s.heads)-1)] }

// append gives a name a counter that nobody has yet.
func (s *Summary) append(hash uint64, name []byte, weight uint64) {
	id := int32(len(s.counters))
	s.counters = append(s.counters, counter{count: weight, id: id})
	if int(id) == len(s.names) { // not after Reset
		s.names, s.hashes = append(s.names, nil), append(s.hashes, 0)
		s.places, s.next = append(s.places, 0), append(s.next, 0)
	}
	s.places[id] = id
	s.setName(id, hash, name)
	s.up(int(id))
}

// replace gives a name the smallest counter.
func (s *Summary) replace(hash uint64, name []byte, weight uint64) {
	c := &s.counters[0]
	s.unlink(c.id)
	c.err = c.count
	c.count += weight
	s.setName(c.id, hash, name)
	s.down(0)
}

func (s *Summary) setName(id int32, hash uint64, name []byte) {
	s.bytes -= cap(s.names[id])
	s.names[id] = append(s.names[id][:0], name...)
	s.bytes += cap(s.names[id])
	s.hashes[id] = hash
	head := s.chain(hash)
	s.next[id] = *head
	*head = id + 1
}

func (s *Summary) unlink(id int32) {
	at := s.chain(s.hashes[id])
	for *at != id+1 {
		at = &s.next[*at-1]
	}
	*at = s.next[id]
}

func (s *Summary) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.counters[parent].count <= s.counters[i].count {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s *Summary) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(s.counters) {
			return
		}
		if right := least + 1; right < len(s.counters) && s.counters[right].count < s.counters[least].count {
			least = right
		}
		if s.counters[i].count <= s.counters[least].count {
			return
		}
		s.swap(i, least)
		i = least
	}
}

func (s *Summary) swap(i, j int) {
	c := s.counters
	c[i], c[j] = c[j], c[i]
	s.places[c[i].id], s.places[c[j].id] = int32(i), int32(j)
}
