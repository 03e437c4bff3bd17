package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
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

// Collections that are inserted whole are as those that commands make.
func TestInsertDistinct(t *testing.T) {
	s := testStore(t)
	s.LockAll()
	defer s.UnlockAll()
	v := &View{Store: s, Now: 1, Loading: true}
	for _, n := range []int{1, 2, 128, 129, 512, 513, 3000} {
		for _, first := range []string{"word", "0", strings.Repeat("long", 20)} {
			for _, rest := range []string{"m", "1"} {
				items := [][]byte{[]byte(first)}
				for i := 1; i < n; i++ {
					items = append(items, fmt.Append(nil, rest, i))
				}
				a, b := s.Key([]byte("a")), s.Key([]byte("b"))
				if !v.InsertDistinct(a, TypeSet, items) || v.InsertDistinct(a, TypeSet, items) {
					t.Fatal("inserted twice, or not at all")
				}
				if _, err := v.AddMembers(b, items); err != nil {
					t.Fatal(err)
				}
				sameCollections(t, v, a, b)
				if n%2 == 0 {
					v.InsertDistinct(a, TypeHash, items)
					if _, err := v.SetFields(b, items); err != nil {
						t.Fatal(err)
					}
					sameCollections(t, v, a, b)
				}
			}
		}
	}
}

// sameCollections compares two keys and removes them.
func sameCollections(t *testing.T, v *View, a, b Key) {
	t.Helper()
	one, _ := v.Peek(a)
	two, _ := v.Peek(b)
	got, want := map[string]string{}, map[string]string{}
	value := one.Content()
	value.Each(func(item, value []byte) bool { got[string(item)] = string(value); return true })
	value = two.Content()
	value.Each(func(item, value []byte) bool { want[string(item)] = string(value); return true })
	if one.Encoding() != two.Encoding() || !maps.Equal(got, want) || one.Type() != two.Type() {
		t.Errorf("%s of %d, want %s of %d", one.Encoding(), len(got), two.Encoding(), len(want))
	}
	v.Delete(a)
	v.Delete(b)
}
