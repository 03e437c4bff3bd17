package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// testMaxLen is the longest string of the tests, in bytes: proto-max-bulk-len by default.
const testMaxLen = 512 << 20

func testStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(Options{Shards: 4, Databases: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: 1, Most: 6})
	t.Cleanup(func() {
		checkAccounts(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// modelValue is what the model knows of a key.
type modelValue struct {
	value  string
	expire int64
}

// A long random history of string and key commands gives the same state as a
// Go map, with expiry, maintenance, three databases and all sizes of values.
func TestKeyspaceAgainstModel(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	model := make([]map[string]modelValue, s.Databases())
	for i := range model {
		model[i] = map[string]modelValue{}
	}
	now := int64(1_700_000_000_000)
	for step := range 80000 {
		db := rng.IntN(3)
		v := &View{Store: s, DB: db, Now: now}
		name := fmt.Sprint("key:", rng.IntN(300))
		k := s.Key([]byte(name))
		m := model[db]
		for _, m := range model {
			for key, mv := range m {
				if mv.expire != 0 && mv.expire <= now {
					delete(m, key)
				}
			}
		}
		old, there := m[name]
		s.LockAll()
		switch rng.IntN(14) {
		case 0, 1, 2:
			val := strings.Repeat(fmt.Sprint(step), rng.IntN(1<<rng.IntN(10)))
			expire := int64(0)
			switch rng.IntN(4) {
			case 0:
				expire = now + 1 + rng.Int64N(5000)
			case 1:
				expire = KeepTTL
			}
			v.SetString(k, []byte(val), expire)
			if expire == KeepTTL {
				expire = old.expire
			}
			m[name] = modelValue{val, expire}
		case 3, 4:
			got, ok, err := v.GetString(k)
			if err != nil || ok != there || string(got) != old.value {
				t.Fatalf("step %d: GET %s: %q %v %v, want %q %v", step, name, got, ok, err, old.value, there)
			}
		case 5:
			if v.Delete(k) != there {
				t.Fatalf("step %d: DEL %s", step, name)
			}
			delete(m, name)
		case 6:
			at := now + 1 + rng.Int64N(100_000)
			if v.SetExpire(k, at) != there {
				t.Fatalf("step %d: EXPIRE %s", step, name)
			}
			if there {
				m[name] = modelValue{old.value, at}
			}
		case 7:
			if v.Persist(k) != (there && old.expire != 0) {
				t.Fatalf("step %d: PERSIST %s", step, name)
			}
			if there {
				m[name] = modelValue{old.value, 0}
			}
		case 8:
			suffix := strings.Repeat("x", rng.IntN(300))
			if n, err := v.Append(k, []byte(suffix), testMaxLen); err != nil || n != len(old.value)+len(suffix) {
				t.Fatalf("step %d: APPEND: %d %v", step, n, err)
			}
			m[name] = modelValue{old.value + suffix, old.expire}
		case 9:
			off := rng.IntN(200)
			n, err := v.SetRange(k, int64(off), []byte("patch"), testMaxLen)
			b := []byte(old.value)
			for len(b) < off+5 {
				b = append(b, 0)
			}
			copy(b[off:], "patch")
			if err != nil || n != len(b) {
				t.Fatalf("step %d: SETRANGE: %d %v", step, n, err)
			}
			m[name] = modelValue{string(b), old.expire}
		case 10:
			to := fmt.Sprint("key:", rng.IntN(300))
			if v.Rename(k, s.Key([]byte(to))) != there {
				t.Fatalf("step %d: RENAME", step)
			}
			if there {
				delete(m, name)
				m[to] = old
			}
		case 11:
			to := &View{Store: s, DB: (db + 1) % 3, Now: now}
			_, taken := model[to.DB][name]
			if v.Move(k, to) != (there && !taken) {
				t.Fatalf("step %d: MOVE", step)
			}
			if there && !taken {
				delete(m, name)
				model[to.DB][name] = old
			}
		case 12:
			to := &View{Store: s, DB: rng.IntN(3), Now: now}
			dest := fmt.Sprint("copy:", rng.IntN(100))
			if v.Copy(k, to, s.Key([]byte(dest))) != there {
				t.Fatalf("step %d: COPY", step)
			}
			if there {
				model[to.DB][dest] = old
			}
		case 13:
			switch rng.IntN(400) {
			case 0:
				s.FlushLocked(db, now)
				clear(m)
			case 1:
				(&View{Store: s, Now: now}).SwapLocked(db, (db+1)%3)
				model[db], model[(db+1)%3] = model[(db+1)%3], model[db]
			}
		}
		s.UnlockAll()
		now += rng.Int64N(20)
		if step%50 == 0 {
			maintain(t, s, now)
		}
		if step%4000 == 0 {
			compareModel(t, s, model, now)
		}
	}
	compareModel(t, s, model, now)
	s.LockAll()
	for db := range model {
		s.FlushLocked(db, now)
	}
	s.UnlockAll()
	maintain(t, s, now)
	if st := s.Stats(); st.Used != 0 || st.Garbage != 0 {
		t.Errorf("an empty store uses memory: %+v", st)
	}
}

func maintain(t testing.TB, s *Store, now int64) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Maintain(now); err != nil {
			t.Fatal(err)
		}
	}
}

func compareModel(t *testing.T, s *Store, model []map[string]modelValue, now int64) {
	t.Helper()
	for db, m := range model {
		seen := map[string]bool{}
		for cursor, first := uint64(0), true; cursor != 0 || first; first = false {
			cursor = s.Scan(db, cursor, 1+rand.IntN(50), now, func(e *Entry, name []byte) {
				seen[string(name)] = true
				want := m[string(name)]
				if string(e.Bytes()) != want.value || e.ExpireAt() != want.expire {
					t.Fatalf("db %d %s: %q %d, want %q %d", db, name, e.Bytes(), e.ExpireAt(), want.value, want.expire)
				}
			})
		}
		for key, mv := range m {
			if alive := mv.expire == 0 || mv.expire > now; alive && !seen[key] {
				t.Fatalf("db %d: %s was not scanned", db, key)
			}
		}
		for i := range s.shards {
			if tb := s.shards[i].dbs[db]; tb != nil {
				checkTable(t, tb)
			}
		}
	}
}

func TestIncr(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("n"))
	for _, step := range []struct {
		set   string
		delta int64
		want  int64
		err   error
	}{
		{"", 5, 5, nil},
		{"9223372036854775806", 1, 9223372036854775807, nil},
		{"9223372036854775807", 1, 0, ErrOverflow},
		{"-9223372036854775808", -1, 0, ErrOverflow},
		{"-9", -1, -10, nil},
		{"01", 1, 0, ErrNotInteger},
		{"1.5", 1, 0, ErrNotInteger},
	} {
		v.Delete(k)
		if step.set != "" {
			v.SetString(k, []byte(step.set), 0)
		}
		if n, err := v.IncrBy(k, step.delta); n != step.want || !errors.Is(err, step.err) {
			t.Errorf("%q + %d = %d, %v", step.set, step.delta, n, err)
		}
	}
}

