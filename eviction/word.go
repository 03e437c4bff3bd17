// Package eviction is the arithmetic of cache policies on the 24 bits that
// every entry carries. It knows no table and takes no lock of one, so that a
// trace simulator can drive it as well as the store does.
//
// # Words
//
// Under LRU, and LRM which notes changes only, the word is a clock: unix
// seconds modulo 3 * 2^21 (72 days). Under LFU it is nearly Redis' layout, 15 bits of
// minutes (the last time the counter was decayed) above an 8-bit logarithmic
// counter after Morris ("Counting large numbers of events in small registers",
// 1978): an access raises the counter with probability
// 1/((counter-5)*factor+1), and every lfu-decay-time minutes take one off.
// Under LHD it is 15 bits of a clock of insertions, 3 bits that tell the length
// of its ticks, and a count of ticks with an access, 0 to 7. Policies that look at
// no word (random, volatile-ttl, noeviction) keep the clock.
//
// A word says itself of which of these kinds it is:
//
//	1 mmmmmmmmmmmmmmm cccccccc     minutes and counter
//	0 11 ttttttttttttttt sss ccc   tick, scale and count
//	0 otherwise                    seconds
//
// So maxmemory-policy can change at any time, and a word is read by the rules under
// which it was noted until its entry is accessed again. Of a word of another kind only
// the idle time counts: under a clock it is what matters, the counter of LFU is that of a
// new entry less what has decayed since, and LHD takes the age in insertions since that
// moment and the count 0. Redis reads the old bits by the new rules, and evicts the
// entries in use first. Walking over all entries after a change, in slices, would need
// to know which words are converted when the policy changes again on the way; it
// costs what this does not. The price are clocks that begin anew sooner: of seconds after 72 days
// (Redis: 194), of minutes after 22 (45). An entry that nobody has used for so long, and that
// nothing has evicted, looks as if it had been used lately.
//
// # LHD
//
// LHD (Beckmann, Chen and Cidon, NSDI 2018) evicts the entry with the fewest
// hits to be expected per byte and time. It learns from hits and evictions how
// entries of some age and count fared, and ranks by size over that density. A
// new entry has the count 0, and what became of others like it is its
// probation. Insertions are the clock, so that a cache that turns over in a
// second and one that takes days look alike, a jump of the time moves nothing,
// and reads of keys in use, which are most of them, write nothing at all.
//
// Four things are added to the paper, each of which was worth half a point to two in the mean of
// real traces. The density of an age is that of the best time to go on to, and not of the time
// that entries went on until now (density.go), so that the Choice can be as strict as
// under other policies. A small cache learns sooner, and from every hit. The latest
// keys are candidates always, which is what admission is elsewhere, and keys that come back
// begin with a count of 1 (arrivals.go).
//
// Shares of hits, in the mean of caches of 1, 5, 10 and 25 % of the bytes (tests/bench/simulate),
// beside the best of exact LRU, ARC, S3-FIFO, SIEVE, W-TinyLFU and GDSF and of Redis' policies on each
// trace: over seven recorded traces that it was made with (disks, databases, a compiler, a
// version history, words, Twitter) 50.5 % and 51.3; over six that were looked at when all was
// done 69.4 and 69.2, on none of them more than 0.2 less. All that it lacks on the first is one
// trace of 6,000 requests in loops: 9.7 where W-TinyLFU has 15.3, since it has yet to learn when the
// trace is nearly over. Over 19 generated traces of 300,000 requests it has 50.7 %, without the
// four additions 47.8. It loses in loops of which the cache has a twentieth or less, and it
// prefers many small hits to few large: of bytes it serves less than ARC does.
//
// Over eight more traces, recorded on one machine with strace, valgrind's lackey and git's trace
// of packs (memory of sort and of a C compiler, pages of PostgreSQL and of SQLite, files of a Go
// build, words, objects and paths of a version history), it has 56.8 % and the best of each 58.4;
// over another eight, of other programs of these kinds, on which nothing was tried, 62.6 and 62.8.
// Of the others GDSF comes closest, with 56.1 and 59.9. On six of the 16 it is more than a point
// below the best: 4.6 on the files of a build (GDSF), 3.6 on the memory of SQLite and 1.3 on that
// of a compiler (W-TinyLFU), 2.9 on that of sort (S3-FIFO), 2.2 on pages of PostgreSQL (ARC) and
// 1.2 on those of SQLite (W-TinyLFU). The traces are short, 5,000 to 400,000 requests, and those
// of memory but one have no more than 83 to 570 objects, so that caches of them are tiny.
//
// Tried and rejected: intervals between accesses as classes, and sizes as
// classes (they thin out what is learnt); hyperbolic caching and GDSF over
// samples (3 to 4 points less); entries that are spared for exploration (no
// gain); counts up to 15; a count for each return of a key, and a class
// of its own for those that came back once; memory of keys for more than four times the
// entries, which takes loops for popularity; the initial ranks as what is taken for granted
// where little is known; the ages of victims or candidates as the measure of the
// tick, which the latest keys would shorten.
//
// Nor does it gain by more candidates, since the latest keys are among them: with 10 and 16 per
// victim it has 50.5 and 50.6 % over the generated traces, and with 16 what it has with 5 over the
// recorded ones. Counts that rise by chance from 3, 4 or 5 on change nothing (0.04 points). A
// tenth of the mean density where nothing is known (unknownShare), in place of a quarter, wins 0.2
// on the first eight recorded traces and loses 0.15 on the generated ones; 0.6 of it loses 0.8 on
// the former.
//
// # Redis' policies
//
// They keep Redis' words, and Choice makes up for its pool of candidates: at equal
// entries and 5 candidates per victim, Zipf 0.9, caches of 1, 5, 10 and 25 %, LRU
// has 33.3, 50.0, 58.6 and 71.4 % hits (Redis 32.9, 49.9, 58.5, 71.3), LFU 41.4, 55.0,
// 61.9 and 72.6 (Redis 42.1, 54.7, 61.7, 72.5). Small caches evict in bursts of less
// than 16, which is where LFU loses; and the better it keeps to its rule, the
// slower it lets go of a hot set that has moved on, whose new keys have a low counter while the old
// ones still have theirs. So a new key whose Arrivals say that it has been here lately begins with a
// counter of 6: half a point in the mean, and two where the hot set moves. Arrivals remember
// no more than some thousand keys for each shard, so that large caches of small values gain little
// by it. It begins when something has been evicted: without pressure, OBJECT FREQ is that of Redis.
//
// Of equal ranks, of which there are many in a clock of seconds and in small counters, the keys of a
// bucket that came last go first: 0.15 points over the other way round, under LRU
// and LFU alike. The older of two as the minutes of LFU tell is no better a victim.
//
// Tried and rejected, of LFU: more candidates for small bursts win 0.6 points there and lose 2
// where the hot set moves; as many victims in the mean as were asked for, where ranks are equal,
// are the other way round, as are victims by chance, a counter that is taken for one less by a draw
// (1 to 4 points), and taking one off the counters of some candidates that are spared; the latest
// keys as candidates, as under LHD, lose 20 points where the hot set moves; a counter of 7 for keys
// that come back loses 1 under Zipf.
//
// What is left of LFU's distance is at 5 %: 41.9 % where Redis has 42.1, over 19 generated traces
// of 300,000 requests; over all sizes it has 44.5 % and Redis 44.4. Over the 16 recorded traces
// above it has 54.7 % and Redis 55.0. It is one trade wherever it is made: whatever keeps more
// strictly to keys of the lowest counter wins under Zipf, and loses where the hot set moves. 9
// candidates win 0.5 and lose 3 (caches of 1, 5 and 10 %). At 5 %, groups that give at least 3/4
// of what is asked for, in place of half, win 3 where it moves, and lose 0.4 under Zipf and 1.5 in
// loops; to take those keys of a bucket first that came first wins 1.9 there, and loses 0.4 and 4.
// A counter of 6 for two in five of the keys that come back wins a point in loops and loses 0.14
// in the mean. Bursts of four times the bytes win 0.02, and Arrivals that remember four times the
// entries nothing.
package eviction

