package main

// none is the end of a list.
const none = never

// links are the neighbours of an object in the one list it is in.
type links struct{ prev, next uint32 }

// list is a doubly linked list of objects, newest first. Lists that share their links exclude each
// other: an object is in one of them at most.
type list struct {
	links      []links
	cost       []uint32
	head, tail uint32
	n          int
	bytes      int64
}

// newLists returns n empty lists that share their links.
func newLists(t *trace, n int) []list {
	shared := make([]links, len(t.cost))
	lists := make([]list, n)
	for i := range lists {
		lists[i] = list{links: shared, cost: t.cost, head: none, tail: none}
	}
	return lists
}

func (l *list) push(id uint32) {
	l.links[id] = links{none, l.head}
	if l.head == none {
		l.tail = id
	} else {
		l.links[l.head].prev = id
	}
	l.head = id
	l.n++
	l.bytes += int64(l.cost[id])
}

func (l *list) remove(id uint32) {
	at := l.links[id]
	if at.prev == none {
		l.head = at.next
	} else {
		l.links[at.prev].next = at.next
	}
	if at.next == none {
		l.tail = at.prev
	} else {
		l.links[at.next].prev = at.prev
	}
	l.n--
	l.bytes -= int64(l.cost[id])
}

// toFront makes id the newest.
func (l *list) toFront(id uint32) {
	if l.head != id {
		l.remove(id)
		l.push(id)
	}
}

// pop removes the oldest, of a list that is not empty.
func (l *list) pop() uint32 {
	id := l.tail
	l.remove(id)
	return id
}
