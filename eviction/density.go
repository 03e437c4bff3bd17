package eviction

import (
	"math"
	"math/bits"
)

const (
	classes = countMax + 1 // entries are alike when their counts are

	// Ages are counted in insertions, the youngest by one, those from linear
	// on in quarters of an octave, up to 2^36.
	linear  = 8
	buckets = linear + 4*33

	// The densities are computed anew after roundTicks ticks' worth of evictions, or roundMost if
	// that is less, or when so many units are together: an eviction is evictionUnits of them, a hit one.
	evictionUnits = 16
	roundTicks    = 128
	roundMost     = 8192

	// What was learnt has lost 63 per cent of its weight after so many ticks' worth of evictions,
	// or rememberMost if that is less.
	rememberTicks = 5000
	rememberMost  = 320_000

	// priorEvents is the weight of what is taken for granted against what is known, as a number of
	// entries; unknownShare is the part of the mean density that is taken for granted where nothing
	// is known at all.
	priorEvents  = 16
	unknownShare = 0.25
)

// lives counts lives of entries that ended at an age: an entry lives from one
// access to the next, or to its eviction.
type lives struct{ hits, all float64 }

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

// rank is the size of an entry over its hit density.
func (l *lhd) rank(count uint32, age uint64, size int64) uint64 {
	cost := math.Float32frombits(l.cost[count][bucket(age)].Load())
	return math.Float64bits(float64(max(size, 1)) * float64(cost))
}

// hit counts a life that ended in an access, as so many.
func (l *lhd) hit(count uint32, age uint64, times uint32) {
	l.hits[count][bucket(age)].Add(times)
	l.learnt(int64(times))
}

func (l *lhd) evicted(count uint32, age uint64) {
	l.evictions[count][bucket(age)].Add(1)
	l.learnt(evictionUnits)
}

// learnt adds units to the tally, and runs a round when it is time: some 10 us.
func (l *lhd) learnt(units int64) {
	if l.tally.Add(units) < l.due.Load() || !l.mu.TryLock() {
		return
	}
	defer l.mu.Unlock()
	if l.tally.Load() >= l.due.Load() { // nobody was faster
		l.tally.Store(0)
		l.rescaleLocked()
		l.learnLocked()
	}
}

// rescaleLocked lengthens or shortens the tick by the number of entries.
func (l *lhd) rescaleLocked() {
	scale, entries := l.scale.Load(), l.entries.Load()
	if entries == 0 {
		return // nothing has been evicted yet, see mark
	}
	switch life := entries >> (2 * scale); {
	case life > longLife && scale < maxScale:
		l.scale.Store(scale + 1)
	case life < shortLife && scale > 0:
		l.scale.Store(scale - 1)
	}
}

// learnLocked computes the hit densities, and when that is due again.
//
// Where few lives of a class have ended, the density is drawn towards that of all classes together,
// times how much better or worse the class does on the whole. Without it an age that nobody
// has reached yet would never get a chance, and in a loop larger than the cache it is the oldest
// entries that are due next.
func (l *lhd) learnLocked() {
	ticks := int64(1) << (2 * l.scale.Load())
	round := min(roundTicks*ticks, roundMost)
	memory := math.Exp(-float64(l.due.Load()/evictionUnits) / float64(min(rememberTicks*ticks, rememberMost)))
	l.due.Store(round * evictionUnits)

	var pool [buckets]lives
	for class := range l.weights {
		for b := range l.weights[class] {
			hits := float64(l.hits[class][b].Swap(0))
			w := &l.weights[class][b]
			w.hits = w.hits*memory + hits
			w.all = w.all*memory + hits + float64(l.evictions[class][b].Swap(0))
			pool[b].hits += w.hits
			pool[b].all += w.all
		}
	}

	hits, occupied := total(&pool)
	mean := hits / (occupied + priorEvents)
	var prior [buckets]float64
	for b := range prior {
		prior[b] = mean * unknownShare
	}
	prior = densities(&pool, &prior)
	for class := range l.weights {
		own := prior
		hits, occupied := total(&l.weights[class])
		// Of a class of which little is known, the count is as good a guess as any.
		better := (hits + priorEvents*float64(class+1)/2) / (occupied*mean + priorEvents)
		for b := range own {
			own[b] *= better
		}
		for b, density := range densities(&l.weights[class], &own) {
			l.setDensity(class, b, density)
		}
	}
}

// total sums the hits of lives and the time that they occupied memory, in insertions.
func total(at *[buckets]lives) (hits, occupied float64) {
	alive := 0.0
	for b := buckets - 1; b >= 0; b-- {
		hits += at[b].hits
		alive += at[b].all
		occupied += alive * (lowest(b+1) - lowest(b))
	}
	return hits, occupied
}

// densities is the hit density of each bucket: of the futures that an entry of this age can have, by
// being kept to one later age or another unless it is hit before, the one with the most hits for
// the time that it occupies memory. It is an index after Gittins ("Bandit processes and dynamic
// allocation indices", 1979). The paper on LHD takes the future that entries had under the
// policy as it was: what is evicted too early then looks worse than it is, because it is.
//
// As points of hits over time, summed from the oldest bucket down, the best futures are the first
// edges of a convex hull: spans are its edges, the first one last, with falling densities.
func densities(at *[buckets]lives, prior *[buckets]float64) (d [buckets]float64) {
	type span struct{ hits, occupied float64 }
	var spans [buckets]span
	alive, n := 0.0, 0
	for b := buckets - 1; b >= 0; b-- {
		width := lowest(b+1) - lowest(b)
		alive += at[b].all
		s := span{at[b].hits, alive * width}
		for n > 0 && spans[n-1].hits*s.occupied >= s.hits*spans[n-1].occupied {
			n--
			s.hits += spans[n].hits
			s.occupied += spans[n].occupied
		}
		spans[n] = s
		n++
		d[b] = (s.hits + priorEvents*width*prior[b]) / (s.occupied + priorEvents*width)
	}
	return d
}

// setDensity publishes a density of 0 or more.
func (l *lhd) setDensity(class, b int, density float64) {
	const least = 1e-30 // its inverse is a float32
	l.cost[class][b].Store(math.Float32bits(float32(1 / max(density, least))))
}
