package store

import (
	"encoding/binary"
	"math"
)

// Zset is the handle of a sorted set; see collection.go for what a handle is.
//
// A small sorted set is a pack of members and scores in order (zsetpack.go). A large one is a body
// (zsetbody.go): a table that finds a member's score, and a counted tree that has the order. It
// becomes large when it gets too many members or too long a one, as in Redis, and never small
// again. Ranks count from 0, the lowest score. Scores are never NaN.
type Zset struct {
	v *View
	k Key
	e Entry
}

// Scored is a member and its score.
type Scored struct {
	Member []byte
	Score  float64
}

// ReadZset finds a sorted set for reading.
func (v *View) ReadZset(k Key) (z Zset, ok bool, err error) {
	if !v.read(&z.e, &k) {
		return z, false, nil
	}
	if z.e.Type() != TypeZset {
		return z, false, ErrWrongType
	}
	z.v, z.k = v, k
	return z, true, nil
}

// WriteZset finds a sorted set that is to be changed. It creates none: SetScores does.
func (v *View) WriteZset(k Key) (z Zset, ok bool, err error) {
	if !v.write(&z.e, k) {
		return z, false, nil
	}
	if z.e.Type() != TypeZset {
		return z, false, ErrWrongType
	}
	z.v, z.k = v, k
	z.e.own()
	return z, true, nil
}

// ScoreRule says under which conditions a score is set, and how: a set of the following. The zero
// value sets it in any case.
type ScoreRule uint8

// The rules, as ZADD's options have them.
const (
	OnlyNew     ScoreRule = 1 << iota // NX: members that are there keep their score
	OnlyKnown                         // XX: no member is added
	OnlyGreater                       // GT: a member that is there gets greater scores only; new ones are added
	OnlyLess                          // LT
	Increment                         // INCR: the score is added to what the member has, 0 for a new one
)

// ScoreChange is what came of setting a score.
type ScoreChange uint8

// The outcomes.
const (
	ScoreRefused ScoreChange = iota // by the rule
	ScoreSame                       // the member has the score already
	ScoreUpdated
	ScoreAdded // with the member
	ScoreNaN   // an increment would make it no number; nothing was done
)

// forNew decides on a member that is not there.
func (r ScoreRule) forNew() ScoreChange {
	if r&OnlyKnown != 0 {
		return ScoreRefused
	}
	return ScoreAdded
}

// apply decides on a member with a score, and computes the new one.
func (r ScoreRule) apply(current, score float64) (result float64, change ScoreChange) {
	if r&OnlyNew != 0 {
		return current, ScoreRefused
	}
	if r&Increment != 0 {
		if score += current; score != score {
			return current, ScoreNaN
		}
	}
	switch {
	case r&OnlyLess != 0 && score >= current, r&OnlyGreater != 0 && score <= current:
		return current, ScoreRefused
	case score == current:
		return score, ScoreSame
	}
	return score, ScoreUpdated
}

// ScoreCounts is what came of SetScores.
type ScoreCounts struct {
	Added, Updated int
	Last           ScoreChange // of the last member
	Score          float64     // of the last member
}

// SetScores sets the scores of n members (at least one) under a rule, creating the sorted set if
// need be. item returns the i-th of them, which spares the caller a list.
func (v *View) SetScores(k Key, n int, item func(i int) Scored, rule ScoreRule) (c ScoreCounts, err error) {
	z, ok, err := v.WriteZset(k)
	if err != nil {
		return c, err
	}
	i := 0
	if !ok {
		if rule&OnlyKnown != 0 {
			return c, nil
		}
		first := item(0)
		z.v, z.k = v, k
		z.create(v.tableForWrite(&k), first, n)
		v.Changed(k, EventNew)
		c = ScoreCounts{Added: 1, Last: ScoreAdded, Score: first.Score}
		i = 1
	} else if z.isPack() && int64(n) > v.Store.enc.ZsetMaxEntries.Load() {
		z.convert()
	}
	for ; i < n; i++ {
		it := item(i)
		c.Score, c.Last = z.set(it.Member, it.Score, rule)
		switch c.Last {
		case ScoreAdded:
			c.Added++
		case ScoreUpdated:
			c.Updated++
		case ScoreRefused, ScoreSame, ScoreNaN:
		}
	}
	if changes := c.Added + c.Updated; changes > 0 {
		v.Dirty += int64(changes)
		v.Changed(k, rule.event())
	}
	return c, nil
}

