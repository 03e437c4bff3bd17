package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/larderkv/larder/store"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// save writes a store's snapshot.
func save(t testing.TB, s *store.Store, o Options) []byte {
	t.Helper()
	s.LockAll()
	sn, err := s.CutLocked(1)
	s.UnlockAll()
	if err != nil {
		t.Fatal(err)
	}
	o.Databases = sn.Databases()
	var b bytes.Buffer
	e := NewEncoder(&b, o)
	if err := sn.Run(e); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e.Bytes() != int64(b.Len()) {
		t.Fatalf("Bytes() = %d, the file has %d", e.Bytes(), b.Len())
	}
	return b.Bytes()
}

func load(file []byte, s *store.Store, o LoadOptions) (Summary, error) {
	return Load(bytes.NewReader(file), int64(len(file)), s, o)
}

func check(file []byte) (Report, error) {
	return Check(bytes.NewReader(file), int64(len(file)), CheckOptions{})
}

// file assembles an RDB file by hand: what stands between the version and the end
// mark. Parts are bytes, opcodes or types as they are, strings as strings, ints as
// lengths, uint64s as eight bytes.
func file(version int, parts ...any) []byte {
	b := fmt.Appendf(nil, "REDIS%04d", version)
	b = append(assemble(b, parts), opEOF)
	return binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
}

func assemble(b []byte, parts []any) []byte {
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case int:
			b = appendLen(b, uint64(p))
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, p)
		case string:
			b = append(appendLen(b, uint64(len(p))), p...)
		case []byte:
			b = append(b, p...)
		default:
			panic(p)
		}
	}
	return b
}

// op is a type or an opcode of a file.
func op(n int) byte { return byte(n) }

// listpack, ziplist and zipmap assemble what Redis would have made of the items.
func listpack(items ...string) string {
	b := beginListpack(nil)
	for _, s := range items {
		b = appendListpacked(b, []byte(s))
	}
	return string(endListpack(b, len(items)))
}

func ziplist(items ...string) string {
	b := make([]byte, ziplistHead)
	prev, tail := 0, ziplistHead
	for _, s := range items {
		tail = len(b)
		if prev < ziplistLongPrev {
			b = append(b, byte(prev))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, ziplistLongPrev), uint32(prev))
		}
		b = append(b, ziplistEntry(s)...)
		prev = len(b) - tail
	}
	b = append(b, ziplistEnd)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	binary.LittleEndian.PutUint32(b[4:], uint32(tail))
	binary.LittleEndian.PutUint16(b[8:], uint16(len(items)))
	return string(b)
}

// ziplistEntry follows ziplist.c: strings of up to 63, 16383 and more bytes,
// integers in the shortest of six forms.
func ziplistEntry(s string) []byte {
	var n int64
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || fmt.Sprint(n) != s {
		switch {
		case len(s) < 1<<6:
			return append([]byte{byte(len(s))}, s...)
		case len(s) < 1<<14:
			return append([]byte{0x40 | byte(len(s)>>8), byte(len(s))}, s...)
		}
		return append(binary.BigEndian.AppendUint32([]byte{0x80}, uint32(len(s))), s...)
	}
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(n))
	switch {
	case n >= 0 && n <= 12:
		return []byte{0xF1 + byte(n)}
	case n >= -1<<7 && n < 1<<7:
		return append([]byte{0xFE}, le[:1]...)
	case n >= -1<<15 && n < 1<<15:
		return append([]byte{0xC0}, le[:2]...)
	case n >= -1<<23 && n < 1<<23:
		return append([]byte{0xF0}, le[:3]...)
	case n >= -1<<31 && n < 1<<31:
		return append([]byte{0xD0}, le[:4]...)
	}
	return append([]byte{0xE0}, le[:8]...)
}

func zipmap(free byte, items ...string) string {
	b := []byte{byte(min(len(items)/2, zipmapUnknown))}
	for i, s := range items {
		if len(s) < zipmapUnknown {
			b = append(b, byte(len(s)))
		} else {
			b = binary.LittleEndian.AppendUint32(append(b, zipmapUnknown), uint32(len(s)))
		}
		if i%2 != 0 {
			b = append(b, free)
		}
		b = append(b, s...)
		if i%2 != 0 {
			b = append(b, make([]byte, free)...)
		}
	}
	return string(append(b, zipmapEnd))
}

func intset(width int, members ...int64) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(width))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(members)))
	for _, m := range members {
		b = append(b, binary.LittleEndian.AppendUint64(nil, uint64(m))[:width]...)
	}
	return string(b)
}

// lzfString is a string in compressed form.
func lzfString(s string) []byte {
	dst := make([]byte, len(s))
	n := new(lzf).compress(dst, []byte(s))
	return append(appendLZFHead(nil, n, len(s)), dst[:n]...)
}
