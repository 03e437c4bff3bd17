package packets

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// The largest and smallest numbers there are, and what lies beside them.
const (
	most      = "9223372036854775807"
	least     = "-9223372036854775808"
	tooMuch   = "9223372036854775808"
	manyZeros = "00000000000000000000000000000000000000000000000001"
)

// filled makes what the commands below are tried on: a list and a sorted set of either encoding,
// before each try, because many of them change them.
func filled() string {
	var raw strings.Builder
	add := func(args ...string) { raw.WriteString(harness.Encode(args...)) }
	add("FLUSHALL")
	add("RPUSH", "l", "a", "b", "c", "b", "a")
	add("ZADD", "z", "1", "a", "2", "b", "3", "c")
	big := []string{"RPUSH", "L"}
	scored := []string{"ZADD", "Z"}
	for i := range 600 { // answers must be small enough to be sent at once: the client's side ends before they are read
		element := strings.Repeat(string(rune('a'+i%26)), 1+i%40)
		big = append(big, element)
		scored = append(scored, string('0'+rune(i%10))+strings.Repeat("0", i%3), element)
	}
	add(big...)
	add(scored...)
	add("SADD", "s", "1", "2")
	add("SET", "str", "v")
	return raw.String()
}

// overstated are commands with counts, ranks, offsets, scores and waits at the end of what numbers
// can say. KEY becomes a small and a big value's name.
var overstated = []string{
	"LRANGE KEY " + least + " " + most + " | list",
	"LRANGE KEY " + most + " " + most + " | list",
	"LRANGE KEY " + most + " " + least + " | list",
	"LRANGE KEY 0 " + tooMuch + " | list",
	"LINDEX KEY " + least + " | list",
	"LINDEX KEY " + most + " | list",
	"LINDEX KEY " + manyZeros + " | list",
	"LSET KEY " + least + " x | list",
	"LSET KEY " + most + " x | list",
	"LTRIM KEY " + least + " " + most + " | list",
	"LTRIM KEY " + most + " " + least + " | list",
	"LTRIM KEY " + least + " " + least + " | list",
	"LREM KEY " + most + " a | list",
	"LREM KEY " + tooMuch + " a | list",
	"LPOP KEY " + tooMuch + " | list",
	"LPOP KEY -1 | list",
	"LPOP KEY " + least + " | list",
	"LPOP KEY " + most + " | list",
	"RPOP KEY " + most + " | list",
	"LPOP none " + most,
	"LPOS KEY a RANK 0 | list",
	"LPOS KEY a RANK " + most + " | list",
	"LPOS KEY a RANK -" + most + " COUNT 0 | list",
	"LPOS KEY a COUNT " + most + " MAXLEN " + most + " | list",
	"LPOS KEY a COUNT -1 | list",
	"LPOS KEY a MAXLEN " + least + " | list",
	"LPOS KEY a RANK -1 COUNT " + most + " MAXLEN 1 | list",
	"LPOS KEY a RANK | list",
	"LMPOP " + most + " KEY LEFT | list",
	"LMPOP " + tooMuch + " KEY LEFT | list",
	"LMPOP 0 KEY LEFT | list",
	"LMPOP -1 KEY LEFT | list",
	"LMPOP 1 KEY LEFT COUNT " + most + " | list",
	"LMPOP 1 KEY RIGHT COUNT " + least + " | list",
	"LMPOP 1 KEY LEFT COUNT 0 | list",
	"LMPOP 1 KEY LEFT COUNT 1 COUNT 1 | list",
	"LMPOP 2 KEY LEFT | list",
	"BLMPOP 0 " + most + " KEY LEFT | list",
	"BLMPOP nan 1 KEY LEFT | list",
	"BLMPOP 0 1 KEY LEFT COUNT " + most + " | list",
	"BLPOP none -inf",
	"BLPOP none nan",
	"BLPOP none -1",
	"BLPOP none -0.0001",
	"BLPOP none 0x",
	"BLPOP none ''",
	"BLMOVE KEY KEY LEFT RIGHT -1 | list",
	"BLMOVE KEY KEY UP DOWN 0 | list",
	"BRPOPLPUSH none none -1",
	"BZPOPMIN none -5",
	"BZMPOP 0 " + most + " KEY MIN | zset",
	"BZMPOP -1 1 KEY MIN | zset",
	"ZRANGE KEY " + least + " " + most + " | zset",
	"ZRANGE KEY " + most + " " + least + " | zset",
	"ZRANGE KEY 0 " + tooMuch + " | zset",
	"ZRANGE KEY 0 -1 LIMIT 0 1 | zset",
	"ZRANGE KEY -inf +inf BYSCORE LIMIT " + most + " " + most + " | zset",
	"ZRANGE KEY -inf +inf BYSCORE LIMIT 0 " + most + " | zset",
	"ZRANGE KEY -inf +inf BYSCORE LIMIT " + least + " 5 | zset",
	"ZRANGE KEY -inf +inf BYSCORE LIMIT 1 " + least + " | zset",
	"ZRANGE KEY -inf +inf BYSCORE LIMIT " + tooMuch + " 1 | zset",
	"ZRANGE KEY +inf -inf BYSCORE REV LIMIT " + most + " 1 | zset",
	"ZRANGE KEY +inf -inf BYSCORE REV LIMIT 1 " + most + " | zset",
	"ZRANGE KEY nan 5 BYSCORE | zset",
	"ZRANGE KEY (( 5 BYSCORE | zset",
	"ZRANGE KEY ( 5 BYSCORE | zset",
	"ZRANGE KEY - + BYLEX LIMIT " + most + " " + most + " | zset",
	"ZRANGE KEY - + BYLEX LIMIT " + least + " " + least + " | zset",
	"ZRANGE KEY a b BYLEX | zset",
	"ZRANGE KEY + - BYLEX | zset",
	"ZRANGE KEY - + BYLEX BYSCORE | zset",
	"ZRANGE KEY 0 -1 BYLEX WITHSCORES | zset",
	"ZRANGEBYSCORE KEY -inf inf LIMIT " + most + " -1 | zset",
	"ZREVRANGEBYLEX KEY + - LIMIT 1 " + most + " | zset",
	"ZRANGESTORE d KEY " + least + " " + most + " | zset",
	"ZREMRANGEBYRANK KEY " + most + " " + most + " | zset",
	"ZREMRANGEBYRANK KEY " + least + " " + most + " | zset",
	"ZREMRANGEBYSCORE KEY nan nan | zset",
	"ZPOPMIN KEY " + most + " | zset",
	"ZPOPMIN KEY -1 | zset",
	"ZPOPMAX KEY " + tooMuch + " | zset",
	"ZMPOP 1 KEY MIN COUNT " + most + " | zset",
	"ZMPOP " + most + " KEY MIN | zset",
	"ZMPOP 1 KEY MAX COUNT 0 | zset",
	"ZRANDMEMBER KEY " + least + " | zset",
	"ZRANDMEMBER KEY " + least + " WITHSCORES | zset",
	"ZRANDMEMBER KEY -4611686018427387904 WITHSCORES | zset",
	"ZRANDMEMBER KEY " + tooMuch + " | zset",
	"ZRANDMEMBER KEY 0 | zset",
	"ZUNION " + most + " KEY | zset",
	"ZUNION 1 KEY WEIGHTS nan | zset",
	"ZUNION 1 KEY WEIGHTS inf WEIGHTS -inf | zset",
	"ZUNION 2 KEY KEY WEIGHTS inf -inf | zset",
	"ZUNION -1 KEY | zset",
	"ZUNIONSTORE d " + tooMuch + " KEY | zset",
	"ZINTERSTORE d 0 KEY | zset",
	"ZINTERSTORE KEY 1 KEY WEIGHTS 1e308 | zset",
	"ZINTERCARD 1 KEY LIMIT " + most + " | zset",
	"ZINTERCARD 1 KEY LIMIT -1 | zset",
	"ZINTERCARD " + most + " KEY | zset",
	"ZDIFFSTORE d 2 KEY | zset",
	"ZADD KEY nan a | zset",
	"ZADD KEY 1e400 a -1e400 b | zset",
	"ZADD KEY " + strings.Repeat("1", 400) + " a | zset",
	"ZADD KEY 0." + strings.Repeat("0", 5000) + "1 a | zset",
	"ZADD KEY 1 | zset",
	"ZADD KEY NX XX 1 a | zset",
	"ZADD KEY GT LT 1 a | zset",
	"ZADD KEY INCR 1 a 2 b | zset",
	"ZADD KEY INCR inf inf | zset",
	"ZINCRBY KEY nan a | zset",
	"ZINCRBY KEY inf new | zset",
	"ZSCAN none " + tooMuch,
	"ZSCAN none 18446744073709551616",
	"ZSCAN KEY 0 COUNT 0 | zset",
	"ZSCAN KEY 0 COUNT " + least + " | zset",
	"LPUSH KEY | list",
	"LINSERT KEY BESIDE a x | list",
	"LMOVE KEY KEY LEFT | list",
	"SORT KEY LIMIT " + least + " " + most + " ALPHA | list",
	"SORT KEY LIMIT " + most + " " + most + " ALPHA | list",
	"SORT KEY LIMIT 1 " + most + " ALPHA | list",
	"SORT KEY LIMIT " + most + " -1 ALPHA | list",
	"SORT KEY LIMIT 0 " + tooMuch + " ALPHA | list",
	"SORT KEY LIMIT 0 | list",
	"SORT KEY BY | list",
	"SORT KEY ALPHA LIMIT 0 0 BY " + strings.Repeat("*", 5000) + " | list",
	"SORT KEY ALPHA LIMIT 0 0 BY *->" + strings.Repeat("x", 5000) + " | list",
	"SORT KEY ALPHA GET *-> LIMIT 0 3 | list",
	"SORT KEY ALPHA GET -> GET ->* GET * GET *->* GET **->**->** LIMIT 0 2 | list",
	"SORT KEY | list",
	"SORT_RO KEY STORE d | list",
}

