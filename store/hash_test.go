package store

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// hashModel is a hash as Redis describes it: the fields in the order in which
// they were set, which shows as long as the hash is packed.
type hashModel struct {
	order  []string
	values map[string]string
	table  bool
	limits limits
}

// limits are the thresholds of one round.
type limits struct{ entries, value, ints int }

func randomLimits(r *rand.Rand, s *Store) limits {
	l := limits{entries: 1 + r.IntN(200), value: 8 + r.IntN(80), ints: 1 + r.IntN(200)}
	e := s.Encodings()
	e.HashMaxEntries.Store(int64(l.entries))
	e.HashMaxValue.Store(int64(l.value))
	e.SetMaxEntries.Store(int64(l.entries))
	e.SetMaxValue.Store(int64(l.value))
	e.SetMaxIntset.Store(int64(l.ints))
	return l
}

func (m *hashModel) set(field, value string) (created bool) {
	if _, ok := m.values[field]; !ok {
		m.order = append(m.order, field)
		created = true
	}
	m.values[field] = value
	m.table = m.table || len(m.order) > m.limits.entries || len(field) > m.limits.value || len(value) > m.limits.value
	return created
}

func (m *hashModel) delete(field string) bool {
	if _, ok := m.values[field]; !ok {
		return false
	}
	delete(m.values, field)
	m.order = slices.DeleteFunc(m.order, func(f string) bool { return f == field })
	if len(m.order) == 0 {
		m.table = false
	}
	return true
}

func randomBytes(r *rand.Rand, most int) string {
	n := r.IntN(12)
	if r.IntN(40) == 0 {
		n = r.IntN(most)
	}
	return strings.Repeat(string(rune('a'+r.IntN(4))), n) + fmt.Sprint(r.IntN(60))
}

// compare checks everything a client could see of the hash at k.
func (m *hashModel) compare(t *testing.T, v *View, k Key) {
	t.Helper()
	h, ok, err := v.ReadHash(k)
	if err != nil || ok != (len(m.order) > 0) {
		t.Fatalf("there: %v, %v; want %d fields", ok, err, len(m.order))
	}
	if !ok {
		return
	}
	var order []string
	h.Each(func(field, value []byte) {
		order = append(order, string(field))
		if m.values[string(field)] != string(value) {
			t.Fatalf("%q is %q, want %q", field, value, m.values[string(field)])
		}
	})
	want, name := m.order, "listpack"
	if m.table {
		name = "hashtable"
		slices.Sort(order)
		want = slices.Sorted(maps.Keys(m.values))
	}
	if !slices.Equal(order, want) || h.Len() != len(want) || h.e.Encoding() != name {
		t.Fatalf("%s of %d %q, want %s %q", h.e.Encoding(), h.Len(), order, name, want)
	}
}

// step applies one random command to the hash at k and to the model.
func (m *hashModel) step(t *testing.T, r *rand.Rand, v *View, k Key) {
	field := randomBytes(r, 100)
	switch op := r.IntN(10); {
	case op < 4:
		var pairs [][]byte
		created := 0
		for range 1 + r.IntN(1<<r.IntN(6)) {
			field, value := randomBytes(r, 100), randomBytes(r, 300)
			pairs = append(pairs, []byte(field), []byte(value))
			if m.set(field, value) {
				created++
			}
		}
		if n, err := v.SetFields(k, pairs); n != created || err != nil {
			t.Fatalf("SetFields(%q) = %d, %v; want %d", pairs, n, err, created)
		}
	case op < 6:
		h, ok, err := v.WriteHash(k)
		if err != nil || ok != (len(m.order) > 0) {
			t.Fatal(ok, err)
		}
		if value := randomBytes(r, 300); ok && h.Set([]byte(field), []byte(value), EventHSet) != m.set(field, value) {
			t.Fatalf("Set(%q)", field)
		}
	case op < 8:
		h, ok, err := v.ReadHash(k)
		if err != nil || !ok {
			return
		}
		for range 4 {
			want, there := m.values[field]
			if got, ok := h.Get([]byte(field)); ok != there || string(got) != want {
				t.Fatalf("Get(%q) = %q, %v; want %q, %v", field, got, ok, want, there)
			}
			if i := slices.Index(m.order, field); i+1 < len(m.order) {
				field = m.order[i+1]
			}
		}
	default:
		h, ok, err := v.WriteHash(k)
		if err != nil || !ok {
			return
		}
		var fields [][]byte
		removed := 0
		for range 1 + r.IntN(1<<r.IntN(6)) {
			f := randomBytes(r, 100)
			if len(m.order) > 0 && r.IntN(2) == 0 {
				f = m.order[r.IntN(len(m.order))]
			}
			fields = append(fields, []byte(f))
			if m.delete(f) {
				removed++
			}
		}
		if n := h.Delete(fields); n != removed {
			t.Fatalf("Delete(%q) = %d, want %d", fields, n, removed)
		}
	}
}

