package commands

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// TestScanFindsAll walks with several counts while keys come and go: what is
// there from start to end is found.
func TestScanFindsAll(t *testing.T) {
	rng := randtest.New(t)
	c := newTestClient(t)
	const stay = 5000
	for i := range stay {
		c.do("SET", fmt.Sprint("stay:", i), "v")
	}
	for _, count := range []string{"1", "10", "100", "1000000"} {
		found := make(map[string]bool)
		cursor := "0"
		for {
			for range rng.IntN(20) {
				c.do("SET", fmt.Sprint("come:", rng.IntN(20_000)), "v")
				c.do("DEL", fmt.Sprint("come:", rng.IntN(20_000)))
			}
			reply := c.do("SCAN", cursor, "COUNT", count, "MATCH", "stay:*")
			words := strings.FieldsFunc(reply, func(r rune) bool { return strings.ContainsRune(`[]" `, r) })
			for _, name := range words[1:] {
				found[name] = true
			}
			if cursor = words[0]; cursor == "0" {
				break
			}
		}
		if len(found) != stay {
			t.Errorf("COUNT %s found %d of %d", count, len(found), stay)
		}
	}
}

// TestScanIsBounded asks for everything at once, which takes several calls all the same.
func TestScanIsBounded(t *testing.T) {
	const n = 2*mostScanned + 100
	c := newTestClient(t)
	var fill bytes.Buffer
	for i := range n {
		name := strconv.Itoa(i)
		fill.Write(encode([]string{"SET", name, "v"}))
		fill.Write(encode([]string{"SADD", "{s}", "m" + name}))
		fill.Write(encode([]string{"HSET", "{h}", name, "v"}))
		fill.Write(encode([]string{"ZADD", "{z}", name, name}))
	}
	c.send(fill.Bytes())
	for _, row := range []struct {
		call []string
		each int
	}{{[]string{"SCAN"}, 1}, {[]string{"SSCAN", "{s}"}, 1}, {[]string{"HSCAN", "{h}"}, 2}, {[]string{"ZSCAN", "{z}"}, 2}} {
		cursor, calls, total := "0", 0, 0
		for calls == 0 || cursor != "0" {
			reply := bytes.SplitN(c.send(encode(append(row.call, cursor, "COUNT", "9223372036854775807"))), []byte("\r\n"), 5)
			cursor = string(reply[2])
			got, err := strconv.Atoi(string(reply[3][1:]))
			if err != nil || got > row.each*(mostScanned+1000) {
				t.Fatalf("%v: %q elements", row.call, reply[3])
			}
			calls++
			total += got
		}
		if want := row.each * n; calls < 3 || total < want {
			t.Errorf("%v: %d calls, %d elements of %d", row.call, calls, total, want)
		}
	}
}

func TestKeysListsLiveKeysOnce(t *testing.T) {
	c := newTestClient(t)
	var want []string
	for i := range 30_000 {
		name := fmt.Sprintf("k%d", i)
		if i%3 == 0 {
			c.do("SET", name, "v", "PX", "5")
		} else {
			c.do("SET", name, "v")
			want = append(want, `"`+name+`"`)
		}
	}
	c.now = c.now.Add(5 * time.Millisecond)
	for _, inMulti := range []bool{false, true} {
		reply := c.do("KEYS", "*")
		if inMulti {
			c.do("MULTI")
			c.do("KEYS", "*")
			reply = c.do("EXEC")
		}
		got := strings.Fields(strings.Trim(reply, "[]"))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%d keys, want %d (in EXEC: %v)", len(got), len(want), inMulti)
		}
	}
}

func TestRandomkeyReachesEveryKey(t *testing.T) {
	c := newTestClient(t)
	c.do("MSET", "a", "1", "b", "2", "c", "3")
	c.do("SET", "gone", "v", "PX", "1")
	c.now = c.now.Add(time.Millisecond)
	seen := make(map[string]bool)
	for range 1000 {
		seen[c.do("RANDOMKEY")] = true
	}
	if len(seen) != 3 || seen[`"gone"`] || seen["nil"] {
		t.Errorf("seen %v", seen)
	}
}

// TestTouch holds what counts as use of a key.
func TestTouch(t *testing.T) {
	c := newTestClient(t)
	idle := func() string { return c.do("OBJECT", "IDLETIME", "k") }
	c.expect("SET k v", "+OK")
	c.now = c.now.Add(100 * time.Second)
	for _, quiet := range []string{"EXISTS k", "TYPE k", "TTL k", "PTTL k", "EXPIRETIME k"} {
		c.do(strings.Fields(quiet)...)
		if got := idle(); got != ":100" {
			t.Errorf("after %s: %s", quiet, got)
		}
	}
	for _, use := range []string{"GET k", "TOUCH k", "STRLEN k", "EXPIRE k 5000", "SET k w XX"} {
		c.do(strings.Fields(use)...)
		if got := idle(); got != ":0" {
			t.Errorf("after %s: %s", use, got)
		}
		c.now = c.now.Add(100 * time.Second)
	}
	c.expect("COPY nothing k REPLACE", ":0")
	if got := idle(); got != ":100" {
		t.Errorf("after a COPY of nothing: %s", got)
	}
	c.do("SET", "other", "v")
	c.do("CONFIG", "RESETSTAT")
	c.expect("COPY other k", ":0")
	c.expect("COPY nothing k", ":0")
	if got := c.do("INFO", "stats"); !strings.Contains(got, `keyspace_hits:1\r\nkeyspace_misses:1\r\n`) || idle() != ":0" {
		t.Errorf("after a COPY to a key that is there: idle for %s, %s", idle(), got)
	}
	c.now = c.now.Add(100 * time.Second)
	c.expect("CLIENT NO-TOUCH ON", "+OK")
	c.do("GET", "k")
	if got := idle(); got != ":100" {
		t.Errorf("after GET without touch: %s", got)
	}
	c.do("TOUCH", "k")
	if got := idle(); got != ":0" {
		t.Errorf("after TOUCH: %s", got)
	}
}
