package clients

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

const (
	bigSize  = 24 << 20
	bigLimit = 64 << 20
)

// bigValue is a value of which no two parts are alike.
func bigValue(n int) string {
	var b strings.Builder
	b.Grow(n + 20)
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strconv.Itoa(i))
		b.WriteByte(' ')
	}
	return b.String()[:n]
}

// fullServer is a server at its maxmemory, full of small keys.
func fullServer(t *testing.T, params ...string) (*harness.Server, *harness.Conn) {
	t.Helper()
	s := harness.StartBinary(t, append(params, fmt.Sprintf("maxmemory %d", bigLimit), "maxmemory-policy allkeys-lru")...)
	c := s.Dial(t)
	value := strings.Repeat("v", 84)
	for i := 0; c.Info("stats", "evicted_keys") == "0"; i++ {
		const batch = 10_000
		var b strings.Builder
		for j := range batch {
			b.WriteString(harness.Encode("SET", fmt.Sprintf("key:%012d", i*batch+j), value))
		}
		c.WriteRaw(b.String())
		for range batch {
			if r := c.Read(); r.Raw != "+OK\r\n" {
				t.Fatal(r)
			}
		}
	}
	return s, c
}

// infoNumber is one of INFO's.
func infoNumber(t *testing.T, c *harness.Conn, section, field string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(c.Info(section, field), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBigValueIntoFullCache: it is stored as it was sent, others are served while it arrives, and
// memory in use stays near the limit all the time, though the value is more than a third of it.
func TestBigValueIntoFullCache(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s, admin := fullServer(t, "network-driver "+driver)
		other := s.Dial(t)
		value := bigValue(bigSize)
		for round, request := range [][]string{
			{"SET", "big", value}, {"SET", "big", value[1:], "EX", "1000"}, {"SETNX", "big", value}, {"HSET", "big", "field", value},
		} {
			c := s.Dial(t)
			wire := harness.Encode(request...)
			most := int64(0)
			const piece = bigSize / 12
			for ; len(wire) > 2*piece; wire = wire[piece:] { // others are served while only so much is there
				c.WriteRaw(wire[:piece])
				if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
					t.Fatal(r)
				}
				most = max(most, infoNumber(t, admin, "memory", "used_memory"))
			}
			var done atomic.Bool
			go func() {
				defer done.Store(true)
				if err := c.TryWrite(wire); err != nil {
					t.Error(err)
					return
				}
				if r, err := c.TryRead(); err != nil || r.IsError() {
					t.Errorf("%.20q: %v %v", request, r, err)
				}
			}()
			for !done.Load() {
				if r := other.Do("PING"); r.Raw != "+PONG\r\n" {
					t.Fatal(r)
				}
				most = max(most, infoNumber(t, admin, "memory", "used_memory"))
			}
			if over := most - bigLimit; over > 8<<20 {
				t.Errorf("round %d: %d bytes above the limit", round, over)
			}
			if request[0] == "HSET" {
				if r := other.Do("HGET", "big", "field"); r.Text != value {
					t.Errorf("HGET answers %d bytes, not the %d that were stored", len(r.Text), len(value))
				}
				continue
			}
			whole(t, other, "big", request[2])
			if round > 0 { // the first one is overwritten
				other.Do("DEL", "big")
			}
		}
	})
}

// whole checks a string piece by piece, so that no reply takes much memory.
func whole(t *testing.T, c *harness.Conn, key, want string) {
	t.Helper()
	if r := c.Do("STRLEN", key); r.Raw != fmt.Sprintf(":%d\r\n", len(want)) {
		t.Fatalf("the length of %s is %v, want %d", key, r, len(want))
	}
	const piece = 1 << 20
	for at := 0; at < len(want); at += piece {
		end := min(at+piece, len(want))
		if r := c.Do("GETRANGE", key, strconv.Itoa(at), strconv.Itoa(end-1)); r.Text != want[at:end] {
			t.Fatalf("%s differs in its bytes from %d to %d", key, at, end)
		}
	}
}

