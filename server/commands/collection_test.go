package commands

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCollectionsRESP3 has the shapes that differ from RESP2.
func TestCollectionsRESP3(t *testing.T) {
	c := newTestClient(t)
	c.send(encode([]string{"HELLO", "3"}))
	for _, l := range []struct{ request, want string }{
		{"HSET h a 1 b 2", ":2"},
		{"HGETALL h", `%["a" "1" "b" "2"]`},
		{"HGETALL none", "%[]"},
		{"HKEYS h", `["a" "b"]`},
		{"HVALS none", "[]"},
		{"HMGET h a x", `["1" nil]`},
		{"HSET one f v", ":1"},
		{"HRANDFIELD one", `"f"`},
		{"HRANDFIELD none", "nil"},
		{"HRANDFIELD one 2", `["f"]`},
		{"HRANDFIELD one 2 WITHVALUES", `[["f" "v"]]`},
		{"HRANDFIELD one -2 WITHVALUES", `[["f" "v"] ["f" "v"]]`},
		{"HRANDFIELD one 0 WITHVALUES", "[]"},
		{"HSCAN h 0", `["0" ["a" "1" "b" "2"]]`},
		{"HINCRBYFLOAT h a 0.5", `"1.5"`},
		{"SADD s 1 2 3", ":3"},
		{"SMEMBERS s", `~["1" "2" "3"]`},
		{"SMEMBERS none", "~[]"},
		{"SINTER s s", `~["1" "2" "3"]`},
		{"SINTER s none", "~[]"},
		{"SUNION s none", `~["1" "2" "3"]`},
		{"SDIFF s none", `~["1" "2" "3"]`},
		{"SDIFF none", "~[]"},
		{"SISMEMBER s 1", ":1"},
		{"SRANDMEMBER s 3", `["1" "2" "3"]`},
		{"SRANDMEMBER none", "nil"},
		{"SRANDMEMBER none 1", "[]"},
		{"SSCAN s 0", `["0" ["1" "2" "3"]]`},
		{"SPOP none", "nil"},
		{"SPOP none 1", "~[]"},
		{"SPOP s 0", "~[]"},
		{"SPOP s 5", `~["1" "2" "3"]`},
	} {
		c.expect(l.request, l.want)
	}
}

// TestScanWithoutValues is 7.4's NOVALUES.
func TestScanWithoutValues(t *testing.T) {
	c := newTestClient(t)
	c.expect("HSET h a 1 b 2", ":2")
	c.expect("SADD s 1", ":1")
	c.expect("HSCAN h 0 NOVALUES", `["0" ["a" "b"]]`)
	c.expect("HSCAN h 0 novalues MATCH b COUNT 5", `["0" ["b"]]`)
	c.expect("HSCAN none 0 NOVALUES", `["0" []]`)
	c.expect("SSCAN s 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN")
}

// Whole walks over a big hash and a big set, in steps.
func TestScanSteps(t *testing.T) {
	c := newTestClient(t)
	for i := range 2000 {
		c.do("HSET", "h", fmt.Sprint("f", i), fmt.Sprint("v", i))
		c.do("SADD", "s", fmt.Sprint("m", i))
	}
	for _, command := range []string{"HSCAN h", "SSCAN s"} {
		fields := strings.Fields(command)
		seen := map[string]bool{}
		steps := 0
		for cursor := "0"; cursor != "0" || steps == 0; steps++ {
			reply := strings.Fields(strings.Trim(c.do(fields[0], fields[1], cursor, "COUNT", "20"), "[]"))
			cursor = strings.Trim(reply[0], `"`)
			for _, word := range reply[1:] {
				seen[strings.Trim(word, `[]"`)] = true
			}
		}
		if steps < 50 || steps > 300 {
			t.Errorf("%s: %d steps", command, steps)
		}
		for i := range 2000 {
			if !seen[fmt.Sprint("f", i)] && !seen[fmt.Sprint("m", i)] {
				t.Errorf("%s: element %d is missing", command, i)
			}
		}
	}
}

