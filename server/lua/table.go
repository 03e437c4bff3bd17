package lua

import (
	"errors"
	"unsafe"
)

// Tables are laid out as Lua 5.1.5 does it in C (ltable.c), for one reason: the order in which
// pairs() walks a table, and the border that # finds in a table with holes, depend on the layout,
// and scripts come to depend on both. So sizes, hashes of keys, the handling of collisions and the
// moments of growth are those of C. Only keys that C hashes by address (tables, functions) have
// an order of their own, as they have there.
//
// A table has two parts. The array part holds the keys 1 to len(array). The hash part has 2^n
// nodes, or none; a key's main position is its hash modulo that number. Nodes that share a main
// position are chained. A new key whose main position is taken moves to a free node, unless the node
// in its place is not in its own main position: then that one moves (Brent's variation). So a chain
// holds only keys of one main position, and a table may be full before it grows.
//
// Free nodes are found by walking lastFree down. When it arrives at 0 the table is laid out anew:
// the array part gets the largest size n of a power of two of which more than n/2 slots will be
// used, and the hash part what is left. A key that was deleted keeps its node with a value of nil
// until then, so that next() may go on from it. Assigning nil to a key that was never there makes a
// node as well: C does so too, and it can be what makes the table grow.

// Errors of tables. The machine adds the place in the script.
var (
	ErrIndexNil      = errors.New("table index is nil")
	ErrIndexNaN      = errors.New("table index is NaN")
	ErrInvalidNext   = errors.New("invalid key to 'next'")
	ErrTableOverflow = errors.New("table overflow")
)

const (
	maxBits = 26 // of sizes: C's MAXBITS
	maxInt  = 1<<31 - 1

	valueSize = int64(unsafe.Sizeof(Value{}))
	nodeSize  = int64(unsafe.Sizeof(node{}))
	tableSize = int64(unsafe.Sizeof(Table{}))

	// keptArray is how many slots of its array part a table keeps when it is cleared.
	keptArray = 256
)

// account is asked before a script's table grows, with the bytes that will be allocated: the State.
type account interface {
	reserve(bytes int64) error
}

// Table is a table.
type Table struct {
	head
	readOnly bool
	lastFree int32 // all nodes from here on are taken
	array    []Value
	nodes    []node // 2^n of them, or none
	meta     *Table
	steps    *int // of the State that made it, which long searches take; nil if none did
}

// node is a key with its value. A node whose key is nil was never used.
type node struct {
	key, value Value
	next, prev int32 // in the chain: index+1, 0 at its ends
}

// deadHead is the head of keys of which only the address is left, as bits.
var deadHead = head{kind: KindNil}

// bury lets go of a key whose value is nil, but remembers where it was: next() may still be asked for
// what follows it. C's collector does so too.
func (n *node) bury() {
	switch n.key.Kind() {
	case KindString, KindTable, KindFunction, KindThread:
		n.key = buried(n.key)
	}
}

func buried(key Value) Value {
	return Value{ref: unsafe.Pointer(&deadHead), bits: uint64(uintptr(key.ref))}
}

// NewTable makes a table with room for the keys 1 to arrayHint, and for hashHint others.
func NewTable(arrayHint, hashHint int) *Table {
	t := &Table{head: head{kind: KindTable}}
	if arrayHint > 0 {
		t.array = make([]Value, arrayHint)
	}
	if hashHint > 0 {
		t.setNodes(hashHint)
	}
	return t
}

// Value is the table as a value.
func (t *Table) Value() Value { return Value{ref: unsafe.Pointer(t)} }

// Meta is the metatable, nil if there is none.
func (t *Table) Meta() *Table { return t.meta }

// SetMeta changes the metatable.
func (t *Table) SetMeta(m *Table) { t.meta = m }

// ReadOnly reports whether scripts may not change the table. Set and the other methods do not look:
// what acts for a script has to.
func (t *Table) ReadOnly() bool { return t.readOnly }

// SetReadOnly says whether scripts may change the table.
func (t *Table) SetReadOnly(on bool) { t.readOnly = on }

// Size is the memory that the table takes, without what its keys and values refer to.
func (t *Table) Size() int64 {
	return tableSize + int64(cap(t.array))*valueSize + int64(len(t.nodes))*nodeSize
}

