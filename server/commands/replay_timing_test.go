package commands

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/persistence/aof"
)

// BenchmarkReplay runs the commands of a log of new keys, 64 at a time as the
// reader of logs hands them over.
func BenchmarkReplay(b *testing.B) {
	for _, words := range [][]string{
		{"SET", "", value64},
		{"HSET", "hash", "", value64},
	} {
		b.Run(words[0], func(b *testing.B) {
			c := newTestClient(b)
			replayer := c.kernel.NewReplayer()
			const n = 1 << 20
			args := make([][]byte, 0, n*len(words))
			commands := make([]aof.Command, n)
			for i := range commands {
				for _, w := range words {
					if w == "" {
						w = fmt.Sprintf("key:%012d", i)
					}
					args = append(args, []byte(w))
				}
				commands[i].Args = args[i*len(words) : (i+1)*len(words)]
			}
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				from := done % n
				batch := commands[from:min(from+64, n)]
				if err := replayer.Replay(batch); err != nil {
					b.Fatal(err)
				}
				done += len(batch)
			}
		})
	}
}
