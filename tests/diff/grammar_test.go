package diff

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The grammar: for each command the shape of its valid calls. UPPER CASE words are sent as they
// are, lower case words name a generator below, [a] is optional, (a|b) is a choice, {a} is repeated
// one to four times. Brackets stand alone between spaces.
//
// compare says what of the replies must be equal; see generate_test.go for the modes beyond those
// of the scripts.
var grammar = []struct {
	call    string
	compare compare
}{
	// strings
	{"SET key value [ ( NX | XX ) ] [ GET ] [ ( EX ttl | PX msttl | EXAT at | PXAT msat | KEEPTTL ) ]", same},
	{"SET strkey value", same},
	{"SET strkey int", same},
	{"GET key", same},
	{"GETDEL key", same},
	{"GETEX key [ ( EX ttl | PX msttl | EXAT at | PXAT msat | PERSIST ) ]", same},
	{"GETSET key value", same},
	{"GETRANGE key index index", same},
	{"SUBSTR key index index", same},
	{"SETRANGE key offset value", same},
	{"APPEND key value", same},
	{"STRLEN key", same},
	{"MGET { key }", same},
	{"MSET { key value }", same},
	{"MSETNX { key value }", same},
	{"SETNX key value", same},
	{"SETEX key ttl value", same},
	{"PSETEX key msttl value", same},
	{"INCR key", same},
	{"DECR key", same},
	{"INCRBY key int", same},
	{"DECRBY key int", same},
	{"INCRBYFLOAT key float", same},
	{"LCS key key [ LEN ] [ IDX ] [ MINMATCHLEN small ] [ WITHMATCHLEN ]", same},
	// hashes
	{"HSET key { field value }", same},
	{"HSET hashkey { field int }", same},
	{"HMSET key { field value }", same},
	{"HSETNX key field value", same},
	{"HGET key field", same},
	{"HMGET key { field }", same},
	{"HGETALL key", samePairs},
	{"HDEL key { field }", same},
	{"HLEN key", same},
	{"HSTRLEN key field", same},
	{"HEXISTS key field", same},
	{"HKEYS key", sameSet},
	{"HVALS key", sameSet},
	{"HINCRBY key field int", same},
	{"HINCRBYFLOAT key field float", same},
	{"HRANDFIELD key [ count [ WITHVALUES ] ]", random},
	{"HSCAN key 0 [ MATCH pattern ] [ COUNT small ]", scan},
	{"HSCAN key cursor [ MATCH pattern ] [ COUNT small ]", scan},
	// sets
	{"SADD key { member }", same},
	{"SADD setkey { int }", same},
	{"SADD setkey { member }", same},
	{"SREM key { member }", same},
	{"SMEMBERS key", sameSet},
	{"SISMEMBER key member", same},
	{"SMISMEMBER key { member }", same},
	{"SCARD key", same},
	{"SPOP key [ count ]", popped},
	{"SRANDMEMBER key [ count ]", random},
	{"SMOVE key key member", same},
	{"SINTER { key }", sameSet},
	{"SINTERCARD 2 key key [ LIMIT small ]", same},
	{"SINTERCARD small { key } [ LIMIT small ]", same},
	{"SINTERSTORE key { key }", same},
	{"SUNION { key }", sameSet},
	{"SUNIONSTORE key { key }", same},
	{"SDIFF { key }", sameSet},
	{"SDIFFSTORE key { key }", same},
	{"SSCAN key 0 [ MATCH pattern ] [ COUNT small ]", scan},
	{"SSCAN key cursor [ MATCH pattern ] [ COUNT small ]", scan},
	// lists
	{"LPUSH key { member }", same},
	{"RPUSH key { member }", same},
	{"RPUSH listkey { value }", same},
	{"LPUSH listkey { int }", same},
	{"LPUSHX key { member }", same},
	{"RPUSHX key { member }", same},
	{"LPOP key [ count ]", same},
	{"RPOP key [ count ]", same},
	{"LLEN key", same},
	{"LINDEX key index", same},
	{"LINSERT key ( BEFORE | AFTER ) member member", same},
	{"LINSERT listkey ( BEFORE | AFTER ) member value", same},
	{"LSET key index member", same},
	{"LSET listkey index value", same},
	{"LRANGE key index index", same},
	{"LREM key count member", same},
	{"LTRIM key index index", same},
	{"LPOS key member [ RANK count ] [ COUNT small ] [ MAXLEN small ]", same},
	{"LMOVE key key ( LEFT | RIGHT ) ( LEFT | RIGHT )", same},
	{"RPOPLPUSH key key", same},
	{"LMPOP small { key } ( LEFT | RIGHT ) [ COUNT small ]", same},
	{"LMPOP 2 key key ( LEFT | RIGHT ) [ COUNT small ]", same},
	{"BLPOP { key } moment", same},
	{"BRPOP { key } moment", same},
	{"BLMOVE key key ( LEFT | RIGHT ) ( LEFT | RIGHT ) moment", same},
	{"BRPOPLPUSH key key moment", same},
	{"BLMPOP moment 2 key key ( LEFT | RIGHT ) [ COUNT small ]", same},
	{"BLMPOP moment small { key } ( LEFT | RIGHT ) [ COUNT small ]", same},
	// sorted sets
	{"ZADD key [ ( NX | XX ) ] [ ( GT | LT ) ] [ CH ] { score member }", same},
	{"ZADD zsetkey { score member }", same},
	{"ZADD zsetkey { score member }", same},
	{"ZADD key [ ( NX | XX | GT | LT | CH ) ] INCR score member", same},
	{"ZINCRBY key score member", same},
	{"ZREM key { member }", same},
	{"ZCARD key", same},
	{"ZSCORE key member", same},
	{"ZMSCORE key { member }", same},
	{"ZRANK key member", same},
	{"ZREVRANK key member", same},
	{"ZRANGE key index index [ WITHSCORES ] [ REV ]", same},
	{"ZRANGE key bound bound BYSCORE [ REV ] [ LIMIT index index ] [ WITHSCORES ]", same},
	{"ZRANGE lexkey lexbound lexbound BYLEX [ REV ] [ LIMIT index index ]", same},
	{"ZRANGE key lexbound lexbound BYLEX [ REV ] [ LIMIT index index ]", sameKindOnly}, // with different scores what comes out is chance
	{"ZREVRANGE key index index [ WITHSCORES ]", same},
	{"ZRANGEBYSCORE key bound bound [ WITHSCORES ] [ LIMIT index index ]", same},
	{"ZREVRANGEBYSCORE key bound bound [ WITHSCORES ] [ LIMIT index index ]", same},
	{"ZRANGEBYLEX lexkey lexbound lexbound [ LIMIT index index ]", same},
	{"ZREVRANGEBYLEX lexkey lexbound lexbound [ LIMIT index index ]", same},
	{"ZCOUNT key bound bound", same},
	{"ZLEXCOUNT lexkey lexbound lexbound", same},
	{"ZLEXCOUNT key lexbound lexbound", sameKindOnly},
	{"ZADD lexkey { 0 member }", same},
	{"ZADD lexkey { 0 member }", same},
	{"ZREMRANGEBYLEX lexkey lexbound lexbound", same},
	{"ZREMRANGEBYRANK key index index", same},
	{"ZREMRANGEBYSCORE key bound bound", same},
	{"ZPOPMIN key [ small ]", same},
	{"ZPOPMAX key [ small ]", same},
	{"ZMPOP small { key } ( MIN | MAX ) [ COUNT small ]", same},
	{"ZMPOP 2 key key ( MIN | MAX ) [ COUNT small ]", same},
	{"BZPOPMIN { key } moment", same},
	{"BZPOPMAX { key } moment", same},
	{"BZMPOP moment 2 key key ( MIN | MAX ) [ COUNT small ]", same},
	{"BZMPOP moment small { key } ( MIN | MAX ) [ COUNT small ]", same},
	{"ZRANGESTORE key key index index [ REV ]", same},
	{"ZRANGESTORE key key bound bound BYSCORE [ REV ] [ LIMIT index index ]", same},
	{"ZRANGESTORE key lexkey lexbound lexbound BYLEX [ REV ] [ LIMIT index index ]", same},
	{"ZRANDMEMBER key [ count [ WITHSCORES ] ]", random},
	{"ZUNION 2 anykey key [ WEIGHTS score score ] [ AGGREGATE ( SUM | MIN | MAX ) ] [ WITHSCORES ]", same},
	{"ZUNION small { key } [ WITHSCORES ]", same},
	{"ZINTER 2 anykey key [ WEIGHTS score score ] [ AGGREGATE ( SUM | MIN | MAX ) ] [ WITHSCORES ]", same},
	{"ZDIFF 2 anykey key [ WITHSCORES ]", same},
	{"ZINTERCARD 2 anykey key [ LIMIT small ]", same},
	{"ZUNIONSTORE key 2 anykey key [ WEIGHTS score score ] [ AGGREGATE ( SUM | MIN | MAX ) ]", same},
	{"ZUNIONSTORE key small { key }", same},
	{"ZINTERSTORE key 2 anykey key [ WEIGHTS score score ] [ AGGREGATE ( SUM | MIN | MAX ) ]", same},
	{"ZDIFFSTORE key 2 anykey key", same},
	{"ZSCAN key 0 [ MATCH pattern ] [ COUNT small ]", scan},
	{"ZSCAN key cursor [ MATCH pattern ] [ COUNT small ]", scan},
	// sorting: the order of equals is not said by Redis where texts of other keys are compared, nor
	// that of a set without an order
	{"SORT key ALPHA [ ( ASC | DESC ) ] [ LIMIT index index ] [ GET # GET sortpattern ]", same},
	{"SORT key ALPHA [ LIMIT index index ] [ GET sortpattern ] [ GET # ] STORE key", same},
	{"SORT key [ BY sortpattern ] [ ( ASC | DESC ) ] [ LIMIT index index ] [ GET sortpattern ]", same},
	{"SORT zsetkey BY nosort [ DESC ] [ LIMIT index index ] [ GET sortpattern ]", sameSet},
	{"SORT listkey BY nosort [ DESC ] [ LIMIT index index ]", sameSet},
	{"SORT_RO key ALPHA [ DESC ] [ LIMIT index index ] [ GET # ]", same},
	// keys
	{"DEL { key }", same},
	{"UNLINK { key }", same},
	{"EXISTS { key }", same},
	{"TYPE key", same},
	{"TOUCH { key }", same},
	{"EXPIRE key ttl [ ( NX | XX | GT | LT ) ]", same},
	{"PEXPIRE key msttl [ ( NX | XX | GT | LT ) ]", same},
	{"EXPIREAT key at [ ( NX | XX | GT | LT ) ]", same},
	{"PEXPIREAT key msat [ ( NX | XX | GT | LT ) ]", same},
	{"TTL key", sameNear},
	{"PTTL key", sameNear},
	{"EXPIRETIME key", sameNear},
	{"PEXPIRETIME key", sameNear},
	{"PERSIST key", same},
	{"RENAME key key", same},
	{"RENAMENX key key", same},
	{"COPY key key [ DB db ] [ REPLACE ]", same},
	{"MOVE key db", same},
	{"KEYS pattern", sameSet},
	{"SCAN 0 [ MATCH pattern ] [ COUNT small ] [ TYPE type ]", scan},
	{"SCAN cursor [ MATCH pattern ] [ COUNT small ] [ TYPE type ]", scan},
	{"RANDOMKEY", random},
	{"OBJECT ENCODING key", same},
	{"OBJECT FREQ key", same},
	{"OBJECT REFCOUNT key", sameKindOnly},
	{"OBJECT IDLETIME key", sameKindOnly}, // redis-server stamps with a clock that stands still while the machine is busy
	{"MEMORY USAGE key [ SAMPLES small ]", sameKindOnly},
	// connection, transactions, server
	{"PING [ value ]", same},
	{"ECHO value", same},
	{"PUBLISH member value", same},
	{"SPUBLISH member value", same},
	{"PUBSUB CHANNELS [ pattern ]", same},
	{"PUBSUB NUMSUB member member", same},
	{"SELECT db", same},
	{"CLIENT GETNAME", same},
	{"CLIENT TRACKING OFF [ BCAST ] [ { PREFIX key } ] [ OPTIN ] [ OPTOUT ] [ NOLOOP ]", same},
	{"CLIENT CACHING ( YES | NO )", same},
	{"CLIENT TRACKINGINFO", same},
	{"CLIENT GETREDIR", same},
	{"CLIENT SETNAME member", same},
	{"CLIENT ID", sameKindOnly},
	{"DBSIZE", same},
	{"FLUSHDB ASYNC", rare},
	{"SWAPDB db db", same},
	{"COMMAND GETKEYS SET key value", same},
	{"COMMAND GETKEYS MSET { key value }", same},
	{"COMMAND GETKEYS SINTERCARD small { key }", same},
	{"COMMAND GETKEYS LMPOP small { key } LEFT", same},
	{"COMMAND GETKEYS RENAME key key", same},
	{"COMMAND GETKEYS SORT key [ BY sortpattern ] [ LIMIT index index ] [ GET sortpattern ] STORE key", same},
	{"COMMAND GETKEYSANDFLAGS SET key value [ GET ]", same},
	{"COMMAND GETKEYSANDFLAGS SMOVE key key member", same},
	{"COMMAND COUNT", sameKindOnly},
	{"TIME", sameKindOnly},
	{"CONFIG GET hz", same},
	{"CONFIG SET hz small", same},
	{"CONFIG SET hash-max-listpack-entries small", same},
	{"CONFIG SET hash-max-listpack-value small", same},
	{"CONFIG SET set-max-intset-entries small", same},
	{"CONFIG SET list-max-listpack-size count", same},
	{"CONFIG SET zset-max-listpack-entries small", same},
	{"CONFIG SET zset-max-listpack-value small", same},
	{"WATCH { key }", same},
	{"UNWATCH", same},
	{"MULTI", transaction},
	{"EXEC", same},
	{"DISCARD", same},
}

