package commands

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// prefixModel does in plain Go what commands do to keys, and counts by prefix.
type prefixModel struct {
	t   *testing.T
	c   *testClient
	rng *rand.Rand

	dbs  []map[string]int64 // expiry times, 0 for none
	db   int
	gone map[string]string // by database's first number and name: how a key went
	ids  []int             // by database, its first number
	rows map[string]*store.PrefixStats
}

const modelDBs = 3

func newPrefixModel(t *testing.T, rng *rand.Rand) *prefixModel {
	m := &prefixModel{t: t, c: newTestClient(t), rng: rng, gone: map[string]string{},
		rows: map[string]*store.PrefixStats{}}
	for db := range modelDBs {
		m.dbs, m.ids = append(m.dbs, map[string]int64{}), append(m.ids, db)
	}
	return m
}

func (m *prefixModel) now() int64 { return m.c.now.UnixMilli() }

func (m *prefixModel) key() string {
	i := m.rng.IntN(60)
	switch i % 10 {
	case 0:
		return "plain" + strconv.Itoa(i)
	case 1:
		return ":" + strconv.Itoa(i)
	case 2:
		return "a-prefix-that-is-longer-than-others:" + strconv.Itoa(i)
	}
	return fmt.Sprint("p", i%10, ":", i, ":x")
}

// row is that of a key's prefix.
func (m *prefixModel) row(key string) *store.PrefixStats {
	prefix, _, ok := strings.Cut(key, ":")
	if !ok {
		prefix = ""
	}
	if m.rows[prefix] == nil {
		m.rows[prefix] = &store.PrefixStats{Name: prefix}
	}
	return m.rows[prefix]
}

func (m *prefixModel) goneKey(db int, key string) string { return fmt.Sprint(m.ids[db], " ", key) }

// live reports whether a key can be seen, and there whether it is in the store at all.
func (m *prefixModel) live(db int, key string) (live, there bool) {
	at, there := m.dbs[db][key]
	return there && (at == 0 || at > m.now()), there
}

// read counts a lookup.
func (m *prefixModel) read(key string) {
	r := m.row(key)
	live, there := m.live(m.db, key)
	if live {
		r.Hits++
		return
	}
	r.Misses++
	reason := m.gone[m.goneKey(m.db, key)]
	if there {
		reason = "expired"
	}
	switch reason {
	case "expired":
		r.Reasons.Expired++
	case "deleted":
		r.Reasons.Deleted++
	default:
		r.Reasons.Never++
	}
}

// write removes the key if its time has come, and reports whether it is there.
func (m *prefixModel) write(db int, key string) bool {
	live, there := m.live(db, key)
	if there && !live {
		m.row(key).Expired++
		m.remove(db, key, "expired")
	}
	return live
}

func (m *prefixModel) remove(db int, key, reason string) {
	delete(m.dbs[db], key)
	m.gone[m.goneKey(db, key)] = reason
}

func (m *prefixModel) set(db int, key string, expire int64) {
	m.write(db, key)
	m.row(key).Sets++
	m.dbs[db][key] = expire
}

func (m *prefixModel) del(db int, key string) {
	if m.write(db, key) {
		m.row(key).Deletes++
		m.remove(db, key, "deleted")
	}
}

// command makes up a command, and says what it does.
func (m *prefixModel) command() (words []string, apply func()) {
	k, to := m.key(), m.key()
	value := strings.Repeat("v", 1+m.rng.IntN(1<<m.rng.IntN(12)))
	at := m.now() + 1024*(1+m.rng.Int64N(20))
	switch m.rng.IntN(16) {
	case 0, 1, 2:
		return []string{"SET", k, value}, func() { m.set(m.db, k, 0) }
	case 3, 4:
		return []string{"SET", k, value, "PXAT", strconv.FormatInt(at, 10)}, func() { m.set(m.db, k, at) }
	case 5, 6:
		return []string{"TTL", k}, func() { m.read(k) }
	case 7:
		return []string{"EXISTS", k}, func() { m.read(k) }
	case 8, 9:
		return []string{"DEL", k}, func() { m.del(m.db, k) }
	case 10:
		return []string{"PEXPIREAT", k, strconv.FormatInt(at, 10)}, func() {
			if m.write(m.db, k) {
				m.dbs[m.db][k] = at
			}
		}
	case 11:
		return []string{"PERSIST", k}, func() {
			if m.write(m.db, k) {
				m.dbs[m.db][k] = 0
			}
		}
	case 12:
		return []string{"RENAME", k, to}, func() { m.rename(k, to) }
	case 13:
		db := m.rng.IntN(modelDBs)
		return []string{"MOVE", k, strconv.Itoa(db)}, func() { m.move(k, db) }
	case 14:
		db := m.rng.IntN(modelDBs)
		return []string{"COPY", k, to, "DB", strconv.Itoa(db), "REPLACE"}, func() { m.copy(k, to, db) }
	}
	return m.collection(k)
}

