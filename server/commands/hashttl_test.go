package commands

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

func TestFieldTimes(t *testing.T) {
	c := newTestClient(t)
	c.expect("HSET h a 1 b 2 c 3", ":3")
	c.expect("HTTL h FIELDS 2 a x", "[:-1 :-2]")
	c.expect("HTTL none FIELDS 2 a x", "[:-2 :-2]")
	c.expect("OBJECT ENCODING h", `"listpack"`)
	c.expect("HPEXPIRE h 1500 FIELDS 2 a x", "[:1 :-2]")
	c.expect("OBJECT ENCODING h", `"hashtable"`)
	c.expect("HTTL h FIELDS 2 a b", "[:2 :-1]")
	c.expect("HPTTL h FIELDS 1 a", "[:1500]")
	c.expect("HEXPIRETIME h FIELDS 1 a", "[:1700000002]")
	c.expect("HPEXPIRETIME h FIELDS 1 a", "[:1700000001500]")
	c.expect("HEXPIRE h 10 NX FIELDS 2 a b", "[:0 :1]")
	c.expect("HEXPIRE h 20 XX FIELDS 2 b c", "[:1 :0]")
	c.expect("HEXPIRE h 10 GT FIELDS 3 a b c", "[:1 :0 :0]")
	c.expect("HEXPIRE h 15 LT FIELDS 3 a b c", "[:0 :1 :1]")
	c.expect("HTTL h FIELDS 3 a b c", "[:10 :15 :15]")
	c.expect("HPERSIST h FIELDS 3 b b x", "[:1 :-1 :-2]")
	c.expect("HPERSIST none FIELDS 1 b", "[:-2]")
	c.expect("HEXPIREAT h 1 FIELDS 2 c c", "[:2 :-2]")
	c.expect("HLEN h", ":2")
	c.now = c.now.Add(10 * time.Second)
	c.expect("HGET h a", "nil")
	c.expect("HMGET h a b", `[nil "2"]`)
	c.expect("HGETALL h", `["b" "2"]`)
	c.expect("HKEYS h", `["b"]`)
	c.expect("HVALS h", `["2"]`)
	c.expect("HEXISTS h a", ":0")
	c.expect("HSTRLEN h a", ":0")
	c.expect("HRANDFIELD h", `"b"`)
	c.expect("HRANDFIELD h 5", `["b"]`)
	c.expect("HRANDFIELD h -2", `["b" "b"]`)
	c.expect("HSCAN h 0", `["0" ["b" "2"]]`)
	c.expect("HTTL h FIELDS 1 a", "[:-2]")
	c.expect("HEXPIRE h 10 FIELDS 1 a", "[:-2]")
	c.expect("HLEN h", ":2") // until it is removed
	c.expect("HDEL h a", ":0")
	c.expect("HLEN h", ":1")
	c.expect("HPEXPIRE h 5 FIELDS 1 b", "[:1]")
	c.now = c.now.Add(5 * time.Millisecond)
	c.expect("HGETALL h", "[]")
	c.expect("HRANDFIELD h", "nil")
	c.expect("HRANDFIELD h -3", "[]")
	c.expect("HSETNX h b 3", ":1")
	c.expect("HTTL h FIELDS 1 b", "[:-1]")
	c.expect("HEXPIRE h 0 FIELDS 1 b", "[:2]")
	c.expect("EXISTS h", ":0")
}

