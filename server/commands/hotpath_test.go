package commands

import (
	"bytes"
	"fmt"
	"io/fs"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
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
// session: parse, look up, lock, execute, append to the log, reply, count.
func TestHotPathDoesNotAllocate(t *testing.T) {
	t.Run("without a log", func(t *testing.T) { testHotPath(t, newTestClient(t)) })
	t.Run("with a log", func(t *testing.T) { testHotPath(t, newLogRig(t, "everysec").client()) })
}

func testHotPath(t *testing.T, c *testClient) {
	c.send(hot(16, "SET", "", value64))
	c.send(hot(16, "HSET", "", "f", "v")) // WRONGTYPE: allocates its error, not measured
	for _, words := range [][]string{
		{"GET", ""}, {"SET", "", value64}, {"EXISTS", ""}, {"TTL", ""}, {"STRLEN", ""}, {"EXPIRE", "", "1000"}, {"PING", "x"},
		{"SET", "", value64, "EX", "100"}, {"APPEND", "", ""},
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
	benchmarkSession(b, func(b *testing.B) (*testClient, func()) {
		return newTestClient(b), func() {}
	})
}

// BenchmarkSessionWithLog includes the commit of each batch, to a null device.
func BenchmarkSessionWithLog(b *testing.B) {
	benchmarkSession(b, func(b *testing.B) (*testClient, func()) {
		r := newLogRigOn(b, nowhere{vfs.NewMem()}, "everysec")
		return r.client(), func() {
			if err := r.manager.Log().Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// nowhere is a file system whose files forget what is written.
type nowhere struct{ vfs.FS }

func (n nowhere) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := n.FS.OpenFile(name, flag, perm)
	return forgetful{f}, err
}

type forgetful struct{ vfs.File }

func (f forgetful) Write(p []byte) (int, error) { return len(p), nil }

func benchmarkSession(b *testing.B, open func(b *testing.B) (c *testClient, commit func())) {
	for _, words := range [][]string{{"GET", ""}, {"SET", "", value64}} {
		for _, depth := range []int{1, 16, 100} {
			b.Run(fmt.Sprintf("%s/P=%d", words[0], depth), func(b *testing.B) {
				c, commit := open(b)
				c.send(hot(depth, "SET", "", value64))
				in := hot(depth, words...)
				out := make([]byte, 0, 1<<20)
				b.ReportAllocs()
				for b.Loop() {
					c.session.Data(in, out)
					commit()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*depth), "ns/command")
			})
		}
	}
}
