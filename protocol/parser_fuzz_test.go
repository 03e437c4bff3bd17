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

// TestRandomStreams makes streams of valid requests with some noise, which the fuzzer needs long to
// come up with.
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

// TestWant: the hint is what the request lacks at least, exact in its last argument, and nothing is
// made of the client's word.
func TestWant(t *testing.T) {
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	for _, c := range []struct {
		in    string
		want  int
		exact bool
	}{
		{"*2", 0, false},
		{"*2\r\n", 12, false},
		{"*2\r\n$4\r", 9, false},
		{"*2\r\n$4\r\n", 12, false},
		{"*2\r\n$4\r\nECHO", 8, false},
		{"*2\r\n$4\r\nECHO\r\n", 6, false},
		{"*2\r\n$4\r\nECHO\r\n$10000", 1, false},
		{"*2\r\n$4\r\nECHO\r\n$536870912\r\n", 536870914, true},
		{"*2\r\n$4\r\nECHO\r\n$536870912\r\nxx", 536870912, true},
	} {
		var p Parser
		args, n, err := p.Next([]byte(c.in), lim)
		if args != nil || n != 0 || err != nil {
			t.Fatalf("%q: %q %d %v", c.in, args, n, err)
		}
		if got, exact := p.Want([]byte(c.in)); got != c.want || exact != c.exact {
			t.Errorf("%q: wants %d, %v, want %d, %v", c.in, got, exact, c.want, c.exact)
		}
	}
}

// TestWantIsLacking: whoever reads no more than is wanted reads no byte of the next request.
func TestWantIsLacking(t *testing.T) {
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	for _, words := range [][]string{{"PING"}, {"SET", "k", strings.Repeat("v", 1000), "EX", "10"}, {"", "", ""}, make([]string, 200)} {
		all := request(words...)
		var p Parser
		have := 1
		for {
			args, n, err := p.Next(all[:have], lim)
			if err != nil {
				t.Fatal(err)
			}
			if args != nil {
				if n != len(all) || have != len(all) {
					t.Errorf("%.20q: complete after %d bytes of %d, size %d", words, have, len(all), n)
				}
				break
			}
			want, exact := p.Want(all[:have])
			if want < 0 || have+want > len(all) || exact && have+want != len(all) {
				t.Fatalf("%.20q: with %d of %d bytes %d are wanted, %v", words, have, len(all), want, exact)
			}
			have += max(1, want)
		}
	}
}

// TestLong: the argument that is being received is found, with those before it, if it is long.
func TestLong(t *testing.T) {
	lim := &Limits{MaxBulk: DefaultMaxBulk, Authenticated: true}
	in := []byte("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\nvvv")
	for _, c := range []struct{ have, least, start, size int }{
		{len(in), 1000, len(in) - 3, 1000},
		{len(in), 1001, 0, 0},
		{len(in) - 3, 1, len(in) - 3, 1000},
		{len(in) - 4, 1, 0, 0},
		{3, 0, 0, 0},
	} {
		var p Parser
		if args, _, err := p.Next(in[:c.have], lim); args != nil || err != nil {
			t.Fatal(args, err)
		}
		before, start, size := p.Long(in[:c.have], c.least)
		if start != c.start || size != c.size {
			t.Errorf("%d bytes: starts at %d, %d long; want %d and %d", c.have, start, size, c.start, c.size)
		}
		if size > 0 && (len(before) != 2 || string(before[0]) != "SET" || string(before[1]) != "k") {
			t.Errorf("%d bytes: %q", c.have, before)
		}
	}
}

// TestMemory: what a parser holds follows the bytes received, not the numbers in them, and is let
// go of.
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