// Clear makes the table like a new one. It keeps some memory: KEYS and ARGV are filled for
// each script.
func (t *Table) Clear() {
	clear(t.array)
	t.array = t.array[:0]
	if cap(t.array) > keptArray {
		t.array = nil
	}
	t.nodes, t.lastFree = nil, 0
	t.meta, t.readOnly = nil, false
}

// arrayIndex is the integer that is equal to n, false if there is none of 32 bits.
func arrayIndex(n float64) (int, bool) {
	i := int32(n) // of a number that does not fit: any, so the comparison fails
	return int(i), float64(i) == n
}

// slot is where the value of a key is, nil if the key has no place in the table.
func (t *Table) slot(key Value) *Value {
	switch key.Kind() {
	case KindNumber:
		n := key.Num()
		if i, ok := arrayIndex(n); ok && uint(i-1) < uint(len(t.array)) {
			return &t.array[i-1]
		}
		return t.slotNumber(n)
	case KindString:
		return t.slotStr((*String)(key.ref))
	case KindNil:
		return nil
	}
	if len(t.nodes) == 0 {
		return nil
	}
	for i, passed := t.mainPosition(key), 0; ; passed++ {
		n := &t.nodes[i]
		if n.key == key {
			return &n.value
		}
		if n.next == 0 {
			return nil
		}
		if passed&longChain == longChain {
			t.takeStep()
		}
		i = int(n.next - 1)
	}
}

// longChain is how many nodes a search passes for each step that it takes, less one. Who wants to
// can make keys that all belong to one chain; a script that searches there must not be out of reach
// of the hook.
const longChain = 15

func (t *Table) takeStep() {
	if t.steps != nil {
		*t.steps--
	}
}

// slotInt is slot of an integer.
func (t *Table) slotInt(i int) *Value {
	if uint(i-1) < uint(len(t.array)) {
		return &t.array[i-1]
	}
	return t.slotNumber(float64(i))
}

// slotNumber is slot of a number that is not in the array part.
func (t *Table) slotNumber(key float64) *Value {
	if len(t.nodes) == 0 {
		return nil
	}
	for i, passed := t.hashNumber(key), 0; ; passed++ {
		n := &t.nodes[i]
		if n.key.IsNumber() && n.key.Num() == key {
			return &n.value
		}
		if n.next == 0 {
			return nil
		}
		if passed&longChain == longChain {
			t.takeStep()
		}
		i = int(n.next - 1)
	}
}

// slotStr is slot of a string.
func (t *Table) slotStr(key *String) *Value {
	if len(t.nodes) == 0 {
		return nil
	}
	hash := key.hashed()
	for i, passed := int(hash)&(len(t.nodes)-1), 0; ; passed++ {
		n := &t.nodes[i]
		if n.key.ref == unsafe.Pointer(key) {
			return &n.value
		}
		if s := n.key.AsString(); s != nil && s.hashed() == hash && s.s == key.s {
			return &n.value
		}
		if n.next == 0 {
			return nil
		}
		if passed&longChain == longChain {
			t.takeStep()
		}
		i = int(n.next - 1)
	}
}

// Get is the value of a key, without asking metamethods: nil if there is none.
func (t *Table) Get(key Value) Value {
	if p := t.slot(key); p != nil {
		return *p
	}
	return Nil
}

// GetInt is Get of an integer.
func (t *Table) GetInt(i int) Value {
	if uint(i-1) < uint(len(t.array)) {
		return t.array[i-1]
	}
	if p := t.slotNumber(float64(i)); p != nil {
		return *p
	}
	return Nil
}

// GetStr is Get of a string.
func (t *Table) GetStr(key *String) Value {
	if p := t.slotStr(key); p != nil {
		return *p
	}
	return Nil
}

// Set changes the value of a key, without asking metamethods or the memory account: it is for
// what the server itself puts into tables. See put for what scripts do.
func (t *Table) Set(key, v Value) error { return t.put(nil, key, v) }

// SetInt is Set of an integer.
func (t *Table) SetInt(i int, v Value) {
	if p := t.slotInt(i); p != nil {
		*p = v
		return
	}
	t.mustInsert(Int(i), v)
}

