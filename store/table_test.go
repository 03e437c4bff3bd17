package store

import (
	"fmt"
	"hash/maphash"
	"math"
	"testing"
	"unsafe"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/invariants"
	"github.com/larderkv/larder/tests/randtest"
)

func testTable(t testing.TB) *table {
	t.Helper()
	heap, err := arena.NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := heap.Close(); err != nil {
			t.Error(err)
		}
	})
	return newTable(&shard{ar: heap.NewArena()}, maphash.MakeSeed())
}

// checkTable verifies the invariants that bucket.go and table.go state.
func checkTable(t *testing.T, tb *table) {
	t.Helper()
	n := 0
	for i, s := range tb.dir {
		sub := tb.subs[s]
		if got := uint32(i) >> (tb.depth - sub.depth); got != sub.prefix {
			t.Fatalf("directory entry %d leads to prefix %b", i, sub.prefix)
		}
	}
	for i := range tb.subs {
		s := &tb.subs[i]
		count := 0
		overflow := make([]int, s.buckets)
		tb.eachSlot(s, func(b *bucket, bi uint32, slot uint8, guest bool) {
			count++
			key := recordKey(tb.mem, b.ref(slot))
			h := tb.hash(key)
			if tb.subOf(h) != uint32(i) {
				t.Fatalf("key %q is in the wrong sub-table", key)
			}
			home := s.home(s.position(h))
			if guest != (home != bi) {
				t.Fatalf("key %q: guest %v, home %d, bucket %d", key, guest, home, bi)
			}
			for ; home != bi; home = (home + 1) % uint32(s.buckets) {
				overflow[home]++
			}
			if b.tag(slot) != uint8(s.position(h)) {
				t.Fatalf("key %q has a wrong tag", key)
			}
		})
		if count != int(s.count) {
			t.Fatalf("sub-table %d counts %d, has %d", i, s.count, count)
		}
		for bi, want := range overflow {
			got := int(tb.bucket(s, uint32(bi)).overflow())
			if got != want && got != maxOverflow || want > maxOverflow && got != maxOverflow {
				t.Fatalf("bucket %d of %d: overflow %d, want %d", bi, s.buckets, got, want)
			}
		}
		n += count
	}
	if n != tb.n {
		t.Fatalf("table counts %d, has %d", tb.n, n)
	}
}

func (t *table) testInsert(key, value string) {
	t.insert(t.hash([]byte(key)), t.newRecord(0, []byte(key), []byte(value), 0), 0, 0)
}

func (t *table) testRemove(key string) bool {
	p, ref, ok := t.find(t.hash([]byte(key)), []byte(key))
	if ok {
		t.remove(p, 0)
		t.free(ref)
	}
	return ok
}

// What every command looks at in a shard is one cache line.
func TestShardIsAligned(t *testing.T) {
	if invariants.Enabled {
		t.Skip("a shard's lock is larger with the tag invariants")
	}
	var sh shard
	if size := unsafe.Sizeof(sh); size%64 != 0 {
		t.Errorf("a shard has %d bytes, no multiple of 64", size)
	}
	if end := unsafe.Offsetof(sh.cut) + unsafe.Offsetof(sh.cut.sn) + unsafe.Sizeof(sh.cut.sn); end != 64 {
		t.Errorf("the first cache line ends at %d", end)
	}
}

func TestTableAgainstMap(t *testing.T) {
	rng := randtest.New(t)
	tb := testTable(t)
	model := map[string]string{}
	for phase, target := range []int{5, 20, 3000, 200, 20000, 0} {
		for i := 0; len(model) != target && i < 100000; i++ {
			key := fmt.Sprint("key:", rng.IntN(40000))
			if _, there := model[key]; there {
				if len(model) > target || rng.IntN(4) == 0 {
					if !tb.testRemove(key) {
						t.Fatalf("%q is missing", key)
					}
					delete(model, key)
				}
			} else if len(model) < target {
				model[key] = fmt.Sprint(i)
				tb.testInsert(key, model[key])
			}
		}
		for key := range model {
			if len(model) <= target {
				break
			}
			tb.testRemove(key)
			delete(model, key)
		}
		checkTable(t, tb)
		for key, want := range model {
			_, ref, ok := tb.find(tb.hash([]byte(key)), []byte(key))
			if !ok || string(recordValue(tb.mem, ref)) != want {
				t.Fatalf("phase %d: %q: found %v", phase, key, ok)
			}
		}
	}
	if used := tb.ar.Used(); used != 0 {
		t.Errorf("%d bytes in use in an empty table", used)
	}
}

// What is there from the first scan step to the last is visited, however the
// table grows and shrinks in between.
func TestScanSeesWhatStays(t *testing.T) {
	rng := randtest.New(t)
	for _, stay := range []int{1, 9, 12, 500, 5000} {
		tb := testTable(t)
		want := map[string]bool{}
		for i := range stay {
			key := fmt.Sprint("stay:", i)
			tb.testInsert(key, "")
			want[key] = true
		}
		churn, next := 0, uint64(0)
		for steps := 0; ; steps++ {
			next = tb.scan(next, func(ref arena.Ref) { delete(want, string(recordKey(tb.mem, ref))) })
			if next == 0 {
				break
			}
			if steps > 100000 {
				t.Fatal("the scan does not end")
			}
			for range rng.IntN(60) {
				if churn%3 < 2 {
					tb.testInsert(fmt.Sprint("churn:", churn), "")
				} else {
					tb.testRemove(fmt.Sprint("churn:", rng.IntN(churn)))
				}
				churn++
			}
		}
		checkTable(t, tb)
		if len(want) != 0 {
			t.Errorf("%d of %d keys were not visited", len(want), stay)
		}
	}
}

