package store

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// Several goroutines change keys of their own in every way, across shards and
// databases, while the maintenance expires, frees, compacts and sweeps, one more
// scans, one prefetches, one takes snapshots, of which it aborts some, and one
// invalidates tags of hundreds of keys. Each knows what its keys must hold.
// Afterwards the whole store is emptied, and nothing is left in use.
func TestStoreUnderConcurrency(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	var stop atomic.Bool
	var background, workers sync.WaitGroup
	background.Go(func() {
		for !stop.Load() {
			if _, err := s.Maintain(now.Load()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	background.Go(func() {
		for i := 0; !stop.Load(); i++ {
			for cursor := uint64(0); ; {
				cursor = s.Scan(i%3, cursor, 50, now.Load(), func(e *Entry, name []byte) {
					if len(name) == 0 || name[0] != 'w' {
						t.Errorf("a key %q", name)
					}
				})
				if cursor == 0 {
					break
				}
			}
			now.Add(1)
		}
	})
	background.Go(func() {
		for i := 0; !stop.Load(); i++ {
			s.LockAll()
			sn, err := s.CutLocked(now.Load())
			s.UnlockAll()
			if err != nil {
				t.Error(err)
				return
			}
			if i%4 == 0 {
				sn.Abort()
			}
			if err := sn.Run(new(nullSink)); err != nil && i%4 != 0 {
				t.Error(err)
				return
			}
		}
	})
	background.Go(func() {
		const keys = 300
		for round := 0; !stop.Load() && !t.Failed(); round++ {
			v := &View{Store: s, DB: round % 3}
			for i := range keys {
				k := s.Key(fmt.Appendf(nil, "w-tagged:%d", i))
				s.Lock(k.Shard())
				v.Now = now.Load()
				v.SetStringWith(k, fmt.Append(nil, round), 0, &Extras{Tags: [][]byte{[]byte("all"), fmt.Append(nil, "one:", i%7)}})
				s.Unlock(k.Shard())
			}
			if n := invalidate(v, "all", false); n != keys {
				t.Errorf("round %d: %d keys were invalidated, want %d", round, n, keys)
			}
		}
	})
	for i := range 4 {
		seed := rng.Uint64()
		workers.Go(func() { stress(t, s, i, &now, rand.New(rand.NewPCG(seed, 2))) })
	}
	workers.Wait()
	stop.Store(true)
	background.Wait()
	for db := range s.Databases() {
		v := &View{Store: s, DB: db, Now: now.Load()}
		var names [][]byte
		for cursor := uint64(0); ; {
			cursor = s.Scan(db, cursor, 100, 0, func(_ *Entry, name []byte) { names = append(names, bytes.Clone(name)) })
			if cursor == 0 {
				break
			}
		}
		for _, name := range names {
			k := s.Key(name)
			s.Lock(k.Shard())
			v.Delete(k)
			s.Unlock(k.Shard())
		}
	}
	for more := true; more; {
		var err error
		if more, err = s.Maintain(now.Load()); err != nil {
			t.Fatal(err)
		}
	}
	for db := range s.Databases() {
		if st := s.DB(db); st.Keys != 0 || st.Expires != 0 {
			t.Errorf("database %d still counts %+v", db, st)
		}
	}
	if st, tags := s.Stats(), s.Tags(); st.Used != 0 || st.Bodies != 0 || st.Garbage != 0 || tags != (TagStats{}) {
		t.Errorf("after everything was deleted: %+v, %+v", st, tags)
	}
}

// invalidate is Invalidate for those who hold no lock.
func invalidate(v *View, tag string, soft bool) (keys int64) {
	v.Store.LockAll()
	defer v.Store.UnlockAll()
	return v.Invalidate([]byte(tag), soft)
}

// stressed is what a key must hold: a hash or a string.
type stressed struct {
	text   string
	tag    string            // "": none
	fields map[string]string // nil: a string
	expire int64
}

func stress(t *testing.T, s *Store, id int, now *atomic.Int64, rng *rand.Rand) {
	type place struct {
		db   int
		name string
	}
	model := map[place]*stressed{}
	for step := range 4000 {
		p := place{rng.IntN(3), fmt.Sprintf("w%d:%d", id, rng.IntN(40))}
		q := place{p.db, fmt.Sprintf("w%d:%d", id, rng.IntN(40))}
		v := &View{Store: s, DB: p.db}
		k, k2 := s.Key([]byte(p.name)), s.Key([]byte(q.name))
		tag := fmt.Sprintf("t%d:%d", id, rng.IntN(4))
		if op := rng.IntN(60); op < 2 {
			if invalidate(v, tag, op == 0); op == 1 {
				maps.DeleteFunc(model, func(x place, m *stressed) bool { return x.db == p.db && m.tag == tag })
			}
		}
		var locks Lockset
		locks.Add(k.Shard())
		locks.Add(k2.Shard())
		if rng.IntN(3) == 0 {
			s.Prefetch(p.db, []Key{k, k2, k2}, [][]byte{[]byte("f1"), nil, []byte("f2")})
		}
		locks.Lock(s)
		v.Now = now.Load() // no earlier: the maintenance may have been there with a later time
		for _, x := range []place{p, q} {
			if m := model[x]; m != nil && m.expire != 0 && m.expire <= v.Now {
				delete(model, x)
			}
		}
		m := model[p]
		switch op := rng.IntN(13); {
		case op == 0:
			text := strings.Repeat(fmt.Sprint(step, " "), rng.IntN(1<<rng.IntN(12)))
			v.SetString(k, []byte(text), 0)
			model[p] = &stressed{text: text}
		case op == 1:
			if v.Delete(k) != (m != nil) {
				t.Errorf("step %d: deleting %v", step, p)
			}
			delete(model, p)
		case op == 2 && m != nil:
			m.expire = v.Now + 1 + rng.Int64N(3000)
			v.SetExpire(k, m.expire)
		case op == 3 && m != nil && p != q:
			v.Rename(k, k2)
			model[q] = m
			delete(model, p)
		case op == 4 && m != nil && p != q:
			v.Copy(k, v, k2)
			c := *m
			if c.fields != nil {
				c.fields = map[string]string{}
				for f, x := range m.fields {
					c.fields[f] = x
				}
			}
			model[q] = &c
		case op == 5 && m != nil && m.fields == nil:
			add := strings.Repeat("+", rng.IntN(2000))
			if _, err := v.Append(k, []byte(add), testMaxLen); err != nil {
				t.Error(err)
			}
			m.text += add
		case op >= 6 && op < 10 && (m == nil || m.fields != nil):
			_, ok, err := v.WriteHash(k)
			if err != nil || ok != (m != nil) {
				t.Errorf("step %d: %v: %v %v", step, p, ok, err)
			}
			if m == nil {
				m = &stressed{fields: map[string]string{}}
				model[p] = m
			}
			var pairs [][]byte
			for range rng.IntN(1<<rng.IntN(9)) + 1 {
				f, x := fmt.Sprint("f", rng.IntN(3000)), strings.Repeat("v", rng.IntN(90))
				pairs = append(pairs, []byte(f), []byte(x))
				m.fields[f] = x
			}
			if _, err := v.SetFields(k, pairs); err != nil {
				t.Error(err)
			}
		case op == 10 && m != nil && m.fields != nil:
			h, _, err := v.WriteHash(k)
			if err != nil {
				t.Error(err)
			}
			var gone [][]byte
			for f := range m.fields {
				if rng.IntN(8) > 0 {
					gone = append(gone, []byte(f))
					delete(m.fields, f)
				}
			}
			if len(gone) > 0 {
				h.Delete(gone)
			}
			if len(m.fields) == 0 {
				delete(model, p)
			}
		case op == 11:
			v.SetStringWith(k, []byte(tag), 0, &Extras{Tags: [][]byte{[]byte(tag)}})
			model[p] = &stressed{text: tag, tag: tag}
		}
		checkStressed(t, v, k, model[p])
		locks.Unlock(s)
		if t.Failed() {
			return
		}
	}
}

func checkStressed(t *testing.T, v *View, k Key, m *stressed) {
	e, ok := v.Peek(k)
	if ok != (m != nil) {
		t.Errorf("%q is there: %v", k.Name, ok)
		return
	}
	if !ok {
		return
	}
	if e.ExpireAt() != m.expire {
		t.Errorf("%q expires at %d, not %d", k.Name, e.ExpireAt(), m.expire)
	}
	if m.fields == nil {
		if string(e.Bytes()) != m.text {
			t.Errorf("%q has %d bytes, not %d", k.Name, len(e.Bytes()), len(m.text))
		}
		return
	}
	h, _, err := v.ReadHash(k)
	if err != nil || h.Len() != len(m.fields) {
		t.Errorf("%q has %d fields, not %d: %v", k.Name, h.Len(), len(m.fields), err)
		return
	}
	for f, want := range m.fields {
		if got, ok := h.Get([]byte(f)); !ok || string(got) != want {
			t.Errorf("%q: field %q is %q, %v", k.Name, f, got, ok)
		}
	}
}