// compare is how the replies to a generated call are held against each other.
type compare uint8

const (
	same         compare = iota
	sameSet              // elements in any order
	samePairs            // pairs in any order
	sameNear             // times
	sameKindOnly         // the type of the reply
	random               // of the same shape; what larder drew is there
	popped               // like random; then the key is deleted, for the two servers drew differently
	scan                 // a scan to the end yields the same elements
	rare                 // compared like same, but drawn seldom
	transaction          // MULTI, a few calls, EXEC
)

// drawer draws calls. Few keys, so that calls meet; each prefers a type, so that many calls
// succeed.
type drawer struct {
	*rand.Rand
	now time.Time
}

var (
	strKeys  = []string{"s1", "s2", "s3", "s4"}
	hashKeys = []string{"h1", "h2", "h3"}
	setKeys  = []string{"t1", "t2", "t3"}
	listKeys = []string{"l1", "l2", "l3"}
	zsetKeys = []string{"z1", "z2", "z3"}
	lexKeys  = []string{"n1", "n2"} // sorted sets whose scores are all 0
	sortable = slices.Concat(setKeys, listKeys, zsetKeys)
	oddKeys  = []string{"", "\x00", "none", "a key", "k\r\n", "{tag}x", "\xff\xfe"}
	members  = []string{"a", "b", "c", "d", "e", "1", "2", "3", "-7", "300", "70000", "5000000000", "", "01", "x\x00y", "\r\n", "member", "9223372036854775807"}
	values   = []string{"", "v", "hello world", "\x00\xff\r\n", "0", "-1", "42", "3.14", "1e5", " 1", "01", "nan", "inf", "9223372036854775807",
		"-9223372036854775808", "9223372036854775808", strings.Repeat("x", 44), strings.Repeat("y", 45), strings.Repeat("z", 64), strings.Repeat("w", 65), strings.Repeat("long", 500)}
	// nasty replaces an argument of any meaning
	nasty = []string{"", "0", "-1", "1", "-0", "+1", "01", " 1", "1 ", "1.0", "1.5", "0x10", "1e3", "abc", "NaN", "inf", "-inf", "\x00", "\r\n", "*", "(1", "[a",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "4294967296",
		"2147483648", "536870912", "9223372036854775", "9223372036854776", "NX", "XX", "GET", "EX", "PX", "KEEPTTL", "MATCH", "COUNT", "LIMIT", "TYPE", "DB", "REPLACE",
		"WITHVALUES", "WITHSCORES", "BYLEX", "REV", "INCR", "WEIGHTS", "GT", "LT", "PERSIST", "LEN", "IDX", "1e400", "0.1", "-5.5e-10", "99999999999999999999999999", strings.Repeat("9", 400)}
)

