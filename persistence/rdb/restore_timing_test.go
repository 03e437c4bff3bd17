package rdb

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/store"
)

// bigPayload is the payload of a collection of n elements of 16 bytes, in the order in which they
// were made; a hash's values are as long.
func bigPayload(typ store.Type, n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := appendLen([]byte{codecs[typ].big}, uint64(n))
	if typ == store.TypeList { // nodes of 8 KB, as Redis makes them
		b = appendLen([]byte{typeListQuicklist2}, uint64((n+399)/400))
	}
	for i := 0; i < n; {
		if typ == store.TypeList {
			node := beginListpack(nil)
			from := i
			for ; i < min(from+400, n); i++ {
				node = appendListpacked(node, fmt.Appendf(nil, "member:%09d", i))
			}
			node = endListpack(node, i-from)
			b = append(appendLen(append(b, nodePacked), uint64(len(node))), node...)
			continue
		}
		name := fmt.Appendf(nil, "member:%09d", i)
		b = append(appendLen(b, uint64(len(name))), name...)
		switch typ {
		case store.TypeHash:
			b = append(appendLen(b, uint64(len(name))), name...)
		case store.TypeZset:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(r.IntN(n))))
		}
		i++
	}
	b = append(b, 10, 0)
	return binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
}

// BenchmarkRestore restores a collection of a million. The unit is an element.
func BenchmarkRestore(b *testing.B) {
	for _, typ := range []store.Type{store.TypeHash, store.TypeSet, store.TypeList, store.TypeZset} {
		b.Run(typ.String(), func(b *testing.B) {
			payload := bigPayload(typ, benchKeys)
			for range b.N {
				b.StopTimer()
				s, err := store.Open(store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				v := &store.View{Store: s, Now: 1}
				k := s.Key([]byte("key"))
				s.LockAll()
				b.StartTimer()
				if err := CheckPayload(payload); err != nil {
					b.Fatal(err)
				}
				value, err := Decode(v, k, payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := value.Store(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.UnlockAll()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			perKey(b)
		})
	}
}
