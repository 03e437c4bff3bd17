package netloop

import "math/bits"

// Buffers of 256 bytes to 64 KiB are kept for reuse, each size up to a quarter of a megabyte.
const (
	minClass    = 8
	maxClass    = 16
	keptPerSize = 256 << 10
)

// buffers is one loop's store of unused buffers: leftovers of a read come and go with nearly every
// turn of a connection that pipelines, and must cost the collector nothing. Not safe for concurrent
// use.
type buffers struct {
	free [maxClass - minClass + 1][][]byte
}

// get returns an empty buffer with room for n bytes; n > 0.
func (p *buffers) get(n int) []byte {
	class := max(minClass, bits.Len(uint(n-1)))
	if class > maxClass {
		return make([]byte, 0, n)
	}
	list := &p.free[class-minClass]
	last := len(*list) - 1
	if last < 0 {
		return make([]byte, 0, 1<<class)
	}
	b := (*list)[last]
	(*list)[last] = nil
	*list = (*list)[:last]
	return b[:0]
}

// put takes a buffer that nobody uses any longer; one of another size than get's is left to the
// collector.
func (p *buffers) put(b []byte) {
	n := cap(b)
	if n < 1<<minClass || n > 1<<maxClass || n&(n-1) != 0 {
		return
	}
	list := &p.free[bits.Len(uint(n))-1-minClass]
	if len(*list) < keptPerSize/n {
		*list = append(*list, b)
	}
}
