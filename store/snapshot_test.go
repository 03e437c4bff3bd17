package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// dump is the content of all databases: database and name to type, expiry time
// and elements in order.
func dump(s *Store) map[string]string {
	all := map[string]string{}
	for db := range s.Databases() {
		v := &View{Store: s, DB: db}
		for i := range s.shards {
			t := s.shards[i].dbs[db]
			if t == nil {
				continue
			}
			t.eachRef(func(ref arena.Ref) bool {
				name := recordKey(t.mem, ref)
				k := s.Key(name)
				e, _ := v.Peek(k)
				all[where(db, name)] = fmt.Sprint(e.Type(), " ", e.ExpireAt(), " ", extrasText(e.describe()), describe(v, k))
				return true
			})
		}
	}
	return all
}

func where(db int, name []byte) string { return fmt.Sprintf("%d/%s", db, name) }

func describe(v *View, k Key) string {
	if text, ok, err := v.GetString(k); ok && err == nil {
		return string(text)
	}
	var items []string
	if h, ok, err := v.ReadHash(k); ok && err == nil {
		h.Each(func(f, x []byte) {
			at, _ := h.Expiry(f)
			items = append(items, fmt.Sprintf("%s=%s", f, x)+until(at))
		})
	} else if s, ok, err := v.ReadSet(k); ok && err == nil {
		s.Each(func(m []byte) bool {
			items = append(items, string(m))
			return true
		})
	} else if l, ok, err := v.ReadList(k); ok && err == nil {
		return strings.Join(l.list(), " ")
	}
	if z, ok, err := v.ReadZset(k); ok && err == nil {
		z.Each(0, z.Len(), false, func(m []byte, score float64) {
			b := floatBytes(score)
			items = append(items, fmt.Sprintf("%s=%s", m, b))
		})
	}
	slices.Sort(items)
	return strings.Join(items, " ")
}

// extrasText is empty for none.
func extrasText(x Extras) string {
	if !x.NoEvict && x.Fresh == 0 && x.Cost == 0 && x.Version == 0 && len(x.Tags) == 0 {
		return ""
	}
	return fmt.Sprintf("%v %d %d %d %q ", x.NoEvict, x.Fresh, x.Cost, x.Version, x.Tags)
}

// until is how an element's expiry time is shown.
func until(expire int64) string {
	if expire == 0 {
		return ""
	}
	return fmt.Sprint("@", expire)
}

// collector is a sink that notes what a snapshot says, in the form of dump.
type collector struct {
	t     *testing.T
	keys  map[string]string
	head  string
	place string
	left  int
	first int64 // FirstExpiry
	items []string
	// ordered: the items have an order
	ordered bool
	fail    int // number of calls until an error, 0 for never
}

var errNoSpace = errors.New("no space left")

func (c *collector) step() error {
	if c.fail--; c.fail == 0 {
		return errNoSpace
	}
	return nil
}

func (c *collector) begin(k *SnapshotKey) {
	c.place = where(k.DB, k.Name)
	if _, twice := c.keys[c.place]; twice {
		c.t.Errorf("%s came twice", c.place)
	}
	c.head = fmt.Sprint(k.Type, " ", k.ExpireAt, " ")
	if len(k.Extras) > 0 {
		x, err := ParseExtras(k.Extras)
		if err != nil {
			c.t.Fatal(err)
		}
		c.head += extrasText(*x)
	}
	c.items, c.ordered = c.items[:0], k.Type == TypeList
}

func (c *collector) Key(k *SnapshotKey, v *Value) error {
	c.begin(k)
	if v.Type() == TypeString {
		c.keys[c.place] = c.head + string(v.Text())
		return c.step()
	}
	c.left = v.Len()
	v.EachDated(func(item, value []byte, expire int64) bool {
		c.add(item, value, expire)
		return true
	})
	return c.End()
}

func (c *collector) Begin(k *SnapshotKey, n int) error {
	c.begin(k)
	c.left, c.first = n, k.FirstExpiry
	return c.step()
}

func (c *collector) Element(item, value []byte, expire int64) error {
	if expire != 0 && (c.first == 0 || expire < c.first) {
		c.t.Errorf("%s has an element that expires at %d, the first was to be at %d", c.place, expire, c.first)
	}
	c.add(item, value, expire)
	return c.step()
}

func (c *collector) add(item, value []byte, expire int64) {
	c.left--
	if value == nil {
		c.items = append(c.items, string(item))
	} else {
		c.items = append(c.items, fmt.Sprintf("%s=%s", item, value)+until(expire))
	}
}

func (c *collector) End() error {
	if c.left != 0 {
		c.t.Errorf("%s has %d elements fewer than announced", c.place, c.left)
	}
	if !c.ordered {
		slices.Sort(c.items)
	}
	c.keys[c.place] = c.head + strings.Join(c.items, " ")
	return c.step()
}

