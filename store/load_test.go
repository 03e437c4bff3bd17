package store

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// Tables that were made in advance hold whatever comes: as many keys as announced,
// a few, or many more.
func TestReserve(t *testing.T) {
	for _, keys := range []int{0, 10, 50_000, 200_000} {
		s := testStore(t)
		s.Reserve(2, 50_000)
		s.LockAll()
		v := &View{Store: s, DB: 2, Now: 1, Loading: true}
		for i := range keys {
			k := s.Key(fmt.Append(nil, "key", i))
			if v.PrefetchInsertLocked(&k); !v.InsertString(k, []byte("v"), int64(i%2)*1e12) || v.InsertString(k, nil, 0) {
				t.Fatal(i)
			}
		}
		s.UnlockAll()
		s.EndReserve(2)
		if st := s.DB(2); st.Keys != keys || st.Expires != keys/2 {
			t.Fatalf("%+v of %d", st, keys)
		}
		if used := s.Stats().Used; keys <= 10 && used > 10_000 {
			t.Errorf("%d bytes are in use for %d keys", used, keys)
		}
		seen := 0
		for cursor := uint64(0); ; {
			cursor = s.Scan(2, cursor, 1000, 1, func(*Entry, []byte) { seen++ })
			if cursor == 0 {
				break
			}
		}
		if seen != keys {
			t.Fatalf("SCAN sees %d keys of %d", seen, keys)
		}
		s.LockAll()
		for i := range keys {
			if !v.Delete(s.Key(fmt.Append(nil, "key", i))) {
				t.Fatal(i)
			}
		}
		s.UnlockAll()
		checkNothingLeft(t, s)
	}
}

func TestInsertIntegers(t *testing.T) {
	s := testStore(t)
	s.LockAll()
	defer s.UnlockAll()
	v := &View{Store: s, Now: 1, Loading: true}
	for n, encoding := range map[int]string{1: "intset", 512: "intset", 513: "hashtable"} {
		k := s.Key(fmt.Append(nil, n))
		var members []byte
		for i := range n {
			members = binary.LittleEndian.AppendUint32(members, uint32(70000+i))
		}
		if !v.InsertIntegers(k, 4, members) || v.InsertIntegers(k, 4, members) {
			t.Fatal(n)
		}
		set, _, err := v.ReadSet(k)
		if err != nil || set.Len() != n || !set.Has([]byte("70000")) || set.e.Encoding() != encoding {
			t.Errorf("%d members as %s, %v; want %d as %s", set.Len(), set.e.Encoding(), err, n, encoding)
		}
	}
}
