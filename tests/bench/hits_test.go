//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// TestMixedSize: the size belongs to the key, the median is 224, both ends are cut off.
func TestMixedSize(t *testing.T) {
	const n = 100_001
	var all []int
	for i := range n {
		if size := mixedSize(i); size != mixedSize(i) {
			t.Fatalf("key %d has two sizes", i)
		} else {
			all = append(all, size)
		}
	}
	slices.Sort(all)
	if all[0] != 16 || all[n-1] != 4096 {
		t.Errorf("sizes from %d to %d, want 16 to 4096", all[0], all[n-1])
	}
	if middle := all[n/2]; middle < 215 || middle > 233 {
		t.Errorf("the median is %d, want about 224", middle)
	}
	if got, want := (sized{3, func(i int) int { return 100 * i }}).bytes(), int64(3*keySize+300); got != want {
		t.Errorf("bytes() = %d, want %d", got, want)
	}
}

func TestAnySize(t *testing.T) {
	below := 0
	for i := range 10_000 {
		size := anySize(i)
		if size < smallest || size > widest {
			t.Fatalf("key %d has a value of %d bytes", i, size)
		}
		if size < 724 { // the middle: 16 * 2^5.5
			below++
		}
	}
	if below < 4800 || below > 5200 {
		t.Errorf("%d of 10000 sizes are below the middle", below)
	}
}

func TestReadValue(t *testing.T) {
	for _, tc := range []struct {
		in    string
		found bool
		bad   bool
	}{
		{in: "$5\r\nhello\r\n", found: true},
		{in: "$-1\r\n"},
		{in: "$4\r\nhell\r\n", bad: true},
		{in: "-OOM command not allowed\r\n", bad: true},
		{in: "+OK\r\n", bad: true},
		{in: "$5\r\nhel", bad: true},
		{in: "", bad: true},
	} {
		r := bufio.NewReader(strings.NewReader(tc.in))
		found, err := readValue(r, 5)
		if (err != nil) != tc.bad || !tc.bad && (found != tc.found || r.Buffered() != 0) {
			t.Errorf("readValue(%q) = %v, %v with %d bytes left", tc.in, found, err, r.Buffered())
		}
	}
}

// mapServer is a server that never forgets: it answers GET and SET.
type mapServer struct {
	data    map[string][]byte
	replies bytes.Buffer
	refuse  bool
}

func (m *mapServer) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n, resp := redcon.ReadNextRESP(rest)
		if n == 0 {
			return 0, errors.New("half a request")
		}
		rest = rest[n:]
		var args []string
		resp.ForEach(func(arg redcon.RESP) bool {
			args = append(args, string(arg.Data))
			return true
		})
		value, ok := m.data[args[1]]
		switch {
		case args[0] == "SET" && m.refuse:
			m.replies.WriteString("-OOM no\r\n")
		case args[0] == "SET":
			m.data[args[1]] = []byte(args[2])
			m.replies.WriteString("+OK\r\n")
		case ok:
			m.replies.Write(redcon.AppendBulk(nil, value))
		default:
			m.replies.WriteString("$-1\r\n")
		}
	}
	return len(b), nil
}

func (m *mapServer) Read(b []byte) (int, error) { return m.replies.Read(b) }
func (m *mapServer) Close() error               { return nil }

// TestCacheUser: what is missing is stored with the next batch, and only that misses which was not
// stored before.
func TestCacheUser(t *testing.T) {
	m := &mapServer{data: map[string][]byte{}}
	keys := sized{100, mixedSize}
	u := &cacheUser{conn: m, r: bufio.NewReader(m), keys: keys,
		ranks: load.NewZipf(rand.New(rand.NewPCG(1, 1)), keys.n, zipfExponent)}
	stored := map[int]bool{}
	for range 40 {
		hits, err := u.batch()
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, i := range u.asked {
			if stored[i] {
				want++
			}
		}
		if hits != want || hits+len(u.missed) != hitPipeline {
			t.Fatalf("%d hits and %d misses, want %d hits of %d", hits, len(u.missed), want, hitPipeline)
		}
		for _, i := range u.missed {
			stored[i] = true
		}
	}
	if len(m.data) == 0 || len(u.missed) >= hitPipeline/2 {
		t.Errorf("%d keys are stored, and %d of the last batch were missing", len(m.data), len(u.missed))
	}
	m.refuse = true
	u.missed = []int{1}
	if _, err := u.batch(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a SET was refused, and the error is %v", err)
	}
}
