package rdb

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

// expected reports whether err is one that a damaged file may give.
func expected(err error, size int) bool {
	var c *CorruptError
	var u *UnknownTypeError
	switch {
	case errors.As(err, &c):
		return c.Offset >= 0 && c.Offset <= int64(size)
	case errors.As(err, &u):
		return u.Offset >= 0 && u.Offset <= int64(size)
	}
	return false
}

// small is a file with something of everything, short enough to damage each byte.
func small(t testing.TB) []byte {
	t.Helper()
	var parts []any
	for _, p := range foreignValues() {
		parts = append(parts, p...)
	}
	parts = append(parts, op(opAux), "redis-ver", "7.4.0", op(opSelectDB), 1, op(opResizeDB), 20, 3,
		op(opExpireMs), uint64(1e15), op(typeString), "a", lzfString(strings.Repeat("abc", 40)),
		op(opIdle), 3, op(typeHash), "b", 2, "f", "v", "g", []byte{0xC1, 1, 2},
		op(typeHashListpack), "c", listpack("f", "1", "g", strings.Repeat("x", 70)),
		op(typeHashZiplist), "d", ziplist("f", "100000", "g", "x"), op(typeHashZipmap), "e", zipmap(1, "f", "v"),
		op(typeSetIntset), "g", intset(4, 1, 2, 3), op(typeSet), "h", 2, "x", "y", op(typeSetListpack), "i", listpack("x", "-500"),
		op(typeList), "j", 2, "a", []byte{0xC0, 1}, op(typeListZiplist), "k2", ziplist("a", "7"),
		op(typeListQuicklist), "l", 2, ziplist("a"), ziplist("b"), op(typeListQuicklist2), "m", 2, 1, "plain", 2, listpack("b", "70000"),
		op(typeZset), "n", 3, "a", byte(3), []byte("1.5"), "b", byte(255), "c", byte(254),
		op(typeZset2), "o", 2, "a", uint64(1), "b", uint64(2),
		op(typeZsetZiplist), "p", ziplist("a", "1", "b", "1.5"), op(typeZsetListpack), "q", listpack("a", "1", "b", "inf"))
	return file(12, parts...)
}

func TestTruncatedAnywhere(t *testing.T) {
	whole, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 1 + n/200 {
		if _, err := check(whole[:n]); !expected(err, n) {
			t.Fatalf("check of the first %d bytes: %v", n, err)
		}
	}
	b := small(t)
	s := open(t)
	for n := range b {
		_, err := load(b[:n], s, LoadOptions{Clock: 1, SkipUnknownTypes: true, Workers: 1})
		if !expected(err, n) {
			t.Fatalf("load of the first %d bytes: %v", n, err)
		}
		s.LockAll()
		s.FlushLocked(0, 1)
		s.FlushLocked(1, 1)
		s.UnlockAll()
	}
	if _, err := load(b, s, LoadOptions{Clock: 1, SkipUnknownTypes: true}); err != nil {
		t.Fatal(err)
	}
}

// A wrong bit is found, by the checksum at the latest; and with the
// checksum switched off none does harm.
func TestWrongBits(t *testing.T) {
	b := small(t)
	s := open(t)
	try := func(b []byte, i, bit int, want bool) {
		t.Helper()
		b[i] ^= 1 << bit
		_, err := load(b, s, LoadOptions{Clock: 1, SkipUnknownTypes: true, Workers: 1})
		_, err2 := check(b)
		b[i] ^= 1 << bit
		if want && (!expected(err, len(b)) || !expected(err2, len(b))) ||
			err != nil && !expected(err, len(b)) || err2 != nil && !expected(err2, len(b)) {
			t.Fatalf("bit %d of byte %d: %v, %v", bit, i, err, err2)
		}
		s.LockAll()
		for db := range s.Databases() {
			s.FlushLocked(db, 1)
		}
		s.UnlockAll()
	}
	for i := range b {
		try(b, i, i%8, true)
	}
	clear(b[len(b)-8:])
	for i := range b {
		for bit := range 8 {
			try(b, i, bit, false)
		}
	}
}

