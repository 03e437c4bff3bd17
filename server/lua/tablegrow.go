package lua

import (
	"math"
	"math/bits"
)

// hashed is the hash of the string, which is kept in it. Strings that States share, those of
// compiled code, are hashed when they are made, so that none of the States writes to them.
func (s *String) hashed() uint32 {
	if s.hash != 0 {
		return s.hash
	}
	hash := hashString(s.s)
	if hash != 0 { // else it might be one that is shared
		s.hash = hash
	}
	return hash
}

// hashString is the hash of a string by luaS_newlstr, in the form that Redis has given it: with all
// bytes, where Lua skips some of long strings, which made collisions too easy to find.
func hashString(s string) uint32 {
	hash := uint32(len(s))
	for i := len(s) - 1; i >= 0; i-- {
		hash ^= hash<<5 + hash>>2 + uint32(s[i])
	}
	return hash
}

// hashNumber is the main position of a number.
func (t *Table) hashNumber(n float64) int {
	if n == 0 { // 0 and -0 are one key
		return 0
	}
	b := math.Float64bits(n)
	return t.hashMod(uint32(b) + uint32(b>>32))
}

// hashMod is a position for a hash whose low bits are poor.
func (t *Table) hashMod(hash uint32) int {
	return int(hash % (uint32(len(t.nodes)-1) | 1))
}

// mainPosition is the node where a key belongs. The table has nodes.
func (t *Table) mainPosition(key Value) int {
	switch key.Kind() {
	case KindNumber:
		return t.hashNumber(key.Num())
	case KindString:
		return int((*String)(key.ref).hashed()) & (len(t.nodes) - 1)
	case KindBool:
		return int(key.bits) & (len(t.nodes) - 1)
	case KindLight:
		return t.hashMod(uint32(key.bits))
	}
	// Objects stay where they are: Go's collector does not move what is on the heap.
	address := uintptr(key.ref)
	return t.hashMod(uint32(address>>4) ^ uint32(address>>36))
}

// insert adds a key that has no node and belongs there, or into an array part that grows.
func (t *Table) insert(acc account, key, v Value) error {
	if len(t.nodes) == 0 {
		return t.rehash(acc, key, v)
	}
	main := t.mainPosition(key)
	if t.nodes[main].value.IsNil() {
		t.nodes[main].key, t.nodes[main].value = key, v
		return nil
	}
	free := t.freeNode()
	if free < 0 {
		return t.rehash(acc, key, v)
	}
	there, spare := &t.nodes[main], &t.nodes[free]
	if t.mainPosition(there.key) != main {
		// The node there is a stranger in this chain: it moves.
		t.nodes[there.prev-1].next = int32(free) + 1
		*spare = *there
		*there = node{key: key, value: v}
	} else {
		*spare = node{key: key, value: v, next: there.next, prev: int32(main) + 1}
		there.next = int32(free) + 1
	}
	if spare.next > 0 {
		t.nodes[spare.next-1].prev = int32(free) + 1
	}
	return nil
}

// freeNode is a node that was never used, -1 if there is none below lastFree.
func (t *Table) freeNode() int {
	for t.lastFree > 0 {
		t.lastFree--
		if t.nodes[t.lastFree].key.IsNil() {
			return int(t.lastFree)
		}
	}
	return -1
}

// usage counts the keys that could be in an array part: at i those of 2^(i-1) exclusive to 2^i.
type usage [maxBits + 1]int

// add counts a key, and reports whether it could be in an array part.
func (u *usage) add(key Value) bool {
	if !key.IsNumber() {
		return false
	}
	k, ok := arrayIndex(key.Num())
	if !ok || k <= 0 || k > 1<<maxBits {
		return false
	}
	u[bits.Len(uint(k-1))]++
	return true
}

// addArray counts the array part.
func (u *usage) addArray(array []Value) (total int) {
	i := 0
	for log, limit := 0, 1; log <= maxBits && i < len(array); log, limit = log+1, limit*2 {
		count := 0
		for ; i < min(limit, len(array)); i++ {
			if !array[i].IsNil() {
				count++
			}
		}
		u[log] += count
		total += count
	}
	return total
}

// arraySize is the best size of an array part for n integer keys, and how many of them will be in it.
func (u *usage) arraySize(n int) (size, inside int) {
	sum := 0
	for i, power := 0, 1; power/2 < n; i, power = i+1, power*2 {
		if u[i] > 0 {
			sum += u[i]
			if sum > power/2 {
				size, inside = power, sum
			}
		}
		if sum == n {
			break
		}
	}
	return size, inside
}

// rehash lays the table out anew with one key more.
func (t *Table) rehash(acc account, key, v Value) error {
	var use usage
	integers := use.addArray(t.array)
	total := integers + 1
	for i := range t.nodes {
		if n := &t.nodes[i]; !n.value.IsNil() {
			total++
			if use.add(n.key) {
				integers++
			}
		}
	}
	if use.add(key) {
		integers++
	}
	size, inside := use.arraySize(integers)
	if err := t.resize(acc, size, total-inside); err != nil {
		return err
	}
	t.moveIn(key, v)
	return nil
}

// resize gives the parts new sizes. What the account refuses leaves the table as it was.
func (t *Table) resize(acc account, arraySize, hashSize int) error {
	if acc != nil {
		if hashSize > 1<<maxBits {
			return ErrTableOverflow
		}
		bytes := int64(nodeCount(hashSize)) * nodeSize
		if arraySize > cap(t.array) || arraySize < len(t.array) {
			bytes += int64(arraySize) * valueSize
		}
		if err := acc.reserve(bytes); err != nil {
			return err
		}
	}
	nodes, vanishing := t.nodes, []Value(nil)
	if arraySize >= len(t.array) {
		t.growArray(arraySize)
	} else {
		vanishing = t.array[arraySize:]
		t.array = append(make([]Value, 0, arraySize), t.array[:arraySize]...)
	}
	t.setNodes(hashSize)
	for i, v := range vanishing {
		if !v.IsNil() {
			t.moveIn(Int(arraySize+i+1), v)
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if n := &nodes[i]; !n.value.IsNil() {
			t.moveIn(n.key, n.value)
		}
	}
	return nil
}

// moveIn is Set of a key that the table does not have, and has room for. C searches for it first,
// which takes most of the time of growing.
func (t *Table) moveIn(key, v Value) {
	if key.IsNumber() {
		if i, ok := arrayIndex(key.Num()); ok && uint(i-1) < uint(len(t.array)) {
			t.array[i-1] = v
			return
		}
	}
	if err := t.insert(nil, key, v); err != nil {
		panic("BUG: lua: " + err.Error())
	}
}

// growArray extends the array part. The memory behind it is there in a table that was cleared.
func (t *Table) growArray(size int) {
	if size <= cap(t.array) {
		t.array = t.array[:size]
		return
	}
	array := make([]Value, size)
	copy(array, t.array)
	t.array = array
}

// resizeArray gives the array part a size, as a constructor with more items than it announced.
func (t *Table) resizeArray(acc account, size int) error {
	return t.resize(acc, size, len(t.nodes))
}

// setNodes makes a hash part for size keys.
func (t *Table) setNodes(size int) {
	count := nodeCount(size)
	t.nodes, t.lastFree = nil, int32(count)
	if count > 0 {
		t.nodes = make([]node, count)
	}
}

// nodeCount is how many nodes a hash part for so many keys has.
func nodeCount(size int) int {
	if size == 0 {
		return 0
	}
	return 1 << bits.Len(uint(size-1))
}