// collection replaces a key by a collection, sometimes a large one.
func (m *prefixModel) collection(k string) (words []string, apply func()) {
	n := 1 + m.rng.IntN(1<<m.rng.IntN(11))
	words = [][]string{{"RPUSH"}, {"SADD"}, {"HSET"}, {"ZADD"}}[m.rng.IntN(4)]
	words = append(words, k)
	for i := range n {
		if words[0] == "HSET" || words[0] == "ZADD" {
			words = append(words, strconv.Itoa(i))
		}
		words = append(words, fmt.Sprint("element", m.rng.Int64()))
	}
	m.run([]string{"DEL", k}, func() { m.del(m.db, k) }, false)
	return words, func() { m.set(m.db, k, 0) }
}

func (m *prefixModel) rename(k, to string) {
	if !m.write(m.db, k) || k == to {
		return
	}
	at := m.dbs[m.db][k]
	m.set(m.db, to, at)
	m.row(k).Deletes++
	m.remove(m.db, k, "deleted")
}

func (m *prefixModel) move(k string, db int) {
	if db == m.db || !m.write(m.db, k) || m.write(db, k) {
		return
	}
	m.set(db, k, m.dbs[m.db][k])
	m.row(k).Deletes++
	m.remove(m.db, k, "deleted")
}

func (m *prefixModel) copy(k, to string, db int) {
	if db == m.db && k == to {
		return
	}
	m.read(k)
	if live, _ := m.live(m.db, k); live {
		m.set(db, to, m.dbs[m.db][k])
	}
}

// run runs a command, and adds the bytes that it counts for to its keys' rows.
func (m *prefixModel) run(words []string, apply func(), script bool) {
	request := encode(words)
	sent := request
	if script {
		sent = encode(append([]string{"EVAL", "return redis.call(unpack(ARGV))", "1", words[1]}, words...))
	}
	reply := bytes.Clone(m.c.send(sent))
	keys := keysOf(words)
	if !script && reply[0] != '-' {
		m.traffic(keys, len(request), len(reply))
	}
	apply()
}

func keysOf(words []string) []string {
	if words[0] == "RENAME" || words[0] == "COPY" {
		return words[1:3]
	}
	return words[1:2]
}

func (m *prefixModel) traffic(keys []string, in, out int) {
	n := len(keys)
	for i, k := range keys {
		r := m.row(k)
		r.In += int64(in / n)
		r.Out += int64(out / n)
		if i == 0 {
			r.In += int64(in % n)
			r.Out += int64(out % n)
		}
	}
}

// transaction runs some commands inside MULTI and EXEC.
func (m *prefixModel) transaction() {
	m.c.do("MULTI")
	var sizes []int
	var keys [][]string
	var applies []func()
	for range 1 + m.rng.IntN(4) {
		k := m.key()
		words, apply := []string{"SET", k, "v"}, func() { m.set(m.db, k, 0) }
		switch m.rng.IntN(3) {
		case 0:
			words, apply = []string{"TTL", k}, func() { m.read(k) }
		case 1:
			words, apply = []string{"DEL", k}, func() { m.del(m.db, k) }
		}
		if got := m.c.do(words...); got != "+QUEUED" {
			m.t.Fatalf("%q: %s", words, got)
		}
		sizes, keys, applies = append(sizes, len(encode(words))), append(keys, keysOf(words)), append(applies, apply)
	}
	reply := bytes.Clone(m.c.send(encode([]string{"EXEC"})))
	rest := reply[bytes.IndexByte(reply, '\n')+1:]
	for i, apply := range applies {
		n := engine.ReplyLength(rest)
		m.traffic(keys[i], sizes[i], n)
		rest = rest[n:]
		apply()
	}
}

func (m *prefixModel) flush(db int) {
	for k := range m.dbs[db] {
		m.row(k).Deletes++
	}
	m.dbs[db] = map[string]int64{}
}

