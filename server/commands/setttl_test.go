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

func TestMemberTimes(t *testing.T) {
	for _, names := range [][3]string{{"a", "b", "c"}, {"1", "2", "3"}} {
		c := newTestClient(t)
		ex := func(request, want string) {
			t.Helper()
			r := strings.NewReplacer("$a", names[0], "$b", names[1], "$c", names[2])
			c.expect(r.Replace(request), r.Replace(want))
		}
		ex("SADD s $a $b $c", ":3")
		ex("STTL s MEMBERS 2 $a x", "[:-1 :-2]")
		ex("STTL none MEMBERS 2 $a x", "[:-2 :-2]")
		ex("SPEXPIRE s 1500 MEMBERS 2 $a x", "[:1 :-2]")
		ex("OBJECT ENCODING s", `"hashtable"`)
		ex("STTL s MEMBERS 2 $a $b", "[:2 :-1]")
		ex("SPTTL s MEMBERS 1 $a", "[:1500]")
		ex("SEXPIRETIME s MEMBERS 1 $a", "[:1700000002]")
		ex("SPEXPIRETIME s MEMBERS 1 $a", "[:1700000001500]")
		ex("SEXPIRE s 10 NX MEMBERS 2 $a $b", "[:0 :1]")
		ex("SEXPIRE s 20 XX MEMBERS 2 $b $c", "[:1 :0]")
		ex("SEXPIRE s 10 GT MEMBERS 3 $a $b $c", "[:1 :0 :0]")
		ex("SEXPIRE s 15 LT MEMBERS 3 $a $b $c", "[:0 :1 :1]")
		ex("STTL s MEMBERS 3 $a $b $c", "[:10 :15 :15]")
		ex("SPERSIST s MEMBERS 3 $b $b x", "[:1 :-1 :-2]")
		ex("SEXPIREAT s 1 MEMBERS 2 $c $c", "[:2 :-2]")
		ex("SADD s $a", ":0") // keeps its time
		ex("SADD other $a $b z", ":3")
		c.now = c.now.Add(10 * time.Second)
		ex("SISMEMBER s $a", ":0")
		ex("SMISMEMBER s $a $b", "[:0 :1]")
		ex("SMEMBERS s", `["$b"]`)
		ex("SRANDMEMBER s", `"$b"`)
		ex("SRANDMEMBER s 5", `["$b"]`)
		ex("SRANDMEMBER s -2", `["$b" "$b"]`)
		ex("SSCAN s 0", `["0" ["$b"]]`)
		ex("SORT s ALPHA", `["$b"]`)
		ex("SINTER s other", `["$b"]`)
		ex("SINTERCARD 2 other s", ":1")
		ex("SUNIONCARD 1 s", ":1")
		ex("SDIFFCARD 2 other s", ":2")
		ex("SDIFFCARD 2 s none", ":1")
		ex("SUNION s", `["$b"]`)
		ex("SDIFF s none", `["$b"]`)
		ex("ZUNION 1 s WITHSCORES", `["$b" "1"]`)
		ex("SMOVE s other $a", ":0")
		ex("SCARD s", ":2") // until it is removed
		ex("SREM s $a", ":0")
		ex("SCARD s", ":1")
		ex("SPEXPIRE s 5 MEMBERS 1 $b", "[:1]")
		c.now = c.now.Add(5 * time.Millisecond)
		ex("SMEMBERS s", "[]")
		ex("SRANDMEMBER s", "nil")
		ex("SRANDMEMBER s -3", "[]")
		ex("SPOP s", "nil")
		ex("SPOP s 3", "[]")
		ex("SADD s $b", ":1")
		ex("STTL s MEMBERS 1 $b", "[:-1]")
		ex("SEXPIRE s 0 MEMBERS 1 $b", "[:2]")
		ex("EXISTS s", ":0")
	}
}

// TestMembersBringTimes: what is moved, renamed or copied keeps its times, and what is made of sets
// has none.
func TestMembersBringTimes(t *testing.T) {
	c := newTestClient(t)
	c.expect("SADDEX s EX 100 MEMBERS 2 a b", ":2")
	c.expect("SMOVE s d a", ":1")
	c.expect("STTL d MEMBERS 1 a", "[:100]")
	c.expect("SADD d b", ":1")
	c.expect("SMOVE s d b", ":1") // it is there already
	c.expect("STTL d MEMBERS 2 a b", "[:100 :-1]")
	c.expect("COPY d e", ":1")
	c.expect("RENAME e f", "+OK")
	c.expect("STTL f MEMBERS 2 a b", "[:100 :-1]")
	c.expect("SUNIONSTORE u d f", ":2")
	c.expect("STTL u MEMBERS 2 a b", "[:-1 :-1]")
	c.expect("SPEXPIRE d 5 MEMBERS 1 a", "[:1]")
	c.now = c.now.Add(5 * time.Millisecond)
	c.expect("SDIFFSTORE u d none", ":1")
	c.expect("SCARD d", ":1") // it went, since the log has SDIFFSTORE
}

