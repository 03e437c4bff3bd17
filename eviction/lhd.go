package eviction

import (
	"math"
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
	stampBits = 22 - scaleBits - countBits

	countMax   = 1<<countBits - 1
	scaleMask  = 1<<scaleBits - 1
	stampMask  = 1<<stampBits - 1
	stampShift = countBits + scaleBits

	scaleAhead = 2 // a word may be so many scales ahead of the clock's
)

const (
	classes = countMax + 1 // entries are alike when their counts are

	// Ages are counted in insertions, the youngest by one, those from linear
	// on in quarters of an octave, up to 2^36.
	linear  = 8
	buckets = linear + 4*33

	// A tick is 4^scale insertions. The scale is chosen such that a victim's
	// typical age is shortLife to longLife ticks; the two differ by more than
	// the factor 4 so that the scale comes to rest.
	shortLife, longLife = 64, 512
	maxScale            = 12

	// halfLife is the age in ticks at which an access begins to take something
	// off the count before it adds one.
	halfLife = 256

	newEvery = 16 // one insertion in so many, by a draw, moves the clock, by as many
	hitEvery = 8  // one hit in so many, by a draw, is learnt from

	// The densities are computed anew after learnEvery units; an eviction is
	// evictionUnits of them, a hit one. Each time what was learnt before loses
	// a twentieth of its weight.
	learnEvery    = 1 << 17
	evictionUnits = 16
	memory        = 0.95

	// priorEvents is the weight of what is known of all classes against what is
	// known of one, as a number of entries.
	priorEvents = 4

	// The clock is tied to time each markEvery ticks, and when an entry is read
	// after more than quietMs without that.
	markEvery = 16
	maxMarks  = 1024
	quietMs   = 60_000
)

// lhd is what the entries of a cache have taught. Everything but mu's fields
// is atomic: hits and evictions that come while densities are computed may
// be counted in this round or in the next.
type lhd struct {
	// Read by all, written each newEvery insertions.
	clock    atomic.Uint64 // insertions, and one tick for each quiet time
	scale    atomic.Uint32
	marked   atomic.Int64  // unix milliseconds of the last mark
	nextMark atomic.Uint64 // the clock at which the next mark is due
	_        [32]byte

	// Since the last round, in one word: units towards learnEvery, victims, and
	// their buckets, summed. It has room for some rounds.
	tally atomic.Uint64
	_     [56]byte

	// By class and bucket: the inverse of the hit density, a float32; hits and
	// evictions since the last round.
	cost            [classes][buckets]atomic.Uint32
	hits, evictions [classes][buckets]atomic.Uint32

	mu      sync.Mutex
	weights [classes][buckets]lives
	evicts  bool   // there were victims to choose the scale by
	victims uint64 // since the scale was looked at
	ages    uint64 // their buckets, summed
	marks   []mark
}

const (
	victimShift, ageShift = 24, 40 // in tally

	unitMask   = 1<<victimShift - 1
	victimMask = 1<<(ageShift-victimShift) - 1
)

// lives counts lives of entries that ended at an age: an entry lives from one
// access to the next, or to its eviction.
type lives struct{ hits, all float64 }

// mark is a moment told by the clock and in unix milliseconds.
type mark struct {
	clock uint64
	ms    int64
}

// newLHD returns one that ranks by age over count, as good as any before the
// first lives have ended.
func newLHD() *lhd {
	l := &lhd{marks: make([]mark, 0, maxMarks)}
	for class := range l.cost {
		for b := range l.cost[class] {
			l.setDensity(class, b, float64(class+1)/(lowest(b)+1))
		}
	}
	return l
}

// bucket is where lives of this age are counted.
func bucket(age uint64) int {
	if age < linear {
		return int(age)
	}
	octave := bits.Len64(age) - 3
	return min(linear+(octave-1)*4+int(age>>octave)&3, buckets-1)
}