// TestLargeSetAlgebra: large sets are looked up in each other, small ones are built into a new one, as
// are those that are stored. The members are the same.
func TestLargeSetAlgebra(t *testing.T) {
	c := newTestClient(t)
	for name, span := range map[string][2]int{"{s}a": {0, 10_000}, "{s}b": {5000, 12_000}, "{s}c": {9000, 9010}} {
		add := []string{"SADD", name}
		for i := span[0]; i < span[1]; i++ {
			add = append(add, fmt.Sprint("m", i))
		}
		c.do(add...)
	}
	for _, keys := range []string{
		"{s}a", "{s}a {s}b", "{s}b {s}a", "{s}c {s}a", "{s}a {s}a", "{s}a {s}none", "{s}none {s}a", "{s}a {s}c {s}b", "{s}c {s}c {s}c {s}c {s}a {s}b",
	} {
		for _, command := range []string{"SUNION", "SDIFF"} {
			stored := c.do(strings.Fields(command + "STORE {s}stored " + keys)...)
			got := strings.Fields(strings.Trim(c.do(strings.Fields(command+" "+keys)...), "[]"))
			if fmt.Sprint(":", len(got)) != stored {
				t.Errorf("%s %s: %d members, stored %s", command, keys, len(got), stored)
			}
			for _, m := range got {
				if c.do("SREM", "{s}stored", strings.Trim(m, `"`)) != ":1" {
					t.Fatalf("%s %s: %s is there twice or should not be", command, keys, m)
				}
			}
		}
	}
	c.expect("SET s v", "+OK")
	c.expect("SUNION {s}a s", "-WRONGTYPE Operation against a key holding the wrong kind of value")
}

// A negative count cannot make the server write without end.
func TestRandomReplyIsBounded(t *testing.T) {
	c := newTestClient(t)
	c.expect("SADD s 1", ":1")
	c.expect("HSET h f v", ":1")
	c.expect("SRANDMEMBER s -9223372036854775807", "-ERR value is out of range")
	c.expect("HRANDFIELD h -9223372036854775807", "-ERR value is out of range")
	c.expect("HRANDFIELD h -4611686018427387903 WITHVALUES", "-ERR value is out of range")
	if reply := c.do("SRANDMEMBER", "s", "-100000"); strings.Count(reply, `"1"`) != 100000 {
		t.Errorf("%d elements", strings.Count(reply, `"1"`))
	}
}

// Pops and moves take exactly what they report, in every encoding.
func TestPopsAndMoves(t *testing.T) {
	for _, prefix := range []string{"", "m"} {
		for _, size := range []int{20, 150, 700} {
			c := newTestClient(t)
			request := []string{"SADD", "s"}
			for i := range size {
				request = append(request, fmt.Sprint(prefix, i))
			}
			c.do(request...)
			left := size
			for left > 0 {
				n := min(left, 1+left/3)
				popped := strings.Fields(strings.Trim(c.do("SPOP", "s", fmt.Sprint(n)), "[]"))
				left -= n
				if len(popped) != n || c.do("SCARD", "s") != fmt.Sprint(":", left) {
					t.Fatalf("%d of %d popped, %s left, want %d", len(popped), n, c.do("SCARD", "s"), left)
				}
				for _, m := range popped {
					m = strings.Trim(m, `"`)
					if got := c.do("SISMEMBER", "s", m); got != ":0" {
						t.Fatalf("%s is still there", m)
					}
					c.do("SADD", "popped", m)
				}
			}
			c.expect("EXISTS s", ":0")
			c.expect("SCARD popped", fmt.Sprint(":", size))
			for i := range size {
				if got := c.do("SMOVE", "popped", "s", fmt.Sprint(prefix, i)); got != ":1" {
					t.Fatal(got)
				}
			}
			c.expect("EXISTS popped", ":0")
			c.expect("SCARD s", fmt.Sprint(":", size))
		}
	}
}

// Expired collections are gone for every command, also as a destination.
func TestExpiredCollections(t *testing.T) {
	c := newTestClient(t)
	for i := range 300 { // many names, so that some share a shard
		source, destination := fmt.Sprint("s", i), fmt.Sprint("d", i)
		c.do("SADD", source, "a", "b")
		c.do("SADD", destination, "old")
		c.do("PEXPIRE", destination, "10")
	}
	c.do("HSET", "h", "f", "v")
	c.do("PEXPIRE", "h", "10")
	c.now = c.now.Add(11 * time.Millisecond)
	for i := range 300 {
		source, destination := fmt.Sprint("s", i), fmt.Sprint("d", i)
		if got := c.do("SMOVE", source, destination, "a"); got != ":1" {
			t.Fatal(got)
		}
		if got := c.do("SMEMBERS", destination); got != `["a"]` {
			t.Fatal(got)
		}
		if got := c.do("TTL", destination); got != ":-1" {
			t.Fatal(got)
		}
	}
	c.expect("HGET h f", "nil")
	c.expect("HSET h g w", ":1")
	c.expect("HGETALL h", `["g" "w"]`)
	c.expect("TTL h", ":-1")
}