// TestBigValueThatCannotFit is refused when it has arrived, nothing is evicted for it, and the
// connection goes on.
func TestBigValueThatCannotFit(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver, "maxmemory 16mb", "maxmemory-policy allkeys-lru")
		c := s.Dial(t)
		c.MustOK("SET", "k", "v")
		if r := c.Do("SET", "big", bigValue(bigSize)); !strings.HasPrefix(r.Raw, "-OOM ") {
			t.Errorf("%.100v", r)
		}
		harness.Eventually(t, patience, "the memory is given back", func() bool { return infoNumber(t, c, "memory", "used_memory") < 16<<20 })
		c.MustOK("SET", "k2", "v")
	})
}

// TestLeavingInABigValue: what clients have sent of values that never came to their end takes no
// memory when they are gone, and neither does what a transaction was about to store, or what came
// before a protocol error.
func TestLeavingInABigValue(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		admin := s.Dial(t)
		before := infoNumber(t, admin, "memory", "used_memory")
		value := bigValue(bigSize)
		for i, request := range []string{
			harness.Encode("SET", "k", value)[:bigSize/2],
			harness.Encode("SET", "k", value)[:bigSize+20],
			harness.Encode("MULTI") + harness.Encode("SET", "k", value) + harness.Encode("SET", "k", value)[:bigSize/2],
		} {
			c := s.Dial(t)
			c.WriteRaw(request)
			harness.Eventually(t, patience, "the input is there", func() bool {
				return infoNumber(t, admin, "memory", "used_memory")-before > int64(len(request)/2)
			})
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			harness.Eventually(t, patience, fmt.Sprintf("the memory of request %d is given back", i), func() bool {
				return infoNumber(t, admin, "memory", "used_memory")-before < 6<<20
			})
		}
		c := s.Dial(t)
		head, _, _ := strings.Cut(harness.Encode("SET", "k", value, "PX", "1"), "$2\r\nPX")
		c.WriteRaw(head + "!\r\n")
		if sent := c.ReadUntilClosed(); !strings.HasPrefix(sent, "-ERR Protocol error: expected '$', got '!'") {
			t.Errorf("%q", sent)
		}
		harness.Eventually(t, patience, "the memory is given back after the error", func() bool {
			return infoNumber(t, admin, "memory", "used_memory")-before < 6<<20
		})
		if r := admin.Do("DBSIZE"); r.Raw != ":0\r\n" {
			t.Error(r)
		}
	})
}

// TestBigValuesComeBack: what was stored alone, in a transaction and over an old value is in the
// log.
func TestBigValuesComeBack(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		params := []string{"network-driver " + driver, "appendonly yes", "dir " + t.TempDir()}
		s := harness.StartBinary(t, params...)
		c := s.Dial(t)
		value := bigValue(bigSize)
		c.MustOK("SET", "a", value[:bigSize/2])
		c.MustOK("SET", "a", value)
		c.MustOK("MULTI")
		for _, request := range [][]string{{"SET", "b", value[1:], "EX", "1000"}, {"HSET", "h", "f", value[2:]}} {
			if r := c.Do(request...); r.Raw != "+QUEUED\r\n" {
				t.Fatal(r)
			}
		}
		if r := c.Do("EXEC"); r.Raw != "*2\r\n+OK\r\n:1\r\n" {
			t.Fatal(r)
		}
		s.Terminate(t)
		c = harness.StartBinary(t, params...).Dial(t)
		for _, x := range []struct {
			args []string
			want string
		}{{[]string{"GET", "a"}, value}, {[]string{"GET", "b"}, value[1:]}, {[]string{"HGET", "h", "f"}, value[2:]}} {
			if r := c.Do(x.args...); r.Text != x.want {
				t.Errorf("%v answers %d bytes, not the %d that were stored", x.args, len(r.Text), len(x.want))
			}
		}
	})
}
