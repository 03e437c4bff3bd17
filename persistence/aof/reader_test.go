package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/tests/randtest"
)

// replayed is what a reading gave.
type replayed struct {
	commands []string
	offsets  []int64
	res      ReadResult
	err      error
}

// readAll reads text, which stands behind offset bytes of something else.
func readAll(r io.Reader, size int64, offset int64) replayed {
	var got replayed
	got.res, got.err = ReadCommands(r, size, ReadOptions{File: "f.aof", Offset: offset}, func(batch []Command) error {
		for _, c := range batch {
			got.commands = append(got.commands, string(bytes.Join(c.Args, []byte(" "))))
			got.offsets = append(got.offsets, c.Offset)
		}
		return nil
	})
	return got
}

func readText(text string) replayed {
	return readAll(strings.NewReader(text), int64(len(text)), 0)
}

func command(args ...string) string {
	var b [][]byte
	for _, a := range args {
		b = append(b, []byte(a))
	}
	return string(journal.AppendCommand(nil, b...))
}

func TestReadCommands(t *testing.T) {
	text := "#TS:1\r\n" + command("SELECT", "0") + command("set", "", "x\r\ny") + command("MULTI") + command("a") + "#TS:2\r\n" +
		command("b", "c") + command("exec") + command("d")
	got := readAll(strings.NewReader(text), int64(len(text)), 1000)
	must(t, got.err)
	if s := strings.Join(got.commands, "|"); s != "SELECT 0|set  x\r\ny|a|b c|d" {
		t.Fatalf("%q", s)
	}
	if got.offsets[0] != 1007 || got.offsets[4] != 1000+int64(len(text)-len(command("d"))) {
		t.Fatalf("offsets %v", got.offsets)
	}
	want := ReadResult{Valid: 1000 + int64(len(text)), Commands: 7, Lines: 1 + 5 + 7 + 3 + 3 + 5 + 3 + 3}
	if got.res != want {
		t.Fatalf("%+v, want %+v", got.res, want)
	}
	got = readText("")
	if got.err != nil || got.res.Truncated || got.res.Valid != 0 {
		t.Fatalf("%+v", got)
	}
}

// TestTruncatedAnywhere: every beginning of a log is a shorter log with a torn end, and what
// follows a whole command is not handed over; however few bytes a read brings.
func TestTruncatedAnywhere(t *testing.T) {
	pieces := []string{"#TS:123\r\n", command("SELECT", "12"), command("SET", "key", strings.Repeat("v", 100)),
		command("MULTI") + command("a", "1") + command("b", "2") + command("EXEC"), command("c")}
	whole := []int{0, 1, 2, 4, 5} // commands after each piece
	text := strings.Join(pieces, "")
	for _, slow := range []bool{false, true} {
		for n := 0; n <= len(text); n++ {
			var r io.Reader = strings.NewReader(text[:n])
			if slow {
				r = iotest.OneByteReader(r)
			}
			got := readAll(r, int64(n), 0)
			must(t, got.err)
			valid, commands := 0, 0
			for i, end := 0, 0; i < len(pieces); i++ {
				if end += len(pieces[i]); end <= n {
					valid, commands = end, whole[i]
				}
			}
			if got.res.Valid != int64(valid) || len(got.commands) != commands || got.res.Truncated != (n != valid) {
				t.Fatalf("cut at %d: valid %d, %d commands, truncated %v; want %d, %d", n, got.res.Valid, len(got.commands), got.res.Truncated, valid, commands)
			}
			if got.res.Truncated == (got.res.Reason == "") {
				t.Fatalf("cut at %d: the reason is %q", n, got.res.Reason)
			}
		}
	}
}

// TestFileShrinks: the size was right when it was asked for.
func TestFileShrinks(t *testing.T) {
	text := command("SET", "a", "b")
	got := readAll(strings.NewReader(text[:len(text)-3]), int64(len(text)), 0)
	if got.err != nil || !got.res.Truncated || got.res.Valid != 0 {
		t.Fatalf("%+v", got)
	}
	bad := errors.New("bad disk")
	got = readAll(iotest.ErrReader(bad), 100, 0)
	if !errors.Is(got.err, bad) || got.res.Truncated {
		t.Fatalf("%+v", got)
	}
}

