package rdb

import (
	"bytes"
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

func BenchmarkCRC(b *testing.B) {
	p := make([]byte, 256<<10)
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for range b.N {
			updateCRC(0, p)
		}
	})
	t := crc64.MakeTable(jones)
	b.Run("std", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for range b.N {
			crc64.Update(0, t, p)
		}
	})
}

func TestCRC(t *testing.T) {
	if got := updateCRC(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Fatalf("%x", got)
	}
}

func TestLZF(t *testing.T) {
	z, other := new(lzf), new(lzf)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		n := 4 + r.IntN(300)
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(r.IntN(1 + r.IntN(20)))
		}
		dst := make([]byte, n-4)
		k := z.compress(dst, src)
		if k == 0 {
			continue
		}
		long := make([]byte, n-4)
		other.base += 1000
		if j := other.compressLong(long, src); j != k || !bytes.Equal(long[:k], dst[:k]) {
			t.Fatalf("%x", src)
		}
		back := make([]byte, n)
		if !decompress(back, dst[:k]) || !bytes.Equal(back, src) {
			t.Fatalf("%x", src)
		}
	}
}

func BenchmarkLZF(b *testing.B) {
	z := new(lzf)
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{64, 1000, 100000} {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(r.IntN(256))
		}
		dst := make([]byte, n)
		b.Run("random", func(b *testing.B) {
			b.SetBytes(int64(n))
			for range b.N {
				z.compress(dst[:n-4], src)
			}
		})
		for i := range src {
			src[i] = "abcdefghij"[i%10]
			if i%7 == 0 {
				src[i] = byte(r.IntN(256))
			}
		}
		k := 0
		b.Run("text", func(b *testing.B) {
			b.SetBytes(int64(n))
			for range b.N {
				k = z.compress(dst[:n-4], src)
			}
			b.ReportMetric(float64(k)/float64(n), "ratio")
		})
		if k > 0 {
			back := make([]byte, n)
			b.Run("decompress", func(b *testing.B) {
				b.SetBytes(int64(n))
				for range b.N {
					decompress(back, dst[:k])
				}
			})
		}
	}
}
