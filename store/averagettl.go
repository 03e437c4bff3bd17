package store

import "math/rand/v2"

// The average time to live of a database's keys, for INFO. Redis reports a
// running average of what its expiry cycle happens to meet. Nothing here walks
// over keys that are not due, so a sample is taken when somebody asks: buckets
// lie in hash order, which makes a few neighbours as good as any other choice.

const (
	ttlSample = 32  // keys with a TTL that are wanted of each shard
	ttlSearch = 256 // buckets that are looked at to find them
)

// AverageTTL estimates how long the keys of a database that have a TTL will
// live, in milliseconds; 0 when there are none. Of small databases it sees
// every key, of big ones at least 32 per shard.
func (v *View) AverageTTL(db int) int64 {
	var sum ttlSum
	v.Store.survey(v.Held, func(sh *shard) { sum.add(sh.dbs[db], v.Now) }, func(*occupation) {})
	return sum.average()
}

// ttlSum weighs the averages of shards by their keys with a TTL.
type ttlSum struct{ sum, weight float64 }

func (a *ttlSum) add(t *table, now int64) {
	if t == nil || t.ttls == 0 {
		return
	}
	if mean, ok := t.sampleTTL(now); ok {
		a.sum += mean * float64(t.ttls)
		a.weight += float64(t.ttls)
	}
}

func (a *ttlSum) average() int64 {
	if a.weight == 0 {
		return 0
	}
	return int64(a.sum / a.weight)
}

// sampleTTL averages the times to live of the keys in a few buckets, from a
// random sub-table on; keys whose time has come do not count.
func (t *table) sampleTTL(now int64) (mean float64, ok bool) {
	sum, n, looked := 0.0, 0, 0
	first := rand.IntN(len(t.subs))
	for i := 0; i < len(t.subs) && n < ttlSample && looked < ttlSearch; i++ {
		s := &t.subs[(first+i)%len(t.subs)]
		for j := uint32(0); j < uint32(s.buckets) && n < ttlSample && looked < ttlSearch; j++ {
			looked++
			b := t.bucket(s, j)
			if b.hint() == 0 {
				continue
			}
			for slot := range b.count() {
				if r := readRecord(t.mem, b.ref(slot)); r.expire > now {
					sum += float64(r.expire - now)
					n++
				}
			}
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}
