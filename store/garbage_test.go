package store

import (
	"fmt"
	"testing"
)

// TestFlushedKeysAreFreedInGroups: of a flushed database so many keys are freed under one lock as take
// about the same time: fewer if they have tags or bodies.
func TestFlushedKeysAreFreedInGroups(t *testing.T) {
	tags := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	for _, of := range []struct {
		name string
		cost int // of a key
		set  func(v *View, k Key)
	}{
		{"strings", 1, func(v *View, k Key) { v.SetString(k, []byte("value"), 0) }},
		{"strings with tags", 1 + len(tags), func(v *View, k Key) {
			v.SetStringWith(k, []byte("value"), 0, &Extras{Tags: tags})
		}},
		{"hashes", 1 + freeBody, func(v *View, k Key) {
			var fields [][]byte
			for i := range freeNow {
				fields = append(fields, fmt.Append(nil, "a field with a name that is not short ", i), make([]byte, 100))
			}
			if _, err := v.SetFields(k, fields); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(of.name, func(t *testing.T) {
			const keys = 2000
			s := openStore(t, Options{Shards: 1, Databases: 2})
			v, other := &View{Store: s, Now: 1}, &View{Store: s, Now: 1, DB: 1}
			other.SetString(s.Key([]byte("other")), nil, 0)
			for i := range keys {
				of.set(v, s.Key(fmt.Append(nil, "key:", i)))
			}
			s.FlushLocked(0, 1)
			most := (freeUnit-1)/of.cost + 1 + slots
			steps, left := 0, s.Stats().Garbage
			if left != keys {
				t.Fatalf("%d keys wait to be freed", left)
			}
			for s.shards[0].collectGarbage() {
				steps++
				now := s.Stats().Garbage
				if freed := left - now; freed > most {
					t.Fatalf("%d keys were freed under one lock, want %d at most", freed, most)
				}
				left = now
				if steps%10 == 1 {
					checkAccounts(t, s)
				}
			}
			if left != 0 || steps > 3*keys/most+8 {
				t.Errorf("%d keys are left after %d steps", left, steps)
			}
			for s.sweepTags() {
			}
			if n := s.tags.Records(); n != 0 {
				t.Errorf("%d tags are left", n)
			}
		})
	}
}