func (d *drawer) pick(from []string) string { return from[d.IntN(len(from))] }

func (d *drawer) key(preferred []string) string {
	switch n := d.IntN(100); {
	case n < 75:
		return d.pick(preferred)
	case n < 95:
		return d.pick([][]string{strKeys, hashKeys, setKeys, listKeys, zsetKeys}[d.IntN(5)])
	}
	return d.pick(oddKeys)
}

func (d *drawer) between(lo, hi int64) string { return strconv.FormatInt(lo+d.Int64N(hi-lo+1), 10) }

// word draws what a lower case word of the grammar names.
func (d *drawer) word(name, command string) string {
	switch name {
	case "key":
		return d.key(keysFor(command))
	case "strkey":
		return d.pick(strKeys)
	case "hashkey":
		return d.pick(hashKeys)
	case "setkey":
		return d.pick(setKeys)
	case "listkey":
		return d.pick(listKeys)
	case "zsetkey":
		return d.pick(zsetKeys)
	case "lexkey":
		return d.pick(lexKeys)
	case "anykey":
		return d.pick([][]string{setKeys, zsetKeys, zsetKeys, lexKeys}[d.IntN(4)])
	case "score", "bound":
		return d.score(name == "bound")
	case "lexbound":
		return d.pick([]string{"-", "+", "[", "(", "[a", "(b", "[d", "(01", "[3", "[member", "(\xff", "[70000"})
	case "value":
		return d.pick(values)
	case "field", "member":
		return d.pick(members)
	case "int":
		if d.IntN(8) == 0 {
			return d.pick(nasty)
		}
		return d.between(-1000, 100000)
	case "float":
		if d.IntN(8) == 0 {
			return d.pick(nasty)
		}
		return strconv.FormatFloat(float64(d.IntN(2_000_000)-1_000_000)/float64([]int{1, 4, 10, 1000}[d.IntN(4)]), 'g', -1, 64)
	case "index":
		return d.between(-50, 50)
	case "offset":
		return d.between(-1, 100)
	case "moment": // that a call waits for, if nobody gives it anything
		return []string{"0.001", "1e-3", "0.0021", "0x0.01p0", "nan", "-1", "1e400x"}[d.IntN(7)]
	case "small", "cursor":
		return d.between(0, 6)
	case "count":
		return d.between(-20, 20)
	case "db":
		return d.between(0, 2)
	case "type":
		return d.pick([]string{"string", "hash", "set", "list", "zset", "STRING", "none"})
	case "sortpattern":
		return d.pick([]string{"#", "*", "s*", "h*->a", "h*->1", "*->b", "const", "**", "s*->", "t*", "l*->a->"})
	case "pattern":
		return d.pick([]string{"*", "s*", "?1", "[hsz]*", "[^s]*", "t[1-2]", "nomatch", "a", "[a-c]", "\\*", "*a*"})
	}
	return d.time(name, command)
}

