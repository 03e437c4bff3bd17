package store

import (
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
		a := accounts{t: t, sh: sh, seen: map[body]bool{}}
		for _, tb := range sh.dbs {
			if tb != nil {
				live += a.keyspace(tb)
				stats.add(tb)
				a.prefixes(tb)
			}
		}
		waiting := int64(0)
		for _, g := range sh.garbage {
			waiting += a.garbage(&g)
		}
		owed := a.owed(s.snapshot.Load())
		for b, keyspace := range a.orphans {
			waiting += a.detached(b, keyspace)
			orphans += b.size()
		}
		for _, b := range sh.bodies {
			if b != nil && !a.seen[b] {
				t.Errorf("shard %d: a body of %d elements belongs to no key", i, b.elements())
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
	used, held = used+s.tags.Used(), held+s.tags.Held()
	checkTags(t, s)
	if s.Debt() != debt || s.orphans.Load() != orphans {
		t.Errorf("debt is %d, counted as %d; orphans take %d, counted as %d", debt, s.Debt(), orphans, s.orphans.Load())
	}
	if held += s.heap.Uncollected(); s.Memory() != held {
		t.Errorf("the shards hold %d bytes, the heap has handed out %d", held, s.Memory())
	}
	if diff := used - s.Used(); diff > int64(len(s.shards)+64)<<11 || diff < -int64(len(s.shards)+64)<<11 {
		t.Errorf("%d bytes are in use, %d are told", used, s.Used())
	}
	if st := s.stats(true); st.Used != used || st.Held != held {
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
	live    int64         // bytes of the databases, big collections included
	freeing bool          // it is garbage that is being summed up
	seen    map[body]bool // bodies and tables whose bytes have been summed up
	orphans map[body]bool // whether they are of a keyspace
}

// keyspace sums up a database: what MEMORY USAGE says of all keys, and the arrays.
func (a *accounts) keyspace(tb *table) (bytes int64) {
	a.table(tb)
	bytes = tb.arrays
	tb.eachRef(func(ref arena.Ref) bool {
		r := readRecord(tb.mem, ref)
		e := Entry{sh: a.sh, t: tb, ref: ref, rec: r}
		bytes += e.Memory()
		if b := a.sh.bodyOf(&r); b != nil {
			a.body(b)
		}
		return true
	})
	a.live += bytes
	return bytes
}

// prefixes compares what is booked to each prefix with the keys.
func (a *accounts) prefixes(tb *table) {
	p := &a.sh.prefixes
	if !p.on {
		return
	}
	var sums []stock
	of := func(slot uint16) *stock {
		for int(slot) >= len(sums) {
			sums = append(sums, stock{})
		}
		return &sums[slot]
	}
	tb.eachRef(func(ref arena.Ref) bool {
		r := readRecord(tb.mem, ref)
		name := recordKey(tb.mem, ref)
		at := a.sh.bookedTo(tb, p.table.find(name), tb.hash(name))
		key := stock{keys: 1, bytes: int64(a.sh.ar.Footprint(ref)), until: datedUntil(r.expire)}
		if r.expire != 0 {
			key.dated = 1
		}
		of(at).add(key)
		if b := a.sh.bodyOf(&r); b != nil && at != noSlot {
			if bl := b.billed(); bl.epoch != p.epoch || bl.owner != tb || a.sh.billedTo(bl) != at {
				a.t.Errorf("shard %d: a body of %q, whose slot is %d, is billed to %+v", a.sh.id, name, at, *bl)
			}
			of(at).bytes += b.size()
		}
		return true
	})
	for slot := range max(len(sums), len(tb.stock.bySlot)) {
		if got, want := *tb.stock.of(uint16(slot)), *of(uint16(slot)); slot != noSlot && got != want {
			a.t.Errorf("shard %d: slot %d has %+v, and %+v is booked", a.sh.id, slot, want, got)
		}
	}
}

// detached sums up a body that belongs to no key, or the table of a flushed database.
func (a *accounts) detached(b body, keyspace bool) int64 {
	if keyspace {
		before := a.live
		bytes := a.keyspace(b.(*table))
		a.live = before
		return bytes
	}
	a.body(b)
	return b.size()
}

func (a *accounts) garbage(g *garbage) int64 {
	if g.keyspace != nil {
		return a.detached(g.keyspace, true)
	}
	a.freeing = true
	defer func() { a.freeing = false }()
	return a.detached(g.body, false)
}

// body compares a body's own counts with its blocks.
func (a *accounts) body(b body) {
	switch b := b.(type) {
	case *table:
		a.table(b)
	case *listBody:
		if a.seen[b] {
			a.t.Errorf("shard %d: a list of %d elements has two owners", a.sh.id, b.elements())
		}
		a.seen[b] = true
		if err := b.tree.Check(); err != nil {
			a.t.Errorf("shard %d: a list of %d elements: %v", a.sh.id, b.elements(), err)
		}
	case *zsetBody:
		a.zset(b)
	default:
		a.t.Fatalf("nobody checks the accounts of a %T", b)
	}
}

// zset compares a sorted set's two parts with each other, unless it is being freed.
func (a *accounts) zset(b *zsetBody) {
	a.table(&b.table)
	a.seen[b] = true
	if a.freeing {
		return
	}
	if err := b.order.Check(); err != nil || b.order.Len() != b.n {
		a.t.Errorf("shard %d: a sorted set of %d has %d in order: %v", a.sh.id, b.n, b.order.Len(), err)
	}
	b.order.Each(0, func(_ int, score float64, ref arena.Ref) bool {
		if _, found, ok := b.find(b.hash(recordKey(b.mem, ref)), recordKey(b.mem, ref)); !ok || found != ref || b.scoreAt(ref) != score {
			a.t.Errorf("shard %d: %q has the score %v in order", a.sh.id, recordKey(b.mem, ref), score)
			return false
		}
		return true
	})
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
	a.orphans = map[body]bool{}
	orphan := func(b body, keyspace bool) {
		if b != nil && b.mark().orphan && a.sh.unfinished(b.mark()) {
			a.orphans[b] = keyspace
		}
	}
	blocks := func(q *queue) {
		for b := q.head; b != nil; b = b.next {
			for _, p := range b.list[:b.n] {
				bytes += int64(a.sh.ar.Footprint(p.ref))
				orphan(p.body, false)
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
			orphan(sn.out.items[sn.next+i].body, false)
		}
	}
	if sn.big.sh == a.sh {
		orphan(sn.big.body, false)
	}
	if a.sh.cut.lost {
		bytes += int64(a.sh.ar.Footprint(a.sh.cut.pin))
	}
	kept := func(b body) {
		if b != nil && b.members() != nil {
			blocks(&b.members().kept)
		}
	}
	for _, b := range a.sh.bodies {
		kept(b)
	}
	for b := range a.orphans {
		kept(b)
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
