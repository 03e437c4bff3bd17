package main

// dict is a hash table of objects, for policies that draw their candidates from buckets. Objects of
// one bucket are chained through next, which tables share: an object is in one of them at most.
type dict struct {
	buckets []uint32 // the first object of each, none for an empty one
	next    []uint32 // by object
	n       int
	full    float64 // entries per bucket at which it grows
	growth  float64 // and by how much
	slots   bool    // its buckets are arrays: who is removed leaves his place to the newest one
}

func newDict(next []uint32, buckets int, full, growth float64) dict {
	d := dict{next: next, full: full, growth: growth}
	d.resize(buckets)
	return d
}

// hash spreads the numbers of objects; its upper half chooses buckets, the lower one shards.
func hash(id uint32) uint64 {
	h := (uint64(id) + 1) * 0x9E3779B97F4A7C15
	h = (h ^ h>>32) * 0xD6E8FEB86659FD93
	return h ^ h>>32
}

func (d *dict) home(id uint32) *uint32 {
	return &d.buckets[hash(id)>>32*uint64(len(d.buckets))>>32]
}

func (d *dict) add(id uint32) {
	if float64(d.n) >= d.full*float64(len(d.buckets)) {
		d.resize(max(int(float64(len(d.buckets))*d.growth), len(d.buckets)+1))
	}
	d.n++
	d.link(id)
}

func (d *dict) link(id uint32) {
	home := d.home(id)
	d.next[id] = *home
	*home = id
}

// remove takes out an object that is there.
func (d *dict) remove(id uint32) {
	home := d.home(id)
	at := home
	for *at != id {
		at = &d.next[*at]
	}
	*at = d.next[id]
	d.n--
	if newest := *home; d.slots && at != home {
		if at == &d.next[newest] {
			return
		}
		*home = d.next[newest]
		d.next[newest], *at = *at, newest
	}
}

func (d *dict) resize(buckets int) {
	old := d.buckets
	d.buckets = make([]uint32, buckets)
	for i := range d.buckets {
		d.buckets[i] = none
	}
	for _, id := range old {
		for id != none {
			following := d.next[id]
			d.link(id)
			id = following
		}
	}
}
