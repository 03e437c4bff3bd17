package tree

import (
	"encoding/binary"
	"unsafe"
)

// Run is what a leaf holds: a run of entries, or strings of one length behind each other without
// any of their own.
type Run struct {
	b     []byte
	width int // of each string; 0: entries
}

// Next returns the string that begins at off, aliasing the run, and where the next one begins.
func (r Run) Next(off int) (s []byte, next int) {
	if r.width == 0 {
		return NextRun(r.b, off)
	}
	next = off + r.width
	return r.b[off:next:next], next
}

// prev returns the string that ends at off, and where it begins.
func (r Run) prev(off int) (s []byte, prev int) {
	if r.width == 0 {
		return PrevRun(r.b, off)
	}
	prev = off - r.width
	return r.b[prev:off:off], prev
}

// skip is where the string behind the one at off begins.
func (r Run) skip(off int) int {
	if r.width == 0 {
		return skipNext(r.b, off)
	}
	return off + r.width
}

// seek is where string i of n begins.
func (r Run) seek(n, i int) (off int) {
	if r.width > 0 {
		return i * r.width
	}
	return seekRun(r.b, n, i)
}

// takes reports whether a string of n bytes can stand in the run in its present form.
func (r Run) takes(n int) bool { return r.width == 0 || r.width == n }

// sizeOf is the number of bytes of a string of n bytes that the run takes.
func (r Run) sizeOf(n int) int {
	if r.width == 0 {
		return EntrySize(n)
	}
	return n
}

// asEntries is the number of bytes that so many of the run's bytes have as entries.
func (r Run) asEntries(bytes int) int {
	if r.width == 0 {
		return bytes
	}
	return bytes / r.width * EntrySize(r.width)
}

// put writes a string that the run takes at the beginning of b.
func (r Run) put(b, s []byte) {
	if r.width == 0 {
		putEntry(b, s)
	} else {
		copy(b, s)
	}
}

// putEntries writes the strings of the run as entries at the beginning of b.
func (r Run) putEntries(b []byte) {
	if r.width == 0 {
		copy(b, r.b)
		return
	}
	for off, size := 0, EntrySize(r.width); off < len(r.b); off += r.width {
		putEntry(b, r.b[off:off+r.width])
		b = b[size:]
	}
}

// find returns where the first string from off on begins that is equal to the needle, and how many
// stand before it; the run's length if there is none.
func (r Run) find(d *needle, off int) (at, skipped int) {
	if r.width == 0 {
		return d.find(r.b, off)
	}
	at = len(r.b)
	switch {
	case r.width != len(d.s):
	case r.width < wordSize:
		for at = off; at < len(r.b) && string(r.b[at:at+r.width]) != string(d.s); {
			at += r.width
		}
	default:
		at = r.findWord(d.s, off)
	}
	return at, (at - off) / r.width
}

// findWord is find among strings of the needle's length, at least a word. It compares the word that
// ends with the last byte in which the needle differs from the first string: strings of one list
// tend to begin alike, and to end alike.
func (r Run) findWord(s []byte, off int) (at int) {
	head := differ(r.b[off:off+r.width], s)
	if head < 0 {
		return off
	}
	word := binary.NativeEndian.Uint64(s[head:])
	for at = off; ; at += r.width {
		if at = nextWord(r.b, at+head, r.width, word) - head; at < 0 {
			return len(r.b)
		}
		if string(r.b[at:at+r.width]) == string(s) {
			return at
		}
	}
}

// differ is where the last word stands that has a byte in which two strings of one length differ,
// at its end if possible; -1 if they are equal.
func differ(a, b []byte) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return max(0, i-wordSize+1)
		}
	}
	return -1
}

// nextWord returns the first of the offsets p, p+stride, p+2*stride ... at which b has a word, -1
// if it has it at none. Four at a time, half a million take as long as their bytes take to come
// from memory; one at a time, twice as long.
func nextWord(b []byte, p, stride int, word uint64) int {
	base := unsafe.Pointer(unsafe.SliceData(b))
	for ; p+3*stride+wordSize <= len(b); p += 4 * stride {
		at := unsafe.Add(base, p)
		here := *(*uint64)(at) == word
		second := *(*uint64)(unsafe.Add(at, stride)) == word
		third := *(*uint64)(unsafe.Add(at, 2*stride)) == word
		fourth := *(*uint64)(unsafe.Add(at, 3*stride)) == word
		if here || second || third || fourth {
			break
		}
	}
	for ; p+wordSize <= len(b); p += stride {
		if binary.NativeEndian.Uint64(b[p:]) == word {
			return p
		}
	}
	return -1
}

// findBack returns where the last string before off begins that is equal to the needle, and how
// many stand between; -1 if there is none.
func (r Run) findBack(d *needle, off int) (at, skipped int) {
	if r.width == 0 {
		return d.findBack(r.b, off)
	}
	if r.width != len(d.s) {
		return -1, off / r.width
	}
	if r.width >= wordSize {
		at = r.findWordBack(d.s, off)
	} else {
		for at = off - r.width; at >= 0 && string(r.b[at:at+r.width]) != string(d.s); {
			at -= r.width
		}
	}
	return max(at, -1), (off-at)/r.width - 1
}

// findWordBack is findWord for the last string before off, below 0 if there is none.
func (r Run) findWordBack(s []byte, off int) (at int) {
	at = off - r.width
	head := differ(r.b[at:off], s)
	if head < 0 {
		return at
	}
	word := binary.NativeEndian.Uint64(s[head:])
	for at -= r.width; at >= 0; at -= r.width {
		if binary.NativeEndian.Uint64(r.b[at+head:]) == word && string(r.b[at:at+r.width]) == string(s) {
			break
		}
	}
	return at
}
