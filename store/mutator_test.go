package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/eviction"
)

// mutator changes a store at random, in every way there is.
type mutator struct {
	t   *testing.T
	rng *rand.Rand
	s   *Store
	now int64

	target  []byte   // the name of every other key, if set
	evictor *Evictor // evicts now and then, if set

	invalidates bool // tags are invalidated
}

func (m *mutator) view() *View { return &View{Store: m.s, DB: m.rng.IntN(m.s.Databases()), Now: m.now} }

// key is one of a few names, so that operations meet.
func (m *mutator) key() Key {
	if m.target != nil && m.rng.IntN(2) == 0 {
		return m.s.Key(m.target)
	}
	i := m.rng.IntN(50)
	if i%9 == 0 {
		return m.s.Key(fmt.Append(nil, "key", i))
	}
	return m.s.Key(fmt.Append(nil, "p", i%9, ":", i))
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
		m.editString, m.editString, m.hset, m.hset, m.hset, m.hdel, m.hexpire, m.sadd, m.sadd, m.srem, m.spop, m.algebra, m.zadd, m.zadd, m.zadd, m.zrem, m.zpop, m.zalgebra, m.read, m.many,
		m.setWith, m.setWith, m.tag, m.tag,
		m.push, m.push, m.push, m.pop, m.ledit, m.ledit, m.lcut, m.lmove,
	}
	switch m.rng.IntN(200) {
	case 0:
		m.s.FlushLocked(m.rng.IntN(3), m.now)
	case 1:
		(&View{Store: m.s, Now: m.now}).SwapLocked(m.rng.IntN(3), m.rng.IntN(3))
	case 2:
		m.now += m.rng.Int64N(2000)
	case 3, 4:
		m.compact()
	case 5, 6, 7, 8, 9:
		m.evict()
	case 10:
		m.s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: 1 + m.rng.IntN(2), Most: m.rng.IntN(12)})
	case 11, 12:
		m.handOver()
	case 13, 14, 15, 16, 17, 18, 19, 20:
		if m.invalidates {
			m.view().Invalidate(m.tagName(), m.rng.IntN(2) == 0)
		}
	}

	ops[m.rng.IntN(len(ops))](m.view(), m.key())
	for range m.rng.IntN(3) {
		m.maintain()
	}
}

// evict does some steps of an evictor, under any policy.
func (m *mutator) evict() {
	if m.evictor == nil {
		return
	}
	if m.rng.IntN(4) == 0 {
		m.s.SetMeter(meterOf(eviction.Names()[m.rng.IntN(len(eviction.Names()))]))
		m.s.SetSamples(1 + m.rng.IntN(10))
	}
	for range 1 + m.rng.IntN(4) {
		m.evictor.Relieve(m.now, m.rng.Int64N(1<<m.rng.IntN(22)+1), 1<<m.rng.IntN(30))
	}
}

func (m *mutator) maintain() {
	if _, err := m.s.Maintain(m.now); err != nil {
		m.t.Fatal(err)
	}
}

// compact begins a compaction, which maintain goes on with, however little it
// would gain.
func (m *mutator) compact() {
	sh := &m.s.shards[m.rng.IntN(len(m.s.shards))]
	if !sh.compact.active {
		sh.beginWalk(m.s, 0, 1, m.now)
	}
}

// handOver gives some slots to prefixes that have none.
func (m *mutator) handOver() {
	p := &m.s.prefixes
	t := p.table.Load()
	if t == nil {
		return
	}
	to := map[uint16]string{}
	names := m.rng.Perm(9)
	for slot := firstSlot; slot < len(t.names) && slot < len(names); slot++ {
		if name := fmt.Sprint("p", names[slot]); m.rng.IntN(3) == 0 && t.findAny([]byte(name)) == otherSlot {
			to[uint16(slot)] = name
		}
	}
	p.mu.Lock()
	p.handOver(to)
	p.mu.Unlock()
}

func (m *mutator) set(v *View, k Key) {
	value, done := m.received(v, k.Name, m.text())
	defer done()
	v.SetString(k, value, m.expire())
}

func (m *mutator) del(v *View, k Key) { v.Delete(k) }

