package rdb

import (
	"encoding/binary"
	"sync"

	"github.com/larderkv/larder/store"
)

// A DUMP payload is a value as in a file, type first, and a footer: the version
// of the format, 2 bytes, and the checksum of all in front of it, 8 bytes, both
// little-endian.

// Dumper makes DUMP payloads. The zero value is ready and safe for concurrent
// use; it keeps what compression needs (256 KB) for the next call.
type Dumper struct{ pool sync.Pool }

type dumping struct {
	c       compressor
	blobs   *blobs
	b       []byte
	element func(w elementWriter, item, value []byte) // writes one of the present value
	put     func(item, value []byte) bool             // appendElement, bound once
}

// Dump appends the payload of a value to dst. compress is what an Encoder's
// Options say of it.
func (d *Dumper) Dump(dst []byte, v *store.Value, compress bool) []byte {
	s, ok := d.pool.Get().(*dumping)
	if !ok {
		s = &dumping{blobs: newBlobs()}
		s.put = s.appendElement
	}
	defer d.pool.Put(s)
	s.c.on = compress
	return s.dump(dst, v)
}

func (s *dumping) dump(dst []byte, v *store.Value) []byte {
	from := len(dst)
	f, whole := s.blobs.build(v)
	dst = append(dst, f.typ)
	if whole {
		dst = s.c.appendString(append(dst, f.lead...), f.blob)
	} else {
		s.b, s.element = appendLen(dst, uint64(v.Len())), codecs[v.Type()].write
		v.Each(s.put)
		dst, s.b = s.b, nil
	}
	dst = binary.LittleEndian.AppendUint16(dst, Version)
	return binary.LittleEndian.AppendUint64(dst, updateCRC(0, dst[from:]))
}

func (s *dumping) appendElement(item, value []byte) bool {
	s.element(s, item, value)
	return true
}

func (s *dumping) str(b []byte) { s.b = s.c.appendString(s.b, b) }
func (s *dumping) raw(b []byte) { s.b = append(s.b, b...) }
