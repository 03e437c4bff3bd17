package diff

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// payloads are commands that make a key of each encoding and of sizes around the limits between
// them. Where each is DUMPed alike by both servers, byte for byte, exact is true: not where an
// order is free.
var payloads = []struct {
	key   string
	exact bool
	make  [][]string
}{
	{"empty", true, [][]string{{"SET", "empty", ""}}},
	{"byte", true, [][]string{{"SET", "byte", "x"}}},
	{"zero", true, [][]string{{"SET", "zero", "0"}}},
	{"int8", true, [][]string{{"SET", "int8", "-128"}}},
	{"int16", true, [][]string{{"SET", "int16", "32767"}}},
	{"int32", true, [][]string{{"SET", "int32", "-2147483648"}}},
	{"int64", true, [][]string{{"SET", "int64", "9223372036854775807"}}},
	{"almost", true, [][]string{{"SET", "almost", "007"}}},
	{"binary", true, [][]string{{"SET", "binary", "\x00\xff\r\n\x80"}}},
	{"short", true, [][]string{{"SET", "short", strings.Repeat("s", 20)}}},
	{"packed", true, [][]string{{"SET", "packed", strings.Repeat("p", 21)}}},
	{"text", true, [][]string{{"SET", "text", strings.Repeat("the quick brown fox ", 1000)}}},
	{"noise", true, [][]string{{"SET", "noise", noise(20000)}}},
	{"appended", true, [][]string{{"SET", "appended", "1"}, {"APPEND", "appended", "2"}}},
	{"hash1", true, [][]string{{"HSET", "hash1", "f", "v"}}},
	{"hash512", true, [][]string{append([]string{"HSET", "hash512"}, numbered(512, "f%d", "%d")...)}},
	{"hash513", false, [][]string{append([]string{"HSET", "hash513"}, numbered(513, "f%d", "v%d")...)}},
	{"hashbig", false, [][]string{{"HSET", "hashbig", "f", strings.Repeat("v", 65), "g", noise(300)}}},
	{"hashints", true, [][]string{append([]string{"HSET", "hashints"}, numbered(100, "%d", "-%d000000")...)}},
	{"ints1", true, [][]string{{"SADD", "ints1", "7"}}},
	{"ints16", true, [][]string{append([]string{"SADD", "ints16"}, numbered(512, "%d")...)}},
	{"ints32", true, [][]string{{"SADD", "ints32", "-1", "70000", "3"}}},
	{"ints64", true, [][]string{{"SADD", "ints64", "-1", "70000", "5000000000"}}},
	{"ints513", false, [][]string{append([]string{"SADD", "ints513"}, numbered(513, "%d")...)}},
	{"set1", true, [][]string{{"SADD", "set1", "a"}}},
	{"set128", false, [][]string{append([]string{"SADD", "set128"}, numbered(128, "m%d")...)}},
	{"set129", false, [][]string{append([]string{"SADD", "set129"}, numbered(129, "m%d")...)}},
	{"setbig", false, [][]string{{"SADD", "setbig", strings.Repeat("m", 65), "12", noise(100)}}},
	{"list1", true, [][]string{{"RPUSH", "list1", "a"}}},
	{"listints", true, [][]string{append([]string{"RPUSH", "listints"}, numbered(300, "%d", "-%d0000")...)}},
	{"list500", true, [][]string{append([]string{"RPUSH", "list500"}, numbered(500, "element%d")...)}},
	{"list600", false, [][]string{append([]string{"RPUSH", "list600"}, numbered(600, "long element%d")...)}},
	{"listlong", true, [][]string{{"RPUSH", "listlong", strings.Repeat("the quick brown fox ", 300), noise(300), ""}}},
	{"listlonger", false, [][]string{{"RPUSH", "listlonger", "a", strings.Repeat("the quick brown fox ", 1000), noise(10000), "b"}}},
	{"listhuge", false, [][]string{append([]string{"LPUSH", "listhuge"}, numbered(20000, "element%d", "7")...)}},
	{"zset1", true, [][]string{{"ZADD", "zset1", "1.5", "a"}}},
	{"zset128", true, [][]string{append([]string{"ZADD", "zset128"}, numbered(128, "%d", "m%d")...)}},
	{"zset129", false, [][]string{append([]string{"ZADD", "zset129"}, numbered(129, "%d", "m%d")...)}},
	{"zsetbig", false, [][]string{{"ZADD", "zsetbig", "1", strings.Repeat("m", 65), "0.1", noise(100)}}},
	{"scores", true, [][]string{{"ZADD", "scores", "1.5", "a", "-inf", "b", "inf", "c", "1e100", "d", "0.1", "e", "-0", "f", "5e18", "g", "3", "7",
		"4611686018427387904", "h", "-4611686018427387904", "i", "1e-7", "j", "123456789012", "k", "-1.5", "-300", "1e15", "l", "3.0000000000000004", "m"}}},
	{"zsethuge", false, [][]string{append([]string{"ZADD", "zsethuge"}, numbered(20000, "%d.125", "member%d")...)}},
	{"huge", false, [][]string{append([]string{"HSET", "huge"}, numbered(20000, "field%d", "value%d")...)}},
}