// TestSettingFieldTimes: what takes a field's time to live away, and what keeps it.
func TestSettingFieldTimes(t *testing.T) {
	c := newTestClient(t)
	c.expect("HSETEX h EX 100 FIELDS 2 a 1 b 2", ":1")
	c.expect("HTTL h FIELDS 2 a b", "[:100 :100]")
	c.expect("HINCRBY h a 1", ":2")
	c.expect("HINCRBYFLOAT h b 0.5", `"2.5"`)
	c.expect("HTTL h FIELDS 2 a b", "[:100 :100]")
	c.expect("HSET h a 5", ":0")
	c.expect("HTTL h FIELDS 2 a b", "[:-1 :100]")
	c.expect("HSETEX h KEEPTTL FIELDS 2 b 7 c 8", ":1")
	c.expect("HTTL h FIELDS 3 a b c", "[:-1 :100 :-1]")
	c.expect("HSETEX h FIELDS 1 b 9", ":1")
	c.expect("HTTL h FIELDS 1 b", "[:-1]")
	c.expect("HSETEX h FNX EX 5 FIELDS 2 d 1 a 1", ":0")
	c.expect("HSETEX h FXX EX 5 FIELDS 2 d 1 a 1", ":0")
	c.expect("HSETEX h FXX PX 5000 FIELDS 2 a 1 b 1", ":1")
	c.expect("HSETEX h FNX PXAT 1700000007000 FIELDS 2 d 1 d 2", ":1")
	c.expect("HPTTL h FIELDS 3 a b d", "[:5000 :5000 :7000]")
	c.expect("HGETEX h FIELDS 2 a x", `["1" nil]`)
	c.expect("HGETEX h EX 9 FIELDS 2 a x", `["1" nil]`)
	c.expect("HGETEX h PERSIST FIELDS 2 b c", `["1" "8"]`)
	c.expect("HTTL h FIELDS 3 a b c", "[:9 :-1 :-1]")
	c.expect("HGETEX h EXAT 1 FIELDS 1 a", `["1"]`)
	c.expect("HEXISTS h a", ":0")
	c.expect("HGETDEL h FIELDS 3 b b x", `["1" nil nil]`)
	c.expect("HGETDEL none FIELDS 1 b", "[nil]")
	c.expect("HGETDEL h FIELDS 2 c d", `["8" "2"]`)
	c.expect("EXISTS h", ":0")
	c.expect("HSETEX h EXAT 1 FIELDS 2 a 1 b 2", ":1")
	c.expect("EXISTS h", ":0")
	c.expect("HSETEX n PX 10 FIELDS 1 a 5", ":1")
	c.now = c.now.Add(10 * time.Millisecond)
	c.expect("HINCRBY n a 1", ":1")
	c.expect("HTTL n FIELDS 1 a", "[:-1]")
}

func TestFieldTimeErrors(t *testing.T) {
	c := newTestClient(t)
	c.expect("HSET h a 1", ":1")
	c.expect("SET s x", "+OK")
	for request, want := range map[string]string{
		"HEXPIRE h -1 FIELDS 1 a":                "ERR invalid expire time, must be >= 0",
		"HEXPIRE h x FIELDS 1 a":                 "ERR value is not an integer or out of range",
		"HEXPIRE h 99999999999999 FIELDS 1 a":    "ERR invalid expire time in 'hexpire' command",
		"HPEXPIREAT h 70368744177664 FIELDS 1 a": "ERR invalid expire time in 'hpexpireat' command",
		"HEXPIRE h 1 NX GT 1 a":                  "ERR Mandatory argument FIELDS is missing or not at the right position",
		"HEXPIRE h 1 FIELDS 0 a":                 "ERR Parameter `numFields` should be greater than 0",
		"HEXPIRE h 1 FIELDS x a":                 "ERR Parameter `numFields` should be greater than 0",
		"HEXPIRE h 1 FIELDS 2 a":                 "ERR The `numfields` parameter must match the number of arguments",
		"HTTL h FIELDS 1 a b":                    "ERR The `numfields` parameter must match the number of arguments",
		"HTTL h FOO 1 a":                         "ERR Mandatory argument FIELDS is missing or not at the right position",
		"HSETEX h FIELDS 1 a b c":                "ERR The `numfields` parameter must match the number of arguments",
		"HSETEX h FNX FXX FIELDS 1 a b":          "ERR Mandatory argument FIELDS is missing or not at the right position",
		"HGETEX h EX -1 FIELDS 1 a":              "ERR invalid expire time, must be >= 0",
		"HGETEX h EX 1 PERSIST FIELDS 1 a":       "ERR Mandatory argument FIELDS is missing or not at the right position",
		"HEXPIRE s 1 FIELDS 1 a":                 "WRONGTYPE Operation against a key holding the wrong kind of value",
		"HTTL s FIELDS 1 a":                      "WRONGTYPE Operation against a key holding the wrong kind of value",
		"HGETDEL s FIELDS 1 a":                   "WRONGTYPE Operation against a key holding the wrong kind of value",
		"HSETEX s FIELDS 1 a b":                  "WRONGTYPE Operation against a key holding the wrong kind of value",
	} {
		c.expect(request, "-"+want)
	}
	c.expect("HGETALL h", `["a" "1"]`)
}