// Files whose lengths promise more than they have fail before memory is taken for
// the promise.
func TestBombs(t *testing.T) {
	huge := []byte{0x81, 0x10, 0, 0, 0, 0, 0, 0, 0}            // 2^60
	gigabyte := []byte{0x80, 0x40, 0, 0, 0}                    // 2^30
	most := append([]byte{0x81}, strings.Repeat("\xFF", 8)...) // 2^64-1
	some := strings.Repeat("x", 1000)
	tests := map[string][]any{
		"string":            {op(typeString), "k", huge, some},
		"string of 2^64-1":  {op(typeString), "k", most, some},
		"name":              {op(typeString), huge, some},
		"aux":               {op(opAux), huge, some},
		"compressed":        {op(typeString), "k", byte(lzfCoded), 10, huge, some},
		"compressed 2":      {op(typeString), "k", byte(lzfCoded), huge, huge, some},
		"compressed 3":      {op(typeString), "k", byte(lzfCoded), 1000, gigabyte, some},
		"compressed hash":   {op(typeHashListpack), "k", byte(lzfCoded), 1000, gigabyte, some},
		"hash":              {op(typeHash), "k", huge, some},
		"hash of 2^40":      {op(typeHash), "k", []byte{0x81, 0, 0, 1, 0, 0, 0, 0, 0}, some},
		"hash of 2^64-1":    {op(typeHash), "k", most, some},
		"hash with TTLs":    {op(typeHashTTL), "k", uint64(1), gigabyte, some},
		"set":               {op(typeSet), "k", gigabyte, some},
		"intset":            {op(typeSetIntset), "k", string([]byte{8, 0, 0, 0, 255, 255, 255, 255}), some},
		"list":              {op(typeList), "k", huge, some},
		"list ziplist":      {op(typeListZiplist), "k", byte(lzfCoded), 1000, gigabyte, some},
		"quicklist":         {op(typeListQuicklist), "k", huge, some},
		"quicklist 2":       {op(typeListQuicklist2), "k", huge, some},
		"packed node":       {op(typeListQuicklist2), "k", 1, 2, "\xff\xff\xff\xff\xff\xff\xff"},
		"plain node":        {op(typeListQuicklist2), "k", 1, 1, huge, some},
		"compressed node":   {op(typeListQuicklist2), "k", 1, 1, byte(lzfCoded), 1000, gigabyte, some},
		"zset":              {op(typeZset2), "k", gigabyte, some},
		"zset, text scores": {op(typeZset), "k", gigabyte, some},
		"zset of 2^64-1":    {op(typeZset2), "k", most, some},
		"zset listpack":     {op(typeZsetListpack), "k", "\xff\xff\xff\xff\xff\xff\xff"},
		"stream":            {op(typeStream3), "k", huge, some},
		"module string":     {op(typeModule2), "k", 1, 5, huge, some},
		"announced keys":    {op(opResizeDB), huge, huge, op(typeString), "k", huge},
		"announced keys 2":  {op(opResizeDB), most, most, op(typeString), "k", huge},
		"listpack elements": {op(typeHashListpack), "k", "\xff\xff\xff\xff\xff\xff\xff"},
		"ziplist length":    {op(typeHashZiplist), "k", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
		"zipmap length":     {op(typeHashZipmap), "k", "\x01\xfe\xff\xff\xff\xff\xff"},
	}
	for name, parts := range tests {
		t.Run(name, func(t *testing.T) {
			b := file(12, parts...)
			s := open(t)
			held := s.Memory()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := load(b, s, LoadOptions{Clock: 1, SkipUnknownTypes: true, Workers: 1})
			_, err2 := check(b)
			runtime.ReadMemStats(&after)
			if !expected(err, len(b)) || !expected(err2, len(b)) {
				t.Fatal(err, err2)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 || s.Memory()-held > 1<<20 {
				t.Errorf("took %d bytes, and %d for the store", grown, s.Memory()-held)
			}
		})
	}
}

// Payloads that are damaged, with a footer that fits what was made of them.
func TestRestoreOfDamagedPayloads(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1}
	k := s.Key([]byte("k"))
	s.LockAll()
	defer s.UnlockAll()
	r := rand.New(rand.NewPCG(3, 4))
	for _, d := range recordedDumps(t) {
		if err := CheckPayload(d.Dump[:len(d.Dump)-1]); !errors.Is(err, ErrPayload) {
			t.Fatalf("a payload cut short: %v", err)
		}
		for range 20 {
			p := append([]byte(nil), d.Dump...)
			i := r.IntN(len(p))
			p[i] ^= 1 << r.IntN(8)
			if err := CheckPayload(p); !errors.Is(err, ErrPayload) {
				t.Fatalf("%q: %v", p, err)
			}
			if err := restorePayload(v, k, p); err != nil && !errors.Is(err, ErrBadFormat) {
				t.Fatal(err)
			} else if _, there := v.Peek(k); there != (err == nil) {
				t.Fatalf("%q: %v, and the key is there: %v", p, err, there)
			}
			v.Delete(k)
		}
	}
	for _, p := range [][]byte{nil, {0}, []byte("0123456789"), footer(Version, typeList, 0), footer(Version, typeHash, 0),
		footer(Version, typeModule2, 0), footer(Version, numTypes), footer(80, valkeyHashTTL), footer(Version, 255)} {
		if err := restorePayload(v, k, p); !errors.Is(err, ErrBadFormat) {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := CheckPayload(footer(dialects[redisDialect].max, typeString, 1, 'x')); err != nil {
		t.Error(err)
	}
	if err := CheckPayload(footer(dialects[redisDialect].max+1, typeString, 1, 'x')); !errors.Is(err, ErrPayload) {
		t.Error(err)
	}
}

// footer makes a payload of a value.
func footer(version int, value ...byte) []byte {
	b := append(value, byte(version), byte(version>>8))
	return assemble(b, []any{updateCRC(0, b)})
}

func TestLZFBounds(t *testing.T) {
	for _, src := range []string{"\x00", "\x05ab", "\x20", "\x20\x00", "\xe0", "\xe0\xff", "\x00a\x20\x01", "\x00a\xff\xff\xff", "\x00a\xe0\xff\x00"} {
		for size := range 8 {
			if decompress(make([]byte, size), []byte(src)) {
				t.Errorf("%q passes for %d bytes", src, size)
			}
		}
	}
	// A match may read what it writes.
	if b := make([]byte, 265); !decompress(b, []byte("\x00a\xe0\xff\x00")) || string(b) != strings.Repeat("a", 265) {
		t.Errorf("%q", b)
	}
	if lzfPlausible(3, 265) || !lzfPlausible(3, 264) || lzfPlausible(1<<20, math.MaxUint64) {
		t.Error("the bound of the ratio is wrong")
	}
}