// A long random history of hash commands, with the encodings' limits changing
// from round to round, gives what a map and a list give.
func TestHashAgainstModel(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	for round := range 60 {
		m := hashModel{values: map[string]string{}, limits: randomLimits(r, s)}
		k := s.Key(fmt.Append(nil, "hash:", round))
		for range 300 {
			s.LockAll()
			m.step(t, r, v, k)
			m.compare(t, v, k)
			if r.IntN(50) == 0 { // another name, often another shard
				to := s.Key(fmt.Append(nil, "hash:", round, ":", r.IntN(5)))
				v.Rename(k, to)
				k = to
			}
			s.UnlockAll()
			if r.IntN(50) == 0 {
				maintain(t, s, 1)
			}
		}
		s.LockAll()
		v.Delete(k)
		s.UnlockAll()
	}
	checkNothingLeft(t, s)
}

// checkNothingLeft finds memory that was lost on the way, in a store whose keys
// are all gone.
func checkNothingLeft(t *testing.T, s *Store) {
	t.Helper()
	maintain(t, s, 1)
	if st := s.Stats(); st.Used != 0 || st.Bodies != 0 || st.Garbage != 0 {
		t.Errorf("empty store has %d bytes in use, %d bodies, %d pieces of garbage", st.Used, st.Bodies, st.Garbage)
	}
}

// Deleting a big collection only takes it off the keyspace; what it held is
// freed by the maintenance, a sub-table at a time.
func TestBigCollectionsAreFreedInTheBackground(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("big"))
	s.LockAll()
	bigHash(t, v, k, 20000)
	s.UnlockAll()
	full := s.Stats().Used
	s.LockAll()
	v.Delete(k)
	s.UnlockAll()
	st := s.Stats()
	if st.Garbage != 1 || st.Bodies != 0 || st.Used < full/2 {
		t.Errorf("after the deletion: %+v", st)
	}
	if more, err := s.Maintain(1); !more || err != nil {
		t.Error(more, err)
	}
	checkNothingLeft(t, s)
	if st := s.Stats(); st.Freed != 1 {
		t.Errorf("%d objects were freed in the background, want 1", st.Freed)
	}
}

// The keys of a flushed database count one by one, as in Redis.
func TestFlushedKeysAreCounted(t *testing.T) {
	s := testStore(t)
	const keys = 20_000
	s.LockAll()
	for i := range keys {
		v := &View{Store: s, Now: 1, DB: i % 2}
		v.SetString(s.Key(strconv.AppendInt(nil, int64(i), 10)), []byte("v"), 0)
	}
	s.FlushLocked(1, 1)
	s.UnlockAll()
	waiting := func() int { return s.Stats().Garbage + int(s.Stats().Freed) }
	if st := s.Stats(); st.Garbage != keys/2 || st.Freed != 0 {
		t.Errorf("after the flush: %+v", st)
	}
	for range 10 {
		if _, err := s.Maintain(1); err != nil {
			t.Fatal(err)
		}
	}
	if n := waiting(); n != keys/2 || s.Stats().Freed == 0 {
		t.Errorf("on the way, %d keys are accounted for: %+v", n, s.Stats())
	}
	maintain(t, s, 1)
	if st := s.Stats(); st.Garbage != 0 || st.Freed != keys/2 {
		t.Errorf("in the end: %+v", st)
	}
}

func TestHashWrongType(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("k"))
	s.LockAll()
	defer s.UnlockAll()
	v.SetString(k, []byte("x"), 0)
	if _, _, err := v.ReadHash(k); !errors.Is(err, ErrWrongType) {
		t.Error(err)
	}
	if _, err := v.SetFields(k, [][]byte{{'f'}, {'v'}}); !errors.Is(err, ErrWrongType) {
		t.Error(err)
	}
	if _, err := v.AddMembers(k, [][]byte{{'m'}}); !errors.Is(err, ErrWrongType) {
		t.Error(err)
	}
	if _, _, err := v.ReadSet(k); !errors.Is(err, ErrWrongType) {
		t.Error(err)
	}
}

// bigHash makes a hash of n fields f0 ... with values v0 ...
func bigHash(t testing.TB, v *View, k Key, n int) {
	t.Helper()
	var pairs [][]byte
	for i := range n {
		pairs = append(pairs, fmt.Append(nil, "f", i), fmt.Append(nil, "v", i))
	}
	if _, err := v.SetFields(k, pairs); err != nil {
		t.Fatal(err)
	}
}

