package commands

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// TestSortedSetsDoNotAllocate runs what a ranking does all day, on a small and on a large one,
// through the whole session.
func TestSortedSetsDoNotAllocate(t *testing.T) {
	t.Run("without a log", func(t *testing.T) { testSortedSets(t, newTestClient(t)) })
	t.Run("with a log", func(t *testing.T) { testSortedSets(t, newLogRig(t, "everysec").client()) })
}

func testSortedSets(t *testing.T, c *testClient) {
	for key, n := range map[string]int{"small": 100, "large": 20_000} {
		for i := range n {
			c.send(encode([]string{"ZADD", key, fmt.Sprint(i), fmt.Sprintf("mem:%012d", i)}))
		}
		out := make([]byte, 0, 1<<20)
		for _, line := range []string{
			"ZADD KEY 5.5 mem:000000000050\nZADD KEY 77 mem:000000000050",
			"ZADD KEY" + strings.Repeat(" 50 mem:000000000050", 20),
			"ZADD KEY GT CH 0 mem:000000000050",
			"ZINCRBY KEY 1 mem:000000000060",
			"ZINCRBY KEY 0.1 mem:000000000060",
			"ZSCORE KEY mem:000000000070",
			"ZMSCORE KEY mem:000000000070 nobody",
			"ZRANK KEY mem:000000000070",
			"ZREVRANK KEY mem:000000000070 WITHSCORE",
			"ZRANGE KEY 0 99",
			"ZRANGE KEY 5 95 REV",
			"ZRANGE KEY 10 +inf BYSCORE LIMIT 0 50 WITHSCORES",
			"ZREVRANGE KEY 0 99 WITHSCORES",
			"ZRANGEBYLEX KEY [a [z LIMIT 0 10",
			"ZCOUNT KEY 3 (70",
			"ZADD KEY -1 visitor\nZPOPMIN KEY",
			"ZADD KEY 1000000 visitor\nZPOPMAX KEY 1",
			"ZADD KEY -1 visitor\nZREM KEY visitor",
			"ZADD KEY -1 visitor\nZREMRANGEBYSCORE KEY -inf (0",
		} {
			var in []byte
			for request := range strings.Lines(strings.ReplaceAll(line, "KEY", key)) {
				in = append(in, encode(strings.Fields(request))...)
			}
			allocs := testing.AllocsPerRun(200, func() {
				taken, reply, next := c.data(in, out)
				if taken != len(in) || next != netloop.Wait || reply[0] == '-' {
					t.Fatalf("%s: took %d of %d bytes, then %d, %.50q", line, taken, len(in), next, reply)
				}
			})
			if allocs >= 1 && !raceEnabled {
				t.Errorf("%s, %s: %v allocations", key, line, allocs)
			}
		}
	}
}