// compare reports keys that differ.
func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	cut := func(s string) string { return s[:min(len(s), 100)] }
	for k, w := range want {
		if g, ok := got[k]; !ok {
			t.Errorf("%s is missing: %s", k, cut(w))
		} else if g != w {
			t.Errorf("%s is %d %s, not %d %s", k, len(g), cut(g), len(w), cut(w))
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s should not be there: %s", k, cut(g))
		}
	}
}

// checkAtRest verifies what has to hold when no snapshot runs, and that no
// block of the arena is lost. Garbage is collected in between.
func checkAtRest(t *testing.T, s *Store) {
	t.Helper()
	checkAccounts(t, s)
	if s.Debt() != 0 || s.orphans.Load() != 0 || s.snapshot.Load() != nil {
		t.Errorf("debt %d, orphans %d, snapshot %v", s.Debt(), s.orphans.Load(), s.snapshot.Load())
	}
	for i := range s.shards {
		sh := &s.shards[i]
		if littered := s.littered.first(i) == i; littered != (len(sh.garbage) > 0) {
			t.Errorf("shard %d is littered: %v, with %d pieces of garbage", i, littered, len(sh.garbage))
		}
		for sh.collectGarbage() {
		}
		if c := &sh.cut; c.sn != nil || !c.queue.empty() || c.pin != 0 || c.lost {
			t.Errorf("shard %d: %+v", i, c)
		}
		used := int64(0)
		tables := slices.DeleteFunc(slices.Clone(sh.dbs), func(tb *table) bool { return tb == nil })
		for _, b := range sh.bodies {
			switch {
			case b == nil:
			case b.members() != nil:
				tables = append(tables, b.members())
				used += b.size() - b.members().size() // what is checked with the accounts
			default:
				used += b.size()
			}
		}
		for _, tb := range tables {
			if tb.orphan || !tb.kept.empty() {
				t.Errorf("shard %d: %+v", i, tb.tableCut)
			}
			checkTable(t, tb)
			used += checkParity(t, sh, tb)
		}
		if have := sh.ar.Used(); have != used {
			t.Errorf("shard %d uses %d bytes, %d can be reached", i, have, used)
		}
	}
}

// checkParity returns the bytes that the table and its records take.
func checkParity(t *testing.T, sh *shard, tb *table) (used int64) {
	t.Helper()
	for i := range tb.subs {
		s := &tb.subs[i]
		if s.buckets > 0 {
			used += int64(sh.ar.Footprint(arena.Ref(s.base >> 3)))
		}
		tb.eachSlot(s, func(b *bucket, _ uint32, slot uint8, _ bool) {
			used += int64(sh.ar.Footprint(b.ref(slot)))
			if b.parity(slot) != sh.cut.parity {
				t.Errorf("%q is unsaved at rest", recordKey(tb.mem, b.ref(slot)))
			}
		})
	}
	return used
}

// A snapshot is the state at its cut, whatever happens while it is written:
// each of its steps is followed by changes of every kind. Some snapshots are
// aborted or fail; nothing is left of them.
func TestSnapshotAgainstModel(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	s.Encodings().SetMaxIntset.Store(100)
	s.Encodings().ListMaxSize.Store(-1 - rng.Int64N(3))
	m := &mutator{t: t, rng: rng, s: s, now: 1_700_000_000_000, evictor: s.NewEvictor()}
	for round := range 40 {
		for range rng.IntN(300) {
			m.step()
		}
		if rng.IntN(4) == 0 { // what is garbage at the cut is no part of it
			s.FlushLocked(rng.IntN(3), m.now)
		}
		want := dump(s)
		sn, err := s.CutLocked(m.now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CutLocked(m.now); err != ErrSnapshotRunning {
			t.Fatalf("a second cut: %v", err)
		}
		c := &collector{t: t, keys: map[string]string{}}
		sn.sink, sn.locked = c, true
		changes, abortAt := 1+rng.IntN(12), -1
		switch rng.IntN(6) {
		case 0:
			abortAt = rng.IntN(200)
		case 1:
			c.fail = 1 + rng.IntN(3000)
		}
		for steps := 0; sn.step(); steps++ {
			if steps == abortAt {
				sn.Abort()
			}
			if m.target = nil; sn.in.pinned != nil || sn.out.pinned != nil {
				m.target = bytes.Clone(sn.key.Name) // a reader without the lock is the hardest to change under
			}
			for _, c := range []*chunk{&sn.in, &sn.out} {
				if len(c.items) > chunkRecords || len(c.buf) > chunkBytes+pinAt {
					t.Fatalf("%d records of %d bytes in one hold of a lock", len(c.items), len(c.buf))
				}
			}
			for range rng.IntN(changes) {
				m.step()
			}
			if steps%16 == 0 {
				checkAccounts(t, s)
			}
		}
		m.target = nil
		if sn.err == nil {
			compare(t, c.keys, want)
			if done, total := sn.Progress(); done != total || total != int64(len(want)) {
				t.Errorf("%d of %d keys written, there were %d", done, total, len(want))
			}
		} else if sn.err != errNoSpace && (sn.err != ErrAborted || abortAt < 0) {
			t.Errorf("snapshot: %v", sn.err)
		}
		checkAtRest(t, s)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}
