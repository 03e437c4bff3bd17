package rdb

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/larderkv/larder/store"
)

// Options say what an Encoder writes and how.
type Options struct {
	Compress  bool // strings by LZF, where that saves something
	Checksum  bool // CRC-64 of the whole file at its end, else 0
	Aux       []Aux
	Signature string          // magic word and version in place of larder's own, for values of other servers
	Libraries []string        // sources of the libraries of functions
	Databases []store.DBCount // written as hints for the loader's tables
	// Access writes each key's idle time or access counter, whichever the
	// snapshot tells. Redis does that under an LRU or LFU policy.
	Access bool
	// Sync, if not nil, is notified of each range of about SyncEvery bytes that was
	// written, from the goroutine that writes, so that a file reaches the disk
	// in steps and not all at once in the end. Its error fails the Encoder.
	Sync      func(off, n int64) error
	SyncEvery int64
}

// Aux is a fact about a file's origin.
type Aux struct{ Name, Value string }

// Encoder writes an RDB file; it is a store.Sink. It encodes in the goroutine of
// its caller; a goroutine of its own computes the checksum and writes, a chunk
// later. A failed write is returned by one of the next calls, and by Close.
// Close or Abort has to be called in any case, by the same goroutine as all else.
type Encoder struct {
	o  Options
	w  *writer
	c  compressor
	db int // -1 before the first key

	buf   []byte // the chunk being filled
	blobs *blobs

	within bool  // between Begin and End
	left   int   // elements still to come
	first  int64 // of their expiry times, 0 if they have none
	timed  bool  // those stand behind the key (membertimes.go)
	times  []byte

	element    func(w elementWriter, item, value []byte) // writes one of the present key
	putElement func(item, value []byte) bool             // addElement, bound once
}

// NewEncoder begins a file. w is used by one goroutine at a time and no longer
// after Close or Abort.
func NewEncoder(w io.Writer, o Options) *Encoder {
	o.Databases = slices.Clone(o.Databases)
	e := &Encoder{
		o: o, w: newWriter(w, o), c: compressor{on: o.Compress}, db: -1,
		buf: make([]byte, 0, chunkSize), blobs: newBlobs(),
	}
	e.putElement = e.addElement
	e.buf = append(e.buf, cmp.Or(o.Signature, fmt.Sprintf("%s%04d", magic, Version))...)
	for _, a := range o.Aux {
		e.op(opAux)
		e.str([]byte(a.Name))
		e.str([]byte(a.Value))
	}
	for _, source := range o.Libraries {
		e.op(opFunction)
		e.str([]byte(source))
	}
	return e
}

// Close writes the end of the file and waits until everything has been written.
// It returns the first failure.
func (e *Encoder) Close() error {
	e.op(opEOF)
	e.w.full <- e.buf
	e.w.finish()
	if err := e.w.err(); err != nil {
		return err
	}
	// The goroutine has returned: its checksum covers all but itself.
	sum := binary.LittleEndian.AppendUint64(nil, e.w.crc)
	e.w.checksum = false
	return e.w.write(sum)
}

// Abort ends the Encoder without the end of the file, which nobody will take for
// a whole one.
func (e *Encoder) Abort() { e.w.finish() }

// Bytes is the length of the file after Close.
func (e *Encoder) Bytes() int64 { return e.w.written }

// room makes room for n bytes in the chunk, n being at most half a chunk.
func (e *Encoder) room(n int) {
	if cap(e.buf)-len(e.buf) < n {
		e.buf = e.w.exchange(e.buf)
	}
}

func (e *Encoder) op(op byte) {
	e.room(1)
	e.buf = append(e.buf, op)
}

func (e *Encoder) length(n int) {
	e.room(maxLenSize)
	e.buf = appendLen(e.buf, uint64(n))
}

// largeString is the length from which a string is written in pieces.
const largeString = chunkSize / 4

// str writes a string.
func (e *Encoder) str(s []byte) {
	if len(s) < largeString {
		e.room(len(s) + 2*maxLenSize + 1)
		e.buf = e.c.appendString(e.buf, s)
		return
	}
	e.room(2*maxLenSize + 1)
	if z := e.c.compress(s); len(z) > 0 {
		e.buf = appendLZFHead(e.buf, len(z), len(s))
		s = z
	} else {
		e.buf = appendLen(e.buf, uint64(len(s)))
	}
	e.pieces(s)
}