func TestCorrupt(t *testing.T) {
	good := command("SET", "a", "b")
	for text, offset := range map[string]int{
		"x":                                   0,
		"\r\n" + good:                         0,
		"*0\r\n" + good:                       0,
		"*-1\r\n" + good:                      1,
		"*x\r\n":                              1,
		"*1 \r\n":                             2,
		"*1\n$1\r\na\r\n":                     2,
		"*1\rx":                               3,
		"*1\r\n:1\r\n":                        4,
		"*1\r\n$-1\r\n":                       5,
		"*1\r\n$1\r\nab\r\n":                  9,
		"*1\r\n$1\r\na\rx":                    10,
		"*1\r\n$1\r\na\nx*1\r\n$1\r\na\r\n":   9,
		"*9999999999999999999999\r\n":         0,
		"#\x00" + strings.Repeat("x", 20):     1,
		"#" + strings.Repeat("x", 2000):       0,
		command("MULTI") + command("multi"):   15,
		command("EXEC"):                       0,
		"\x00\x00\x00*1\r\n$1\r\na\r\n":       0,
		strings.Repeat("\x00", 100<<10) + "x": 0,
	} {
		for _, before := range []string{"", good, strings.Repeat(good, 100)} {
			got := readText(before + text)
			var corrupt *CorruptError
			if !errors.As(got.err, &corrupt) {
				t.Fatalf("%.40q: %v, %+v", text, got.err, got.res)
			}
			valid := len(before)
			if corrupt.Offset != int64(len(before)+offset) || corrupt.Valid != int64(valid) || got.res.Valid != int64(valid) {
				t.Errorf("%.40q: offset %d, valid %d; want %d, %d: %v", text, corrupt.Offset, corrupt.Valid, len(before)+offset, valid, got.err)
			}
			if n := len(before) / len(good); len(got.commands) != n {
				t.Errorf("%.40q: %d commands before it, want %d", text, len(got.commands), n)
			}
			if !strings.HasPrefix(got.err.Error(), "Bad file format reading the append only file f.aof: ") {
				t.Errorf("%v", got.err)
			}
		}
	}
}

// TestZerosAtTheEnd are what a power failure leaves where a file had become longer, not damage.
func TestZerosAtTheEnd(t *testing.T) {
	good := command("SET", "a", "b")
	for _, torn := range []string{"", "*", "*3\r\n$3\r\nSE", "*3\r\n$3\r\nSET\r\n$1", "#TS:12", command("MULTI") + good} {
		for _, n := range []int{1, 2, 100, 3 << 20} {
			got := readText(good + torn + strings.Repeat("\x00", n))
			if got.err != nil || !got.res.Truncated || got.res.Valid != int64(len(good)) || len(got.commands) != 1 {
				t.Fatalf("%q and %d zeros: %v %+v", torn, n, got.err, got.res)
			}
		}
	}
}

// TestBombs: claims beyond the end of the file take no memory.
func TestBombs(t *testing.T) {
	for _, text := range []string{
		"*2147483647\r\n$1\r\na\r\n", "*999999999999999999\r\n", "*1\r\n$999999999999999999\r\n", "*1\r\n$4294967296\r\nabc",
		"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := readText(text)
		runtime.ReadMemStats(&after)
		if got.err != nil || !got.res.Truncated || got.res.Valid != 0 {
			t.Fatalf("%q: %v %+v", text, got.err, got.res)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%q takes %d bytes", text, n)
		}
	}
}

