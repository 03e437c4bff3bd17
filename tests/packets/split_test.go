package packets

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// pipeline mixes arrays and inline commands, empty and binary arguments, an error and a
// transaction.
var pipeline = harness.Encode("SET", "k", "v\r\n\x00") + harness.Encode("GET", "k") + "PING\r\n" + "*0\r\n" + harness.Encode("GET") +
	harness.Encode("HSET", "h", "", "f", "g", "") + "\r\n" + "ECHO \"a b\"\n" + harness.Encode("MULTI") + harness.Encode("INCR", "n") +
	harness.Encode("EXEC") + "*-1\r\n" + harness.Encode("DEL", "k", "h", "n") + harness.Encode("ECHO", strings.Repeat("x", 40)) + "PING end\r\n"

// answers reads the replies to one pipeline: as many as the whole one gave.
func answers(t *testing.T, c *harness.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	for i := 0; i < n; {
		r := c.Read()
		i += copy(b[i:], r.Raw)
	}
	return string(b)
}

// TestSplitAtEveryByte cuts the pipeline in two at every place. Between the parts another client's
// round trip lets the server see the first part alone.
func TestSplitAtEveryByte(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		want := exchange(t, s, pipeline)
		c, other := s.Dial(t), s.Dial(t)
		for i := 1; i < len(pipeline); i++ {
			c.WriteRaw(pipeline[:i])
			other.Do("PING")
			c.WriteRaw(pipeline[i:])
			if got := answers(t, c, len(want)); got != want {
				t.Fatalf("cut at %d (%q | %q):\n  got  %q\n  want %q", i, pipeline[:i], pipeline[i:], got, want)
			}
		}
	})
}

// TestByteByByte sends every byte in a write of its own.
func TestByteByByte(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		want := exchange(t, s, pipeline)
		c := s.Dial(t)
		for i := range len(pipeline) {
			c.WriteRaw(pipeline[i : i+1])
		}
		if got := answers(t, c, len(want)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// TestDeepPipeline sends many thousand commands before reading anything, in pieces whose ends fall
// anywhere.
func TestDeepPipeline(t *testing.T) {
	const commands = 100_000
	one := harness.Encode("INCR", "n")
	all := strings.Repeat(one, commands)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		c := s.Dial(t)
		failed := make(chan error, 1)
		go func() {
			for rest := all; rest != ""; {
				n := min(len(rest), 8191)
				if err := c.TryWrite(rest[:n]); err != nil {
					failed <- err
					return
				}
				rest = rest[n:]
			}
			failed <- nil
		}()
		for i := range commands {
			if n, ok := c.Read().Int(); !ok || n != int64(i+1) {
				t.Fatalf("reply %d is %d", i+1, n)
			}
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	})
}

// TestBigValueByteByByte sends a value of a megabyte in one-byte writes. A parser that starts over,
// or recurses, on every read would not end.
func TestBigValueByteByByte(t *testing.T) {
	size := 1 << 20
	if harness.Race {
		size = 64 << 10
	}
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		c := s.Dial(t)
		value := strings.Repeat("0123456789abcdef", size/16)
		request := harness.Encode("SET", "big", value)
		for i := range len(request) {
			if _, err := io.WriteString(c.Conn, request[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if r := c.Read(); r.Raw != "+OK\r\n" {
			t.Fatal(r)
		}
		if r := c.Do("GET", "big"); r.Text != value {
			t.Fatalf("another value came back: %v", r)
		}
	})
}

// TestHugeValue sends 100 MB in one write and reads it back.
func TestHugeValue(t *testing.T) {
	size := 100_000_000
	if harness.Race {
		size = 10_000_000
	}
	value := strings.Repeat("0123456789", size/10)
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		c, other := s.Dial(t), s.Dial(t)
		sent := make(chan error, 1)
		go func() { sent <- c.TryWrite(harness.Encode("SET", "huge", value)) }()
		other.Do("PING")
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if r := c.Read(); r.Raw != "+OK\r\n" {
			t.Fatal(r)
		}
		if r := other.Do("STRLEN", "huge"); r.Raw != ":"+strconv.Itoa(size)+"\r\n" {
			t.Fatal(r)
		}
		if r := c.Do("GET", "huge"); r.Text != value {
			t.Fatalf("another value came back: %v", r)
		}
		if r := other.Do("DEL", "huge"); r.Raw != ":1\r\n" {
			t.Fatal(r)
		}
	})
}
