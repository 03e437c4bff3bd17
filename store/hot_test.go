package store

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// hotTraffic is accesses to keys of one store, with the truth about them.
type hotTraffic struct {
	v     View
	truth map[string]uint64
	total uint64

	// The distance of a sample of weight w to the one before is evenly distributed over 1 to 2w-1: its mean is w,
	// its variance w(w-1)/3. What the samples of a window stand for has the sum of those variances.
	variance float64
}

func newHotTraffic(t testing.TB) *hotTraffic {
	return &hotTraffic{v: View{Store: testStore(t), Now: 1_700_000_000_000}, truth: map[string]uint64{}}
}

func (tr *hotTraffic) access(name string) {
	k := tr.v.Store.Key([]byte(name))
	tr.v.Store.Lock(k.Shard())
	if sh := &tr.v.Store.shards[k.shard]; sh.unseen == 1 { // this one is sampled
		w := float64(max(sh.hot.gap, 1))
		tr.variance += w * (w - 1) / 3
	}
	tr.v.Accessed(&k)
	tr.v.Store.Unlock(k.Shard())
	tr.truth[name]++
	tr.total++
}

// window makes n accesses in the course of one window, and ends it.
func (tr *hotTraffic) window(n int, next func(i int) string) {
	begin := tr.v.Now - tr.v.Now%hotWindow + hotWindow
	clear(tr.truth)
	tr.total, tr.variance = 0, 0
	for i := range n {
		tr.v.Now = begin + int64(i)*hotWindow/int64(n)
		tr.access(next(i))
	}
	tr.v.Now = begin + hotWindow
}

// check holds a list against the truth. One count in 300 is farther off than it says, so of 50 more
// than five are in one of some ten millions of lists; and the sum is farther off than six times its
// deviation in one of hundreds of millions.
func (tr *hotTraffic) check(t *testing.T, list HotKeys) {
	t.Helper()
	off := 0
	for i := range list.Keys {
		k := &list.Keys[i]
		truth := tr.truth[k.Name]
		if max(truth, k.Accesses)-min(truth, k.Accesses) > k.Error {
			off++
			t.Logf("%s: %d accesses, found %d with an error of %d", k.Name, truth, k.Accesses, k.Error)
		}
		if i > 0 && k.Accesses > list.Keys[i-1].Accesses {
			t.Errorf("%s is out of order", k.Name)
		}
	}
	if off > 5 {
		t.Errorf("%d of %d keys have had another number of accesses", off, len(list.Keys))
	}
	if list.Period != hotWindow {
		t.Errorf("period %d", list.Period)
	}
	most := 6 * math.Sqrt(tr.variance)
	for i := range tr.v.Store.shards { // at the ends of the window the distance to the next sample is cut
		most += 2 * float64(tr.v.Store.shards[i].hot.last)
	}
	if d := float64(list.Accesses) - float64(tr.total); math.Abs(d) > most {
		t.Errorf("%d accesses found of %d, more than %.0f off", list.Accesses, tr.total, most)
	}
}

func (tr *hotTraffic) most(n int) (names []string) {
	for name := range tr.truth {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(tr.truth[b], tr.truth[a]) })
	return names[:n]
}

// Of Zipf's traffic the ten keys with most accesses are found, sampled or not.
func TestHotKeysOfZipf(t *testing.T) {
	rng := randtest.New(t)
	for _, n := range []int{30_000, 400_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			tr := newHotTraffic(t)
			zipf := rand.NewZipf(rng, 1.05, 1, 1<<20)
			for range 2 {
				tr.window(n, func(int) string { return fmt.Sprint("key:", zipf.Uint64()) })
				list := tr.v.HotKeys()
				tr.check(t, list)
				var found []string
				for _, k := range list.Keys { // the order is as good as the estimates
					found = append(found, k.Name)
				}
				for i, name := range tr.most(10) {
					if !slices.Contains(found, name) {
						t.Errorf("number %d is missing: %s with %d accesses", i, name, tr.truth[name])
					}
				}
			}
		})
	}
}

