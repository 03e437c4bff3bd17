package main

import "math"

// never is the next use of what is not asked for again.
const never = math.MaxUint32

// trace is a sequence of reads of a cache-aside client: what is missing is written at once. Objects
// are numbered from 0, and an object has one size; where a trace in a file changes it, the first
// one stays.
type trace struct {
	name  string
	about string
	ids   []uint32 // the requests
	bytes []uint32 // by object: key and value
	ttl   []uint32 // by object: requests from the write until it expires, 0 for never; nil without any
	times []int64  // unix milliseconds of the requests; nil for a generated trace

	cost     []uint32 // by object: bytes and the overhead of an entry, what counts against the capacity
	next     []uint32 // by request: when the same object is asked for next, or never
	objects  int      // that are asked for at all
	distinct int64    // the sum of their costs
}

// finish derives what the policies need; overhead is in bytes per entry.
func (t *trace) finish(overhead uint32) {
	t.cost = make([]uint32, len(t.bytes))
	for id, b := range t.bytes {
		t.cost[id] = b + overhead
	}
	t.objects, t.distinct = 0, 0
	t.next = make([]uint32, len(t.ids))
	last := make([]uint32, len(t.bytes))
	for id := range last {
		last[id] = never
	}
	for i := len(t.ids) - 1; i >= 0; i-- {
		id := t.ids[i]
		t.next[i] = last[id]
		if last[id] == never {
			t.objects++
			t.distinct += int64(t.cost[id])
		}
		last[id] = uint32(i)
	}
}

// lifetime is the request from which an object written at request i has expired, never for one
// without a TTL.
func (t *trace) lifetime(i int, id uint32) uint32 {
	if t.ttl == nil || t.ttl[id] == 0 {
		return never
	}
	return uint32(min(int64(i)+int64(t.ttl[id]), never))
}