// timedField is a field of the model: its value, and when it expires, 0 for never.
type timedField struct {
	value string
	at    int64
}

// TestFieldTimesAgainstModel has hashes of few and of many fields, that are renamed, copied and
// dumped, while the clock runs and the background work comes and goes.
func TestFieldTimesAgainstModel(t *testing.T) {
	for fields, steps := range map[int]int{4: 3000, 40: 1000, 1500: 150} {
		t.Run(fmt.Sprint(fields, " fields"), func(t *testing.T) {
			m := &fieldModel{testClient: newTestClient(t), rng: randtest.New(t), fields: fields, hashes: map[string]map[string]timedField{}}
			for range steps {
				m.step()
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

type fieldModel struct {
	*testClient
	rng    *rand.Rand
	fields int
	hashes map[string]map[string]timedField
}

func (m *fieldModel) ms() int64 { return m.now.UnixMilli() }

// forget removes what has expired.
func (m *fieldModel) forget() {
	for name, h := range m.hashes {
		maps.DeleteFunc(h, func(_ string, f timedField) bool { return f.at != 0 && f.at <= m.ms() })
		if len(h) == 0 {
			delete(m.hashes, name)
		}
	}
}

func (m *fieldModel) step() {
	m.now = m.now.Add(time.Duration(m.rng.IntN(30)) * time.Millisecond)
	m.forget()
	if m.rng.IntN(3) == 0 {
		for range m.rng.IntN(60) {
			m.maintainOnce()
		}
	}
	name, other := fmt.Sprint("h", m.rng.IntN(3)), fmt.Sprint("h", m.rng.IntN(3))
	switch m.rng.IntN(12) {
	case 0:
		if m.do("EXISTS", name) == ":1" {
			m.do("RENAME", name, other)
			h := m.hashes[name]
			delete(m.hashes, name)
			delete(m.hashes, other)
			if h != nil {
				m.hashes[other] = h
			}
		}
	case 1:
		if m.do("COPY", name, other, "REPLACE") == ":1" {
			delete(m.hashes, other)
			if m.hashes[name] != nil {
				m.hashes[other] = maps.Clone(m.hashes[name])
			}
		}
	case 2, 3, 4:
		m.set(name, "HSET", name)
	case 5, 6, 7, 8:
		m.expire(name)
	case 9:
		m.take(name)
	case 10:
		m.set(name, "HSETEX", name, "KEEPTTL", "FIELDS")
	default:
		m.sweepAll()
	}
	m.check(name)
	m.check(other)
}

// some draws fields.
func (m *fieldModel) some() (fields []string) {
	for range 1 + m.rng.IntN(m.fields) {
		fields = append(fields, fmt.Sprint("f", m.rng.IntN(m.fields)))
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

func (m *fieldModel) set(name string, words ...string) {
	fields, keeps := m.some(), words[0] == "HSETEX"
	if keeps {
		words = append(words, strconv.Itoa(len(fields)))
	}
	if m.hashes[name] == nil {
		m.hashes[name] = map[string]timedField{}
	}
	for _, f := range fields {
		v := timedField{value: strconv.Itoa(m.rng.IntN(1000))}
		if keeps {
			v.at = m.hashes[name][f].at
		}
		m.hashes[name][f] = v
		words = append(words, f, v.value)
	}
	m.do(words...)
}

func (m *fieldModel) expire(name string) {
	fields, at := m.some(), m.ms()+1+m.rng.Int64N(200)
	words := append([]string{"HPEXPIREAT", name, fmt.Sprint(at), "FIELDS", fmt.Sprint(len(fields))}, fields...)
	persist := m.rng.IntN(4) == 0
	if persist {
		at, words = 0, append([]string{"HPERSIST", name, "FIELDS", fmt.Sprint(len(fields))}, fields...)
	}
	var want []string
	for _, f := range fields {
		v, ok := m.hashes[name][f]
		switch {
		case !ok:
			want = append(want, ":-2")
			continue
		case persist && v.at == 0:
			want = append(want, ":-1")
		default:
			want = append(want, ":1")
		}
		m.hashes[name][f] = timedField{v.value, at}
	}
	m.expect(strings.Join(words, " "), "["+strings.Join(want, " ")+"]")
}

func (m *fieldModel) take(name string) {
	fields := m.some()
	var want []string
	for _, f := range fields {
		if v, ok := m.hashes[name][f]; ok {
			want = append(want, strconv.Quote(v.value))
		} else {
			want = append(want, "nil")
		}
		delete(m.hashes[name], f)
	}
	m.expect(strings.Join(append([]string{"HGETDEL", name, "FIELDS", fmt.Sprint(len(fields))}, fields...), " "), "["+strings.Join(want, " ")+"]")
	m.forget()
}

// sweepAll lets the background work remove everything that is due: what has expired more than a tick,
// 32 ms, ago. Then nothing is left of hashes whose fields have all expired.
func (m *fieldModel) sweepAll() {
	m.now = m.now.Add(50 * time.Millisecond)
	most := map[string]int{}
	for name, h := range m.hashes {
		for _, f := range h {
			most[name] += count(f.at == 0 || f.at > m.ms()-32)
		}
	}
	m.forget()
	for rounds := 0; rounds < 2; { // the first has begun before, perhaps
		rounds += count(!m.maintainOnce())
	}
	for _, name := range []string{"h0", "h1", "h2"} {
		n, err := strconv.Atoi(m.do("HLEN", name)[1:])
		if err != nil || n < len(m.hashes[name]) || n > most[name] {
			m.t.Errorf("HLEN %s is %d, want %d to %d", name, n, len(m.hashes[name]), most[name])
		}
		m.expect("EXISTS "+name, fmt.Sprintf(":%d", count(n > 0)))
	}
}

func (m *fieldModel) check(name string) {
	var fields, values, times []string
	for _, f := range slices.Sorted(maps.Keys(m.hashes[name])) {
		v := m.hashes[name][f]
		fields, values = append(fields, f), append(values, strconv.Quote(v.value))
		if v.at == 0 {
			v.at = -1
		}
		times = append(times, fmt.Sprintf(":%d", v.at))
	}
	got := strings.Fields(strings.Trim(m.do("HKEYS", name), "[]"))
	for i := range got {
		got[i] = strings.Trim(got[i], `"`)
	}
	if slices.Sort(got); !slices.Equal(got, fields) {
		m.t.Errorf("%s has %d fields, want %d", name, len(got), len(fields))
	}
	if len(fields) == 0 {
		return
	}
	m.expect(strings.Join(append([]string{"HMGET", name}, fields...), " "), "["+strings.Join(values, " ")+"]")
	m.expect(strings.Join(append([]string{"HPEXPIRETIME", name, "FIELDS", fmt.Sprint(len(fields))}, fields...), " "), "["+strings.Join(times, " ")+"]")
}

// TestFieldTimesAreDumped: DUMP and RESTORE, in a payload of few fields and of many.
func TestFieldTimesAreDumped(t *testing.T) {
	for _, n := range []int{3, 3000} {
		c := newTestClient(t)
		for i := range n {
			c.do("HSET", "h", fmt.Sprint("f", i), "value")
		}
		c.expect("HPEXPIRE h 5000 FIELDS 2 f0 f1", "[:1 :1]")
		c.expect("HPEXPIRE h 100 FIELDS 1 f2", "[:1]")
		payload, err := strconv.Unquote(c.do("DUMP", "h"))
		if err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(100 * time.Millisecond)
		if reply := c.do("RESTORE", "g", "0", payload); reply != "+OK" {
			t.Fatal(reply)
		}
		c.expect("HPTTL g FIELDS 3 f0 f1 f2", "[:4900 :4900 :-2]")
		c.expect("HLEN g", fmt.Sprintf(":%d", n-1))
	}
}

func TestFieldTimesDoNotAllocate(t *testing.T) {
	c := newTestClient(t)
	for _, words := range [][]string{
		{"HSETEX", "", "EX", "100", "FIELDS", "2", "a", "1", "b", "2"}, {"HPEXPIRE", "", "100000", "FIELDS", "1", "a"}, {"HTTL", "", "FIELDS", "2", "a", "x"},
		{"HGETEX", "", "EX", "100", "FIELDS", "1", "a"}, {"HPERSIST", "", "FIELDS", "1", "b"}, {"HSET", "", "b", "3"}, {"HGETALL", ""},
	} {
		testHotBatch(t, c, words)
	}
}