// Keys that come once push out no key that comes often, and none of them is listed.
func TestHotKeysInFlood(t *testing.T) {
	rng := randtest.New(t)
	for _, n := range []int{20_000, 400_000} {
		tr := newHotTraffic(t)
		tr.window(n, func(i int) string {
			if rng.IntN(10) == 0 {
				return fmt.Sprint("often:", rng.IntN(4))
			}
			return fmt.Sprint("once:", i)
		})
		list := tr.v.HotKeys()
		tr.check(t, list)
		found := map[string]bool{}
		for i := range list.Keys {
			found[list.Keys[i].Name] = true
		}
		for i := range 4 {
			if name := fmt.Sprint("often:", i); !found[name] {
				t.Errorf("%d accesses: %s is missing", n, name)
			}
			delete(found, fmt.Sprint("often:", i))
		}
		if len(found) > 0 {
			t.Errorf("%d accesses: keys that came once: %v", n, found)
		}
	}
}

// Clients that go through their keys in a fixed order do not deceive the samples.
func TestHotKeysInTurn(t *testing.T) {
	tr := newHotTraffic(t)
	tr.window(400_000, func(i int) string { return fmt.Sprint("key:", i%64) })
	list := tr.v.HotKeys()
	tr.check(t, list)
	if len(list.Keys) != hotListed {
		t.Errorf("%d keys", len(list.Keys))
	}
}

// Few accesses are counted to the last one, in each database, and are forgotten in time.
func TestHotKeysOfFew(t *testing.T) {
	tr := newHotTraffic(t)
	if list := tr.v.HotKeys(); !list.On || len(list.Keys) != 0 {
		t.Errorf("at the start: %+v", list)
	}
	tr.v.Now += 100
	for db := range 3 {
		tr.v.DB = db
		for range 5 + db {
			tr.access("a")
		}
		tr.access("once")
	}
	tr.v.NoTouch = true
	tr.access("unseen")
	tr.access("unseen")
	tr.v.NoTouch = false
	tr.v.Now += 1000
	want := []HotKey{{2, "a", 7, 0}, {1, "a", 6, 0}, {0, "a", 5, 0}}
	list := tr.v.HotKeys()
	if !slices.Equal(list.Keys, want) || list.Accesses != 21 || list.Period != 1000 {
		t.Errorf("%+v", list)
	}
	if r, s := list.Rate(7), list.Share(&list.Keys[0]); r != 7 || s != 7./21 {
		t.Errorf("rate %v, share %v", r, s)
	}
	tr.v.Now += hotWindow
	if list := tr.v.HotKeys(); !slices.Equal(list.Keys, want) {
		t.Errorf("a window later: %+v", list)
	}
	tr.v.Now += hotWindow
	if list := tr.v.HotKeys(); len(list.Keys) != 0 || list.Accesses != 0 {
		t.Errorf("two windows later: %+v", list)
	}
	for range 2 {
		tr.access("b")
	}
	tr.v.ResetHotKeys()
	if list := tr.v.HotKeys(); len(list.Keys) != 0 {
		t.Errorf("after the reset: %+v", list)
	}
	tr.v.Store.SampleHotKeys(false)
	for range 1000 {
		tr.access("b")
	}
	if list := tr.v.HotKeys(); list.On || len(list.Keys) != 0 {
		t.Errorf("switched off: %+v", list)
	}
}

// Neither an access nor its sample allocates.
func TestAccessedAllocates(t *testing.T) {
	tr := newHotTraffic(t)
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = tr.v.Store.Key(fmt.Append(nil, "a name of some bytes: ", i))
	}
	i := 0
	next := func() {
		k := &keys[i%len(keys)]
		tr.v.Store.Lock(k.Shard())
		tr.v.Accessed(k)
		tr.v.Store.Unlock(k.Shard())
		i++
	}
	for range 20_000 {
		next()
	}
	if n := testing.AllocsPerRun(20_000, next); n != 0 {
		t.Errorf("%v allocations per access", n)
	}
}