func TestRandomIsFair(t *testing.T) {
	tb := testTable(t)
	const n, rounds = 3000, 300000
	for i := range n {
		tb.testInsert(fmt.Sprint(i), "")
	}
	hits := map[string]int{}
	for range rounds {
		hits[string(recordKey(tb.mem, tb.random()))]++
	}
	for key, k := range hits {
		if k < rounds/n/3 || k > rounds/n*3 {
			t.Errorf("key %s came %d times, expected about %d", key, k, rounds/n)
		}
	}
	if len(hits) != n {
		t.Errorf("%d of %d keys ever came", len(hits), n)
	}
}

// latest is how many milliseconds a key may stay beyond its time when the table is swept at each.
const latest = 2 << tickShift

func TestSweep(t *testing.T) {
	rng := randtest.New(t)
	tb := testTable(t)
	const start = int64(1_700_000_000_000)
	at := map[string]int64{}
	for i := range 20000 {
		key := fmt.Sprint("key:", i)
		var expire int64
		switch rng.IntN(4) {
		case 0:
			expire = start + rng.Int64N(100_000)
		case 1:
			expire = start + rng.Int64N(1_000_000_000_000)
		case 2:
			expire = start + rng.Int64N(400_000_000)
		}
		if expire != 0 {
			at[key] = expire
		}
		tb.insert(tb.hash([]byte(key)), tb.newRecord(0, []byte(key), nil, expire), expire, start)
	}
	for now := start; now < start+500_000_000; now += 1 + rng.Int64N(20_000_000) {
		for sub, ok := tb.nextDue(now); ok; sub, ok = tb.nextDue(now) {
			tb.sweep(sub, now, func(ref arena.Ref, _ bool) {
				key := string(recordKey(tb.mem, ref))
				if at[key] == 0 || at[key] > now {
					t.Fatalf("%s went at %d, expires at %d", key, now, at[key])
				}
				delete(at, key)
				tb.free(ref)
			}, nil)
			if due := tb.subs[sub].due; due != 0 && !before(tickAt(now), due) {
				t.Fatalf("sub-table %d is due again at once", sub)
			}
		}
		if tb.due != 0 && !before(tickAt(now), tb.due) {
			t.Fatal("the table is due again at once")
		}
		for key, expire := range at {
			if expire <= now-latest {
				t.Fatalf("%s is still there %d ms after its time", key, now-expire)
			}
		}
		checkTable(t, tb)
	}
	if tb.ttls != len(at) {
		t.Errorf("%d keys with a TTL, want %d", tb.ttls, len(at))
	}
}

// Buckets share hints: a key that lives for ever as milliseconds go, and a
// sweep that comes hours late, must not hide what has expired.
func TestSweepAtTheEdges(t *testing.T) {
	const part = int64(120_000) // of the hints' circle, a little above a 72nd
	heap := testTable(t)
	for _, oversleep := range []int64{1, 30, 37, 50, 71, 80, 500} {
		for at := range int64(72) { // wherever the clock is on the hints' circle
			tb := newTable(&shard{ar: heap.ar}, heap.seed)
			start := 1_700_000_000_000 + at*part
			for _, expire := range []int64{math.MaxInt64, start + part, math.MaxInt64 - 500, start + part/2, start + 1000*part} {
				key := []byte(fmt.Sprint(expire))
				tb.insert(tb.hash(key), tb.newRecord(0, key, nil, expire), expire, start)
			}
			removed := 0
			now := start + oversleep*part
			for sub, ok := tb.nextDue(now); ok; sub, ok = tb.nextDue(now) {
				removed += tb.sweep(sub, now, func(ref arena.Ref, _ bool) { tb.free(ref) }, nil)
			}
			if removed != 2 {
				t.Fatalf("after %d parts, from part %d: %d keys removed, want 2", oversleep, at, removed)
			}
		}
	}
}

// A bucket that should have been looked at long ago gets a record that lives
// long: what is due must not be forgotten.
func TestSweepThatIsLate(t *testing.T) {
	const part = int64(120_000) // of the hints' circle, a little above a 72nd
	heap := testTable(t)
	for late := range int64(60) {
		for at := range int64(72) {
			tb := newTable(&shard{ar: heap.ar}, heap.seed)
			start := 1_700_000_000_000 + at*part
			add := func(key string, expire, now int64) {
				tb.insert(tb.hash([]byte(key)), tb.newRecord(0, []byte(key), nil, expire), expire, now)
			}
			add("due", start+part, start)
			now := start + part*(1+late)
			add("long", now+100*part, now)
			add("longest", math.MaxInt64, now)
			sub, ok := tb.nextDue(now)
			if !ok {
				t.Fatalf("%d parts late, from part %d: nothing is due", late, at)
			}
			if removed := tb.sweep(sub, now, func(ref arena.Ref, _ bool) { tb.free(ref) }, nil); removed != 1 {
				t.Fatalf("%d parts late, from part %d: %d keys removed, want 1", late, at, removed)
			}
		}
	}
}
