package clients

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// scale is the number of keys or members of the big tests.
func scale() int {
	if harness.Race {
		return 50_000
	}
	return 1_000_000
}

// feed pipelines n requests and reads their replies, a batch at a time.
func feed(t *testing.T, c *harness.Conn, n int, request func(i int) string) {
	t.Helper()
	const batch = 2000
	for i := 0; i < n; i += batch {
		var b strings.Builder
		end := min(i+batch, n)
		for j := i; j < end; j++ {
			b.WriteString(request(j))
		}
		c.WriteRaw(b.String())
		for j := i; j < end; j++ {
			if r := c.Read(); r.IsError() {
				t.Fatal(r)
			}
		}
	}
}

// TestAMillionKeysExpireTogether gives a million keys one moment to go. They must leave DBSIZE, and
// memory, though nobody asks for them, while another client is served; the bench says how fast they
// do.
func TestAMillionKeysExpireTogether(t *testing.T) {
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		s := harness.StartBinary(t, "network-driver "+driver)
		c, other := s.Dial(t), s.Dial(t)
		other.MustOK("SET", "stays", "here")
		empty := other.InfoInt("memory", "used_memory")
		// Far enough away for the slowest machine to load them first; the time is shortened when
		// they are all there.
		feed(t, c, scale(), func(i int) string {
			return harness.Encode("SET", "key:"+strconv.Itoa(i), "some value of moderate length", "EX", "3600")
		})
		if r := c.Do("DBSIZE"); r.Raw != ":"+strconv.Itoa(scale()+1)+"\r\n" {
			t.Fatal(r)
		}
		full := other.InfoInt("memory", "used_memory")
		// A machine too slow to set all the times before they come gets more.
		var at time.Time
		for ahead := 3 * time.Second; !time.Now().Before(at); ahead *= 2 {
			at = time.Now().Add(ahead)
			moment := strconv.FormatInt(at.UnixMilli(), 10)
			feed(t, c, scale(), func(i int) string { return harness.Encode("PEXPIREAT", "key:"+strconv.Itoa(i), moment) })
		}
		var worst time.Duration
		harness.Eventually(t, time.Until(at)+patience, "all keys are gone", func() bool {
			start := time.Now()
			r := other.Do("DBSIZE")
			worst = max(worst, time.Since(start))
			return r.Raw == ":1\r\n"
		})
		t.Logf("gone %v after their time; the slowest DBSIZE meanwhile took %v", time.Since(at).Round(time.Millisecond), worst)
		harness.Eventually(t, patience, "their memory is given back", func() bool {
			return other.InfoInt("memory", "used_memory") < empty+(full-empty)/4
		})
		if r := other.Do("GET", "stays"); r.Text != "here" {
			t.Error(r)
		}
	})
}

// TestBigCollectionsGoInTheBackground deletes, expires, overwrites and flushes a set and a hash of
// a million members each way. The reply must come, another client must be answered meanwhile, and
// the memory must return.
func TestBigCollectionsGoInTheBackground(t *testing.T) {
	s := harness.StartBinary(t)
	c, other := s.Dial(t), s.Dial(t)
	empty := other.InfoInt("memory", "used_memory")
	members := max(scale(), 300_000) // so that their memory stands out from the noise of a process
	fill := func(command, key string) {
		const each = 100
		feed(t, c, members/each, func(i int) string {
			args := []string{command, key}
			for j := range each {
				args = append(args, "member:"+strconv.Itoa(i*each+j))
				if command == "HSET" {
					args = append(args, "v")
				}
			}
			return harness.Encode(args...)
		})
	}
	for _, way := range [][]string{{"DEL", "big"}, {"UNLINK", "big"}, {"SET", "big", "small"}, {"FLUSHALL"}, {"FLUSHALL", "ASYNC"}, {"PEXPIRE", "big", "1"}, {"RENAME", "small", "big"}} {
		command := "SADD"
		if way[0] == "UNLINK" || way[0] == "PEXPIRE" {
			command = "HSET"
		}
		fill(command, "big")
		full := other.InfoInt("memory", "used_memory")
		c.MustOK("SET", "small", "v")
		c.Send(way...)
		var worst time.Duration
		for range 200 {
			start := time.Now()
			other.Do("GET", "small")
			worst = max(worst, time.Since(start))
		}
		if r := c.Read(); r.IsError() {
			t.Fatal(r)
		}
		t.Logf("%s: the slowest of 200 GETs of another client took %v", strings.Join(way, " "), worst)
		most := empty + (full-empty)/4
		harness.Eventually(t, harness.Patience, fmt.Sprintf("%s: used_memory, %d when full, is below %d again", strings.Join(way, " "), full, most), func() bool {
			return other.InfoInt("memory", "used_memory") < most
		})
		c.MustOK("FLUSHALL")
	}
}