// received has some of the long values received into a Loan, for a key that may be
// another one than was thought. done ends the Loan.
func (m *mutator) received(v *View, name, value []byte) (lent []byte, done func()) {
	if len(value) < 20_000 || m.rng.IntN(3) == 0 {
		return value, func() {}
	}
	before := front(name, len(value))
	for range m.rng.IntN(3) * m.rng.IntN(2000) {
		before = append(before, ' ')
	}
	if m.rng.IntN(4) == 0 {
		name = m.bytes(30)
	}
	l, lent := receive(m.t, v.Store, before, name, value)
	v.Loan = l
	return lent, func() {
		v.Loan = nil
		l.Return()
	}
}

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
		_, err = v.Append(k, m.text(), testMaxLen)
	case 1:
		_, err = v.SetRange(k, m.rng.Int64N(3000), append(m.bytes(100), 'x'), testMaxLen)
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
	for range 1 + m.rng.IntN(1<<m.rng.IntN(12)) {
		pairs = append(pairs, fmt.Append(nil, "field:", m.rng.IntN(2000)), m.bytes(60))
	}
	if m.rng.IntN(10) == 0 {
		var done func()
		pairs[1], done = m.received(v, pairs[0], m.text())
		defer done()
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

// hexpire changes when fields expire, of some of them to a time that has passed soon, and sets some
// that keep their time.
func (m *mutator) hexpire(v *View, k Key) {
	h, ok, err := v.WriteHash(k)
	m.must(err)
	if !ok || err != nil {
		return
	}
	var fields, pairs [][]byte
	share := m.rng.IntN(6)
	h.Each(func(field, _ []byte) {
		if m.rng.IntN(6) <= share {
			fields = append(fields, slices.Clone(field))
		}
	})
	for _, f := range fields {
		h.Expire(f, max(m.expire(), 0))
		pairs = append(pairs, f, m.bytes(60))
	}
	h.Told(EventHExpire)
	if len(pairs) > 0 && m.rng.IntN(3) == 0 {
		_, err := v.SetFieldsKeeping(k, pairs[:2])
		m.must(err)
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

// push adds to a list: a few elements, or enough for a tree of some leaves.
func (m *mutator) push(v *View, k Key) {
	var elements [][]byte
	for range 1 + m.rng.IntN(1<<m.rng.IntN(12)) {
		if elements = append(elements, m.bytes(40)); m.rng.IntN(300) == 0 {
			elements[len(elements)-1] = m.text()
		}
	}
	_, err := v.PushElements(k, End(m.rng.IntN(2)), elements)
	m.must(err)
}

// list finds a list to be changed.
func (m *mutator) list(v *View, k Key) (l List, ok bool) {
	l, ok, err := v.WriteList(k)
	m.must(err)
	return l, ok && err == nil
}

func (m *mutator) pop(v *View, k Key) {
	if l, ok := m.list(v, k); ok {
		l.Pop(End(m.rng.IntN(2)), 1+m.rng.IntN(1+m.rng.IntN(l.Len())), func([]byte) {})
	}
}

func (m *mutator) ledit(v *View, k Key) {
	l, ok := m.list(v, k)
	if !ok {
		return
	}
	pivot := slices.Clone(l.At(m.rng.IntN(l.Len())))
	switch m.rng.IntN(3) {
	case 0:
		l.Set(m.rng.IntN(l.Len()), m.text())
	case 1:
		l.Insert(pivot, m.text(), m.rng.IntN(2) == 0)
	case 2:
		l.Remove(pivot, End(m.rng.IntN(2)), m.rng.IntN(3))
	}
}

func (m *mutator) lcut(v *View, k Key) {
	if l, ok := m.list(v, k); ok {
		i := m.rng.IntN(l.Len())
		l.Trim(i, m.rng.IntN(l.Len()-i+1))
	}
}

func (m *mutator) lmove(v *View, k Key) {
	for range 1 + m.rng.IntN(20) {
		_, err := v.MoveElement(k, End(m.rng.IntN(2)), m.key(), End(m.rng.IntN(2)), func([]byte) {})
		m.must(err)
	}
	how := Moving{From: End(m.rng.IntN(2)), To: End(m.rng.IntN(2)), Count: 1 + m.rng.IntN(100), Bulk: m.rng.IntN(2) == 0}
	_, err := v.MoveElements(k, m.key(), how, func([][]byte, bool) {})
	m.must(err)
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
	v.StoreSet(n, EventSUnionStore)
}

func (m *mutator) zadd(v *View, k Key) {
	var items []Scored
	for range 1 + m.rng.IntN(1<<m.rng.IntN(11)) {
		items = append(items, Scored{fmt.Append(nil, "member:", m.rng.IntN(1500)), randomScore(m.rng)})
	}
	_, err := setScores(v, k, []ScoreRule{0, 0, OnlyNew, OnlyGreater, OnlyKnown}[m.rng.IntN(5)], items...)
	m.must(err)
}

func (m *mutator) zrem(v *View, k Key) {
	z, ok, err := v.WriteZset(k)
	m.must(err)
	if !ok || err != nil {
		return
	}
	n := z.Len()
	if from := m.rng.IntN(n); m.rng.IntN(2) == 0 {
		z.RemoveRange(from, from+1+m.rng.IntN(n-from), EventZRemByRank)
		return
	}
	var gone [][]byte
	share := m.rng.IntN(6)
	z.Each(0, n, false, func(member []byte, _ float64) {
		if m.rng.IntN(6) <= share {
			gone = append(gone, slices.Clone(member))
		}
	})
	z.Remove(gone)
}

func (m *mutator) zpop(v *View, k Key) {
	z, ok, err := v.WriteZset(k)
	m.must(err)
	if ok && err == nil {
		z.Pop(1+m.rng.IntN(1+m.rng.IntN(z.Len())), m.rng.IntN(2) == 0, func([]byte, float64) {})
	}
}

func (m *mutator) zalgebra(v *View, k Key) {
	var sources []ScoredSource
	for range 2 {
		s, ok, err := v.ReadScored(m.key())
		m.must(err)
		if ok && err == nil {
			sources = append(sources, s)
		}
	}
	n := v.NewZset(k)
	if len(sources) == 2 && m.rng.IntN(2) == 0 {
		n.Difference(&sources[0], sources[1:])
	} else {
		n.Union(sources, AggregateSum)
	}
	if m.rng.IntN(5) == 0 {
		n.Discard()
		return
	}
	v.StoreZset(n, EventZUnionStore)
}

func (m *mutator) read(v *View, k Key) {
	if _, _, err := v.GetString(k); err != nil {
		m.must(err)
	}
}

// many adds or removes a lot of small keys, so that tables split and shrink.
func (m *mutator) many(v *View, _ Key) {
	if m.rng.IntN(16) > 0 {
		return
	}
	add, n := m.rng.IntN(2) == 0, m.rng.IntN(8000)
	for i := range n {
		if k := m.s.Key(fmt.Append(nil, "many:", i)); add {
			v.SetString(k, k.Name, 0)
		} else {
			v.Delete(k)
		}
	}
}
