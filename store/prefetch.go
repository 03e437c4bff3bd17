package store

import "math/bits"

// Prefetching. With more keys than fit the processor's caches, finding one
// waits for memory twice: for the bucket, and then for the record. A pipeline
// of requests names its keys in advance, so the waits of many can overlap:
// the first pass over the keys begins to load all their buckets, the second
// finds their records and begins to load those, and by the time the commands
// run most of it has arrived.
//
// Measured on 5 million keys of 16 bytes with 64-byte values, GET in groups
// of 16: see BenchmarkGetGroup.

// A hint is not worth waiting for, so prefetching passes over shards whose lock somebody holds, and
// takes the lock of each other shard once per pass rather than once per key: with several loops the
// line of a lock has to come from another core for most of those who take it.

// Prefetch begins to load what finding the keys will need. elements is nil or
// as long as keys: where it has a field or member, and the key's value is a
// big collection, that is prefetched too. It takes one shard lock at a time.
// It is a hint without any effect on the data.
func (s *Store) Prefetch(db int, keys []Key, elements [][]byte) {
	for left := keys; len(left) > 0; {
		n := min(len(left), prefetchMost)
		var by byShard
		by.sort(left[:n])
		by.each(s, db, left, (*table).prefetchBucket)
		by.each(s, db, left, (*table).prefetchRecord)
		left = left[n:]
	}
	if elements != nil {
		s.eachNested(db, keys, elements, (*table).prefetchBucket)
		s.eachNested(db, keys, elements, (*table).prefetchRecord)
	}
}

// PrefetchBucket is the first pass of Prefetch for one key.
func (s *Store) PrefetchBucket(db int, k *Key) { s.withTable(db, k, (*table).prefetchBucket) }

// PrefetchRecord is the second pass, for when the bucket has arrived.
func (s *Store) PrefetchRecord(db int, k *Key) { s.withTable(db, k, (*table).prefetchRecord) }

func (s *Store) withTable(db int, k *Key, fn func(t *table, h uint64)) {
	sh := &s.shards[k.shard]
	if !sh.tryLock() {
		return
	}
	if t := sh.dbs[db]; t != nil {
		fn(t, k.hash)
	}
	sh.mu.Unlock()
}

// prefetchMost is how many keys' waits overlap at most.
const prefetchMost = 64

// byShard says which of up to prefetchMost keys are in the same shard. Numbers of keys begin at 1.
type byShard struct {
	last   [MaxShards]uint8 // key of a shard, 0: none
	before [prefetchMost + 1]uint8
	shards [prefetchMost]uint8 // those with keys
	n      int                 // of shards
}

// sort fills b in, which is zero.
func (b *byShard) sort(keys []Key) {
	for i := range keys {
		shard := uint8(keys[i].shard)
		last := b.last[shard]
		if last == 0 {
			b.shards[b.n] = shard
			b.n++
		}
		b.before[i+1], b.last[shard] = last, uint8(i+1)
	}
}

// each calls fn for the keys, one shard after the other.
func (b *byShard) each(s *Store, db int, keys []Key, fn func(t *table, h uint64)) {
	for _, shard := range b.shards[:b.n] {
		sh := &s.shards[shard]
		if !sh.tryLock() {
			continue
		}
		if t := sh.dbs[db]; t != nil {
			for i := b.last[shard]; i > 0; i = b.before[i] {
				fn(t, keys[i-1].hash)
			}
		}
		sh.mu.Unlock()
	}
}

// sameAs reports whether two keys are most probably the same: pipelines tend to
// go on with the key they are at.
func (k *Key) sameAs(other *Key) bool { return k.hash == other.hash && k.shard == other.shard }

// eachNested finds the collections again each time: without the lock they may
// have gone.
func (s *Store) eachNested(db int, keys []Key, elements [][]byte, fn func(t *table, h uint64)) {
	for i := 0; i < len(keys); {
		sh := &s.shards[keys[i].shard]
		locked := sh.tryLock()
		var nested *table
		if locked {
			nested = sh.findNested(db, &keys[i])
		}
		for first := i; i < len(keys) && keys[i].sameAs(&keys[first]); i++ {
			if nested != nil && elements[i] != nil {
				fn(nested, nested.hash(elements[i]))
			}
		}
		if locked {
			sh.mu.Unlock()
		}
	}
}

// findNested returns the table of a big value's elements, nil if the key holds none.
func (sh *shard) findNested(db int, k *Key) *table {
	t := sh.dbs[db]
	if t == nil {
		return nil
	}
	_, ref, ok := t.find(k.hash, k.Name)
	if !ok {
		return nil
	}
	r := readRecord(t.mem, ref)
	if b := sh.bodyOf(&r); b != nil {
		return b.members()
	}
	return nil
}

// PrefetchLocked is Prefetch for a caller that holds the shards of the keys.
func (s *Store) PrefetchLocked(db int, keys []Key) {
	for _, fn := range [...]func(*table, uint64){(*table).prefetchBucket, (*table).prefetchRecord} {
		for i := range keys {
			if t := s.shards[keys[i].shard].dbs[db]; t != nil {
				fn(t, keys[i].hash)
			}
		}
	}
}

func (t *table) prefetchBucket(h uint64) {
	if s := &t.subs[t.subOf(h)]; s.buckets > 0 {
		t.ar.Prefetch(s.base + uint64(s.home(s.position(h)))*bucketSize)
	}
}

// prefetchRecord loads the first two lines of the first record in the key's
// home bucket whose tag fits: nearly always the right one.
func (t *table) prefetchRecord(h uint64) {
	s := &t.subs[t.subOf(h)]
	if s.buckets == 0 {
		return
	}
	position := s.position(h)
	b := t.bucket(s, s.home(position))
	if m := b.match(uint8(position)); m != 0 {
		off := b.ref(uint8(bits.TrailingZeros64(m))).Off()
		t.ar.Prefetch(off)
		t.ar.Prefetch(off + bucketSize)
	}
}

// prefetchRefs loads the headers of all records of a bucket, for a walk that
// will read them next.
func (t *table) prefetchRefs(s *subtable, i uint32) {
	if i >= uint32(s.buckets) {
		return
	}
	b := t.bucket(s, i)
	for slot := uint8(0); slot < b.count(); slot++ {
		t.ar.Prefetch(b.ref(slot).Off())
	}
}

// prefetchRecords loads the first two lines of all records of a bucket, for a
// walk that will copy them: a key of 16 bytes with a value of 64 takes both.
func (t *table) prefetchRecords(s *subtable, i uint32) {
	if i >= uint32(s.buckets) {
		return
	}
	b := t.bucket(s, i)
	for slot := uint8(0); slot < b.count(); slot++ {
		off := b.ref(slot).Off()
		t.ar.Prefetch(off)
		t.ar.Prefetch(off + bucketSize)
	}
}