func TestWatch(t *testing.T) {
	s := testStore(t)
	now := int64(1_700_000_000_000)
	v := &View{Store: s, Now: now}
	k, other := s.Key([]byte("k")), s.Key([]byte("other"))
	for name, step := range map[string]struct {
		prepare, change func()
		dirty           bool
	}{
		"nothing":          {change: func() {}},
		"set":              {change: func() { v.SetString(k, []byte("1"), 0) }, dirty: true},
		"other key":        {change: func() { v.SetString(other, []byte("1"), 0) }},
		"delete missing":   {change: func() { v.Delete(k) }},
		"flush missing":    {change: func() { s.FlushLocked(0, now) }},
		"flush":            {prepare: func() { v.SetString(k, []byte("1"), 0) }, change: func() { s.FlushLocked(0, now) }, dirty: true},
		"swap with itself": {prepare: func() { v.SetString(k, []byte("1"), 0) }, change: func() { (&View{Store: s, Now: now}).SwapLocked(0, 1) }, dirty: true},
		"expires":          {prepare: func() { v.SetString(k, []byte("1"), now+10) }, change: func() { v.Now += 20 }, dirty: true},
		"had expired":      {prepare: func() { v.SetString(k, []byte("1"), now+10); v.Now += 20 }, change: func() { v.Write(k) }},
		"swept":            {prepare: func() { v.SetString(k, []byte("1"), now+10) }, change: func() { s.UnlockAll(); maintain(t, s, now+2000); s.LockAll() }, dirty: true},
	} {
		v.Now = now
		s.LockAll()
		s.FlushLocked(0, now)
		s.FlushLocked(1, now)
		if step.prepare != nil {
			step.prepare()
		}
		var w Watcher
		v.Watch(k, &w)
		step.change()
		if got := s.DirtyLocked(&w, v.Now); got != step.dirty {
			t.Errorf("%s: dirty is %v", name, got)
		}
		s.UnlockAll()
		s.Unwatch(&w)
		for i := range s.shards {
			if len(s.shards[i].watched) != 0 {
				t.Errorf("%s: a watch is left", name)
			}
		}
	}
}

// Mixed sizes come and go; what is held stays near what is used.
func TestMemoryIsGivenBack(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	const keys = 40000
	s.LockAll()
	for i := range keys {
		v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, 1+rng.IntN(500)), 0)
	}
	for i := range keys {
		if i%10 != 0 {
			v.Delete(s.Key(fmt.Append(nil, "key:", i)))
		}
	}
	s.UnlockAll()
	maintain(t, s, 1)
	if st := s.Stats(); st.Held > st.Used*5/4+2<<20 {
		t.Errorf("%d bytes held for %d used", st.Held, st.Used)
	}
	for i := range s.shards {
		checkTable(t, s.shards[i].dbs[0])
	}
	for i := 0; i < keys; i += 10 {
		if _, ok := v.Peek(s.Key(fmt.Append(nil, "key:", i))); !ok {
			t.Fatalf("key %d is lost", i)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	name, value := []byte("key:1234"), make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		k := s.Key(name)
		s.Lock(k.Shard())
		v.SetString(k, value, 0)
		if _, ok, err := v.GetString(k); !ok || err != nil {
			t.Fatal(ok, err)
		}
		s.Unlock(k.Shard())
	}); n != 0 {
		t.Errorf("SET and GET allocate %v times", n)
	}
}
