package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/store"
)

// benchCollections makes a million elements: of lists 20 bytes long, of sorted sets 16 bytes with
// whole scores, in keys of so many elements each.
func benchCollections(b *testing.B, typ store.Type, each int) *store.Store {
	b.Helper()
	s := open(b)
	v := &store.View{Store: s, Now: 1, Loading: true}
	r := rand.New(rand.NewPCG(1, 2))
	s.LockAll()
	defer s.UnlockAll()
	for i := 0; i < benchKeys; i += each {
		k := s.Key(fmt.Appendf(nil, "key:%012d", i))
		var items [][]byte
		for j := range each {
			if typ == store.TypeList {
				items = append(items, fmt.Appendf(nil, "element:%012d", i+j))
				continue
			}
			score := math.Float64bits(float64(r.IntN(benchKeys)))
			items = append(items, fmt.Appendf(nil, "member:%09d", i+j), binary.LittleEndian.AppendUint64(nil, score))
		}
		made := false
		if typ == store.TypeList {
			made = v.InsertList(k, items)
		} else {
			made = v.InsertZset(k, items)
		}
		if !made {
			b.Fatal("the key exists")
		}
	}
	return s
}

// BenchmarkCollections writes and reads lists and sorted sets, small and big. The unit is an
// element.
func BenchmarkCollections(b *testing.B) {
	for _, typ := range []store.Type{store.TypeList, store.TypeZset} {
		for _, each := range []int{5, benchKeys} {
			s := benchCollections(b, typ, each)
			name := fmt.Sprintf("%s of %d", typ, each)
			b.Run("save/"+name, func(b *testing.B) {
				for range b.N {
					s.LockAll()
					sn, err := s.CutLocked(1)
					s.UnlockAll()
					if err != nil {
						b.Fatal(err)
					}
					e := NewEncoder(io.Discard, Options{Compress: true, Checksum: true})
					if err := sn.Run(e); err != nil {
						b.Fatal(err)
					}
					if err := e.Close(); err != nil {
						b.Fatal(err)
					}
				}
				perKey(b)
			})
			file := save(b, s, Options{Compress: true, Checksum: true})
			b.Run("load/"+name, func(b *testing.B) {
				benchLoad(b, file)
				perKey(b)
			})
		}
	}
}