// numbered is n times the formats, with the number for %d.
func numbered(n int, formats ...string) []string {
	var out []string
	for i := range n {
		for _, f := range formats {
			out = append(out, strings.ReplaceAll(f, "%d", strconv.Itoa(i)))
		}
	}
	return out
}

// noise is text that does not compress, always the same.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// content is what a key holds, in an order of its own.
func content(c *harness.Conn, key string) string {
	switch kind := c.Do("TYPE", key).Text; kind {
	case "string":
		return c.Do("GET", key).Raw
	case "hash":
		return c.Do("HGETALL", key).Sorted(2)
	case "set":
		return c.Do("SMEMBERS", key).Sorted(1)
	case "list":
		return c.Do("LRANGE", key, "0", "-1").Raw
	case "zset":
		items := c.Do("ZRANGE", key, "0", "-1", "WITHSCORES").Strings()
		for i := 1; i < len(items); i += 2 {
			items[i] = harness.SameScore(items[i])
		}
		return strings.Join(items, " ")
	default:
		return kind
	}
}

// TestPayloadsAreExchanged restores what each server dumps in the other, and in itself.
func TestPayloadsAreExchanged(t *testing.T) {
	for _, compression := range []string{"yes", "no"} {
		t.Run("compression "+compression, func(t *testing.T) {
			larder := harness.Start(t, "rdbcompression "+compression).Dial(t)
			redis := harness.StartRedis(t, "rdbcompression "+compression).Dial(t)
			for _, v := range payloads {
				d := duel{larder, redis}
				for _, args := range v.make {
					if a, b := d.do(args); a.Raw != b.Raw || a.IsError() {
						t.Fatalf("%.200q\n  larder %v\n  redis  %v", args, a, b)
					}
				}
				a, b := d.do([]string{"DUMP", v.key})
				if v.exact && a.Raw != b.Raw {
					t.Errorf("DUMP %s\n  larder %v\n  redis  %v", v.key, a, b)
				}
				want := content(redis, v.key)
				for from, payload := range map[string]string{"larder": a.Text, "redis": b.Text} {
					for to, c := range map[string]*harness.Conn{"larder": larder, "redis": redis} {
						copied := fmt.Sprintf("%s from %s", v.key, from)
						if r := c.Do("RESTORE", copied, "0", payload); r.Raw != "+OK\r\n" {
							t.Errorf("RESTORE of %s's %s in %s: %v", from, v.key, to, r)
						} else if got := content(c, copied); got != want {
							t.Errorf("%s in %s is %.300q, want %.300q", copied, to, got, want)
						}
					}
				}
				if x, y := d.do([]string{"OBJECT", "ENCODING", v.key + " from redis"}); x.Raw != y.Raw && !excused(exceptions, []string{"OBJECT", "ENCODING"}, x, y) {
					t.Errorf("encoding of %s\n  larder %v\n  redis  %v", v.key, x, y)
				}
			}
		})
	}
}