func TestSaddex(t *testing.T) {
	c := newTestClient(t)
	c.expect("SADDEX s EX 100 MEMBERS 2 a b", ":2")
	c.expect("STTL s MEMBERS 2 a b", "[:100 :100]")
	c.expect("SADDEX s MNX EX 5 MEMBERS 2 a c", ":0")
	c.expect("SADDEX s MXX EX 5 MEMBERS 2 a c", ":0")
	c.expect("STTL s MEMBERS 2 a c", "[:100 :-2]")
	c.expect("SADDEX s MXX PX 5000 MEMBERS 1 a", ":0")
	c.expect("SADDEX s MNX PXAT 1700000007000 MEMBERS 2 c c", ":1")
	c.expect("SPTTL s MEMBERS 3 a b c", "[:5000 :100000 :7000]")
	c.expect("SADDEX s KEEPTTL MEMBERS 2 a d", ":1")
	c.expect("STTL s MEMBERS 2 a d", "[:5 :-1]")
	c.expect("SADDEX s MEMBERS 1 a", ":0")
	c.expect("STTL s MEMBERS 1 a", "[:-1]")
	c.expect("SADDEX s EXAT 1 MEMBERS 2 a e", ":1")
	c.expect("SMISMEMBER s a e", "[:0 :0]")
	c.expect("SADDEX n 30 x y x", ":2") // Dragonfly's form
	c.expect("STTL n MEMBERS 2 x y", "[:30 :30]")
	c.expect("SADDEX n KEEPTTL 60 x z", ":1")
	c.expect("STTL n MEMBERS 2 x z", "[:30 :60]")
	c.expect("SADDEX n 90 x", ":0")
	c.expect("STTL n MEMBERS 1 x", "[:90]")
	c.expect("SADDEX w EXAT 1 MEMBERS 1 a", ":1")
	c.expect("EXISTS w", ":0")
}

func TestMemberTimeErrors(t *testing.T) {
	c := newTestClient(t)
	c.expect("SADD h a", ":1")
	c.expect("SET s x", "+OK")
	const wrongType = "WRONGTYPE Operation against a key holding the wrong kind of value"
	for request, want := range map[string]string{
		"SEXPIRE h -1 MEMBERS 1 a":                "ERR invalid expire time, must be >= 0",
		"SEXPIRE h x MEMBERS 1 a":                 "ERR value is not an integer or out of range",
		"SPEXPIREAT h 70368744177664 MEMBERS 1 a": "ERR invalid expire time in 'spexpireat' command",
		"SEXPIRE h 1 NX GT 1 a":                   "ERR Mandatory argument MEMBERS is missing or not at the right position",
		"SEXPIRE h 1 MEMBERS 0 a":                 "ERR Parameter `numMembers` should be greater than 0",
		"SEXPIRE h 1 MEMBERS 2 a":                 "ERR The `nummembers` parameter must match the number of arguments",
		"SADDEX h EX 1 KEEPTTL MEMBERS 1 a":       "ERR Mandatory argument MEMBERS is missing or not at the right position",
		"SADDEX h 0 a":                            "ERR invalid expire time in 'saddex' command",
		"SADDEX h KEEPTTL 5":                      "ERR wrong number of arguments for 'saddex' command",
		"SADDEX s 5 a":                            wrongType,
		"SADDEX s MEMBERS 1 a":                    wrongType,
		"SEXPIRE s 1 MEMBERS 1 a":                 wrongType,
		"STTL s MEMBERS 1 a":                      wrongType,
	} {
		c.expect(request, "-"+want)
	}
	c.expect("SMEMBERS h", `["a"]`)
}

