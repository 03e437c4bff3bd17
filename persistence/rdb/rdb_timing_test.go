package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/store"
)

const benchKeys = 1_000_000

// benchStore has keys of 16 bytes with values of 64, of random bytes or of text
// in which little repeats.
func benchStore(b *testing.B, random bool) *store.Store {
	b.Helper()
	s := open(b)
	v := &store.View{Store: s, Now: 1, Loading: true}
	r := rand.New(rand.NewPCG(1, 2))
	s.LockAll()
	defer s.UnlockAll()
	for i := range benchKeys {
		value := fmt.Appendf(nil, "user:%d:name=John;mail=john.doe@example.com;age=33;tag=%d;       ", i, i)[:64]
		if random {
			for j := 0; j < len(value); j += 8 {
				binary.LittleEndian.PutUint64(value[j:], r.Uint64())
			}
		}
		v.InsertString(s.Key(fmt.Appendf(nil, "key:%012d", i)), value, 0)
	}
	return s
}

func benchBoth(b *testing.B, fn func(b *testing.B, s *store.Store, compress bool)) {
	for _, random := range []bool{true, false} {
		s := benchStore(b, random)
		for _, compress := range []bool{false, true} {
			b.Run(fmt.Sprintf("random=%v/compress=%v", random, compress), func(b *testing.B) { fn(b, s, compress) })
		}
	}
}

func perKey(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
}

// BenchmarkSave writes a snapshot of a million keys to nowhere.
func BenchmarkSave(b *testing.B) {
	benchBoth(b, func(b *testing.B, s *store.Store, compress bool) {
		for range b.N {
			s.LockAll()
			sn, err := s.CutLocked(1)
			s.UnlockAll()
			if err != nil {
				b.Fatal(err)
			}
			e := NewEncoder(io.Discard, Options{Compress: compress, Checksum: true})
			if err := sn.Run(e); err != nil {
				b.Fatal(err)
			}
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
		}
		perKey(b)
	})
}

// BenchmarkEncode is the encoder without the walk: one key again and again.
func BenchmarkEncode(b *testing.B) {
	benchBoth(b, func(b *testing.B, s *store.Store, compress bool) {
		v := &store.View{Store: s, Now: 1}
		e := NewEncoder(io.Discard, Options{Compress: compress, Checksum: true})
		var values []store.Value
		var names [][]byte
		s.LockAll()
		defer s.UnlockAll()
		for i := range 100 {
			names = append(names, fmt.Appendf(nil, "key:%012d", i))
			entry, _ := v.Peek(s.Key(names[i]))
			values = append(values, entry.Content())
		}
		for i := range b.N {
			k := store.SnapshotKey{Name: names[i%100]}
			if err := e.Key(&k, &values[i%100]); err != nil {
				b.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkLoad reads a file of a million keys from memory.
func BenchmarkLoad(b *testing.B) {
	benchBoth(b, func(b *testing.B, s *store.Store, compress bool) {
		file := save(b, s, Options{Checksum: true, Compress: compress})
		benchLoad(b, file)
		perKey(b)
	})
}

// benchLoad loads a file into a new store each time.
func benchLoad(b *testing.B, file []byte) {
	b.Helper()
	for range b.N {
		b.StopTimer()
		s, err := store.Open(store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := load(file, s, LoadOptions{Clock: 1}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkCheck is what `larder check rdb` does.
func BenchmarkCheck(b *testing.B) {
	file := save(b, benchStore(b, true), Options{Checksum: true})
	b.ResetTimer()
	for range b.N {
		if _, err := check(file); err != nil {
			b.Fatal(err)
		}
	}
	perKey(b)
}

func BenchmarkChecksum(b *testing.B) {
	p := make([]byte, chunkSize)
	b.Run("own", func(b *testing.B) {
		b.SetBytes(chunkSize)
		for range b.N {
			updateCRC(0, p)
		}
	})
	b.Run("standard library", func(b *testing.B) {
		t := crc64.MakeTable(jones)
		b.SetBytes(chunkSize)
		for range b.N {
			crc64.Update(0, t, p)
		}
	})
}

func BenchmarkLZF(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{64, 1000, 100000} {
		noise := make([]byte, n)
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		text := bytes.Repeat([]byte("It was the best of times, it was the worst of times; "), n/50+1)[:n]
		for i := 0; i < n; i += 9 {
			text[i] = noise[i]
		}
		dst, back := make([]byte, n), make([]byte, n)
		z := new(lzf)
		for name, src := range map[string][]byte{"noise": noise, "text": text} {
			packed := 0
			b.Run(fmt.Sprintf("compress/%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for range b.N {
					packed = z.compress(dst[:n-4], src)
				}
			})
			if packed == 0 {
				continue
			}
			b.Run(fmt.Sprintf("decompress/%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(n))
				for range b.N {
					decompress(back, dst[:packed])
				}
			})
		}
	}
}
