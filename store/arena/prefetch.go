//go:build amd64 || arm64

package arena

// prefetch asks the processor to load the cache line at p. It is a hint: it
// never waits and never faults.
//
//go:noescape
func prefetch(p *byte)

// prefetchRange is prefetch for the lines of n bytes, n > 0.
//
//go:noescape
func prefetchRange(p *byte, n int)
