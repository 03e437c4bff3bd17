package store

// defaultSamples is maxmemory-samples until it is set.
const defaultSamples = 5

// Evictor chooses keys whose memory others need more, and removes them. It is one
// goroutine's tool at a time; a store may have many.
type Evictor struct{ s *Store }

// NewEvictor makes an Evictor.
func (s *Store) NewEvictor() *Evictor { return &Evictor{s: s} }

// SetSamples sets how many keys are compared for each that is evicted, at least
// 1: maxmemory-samples.
func (s *Store) SetSamples(n int) { s.samples.Store(int64(n)) }

// weight is what a record takes, in bytes.
func (sh *shard) weight(r *record) int64 {
	if r.encoding() == encTable {
		v := r.value()
		return int64(r.size()) + int64(sh.nestedTable(sh.ar.Mem()[v:v+handleSize]).n)
	}
	return int64(r.size())
}
