package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/store/arena"
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
			t.each(func(ref arena.Ref) bool {
				name := recordKey(t.mem, ref)
				k := s.Key(name)
				e, _ := v.Peek(k)
				all[where(db, name)] = fmt.Sprint(e.Type(), " ", e.ExpireAt(), " ", describe(v, k))
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
		h.Each(func(f, x []byte) { items = append(items, fmt.Sprintf("%s=%s", f, x)) })
	} else if s, ok, err := v.ReadSet(k); ok && err == nil {
		s.Each(func(m []byte) bool {
			items = append(items, string(m))
			return true
		})
	}
	slices.Sort(items)
	return strings.Join(items, " ")
}

// collector is a sink that notes what a snapshot says, in the form of dump.
type collector struct {
	t     *testing.T
	keys  map[string]string
	head  string
	place string
	left  int
	items []string
	fail  int // number of calls until an error, 0 for never
}

func (c *collector) step() error {
	if c.fail--; c.fail == 0 {
		return fmt.Errorf("no space left")
	}
	return nil
}

func (c *collector) begin(k *SnapshotKey) {
	c.place = where(k.DB, k.Name)
	if _, twice := c.keys[c.place]; twice {
		c.t.Errorf("%s came twice", c.place)
	}
	c.head = fmt.Sprint(k.Type, " ", k.ExpireAt, " ")
	c.items = c.items[:0]
}

func (c *collector) Key(k *SnapshotKey, v *Value) error {
	c.begin(k)
	if v.Type() == TypeString {
		c.keys[c.place] = c.head + string(v.Text())
		return c.step()
	}
	c.left = v.Len()
	v.Each(func(item, value []byte) bool {
		c.add(item, value)
		return true
	})
	return c.End()
}

func (c *collector) Begin(k *SnapshotKey, n int) error {
	c.begin(k)
	c.left = n
	return c.step()
}

func (c *collector) Element(item, value []byte) error {
	c.add(item, value)
	return c.step()
}

func (c *collector) add(item, value []byte) {
	c.left--
	if value == nil {
		c.items = append(c.items, string(item))
	} else {
		c.items = append(c.items, fmt.Sprintf("%s=%s", item, value))
	}
}

