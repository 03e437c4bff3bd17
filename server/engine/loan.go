// Long values: received where they will be kept.
//
// A value of 100 MB that is collected in a buffer and then copied into the store keeps
// everybody waiting three times: whenever the buffer has to grow and is copied, for
// the copy under the shard's lock, and for the collector. So as soon as the length of
// an argument is known and it is long, the session borrows a block of the store
// (store.Loan), the connection receives into it, and the command that stores the value
// takes the block over: SET and its family, and HSET. For all others the block is but
// a buffer that need not grow.
//
// Nothing is copied, but what stands before the value is written over when the
// block becomes a record. So these words are copied out first, and the request is
// no longer there as it came (Ctx.wire).
//
//	arriving    the session has the loan; the connection receives, piece by piece;
//	            under maxmemory each piece waits until there is room (room.go)
//	running     View.Loan; afterwards the block is a record, or the session's still
//	queued      between MULTI and EXEC the loan goes with the command
//	given back  when the connection or the queue has let go of it
//
// What has been received counts as the client's, and in the store's Used; room.moving
// has the difference.

package engine

import "github.com/larderkv/larder/store"

const (
	// lendFrom is the length in bytes from which an argument is received into memory
	// of the store. To copy less takes some tens of microseconds.
	lendFrom = 1 << 20
	// lendHead is the most that may stand before it.
	lendHead = 4 << 10
	// lendTail is room for what follows it: options of SET.
	lendTail = 256
)

// Lend borrows memory of the store if the request that in begins with has a long
// argument. See netloop.Lender.
func (s *Session) Lend(in []byte) []byte {
	before, start, size := s.parser.Long(in, lendFrom)
	if size == 0 || start > lendHead {
		return nil
	}
	s.loan = s.kernel.Store.Lend(start, s.nameLength(before), size, lendTail)
	if s.loan == nil {
		return nil
	}
	s.received(len(in))
	return s.loan.Request()
}

// nameLength is how long the key or field is under which an argument will be stored
// that stands behind others.
func (s *Session) nameLength(before [][]byte) int {
	if len(before) == 0 {
		return 0
	}
	spec := s.kernel.Table.Resolve(before)
	if spec != nil && spec.lockKind == lockOne && spec.Element == 0 && spec.keyPos < len(before) {
		return len(before[spec.keyPos])
	}
	return len(before[len(before)-1])
}

// GiveBack ends the loan, unless the queue has it. See netloop.Lender.
func (s *Session) GiveBack() {
	s.kernel.giveBack(s.loan)
	s.loan = nil
}

// giveBack ends a loan.
func (k *Kernel) giveBack(l *store.Loan) {
	if l != nil {
		k.room.moving.Add(-l.Bytes())
		l.Return()
	}
}

// received notes how much of the request there is in lent memory.
func (s *Session) received(n int) {
	before := s.loan.Bytes()
	s.loan.Received(n)
	s.kernel.room.moving.Add(s.loan.Bytes() - before)
}

// copyArgs copies arguments out of the input, but for the one that a loan holds; nil
// holds none.
func copyArgs(args [][]byte, loan *store.Loan) [][]byte {
	var size int
	for _, a := range args {
		if !loan.Holds(a) {
			size += len(a)
		}
	}
	flat := make([]byte, 0, size)
	out := make([][]byte, len(args))
	for i, a := range args {
		if loan.Holds(a) {
			out[i] = a
			continue
		}
		from := len(flat)
		flat = append(flat, a...)
		out[i] = flat[from:len(flat):len(flat)]
	}
	return out
}
