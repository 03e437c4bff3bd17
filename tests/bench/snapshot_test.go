//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

func TestGrowthPercent(t *testing.T) {
	for _, tc := range []struct {
		base, peak, data int64
		want             float64
	}{{1000, 1000, 800, 0}, {1000, 1024, 800, 3}, {1000, 1768, 800, 96}} {
		if got := growthPercent(tc.base, tc.peak, tc.data); got != tc.want {
			t.Errorf("growthPercent(%d, %d, %d) = %v, want %v", tc.base, tc.peak, tc.data, got, tc.want)
		}
	}
}

// TestValuesCompressAsTheyShould: the noise not at all, half of it by half.
func TestValuesCompressAsTheyShould(t *testing.T) {
	for name, tc := range map[string]struct {
		next        request
		size        int
		least, most float64
	}{
		"noise": {fillNoise, 64, 1, 1.2},
		"half":  {fillHalfNoise, kilobyte, 0.5, 0.6},
	} {
		for _, i := range []int{0, 1, 17_000, 2_999_999, 9_999_999} {
			b := tc.next(nil, i)
			_, resp := redcon.ReadNextRESP(b)
			var args [][]byte
			resp.ForEach(func(arg redcon.RESP) bool {
				args = append(args, arg.Data)
				return true
			})
			if len(args) != 3 || len(args[1]) != keySize || len(args[2]) != tc.size {
				t.Fatalf("%s: %q", name, b)
			}
			var packed bytes.Buffer
			w, err := flate.NewWriter(&packed, flate.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(args[2]); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if share := float64(packed.Len()) / float64(tc.size); share < tc.least || share > tc.most {
				t.Errorf("%s %d: compressed to %v of its size", name, i, share)
			}
		}
	}
}

func TestParseRate(t *testing.T) {
	const out = `"test","rps","avg_latency_ms","min_latency_ms"
"SET","84745.77","0.301","0.120"
`
	if got, err := parseRate(out); err != nil || got != 84745.77 {
		t.Errorf("parseRate = %v, %v", got, err)
	}
	for _, bad := range []string{"", "\"test\",\"avg\"\n\"SET\",\"1\"\n", "\"test\",\"rps\"\n", "WARNING: \"x\ny"} {
		if got, err := parseRate(bad); err == nil {
			t.Errorf("parseRate(%q) = %v", bad, got)
		}
	}
}

// TestLogCommands reads the log back and replays it in the simplest way.
func TestLogCommands(t *testing.T) {
	const n = 20_000
	var log bytes.Buffer
	keys, err := writeCommands(&log, n)
	if err != nil {
		t.Fatal(err)
	}
	var commands int
	there := map[string]bool{}
	for rest := log.Bytes(); len(rest) > 0; commands++ {
		used, resp := redcon.ReadNextRESP(rest)
		if used == 0 {
			t.Fatalf("no command: %.60q", rest)
		}
		rest = rest[used:]
		var args []string
		resp.ForEach(func(arg redcon.RESP) bool {
			args = append(args, string(arg.Data))
			return true
		})
		if len(args) != resp.Count || commands == 0 && args[0] != "SELECT" {
			t.Fatalf("command %d: %q", commands, args)
		}
		if commands > 0 {
			there[args[1]] = args[0] != "DEL"
		}
	}
	var left int64
	for _, yes := range there {
		if yes {
			left++
		}
	}
	if commands != n+1 || left != keys {
		t.Errorf("%d commands that leave %d keys; want %d and %d", commands, left, n+1, keys)
	}
}

// conn is a server that answers each batch with a fixed text.
type conn struct {
	io.Writer
	io.Reader
}

func TestPipedLoadCountsAndChecks(t *testing.T) {
	ok := strings.Repeat("+OK\r\n", loadPipeline)
	for _, tc := range []struct {
		replies string
		want    int64
	}{{ok + ok, 2 * loadPipeline}, {ok + strings.Repeat("-ERR\r", loadPipeline), loadPipeline}} {
		var l pipedLoad
		var sent bytes.Buffer
		var answered atomic.Int64
		err := l.send(conn{&sent, strings.NewReader(tc.replies)}, pipedSets(1, fillStrings), rand.New(rand.NewPCG(1, 1)), &answered)
		if err == nil || answered.Load() != tc.want {
			t.Errorf("%.20q...: %d answered, %v; want %d and an error", tc.replies, answered.Load(), err, tc.want)
		}
	}
}

// TestChildMemory looks at a child of this process.
func TestChildMemory(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill() // it is there until Wait
		_ = child.Wait()         // it was killed
	}()
	s := &server{pid: os.Getpid()}
	for deadline := time.Now().Add(time.Minute); ; {
		n, err := s.childMemory()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the child has no memory of its own")
		}
	}
}

func TestPairsOf(t *testing.T) {
	b := &bench{pairs: 5}
	for most, want := range map[int]int{0: 5, 3: 3, 9: 5} {
		if got := b.pairsOf(figure{most: most}); got != want {
			t.Errorf("at most %d of 5: %d, want %d", most, got, want)
		}
	}
}
