package rdb

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/larderkv/larder/store"
)

// reseal gives a damaged file or payload the checksum that fits it, so that a
// fuzzer gets past it.
func reseal(b []byte) []byte {
	if len(b) < 8 {
		return b
	}
	body := b[:len(b)-8]
	return binary.LittleEndian.AppendUint64(body[:len(body):len(body)], updateCRC(0, body))
}

// No file makes the loader panic, and what it accepts it can write and read again.
func FuzzLoad(f *testing.F) {
	recorded, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(recorded)
	f.Add(small(f))
	for _, parts := range foreignValues() {
		f.Add(file(12, parts...))
	}
	s, again := open(f), open(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = reseal(b)
		defer empty(s)
		_, err := load(b, s, LoadOptions{Clock: 1e12, SkipUnknownTypes: true, Workers: 2})
		if _, err2 := check(b); err == nil && err2 != nil {
			t.Fatalf("it loads, and check says %v", err2)
		}
		if err != nil {
			if !expected(err, len(b)) {
				t.Fatal(err)
			}
			return
		}
		defer empty(again)
		file := save(t, s, Options{Compress: true, Checksum: true})
		if _, err := load(file, again, LoadOptions{Clock: 1e12}); err != nil {
			t.Fatal(err)
		}
		compare(t, contents(t, again), contents(t, s))
	})
}

func empty(s *store.Store) {
	s.LockAll()
	defer s.UnlockAll()
	for db := range s.Databases() {
		s.FlushLocked(db, 1)
	}
}

// No payload makes RESTORE panic, and what it accepts DUMP gives back.
func FuzzRestore(f *testing.F) {
	for _, d := range recordedDumps(f) {
		f.Add(d.Dump)
	}
	for _, v := range wholeValues() {
		f.Add(footer(12, assemble(nil, v)...))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range []byte{typeHash, typeSet, typeZset2, typeList, typeListQuicklist2} {
		f.Add(footer(12, assemble(nil, largeValue(r, typ, 1500, -1))...))
		f.Add(footer(12, assemble(nil, largeValue(r, typ, 1500, 1400))...))
	}
	s := open(f)
	var dumper Dumper
	f.Fuzz(func(t *testing.T, b []byte) {
		b = reseal(b)
		if CheckPayload(b) != nil {
			return
		}
		s.LockAll()
		defer s.UnlockAll()
		v := &store.View{Store: s, Now: 1000}
		k, again := s.Key([]byte("k")), s.Key([]byte("again"))
		defer v.Delete(again)
		defer v.Delete(k)
		if restorePayload(v, k, b) != nil {
			return
		}
		e, _ := v.Peek(k)
		value := e.Content()
		payload := dumper.Dump(nil, &value, true)
		want := describe(t, &e)
		if err := CheckPayload(payload); err != nil {
			t.Fatal(err)
		}
		if err := restorePayload(v, again, payload); err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		if e, _ = v.Peek(again); describe(t, &e) != want {
			t.Fatalf("%s, want %s", describe(t, &e), want)
		}
	})
}

// wholeValues are values of each form that larder reads, without a key.
func wholeValues() [][]any {
	return [][]any{
		{op(typeString), lzfString("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")}, {op(typeHash), 1, "f", "v"}, {op(typeSet), 2, "a", []byte{intByte, 7}},
		{op(typeHashZiplist), ziplist("a", "1", "b", "100000")}, {op(typeHashZipmap), zipmap(1, "a", "b")}, {op(typeHashListpack), listpack("a", "1")},
		{op(typeSetListpack), listpack("a", "7")}, {op(typeHashPackTTL), uint64(5), listpack("a", "b", "5")}, {op(typeSetIntset), intset(8, -1, 5)},
		{op(typeHashTTL), uint64(5), 2, 1, "a", "b", 0, "c", "d"}, {op(typeHashTTLPreGA), 1, 0, "a", "1"},
		{op(typeList), 2, "a", "b"}, {op(typeListZiplist), ziplist("a", "7")}, {op(typeListQuicklist), 2, ziplist("a"), ziplist()},
		{op(typeListQuicklist2), 2, 1, "plain", 2, lzfString(listpack("a", "70000", "a", "70000", "a", "70000", "a", "70000"))},
		{op(typeZset), 2, "a", byte(254), "b", byte(3), []byte("1.5")}, {op(typeZset2), 1, "a", uint64(1) << 62},
		{op(typeZsetZiplist), ziplist("a", "1")}, {op(typeZsetListpack), listpack("a", "inf", "b", "0.1")},
	}
}

// No value makes the decoder panic or take more than its promise, and what comes out has the shape
// that the store is promised.
func FuzzDecode(f *testing.F) {
	for _, v := range wholeValues() {
		f.Add(assemble(nil, v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || b[0] >= numTypes {
			return
		}
		var d decoder
		err := d.value(b[0], b[1:], 1000)
		// 88 bytes for each that is compressed; two of those make an item of a listpack, whose
		// digits, and bytes of a score, may be printed. Slices grow by doubling.
		if took := 24*cap(d.list) + cap(d.items.text); took > 3*len(b)*88*(24+11+8)/2+4<<20 {
			t.Fatalf("%d bytes take %d", len(b), took)
		}
		if err != nil {
			return
		}
		row := &codecs[d.typ]
		if !typeRows[b[0]].known() || d.typ != store.TypeString && d.count() == 0 || row.stride != 0 && len(d.list)%row.stride != 0 {
			t.Fatalf("%d elements of a %s, items %q", d.count(), d.typ, d.list)
		}
		for i := 1; d.typ == store.TypeZset && i < len(d.list); i += 2 {
			if len(d.list[i]) != 8 || math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(d.list[i]))) {
				t.Fatalf("the score of %q is %x", d.list[i-1], d.list[i])
			}
		}
	})
}

// No listpack, ziplist, zipmap or intset is read beyond its bounds, and the items
// of a listpack make the same listpack again.
func FuzzListpack(f *testing.F) {
	for _, s := range []string{
		listpack(), listpack("a", "1", "-70000", "9223372036854775807"), ziplist("a", "1", "100000"), zipmap(2, "a", "b"),
		intset(2, 1, 2), listpack(string(bytes.Repeat([]byte("x"), 5000))),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:len(b):len(b)]
		var it items
		for _, add := range []func([]byte) error{it.addZiplist, it.addZipmap} {
			it.reset()
			_ = add(b) // whether it is valid is not the question
		}
		if _, members, err := checkIntset(b); err == nil && len(members) != len(b)-intsetHead {
			t.Fatal(len(members))
		}
		it.reset()
		if it.addListpack(b) != nil {
			return
		}
		again := beginListpack(nil)
		for _, s := range it.list {
			again = appendListpacked(again, s)
		}
		again = endListpack(again, len(it.list))
		var back items
		if err := back.addListpack(again); err != nil || len(back.list) != len(it.list) {
			t.Fatalf("%q: %v", again, err)
		}
		for i := range it.list {
			if !bytes.Equal(it.list[i], back.list[i]) {
				t.Fatalf("item %d is %q, was %q", i, back.list[i], it.list[i])
			}
		}
	})
}
