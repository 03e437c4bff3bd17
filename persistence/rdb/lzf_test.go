package rdb

import (
	"bytes"
	"hash/crc64"
	"math"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func TestChecksum(t *testing.T) {
	// The check value of CRC-64/Jones as Redis has it in crc64.c.
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("%x", got)
	}
	r := randtest.New(t)
	b := make([]byte, 1000)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	table := crc64.MakeTable(jones)
	for range 1000 {
		from := r.IntN(len(b))
		to := from + r.IntN(len(b)-from)
		mid := from + r.IntN(to-from+1)
		want := ^crc64.Update(^uint64(0), table, b[from:to])
		if got := updateCRC(updateCRC(0, b[from:mid]), b[mid:to]); got != want {
			t.Fatalf("%x of %x, want %x", got, b[from:to], want)
		}
	}
}

// Both sets of tables give the same, and what is compressed comes back.
func TestLZF(t *testing.T) {
	r := randtest.New(t)
	short, long := new(lzf), &lzf{base: 1}
	src, back := make([]byte, lzfShort), make([]byte, lzfShort)
	dst, other := make([]byte, lzfShort), make([]byte, lzfShort)
	for range 20000 {
		n := 4 + r.IntN(lzfShort-3)>>r.IntN(8)
		src, back := src[:n], back[:n]
		letters := 1 + r.IntN(1+r.IntN(256))
		for i := range src {
			src[i] = byte(r.IntN(letters))
			if i > 20 && r.IntN(4) == 0 {
				src[i] = src[i-20]
			}
		}
		room := 1 + r.IntN(n)
		k := short.compress(dst[:room], src)
		if j := long.compressLong(other[:room], src); j != k || !bytes.Equal(other[:j], dst[:k]) {
			t.Fatalf("%x becomes %x and %x", src, dst[:k], other[:j])
		}
		long.base += uint32(n)
		if k > 0 && (!decompress(back, dst[:k]) || !bytes.Equal(back, src)) {
			t.Fatalf("%x becomes %x and %x", src, dst[:k], back)
		}
	}
}

// The places start again before they run out of bits.
func TestLZFForGood(t *testing.T) {
	z := &lzf{base: math.MaxUint32 / 2}
	src := bytes.Repeat([]byte("0123456789"), 500)
	dst, back := make([]byte, len(src)), make([]byte, len(src))
	for range 5 {
		n := z.compress(dst, src)
		if n == 0 || !decompress(back, dst[:n]) || !bytes.Equal(src, back) {
			t.Fatal(n)
		}
	}
	if z.base > math.MaxUint32/2+5000 {
		t.Error(z.base)
	}
}
