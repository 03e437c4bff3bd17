package crash

import (
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
	items map[string]string // of a hash; of a set, with empty values

	// When it expires, in Unix milliseconds: a range, as a relative time counts from a moment that only the server knows; 0 is never.
	earliest, latest int64
}

func (r *record) clone() *record {
	c := *r
	c.items = maps.Clone(r.items)
	return &c
}

// matches tells whether this is what a server holds under the key.
func (r *record) matches(v harness.Value) bool {
	if v.Type != r.kind {
		return false
	}
	if r.earliest == 0 && v.ExpireAt != -1 || r.earliest != 0 && (v.ExpireAt < r.earliest || v.ExpireAt > r.latest) {
		return false
	}
	if r.kind == "string" {
		return v.Data == r.text
	}
	lines := make([]string, 0, len(r.items))
	for item, value := range r.items {
		line := strconv.Quote(item)
		if r.kind == "hash" {
			line += " " + strconv.Quote(value)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return v.Data == strings.Join(lines, "\n")
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

// differs tells whether a server holds something else than the state under a name. Keys of milliseconds may have gone.
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

// apply executes a command that is sent at a given time and returns the reply that it must get. The commands are those that generate draws.
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
	any := func() string { return key([]string{"text", "count", "hash", "set"}[rng.IntN(4)]) }
	item, value := strconv.Itoa(rng.IntN(25)), fmt.Sprintf("%d.%s", n, strings.Repeat("v", rng.IntN(60)))
	at := strconv.FormatInt(farFuture+int64(n), 10)
	switch rng.IntN(18) {
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
		if kind := []string{"text", "hash", "set"}[rng.IntN(3)]; rng.IntN(3) == 0 {
			return []string{"RENAME", key(kind), key(kind)}
		}
		return []string{"DEL", any()}
	case 16:
		if rng.IntN(2) == 0 {
			return []string{"EXPIRE", any(), strconv.Itoa(100_000 + n)}
		}
		return []string{"PEXPIREAT", any(), at}
	}
	return []string{"PERSIST", any()}
}
