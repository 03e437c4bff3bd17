package store

import "github.com/larderkv/larder/store/arena"

// Keyspace cursors: the low byte is the shard, the rest the place in hash
// order (table.scan).
const scanShardBits = 8

// Scan visits live keys of a database from a cursor on, 0 for the start: at
// least one bucket, until about count keys were seen. It returns the cursor
// to go on from, 0 at the end. A key that is there from the first call to the
// last is visited; one may be visited twice.
//
// Scan locks one shard at a time; fn runs under that lock, and the entry and
// name it gets are valid until it returns. fn must not change the store.
func (s *Store) Scan(db int, cursor uint64, count int, now int64, fn func(e *Entry, name []byte)) (next uint64) {
	v := View{Store: s, DB: db, Now: now}
	return v.Scan(cursor, count, fn)
}

// Scan is Store.Scan of the view's database.
func (v *View) Scan(cursor uint64, count int, fn func(e *Entry, name []byte)) (next uint64) {
	s := v.Store
	for seen, steps := 0, 0; seen < count && steps < 10*count; {
		i := int(cursor & (1<<scanShardBits - 1))
		if i >= len(s.shards) {
			return 0
		}
		sh := &s.shards[i]
		if !v.Held {
			v.await(sh)
		}
		cursor = sh.scan(v.DB, cursor, v.Now, func(e *Entry, name []byte) {
			seen++
			fn(e, name)
		}, func() bool { steps++; return seen < count && steps < 10*count })
		if !v.Held {
			sh.mu.Unlock()
		}
		if cursor == 0 {
			if i++; i == len(s.shards) {
				return 0
			}
			cursor = uint64(i)
		}
	}
	return cursor
}

// scan visits buckets of one shard until more returns false; 0 is the end of
// the shard.
func (sh *shard) scan(db int, cursor uint64, now int64, fn func(*Entry, []byte), more func() bool) uint64 {
	t := sh.dbs[db]
	if t == nil {
		more()
		return 0
	}
	shardBits := cursor & (1<<scanShardBits - 1)
	place := cursor >> scanShardBits
	for {
		place = t.scan(place, func(ref arena.Ref) {
			e := Entry{sh: sh, t: t, ref: ref, rec: readRecord(t.mem, ref)}
			if e.rec.expire == 0 || e.rec.expire > now {
				fn(&e, t.mem[e.rec.key:e.rec.key+uint64(e.rec.klen):e.rec.key+uint64(e.rec.klen)])
			}
		})
		if place == 0 {
			more()
			return 0
		}
		if !more() {
			return place<<scanShardBits | shardBits
		}
	}
}