// score draws scores that all versions print alike, and ends of ranges of them.
func (d *drawer) score(bound bool) string {
	s := strconv.FormatFloat(float64(d.IntN(200)-100)/float64([]int{1, 1, 1, 2, 4}[d.IntN(5)]), 'g', -1, 64)
	switch d.IntN(12) {
	case 0:
		s = d.pick([]string{"inf", "-inf", "+inf", "1e5", "-0", "1e15", "9007199254740992", "-123456789", "0.0009765625", "0x10"})
	case 1:
		if bound {
			s = d.pick([]string{"", "-inf", "inf", "1e400", " 5", "nan", "5 "})
		}
	}
	if bound && d.IntN(4) == 0 {
		s = "(" + s
	}
	return s
}

// time draws times of expiry: at once, or far away. Nothing may expire between the calls on the two
// servers. SET with a time in the past leaves an expired key, which DBSIZE counts until somebody
// removes it: no two servers do that at the same moment.
func (d *drawer) time(name, command string) string {
	const soon, far = 1000, 1_000_000 // seconds
	var unit, base int64 = 1, 0
	if strings.HasPrefix(name, "ms") {
		unit = 1000
	}
	if strings.HasSuffix(name, "at") {
		base = d.now.Unix()
	}
	if d.IntN(10) == 0 && (base == 0 || command != "SET") {
		return strconv.FormatInt((base-far-d.Int64N(soon))*unit, 10)
	}
	return strconv.FormatInt((base+soon+d.Int64N(far))*unit+d.Int64N(unit), 10)
}

