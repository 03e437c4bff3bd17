package commands

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// hot is a batch of n requests that all hit.
func hot(n int, words ...string) []byte {
	var b bytes.Buffer
	for i := range n {
		request := append([]string(nil), words...)
		request[1] = fmt.Sprintf("key:%012d", i)
		b.Write(encode(request))
	}
	return b.Bytes()
}

var value64 = string(bytes.Repeat([]byte("v"), 64))

// TestHotPathDoesNotAllocate runs what a cache does all day through the whole
// session: parse, look up, lock, execute, reply, count.
func TestHotPathDoesNotAllocate(t *testing.T) {
	c := newTestClient(t)
	c.send(hot(16, "SET", "", value64))
	c.send(hot(16, "HSET", "", "f", "v")) // WRONGTYPE: allocates its error, not measured
	for _, words := range [][]string{
		{"GET", ""}, {"SET", "", value64}, {"EXISTS", ""}, {"TTL", ""}, {"STRLEN", ""}, {"EXPIRE", "", "1000"}, {"PING", "x"},
	} {
		for _, depth := range []int{1, 16} {
			in := hot(depth, words...)
			out := make([]byte, 0, 1<<20)
			n := testing.AllocsPerRun(200, func() {
				taken, _, next := c.session.Data(in, out)
				if taken != len(in) || next != netloop.Wait {
					t.Fatalf("%s: took %d of %d bytes, then %d", words[0], taken, len(in), next)
				}
			})
			if n >= 1 && !raceEnabled {
				t.Errorf("%s, %d in a batch: %v allocations", words[0], depth, n)
			}
		}
	}
}

func BenchmarkSession(b *testing.B) {
	for _, words := range [][]string{{"GET", ""}, {"SET", "", value64}} {
		for _, depth := range []int{1, 16, 100} {
			b.Run(fmt.Sprintf("%s/P=%d", words[0], depth), func(b *testing.B) {
				c := newTestClient(b)
				c.send(hot(depth, "SET", "", value64))
				in := hot(depth, words...)
				out := make([]byte, 0, 1<<20)
				b.ReportAllocs()
				for b.Loop() {
					c.session.Data(in, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/command")
			})
		}
	}
}