// WordBits is the width of an entry's word.
const WordBits = 24

const (
	lfuKind = 1 << 23 // set in words of LFU
	lhdKind = 3 << 21 // in words of LHD both bits are set, and lfuKind is not

	// clockPeriod is where the clock of seconds begins anew.
	clockPeriod = lhdKind

	// lfuInitial is the counter of a new entry: high enough not to be the
	// next victim before it had a chance.
	lfuInitial = 5
	lfuMax     = 255

	minutesMask = 1<<15 - 1

	// An access up to future seconds, or futureMinutes, after now counts as
	// one just now: a goroutine may rank with a moment that it took before
	// another one's access, and clocks are set back. Without it the keys in
	// use would look the oldest.
	future        = 1 << 18
	futureMinutes = 1 << 12

	// maxIdle is the longest idle time that a clock tells, in seconds.
	maxIdle = clockPeriod - 1 - future
)

// isLFU reports whether a word was noted under LFU.
func isLFU(word uint32) bool { return word&lfuKind != 0 }

// isLHD reports whether a word was noted under LHD.
func isLHD(word uint32) bool { return word >= lhdKind && word < lfuKind }

// clock is the word of seconds for a time in unix milliseconds, 0 <= nowMs.
func clock(nowMs int64) uint32 { return uint32(uint64(nowMs/1000) % clockPeriod) }