// overstatedLater are more of them, which 7.0 answers otherwise than 7.4.
var overstatedLater = []string{
	"LREM KEY " + least + " a | list",
	"LPOS KEY a RANK " + least + " | list",
	"BLPOP none inf",
	"BLPOP none 1e400",
	"BLPOP none " + most,
	"BLPOP none 9223372036854775.807",
	"BLPOP KEY " + most + " | list",
	"BLPOP KEY 1e400 | list",
	"BZPOPMAX KEY " + tooMuch + " | zset",
	"ZADD KEY 0x1p-1074 a | zset",
}

// TestOverstatedNumbers sends them to larder and redis-server, alone and inside a transaction,
// where nothing blocks. What was done to the values must be the same too.
func TestOverstatedNumbers(t *testing.T) {
	// What comes first of equals is not said by Redis, so nothing is sorted by what all elements
	// lack.
	names := map[string][]string{"list": {"l", "L", "z", "str"}, "zset": {"z", "Z", "l", "s"}}
	fresh := filled()
	state := ""
	for _, args := range [][]string{
		{"LRANGE", "l", "0", "-1"}, {"LRANGE", "L", "0", "-1"}, {"ZRANGE", "z", "0", "-1", "WITHSCORES"}, {"ZRANGE", "Z", "0", "-1", "WITHSCORES"},
		{"EXISTS", "l", "L", "z", "Z", "s", "str", "d", "none"}, {"OBJECT", "ENCODING", "L"}, {"OBJECT", "ENCODING", "Z"},
	} {
		state += harness.Encode(args...)
	}
	harness.EachDriverAlone(t, func(t *testing.T, driver string) {
		larder, redis := harness.Start(t, "network-driver "+driver), harness.StartRedis(t)
		compare := func(what, call string) {
			a, b := exchange(t, larder, fresh+call+state), exchange(t, redis, fresh+call+state)
			if same := samePrefix(a, b); a != b {
				t.Errorf("%s\n  larder %s\n  redis  %s", what, shorten(a[same:]), shorten(b[same:]))
			}
		}
		for _, line := range overstated {
			command, kind, _ := strings.Cut(line, " | ")
			tried := names[kind]
			if kind == "" {
				tried = []string{"none"}
			}
			for _, name := range tried {
				args := strings.Fields(command)
				for i, a := range args {
					if a == "KEY" {
						args[i] = name
					}
					if a == "''" {
						args[i] = ""
					}
				}
				call := harness.Encode(args...)
				compare("in MULTI: "+strings.Join(args, " "), harness.Encode("MULTI")+call+harness.Encode("EXEC"))
				if name != "none" || !strings.HasPrefix(command, "B") { // what waits would wait for ever
					compare(strings.Join(args, " "), call)
				}
			}
		}
	})
}

// TestOverstatedNumbersTakeNoMemory: a count is no reason to make room for as many.
func TestOverstatedNumbersTakeNoMemory(t *testing.T) {
	const mayGrow = 48 << 20
	s := harness.StartBinary(t)
	c := s.Dial(t)
	c.WriteRaw(filled())
	for range strings.Count(filled(), "\r\n*") + 1 {
		c.Read()
	}
	before := s.RSS(t)
	for _, line := range slices.Concat(overstated, overstatedLater) {
		command, kind, _ := strings.Cut(line, " | ")
		name := map[string]string{"list": "l", "zset": "z", "": "none"}[kind]
		c.MustOK("MULTI")
		c.Do(strings.Fields(strings.ReplaceAll(command, "KEY", name))...)
		c.Do("EXEC")
		if grown := s.RSS(t) - before; grown > mayGrow {
			t.Fatalf("%s: memory grew by %d bytes", command, grown)
		}
	}
}
