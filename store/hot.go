package store

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/larderkv/larder/store/heavy"
)

// Hot keys.
//
// Each shard samples the accesses to its keys and counts the samples by Space-Saving
// (store/heavy), in windows of ten seconds. What it writes lies in the shard, under the lock that a
// command holds in any case: an access that is not sampled costs a subtraction there.
//
// # Sampling
//
// A shard that has few accesses counts all of them. With more than hotSamples in one second it takes
// one of 2, and so on up to one of hotGap in the mean, each with that weight. The distance between two
// samples is random: clients that go through keys in a fixed order would always be met at the same
// key. A sample takes some 310 instructions, so that at one of hotGap an access takes about ten.
//
// # What is found, and how far it may be off
//
// A key that has had more than one part in hotCounters of the accesses to its shard within a window
// is found, and of all accesses it has had at least one part in hotCounters times the number of
// shards then. Its count is too high by at most the Error of its Item, because of names that had the
// counter before; that is bounded by the same part. Sampling adds a deviation of sqrt(hotGap*count),
// of which HotKey.Error has three times as much: so the truth lies within Error of the estimate in
// all but one of 300 cases. Keys that come once each share what is left of the counters and are
// recognized by having been sampled just once since: they are not listed.
//
// A shard's list has no key of another one, so the lists are put together without any loss, which
// lists by event loop could not be.
//
// # Rejected
//
// Redis' logarithmic counters of LFU, which redis-cli --hotkeys reads: they need that policy, a walk
// over all keys, and tell no rate. Exact counters in the records: they cost memory for each key.

// The figures of sampling.
const (
	hotCounters  = 128         // per shard
	hotLongest   = 512         // bytes; a key with a longer name is not found
	hotWindow    = 10_000      // milliseconds
	hotGap       = 64          // accesses between two samples in the mean, at most
	hotSamples   = 64          // in a second, with which a gap is left for a larger one
	hotListed    = 50          // keys that are listed
	hotDBSize    = 4           // bytes in front of the name that say which database
	hotDeviation = 3           // standard deviations in HotKey.Error
	second       = int64(1000) // milliseconds
)

// hotRule is the store's part.
type hotRule struct {
	off   atomic.Bool
	began atomic.Int64 // when the first access was sampled since the last reset, unix milliseconds; 0: none
}

// hotSample is what a shard has sampled. The shard's lock covers it.
type hotSample struct {
	windows  *heavy.Windows // nil before the first sample
	name     []byte         // scratch memory: a name with its database in front
	window   int64          // number of the running one
	second   int64          // in which accesses are counted
	accesses uint64         // in that second
	gap      uint8          // accesses that the next sample stands for
	weight   uint8          // of the largest sample of the running window
	last     uint8          // of that of the last one
}

// Accessed notes that a command uses a key, whose shard is locked.
func (v *View) Accessed(k *Key) {
	sh := &v.Store.shards[k.shard]
	if sh.unseen--; sh.unseen == 0 {
		v.sample(k)
	}
}

// sample counts an access, and decides which one is to be the next.
func (v *View) sample(k *Key) {
	sh := v.shard(k)
	h := &sh.hot
	if v.Store.hot.off.Load() {
		sh.unseen = math.MaxUint8
		return
	}
	weight := h.pace(v.Now / second)
	sh.unseen = 1
	if h.gap > 1 {
		sh.unseen = uint8(1 + rand.Uint32N(2*uint32(h.gap)-1))
	}
	if !v.NoTouch && !v.Loading {
		v.Store.hot.began.CompareAndSwap(0, v.Now)
		h.add(v.DB, k, weight, v.Now)
	}
}

// pace counts a sample, returns its weight, and decides how many accesses the next one stands for.
func (h *hotSample) pace(now int64) (weight uint8) {
	weight = max(h.gap, 1)
	h.gap = weight
	if now != h.second {
		if now != h.second+1 {
			h.accesses = 0
		}
		for h.gap > 1 && h.accesses < hotSamples/2*uint64(h.gap) {
			h.gap /= 2
		}
		h.second, h.accesses = now, 0
	}
	h.accesses += uint64(weight)
	if h.gap < hotGap && h.accesses >= hotSamples*uint64(h.gap) {
		h.gap *= 2
	}
	return weight
}