// pieces writes bytes as they are, however many.
func (e *Encoder) pieces(s []byte) {
	for len(s) > 0 {
		e.room(1)
		n := copy(e.buf[len(e.buf):cap(e.buf)], s)
		e.buf = e.buf[:len(e.buf)+n]
		s = s[n:]
	}
}

// auxKey is the auxiliary field in front of a key that has what only larder knows of: its extras, as
// store.Extras has them. Every other server skips such fields.
const auxKey = "larder-key"

// head writes everything of a key in front of its value.
func (e *Encoder) head(k *store.SnapshotKey, typ byte) {
	if k.DB != e.db {
		e.selectDB(k.DB)
	}
	if len(k.Extras) > 0 {
		e.op(opAux)
		e.str([]byte(auxKey))
		e.str(k.Extras)
	}
	e.room(1 + 8 + 1 + maxLenSize + 1)
	if k.ExpireAt != 0 {
		e.buf = binary.LittleEndian.AppendUint64(append(e.buf, opExpireMs), uint64(k.ExpireAt))
	}
	if e.o.Access {
		if k.Idle >= 0 {
			e.buf = appendLen(append(e.buf, opIdle), uint64(k.Idle))
		} else if k.Freq >= 0 {
			e.buf = append(e.buf, opFreq, byte(k.Freq))
		}
	}
	e.buf = append(e.buf, typ)
	e.str(k.Name)
}

// selectDB changes the database, and tells its counts the first time.
func (e *Encoder) selectDB(db int) {
	e.db = db
	e.op(opSelectDB)
	e.length(db)
	for i, c := range e.o.Databases {
		if c.DB == db && c.Keys > 0 {
			e.op(opResizeDB)
			e.length(c.Keys)
			e.length(c.Expires)
			e.o.Databases = slices.Delete(e.o.Databases, i, i+1)
			return
		}
	}
}

// raw writes bytes as they are; there are few of them.
func (e *Encoder) raw(b []byte) {
	e.room(len(b))
	e.buf = append(e.buf, b...)
}

// Key writes a key with its value.
func (e *Encoder) Key(k *store.SnapshotKey, v *store.Value) error {
	f, whole := e.blobs.build(v)
	e.head(k, f.typ)
	if whole {
		e.room(len(f.lead))
		e.buf = append(e.buf, f.lead...)
		e.str(f.blob)
	} else {
		e.element = codecs[v.Type()].write
		e.length(v.Len())
		v.Each(e.putElement)
	}
	return e.w.err()
}

func (e *Encoder) addElement(item, value []byte) bool {
	e.element(e, item, value)
	return true
}

// Begin writes the head of a big collection of n elements.
func (e *Encoder) Begin(k *store.SnapshotKey, n int) error {
	row := &codecs[k.Type]
	e.within, e.left, e.element, e.first = true, n, row.write, k.FirstExpiry
	if e.timed = e.first != 0 && row.dated == 0; e.timed {
		e.announceTimes()
	}
	if e.first == 0 || e.timed {
		e.head(k, row.big)
	} else {
		e.head(k, row.dated)
		e.raw(binary.LittleEndian.AppendUint64(nil, uint64(e.first)))
	}
	e.length(n)
	return e.w.err()
}

// Element writes one of them.
func (e *Encoder) Element(item, value []byte, expire int64) error {
	e.left--
	if e.timed {
		e.times = binary.AppendUvarint(e.times, uint64(elementTTL(expire, e.first)))
	} else if e.first != 0 {
		e.length(int(elementTTL(expire, e.first)))
	}
	e.addElement(item, value)
	return e.w.err()
}

// elementTTL is a time of an element as it stands in a file: 0 for none, else from 1 on.
func elementTTL(expire, first int64) int64 {
	if expire == 0 {
		return 0
	}
	return expire - first + 1
}

// End ends a big collection. It is an error unless as many elements came as
// Begin said: the file would not be readable.
func (e *Encoder) End() error {
	if e.left != 0 || !e.within {
		return fmt.Errorf("BUG: a collection's number of elements is wrong by %d", e.left)
	}
	e.within = false
	if e.timed {
		e.writeTimes()
	}
	return e.w.err()
}
