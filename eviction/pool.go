package eviction

// Pool keeps the best candidates of those it was offered. It belongs to one
// goroutine and allocates nothing after NewPool.
//
// Ranks stand in rising order, so that most offers to a full pool end at a
// look at the first one. With the few places that a burst needs, shifting is
// cheaper than a heap.
type Pool[T any] struct {
	places     int
	ranks      []uint64
	candidates []T
}

// NewPool returns a pool of n places, 0 < n.
func NewPool[T any](n int) *Pool[T] {
	return &Pool[T]{places: n, ranks: make([]uint64, 0, n), candidates: make([]T, 0, n)}
}

// Offer adds a candidate. A full pool drops the lowest rank for it, or the
// offer itself when it is no better; of equals the first offer stays.
func (p *Pool[T]) Offer(rank uint64, c T) {
	n := len(p.ranks)
	if n == p.places {
		if rank <= p.ranks[0] {
			return
		}
		i := 1
		for ; i < n && p.ranks[i] < rank; i++ {
			p.ranks[i-1], p.candidates[i-1] = p.ranks[i], p.candidates[i]
		}
		p.ranks[i-1], p.candidates[i-1] = rank, c
		return
	}
	p.ranks, p.candidates = p.ranks[:n+1], p.candidates[:n+1]
	i := n
	for ; i > 0 && p.ranks[i-1] >= rank; i-- {
		p.ranks[i], p.candidates[i] = p.ranks[i-1], p.candidates[i-1]
	}
	p.ranks[i], p.candidates[i] = rank, c
}

// Admits reports whether Offer would add a candidate of this rank.
func (p *Pool[T]) Admits(rank uint64) bool {
	return len(p.ranks) < p.places || rank > p.ranks[0]
}

// Take removes the candidate of the highest rank; ok is false without one.
func (p *Pool[T]) Take() (c T, ok bool) {
	n := len(p.ranks) - 1
	if n < 0 {
		return c, false
	}
	c = p.candidates[n]
	p.ranks, p.candidates = p.ranks[:n], p.candidates[:n]
	return c, true
}

// Len is the number of candidates.
func (p *Pool[T]) Len() int { return len(p.ranks) }

// Limit drops all candidates and leaves the pool n places, no more than NewPool
// made.
func (p *Pool[T]) Limit(n int) {
	p.Reset()
	p.places = n
}

// Reset drops all candidates.
func (p *Pool[T]) Reset() { p.ranks, p.candidates = p.ranks[:0], p.candidates[:0] }
