package main

import (
	"math/bits"
	"math/rand/v2"
)

// redis is what redis-server 7.0 does under allkeys-lru and allkeys-lfu, after src/evict.c,
// src/dict.c (dictGetSomeKeys) and src/server.h: a clock of 24 bits in seconds, or 16 bits of
// minutes above a Morris counter; for each victim some neighbours in the hash table are offered to
// a pool of 16 that lasts from one victim to the next, and the best of the pool is evicted.
//
// The table is resized at once instead of step by step; memory is the cost of the entries alone.
type redis struct {
	s       setup
	lfu     bool
	samples int
	bytes   int64
	words   []uint32 // by object, with redisPresent
	keys    dict
	pool    [redisPool]redisCandidate
}

type redisCandidate struct {
	idle uint64
	id   uint32
	set  bool
}

const (
	redisPool    = 16 // EVPOOL_SIZE
	redisInitial = 5  // LFU_INIT_VAL
	redisPresent = 1 << 31
	redisTable   = 4 // DICT_HT_INITIAL_SIZE
)

func redisModel(lfu bool, samples int) func(setup) cache {
	return func(s setup) cache {
		n := len(s.trace.cost)
		return &redis{s: s, lfu: lfu, samples: samples, words: make([]uint32, n), keys: newDict(make([]uint32, n), redisTable, 1, 2)}
	}
}

func (c *redis) used() int64 { return c.bytes }

func (c *redis) access(i int, id uint32) bool {
	now := c.s.now(i)
	if word := c.words[id]; word != 0 {
		c.words[id] = c.touch(word, now) | redisPresent
		return true
	}
	cost := int64(c.s.trace.cost[id])
	if cost > c.s.capacity {
		return false
	}
	for c.bytes+cost > c.s.capacity {
		c.evict(now)
	}
	c.bytes += cost
	c.keys.add(id)
	if c.lfu {
		c.words[id] = redisMinutes(now)<<8 | redisInitial | redisPresent
	} else {
		c.words[id] = redisClock(now) | redisPresent
	}
	return false
}

func (c *redis) remove(id uint32) {
	if c.words[id] != 0 {
		c.words[id] = 0
		c.bytes -= int64(c.s.trace.cost[id])
		c.keys.remove(id)
	}
}

func redisClock(nowMs int64) uint32   { return uint32(nowMs/1000) & 0xFFFFFF }
func redisMinutes(nowMs int64) uint32 { return uint32(nowMs/60000) & 0xFFFF }

// touch is updateLFU, or the clock.
func (c *redis) touch(word uint32, now int64) uint32 {
	if !c.lfu {
		return redisClock(now)
	}
	counter := redisDecay(word, now)
	if counter < 255 {
		above := max(int(counter)-redisInitial, 0)
		if c.s.rng.Float64() < 1/float64(above*lfuLogFactor+1) {
			counter++
		}
	}
	return redisMinutes(now)<<8 | counter
}

// redisDecay is LFUDecrAndReturn.
func redisDecay(word uint32, now int64) uint32 {
	periods := (redisMinutes(now) - word>>8) & 0xFFFF / lfuDecayTime
	counter := word & 255
	return counter - min(counter, periods)
}

// idle is the rank of a candidate: the higher, the better to evict.
func (c *redis) idle(id uint32, now int64) uint64 {
	if c.lfu {
		return 255 - uint64(redisDecay(c.words[id], now))
	}
	return uint64((redisClock(now)-c.words[id])&0xFFFFFF) * 1000
}

// evict takes the best candidate whose key still exists; stale ones are thrown away.
func (c *redis) evict(now int64) {
	for {
		c.populate(now)
		for k := redisPool - 1; k >= 0; k-- {
			best := c.pool[k]
			c.pool[k] = redisCandidate{}
			if best.set && c.words[best.id] != 0 {
				c.remove(best.id)
				return
			}
		}
	}
}

// populate is dictGetSomeKeys: neighbouring buckets from a random one on, and elsewhere after too
// many empty ones.
func (c *redis) populate(now int64) {
	mask := 1<<bits.Len(uint(len(c.keys.buckets)-1)) - 1
	want := min(c.samples, c.keys.n)
	at, empty, got := randomBucket(c.s.rng, mask), 0, 0
	for steps := 10 * want; got < want && steps > 0; steps-- {
		id := c.keys.buckets[at]
		if id == none {
			if empty++; empty >= 5 && empty > want {
				at, empty = randomBucket(c.s.rng, mask), 0
			}
		} else {
			empty = 0
		}
		for ; id != none && got < want; got++ {
			c.offer(id, c.idle(id, now))
			id = c.keys.next[id]
		}
		at = (at + 1) & mask
	}
}

// randomBucket is one of mask+1 buckets, their number being a power of two.
func randomBucket(rng *rand.Rand, mask int) int { return int(rng.Uint64()>>32) & mask }

// offer is evictionPoolPopulate's insertion: candidates stand in rising order of their idle time,
// empty places last.
func (c *redis) offer(id uint32, idle uint64) {
	k := 0
	for k < redisPool && c.pool[k].set && c.pool[k].idle < idle {
		k++
	}
	full := c.pool[redisPool-1].set
	switch {
	case k == 0 && full:
		return
	case k < redisPool && !c.pool[k].set:
	case !full:
		copy(c.pool[k+1:], c.pool[k:redisPool-1])
	default:
		k--
		copy(c.pool[:k], c.pool[1:k+1])
	}
	c.pool[k] = redisCandidate{idle, id, true}
}
