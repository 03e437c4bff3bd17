package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tags"
	"github.com/larderkv/larder/tests/randtest"
)

func (m *mutator) tagName() []byte { return fmt.Append(nil, "tag", m.rng.IntN(12)) }

// extras are random ones, often none.
func (m *mutator) extras() *Extras {
	x := new(Extras)
	if m.rng.IntN(4) == 0 {
		x.NoEvict = m.rng.IntN(8) == 0
	}
	if m.rng.IntN(3) == 0 {
		x.Fresh, x.Cost = m.now+m.rng.Int64N(1000)+1, 1+m.rng.Int64N(1<<m.rng.IntN(33))
		x.Cost = min(x.Cost, 1<<32-1)
	}
	if m.rng.IntN(3) == 0 {
		x.Version = m.rng.Uint64()
	}
	for range m.rng.IntN(5) {
		if name := m.tagName(); !slices.ContainsFunc(x.Tags, func(b []byte) bool { return string(b) == string(name) }) {
			x.Tags = append(x.Tags, name)
		}
	}
	return x
}

func (m *mutator) setWith(v *View, k Key) {
	v.SetStringWith(k, m.text(), max(0, m.expire()), m.extras())
}

func (m *mutator) tag(v *View, k Key) {
	x := m.extras()
	if ok := v.SetExtras(k, x); ok {
		e, _ := v.Peek(k)
		if got, _ := e.Extras(); extrasText(got) != extrasText(*x) {
			m.t.Fatalf("%s has %s, was given %s", k.Name, extrasText(got), extrasText(*x))
		}
	}
}

// checkTags compares what the directory counts for each tag with the keys that have it, and the
// references that it counts with those that records have. The caller holds all locks.
func checkTags(t testing.TB, s *Store) {
	t.Helper()
	type id struct {
		mark uint32
		name string
	}
	want := map[id]int64{}
	for i := range s.shards {
		sh := &s.shards[i]
		for db, tb := range sh.dbs {
			if tb == nil {
				continue
			}
			spared, dated := 0, 0
			defer func() {
				if spared != tb.spared || dated != tb.sparedDated {
					t.Errorf("%d keys are spared, %d with a time; counted as %d and %d", spared, dated, tb.spared, tb.sparedDated)
				}
			}()
			tb.eachRef(func(ref arena.Ref) bool {
				r := readRecord(tb.mem, ref)
				if r.extras(tb.mem).noEvict() {
					if spared++; r.expire != 0 {
						dated++
					}
				}
				links := r.extras(tb.mem).links()
				for j := range len(links) / linkSize {
					tag, stamp := linkAt(links, j)
					if mark := s.tags.Mark(tag); mark != s.mark(db) {
						t.Errorf("%s in database %d has a tag of another one", recordKey(tb.mem, ref), db)
					}
					if gone, _ := s.tags.State(tag, stamp); !gone {
						want[id{s.tags.Mark(tag), string(s.tags.Name(tag))}]++
					}
				}
				return true
			})
		}
	}
	for of, n := range want {
		if live, stale := s.tags.Keys(of.mark, []byte(of.name)); live != n || stale > live {
			t.Errorf("%s has %d keys, the directory says %d, of which %d are stale", of.name, n, live, stale)
		}
	}
	for db := range s.Databases() {
		v := &View{Store: s, DB: db}
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			cursor = v.ScanTags(cursor, 100, func(tag []byte, keys, _ int64) {
				if n := want[id{s.mark(db), string(tag)}]; n != keys {
					t.Errorf("%s has %d keys, the directory says %d", tag, n, keys)
				}
			})
		}
	}
}

// TestTagsAgainstModel: what Invalidate has taken is never seen again, whatever happened to the keys,
// and is gone in the end; what it has not is there, stale exactly if it was softly invalidated. When all
// keys are gone no tag is left.
func TestTagsAgainstModel(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	m := &mutator{t: t, rng: rng, s: s, now: evictStart, evictor: s.NewEvictor(), invalidates: true}
	for step := range 8000 {
		m.step()
		if step%50 != 0 {
			continue
		}
		checkAccounts(t, s)
		v, tag := m.view(), m.tagName()
		before := taggedKeys(v, tag)
		if keys, stale := s.tags.Keys(s.mark(v.DB), tag); keys != int64(before.valid) || stale > keys {
			t.Fatalf("%s has %d keys, %d are there", tag, keys, before.valid)
		}
		soft := rng.IntN(2) == 0
		went := v.Invalidate(tag, soft)
		after := taggedKeys(v, tag)
		if soft {
			if went != int64(before.valid-before.stale) || after.valid != before.valid || after.stale != after.valid {
				t.Fatalf("%d became stale of %+v, then %+v", went, before, after)
			}
		} else if went != int64(before.valid) || after.valid != 0 {
			t.Fatalf("%d went of %+v, then %+v", went, before, after)
		}
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
	}
	for db := range s.Databases() {
		s.FlushLocked(db, m.now)
	}
	for more := true; more || s.tags.Pending(); {
		var err error
		if more, err = s.Maintain(m.now); err != nil {
			t.Fatal(err)
		}
	}
	if n, used := s.tags.Records(), s.tags.Used(); n != 0 || used != 0 {
		t.Errorf("%d tags in %d bytes are left of no key", n, used)
	}
}

type tagged struct{ valid, stale int }

// taggedKeys looks at all keys, those included whose time has come.
func taggedKeys(v *View, tag []byte) (n tagged) {
	for i := range v.Store.shards {
		sh := &v.Store.shards[i]
		t := sh.dbs[v.DB]
		if t == nil {
			continue
		}
		t.eachRef(func(ref arena.Ref) bool {
			r := readRecord(t.mem, ref)
			links := r.extras(t.mem).links()
			for j := range len(links) / linkSize {
				at, stamp := linkAt(links, j)
				if string(v.Store.tags.Name(at)) != string(tag) {
					continue
				}
				gone, stale := v.Store.tags.State(at, stamp)
				if visible := !sh.invalidated(&r); gone == visible && gone {
					panic("a key that is gone is shown")
				}
				if !gone {
					n.valid++
					if stale {
						n.stale++
					}
				}
			}
			return true
		})
	}
	return n
}

// TestLinks: a link is what was put there.
func TestLinks(t *testing.T) {
	rng := randtest.New(t)
	b := make([]byte, 5*linkSize)
	for range 1000 {
		i, ref, stamp := rng.IntN(5), tags.Ref(rng.Uint64N(1<<40)), rng.Uint64N(1<<48)
		putLink(b, i, ref, stamp)
		if r, s := linkAt(b, i); r != ref || s != stamp {
			t.Fatalf("%x %x is %x %x", ref, stamp, r, s)
		}
	}
}

// TestParseExtras: what Append writes is read back, and what was damaged is refused or something else.
func TestParseExtras(t *testing.T) {
	rng := randtest.New(t)
	m := &mutator{t: t, rng: rng, now: evictStart}
	for range 2000 {
		x := m.extras()
		b := x.Append(nil)
		got, err := ParseExtras(b)
		if err != nil || extrasText(*got) != extrasText(*x) {
			t.Fatalf("%q: %v, %v", b, got, err)
		}
		b[rng.IntN(len(b))] ^= byte(1 << rng.IntN(8))
		b = b[:rng.IntN(len(b)+1)]
		if got, err := ParseExtras(b); err == nil {
			if again, err := ParseExtras(got.Append(nil)); err != nil || extrasText(*again) != extrasText(*got) {
				t.Fatalf("%q: %v", b, err)
			}
		}
	}
}
