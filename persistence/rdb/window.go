package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// blockSize is the length of the blocks in which a file is read, and about the
// length from which a collection is cut into pieces.
const blockSize = 256 << 10

// window is the place in a file up to which it was read: a block of memory and a
// position in it. Its methods return false when they fail; err then says why.
//
// What is asked for is compared with what is left of the file first, so no
// length that a file states makes the window larger than the file.
type window struct {
	r    io.Reader
	size int64 // of the file

	buf  []byte
	base int64 // offset of buf[0] in the file
	keep int   // bytes in front of it are done with
	pos  int   // the next byte
	end  int   // bytes behind it are not yet read

	dropping bool // nothing is kept: what is being read is skipped

	module uint64 // ID of the module whose value was skipped last

	unpacked uint64 // bytes that compressed strings stand for; whoever wants to know resets it

	summed int // the checksum covers what is in front of it
	crc    uint64

	// renew, if it returns true, has kept the block and given the window another
	// buf; the window then copies what it needs from the old one.
	renew func(need int) bool

	err error
}

func (w *window) offset() int64    { return w.base + int64(w.pos) }
func (w *window) remaining() int64 { return w.size - w.offset() }

// fail latches an error at an offset in the file.
func (w *window) fail(offset int64, reason string) bool {
	if w.err == nil {
		w.err = &CorruptError{Offset: offset, Reason: reason}
	}
	return false
}

// need makes n bytes available at pos, side by side.
func (w *window) need(n int) bool { return w.end-w.pos >= n || w.more(n) }

// sum brings the checksum up to pos.
func (w *window) sum() {
	w.crc = updateCRC(w.crc, w.buf[w.summed:w.pos])
	w.summed = w.pos
}

const errTruncated = "unexpected end of file"

func (w *window) more(n int) bool {
	if int64(n) > w.remaining() {
		return w.fail(w.size, errTruncated)
	}
	w.sum()
	if w.dropping {
		w.keep = w.pos
	}
	w.shift(w.pos - w.keep + n)
	if w.err != nil {
		return false
	}
	limit := min(int64(len(w.buf)), w.size-w.base)
	got, err := io.ReadAtLeast(w.r, w.buf[w.end:limit], n-(w.end-w.pos))
	w.end += got
	if err == nil {
		return true
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return w.fail(w.base+int64(w.end), errTruncated)
	}
	w.err = fmt.Errorf("read at offset %d: %w", w.base+int64(w.end), err)
	return false
}

// shift moves what is kept to the beginning of a block that has room for size
// bytes.
func (w *window) shift(size int) {
	old, from := w.buf, w.keep
	if w.renew == nil || !w.renew(size) {
		if size > len(w.buf) {
			w.buf = make([]byte, size)
		}
	}
	w.base += int64(from)
	w.end = copy(w.buf, old[from:w.end])
	w.pos, w.summed, w.keep = w.pos-from, w.summed-from, 0
}

// take reads n bytes, n being small. They are valid until the next call.
func (w *window) take(n int) ([]byte, bool) {
	if !w.need(n) {
		return nil, false
	}
	w.pos += n
	return w.buf[w.pos-n : w.pos], true
}

func (w *window) byte() (byte, bool) {
	if !w.need(1) {
		return 0, false
	}
	w.pos++
	return w.buf[w.pos-1], true
}

// skip passes over n bytes.
func (w *window) skip(n uint64) bool {
	if n <= uint64(w.end-w.pos) {
		w.pos += int(n)
		return true
	}
	return w.skipFar(n)
}

func (w *window) skipFar(n uint64) bool {
	if n > uint64(w.remaining()) {
		return w.fail(w.size, errTruncated)
	}
	for w.dropping && n > uint64(w.end-w.pos) {
		n -= uint64(w.end - w.pos)
		w.pos = w.end
		if !w.more(int(min(n, blockSize))) {
			return false
		}
	}
	if !w.need(int(n)) {
		return false
	}
	w.pos += int(n)
	return true
}

// length reads a length. coded reports that it is a string in a special form.
func (w *window) length() (n uint64, coded, ok bool) {
	c, ok := w.byte()
	if !ok {
		return 0, false, false
	}
	switch {
	case c < len14:
		return uint64(c), false, true
	case c < len32:
		low, ok := w.byte()
		return uint64(c&0x3F)<<8 | uint64(low), false, ok
	case c >= lenCoded:
		return uint64(c), true, true
	}
	b, ok := []byte(nil), false
	switch c {
	case len32:
		if b, ok = w.take(4); ok {
			n = uint64(binary.BigEndian.Uint32(b))
		}
	case len64:
		if b, ok = w.take(8); ok {
			n = binary.BigEndian.Uint64(b)
		}
	default:
		w.fail(w.offset()-1, "unknown form of a length")
	}
	return n, false, ok
}

// number reads a length that is a number.
func (w *window) number() (uint64, bool) {
	n, coded, ok := w.length()
	if ok && coded {
		return 0, w.fail(w.offset()-1, "a string stands where a number is expected")
	}
	return n, ok
}

// count reads the number of elements, each of at least size bytes.
func (w *window) count(size uint64) (uint64, bool) {
	n, ok := w.number()
	if ok && n > uint64(w.remaining())/size {
		return 0, w.fail(w.offset(), "more elements than the file has bytes")
	}
	return n, ok
}

// skipString passes over a string.
func (w *window) skipString() bool {
	n, coded, ok := w.length()
	if !ok {
		return false
	}
	if !coded {
		return w.skip(n)
	}
	switch n {
	case intByte:
		return w.skip(1)
	case intShort:
		return w.skip(2)
	case intLong:
		return w.skip(4)
	case lzfCoded:
		return w.skipLZF()
	}
	return w.fail(w.offset()-1, "unknown form of a string")
}

func (w *window) skipLZF() bool {
	packed, ok := w.number()
	if !ok {
		return false
	}
	size, ok := w.number()
	if !ok {
		return false
	}
	if !lzfPlausible(packed, size) {
		return w.fail(w.offset(), errImplausible)
	}
	w.unpacked += size
	return w.skip(packed)
}

const errImplausible = "a compressed string is said to be longer than it can be"