func TestCollectionsDoNotAllocate(t *testing.T) {
	c := newTestClient(t)
	var batch []byte
	for _, words := range collectionBatch() {
		batch = append(batch, encode(words)...)
	}
	for range 10 {
		c.send(batch)
	}
	if n := testing.AllocsPerRun(100, func() { c.send(batch) }); n > 0 && !raceEnabled {
		t.Errorf("%v allocations in a batch", n)
	}
}

func collectionBatch() [][]string {
	return [][]string{
		tenFields("HSET", "h"), {"HSET", "h", "field:3", "another value"}, {"HMSET", "h", "x", "y"}, {"HGET", "h", "field:7"}, {"HGET", "h", "none"},
		{"HGETALL", "h"}, {"HMGET", "h", "field:1", "field:2"}, {"HINCRBY", "h", "n", "1"}, {"HINCRBYFLOAT", "h", "n", "1"}, {"HEXISTS", "h", "x"}, {"HLEN", "h"},
		{"HKEYS", "h"}, {"HVALS", "h"}, {"HSETNX", "h", "x", "y"}, {"HRANDFIELD", "h"}, {"HDEL", "h", "x"}, {"HSCAN", "h", "0"},
		{"SADD", "s", "a", "b", "c"}, {"SISMEMBER", "s", "b"}, {"SMISMEMBER", "s", "b", "x"}, {"SMEMBERS", "s"}, {"SCARD", "s"}, {"SREM", "s", "a"}, {"SPOP", "s"},
		{"SADD", "i", "1", "2", "300000"}, {"SISMEMBER", "i", "2"}, {"SMEMBERS", "i"}, {"SRANDMEMBER", "i"}, {"SMOVE", "i", "s", "2"}, {"SSCAN", "i", "0"},
		{"DEL", "s", "i"},
	}
}

func tenFields(words ...string) []string {
	for i := range 10 {
		words = append(words, fmt.Sprint("field:", i), fmt.Sprint("value number ", i))
	}
	return words
}

// BenchmarkCollections is the whole way of a request but for the network, in
// batches of 16 as redis-benchmark -P 16 sends them, over 10,000 keys.
func BenchmarkCollections(b *testing.B) {
	for _, bench := range []struct {
		name  string
		words func(i int) []string
	}{
		{"GET", func(i int) []string { return []string{"GET", fmt.Sprint("string:", i)} }},
		{"HSET10", func(i int) []string { return tenFields("HSET", fmt.Sprint("hash:", i)) }},
		{"HSET", func(i int) []string { return []string{"HSET", fmt.Sprint("hash:", i), "field:5", "value number x"} }},
		{"HGET", func(i int) []string { return []string{"HGET", fmt.Sprint("hash:", i), "field:5"} }},
		{"HGETALL", func(i int) []string { return []string{"HGETALL", fmt.Sprint("hash:", i)} }},
		{"SADD", func(i int) []string { return []string{"SADD", fmt.Sprint("set:", i%100), fmt.Sprint("member:", i)} }},
		{"SISMEMBER", func(i int) []string {
			return []string{"SISMEMBER", fmt.Sprint("set:", i%100), fmt.Sprint("member:", i)}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c := newTestClient(b)
			var batches [][]byte
			for i := range 10000 {
				c.do("SET", fmt.Sprint("string:", i), "value")
				c.do(tenFields("HSET", fmt.Sprint("hash:", i))...)
				c.do("SADD", fmt.Sprint("set:", i%100), fmt.Sprint("member:", i))
				if i%16 == 0 {
					batches = append(batches, nil)
				}
				last := len(batches) - 1
				batches[last] = append(batches[last], encode(bench.words(i*7919%10000))...)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += 16 {
				c.send(batches[i/16%len(batches)])
			}
		})
	}
}
