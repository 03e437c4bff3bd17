//go:build !(amd64 || arm64)

package arena

// prefetch does nothing on processors for which it has not been written.
func prefetch(*byte) {}

func prefetchRange(*byte, int) {}
