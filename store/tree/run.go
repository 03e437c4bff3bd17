package tree

import "encoding/binary"

// A run is byte strings behind each other, which can be walked from both ends:
//
//	length uvarint | bytes | size of both, reversed uvarint
//
// A reversed uvarint is read from its last byte: that has the low seven bits, and its high
// bit says that another one stands before it. Redis' listpack is the model; here a
// string of digits stays one, so that it goes to the client as it is.
//
// Runs are made by this package and by the store alone, so a malformed one is a bug and is
// met with a panic from a slice bound.

// EntrySize is the number of bytes that a string of n bytes takes in a run.
func EntrySize(n int) int {
	size := uvarintSize(n) + n
	return size + uvarintSize(size)
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// AppendRun appends an entry with s to a run.
func AppendRun(run, s []byte) []byte {
	run = binary.AppendUvarint(run, uint64(len(s)))
	run = append(run, s...)
	size := uvarintSize(len(s)) + len(s)
	n := uvarintSize(size)
	run = append(run, make([]byte, n)...)
	putReversed(run[len(run)-n:], size)
	return run
}

// NextRun returns the string of the entry that begins at off, aliasing the run, and where the
// next entry begins.
func NextRun(run []byte, off int) (s []byte, next int) {
	n := int(run[off])
	if n < 0x7F { // both lengths take one byte
		end := off + 1 + n
		return run[off+1 : end : end], end + 1
	}
	start, n := longLength(run, off)
	end := start + n
	return run[start:end:end], end + uvarintSize(end-off)
}

// PrevRun returns the string of the entry that ends at off, and where that entry begins.
func PrevRun(run []byte, off int) (s []byte, prev int) {
	size, at := int(run[off-1]), off-1
	if size < 0x80 {
		prev = at - size
		return run[prev+1 : at : at], prev
	}
	size, at = reversed(run, off)
	prev = at - size
	start, _ := longLength(run, prev)
	return run[start:at:at], prev
}

// skipNext and skipPrev are NextRun and PrevRun without the string.
func skipNext(run []byte, off int) int {
	if n := int(run[off]); n < 0x7F {
		return off + n + 2
	}
	start, n := longLength(run, off)
	end := start + n
	return end + uvarintSize(end-off)
}

func skipPrev(run []byte, off int) int {
	if size := int(run[off-1]); size < 0x80 {
		return off - 1 - size
	}
	size, at := reversed(run, off)
	return at - size
}

func longLength(run []byte, off int) (start, n int) {
	v, size := binary.Uvarint(run[off:])
	return off + size, int(v)
}

// reversed reads the reversed uvarint that ends at off, and returns where it begins.
func reversed(run []byte, off int) (size, at int) {
	for shift := 0; ; shift += 7 {
		off--
		size |= int(run[off]&0x7F) << shift
		if run[off] < 0x80 {
			return size, off
		}
	}
}

// putReversed fills b, which has the right length, with a reversed uvarint.
func putReversed(b []byte, size int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte(size&0x7F | 0x80)
		size >>= 7
	}
	b[0] &^= 0x80
}

// putEntry writes the entry of s at the beginning of b.
func putEntry(b, s []byte) {
	if n := len(s); n < 0x7F {
		b[0] = byte(n)
		copy(b[1:n+1], s)
		b[n+1] = byte(n + 1)
		return
	}
	n := binary.PutUvarint(b, uint64(len(s)))
	n += copy(b[n:], s)
	putReversed(b[n:n+uvarintSize(n)], n)
}

// seekRun is where entry i of the n entries of a run begins, counted from the nearer end. Where
// entries are as long as the one before, it does not wait for lengths (see needle.find); where
// they are not, that would take longer, so it gives that up.
func seekRun(run []byte, n, i int) (off int) {
	wrong, last := 0, -1 // last is the length byte of the entry before
	if i <= n/2 {
		for ; i > 0 && wrong < maxWrong; i-- {
			if size := int(run[off]); size == last && size < 0x7F {
				off += last + 2
			} else {
				off = skipNext(run, off)
				last = size
				wrong++
			}
		}
		for ; i > 0; i-- {
			off = skipNext(run, off)
		}
		return off
	}
	off = len(run)
	for ; i < n && wrong < maxWrong; i++ {
		if size := int(run[off-1]); size == last && size < 0x80 {
			off -= last + 1
		} else {
			off = skipPrev(run, off)
			last = size
			wrong++
		}
	}
	for ; i < n; i++ {
		off = skipPrev(run, off)
	}
	return off
}

// maxWrong is how often seekRun may be wrong, the first entry included.
const maxWrong = 4