// lowest is the smallest age of a bucket, 0 <= b <= buckets.
func lowest(b int) float64 {
	if b < linear {
		return float64(b)
	}
	octave := (b-linear)/4 + 1
	return float64(uint64(4+(b-linear)%4) << octave)
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

// insert returns the word of a new entry. random is a draw of 32 bits.
func (l *lhd) insert(nowMs int64, random uint32) uint32 {
	if random%newEvery == 0 && l.clock.Add(newEvery) >= l.nextMark.Load() {
		l.mark(nowMs)
	}
	return stamp(l.clock.Load(), l.scale.Load())
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
	if random%hitEvery == 0 {
		l.hits[count][bucket(age)].Add(1)
		l.learnt(hitEvery)
	}
	// Counts are as good as logarithms here: one off per doubling of the age.
	if old := uint32(bits.Len64(age >> (2 * scale) / halfLife)); old > 0 {
		count -= min(count, old)
	}
	return stamp(clock, scale) | min(count+1, countMax)
}

// rank is the size of an entry over its hit density.
func (l *lhd) rank(count uint32, age uint64, size int64) uint64 {
	cost := math.Float32frombits(l.cost[count][bucket(age)].Load())
	return math.Float64bits(float64(max(size, 1)) * float64(cost))
}

func (l *lhd) evicted(count uint32, age uint64) {
	b := bucket(age)
	l.evictions[count][b].Add(1)
	l.learnt(evictionUnits | 1<<victimShift | uint64(b)<<ageShift)
}

// learnt adds to the tally, and runs a round when it is time: some 10 us, each time
// after thousands of evictions.
func (l *lhd) learnt(tally uint64) {
	if l.tally.Add(tally)&unitMask < learnEvery || !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	if l.tally.Load()&unitMask >= learnEvery { // nobody was faster
		tally := l.tally.Swap(0)
		l.victims += tally >> victimShift & victimMask
		l.ages += tally >> ageShift
		l.rescaleLocked()
		l.learnLocked()
	}
}

// rescaleLocked lengthens or shortens the tick by the age at which entries are
// evicted. The mean is that of buckets, which is geometric: a few entries of
// wrong age cannot move it far.
func (l *lhd) rescaleLocked() {
	const enough = 100
	if l.victims < enough {
		return
	}
	l.evicts = true
	scale := l.scale.Load()
	typical := uint64(lowest(int(l.ages/l.victims))) >> (2 * scale)
	l.ages, l.victims = 0, 0
	switch {
	case typical > longLife && scale < maxScale:
		l.scale.Store(scale + 1)
	case typical < shortLife && scale > 0:
		l.scale.Store(scale - 1)
	}
}

// learnLocked computes the hit densities. An entry of some class and age can
// expect the future that entries like it had: the hits at that age or above,
// over all the time that they went on to occupy memory. One pass from the
// oldest bucket down sums both.
//
// Where few lives have ended the density is drawn towards that of all classes
// together, and that one towards half of the mean. Without it an age that
// nobody has reached yet would never get a chance, and in a loop larger than
// the cache it is the oldest entries that are due next.
func (l *lhd) learnLocked() {
	var pool [buckets]lives
	for class := range l.weights {
		for b := range l.weights[class] {
			hits := float64(l.hits[class][b].Swap(0)) * hitEvery
			w := &l.weights[class][b]
			w.hits = w.hits*memory + hits
			w.all = w.all*memory + hits + float64(l.evictions[class][b].Swap(0))
			pool[b].hits += w.hits
			pool[b].all += w.all
		}
	}

	var prior [buckets]float64
	mean := densities(&pool, &prior)[0]
	for b := range prior {
		prior[b] = mean / 2
	}
	prior = densities(&pool, &prior)
	for class := range l.weights {
		for b, density := range densities(&l.weights[class], &prior) {
			l.setDensity(class, b, density)
		}
	}
}

// densities is the hit density of each bucket.
func densities(at *[buckets]lives, prior *[buckets]float64) (d [buckets]float64) {
	var hits, alive, occupied float64
	for b := buckets - 1; b >= 0; b-- {
		width := lowest(b+1) - lowest(b)
		hits += at[b].hits
		alive += at[b].all
		occupied += alive * width
		d[b] = (hits + priorEvents*width*prior[b]) / (occupied + priorEvents*width)
	}
	return d
}

// setDensity publishes a density of 0 or more.
func (l *lhd) setDensity(class, b int, density float64) {
	const least = 1e-30 // its inverse is a float32
	l.cost[class][b].Store(math.Float32bits(float32(1 / max(density, least))))
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
	if !l.evicts && clock>>(2*scale) > longLife && scale < maxScale {
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