// step does something at random.
func (m *prefixModel) step() {
	switch m.rng.IntN(200) {
	case 0:
		m.c.do("FLUSHDB")
		m.flush(m.db)
	case 1:
		a, b := m.rng.IntN(modelDBs), m.rng.IntN(modelDBs)
		m.c.do("SWAPDB", strconv.Itoa(a), strconv.Itoa(b))
		m.dbs[a], m.dbs[b] = m.dbs[b], m.dbs[a]
		m.ids[a], m.ids[b] = m.ids[b], m.ids[a]
	case 2:
		m.c.now = m.c.now.Add(time.Duration(1+m.rng.IntN(4)) * 1024 * time.Millisecond)
	case 3:
		m.expire()
	case 4, 5, 6:
		m.db = m.rng.IntN(modelDBs)
		m.c.do("SELECT", strconv.Itoa(m.db))
	case 7, 8, 9, 10:
		m.transaction()
	case 11:
		m.reset()
	default:
		words, apply := m.command()
		m.run(words, apply, m.rng.IntN(10) == 0)
	}
}

// expire has the maintenance remove what has expired.
func (m *prefixModel) expire() {
	m.c.maintain()
	for db := range m.dbs {
		for k := range m.dbs[db] {
			m.write(db, k)
		}
	}
}

func (m *prefixModel) reset() {
	m.c.do("CONFIG", "RESETSTAT")
	for _, r := range m.rows {
		*r = store.PrefixStats{Name: r.Name}
	}
}

// check compares every number.
func (m *prefixModel) check() {
	m.t.Helper()
	for _, r := range m.rows {
		r.Keys, r.Bytes, r.Dated, r.TTL = 0, 0, 0, 0
	}
	left := map[*store.PrefixStats]int64{}
	for db := range m.dbs {
		for k, at := range m.dbs[db] {
			r := m.row(k)
			r.Keys++
			if at != 0 {
				r.Dated++
				left[r] += at - m.now()
			}
		}
		for cursor := uint64(0); ; {
			cursor = m.c.kernel.Store.Scan(db, cursor, 100, 0,
				func(e *store.Entry, name []byte) { m.row(string(name)).Bytes += e.Memory() })
			if cursor == 0 {
				break
			}
		}
	}
	for r, sum := range left {
		r.TTL = max(0, sum/r.Dated)
	}
	seen := 0
	for _, got := range m.c.kernel.Store.Prefixes(m.now()) {
		if got.Other {
			if got != (store.PrefixStats{Other: true}) {
				m.t.Errorf("others: %+v", got)
			}
			continue
		}
		seen++
		want := m.rows[got.Name]
		if want == nil {
			m.t.Fatalf("unknown prefix %q", got.Name)
		}
		if got != *want {
			m.t.Errorf("prefix %q\n got %+v\nwant %+v", got.Name, got, *want)
		}
	}
	if seen != len(m.rows) {
		m.t.Errorf("%d prefixes, want %d", seen, len(m.rows))
	}
}

// Whatever commands do, in all databases, in transactions and scripts, is counted by prefix to the
// unit.
func TestPrefixesAgainstModel(t *testing.T) {
	m := newPrefixModel(t, randtest.New(t))
	for i := range 20000 {
		m.step()
		if i%50 == 0 {
			m.check()
		}
		if t.Failed() {
			t.Fatalf("at step %d", i)
		}
	}
	m.check()
}

// The first key of a prefix is counted for it at once, however it comes into being.
func TestFirstKeys(t *testing.T) {
	c := newTestClient(t)
	c.do("SET", "from:1", "v")
	_, dump, _ := strings.Cut(string(c.send(encode([]string{"DUMP", "from:1"}))), "\r\n")
	first := [][]string{
		{"RPUSH", "list:1", "v"}, {"SADD", "set:1", "v"}, {"HSET", "hash:1", "f", "v"}, {"ZADD", "zset:1", "1", "v"},
		{"APPEND", "append:1", "v"}, {"INCR", "incr:1"}, {"SETRANGE", "range:1", "0", "v"},
		{"COPY", "from:1", "copy:1"},
		{"SUNIONSTORE", "union:1", "set:1"}, {"ZUNIONSTORE", "zunion:1", "1", "zset:1"},
		{"LMOVE", "list:1", "moved:1", "LEFT", "LEFT"},
		{"SMOVE", "set:1", "smoved:1", "v"}, {"SORT", "moved:1", "ALPHA", "STORE", "sorted:1"}, {"MSET", "mset:1", "v"},
		{"RESTORE", "restored:1", "0", strings.TrimSuffix(dump, "\r\n")}, {"RENAME", "copy:1", "renamed:1"},
	}
	for _, words := range first {
		if got := c.do(words...); strings.HasPrefix(got, "-") {
			t.Fatalf("%q: %s", words, got)
		}
		for _, row := range c.kernel.Store.Prefixes(c.now.UnixMilli()) {
			if row.Counting || row.Other && row.Keys != 0 {
				t.Fatalf("after %q: %+v", words, row)
			}
		}
	}
}

