package store

import (
	"math/bits"

	"github.com/larderkv/larder/eviction"
)

// latestSteps is in how many buckets from its home on one of the latest keys is looked for.
const latestSteps = 3

// gatherLatest adds the latest keys of the shard to the candidates, those that are there still. No
// key is read for that: what counts is the tag of the hash, and a neighbour with the same one is
// as good a candidate.
func (e *Evictor) gatherLatest(sh *shard, latest []eviction.Arrival) {
	for i := range latest {
		p := pick{db: latest[i].DB, t: sh.dbs[latest[i].DB]}
		if p.t == nil {
			continue
		}
		slot, ok := p.toTag(latest[i].Hash)
		if !ok {
			continue
		}
		at, known := e.latestIn(&p)
		if known>>slot&1 != 0 {
			continue
		}
		rank, ok := e.rankAt(sh, p.t.bucket(&p.t.subs[p.sub], uint32(p.bucket)).ref(slot))
		if !ok {
			continue
		}
		if at == e.n {
			e.picks[at] = p
			e.n++
			e.latest |= 1 << p.bit()
		}
		e.near[e.found], e.ranks[e.found] = near{uint8(at), slot}, rank
		e.found++
	}
}

// toTag makes the pick that of the bucket where a key with the hash h seems to be, and returns
// its slot.
func (p *pick) toTag(h uint64) (slot uint8, ok bool) {
	t := p.t
	p.sub = t.subOf(h)
	s := &t.subs[p.sub]
	if s.buckets == 0 {
		return 0, false
	}
	position := s.position(h)
	i := s.home(position)
	for range latestSteps {
		b := t.bucket(s, i)
		if m := b.match(uint8(position)); m != 0 {
			p.bucket = uint16(i)
			return uint8(bits.TrailingZeros64(m)), true
		}
		if b.overflow() == 0 {
			break
		}
		i = s.next(i)
	}
	return 0, false
}

// latestIn returns the number of a bucket's pick, the next one if it has none yet, and which of its
// slots are candidates already. It is for a step whose candidates were the latest keys first.
func (e *Evictor) latestIn(p *pick) (at int, known uint16) {
	if e.latest>>p.bit()&1 == 0 {
		return e.n, 0
	}
	for at < e.n && (e.picks[at].bucket != p.bucket || e.picks[at].sub != p.sub || e.picks[at].t != p.t) {
		at++
	}
	for _, c := range e.near[:e.found] {
		if int(c.pick) == at {
			known |= 1 << c.slot
		}
	}
	return at, known
}

// bit is that of the bucket in Evictor.latest.
func (p *pick) bit() uint32 { return (p.sub*7 + uint32(p.bucket)) % 64 }