// What is in a hash from the first step of a scan to the last is visited,
// however much is added and removed between the steps.
func TestHashScanWhileChanging(t *testing.T) {
	r := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	k := s.Key([]byte("h"))
	s.LockAll()
	defer s.UnlockAll()
	for round := range 6 {
		v.Delete(k)
		stay := 200 + r.IntN(3000)
		bigHash(t, v, k, stay)
		seen := map[string]bool{}
		extra := 0
		for cursor, first := uint64(0), true; cursor != 0 || first; first = false {
			h, ok, err := v.WriteHash(k)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			cursor = h.Scan(cursor, 1+r.IntN(30), func(field, value []byte) {
				if field[0] == 'f' && string(value) != "v"+string(field[1:]) {
					t.Fatalf("%q is %q", field, value)
				}
				seen[string(field)] = true
			})
			for range r.IntN(300) {
				if round%2 == 0 && extra < 3*stay {
					extra++
					h.Set(fmt.Append(nil, "x", extra), []byte("y"), EventHSet)
				} else if round%2 != 0 && -extra < stay/2 {
					extra--
					h.Delete([][]byte{fmt.Append(nil, "f", stay+extra)})
				}
			}
		}
		for i := range stay {
			if f := fmt.Sprint("f", i); !seen[f] && (round%2 == 0 || i < stay/2) {
				t.Fatalf("round %d of %d: %s was not visited", round, stay, f)
			}
		}
	}
}

// fair checks that n outcomes come with the same frequency: the sum of squared
// deviations is near its expectation (chi-square with n-1 degrees of freedom;
// six standard deviations are a chance of about one in 10^8).
func fair(t *testing.T, what string, counts map[string]int, n int) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	expected := float64(total) / float64(n)
	chi := expected * float64(n-len(counts))
	for _, c := range counts {
		d := float64(c) - expected
		chi += d * d / expected
	}
	if dof := float64(n - 1); len(counts) > n || chi > dof+6*math.Sqrt(2*dof)+20 {
		t.Errorf("%s: %d of %d outcomes, chi-square %.0f: %v", what, len(counts), n, chi, counts)
	}
}

func TestHashRandom(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	for _, size := range []int{1, 7, 100, 300, 2000} {
		k := s.Key(fmt.Append(nil, size))
		bigHash(t, v, k, size)
		h, _, err := v.ReadHash(k)
		if err != nil {
			t.Fatal(err)
		}
		one, many, sample := map[string]int{}, map[string]int{}, map[string]int{}
		for range 20 * size {
			f, _ := h.Random()
			one[string(f)]++
		}
		h.Repeat(20*size, func(f, _ []byte) bool { many[string(f)]++; return true })
		for _, n := range []int{1, 1 + size/40, (size + 1) / 2, size} {
			for range 20*size/n + 1 {
				distinct := map[string]bool{}
				h.Sample(n, func(f, value []byte) bool {
					if string(value) != "v"+string(f[1:]) {
						t.Fatalf("%q is %q", f, value)
					}
					distinct[string(f)] = true
					sample[string(f)]++
					return true
				})
				if len(distinct) != n {
					t.Fatalf("%d of %d: %d distinct fields", n, size, len(distinct))
				}
			}
		}
		fair(t, fmt.Sprint("Random of ", size), one, size)
		fair(t, fmt.Sprint("Repeat of ", size), many, size)
		fair(t, fmt.Sprint("Sample of ", size), sample, size)
	}
}

func TestCollectionsDoNotAllocate(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	hash, set, ints, big := s.Key([]byte("h")), s.Key([]byte("s")), s.Key([]byte("i")), s.Key([]byte("b"))
	bigHash(t, v, big, 1000)
	pairs := [][]byte{[]byte("f1"), []byte("value"), []byte("f2"), []byte("longer value"), []byte("f3"), []byte("x")}
	members, numbers := [][]byte{[]byte("one"), []byte("two")}, [][]byte{[]byte("17"), []byte("70000")}
	other := [][]byte{[]byte("f2"), []byte("value of another length")}
	total := 0
	check := func(what string, fn func() error) {
		t.Helper()
		if n := testing.AllocsPerRun(200, func() {
			if err := fn(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
	check("HSET, HGET, HGETALL, HDEL", func() error {
		if _, err := v.SetFields(hash, pairs); err != nil {
			return err
		}
		if _, err := v.SetFields(hash, other); err != nil {
			return err
		}
		h, _, err := v.ReadHash(hash)
		if _, ok := h.Get(pairs[0]); !ok {
			return err
		}
		h.Each(func(f, v []byte) { total += len(f) + len(v) })
		if err != nil {
			return err
		}
		h, _, err = v.WriteHash(hash)
		h.Delete(pairs)
		return err
	})
	check("HSET, HGET and HGETALL of a big hash", func() error {
		_, err := v.SetFields(big, pairs)
		h, _, _ := v.ReadHash(big)
		h.Get(pairs[0])
		h.Each(func(f, v []byte) { total += len(f) + len(v) })
		return err
	})
	for _, k := range []Key{set, ints} {
		m := members
		if k.shard == ints.shard && string(k.Name) == "i" {
			m = numbers
		}
		check("SADD, SISMEMBER, SMEMBERS, SREM", func() error {
			_, err := v.AddMembers(k, m)
			s, _, _ := v.WriteSet(k)
			if !s.Has(m[0]) {
				t.Fatal("no member")
			}
			s.Each(func(m []byte) bool { total += len(m); return true })
			s.Remove(m)
			return err
		})
	}
}