// The time to live that a key is restored with belongs to its prefix at once, not to that of the next
// key which is written.
func TestRestoredTimesAreCounted(t *testing.T) {
	c := newTestClient(t)
	c.do("SET", "from:1", strings.Repeat("v", 100))
	_, dump, _ := strings.Cut(string(c.send(encode([]string{"DUMP", "from:1"}))), "\r\n")
	dump = strings.TrimSuffix(dump, "\r\n")
	for i := range 50 {
		if got := c.do("RESTORE", fmt.Sprint("dated:", i), "100000", dump); got != "+OK" {
			t.Fatal(got)
		}
		c.do("SET", fmt.Sprint("undated:", i), "v")
	}
	want := map[string]int64{"from": 0, "dated": 50, "undated": 0}
	for _, row := range c.kernel.Store.Prefixes(c.now.UnixMilli()) {
		if row.Dated != want[row.Name] || want[row.Name] > 0 && row.TTL != 100000 {
			t.Errorf("prefix %q: %d keys with a time to live, of %d ms; want %d", row.Name, row.Dated, row.TTL,
				want[row.Name])
		}
	}
}

// Of keyspace_hits and keyspace_misses every lookup is in some row.
func TestPrefixesSumUp(t *testing.T) {
	m := newPrefixModel(t, randtest.New(t))
	m.c.do("CONFIG", "SET", "prefix-max", "3")
	for range 1000 {
		m.step()
	}
	m.reset()
	for range 1000 {
		k := m.key()
		m.c.do([][]string{{"GET", k}, {"MGET", k, m.key()}, {"SUNION", k, m.key()}, {"SET", k, "v"},
			{"DEL", k}}[m.rng.IntN(5)]...)
	}
	info := m.c.do("INFO", "stats")
	var hits, misses int64
	for _, r := range m.c.kernel.Store.Prefixes(m.now()) {
		hits, misses = hits+r.Hits, misses+r.Misses
		if r.Reasons.Never < 0 {
			t.Errorf("%+v", r)
		}
	}
	for _, line := range []string{fmt.Sprintf("keyspace_hits:%d\r\n", hits),
		fmt.Sprintf("keyspace_misses:%d\r\n", misses)} {
		if !strings.Contains(info, strings.Trim(line, "\r\n")) {
			t.Errorf("no %q in %s", line, info)
		}
	}
}

func TestCacheStats(t *testing.T) {
	c := newTestClient(t)
	c.do("MSET", "user:1", "a", "user:2", "b", "page:1", "c", "plain", "d")
	c.do("GET", "user:1")
	c.do("GET", "user:9")
	c.do("GET", "page:1")
	names := func(words ...string) (list []string) {
		reply := c.do(words...)
		for rest := reply; ; {
			_, after, ok := strings.Cut(rest, `"prefix" "`)
			if !ok {
				return list
			}
			name, tail, _ := strings.Cut(after, `"`)
			list, rest = append(list, name), tail
		}
	}
	for _, tt := range []struct {
		request string
		want    []string
	}{
		{"CACHE.STATS", []string{"", "page", "user", "(other)"}},
		{"CACHE.STATS PREFIX user", []string{"user"}},
		{"CACHE.STATS prefix nobody", nil},
		{"CACHE.STATS TOP 2", []string{"page", "user"}},
		{"CACHE.STATS TOP 1 BY misses", []string{"user"}},
		{"CACHE.STATS TOP 9 BY KEYS", []string{"user", "", "page"}},
	} {
		if got := names(strings.Fields(tt.request)...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q in %s", tt.request, got, tt.want, c.do(strings.Fields(tt.request)...))
		}
	}
	const syntax = "-ERR syntax error, it is CACHE.STATS [PREFIX prefix] [TOP count [BY <HITS | MISSES | BYTES | KEYS>]] [HELP]"
	c.expect("CACHE.STATS BY HITS", syntax)
	c.expect("CACHE.STATS TOP 1 BY name", syntax)
	c.expect("CACHE.STATS TOP 0", "-ERR value is out of range, must be positive")
	c.expect("CACHE.STATS PREFIX", syntax)
	c.do("CONFIG", "SET", "prefix-stats", "no")
	c.expect("CACHE.STATS", "[]")
	if info := c.do("INFO", "prefixes"); !strings.Contains(info, "prefixes_tracked:0") {
		t.Error(info)
	}
}

