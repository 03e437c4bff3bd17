package commands

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkPrefixes is pipelines of sixteen commands on random ones of 100,000 keys, with statistics by
// prefix and without, for keys of a few prefixes and of a thousand. "new" is SETs of keys that are not
// there, and DELs of them.
func BenchmarkPrefixes(b *testing.B) {
	const depth, keys, made = 16, 100_000, 2000
	for _, kind := range []string{"GET", "miss", "SET", "SET EX", "new"} {
		for _, prefixes := range []int{1, 1000, 5000} {
			for _, on := range []string{"no", "yes"} {
				b.Run(fmt.Sprintf("%s/%d/%s", kind, prefixes, on), func(b *testing.B) {
					c := newTestClient(b)
					c.do("CONFIG", "SET", "prefix-stats", on)
					name := func(i int) string { return fmt.Sprintf("user%d:%07d", i%prefixes, i) }
					for i := range keys {
						c.do("SET", name(i), value64)
					}
					batches := make([][]byte, made)
					for i := range batches {
						for j := range depth {
							batches[i] = append(batches[i], prefixRequest(kind, name, keys, i*depth+j)...)
						}
					}
					out := make([]byte, 0, 1<<20)
					i := 0
					for b.Loop() {
						c.data(batches[i%len(batches)], out)
						i++
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/command")
				})
			}
		}
	}
}

// prefixRequest is a request of BenchmarkPrefixes with a random one of so many keys, or of the n-th new
// key.
func prefixRequest(kind string, name func(i int) string, keys, n int) []byte {
	key := name(rand.IntN(keys))
	switch kind {
	case "GET":
		return encode([]string{"GET", key})
	case "miss":
		return encode([]string{"GET", name(keys + rand.IntN(keys))})
	case "SET":
		return encode([]string{"SET", key, value64})
	case "SET EX":
		return encode([]string{"SET", key, value64, "EX", "1000"})
	}
	if n%2 == 0 {
		return encode([]string{"SET", name(keys + n/2), value64})
	}
	return encode([]string{"DEL", name(keys + n/2)})
}
