package store

import "github.com/larderkv/larder/store/arena"

// A table as a body: the elements of a big hash or set are records whose key is the field or
// member.

func (t *table) elements() int   { return t.n }
func (t *table) size() int64     { return t.bytes }
func (t *table) members() *table { return t }
func (t *table) mark() *cutMark  { return &t.cutMark }

func (t *table) each(fn func(item, value []byte) bool) {
	t.eachRef(func(ref arena.Ref) bool {
		r := readRecord(t.mem, ref)
		v := r.value()
		end := v + uint64(r.vlen)
		return fn(t.mem[r.key:v:v], t.mem[v:end:end])
	})
}

func (t *table) clone(sh *shard, now int64) body {
	c := newTable(sh, t.seed)
	t.eachRef(func(ref arena.Ref) bool {
		r := readRecord(t.mem, ref)
		key := t.mem[r.key : r.key+uint64(r.klen)]
		v := r.value()
		nr := c.newRecord(r.meta, key, t.mem[v:v+uint64(r.vlen)], r.expire)
		c.insert(c.hash(key), nr, r.expire, now)
		return true
	})
	return c
}

func (t *table) moveTo(sh *shard) { t.ar, t.cut = sh.ar, &sh.cut }

// release frees one sub-table.
func (t *table) release() (done bool) {
	last := len(t.subs) - 1
	if last < 0 {
		return true
	}
	t.freeSub(last, t.free)
	t.subs = t.subs[:last]
	return false
}

// freeSub frees the buckets of a sub-table and gives each record to fn, which frees it.
func (t *table) freeSub(i int, fn func(ref arena.Ref)) {
	s := &t.subs[i]
	t.eachSlot(s, func(b *bucket, i uint32, slot uint8, _ bool) {
		if slot == 0 {
			t.prefetchRefs(s, i+1)
		}
		fn(b.ref(slot))
	})
	t.freeArray(s.base, s.buckets)
	*s = subtable{}
}

// collect takes the elements that writers have handed over, and the next of the table.
func (t *table) collect(c *chunk, w *bodyWalk, quiet bool) (done bool) {
	if !t.kept.empty() {
		c.preserved(t.kept.pop())
	}
	if !w.walked {
		w.walked = c.collect(t, &w.cursor, quiet)
	}
	return w.walked && t.kept.empty()
}