func (h *hotSample) add(db int, k *Key, weight uint8, now int64) {
	h.turn(now)
	h.weight = max(h.weight, weight)
	h.name = append(binary.LittleEndian.AppendUint32(h.name[:0], uint32(db)), k.Name...)
	h.windows.Add(k.hash+uint64(db), h.name, uint64(weight))
	if cap(h.name) > 2*hotLongest {
		h.name = nil
	}
}

// turn ends the running window if it is over.
func (h *hotSample) turn(now int64) {
	at := now / hotWindow
	switch {
	case h.windows == nil:
		h.windows = heavy.NewWindows(hotCounters, hotDBSize+hotLongest)
	case at == h.window:
		return
	case at == h.window+1:
		h.windows.Turn()
	default: // nothing came for a whole window, or somebody has set the clock
		h.windows.Reset()
		h.weight = 0
	}
	h.window, h.last, h.weight = at, h.weight, 0
}

// HotKeys is what is known of the keys that are accessed most.
type HotKeys struct {
	On       bool
	Period   int64  // milliseconds that all counts are of: the last window, or the one that runs
	Accesses uint64 // to all keys, estimated
	Keys     []HotKey
}

// HotKey is one of them.
type HotKey struct {
	DB       int
	Name     string
	Accesses uint64 // estimated
	Error    uint64 // that Accesses may be off by, either way
}

// Rate makes a number of accesses one per second.
func (l *HotKeys) Rate(accesses uint64) float64 {
	return float64(accesses) * float64(second) / float64(max(l.Period, 1))
}

// Share is a key's share of all accesses, 0 to 1.
func (l *HotKeys) Share(k *HotKey) float64 {
	return min(float64(k.Accesses)/float64(max(l.Accesses, 1)), 1)
}

// HotKeys lists the keys that are accessed most, at most 50, most first. It locks one shard after the
// other; of one that is occupied nothing is said.
func (v *View) HotKeys() HotKeys {
	list := HotKeys{On: !v.Store.hot.off.Load()}
	began := v.Store.hot.began.Load()
	if !list.On || began == 0 {
		return list
	}
	begin := v.Now - v.Now%hotWindow // of the running window
	before := begin - max(began, begin-hotWindow)
	running := v.Now - max(began, begin)
	list.Period = max(before, running, 1)
	v.Store.survey(v.Held, func(sh *shard) { list.add(&sh.hot, v.Now, running >= before) }, func(*occupation) {})
	slices.SortFunc(list.Keys, func(a, b HotKey) int {
		return cmp.Or(cmp.Compare(b.Accesses, a.Accesses), cmp.Compare(a.DB, b.DB), cmp.Compare(a.Name, b.Name))
	})
	list.Keys = list.Keys[:min(len(list.Keys), hotListed)]
	return list
}

// add adds what a shard has found.
func (l *HotKeys) add(h *hotSample, now int64, running bool) {
	if h.windows == nil {
		return
	}
	h.turn(now)
	p, weight := h.windows.Last(), h.last
	if running {
		p, weight = h.windows.Running(), h.weight
	}
	l.Accesses += p.Total
	for i := range p.Items {
		it := &p.Items[i]
		if it.Least() <= uint64(weight) || it.Error > it.Count/2 {
			continue // it came once since it has the counter, or is unlikely to come first
		}
		err := it.Error
		if weight > 1 {
			err += uint64(hotDeviation * math.Sqrt(float64(weight)*float64(it.Count)))
		}
		db := binary.LittleEndian.Uint32([]byte(it.Name[:hotDBSize]))
		l.Keys = append(l.Keys, HotKey{int(db), it.Name[hotDBSize:], it.Count, err})
	}
}

// ResetHotKeys forgets all accesses. It locks one shard after the other.
func (v *View) ResetHotKeys() {
	v.Store.hot.began.Store(0)
	v.eachShard(func(sh *shard) {
		if sh.hot.windows != nil {
			sh.hot.windows.Reset()
		}
		sh.hot.weight, sh.hot.last = 0, 0
	})
}

// SampleHotKeys switches the search for hot keys on or off; it begins on. What is known is forgotten
// by ResetHotKeys alone.
func (s *Store) SampleHotKeys(on bool) { s.hot.off.Store(!on) }