// INFO shows a row for each prefix, by names that cannot be taken for anything else.
func TestInfoPrefixes(t *testing.T) {
	c := newTestClient(t)
	c.do("MSET", "user:1", "a", "a b\r\nc,=:1", "b")
	c.do("MGET", "user:1", "user:2")
	info := string(c.send([]byte("INFO prefixes\r\n")))
	for _, want := range []string{
		"# Prefixes\r\n", "prefixes_tracked:2\r\n", "prefixes_counting:0\r\n",
		"\r\nprefix_user:keys=1,bytes=", ",hits=1,misses=1,misses_never_set=1,",
		"\r\nprefix_a\\x20b\\x0d\\x0ac\\x2c\\x3d:keys=1,", "\r\nprefixes_other:keys=0,",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in %s", want, info)
		}
	}
	if plain := string(c.send([]byte("INFO all\r\n"))); strings.Contains(plain, "# Prefixes") {
		t.Error("INFO all has the section")
	}
}

// Every row of the reply is a map for RESP3, and a flat list for RESP2.
func TestCacheStatsReply(t *testing.T) {
	c := newTestClient(t)
	c.do("SET", "user:1", "a")
	c.do("GET", "user:1")
	for _, tt := range []struct{ hello, begin, end string }{
		{"2", "*1\r\n*40\r\n$6\r\nprefix\r\n$4\r\nuser\r\n$7\r\ntracked\r\n:1\r\n$4\r\nkeys\r\n:1\r\n",
			"$8\r\nhit_rate\r\n$1\r\n1\r\n"},
		{"3", "*1\r\n%20\r\n$6\r\nprefix\r\n$4\r\nuser\r\n$7\r\ntracked\r\n:1\r\n$4\r\nkeys\r\n:1\r\n",
			"$8\r\nhit_rate\r\n,1\r\n"},
	} {
		c.send(encode([]string{"HELLO", tt.hello}))
		reply := string(c.send(encode([]string{"CACHE.STATS", "PREFIX", "user"})))
		if !strings.HasPrefix(reply, tt.begin) || !strings.HasSuffix(reply, tt.end) {
			t.Errorf("%q", reply)
		}
	}
}

// Bytes of a command with several keys count for the prefix of the key that they are about, what is
// beside for that of the first.
func TestBytesOfSeveralKeys(t *testing.T) {
	c := newTestClient(t)
	big := strings.Repeat("x", 5000)
	bytesOf := func(prefix string, words ...string) (in, out int64) {
		c.do("CONFIG", "RESETSTAT")
		c.do(words...)
		for _, row := range c.kernel.Store.Prefixes(c.now.UnixMilli()) {
			if row.Name == prefix && !row.Other {
				in, out = row.In, row.Out
			}
		}
		return in, out
	}
	for _, tt := range []struct {
		prefix  string
		words   []string
		in, out int
	}{
		{"a", []string{"MSET", "a:1", "v", "b:1", big, "b:2", "w"}, len("*7\r\n$4\r\nMSET\r\n$3\r\na:1\r\n$1\r\nv\r\n"), 3},
		{"b", []string{"MSET", "a:1", "v", "b:1", big, "b:2", "w"}, 2*len("$3\r\nb:1\r\n") + len("$5000\r\n\r\n") + 5000 + len("$1\r\nw\r\n"), 2},
		{"a", []string{"MGET", "a:1", "b:1", "c:none"}, len("*4\r\n$4\r\nMGET\r\n$3\r\na:1\r\n"), len("*3\r\n$1\r\nv\r\n")},
		{"b", []string{"MGET", "a:1", "b:1", "c:none"}, len("$3\r\nb:1\r\n"), len("$5000\r\n\r\n") + 5000},
		{"c", []string{"MGET", "a:1", "b:1", "c:none"}, len("$6\r\nc:none\r\n"), len("$-1\r\n")},
		{"b", []string{"DEL", "a:1", "b:1", "b:2"}, 2 * len("$3\r\nb:1\r\n"), 2},
	} {
		if in, out := bytesOf(tt.prefix, tt.words...); in != int64(tt.in) || out != int64(tt.out) {
			t.Errorf("%.40q: prefix %s %d bytes in and %d out, want %d and %d", tt.words, tt.prefix, in, out, tt.in, tt.out)
		}
	}
}