func (r ScoreRule) event() Event {
	if r&Increment != 0 {
		return EventZIncr
	}
	return EventZAdd
}

// create makes the sorted set in t, the keyspace, with its first member. n is the number of
// members that are about to be set; with the length of the first it decides on the encoding, as in
// Redis.
func (z *Zset) create(t *table, first Scored, n int) {
	v, enc := z.v, z.v.Store.enc
	if int64(n) > enc.ZsetMaxEntries.Load() || int64(len(first.Member)) > enc.ZsetMaxValue.Load() {
		b := newZsetBody(v.shard(&z.k), v)
		b.insert(b.hash(first.Member), first.Member, first.Score)
		z.e = v.newBodyEntry(t, z.k, TypeZset, b)
		return
	}
	size := 1 + packedSize(len(first.Member)) + packedScore(first.Score)
	z.e = v.insertCollection(t, z.k, v.newMeta(&z.k, TypeZset, encPack), size)
	b := z.e.value()
	b[0] = 2 // elements
	putScored(b[1:], first.Member, first.Score)
}

func (z *Zset) isPack() bool { return z.e.rec.encoding() == encPack }

// set sets one score and returns the member's score, which is another one after a refusal.
func (z *Zset) set(member []byte, score float64, rule ScoreRule) (result float64, change ScoreChange) {
	if z.isPack() {
		return z.setPacked(member, score, rule)
	}
	return z.setLarge(member, score, rule)
}

// Len is the number of members, at least 1.
func (z *Zset) Len() int {
	if z.isPack() {
		return pack(z.e.value()).count() / 2
	}
	return z.body().n
}

// Score returns a member's score.
func (z *Zset) Score(member []byte) (score float64, ok bool) {
	if !z.isPack() {
		return z.body().score(member)
	}
	p := pack(z.e.value())
	_, at, ok := p.findField(member)
	if ok {
		score, _ = p.score(at)
	}
	return score, ok
}

// Rank returns a member's rank and score.
func (z *Zset) Rank(member []byte) (rank int, score float64, ok bool) {
	if z.isPack() {
		return z.rankPacked(member)
	}
	return z.body().rank(member)
}

// Remove removes members and returns how many were there. The handle is spent if none is left.
func (z *Zset) Remove(members [][]byte) (removed int) {
	for _, m := range members {
		if !z.remove(m) {
			continue
		}
		removed++
		if z.e.spent() {
			break
		}
	}
	if removed > 0 {
		z.v.Dirty += int64(removed)
		z.e.changed(z.v, z.k, EventZRem)
	}
	return removed
}

func (z *Zset) remove(member []byte) bool {
	if z.isPack() {
		p := pack(z.e.value())
		off, at, ok := p.findField(member)
		if ok {
			z.cutPacked(p, off, p.skip(at), 1)
		}
		return ok
	}
	return z.removeLarge(member)
}

// floatBytes and bytesFloat are the form that scores have in records of members and in files:
// IEEE 754, least significant byte first.
func floatBytes(score float64) (b [8]byte) {
	binary.LittleEndian.PutUint64(b[:], math.Float64bits(score))
	return b
}

func bytesFloat(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

// zsetEncoding is OBJECT ENCODING's name; the large one is called by its index in Redis.
func zsetEncoding(e *Entry) string {
	if e.rec.encoding() == encPack {
		return "listpack"
	}
	return "skiplist"
}

// eachScoredPair visits the pairs of a small sorted set, in order.
func eachScoredPair(v *Value, fn func(item, value []byte) bool) {
	p := pack(v.data)
	for off := p.first(); off < len(p); {
		member, score, end := p.scored(off)
		value := v.digits[:8]
		binary.LittleEndian.PutUint64(value, math.Float64bits(score))
		if !fn(member, value) {
			return
		}
		off = end
	}
}