func (c *collector) End() error {
	if c.left != 0 {
		c.t.Errorf("%s has %d elements fewer than announced", c.place, c.left)
	}
	slices.Sort(c.items)
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
// block of the arena is lost. Garbage is collected first.
func checkAtRest(t *testing.T, s *Store) {
	t.Helper()
	if s.Debt() != 0 || s.snapshot.Load() != nil {
		t.Errorf("debt %d, snapshot %v", s.Debt(), s.snapshot.Load())
	}
	for i := range s.shards {
		sh := &s.shards[i]
		for sh.collectGarbage() {
		}
		if c := &sh.cut; c.sn != nil || len(c.queue) > 0 || c.pin != 0 || c.lost {
			t.Errorf("shard %d: %+v", i, c)
		}
		used := int64(0)
		for _, tb := range slices.Concat(sh.dbs, sh.nested) {
			if tb == nil {
				continue
			}
			if tb.orphan || len(tb.kept) > 0 {
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

// mutator changes a store at random, in every way there is.
type mutator struct {
	t   *testing.T
	rng *rand.Rand
	s   *Store
	now int64

	target []byte // the name of every other key, if set
}

func (m *mutator) view() *View { return &View{Store: m.s, DB: m.rng.IntN(m.s.Databases()), Now: m.now} }

// key is one of a few names, so that operations meet.
func (m *mutator) key() Key {
	if m.target != nil && m.rng.IntN(2) == 0 {
		return m.s.Key(m.target)
	}
	return m.s.Key(fmt.Append(nil, "key:", m.rng.IntN(50)))
}

func (m *mutator) bytes(most int) []byte {
	b := make([]byte, m.rng.IntN(most))
	for i := range b {
		b[i] = byte('a' + m.rng.IntN(26))
	}
	return b
}

// text is short most of the time, and sometimes long enough to be pinned.
func (m *mutator) text() []byte {
	switch m.rng.IntN(40) {
	case 0:
		return append(m.bytes(1000), make([]byte, pinAt)...)
	case 1:
		return m.bytes(40_000)
	case 2, 3, 4:
		return m.bytes(3000)
	}
	return m.bytes(70)
}

func (m *mutator) expire() int64 {
	return []int64{0, KeepTTL, m.now + 1 + m.rng.Int64N(3000), m.now + 100_000}[m.rng.IntN(4)]
}

func (m *mutator) must(err error) {
	if err != nil && err != ErrWrongType && err != ErrNotInteger && err != ErrOverflow {
		m.t.Fatal(err)
	}
}

// step makes one change.
func (m *mutator) step() {
	ops := []func(v *View, k Key){
		m.set, m.set, m.set, m.del, m.expireOrPersist, m.rename, m.move, m.copy,
		m.editString, m.editString, m.hset, m.hset, m.hset, m.hdel, m.sadd, m.sadd, m.srem, m.spop, m.algebra, m.read, m.many,
	}
	switch m.rng.IntN(200) {
	case 0:
		m.s.FlushLocked(m.rng.IntN(3), m.now)
	case 1:
		m.s.SwapLocked(m.rng.IntN(3), m.rng.IntN(3), m.now)
	case 2:
		m.now += m.rng.Int64N(2000)
	}
	ops[m.rng.IntN(len(ops))](m.view(), m.key())
	for range m.rng.IntN(3) {
		m.maintain()
	}
}

func (m *mutator) maintain() {
	if _, err := m.s.Maintain(m.now); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mutator) set(v *View, k Key) { v.SetString(k, m.text(), m.expire()) }
func (m *mutator) del(v *View, k Key) { v.Delete(k) }

func (m *mutator) expireOrPersist(v *View, k Key) {
	if m.rng.IntN(3) == 0 {
		v.Persist(k)
	} else {
		v.SetExpire(k, max(m.expire(), 0))
	}
}

func (m *mutator) rename(v *View, k Key) { v.Rename(k, m.key()) }
func (m *mutator) move(v *View, k Key)   { v.Move(k, m.view()) }

func (m *mutator) copy(v *View, k Key) {
	if to, target := m.key(), m.view(); string(to.Name) != string(k.Name) || target.DB != v.DB {
		v.Copy(k, target, to)
	}
}

func (m *mutator) editString(v *View, k Key) {
	var err error
	switch m.rng.IntN(5) {
	case 0:
		_, err = v.Append(k, m.text(), MaxStringLen)
	case 1:
		_, err = v.SetRange(k, m.rng.Int64N(3000), append(m.bytes(100), 'x'), MaxStringLen)
	case 2:
		_, err = v.IncrBy(k, m.rng.Int64N(1000))
	case 3:
		err = v.SetText(k, fmt.Append(nil, m.rng.Float64()))
	case 4:
		v.SetString(k, fmt.Append(nil, m.rng.IntN(1e6)), KeepTTL)
	}
	m.must(err)
}

func (m *mutator) hset(v *View, k Key) {
	var pairs [][]byte
	for range 1 + m.rng.IntN(1<<m.rng.IntN(10)) {
		pairs = append(pairs, fmt.Append(nil, "field:", m.rng.IntN(1200)), m.bytes(60))
	}
	if m.rng.IntN(10) == 0 {
		pairs[1] = m.text()
	}
	_, err := v.SetFields(k, pairs)
	m.must(err)
}

func (m *mutator) hdel(v *View, k Key) {
	h, ok, err := v.WriteHash(k)
	m.must(err)
	if !ok || err != nil {
		return
	}
	var gone [][]byte
	share := m.rng.IntN(6)
	h.Each(func(field, _ []byte) {
		if m.rng.IntN(6) <= share {
			gone = append(gone, slices.Clone(field))
		}
	})
	if len(gone) > 0 {
		h.Delete(gone)
	}
}

func (m *mutator) sadd(v *View, k Key) {
	var members [][]byte
	words := m.rng.IntN(2) == 0
	for range 1 + m.rng.IntN(1<<m.rng.IntN(11)) {
		if members = append(members, fmt.Append(nil, m.rng.IntN(1<<m.rng.IntN(40)))); words {
			members[len(members)-1] = fmt.Append(nil, "member:", m.rng.IntN(1500))
		}
	}
	_, err := v.AddMembers(k, members)
	m.must(err)
}

func (m *mutator) srem(v *View, k Key) {
	s, ok, err := v.WriteSet(k)
	m.must(err)
	if !ok || err != nil {
		return
	}
	var gone [][]byte
	share := m.rng.IntN(6)
	s.Each(func(member []byte) bool {
		if m.rng.IntN(6) <= share {
			gone = append(gone, slices.Clone(member))
		}
		return true
	})
	s.Remove(gone)
}

func (m *mutator) spop(v *View, k Key) {
	s, ok, err := v.WriteSet(k)
	m.must(err)
	if ok && err == nil {
		s.Pop(1+m.rng.IntN(s.Len()), func([]byte) {})
	}
}

func (m *mutator) algebra(v *View, k Key) {
	var sets []Set
	for range 2 {
		s, ok, err := v.ReadSet(m.key())
		m.must(err)
		if ok && err == nil {
			sets = append(sets, s)
		}
	}
	n := v.NewSet(k)
	switch {
	case len(sets) < 2 || m.rng.IntN(3) == 0:
		n.Union(sets)
	case m.rng.IntN(2) == 0:
		n.Difference(&sets[0], sets[1:])
	default:
		Intersect(sets, func(member []byte) bool {
			n.Add(member)
			return true
		})
	}
	if m.rng.IntN(5) == 0 {
		n.Discard()
		return
	}
	v.StoreSet(n)
}

func (m *mutator) read(v *View, k Key) {
	if _, _, err := v.GetString(k); err != nil {
		m.must(err)
	}
}

// many adds or removes a lot of small keys, so that tables split and shrink.
func (m *mutator) many(v *View, _ Key) {
	if m.rng.IntN(8) > 0 {
		return
	}
	add, n := m.rng.IntN(2) == 0, m.rng.IntN(3000)
	for i := range n {
		if k := m.s.Key(fmt.Append(nil, "many:", i)); add {
			v.SetString(k, k.Name, 0)
		} else {
			v.Delete(k)
		}
	}
}

// A snapshot is the state at its cut, whatever happens while it is written:
// each of its steps is followed by changes of every kind. Some snapshots are
// aborted or fail; nothing is left of them.
func TestSnapshotAgainstModel(t *testing.T) {
	rng := seeded(t)
	s := testStore(t)
	s.Encodings().SetMaxIntset.Store(100)
	m := &mutator{t: t, rng: rng, s: s, now: 1_700_000_000_000}
	for round := range 60 {
		for range rng.IntN(300) {
			m.step()
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
			for range rng.IntN(changes) {
				m.step()
			}
		}
		m.target = nil
		if sn.err == nil {
			compare(t, c.keys, want)
			if done, total := sn.Progress(); done != total || total != int64(len(want)) {
				t.Errorf("%d of %d keys written, there were %d", done, total, len(want))
			}
		} else if abortAt < 0 && c.fail > 0 {
			t.Errorf("snapshot: %v", sn.err)
		}
		checkAtRest(t, s)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
}
