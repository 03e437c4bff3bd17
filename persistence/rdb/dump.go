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
		dst = s.elements(dst, from, v)
	}
	return appendFooter(dst, from, Version)
}

// elements appends those of a big collection. dst has the type, at from.
func (s *dumping) elements(dst []byte, from int, v *store.Value) []byte {
	row, first := &codecs[v.Type()], v.FirstExpiry()
	if s.element = row.write; first == 0 {
		s.b = appendLen(dst, uint64(v.Len()))
		v.Each(s.put)
	} else if row.dated == 0 {
		s.b = appendLen(dst, uint64(v.Len()))
		times := appendTrailer(nil, first)
		v.EachDated(func(item, value []byte, expire int64) bool {
			times = binary.AppendUvarint(times, uint64(elementTTL(expire, first)))
			return s.appendElement(item, value)
		})
		s.b = append(s.b, times...)
	} else {
		dst[from] = row.dated
		s.b = appendLen(binary.LittleEndian.AppendUint64(dst, uint64(first)), uint64(v.Len()))
		v.EachDated(func(item, value []byte, expire int64) bool {
			s.b = appendLen(s.b, uint64(elementTTL(expire, first)))
			return s.appendElement(item, value)
		})
	}
	dst, s.b = s.b, nil
	return dst
}

// appendFooter ends the payload that begins at from, for servers that know this version.
func appendFooter(dst []byte, from int, version uint16) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, version)
	return binary.LittleEndian.AppendUint64(dst, updateCRC(0, dst[from:]))
}

func (s *dumping) appendElement(item, value []byte) bool {
	s.element(s, item, value)
	return true
}

func (s *dumping) str(b []byte) { s.b = s.c.appendString(s.b, b) }
func (s *dumping) raw(b []byte) { s.b = append(s.b, b...) }