// TestMemberTimesAgainstModel has sets of few and of many members in all commands that write sets,
// while the clock runs and the background work comes and goes.
func TestMemberTimesAgainstModel(t *testing.T) {
	for members, steps := range map[int]int{4: 3000, 40: 1500, 700: 200} {
		t.Run(fmt.Sprint(members, " members"), func(t *testing.T) {
			m := &memberModel{testClient: newTestClient(t), rng: randtest.New(t), members: members, sets: map[string]map[string]int64{}}
			for range steps {
				m.step()
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

// memberModel has for each set when its members expire, 0 for never.
type memberModel struct {
	*testClient
	rng     *rand.Rand
	members int
	sets    map[string]map[string]int64
}

func (m *memberModel) ms() int64 { return m.now.UnixMilli() }

func (m *memberModel) name() string { return fmt.Sprint("s", m.rng.IntN(4)) }

// set is the model of a set, for writing.
func (m *memberModel) set(name string) map[string]int64 {
	if m.sets[name] == nil {
		m.sets[name] = map[string]int64{}
	}
	return m.sets[name]
}

func (m *memberModel) some() (members []string) {
	for range 1 + m.rng.IntN(m.members) {
		members = append(members, fmt.Sprint(m.rng.IntN(m.members)))
	}
	slices.Sort(members)
	return slices.Compact(members)
}

func (m *memberModel) step() {
	m.now = m.now.Add(time.Duration(m.rng.IntN(30)) * time.Millisecond)
	for _, s := range m.sets {
		maps.DeleteFunc(s, func(_ string, at int64) bool { return at != 0 && at <= m.ms() })
	}
	if m.rng.IntN(3) == 0 {
		for range m.rng.IntN(60) {
			m.maintainOnce()
		}
	}
	a, b, c := m.name(), m.name(), m.name()
	members := m.some()
	counted := append([]string{"MEMBERS", fmt.Sprint(len(members))}, members...)
	at := m.ms() + 1 + m.rng.Int64N(200)
	switch m.rng.IntN(14) {
	case 0, 1:
		m.add(a, append([]string{"SADD", a}, members...), members, 0, true)
	case 2:
		m.add(a, append([]string{"SADDEX", a, "PXAT", fmt.Sprint(at)}, counted...), members, at, false)
	case 3:
		m.add(a, append([]string{"SADDEX", a, "KEEPTTL"}, counted...), members, 0, true)
	case 4:
		m.add(a, append([]string{"SADDEX", a}, counted...), members, 0, false)
	case 5, 6, 7:
		m.expire(a, append([]string{"SPEXPIREAT", a, fmt.Sprint(at)}, counted...), members, at)
	case 8:
		m.remove(a, members)
	case 9:
		m.move(a, b, members[0])
	case 10:
		m.combine(a, b, c)
	case 11:
		m.pop(a)
	default:
		m.copy(a, b)
	}
	for _, name := range []string{a, b, c} {
		m.check(name)
	}
}

func (m *memberModel) add(name string, words, members []string, at int64, keep bool) {
	s, added := m.set(name), 0
	for _, member := range members {
		if _, ok := s[member]; !ok {
			added++
		} else if keep {
			continue
		}
		s[member] = at
	}
	m.expect(strings.Join(words, " "), fmt.Sprintf(":%d", added))
}

func (m *memberModel) expire(name string, words, members []string, at int64) {
	var want []string
	for _, member := range members {
		if _, ok := m.sets[name][member]; !ok {
			want = append(want, ":-2")
			continue
		}
		m.sets[name][member] = at
		want = append(want, ":1")
	}
	m.expect(strings.Join(words, " "), "["+strings.Join(want, " ")+"]")
}

func (m *memberModel) remove(name string, members []string) {
	removed := 0
	for _, member := range members {
		if _, ok := m.sets[name][member]; ok {
			removed++
			delete(m.sets[name], member)
		}
	}
	m.expect(strings.Join(append([]string{"SREM", name}, members...), " "), fmt.Sprintf(":%d", removed))
}

func (m *memberModel) move(from, to, member string) {
	at, ok := m.sets[from][member]
	m.expect(fmt.Sprintf("SMOVE %s %s %s", from, to, member), fmt.Sprintf(":%d", count(ok)))
	if !ok || from == to {
		return
	}
	delete(m.sets[from], member)
	if _, there := m.set(to)[member]; !there {
		m.sets[to][member] = at
	}
}

func (m *memberModel) combine(to, a, b string) {
	result := map[string]int64{}
	command := []string{"SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"}[m.rng.IntN(3)]
	for member := range m.sets[a] {
		_, ok := m.sets[b][member]
		if command == "SUNIONSTORE" || ok == (command == "SINTERSTORE") {
			result[member] = 0
		}
	}
	if command == "SUNIONSTORE" {
		for member := range m.sets[b] {
			result[member] = 0
		}
	}
	m.expect(strings.Join([]string{command, to, a, b}, " "), fmt.Sprintf(":%d", len(result)))
	m.sets[to] = result
}

func (m *memberModel) pop(name string) {
	n := 1 + m.rng.IntN(m.members)
	popped := quoted(m.do("SPOP", name, fmt.Sprint(n)))
	if len(popped) != min(n, len(m.sets[name])) {
		m.t.Errorf("SPOP %s %d gave %q of %v", name, n, popped, m.sets[name])
	}
	for _, member := range popped {
		if _, ok := m.sets[name][member]; !ok {
			m.t.Errorf("SPOP gave %s, which is not there", member)
		}
		delete(m.sets[name], member)
	}
}

func (m *memberModel) copy(from, to string) {
	if from == to {
		return
	}
	if m.do("EXISTS", from) == ":0" {
		return
	}
	if m.rng.IntN(2) == 0 {
		m.expect(fmt.Sprintf("COPY %s %s REPLACE", from, to), ":1")
		m.sets[to] = maps.Clone(m.sets[from])
		return
	}
	m.expect(fmt.Sprintf("RENAME %s %s", from, to), "+OK")
	m.sets[to] = m.sets[from]
	delete(m.sets, from)
}

// quoted are the strings of a reply that is a list.
func quoted(reply string) (list []string) {
	for _, word := range strings.Fields(strings.Trim(reply, "[]")) {
		list = append(list, strings.Trim(word, `"`))
	}
	return list
}

func (m *memberModel) check(name string) {
	members := slices.Sorted(maps.Keys(m.sets[name]))
	got := quoted(m.do("SMEMBERS", name))
	if slices.Sort(got); !slices.Equal(got, members) {
		m.t.Errorf("%s has %q, want %q", name, got, members)
	}
	if len(members) == 0 {
		return
	}
	var times []string
	for _, member := range members {
		at := m.sets[name][member]
		if at == 0 {
			at = -1
		}
		times = append(times, fmt.Sprintf(":%d", at))
	}
	m.expect(strings.Join(append([]string{"SPEXPIRETIME", name, "MEMBERS", fmt.Sprint(len(members))}, members...), " "), "["+strings.Join(times, " ")+"]")
	m.expect(fmt.Sprintf("SINTERCARD 2 %s %s", name, name), fmt.Sprintf(":%d", len(members)))
	m.expect(fmt.Sprintf("SUNIONCARD 2 %s none", name), fmt.Sprintf(":%d", len(members)))
}

// TestMemberTimesAreDumped: DUMP and RESTORE, in a payload of few members and of many.
func TestMemberTimesAreDumped(t *testing.T) {
	for _, n := range []int{3, 3000} {
		c := newTestClient(t)
		for i := range n {
			c.do("SADD", "h", fmt.Sprint("member number ", i))
		}
		c.do("SPEXPIRE", "h", "5000", "MEMBERS", "2", "member number 0", "member number 1")
		c.do("SPEXPIRE", "h", "100", "MEMBERS", "1", "member number 2")
		payload, err := strconv.Unquote(c.do("DUMP", "h"))
		if err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(100 * time.Millisecond)
		if reply := c.do("RESTORE", "g", "0", payload); reply != "+OK" {
			t.Fatal(reply)
		}
		if got := c.do("SPTTL", "g", "MEMBERS", "3", "member number 0", "member number 1", "member number 2"); got != "[:4900 :4900 :-2]" {
			t.Error(got)
		}
		c.expect("SCARD g", fmt.Sprintf(":%d", n-1))
	}
}

func TestMemberTimesDoNotAllocate(t *testing.T) {
	c := newTestClient(t)
	for _, words := range [][]string{
		{"SADDEX", "", "EX", "100", "MEMBERS", "2", "a", "b"}, {"SPEXPIRE", "", "100000", "MEMBERS", "1", "a"}, {"STTL", "", "MEMBERS", "2", "a", "x"},
		{"SPERSIST", "", "MEMBERS", "1", "b"}, {"SISMEMBER", "", "a"}, {"SADD", "", "a", "b"}, {"SMEMBERS", ""}, {"SADDEX", "", "100", "a"},
	} {
		testHotBatch(t, c, words)
	}
}

// TestElementsThatExpireAreChanges: a member or field that is removed since its time has come discards the
// transaction of who watches its key; one whose time has come but that is still there does not, as nothing has
// changed the key since. The key that goes with its last element has changed as well.
func TestElementsThatExpireAreChanges(t *testing.T) {
	for _, test := range []struct{ add, expire, read string }{
		{"SADD k a b", "SPEXPIRE k 100 MEMBERS 1 a", "SISMEMBER k a"},
		{"SADD k a", "SPEXPIRE k 100 MEMBERS 1 a", "SISMEMBER k a"},
		{"HSET k a 1 b 2", "HPEXPIRE k 100 FIELDS 1 a", "HGET k a"},
		{"HSET k a 1", "HPEXPIRE k 100 FIELDS 1 a", "HGET k a"},
	} {
		for _, removed := range []bool{false, true} {
			c := newTestClient(t)
			c.do(strings.Fields(test.add)...)
			c.do(strings.Fields(test.expire)...)
			c.expect("WATCH k", "+OK")
			c.now = c.now.Add(time.Second)
			c.do(strings.Fields(test.read)...) // hides it, and removes nothing
			if removed {
				c.maintain()
			}
			c.expect("MULTI", "+OK")
			c.expect("PING", "+QUEUED")
			want := "[+PONG]"
			if removed {
				want = "nil"
			}
			c.expect("EXEC", want)
		}
	}
}