// TestLongCommandsAndTransactions: longer than the buffer.
func TestLongCommandsAndTransactions(t *testing.T) {
	rng := randtest.New(t)
	var text strings.Builder
	var want []string
	add := func(args ...string) {
		text.WriteString(command(args...))
		want = append(want, strings.Join(args, " "))
	}
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		return string(b)
	}
	for i := range 16 {
		if i%4 == 0 {
			text.WriteString(command("MULTI"))
			for range rng.IntN(300) {
				add("SET", random(5), random(rng.IntN(20_000)))
			}
			text.WriteString(command("EXEC"))
		}
		add("SET", random(10), random(rng.IntN(3*readBuffer/(1+i))))
		args := []string{"SADD", "k"}
		for range rng.IntN(5000) {
			args = append(args, random(3))
		}
		add(args...)
	}
	many := make([]string, 200_000)
	add(append([]string{"SADD", "k"}, many...)...)
	for _, slow := range []bool{false, true} {
		var r io.Reader = strings.NewReader(text.String())
		if slow {
			r = &smallReads{r: r, rng: rng}
		}
		got := readAll(r, int64(text.Len()), 0)
		must(t, got.err)
		if len(got.commands) != len(want) || got.res.Truncated {
			t.Fatalf("%d commands, want %d: %+v", len(got.commands), len(want), got.res)
		}
		for i := range want {
			if got.commands[i] != want[i] {
				t.Fatalf("command %d is %.60q, want %.60q", i, got.commands[i], want[i])
			}
		}
	}
}

// smallReads reads a random number of bytes at a time.
type smallReads struct {
	r   io.Reader
	rng *rand.Rand
}

func (s *smallReads) Read(p []byte) (int, error) {
	return s.r.Read(p[:min(len(p), 1+s.rng.IntN(300_000))])
}

func TestReplayErrorEndsReading(t *testing.T) {
	stop := errors.New("stop")
	text := strings.Repeat(command("SET", "a", "b"), 1000)
	calls := 0
	_, err := ReadCommands(strings.NewReader(text), int64(len(text)), ReadOptions{}, func([]Command) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Fatalf("%v after %d calls", err, calls)
	}
}

func FuzzReadCommands(f *testing.F) {
	for _, text := range []string{"", "#TS:1\r\n" + command("SET", "a", "b"), command("MULTI") + command("a") + command("EXEC"),
		"*2\r\n$4294967296\r\n", "*1\r\n$-1\r\n", command("a") + "\x00\x00", "*1000000\r\n$0\r\n\r\n"} {
		f.Add([]byte(text), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, chunk uint8) {
		whole := readAll(bytes.NewReader(text), int64(len(text)), 0)
		if whole.res.Valid < 0 || whole.res.Valid > int64(len(text)) {
			t.Fatalf("valid up to %d of %d", whole.res.Valid, len(text))
		}
		var corrupt *CorruptError
		if whole.err != nil && !errors.As(whole.err, &corrupt) {
			t.Fatal(whole.err)
		}
		if corrupt != nil && (corrupt.Offset < whole.res.Valid || corrupt.Offset >= int64(len(text))) {
			t.Fatalf("corrupt at %d, valid up to %d of %d", corrupt.Offset, whole.res.Valid, len(text))
		}
		if whole.err == nil && !whole.res.Truncated && whole.res.Valid != int64(len(text)) {
			t.Fatalf("nothing is wrong, but %d of %d bytes are valid", whole.res.Valid, len(text))
		}
		// What is valid is so by itself, and gives the same; and the size of reads makes no
		// difference.
		part := readAll(bytes.NewReader(text[:whole.res.Valid]), whole.res.Valid, 0)
		slow := readAll(iotest.HalfReader(bytes.NewReader(text)), int64(len(text)), 0)
		for _, other := range []replayed{part, slow} {
			if fmt.Sprint(other.commands) != fmt.Sprint(whole.commands) || other.res.Valid != whole.res.Valid {
				t.Fatalf("%q and %q, valid %d and %d", other.commands, whole.commands, other.res.Valid, whole.res.Valid)
			}
		}
		if part.err != nil || part.res.Truncated {
			t.Fatalf("what is valid is not: %v %+v", part.err, part.res)
		}
	})
}

// BenchmarkReadCommands reads SETs of 64 bytes.
func BenchmarkReadCommands(b *testing.B) {
	var text []byte
	const commands = 100_000
	for i := range commands {
		text = journal.AppendCommand(text, []byte("SET"), []byte("key:"+strconv.Itoa(i)), make([]byte, 64))
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for range b.N {
		res, err := ReadCommands(bytes.NewReader(text), int64(len(text)), ReadOptions{}, func([]Command) error { return nil })
		if err != nil || res.Commands != commands {
			b.Fatal(err, res)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/commands, "ns/command")
}
