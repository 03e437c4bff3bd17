package load

import (
	"math/rand/v2"
	"time"
)

// source is what the holes of templates are filled from. It belongs to one connection.
type source struct {
	rnd      *rand.Rand
	draw     func() int
	size     func(key int) int
	noise    Noise
	ttls     TTL
	sequence int64
	scratch  []byte
}

func (s *source) value(key int) []byte { return s.noise.At(key, s.size(key)) }

func (s *source) ttl() time.Duration {
	return s.ttls.Least + time.Duration(s.rnd.Int64N(int64(s.ttls.Most-s.ttls.Least)+1))
}

// asked is a request in flight.
type asked struct {
	kind    int
	key     int
	counted bool
}

// stream is one client: its requests, at random from a mix, and what becomes of them.
type stream struct {
	source
	reply
	mix      *mix
	recorder *recorder
	flight   []asked // ring, of a power of two
	head     uint
	tail     uint
	counting bool  // what is sent now is measured; else it warms up
	missed   []int // keys to set, if misses are to be
	done     []measured
}

// mix is what all clients of a load share: kinds of requests.
type mix struct {
	kinds    []kind
	weights  []int // of the first kinds, each with those before it
	total    int   // of all weights
	onMiss   int   // the kind that sets a key that was missed; -1: none
	missFail bool  // a miss is an error
}

// kind is an operation, compiled.
type kind struct {
	name    string
	command string
	request *template
	reads   reading
	asks    bool // its misses are set
}

// measured is what became of a request.
type measured struct {
	kind         int
	took         time.Duration
	hits, misses int
	failure      string
}

// missText is the error that a miss is if there must be none.
const missText = "MISS of a key that should be there"

// batchMost is how many results a stream keeps before it gives them to its recorder.
const batchMost = 64

func (s *stream) Next(b []byte) []byte {
	a := asked{kind: s.mix.onMiss, counted: s.counting}
	if n := len(s.missed); n > 0 {
		a.key = s.missed[n-1]
		s.missed = s.missed[:n-1]
	} else {
		a.kind, a.key = s.mix.draw(s.rnd), s.draw()
	}
	s.push(a)
	return s.mix.kinds[a.kind].request.append(b, &s.source, a.key)
}

// draw chooses an operation.
func (m *mix) draw(rnd *rand.Rand) int {
	if len(m.weights) == 1 {
		return 0
	}
	n := rnd.IntN(m.total)
	for i, upTo := range m.weights {
		if n < upTo {
			return i
		}
	}
	panic("BUG: the last weight is not the total")
}

func (s *stream) push(a asked) {
	size := uint(len(s.flight))
	if s.tail-s.head == size {
		larger := make([]asked, max(firstRing, 2*size))
		for i := s.head; i != s.tail; i++ {
			larger[i&uint(len(larger)-1)] = s.flight[i&(size-1)]
		}
		s.flight, size = larger, uint(len(larger))
	}
	s.flight[s.tail&(size-1)] = a
	s.tail++
}

// Took notes what became of the oldest request in flight.
func (s *stream) Took(d time.Duration) {
	a := s.flight[s.head&uint(len(s.flight)-1)]
	s.head++
	k := &s.mix.kinds[a.kind]
	m := measured{kind: a.kind, took: d, failure: s.errorOut}
	if m.failure == "" {
		m.hits, m.misses = k.reads.judge(&s.reply)
		if m.misses > 0 && s.mix.missFail {
			m.failure = missText
		}
		if m.misses > 0 && k.asks && s.mix.onMiss >= 0 {
			s.missed = append(s.missed, a.key)
		}
	}
	if a.counted {
		s.done = append(s.done, m)
	}
	if len(s.done) == batchMost || s.head == s.tail {
		s.flush()
	}
}

// flush gives what was measured to the recorder.
func (s *stream) flush() {
	if len(s.done) > 0 {
		s.recorder.add(s.done)
		s.done = s.done[:0]
	}
}

// judge counts what a reply that is no error has found and what not.
func (r reading) judge(got *reply) (hits, misses int) {
	switch r {
	case readsEach:
		if got.mark == '*' && got.size > 0 {
			return got.size - got.nils, got.nils
		}
	case readsWhole:
		if got.empty() {
			return 0, 1
		}
		return 1, 0
	case readsNumber:
		if got.zero() {
			return 0, 1
		}
		return 1, 0
	}
	return 0, 0
}