// SetStr is Set of a string.
func (t *Table) SetStr(key *String, v Value) {
	if p := t.slotStr(key); p != nil {
		*p = v
		return
	}
	t.mustInsert(key.Value(), v)
}

// mustInsert is Set of a key that is neither nil nor NaN.
func (t *Table) mustInsert(key, v Value) {
	if err := t.put(nil, key, v); err != nil {
		panic("BUG: lua: " + err.Error())
	}
}

// put changes the value of a key. If the table has to grow for it, acc is asked first, unless it
// is nil.
func (t *Table) put(acc account, key, v Value) error {
	if p := t.slot(key); p != nil {
		*p = v
		return nil
	}
	if key.IsNil() {
		return ErrIndexNil
	}
	if key.IsNumber() && key.Num() != key.Num() {
		return ErrIndexNaN
	}
	return t.insert(acc, key, v)
}

// putInt is put of an integer.
func (t *Table) putInt(acc account, i int, v Value) error {
	if p := t.slotInt(i); p != nil {
		*p = v
		return nil
	}
	return t.insert(acc, Int(i), v)
}

// Next is the pair that follows a key in the order of the table, ok is false after the last. Nil
// comes before the first. Existing keys may be given new values, or nil, in the course of a walk.
func (t *Table) Next(key Value) (k, v Value, ok bool, err error) {
	i, ok := t.indexOf(key)
	if !ok {
		return Nil, Nil, false, ErrInvalidNext
	}
	for ; i < len(t.array); i++ {
		if v := t.array[i]; !v.IsNil() {
			return Int(i + 1), v, true, nil
		}
	}
	for i -= len(t.array); i < len(t.nodes); i++ {
		if n := &t.nodes[i]; !n.value.IsNil() {
			return n.key, n.value, true, nil
		}
	}
	return Nil, Nil, false, nil
}

// indexOf is the number of the place after that of a key: first those of the array part, then the
// nodes.
func (t *Table) indexOf(key Value) (int, bool) {
	if key.IsNil() {
		return 0, true
	}
	if key.IsNumber() {
		if i, ok := arrayIndex(key.Num()); ok && uint(i-1) < uint(len(t.array)) {
			return i, true
		}
	}
	if len(t.nodes) == 0 {
		return 0, false
	}
	dead := buried(key)
	for i, passed := t.mainPosition(key), 0; ; passed++ {
		n := &t.nodes[i]
		if n.key == key || n.key == dead || Equal(n.key, key) {
			return len(t.array) + i + 1, true
		}
		if n.next == 0 {
			return 0, false
		}
		if passed&longChain == longChain {
			t.takeStep()
		}
		i = int(n.next - 1)
	}
}

// Len is a border: an n so that n is 0 or has a value, and n+1 has none. In a table with holes
// there are several; it is the one that C finds.
func (t *Table) Len() int {
	n := len(t.array)
	if n > 0 && t.array[n-1].IsNil() {
		low := 0
		for n-low > 1 {
			middle := (low + n) / 2
			if t.array[middle-1].IsNil() {
				n = middle
			} else {
				low = middle
			}
		}
		return low
	}
	if len(t.nodes) == 0 {
		return n
	}
	return t.unboundSearch(n)
}

// unboundSearch is Len beyond the array part, whose last slot n is taken.
func (t *Table) unboundSearch(n int) int {
	low, high := n, n+1
	for !t.GetInt(high).IsNil() {
		low = high
		high *= 2
		if high > maxInt { // a table made to spoil the search: count
			n := 1
			for !t.GetInt(n).IsNil() {
				n++
			}
			return n - 1
		}
	}
	for high-low > 1 {
		middle := (low + high) / 2
		if t.GetInt(middle).IsNil() {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

// largest is the largest positive number among the keys, 0 if there is none.
func (t *Table) largest() float64 {
	n := len(t.array)
	for n > 0 && t.array[n-1].IsNil() {
		n--
	}
	most := float64(n)
	for i := range t.nodes {
		if node := &t.nodes[i]; node.key.IsNumber() && !node.value.IsNil() {
			most = max(most, node.key.Num())
		}
	}
	return most
}
