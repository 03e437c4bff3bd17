package crash

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// record is what a key holds.
type record struct {
	kind  string            // as TYPE says
	text  string            // of a string
	items map[string]string // of a hash; of a set, with empty values; of a sorted set, its scores
	list  []string

	// When it expires, in Unix milliseconds: a range, as a relative time counts from a moment that
	// only the server knows; 0 is never.
	earliest, latest int64
}

func (r *record) clone() *record {
	c := *r
	c.items, c.list = maps.Clone(r.items), slices.Clone(r.list)
	return &c
}

// matches reports whether this is what a server holds under the key.
func (r *record) matches(v harness.Value) bool {
	if v.Type != r.kind {
		return false
	}
	if r.earliest == 0 && v.ExpireAt != -1 || r.earliest != 0 && (v.ExpireAt < r.earliest || v.ExpireAt > r.latest) {
		return false
	}
	return v.Data == r.data()
}

// data is the value in the form that harness.Value has.
func (r *record) data() string {
	lines := make([]string, 0, len(r.items)+len(r.list))
	switch r.kind {
	case "string":
		return r.text
	case "hash":
		for field, value := range r.items {
			lines = append(lines, strconv.Quote(field)+" "+strconv.Quote(value))
		}
		slices.Sort(lines)
	case "set":
		for member := range r.items {
			lines = append(lines, strconv.Quote(member))
		}
		slices.Sort(lines)
	case "list":
		for _, element := range r.list {
			lines = append(lines, strconv.Quote(element))
		}
	case "zset":
		for _, member := range r.ranked() {
			lines = append(lines, strconv.Quote(member)+" "+r.items[member])
		}
	default:
		panic("BUG: the model does not know a " + r.kind)
	}
	return strings.Join(lines, "\n")
}

// score is that of a member, 0 if there is none. All scores are whole numbers.
func (r *record) score(member string) int {
	n, _ := strconv.Atoi(r.items[member])
	return n
}

// ranked are the members of a sorted set in its order.
func (r *record) ranked() []string {
	return slices.SortedFunc(maps.Keys(r.items), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.score(a), r.score(b)), cmp.Compare(a, b))
	})
}

// state is the keys of one client.
type state map[string]*record

func (s state) clone() state {
	c := state{}
	for name, r := range s {
		c[name] = r.clone()
	}
	return c
}

// differs reports whether a server holds something else than the state under a name. Keys of
// milliseconds may have gone.
func (s state) differs(name string, held map[string]harness.Value) bool {
	r, want := s[name]
	v, found := held[name]
	if !found {
		return want && !fleeting(name)
	}
	return !want || !r.matches(v)
}

func fleeting(name string) bool { return strings.Contains(name, ":fleeting:") }

// of returns the record of a key, made if it is missing.
func (s state) of(name, kind string) *record {
	r := s[name]
	if r == nil {
		r = &record{kind: kind, items: map[string]string{}}
		s[name] = r
	}
	return r
}

