package store

import (
	"math/bits"
	"sync/atomic"
)

// Fragmentation under a limit.
//
// A free slot is of use to values of its size only, so free slots have to count
// somehow, or a process whose values change their sizes would have as many bytes
// of them as of data. But if each of them counted, evicting would not help: what a
// key used before is then a free slot, and counts on, until hardly a key is left.
//
// So an allowance is free: half-open spans, and what comes and goes. Free slots
// beyond it count like data, and then Relieve compacts before it evicts. Where
// compaction finds nothing to gain, the fragmentation is none that anybody could
// help, and is forgiven (Store.stuck) as far as it is a small share of the limit:
// the process is to stay within a tenth above its limit, and the allowance, the
// reserve of free spans and what the server is beside the store come to that.
//
// Where more is to be gained than all free slots are (the limit has been lowered), keys
// have to go whatever compaction gains. In idle time they go first (EvictFirst): then each
// record that stays is moved once at most, and not again for every few megabytes that are
// evicted. Writers meanwhile alternate between the two, so that what counts falls.

// Counted is the number of bytes that count towards a memory limit of limit
// bytes: what records and tables use, without what only a running snapshot still
// keeps, and the fragmentation that is not free. It is some atomic loads.
func (s *Store) Counted(limit int64) int64 {
	used := s.Used()
	free := s.fragmentAllowance(limit)
	if beyond := s.stuck.Load() - free; beyond > 0 {
		free += min(beyond, max(limit/64, 1<<20))
	}
	return used - s.debt.Load() - s.orphans.Load() + max(0, s.Memory()-used-free)
}

// fragmentAllowance is how many bytes of free slots in spans in use are not
// counted: a share of the limit, and no less than what walks leave alone in all
// shards. Values of one size stay below it.
func (s *Store) fragmentAllowance(limit int64) int64 {
	return min(max(1<<20+limit/128, int64(len(s.shards))*pressingAtLeast), limit/2)
}

// compactEvery is how many steps of Relieve go by for one that compacts, while
// the allowance is nearly used up: a unit takes as long as several bursts.
const compactEvery = 4

// compactInTime does one unit of compaction if it is time for one. It returns
// false if keys should be evicted: want is how many bytes are to be gained.
func (e *Evictor) compactInTime(now, want, limit int64) (worked bool) {
	s := e.s
	fragments, allowance := s.Fragmented(), s.fragmentAllowance(limit)
	if fragments <= allowance/4*3 || e.EvictFirst && want > fragments {
		return false
	}
	e.steps++
	if pressing := fragments > max(allowance, s.stuck.Load()); !pressing && e.steps%compactEvery != 0 {
		return false
	}
	if s.compactUnit(now) {
		return true
	}
	s.stuck.Store(fragments + fragments/32) // so much more before it is tried again at once
	return false
}

// Evicted is the number of keys removed because memory was short.
func (s *Store) Evicted() int64 { return s.evicted.Load() }

// Relieve does one bounded step, some microseconds to some tens of them, that
// brings Counted down: it frees a part of what has been removed already, or
// compacts, or evicts keys. want is the number of bytes to be gained if one step
// can, limit the memory limit in bytes, now is in unix milliseconds. It takes
// shard locks one at a time; the caller holds none. It returns false when nothing
// is left that may be freed, compacted or evicted.
//
// A true may mean that the step has only searched: where few keys have an expiry
// time and the policy is for those alone, several steps may be needed to find one.
func (e *Evictor) Relieve(now, want, limit int64) (progress bool) {
	s := e.s
	s.giveBack()
	if i := s.littered.first(e.at); i >= 0 {
		sh := &s.shards[i]
		if sh.lock() {
			freed := sh.collectGarbage()
			sh.mu.Unlock()
			if freed {
				return true
			}
		}
	}
	return s.collectReturned() || e.compactInTime(now, want, limit) || e.burst(now, want) ||
		s.Fragmented() > s.fragmentAllowance(limit) && s.compactUnit(now)
}

// shardBits is a set of shards that can be looked at without a lock.
type shardBits [MaxShards / 64]atomic.Uint64

func (b *shardBits) set(shard int32)   { b[shard>>6].Or(1 << (shard & 63)) }
func (b *shardBits) clear(shard int32) { b[shard>>6].And(^uint64(1 << (shard & 63))) }

// first is the first shard of the set from the given one on, going round; -1 if
// the set is empty.
func (b *shardBits) first(from int) int {
	word := from >> 6
	set := b[word].Load() >> (from & 63) << (from & 63)
	for range len(b) + 1 {
		if set != 0 {
			return word<<6 + bits.TrailingZeros64(set)
		}
		word = (word + 1) % len(b)
		set = b[word].Load()
	}
	return -1
}
