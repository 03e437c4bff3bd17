package store

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// sizeModel fills a store, and knows what is in it.
func fillSizes(t *testing.T, s *Store, n int, now int64) (counts map[int]*[NumTypes]SizeCounts) {
	rng := randtest.New(t)
	counts = map[int]*[NumTypes]SizeCounts{0: {}, 2: {}}
	s.LockAll()
	defer s.UnlockAll()
	for i := range n {
		db := 2 * rng.IntN(2)
		v := &View{Store: s, DB: db, Now: now}
		k := s.Key(fmt.Append(nil, "key:", i))
		size, typ := rng.IntN(1<<rng.IntN(9)), TypeString
		if rng.IntN(4) == 0 && size > 0 {
			typ = TypeList
			for range size {
				if _, err := v.PushElements(k, Back, [][]byte{[]byte("element")}); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			expire := int64(0)
			if rng.IntN(8) == 0 {
				expire = now + 10
			}
			v.SetString(k, []byte(strings.Repeat("x", size)), expire)
			if expire != 0 {
				continue
			}
		}
		counts[db][typ][bits.Len(uint(size))]++
	}
	return counts
}

// walkSizes has the maintenance work until it finds nothing to do.
func walkSizes(t *testing.T, s *Store, now int64) {
	t.Helper()
	for {
		more, err := s.Maintain(now)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func checkSizes(t *testing.T, z *Sizes, want map[int]*[NumTypes]SizeCounts, at int64) {
	t.Helper()
	if z.Counted != at {
		t.Errorf("counted at %d, not at %d", z.Counted, at)
	}
	for db, types := range want {
		if z.DBs[db] == nil || *z.DBs[db] != *types {
			t.Errorf("database %d: %v, want %v", db, z.DBs[db], types)
		}
	}
}

// Few values are counted at once, many by the maintenance, and both ways to the last one.
func TestSizes(t *testing.T) {
	for _, n := range []int{1000, 3 * countAtOnce} {
		s := testStore(t)
		now := int64(1_700_000_000_000)
		want := fillSizes(t, s, n, now)
		s.SetActiveExpire(false)
		now += 100 // what has expired does not count
		v := &View{Store: s, Now: now, NoTouch: true}
		if z := v.Sizes(); n <= countAtOnce {
			checkSizes(t, z, want, now)
		} else if z.Counted != 0 {
			t.Error("they have been counted too early")
		}
		walkSizes(t, s, now)
		checkSizes(t, s.sizes.last.Load(), want, now)
		checkSizes(t, v.Sizes(), want, now)
		if s.SizeRound() != 1 {
			t.Errorf("%v of the round are done", s.SizeRound())
		}
	}
}

// A round begins some time after the last one.
func TestSizeRounds(t *testing.T) {
	s := testStore(t)
	now := int64(1_700_000_000_000)
	walkSizes(t, s, now)
	first := s.sizes.last.Load()
	walkSizes(t, s, now+shortRest-1)
	if s.sizes.last.Load() != first {
		t.Error("the second round came too early")
	}
	walkSizes(t, s, now+shortRest)
	if z := s.sizes.last.Load(); z == first || z.Counted != now+shortRest {
		t.Errorf("the second round did not come: %+v", z)
	}
	s.CountSizes(false)
	now += 10 * shortRest
	walkSizes(t, s, now)
	v := &View{Store: s, Now: now}
	if z := v.Sizes(); s.CountsSizes() || z.Counted != 0 || s.sizes.last.Load() != nil {
		t.Errorf("switched off: %+v", z)
	}
}

// The largest keys of a type are found, those that are gone are not told, and sizes are those of the moment.
func TestBig(t *testing.T) {
	s := testStore(t)
	now := int64(1_700_000_000_000)
	v := &View{Store: s, DB: 1, Now: now}
	const n = 2 * countAtOnce
	set := func(i, size int) {
		k := s.Key(fmt.Append(nil, "key:", i))
		s.Lock(k.Shard())
		v.SetString(k, make([]byte, size), 0)
		s.Unlock(k.Shard())
	}
	for i := range n {
		set(i, i%200)
	}
	for i := range bigListed + 10 {
		set(n+i, 8192*(i+1))
	}
	walkSizes(t, s, now)
	largest := func() (names []string) {
		types := v.Big(v.Sizes())
		for typ, keys := range types {
			if Type(typ) != TypeString && len(keys) > 0 {
				t.Errorf("%v: %v", Type(typ), keys)
			}
		}
		list := types[TypeString]
		if !slices.IsSortedFunc(list, func(a, b BigKey) int { return int(b.Bytes - a.Bytes) }) {
			t.Errorf("out of order: %+v", list)
		}
		for _, k := range list {
			if k.Bytes < k.Size || k.DB != 1 {
				t.Errorf("%+v", k)
			}
			names = append(names, k.Name)
		}
		return names
	}
	names := largest()
	if len(names) != bigListed {
		t.Errorf("%d keys", len(names))
	}
	for _, name := range names {
		var i int
		if _, err := fmt.Sscanf(name, "key:%d", &i); err != nil || i < n+10 {
			t.Errorf("%s is none of the largest", name)
		}
	}
	k := s.Key([]byte(names[0]))
	s.Lock(k.Shard())
	v.Delete(k)
	s.Unlock(k.Shard())
	var grown int
	if _, err := fmt.Sscanf(names[1], "key:%d", &grown); err != nil {
		t.Fatal(err)
	}
	set(grown, 1<<20)
	if now := largest(); len(now) != bigListed-1 || now[0] != names[1] {
		t.Errorf("%v, after %s is gone and %s has grown", now, names[0], names[1])
	}
}
