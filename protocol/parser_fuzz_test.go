package protocol

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// FuzzSplits: the same requests and the same error come out however the bytes are cut.
func FuzzSplits(f *testing.F) {
	for _, s := range []string{
		"PING\r\n*1\r\n$4\r\nPING\r\n", "*2\r\n$4\r\nECHO\r\n$10\r\n0123456789\r\n", "*0\r\n*-1\r\n\r\nPING\n",
		"ECHO \"a\\x41\\n\" 'b\\'c' d\r\n", "ECHO \"a\r\n", "*1\r\n$-2\r\n", "*3\r\n$1\r\na\r\n:", "*1\x00\r\n", "a\x00\r\n",
		"*9223372036854775807\r\n", "*1\r\n$9223372036854775807\r\n", "*11\r\n$1\r\n", "*1\r\n$16385\r\n",
	} {
		f.Add([]byte(s), uint64(1), true)
		f.Add([]byte(s), uint64(2), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, cuts uint64, authenticated bool) {
		lim := Limits{MaxBulk: 1 << 20, Authenticated: authenticated}
		want := feed(data, lim, nil).String()
		if got := feed(data, lim, randomCuts(rand.New(rand.NewPCG(cuts, 0)), len(data))).String(); got != want {
			t.Errorf("cut:   %s\nwhole: %s", got, want)
		}
		if len(data) > 4096 {
			return
		}
		if got := feed(data, lim, every(len(data))).String(); got != want {
			t.Errorf("bytes: %s\nwhole: %s", got, want)
		}
	})
}

// randomCuts returns ascending offsets within n bytes.
func randomCuts(r *rand.Rand, n int) (ends []int) {
	for at := 0; ; {
		at += 1 + r.IntN(1+r.IntN(64))
		if at >= n {
			return ends
		}
		ends = append(ends, at)
	}
}

// TestRandomStreams makes streams of valid requests with some noise, which the fuzzer needs long to come up with.
func TestRandomStreams(t *testing.T) {
	r := randtest.New(t)
	for range 100 {
		var data []byte
		var want [][]string
		for range r.IntN(20) {
			args := make([]string, 1+r.IntN(40))
			for i := range args {
				args[i] = strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(1+r.IntN(300)))
			}
			want = append(want, args)
			data = append(data, request(args...)...)
			if r.IntN(4) == 0 {
				data = append(data, "*0\r\n\r\n"...)
			}
		}
		lim := Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
		if got := feed(data, lim, randomCuts(r, len(data))); got.String() != (outcome{requests: want}).String() {
			t.Fatalf("got  %s\nwant %q", got, want)
		}
		if len(data) == 0 {
			continue
		}
		data[r.IntN(len(data))] ^= byte(1 << r.IntN(8))
		whole := feed(data, lim, nil).String()
		if got := feed(data, lim, randomCuts(r, len(data))).String(); got != whole {
			t.Fatalf("cut:   %s\nwhole: %s", got, whole)
		}
	}
}

// TestWant: the hint is what the bulk being read lacks, and nothing is made of the client's word.
func TestWant(t *testing.T) {
	var p Parser
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	for _, c := range []struct {
		in   string
		want int
	}{
		{"*2", 0},
		{"*2\r\n", 0},
		{"*2\r\n$4\r", 0},
		{"*2\r\n$4\r\n", 6},
		{"*2\r\n$4\r\nECHO", 2},
		{"*2\r\n$4\r\nECHO\r\n", 0},
		{"*2\r\n$4\r\nECHO\r\n$536870912\r\n", 536870914},
		{"*2\r\n$4\r\nECHO\r\n$536870912\r\nxx", 536870912},
	} {
		args, n, err := p.Next([]byte(c.in), lim)
		if args != nil || n != 0 || err != nil {
			t.Fatalf("%q: %q %d %v", c.in, args, n, err)
		}
		if got := p.Want([]byte(c.in)); got != c.want {
			t.Errorf("%q: wants %d, want %d", c.in, got, c.want)
		}
	}
}

// TestMemory: what a parser holds follows the bytes received, not the numbers in them, and is let go of.
func TestMemory(t *testing.T) {
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	for _, s := range []string{"*2147483647\r\n", "*1000000000\r\n$1\r\na\r\n", "*1\r\n$536870912\r\nabc"} {
		allocs := testing.AllocsPerRun(10, func() {
			var p Parser
			if args, _, err := p.Next([]byte(s), lim); args != nil || err != nil {
				t.Fatal(args, err)
			}
		})
		if allocs > 3 {
			t.Errorf("%q: %v allocations", s, allocs)
		}
	}
	var p Parser
	many := request(make([]string, 10000)...)
	for _, cut := range []int{len(many), len(many) / 2} {
		if args, _, err := p.Next(many[:cut], lim); err != nil || cut < len(many) && args != nil {
			t.Fatal(len(args), err)
		}
		if args, n, err := p.Next(many, lim); len(args) != 10000 || n != len(many) || err != nil {
			t.Fatal(len(args), n, err)
		}
		if _, _, err := p.Next(nil, lim); err != nil || cap(p.args) > keepArgs || cap(p.spans) > firstSpans {
			t.Errorf("an idle parser keeps %d arguments and %d spans (%v)", cap(p.args), cap(p.spans), err)
		}
	}
	small := request("SET", "k", "v")
	if _, _, err := p.Next(small, lim); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Next(small[len(small):], lim); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.args[:cap(p.args)] {
		if a != nil {
			t.Errorf("an idle parser still points at %q", a)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var p Parser
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	data := append(request("SET", "key", "value"), "GET key\r\n"...)
	cut := bytes.IndexByte(data, 'v')
	parse := func() {
		for _, b := range [][]byte{data[:cut], data} {
			for n, size := 0, 0; ; n += size {
				args, s, err := p.Next(b[n:], lim)
				if err != nil {
					t.Fatal(err)
				}
				if size = s; args == nil {
					break
				}
			}
		}
	}
	parse()
	if n := testing.AllocsPerRun(100, parse); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
