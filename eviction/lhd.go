package eviction

import (
	"math/bits"
	"sort"
	"sync"
	"sync/atomic"
)

// The word under LHD, below its kind, from the highest bit down: the tick of the last access,
// the scale of the clock in which that tick is told, and the number of ticks
// in which the entry was accessed again.
//
// The scale makes ticks of different length comparable. Modulo 8 it is enough
// for words whose tick is up to 4^5 times shorter or 4^2 times longer than
// today's: longer words than that are evicted before the clock gets there.
const (
	countBits = 3
	scaleBits = 3
	stampBits = 21 - scaleBits - countBits

	countMax   = 1<<countBits - 1
	scaleMask  = 1<<scaleBits - 1
	stampMask  = 1<<stampBits - 1
	stampShift = countBits + scaleBits

	scaleAhead = 2 // a word may be so many scales ahead of the clock's
)

const (
	// A tick is 4^scale insertions. The scale is chosen such that there are shortLife to longLife
	// entries for each insertion of a tick; the two differ by more than the factor 4 so that the
	// scale comes to rest.
	shortLife, longLife = 64, 512
	maxScale            = 12

	// halfLife is the age in ticks at which an access begins to take something
	// off the count before it adds one.
	halfLife = 1024

	// Where many goroutines write, and there is no need to be exact, one insertion in
	// newEvery, by a draw, moves the clock, by as many, and one hit in hitEvery is learnt from, as
	// so many. The clock of a small cache moves with every insertion, and it learns from all hits.
	exactScales = 2
	newEvery    = 16
	hitEvery    = 8

	// The clock is tied to time each markEvery ticks, and when an entry is read
	// after more than quietMs without that.
	markEvery = 16
	maxMarks  = 1024
	quietMs   = 60_000
)

// lhd is the clock of insertions, and what the entries of a cache have taught. Everything but mu's
// fields is atomic: hits and evictions that come while densities are computed may be counted in
// this round or in the next.
type lhd struct {
	// Read by all, written each newEvery insertions.
	clock    atomic.Uint64 // insertions, and one tick for each quiet time
	scale    atomic.Uint32
	marked   atomic.Int64  // unix milliseconds of the last mark
	nextMark atomic.Uint64 // the clock at which the next mark is due
	_        [32]byte

	tally   atomic.Int64 // units since the last round
	entries atomic.Int64 // of the cache, when something was evicted last; 0 before
	_       [48]byte

	// By class and bucket: the inverse of the hit density, a float32; hits and
	// evictions since the last round.
	cost            [classes][buckets]atomic.Uint32
	hits, evictions [classes][buckets]atomic.Uint32

	mu      sync.Mutex
	weights [classes][buckets]lives
	due     atomic.Int64 // the tally of the next round
	marks   []mark
}

// mark is a moment told by the clock and in unix milliseconds.
type mark struct {
	clock uint64
	ms    int64
}

// newLHD returns one that ranks by age over count, as good as any before the
// first lives have ended.
func newLHD() *lhd {
	l := &lhd{marks: make([]mark, 0, maxMarks)}
	l.due.Store(roundTicks * evictionUnits)
	for class := range l.cost {
		for b := range l.cost[class] {
			l.setDensity(class, b, float64(class+1)/(lowest(b)+1))
		}
	}
	return l
}

// stamp is a word without its count for an access at this clock.
func stamp(clock uint64, scale uint32) uint32 {
	return lhdKind | uint32(clock>>(2*scale))&stampMask<<stampShift | scale&scaleMask<<countBits
}

// age is the number of insertions since the access that a word of LHD records.
func age(word uint32, clock uint64, scale uint32) uint64 {
	at := int(scale+scaleAhead) - int((scale+scaleAhead-word>>countBits)&scaleMask)
	if at < 0 {
		at += 1 << scaleBits
	}
	ticks := (clock>>(2*at) - uint64(word>>stampShift)) & stampMask // the kind falls off
	return min(ticks<<(2*at), clock)
}

// life is the count and the age of an entry, as a word of LHD tells them.
func (l *lhd) life(word uint32) (count uint32, old uint64) {
	return word & countMax, age(word, l.clock.Load(), l.scale.Load())
}

