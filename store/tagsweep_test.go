package store

import (
	"fmt"
	"testing"
)

// tagKeys makes n keys of a database with a tag, and another one each.
func tagKeys(v *View, n int, tag string) {
	for i := range n {
		x := &Extras{Tags: [][]byte{[]byte(tag), fmt.Append(nil, "one:", i)}}
		v.SetStringWith(v.Store.Key(fmt.Append(nil, "key:", i)), []byte("value"), 0, x)
	}
}

// TestFlushForgetsTags: when the last database is emptied all tags are gone at once, those included of
// which keys are just being removed, and those of later keys are as good as ever.
func TestFlushForgetsTags(t *testing.T) {
	const keys = 10 * sweepPlaces
	s := openStore(t, Options{})
	v, other := &View{Store: s, Now: 1}, &View{Store: s, DB: 1, Now: 1}
	tagKeys(v, keys, "all")
	tagKeys(other, 10, "all")
	if n := v.Invalidate([]byte("all"), false); n != keys {
		t.Fatalf("%d keys were invalidated, want %d", n, keys)
	}
	if !s.sweepTags() || s.tagSweep.at == s.tagSweep.n {
		t.Fatal("no sweep is going on")
	}
	s.FlushLocked(0, 1)
	if n, _ := s.tags.Keys(s.mark(1), []byte("all")); n != 10 {
		t.Errorf("the tag has %d keys of the other database, want 10", n)
	}
	s.FlushLocked(1, 1)
	if n, used := s.tags.Records(), s.tags.Used(); n != 0 || used != 0 || s.tags.Pending() {
		t.Errorf("%d tags in %d bytes are left", n, used)
	}
	if st := s.Stats(); st.Used != 0 || st.Garbage != 0 {
		t.Errorf("%d bytes are in use, %d keys are garbage", st.Used, st.Garbage)
	}
	tagKeys(v, keys, "all")
	for s.sweepTags() {
	}
	if n := s.DB(0).Keys; n != keys {
		t.Fatalf("%d keys are left of %d that nobody has invalidated", n, keys)
	}
	v.Invalidate([]byte("all"), false)
	for s.sweepTags() {
	}
	if n, left := s.DB(0).Keys, s.tags.Records(); n != 0 || left != 0 {
		t.Errorf("%d keys and %d tags are left", n, left)
	}
}

// TestSweepTwice: a key that is at two of the places is removed once.
func TestSweepTwice(t *testing.T) {
	s := openStore(t, Options{Shards: 1})
	v := &View{Store: s, Now: 1}
	tagKeys(v, 20, "all")
	v.Invalidate([]byte("all"), false)
	s.tagSweep.take(s)
	w := &s.tagSweep
	if w.n != 20 {
		t.Fatalf("%d places", w.n)
	}
	copy(w.places[20:], w.places[:20])
	w.n = 40
	for s.sweepTags() {
	}
	if n, left := s.DB(0).Keys, s.tags.Records(); n != 0 || left != 0 {
		t.Errorf("%d keys and %d tags are left", n, left)
	}
}

// TestSweepGroups: keys that take longer to be removed count for several, and those without the tag stay.
func TestSweepGroups(t *testing.T) {
	s := openStore(t, Options{Shards: 1})
	v := &View{Store: s, Now: 1}
	many := make([][]byte, MaxTags)
	for i := range many {
		many[i] = fmt.Append(nil, "tag:", i)
	}
	for i := range sweepGroup {
		v.SetStringWith(s.Key(fmt.Append(nil, "key:", i)), nil, 0, &Extras{Tags: many})
		v.SetString(s.Key(fmt.Append(nil, "other:", i)), nil, 0)
	}
	v.Invalidate(many[0], false)
	w := &s.tagSweep
	w.take(s)
	if done := s.shards[0].sweepPlaces(w, w.group()); done == 0 || done > sweepGroup/8 {
		t.Errorf("%d keys of %d tags were removed under one lock", done, MaxTags)
	}
	for s.sweepTags() {
	}
	if n, left := s.DB(0).Keys, s.tags.Records(); n != sweepGroup || left != 0 {
		t.Errorf("%d keys and %d tags are left, want %d and 0", n, left, sweepGroup)
	}
}
