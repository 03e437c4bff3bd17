package store

import "github.com/larderkv/larder/store/arena"

// Loan is memory of the store into which a long value is received, so that it need
// not be copied under a shard's lock, which for 100 MB would take some 70 ms, two
// thirds of it page faults.
//
// It is a block of the arena with the client's request in it, placed so that the
// value lies where a record of that key would have it: the words of the request in
// front of it are always more than the record's header and key, so these are later
// written over them, and the block has become a record. Which command it is for the
// store does not know: whoever stores just that value (View.Loan) gets the block, and
// where nobody does, or the guess at the key was wrong, the value is copied as ever.
//
// What has been received counts in Used and Memory. One goroutine owns a Loan; the
// command that stores its value holds the shard's lock.
type Loan struct {
	block *arena.Loan // nil: over
	mem   []byte
	wire  int   // where the request begins in mem
	value int   // where the value begins
	n     int   // bytes of the value
	bytes int64 // received, as they count
}

// Lend returns memory for a request whose first head bytes are followed by a value
// of n, n > 16 KiB, and tail more bytes. klen is the length of the key that the value
// will presumably get. nil means that there is none to be had.
func (s *Store) Lend(head, klen, n, tail int) *Loan {
	longest := recordSize(klen, n, true) - n
	wire := max(0, longest-head)
	wire += -(wire + head - longest) & 7 // a record begins at a multiple of 8, with a TTL or without
	block := s.heap.Lend(wire + head + n + tail)
	if block == nil {
		return nil
	}
	return &Loan{block: block, mem: block.Bytes(), wire: wire, value: wire + head, n: n}
}

// Request is where the request goes, from its first byte on. It is as long as was
// asked for, or a bit longer.
func (l *Loan) Request() []byte { return l.mem[l.wire:] }

// Received reports that n bytes of the request are there.
func (l *Loan) Received(n int) {
	if l.block != nil {
		l.block.Fill(l.wire + n)
		l.bytes = int64(l.wire+n+4095) >> 12 << 12
	}
}

// Bytes is how much of what has been received counts in Used, also after a record
// has been made of it.
func (l *Loan) Bytes() int64 { return l.bytes }

// Return gives the memory back, unless a record has been made of it.
func (l *Loan) Return() {
	if l.block != nil {
		l.block.Return()
		l.block = nil
	}
}

// Holds reports whether value is the one that was received; nil holds none.
func (l *Loan) Holds(value []byte) bool {
	return l != nil && l.block != nil && len(value) == l.n && &value[0] == &l.mem[l.value]
}

// newRecord is table.newRecord. It takes a value that was received into a Loan over,
// if it can, and what the client sent in front of it is gone then.
func (v *View) newRecord(t *table, meta uint32, key, value []byte, expire int64) arena.Ref {
	if v.Loan.Holds(value) {
		if ref, ok := v.Loan.adopt(t, meta, key, expire); ok {
			return ref
		}
	}
	return t.newRecord(meta, key, value, expire)
}

// adopt makes the block a record of t.
func (l *Loan) adopt(t *table, meta uint32, key []byte, expire int64) (ref arena.Ref, ok bool) {
	header := recordSize(len(key), l.n, expire != 0) - len(key) - l.n
	at := l.value - len(key) - header
	if at < 0 || at&7 != 0 || at >= arena.LeastLarge {
		return 0, false
	}
	copy(l.mem[at+header:], key) // first: it may stand where the header will
	writeHeader(l.mem[at:], meta, len(key), l.n, expire)
	before := t.ar.Used()
	ref = t.ar.Accept(l.block, at)
	t.bytes += t.ar.Used() - before
	l.block = nil
	return ref, true
}