// apply executes a command that is sent at a given time and returns the reply that it must get. The
// commands are those that generate draws.
func (s state) apply(args []string, sent time.Time) string {
	name := args[1]
	integer := func(n int) string { return ":" + strconv.Itoa(n) + "\r\n" }
	truth := func(b bool) string {
		if b {
			return ":1\r\n"
		}
		return ":0\r\n"
	}
	r, exists := s[name]
	switch args[0] {
	case "SET":
		n := &record{kind: "string", text: args[2], items: map[string]string{}}
		s[name] = n
		if len(args) == 5 {
			n.expire(args[3], args[4], sent)
		}
		return "+OK\r\n"
	case "APPEND":
		r = s.of(name, "string")
		r.text += args[2]
		return integer(len(r.text))
	case "INCR":
		r = s.of(name, "string")
		n, _ := strconv.Atoi(r.text)
		r.text = strconv.Itoa(n + 1)
		return integer(n + 1)
	case "DEL":
		delete(s, name)
		return truth(exists)
	case "HSET", "SADD":
		kind, value := "hash", ""
		if args[0] == "SADD" {
			kind = "set"
		} else {
			value = args[3]
		}
		r = s.of(name, kind)
		_, known := r.items[args[2]]
		r.items[args[2]] = value
		return truth(!known)
	case "HDEL", "SREM":
		if !exists {
			return truth(false)
		}
		_, known := r.items[args[2]]
		if delete(r.items, args[2]); len(r.items) == 0 {
			delete(s, name)
		}
		return truth(known)
	case "RPUSH", "LPUSH", "LPOP", "RPOP", "LTRIM":
		return s.applyList(args)
	case "ZADD", "ZINCRBY", "ZREM", "ZPOPMIN":
		return s.applyZset(args)
	case "EXPIRE":
		if exists {
			r.expire("EX", args[2], sent)
		}
		return truth(exists)
	case "PEXPIREAT":
		if exists {
			r.expire("PXAT", args[2], sent)
		}
		return truth(exists)
	case "PERSIST":
		had := exists && r.earliest != 0
		if had {
			r.earliest, r.latest = 0, 0
		}
		return truth(had)
	case "RENAME":
		if !exists {
			return "-ERR no such key\r\n"
		}
		delete(s, name)
		s[args[2]] = r
		return "+OK\r\n"
	}
	panic("BUG: the model does not know " + args[0])
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// applyList is apply for the commands of lists.
func (s state) applyList(args []string) string {
	name := args[1]
	r, exists := s[name]
	switch args[0] {
	case "RPUSH", "LPUSH":
		r = s.of(name, "list")
		if args[0] == "RPUSH" {
			r.list = append(r.list, args[2])
		} else {
			r.list = slices.Insert(r.list, 0, args[2])
		}
		return fmt.Sprintf(":%d\r\n", len(r.list))
	case "LPOP", "RPOP":
		if !exists {
			return "$-1\r\n"
		}
		i := 0
		if args[0] == "RPOP" {
			i = len(r.list) - 1
		}
		element := r.list[i]
		r.list = slices.Delete(r.list, i, i+1)
		s.dropEmpty(name)
		return bulk(element)
	case "LTRIM": // from 1 or from 0, to an index from the front
		if exists {
			start, _ := strconv.Atoi(args[2])
			stop, _ := strconv.Atoi(args[3])
			r.list = slices.Clone(r.list[min(start, len(r.list)):min(stop+1, len(r.list))])
			s.dropEmpty(name)
		}
		return "+OK\r\n"
	}
	panic("BUG: the model does not know " + args[0])
}

// applyZset is apply for the commands of sorted sets.
func (s state) applyZset(args []string) string {
	name := args[1]
	r, exists := s[name]
	switch args[0] {
	case "ZADD":
		r = s.of(name, "zset")
		_, known := r.items[args[3]]
		r.items[args[3]] = args[2]
		if known {
			return ":0\r\n"
		}
		return ":1\r\n"
	case "ZINCRBY":
		r = s.of(name, "zset")
		n, _ := strconv.Atoi(args[2])
		r.items[args[3]] = strconv.Itoa(r.score(args[3]) + n)
		return bulk(r.items[args[3]])
	case "ZREM":
		if !exists || r.items[args[2]] == "" {
			return ":0\r\n"
		}
		delete(r.items, args[2])
		s.dropEmpty(name)
		return ":1\r\n"
	case "ZPOPMIN":
		if !exists {
			return "*0\r\n"
		}
		member := r.ranked()[0]
		reply := "*2\r\n" + bulk(member) + bulk(r.items[member])
		delete(r.items, member)
		s.dropEmpty(name)
		return reply
	}
	panic("BUG: the model does not know " + args[0])
}

// dropEmpty removes a collection with nothing in it.
func (s state) dropEmpty(name string) {
	if r := s[name]; len(r.items) == 0 && len(r.list) == 0 {
		delete(s, name)
	}
}

// slack is how late after it was sent a command may be executed.
const slack = time.Minute

func (r *record) expire(unit, number string, sent time.Time) {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	switch unit {
	case "PXAT":
		r.earliest, r.latest = n, n
		return
	case "EX":
		n *= 1000
	}
	r.earliest = sent.UnixMilli() + n
	r.latest = r.earliest + slack.Milliseconds()
}

// operation is what takes effect at once: a command, or the commands of a transaction.
type operation struct {
	commands    [][]string
	transaction bool
	wants       string // the replies
	sent, acked time.Time
}

// wire is how the operation is sent.
func (o *operation) wire() string {
	var b strings.Builder
	if o.transaction {
		b.WriteString(harness.Encode("MULTI"))
	}
	for _, args := range o.commands {
		b.WriteString(harness.Encode(args...))
	}
	if o.transaction {
		b.WriteString(harness.Encode("EXEC"))
	}
	return b.String()
}

// replies is the number of replies to the operation.
func (o *operation) replies() int {
	if o.transaction {
		return len(o.commands) + 2
	}
	return len(o.commands)
}

// generate draws an operation of client id; n makes its values different from all others.
func generate(rng *rand.Rand, id, n int) *operation {
	o := &operation{commands: [][]string{command(rng, id, n)}}
	if rng.IntN(4) == 0 {
		o.transaction = true
		for range rng.IntN(4) {
			o.commands = append(o.commands, command(rng, id, n))
		}
	}
	return o
}

// farFuture is a time of expiry beyond every test, in Unix milliseconds.
const farFuture = 4_102_444_800_000

func command(rng *rand.Rand, id, n int) []string {
	key := func(kind string) string { return fmt.Sprintf("%d:%s:%d", id, kind, rng.IntN(20)) }
	any := func() string { return key([]string{"text", "count", "hash", "set", "list", "zset"}[rng.IntN(6)]) }
	item, value := strconv.Itoa(rng.IntN(25)), fmt.Sprintf("%d.%s", n, strings.Repeat("v", rng.IntN(60)))
	at := strconv.FormatInt(farFuture+int64(n), 10)
	switch rng.IntN(28) {
	case 0, 1:
		return []string{"SET", key("text"), value}
	case 2:
		return []string{"SET", key("text"), value, "PXAT", at}
	case 3:
		return []string{"SET", key("text"), value, "EX", strconv.Itoa(100_000 + n)}
	case 4:
		return []string{"SET", key("fleeting"), value, "PX", strconv.Itoa(1 + rng.IntN(30))}
	case 5:
		return []string{"APPEND", key("text"), "+" + strconv.Itoa(n)}
	case 6, 7, 8:
		return []string{"INCR", key("count")}
	case 9, 10:
		return []string{"HSET", key("hash"), item, value}
	case 11:
		return []string{"HDEL", key("hash"), item}
	case 12, 13:
		return []string{"SADD", key("set"), item}
	case 14:
		return []string{"SREM", key("set"), item}
	case 15:
		if kind := []string{"text", "hash", "set", "list", "zset"}[rng.IntN(5)]; rng.IntN(3) == 0 {
			return []string{"RENAME", key(kind), key(kind)}
		}
		return []string{"DEL", any()}
	case 16:
		if rng.IntN(2) == 0 {
			return []string{"EXPIRE", any(), strconv.Itoa(100_000 + n)}
		}
		return []string{"PEXPIREAT", any(), at}
	case 17, 18, 19:
		return []string{"RPUSH", key("list"), value}
	case 20:
		return []string{"LPUSH", key("list"), value}
	case 21:
		return []string{[]string{"LPOP", "RPOP"}[rng.IntN(2)], key("list")}
	case 22:
		return []string{"LTRIM", key("list"), strconv.Itoa(rng.IntN(2)), strconv.Itoa(rng.IntN(200))}
	case 23, 24:
		return []string{"ZADD", key("zset"), strconv.Itoa(n - rng.IntN(100)), item}
	case 25:
		return []string{"ZINCRBY", key("zset"), strconv.Itoa(n % 7), item}
	case 26:
		if rng.IntN(2) == 0 {
			return []string{"ZPOPMIN", key("zset")}
		}
		return []string{"ZREM", key("zset"), item}
	}
	return []string{"PERSIST", any()}
}
