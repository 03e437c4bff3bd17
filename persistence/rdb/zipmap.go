package rdb

import "encoding/binary"

// Zipmaps, in which Redis up to 2.4 kept small hashes:
//
//	pairs 1 (254: count them) | length, field, length, free 1, value, unused ... | 0xFF
//
// A length is one byte up to 253, or 254 and four bytes, little-endian. free
// bytes behind a value are not in use.

const (
	zipmapEnd     = 0xFF
	zipmapUnknown = 254
)

// addZipmap adds fields and values of a zipmap after checking every byte of its
// structure.
func (it *items) addZipmap(b []byte) error {
	if len(b) < 2 || b[len(b)-1] != zipmapEnd {
		return corruption("zipmap has no end")
	}
	last, n := len(b)-1, 0
	for p := 1; p < last; n++ {
		if p = it.addZipmapString(b[:last], p, 0); p == 0 {
			return corruption("zipmap has a bad field")
		}
		if p = it.addZipmapString(b[:last], p, 1); p == 0 {
			return corruption("zipmap has a bad value")
		}
	}
	if stated := int(b[0]); stated < zipmapUnknown && stated != n {
		return corruption("zipmap has a wrong number of fields")
	}
	return nil
}

// addZipmapString adds the string whose length is at p, with gap bytes between
// length and string, the count of those unused behind it. It returns the offset
// of what follows, 0 if it is malformed.
func (it *items) addZipmapString(b []byte, p, gap int) (next int) {
	if p >= len(b) {
		return 0
	}
	n := uint64(b[p])
	p++
	if n == zipmapUnknown {
		if len(b)-p < 4 {
			return 0
		}
		n = uint64(binary.LittleEndian.Uint32(b[p:]))
		p += 4
	} else if n == zipmapEnd {
		return 0
	}
	if len(b)-p < gap {
		return 0
	}
	unused := uint64(0)
	if gap > 0 {
		unused = uint64(b[p])
		p += gap
	}
	if n+unused > uint64(len(b)-p) {
		return 0
	}
	it.add(b[p : p+int(n) : p+int(n)])
	return p + int(n+unused)
}