// keysFor is the kind of keys that suit a command.
func keysFor(command string) []string {
	switch {
	case strings.HasPrefix(command, "SORT"):
		return sortable
	case command == "HMSET" || command[0] == 'H':
		return hashKeys
	case command[0] == 'Z', strings.HasPrefix(command, "BZ"):
		return zsetKeys
	case strings.HasPrefix(command, "SET") || command == "SUBSTR" || command == "STRLEN":
		return strKeys
	case command[0] == 'S':
		return setKeys
	case command != "LCS" && command[0] == 'L', strings.HasPrefix(command, "RP"), strings.HasPrefix(command, "BL"), strings.HasPrefix(command, "BR"):
		return listKeys
	}
	return strKeys
}

// draw makes one call from a row of the grammar.
func (d *drawer) draw(call string) []string {
	tokens := strings.Fields(call)
	args, rest := d.sequence(tokens, tokens[0], true)
	if len(rest) > 0 {
		panic("BUG: unbalanced brackets in the grammar: " + call)
	}
	return args
}

// sequence draws tokens up to the bracket that closes them. emit=false skips them.
func (d *drawer) sequence(tokens []string, command string, emit bool) (args, rest []string) {
	for len(tokens) > 0 {
		t := tokens[0]
		tokens = tokens[1:]
		var more []string
		switch t {
		case "]", "}", ")", "|":
			return args, append([]string{t}, tokens...)
		case "[":
			more, tokens = d.sequence(tokens, command, emit && d.IntN(2) == 0)
			tokens = tokens[1:]
		case "{":
			start := tokens
			for range 1 + d.IntN(4) {
				var once []string
				once, tokens = d.sequence(start, command, emit)
				more = append(more, once...)
			}
			tokens = tokens[1:]
		case "(":
			more, tokens = d.choice(tokens, command, emit)
		default:
			if t == strings.ToLower(t) && (t[0] < '0' || t[0] > '9') && !literal(t) {
				t = d.word(t, command)
			}
			more = []string{t}
		}
		if emit {
			args = append(args, more...)
		}
	}
	return args, nil
}