// sinceClock is the number of seconds since the access that a word of seconds
// records, up to maxIdle.
func sinceClock(word uint32, nowMs int64) int64 {
	idle := int64(clock(nowMs)) - int64(word)
	if idle < 0 {
		idle += clockPeriod
	}
	if idle > maxIdle {
		return 0
	}
	return idle
}

// Counter holds the parameters of the frequency counter.
type Counter struct {
	LogFactor int64 // lfu-log-factor: higher needs more accesses per step
	DecayTime int64 // lfu-decay-time: minutes per step down, 0 for never
}

// New is the word of a new entry.
func (Counter) New(nowMs int64) uint32 { return lfuWord(lfuInitial, nowMs) }

// Frequency is the counter of a word of LFU after the decay that is due.
func (c Counter) Frequency(word uint32, nowMs int64) uint32 {
	return c.decayed(word&lfuMax, int64(sinceMinutes(word, nowMs)))
}

// decayed is what some minutes leave of a counter.
func (c Counter) decayed(counter uint32, minutes int64) uint32 {
	if c.DecayTime <= 0 {
		return counter
	}
	return uint32(max(int64(counter)-minutes/c.DecayTime, 0))
}

// Touch is the word after an access of an entry whose counter has come down to counter.
// random is uniform in [0, 1).
func (c Counter) Touch(counter uint32, nowMs int64, random float64) uint32 {
	if counter < lfuMax {
		above := max(int64(counter)-lfuInitial, 0)
		if random < 1/float64(above*c.LogFactor+1) {
			counter++
		}
	}
	return lfuWord(counter, nowMs)
}

func lfuWord(counter uint32, nowMs int64) uint32 { return lfuKind | minutes(nowMs)<<8 | counter }

// sinceMinutes is the time since the access that a word of LFU records.
func sinceMinutes(word uint32, nowMs int64) uint32 {
	since := (minutes(nowMs) - word>>8) & minutesMask // lfuKind falls off, too
	if since > minutesMask-futureMinutes {
		return 0
	}
	return since
}

func minutes(nowMs int64) uint32 { return uint32(nowMs/60000) & minutesMask }
