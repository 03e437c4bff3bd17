package lua

import (
	"math"
	"sync/atomic"
)

// Random is the source of math.random. It is Redis' own (rand.c, after drand48), so that a script
// that sets the seed gets the numbers that it gets from Redis, on any machine. Like there, it is
// one for all scripts: a seed, or a draw, of one changes what the next one gets.
type Random struct {
	x atomic.Uint64 // 48 bits
}

// NewRandom is a source in the state in which Redis starts.
func NewRandom() *Random {
	r := new(Random)
	r.x.Store(0x1234ABCD330E)
	return r
}

// draw is the next number from 0 to 2^31-1.
func (r *Random) draw() uint32 {
	for {
		old := r.x.Load()
		x := (old*0x5DEECE66D + 0xB) & (1<<48 - 1)
		if r.x.CompareAndSwap(old, x) {
			return uint32(x >> 17)
		}
	}
}

// next is math.random.
func (r *Random) next(t *Thread) (int, error) {
	x := float64(r.draw()%math.MaxInt32) / math.MaxInt32 // 0 <= x < 1
	switch t.Count() {
	case 0:
		return t.Return(Number(x))
	case 1:
		high, err := t.checkInt32(1)
		if err != nil {
			return 0, err
		}
		if high < 1 {
			return 0, t.ArgError(1, "interval is empty")
		}
		return t.Return(Number(math.Floor(x*float64(high)) + 1))
	case 2:
		low, err := t.checkInt32(1)
		if err != nil {
			return 0, err
		}
		high, err := t.checkInt32(2)
		if err != nil {
			return 0, err
		}
		if low > high {
			return 0, t.ArgError(2, "interval is empty")
		}
		size := int32(high - low + 1) // of a large interval it overflows, as in C
		return t.Return(Number(math.Floor(x*float64(size)) + float64(low)))
	}
	return 0, t.Errorf("wrong number of arguments")
}

// seed is math.randomseed.
func (r *Random) seed(t *Thread) (int, error) {
	seed, err := t.checkInt32(1)
	if err != nil {
		return 0, err
	}
	r.x.Store(uint64(uint32(seed))<<16 | 0x330E)
	return 0, nil
}