// literal tells the lower case words that are parameter names and not generators.
func literal(t string) bool { return t == "hz" || strings.Contains(t, "-max-") }

func (d *drawer) choice(tokens []string, command string, emit bool) (args, rest []string) {
	var options [][]string
	for {
		var one []string
		one, tokens = d.sequence(tokens, command, emit)
		options = append(options, one)
		end := tokens[0]
		tokens = tokens[1:]
		if end == ")" {
			return options[d.IntN(len(options))], tokens
		}
	}
}

// damage makes a call wrong, or at least odd: one argument fewer or more, swapped, doubled, nasty;
// letters in another case.
func (d *drawer) damage(args []string) []string {
	out := append([]string(nil), args...)
	if len(out) == 1 {
		return append(out, d.pick(nasty))
	}
	i := 1 + d.IntN(len(out)-1)
	switch d.IntN(7) {
	case 0:
		return out[:i]
	case 1:
		return append(out[:i], out[i+1:]...)
	case 2:
		return append(out, out[i])
	case 3:
		return append(out, d.pick(nasty))
	case 4:
		j := 1 + d.IntN(len(out)-1)
		out[i], out[j] = out[j], out[i]
	case 5:
		out[0] = strings.ToLower(out[0])
		if len(out) > 3 {
			out[3] = strings.ToLower(out[3])
		}
	default:
		out[i] = d.pick(nasty)
	}
	return out
}

func TestGrammarDraws(t *testing.T) {
	d := &drawer{rand.New(rand.NewPCG(1, 1)), time.Unix(1_700_000_000, 0)}
	for _, row := range grammar {
		for range 50 {
			args := d.draw(row.call)
			if !strings.HasPrefix(row.call, args[0]) {
				t.Fatalf("%s: drew %q", row.call, args)
			}
		}
	}
}
