package store

import (
	"slices"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// checkAccounts walks through all that a store holds and compares the sums with what
// it counts as it goes. Everything has to be exact at any moment: while a snapshot
// runs, while garbage waits, in the middle of a compaction. The caller holds all
// locks, or nobody else uses the store.
func checkAccounts(t testing.TB, s *Store) {
	t.Helper()
	var used, held, debt, orphans, live int64
	var stats DBStats
	for i := range s.shards {
		sh := &s.shards[i]
		a := accounts{t: t, sh: sh, seen: map[*table]bool{}}
		for _, tb := range sh.dbs {
			if tb != nil {
				live += a.keyspace(tb)
				stats.add(tb)
			}
		}
		waiting := int64(0)
		for _, g := range sh.garbage {
			waiting += a.detached(g.t, g.keyspace)
		}
		owed := a.owed(s.snapshot.Load())
		for tb, keyspace := range a.orphans {
			waiting += a.detached(tb, keyspace)
			orphans += tb.bytes
		}
		for _, tb := range sh.nested {
			if tb != nil && !a.seen[tb] {
				t.Errorf("shard %d: a table of %d elements belongs to no key", i, tb.n)
			}
		}
		if a.live+waiting+owed != sh.ar.Used() {
			t.Errorf("shard %d uses %d bytes: keys %d, what waits to be freed or saved %d, debt %d",
				i, sh.ar.Used(), a.live, waiting, owed)
		}
		if slack := sh.ar.Held() - sh.ar.Used(); slack < 0 {
			t.Errorf("shard %d uses %d bytes more than it holds", i, -slack)
		}
		debt += owed
		used += sh.ar.Used()
		held += sh.ar.Held()
	}
	if s.Debt() != debt || s.orphans.Load() != orphans {
		t.Errorf("debt is %d, counted as %d; orphans take %d, counted as %d", debt, s.Debt(), orphans, s.orphans.Load())
	}
	if s.Memory() != held {
		t.Errorf("the shards hold %d bytes, the heap has handed out %d", held, s.Memory())
	}
	if diff := used - s.Used(); diff > int64(len(s.shards))<<11 || diff < -int64(len(s.shards))<<11 {
		t.Errorf("%d bytes are in use, %d are told", used, s.Used())
	}
	if st := s.StatsLocked(); st.Used != used || st.Held != held {
		t.Errorf("%d bytes in use of %d, the statistics say %+v", used, held, st)
	}
	if stats.Arrays > stats.Bytes || stats.Arrays > stats.Index || stats.Bytes > live {
		t.Errorf("keys take %d bytes, the databases say %+v", live, stats)
	}
}

// accounts is the sum of one shard.
type accounts struct {
	t       testing.TB
	sh      *shard
	live    int64           // bytes of the databases, big collections included
	seen    map[*table]bool // tables whose bytes have been summed up
	orphans map[*table]bool // whether they are of a keyspace
}

// keyspace sums up a database: what MEMORY USAGE says of all keys, and the arrays.
func (a *accounts) keyspace(tb *table) (bytes int64) {
	a.table(tb)
	bytes = tb.arrays
	tb.each(func(ref arena.Ref) bool {
		r := readRecord(tb.mem, ref)
		e := Entry{sh: a.sh, t: tb, ref: ref, rec: r}
		bytes += e.Memory()
		if r.encoding() == encTable {
			a.table(e.nested())
		}
		return true
	})
	a.live += bytes
	return bytes
}

// detached sums up a table that is in no database and belongs to no key.
func (a *accounts) detached(tb *table, keyspace bool) int64 {
	if keyspace {
		before := a.live
		bytes := a.keyspace(tb)
		a.live = before
		return bytes
	}
	a.table(tb)
	return tb.bytes
}

// table compares a table's own counts with its blocks.
func (a *accounts) table(tb *table) {
	if a.seen[tb] {
		a.t.Errorf("shard %d: a table of %d elements has two owners", a.sh.id, tb.n)
	}
	a.seen[tb] = true
	var bytes, arrays int64
	for i := range tb.subs {
		s := &tb.subs[i]
		if s.buckets > 0 {
			arrays += int64(a.sh.ar.Footprint(arena.Ref(s.base >> 3)))
		}
		tb.eachSlot(s, func(b *bucket, _ uint32, slot uint8, _ bool) {
			bytes += int64(a.sh.ar.Footprint(b.ref(slot)))
		})
	}
	if bytes+arrays != tb.bytes || arrays != tb.arrays {
		a.t.Errorf("shard %d: a table of %d elements has %d bytes of records and %d of arrays, and counts %d, of them arrays %d",
			a.sh.id, tb.n, bytes, arrays, tb.bytes, tb.arrays)
	}
}

// owed sums up the blocks that only a snapshot still has, and notes the tables that
// only it has.
func (a *accounts) owed(sn *Snapshot) (bytes int64) {
	if sn == nil {
		return 0
	}
	a.orphans = map[*table]bool{}
	orphan := func(tb *table, keyspace bool) {
		if tb != nil && tb.orphan && a.sh.unfinished(tb) {
			a.orphans[tb] = keyspace
		}
	}
	blocks := func(q *queue) {
		for b := q.head; b != nil; b = b.next {
			for _, p := range b.list[:b.n] {
				bytes += int64(a.sh.ar.Footprint(p.ref))
				orphan(p.nested, false)
			}
		}
	}
	for _, ct := range sn.tables {
		if ct.sh == a.sh {
			orphan(ct.t, true)
		}
	}
	blocks(&a.sh.cut.queue)
	for _, c := range []*chunk{&sn.out, &sn.in} {
		if c.sh != a.sh {
			continue
		}
		for _, ref := range c.blocks {
			bytes += int64(a.sh.ar.Footprint(ref))
		}
	}
	if sn.out.sh == a.sh {
		for i := range sn.out.items[sn.next:] {
			orphan(sn.out.items[sn.next+i].nested, false)
		}
	}
	if sn.big.sh == a.sh {
		orphan(sn.big.t, false)
	}
	if a.sh.cut.lost {
		bytes += int64(a.sh.ar.Footprint(a.sh.cut.pin))
	}
	for _, tb := range slices.Concat(a.sh.dbs, a.sh.nested) {
		if tb != nil {
			blocks(&tb.kept)
		}
	}
	for tb := range a.orphans {
		blocks(&tb.kept)
	}
	return bytes
}

// Whatever happens to a store, in whatever order, its accounts stay exact after each
// step: with snapshots beginning, ending and failing in between.
func TestAccounts(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	s.Encodings().SetMaxIntset.Store(100)
	m := &mutator{t: t, rng: rng, s: s, now: evictStart, evictor: s.NewEvictor()}
	var sn *Snapshot
	for step := range 6000 {
		m.step()
		switch {
		case sn == nil && rng.IntN(100) == 0:
			if sn = cutNow(t, s); rng.IntN(4) == 0 {
				sn.Abort()
			}
			sn.sink, sn.locked = new(nullSink), true
		case sn != nil && rng.IntN(3) == 0 && !sn.step():
			sn = nil
		}
		if step%20 == 0 {
			checkAccounts(t, s)
		}
		if t.Failed() {
			t.Fatalf("step %d, snapshot running: %v", step, sn != nil)
		}
	}
	for sn != nil && sn.step() {
	}
	checkAtRest(t, s)
}
