//go:build linux

package main

import (
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/tidwall/redcon"
)

func TestAppendNamed(t *testing.T) {
	for i, want := range map[int]string{
		0:               "$16\r\nkey:000000000000\r\n",
		7:               "$16\r\nkey:000000000007\r\n",
		123_456:         "$16\r\nkey:000000123456\r\n",
		999_999_999_999: "$16\r\nkey:999999999999\r\n",
	} {
		if got := string(appendNamed(nil, "key:", i)); got != want {
			t.Errorf("appendNamed(%d) = %q, want %q", i, got, want)
		}
	}
}

// TestRequestsAreRESP parses what the fillers write by hand.
func TestRequestsAreRESP(t *testing.T) {
	for name, tc := range map[string]struct {
		next request
		args int
	}{
		"strings":  {fillStrings, 3},
		"expiring": {fillExpiring, 5},
		"at":       {fillExpiringAt(time.UnixMilli(1_800_000_000_000)), 5},
		"hashes":   {fillHashes, 22},
		"sets":     {fillSets, 12},
		"users":    {fillSmallHashes, 12},
		"tags":     {fillSmallSets, 7},
		"big set":  {func(b []byte, i int) []byte { return bigSet.append(b, i, 10) }, 12},
		"big hash": {func(b []byte, i int) []byte { return bigHash.append(b, i, 10) }, 22},
		"big zset": {func(b []byte, i int) []byte { return bigZset.append(b, i, 10) }, 22},
		"big list": {func(b []byte, i int) []byte { return bigList.append(b, i, 10) }, 12},
		"lists":    {fillSmallLists, 7},
		"zsets":    {fillSmallZsets, 12},
	} {
		for _, i := range []int{0, 1, 99_999, 2_999_999} {
			b := tc.next(nil, i)
			n, resp := redcon.ReadNextRESP(b)
			if n != len(b) || resp.Count != tc.args {
				t.Errorf("%s %d: %d of %d bytes, %d arguments, want %d: %q", name, i, n, len(b), resp.Count, tc.args, b)
			}
		}
	}
}

func TestCountReplies(t *testing.T) {
	for _, tc := range []struct {
		in  string
		n   int
		err string
	}{
		{in: "+OK\r\n:1\r\n+OK\r\n", n: 3},
		{in: "", n: 0},
		{in: "+OK\r\n", n: 2, err: "1 replies missing"},
		{in: "+OK\r\n-ERR no\r\n", n: 2, err: "ERR no"},
		{in: "+a-b\r\n+-\r\n", n: 2},
	} {
		err := countReplies(strings.NewReader(tc.in), tc.n)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("countReplies(%q, %d) = %v, want %q", tc.in, tc.n, err, tc.err)
		}
		if tc.err != "" {
			continue
		}
		if err := countReplies(iotest.OneByteReader(strings.NewReader(tc.in)), tc.n); err != nil {
			t.Errorf("countReplies(%q, %d) byte by byte = %v", tc.in, tc.n, err)
		}
	}
}

func TestScatterIsAPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 50_000, 1_000_000} {
		seen := make([]bool, n)
		for i := range n {
			at := scatter(i, n)
			if at < 0 || at >= n || seen[at] {
				t.Fatalf("n=%d: %d comes twice or is out of range", n, at)
			}
			seen[at] = true
		}
	}
}

// TestOpenConnCountsFromTheDueTime feeds replies in pieces.
func TestOpenConnCountsFromTheDueTime(t *testing.T) {
	hist := hdrhistogram.New(1, int64(longestSeen/latencyUnit), 3)
	c := &openConn{flow: &flow{reply: 5, mark: '+', hist: hist}}
	for i, due := range []time.Duration{10, 20, 30} {
		c.due[i] = due * time.Microsecond
		c.tail++
	}
	for _, step := range []struct {
		in  string
		now time.Duration
	}{{"+OK", 11}, {"\r\n+OK\r\n+", 60}, {"OK\r\n", 130}} {
		if err := c.took([]byte(step.in), step.now*time.Microsecond); err != nil {
			t.Fatal(err)
		}
	}
	if n := hist.TotalCount(); n != 3 || c.head != c.tail {
		t.Errorf("%d replies counted, %d still awaited; want 3 and 0", n, c.tail-c.head)
	}
	if low, high := hist.Min(), hist.Max(); low/1000 != 40 || high/1000 != 100 {
		t.Errorf("latencies from %d to %d ns, want 40 to 100 us", low, high)
	}
	if err := c.took([]byte("+OK\r\n"), 0); err == nil {
		t.Error("a reply without a request was accepted")
	}
	c.tail++
	if err := c.took([]byte("-ERR\r\n"), 0); err == nil {
		t.Error("an error reply was accepted")
	}
}
