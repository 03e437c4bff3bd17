package store

import "github.com/larderkv/larder/store/arena"

// Keyspace cursors: the low byte is the shard, the rest the place in hash
// order (table.scan), which has cursorBits.
const (
	scanShardBits = 8
	cursorBits    = 48
)

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
		i, ok := s.CursorShard(cursor)
		if !ok {
			return 0
		}
		sh := &s.shards[i]
		if !v.Held {
			v.await(sh)
		}
		cursor = v.scanShard(cursor, func(e *Entry, name []byte) {
			seen++
			fn(e, name)
		}, func() bool { steps++; return seen < count && steps < 10*count })
		if !v.Held {
			sh.mu.Unlock()
		}
		if cursor == 0 {
			return 0
		}
	}
	return cursor
}

// CursorShard is the shard that a walk which goes on from a cursor comes to next. ok is false if there
// is none.
func (s *Store) CursorShard(cursor uint64) (shard int, ok bool) {
	shard = int(cursor & (1<<scanShardBits - 1))
	return shard, shard < len(s.shards)
}

// CursorPart is how much of a walk lies before a cursor, 0 to 1.
func (s *Store) CursorPart(cursor uint64) float64 {
	shard, _ := s.CursorShard(cursor)
	return (float64(shard) + float64(cursor>>scanShardBits)/(1<<cursorBits)) / float64(len(s.shards))
}

// scanShard visits buckets of the shard that the cursor stands in, until more returns false or it
// comes to the end of the shard, where the next one begins.
func (v *View) scanShard(cursor uint64, fn func(*Entry, []byte), more func() bool) (next uint64) {
	i, _ := v.Store.CursorShard(cursor)
	if next = v.Store.shards[i].scan(v.DB, cursor, v.Now, fn, more); next != 0 || i+1 == len(v.Store.shards) {
		return next
	}
	return uint64(i + 1)
}

// Deletions is what a walk that deletes has done in one step.
type Deletions struct {
	Next    uint64   // the cursor to go on from, 0 at the end
	Visited int      // live keys
	Names   [][]byte // of those that were deleted
}

// DeleteScanned walks over about count keys of the shard that a cursor stands in, no further than to its
// end, and deletes those that choose picks, at most about most. The caller holds the shard. What is true
// of Scan is true of the walk; choose must not change the store.
func (v *View) DeleteScanned(cursor uint64, count, most int, choose func(e *Entry, name []byte) bool) (d Deletions) {
	var names []byte
	var ends []int
	steps := 0
	d.Next = v.scanShard(cursor, func(e *Entry, name []byte) {
		if d.Visited++; choose(e, name) {
			names = append(names, name...)
			ends = append(ends, len(names))
		}
	}, func() bool {
		steps++
		return d.Visited < count && steps < 10*count && len(ends) < most
	})
	d.Names = make([][]byte, len(ends))
	start := 0
	for i, end := range ends {
		d.Names[i] = names[start:end:end]
		v.Delete(v.Store.Key(d.Names[i]))
		start = end
	}
	return d
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
			if !sh.ended(&e.rec, now) {
				fn(&e, e.name())
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