// since is the number of insertions since ms, a moment before nowMs: between two marks they are taken to be
// evenly spread, and before the first, of which nothing is known, to come one a second, so
// that entries keep the order of their idle times.
func (l *lhd) since(ms, nowMs int64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	clock := l.clock.Load()
	if len(l.marks) == 0 {
		return clock + uint64(nowMs-ms)/1000
	}
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].ms > ms })
	if i == 0 {
		return clock - l.marks[0].clock + uint64(l.marks[0].ms-ms)/1000
	}
	from, to := l.marks[i-1], mark{clock, max(nowMs, ms+1)}
	if i < len(l.marks) {
		to = l.marks[i]
	}
	part := float64(ms-from.ms) / float64(to.ms-from.ms)
	return clock - from.clock - uint64(part*float64(to.clock-from.clock))
}

// insert returns the word of a new entry with a count. random is a draw of 32 bits.
func (l *lhd) insert(count uint32, nowMs int64, random uint32) uint32 {
	step := uint64(1)
	if l.scale.Load() >= exactScales {
		step = newEvery
	}
	if random%uint32(step) == 0 && l.clock.Add(step) >= l.nextMark.Load() {
		l.mark(nowMs)
	}
	return stamp(l.clock.Load(), l.scale.Load()) | count
}

// current reports whether word records an access in the current tick, so that
// another one would not change it.
func (l *lhd) current(word uint32, nowMs int64) bool {
	if quiet := nowMs - l.marked.Load(); quiet > quietMs || quiet < -quietMs {
		l.mark(nowMs)
	}
	return stamp(l.clock.Load(), l.scale.Load()) == word&^countMax
}

// access returns the word after an access of an entry whose word is not
// current. random is a draw of 32 bits.
func (l *lhd) access(count uint32, age uint64, random uint32) uint32 {
	clock, scale := l.clock.Load(), l.scale.Load()
	if scale < exactScales {
		l.hit(count, age, 1)
	} else if random%hitEvery == 0 {
		l.hit(count, age, hitEvery)
	}
	// Counts are as good as logarithms here: one off per doubling of the age.
	if old := uint32(bits.Len64(age >> (2 * scale) / halfLife)); old > 0 {
		count -= min(count, old)
	}
	return stamp(clock, scale) | min(count+1, countMax)
}

// mark ties the clock to time. In a quiet time the clock moves by a tick, so
// that entries that are used and entries that are not can be told apart.
func (l *lhd) mark(nowMs int64) {
	if !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	clock, scale := l.clock.Load(), l.scale.Load()
	due := clock >= l.nextMark.Load()
	quiet := nowMs - l.marked.Load()
	if !due {
		if quiet <= quietMs && quiet >= -quietMs {
			return // somebody was faster
		}
		clock = l.clock.Add(1 << (2 * scale))
	}
	// Until something is evicted, the life of an entry is that of the cache.
	if l.entries.Load() == 0 && clock>>(2*scale) > longLife && scale < maxScale {
		scale++
		l.scale.Store(scale)
	}
	l.nextMark.Store(clock + markEvery<<(2*scale))
	l.marked.Store(nowMs)

	if len(l.marks) == maxMarks { // keep each other one: what is long ago needs no more
		for i := range maxMarks / 2 {
			l.marks[i] = l.marks[2*i]
		}
		l.marks = l.marks[:maxMarks/2]
	}
	for i := len(l.marks) - 1; i >= 0 && l.marks[i].ms > nowMs; i-- {
		l.marks[i].ms = nowMs // the time was set back
	}
	l.marks = append(l.marks, mark{clock, nowMs})
}

// idle is the time in seconds since the access that a word of LHD records, as the marks
// around it tell: it may be too long by the distance of two marks, which is a
// minute or a sixteenth of an entry's life for what was used lately.
func (l *lhd) idle(word uint32, nowMs int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	clock := l.clock.Load()
	then := clock - age(word, clock, l.scale.Load())
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].clock > then })
	if len(l.marks) == 0 {
		return 0
	}
	return max(nowMs-l.marks[max(i-1, 0)].ms, 0) / 1000
}
