package load

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func testSource() *source {
	rnd := rand.New(rand.NewPCG(1, 2))
	return &source{rnd: rnd,
		draw: func() int { return 99 }, size: func(key int) int { return key }, noise: NewNoise(100),
		ttls: TTL{1500 * time.Millisecond, 1500 * time.Millisecond}}
}

func TestTemplate(t *testing.T) {
	s := testSource()
	for command, want := range map[string]string{
		`PING`:                          "*1\r\n$4\r\nPING\r\n",
		`GET {prefix}key:{key}`:         "*2\r\n$3\r\nGET\r\n$18\r\np:key:000000000003\r\n",
		`MGET {key} x{any}y`:            "*3\r\n$4\r\nMGET\r\n$12\r\n000000000003\r\n$14\r\nx000000000099y\r\n",
		`SET k {value}`:                 "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n" + string(s.noise.At(3, 3)) + "\r\n",
		`SET k <{value}>`:               "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\n<" + string(s.noise.At(3, 3)) + ">\r\n",
		`EXPIRE k {ttl}`:                "*3\r\n$6\r\nEXPIRE\r\n$1\r\nk\r\n$1\r\n2\r\n",
		`PEXPIRE k {ttl_ms}`:            "*3\r\n$7\r\nPEXPIRE\r\n$1\r\nk\r\n$4\r\n1500\r\n",
		`ECHO "a b\r\n{rand:1}"`:        "*2\r\n$4\r\nECHO\r\n$6\r\na b\r\n0\r\n",
		`ECHO ""`:                       "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
		`ECHO '{"id": {rand:1}, {}, }'`: "*2\r\n$4\r\nECHO\r\n$15\r\n{\"id\": 0, {}, }\r\n",
		`ECHO {unknown}{`:               "*2\r\n$4\r\nECHO\r\n$10\r\n{unknown}{\r\n",
	} {
		c, err := compile(command, "p:")
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		if got := string(c.append(nil, s, 3)); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	c, err := compile("ECHO {seq}", "")
	if err != nil {
		t.Fatal(err)
	}
	if first, second := c.append(nil, s, 0), c.append(nil, s, 0); !strings.Contains(string(first), "\r\n1\r\n") ||
		!strings.Contains(string(second), "\r\n2\r\n") {
		t.Errorf("%q, %q", first, second)
	}
	for _, bad := range []string{"", "  ", `GET "a`, "GET {rand:0}", "GET {rand:x}", "GET {rand:}"} {
		if _, err := compile(bad, ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestOperationsAreRequests reads what the operations make as what it is, an array of bulk strings.
func TestOperationsAreRequests(t *testing.T) {
	for _, o := range operations() {
		for _, command := range append(o.fills, o.Command) {
			c, err := compile(command, "p:")
			if err != nil {
				t.Fatal(err)
			}
			b := c.append(nil, testSource(), 7)
			var r reply
			n, whole, err := r.Reply(b)
			if err != nil || !whole || n != len(b) || r.mark != '*' || r.nils > 0 ||
				r.size != len(strings.Fields(command)) {
				t.Errorf("%s: %q (%+v, %v)", command, b, r, err)
			}
		}
		if (o.reads == readsNothing) != (len(o.fills) == 0) {
			t.Errorf("%s reads and has nothing to find, or the reverse", o.Name)
		}
	}
}

func TestParseMix(t *testing.T) {
	for _, tc := range []struct {
		mix  string
		own  []string
		want string
	}{
		{"", nil, "get:90 set:10"},
		{"get", nil, "get:1"},
		{"hgetall:3, zadd:2", nil, "hgetall:3 zadd:2"},
		{"", []string{"a=PING", "b=GET x=y"}, "a:1 b:1"},
		{"get:2,b:5", []string{"a=PING", "b=GET x=y"}, "get:2 b:5"},
		{"gets:1", nil, "there is no operation"},
		{"get:0", nil, "a weight is"},
		{"get:x", nil, "a weight is"},
		{"get,get", nil, "twice"},
		{"get,", nil, "there is no operation"},
		{"", []string{"get=PING"}, "two operations named get"},
		{"", []string{"PING"}, "describes no operation"},
		{"", []string{"a= "}, "describes no operation"},
	} {
		all, err := ParseMix(tc.mix, tc.own)
		var got []string
		for _, o := range all {
			got = append(got, o.Name+":"+grouped(int64(o.Weight)))
		}
		if text := strings.Join(got, " "); err != nil && !strings.Contains(err.Error(), tc.want) || err == nil &&
			text != tc.want {
			t.Errorf("%q %q: %s, %v; want %s", tc.mix, tc.own, text, err, tc.want)
		}
	}
}

// TestMixWeights: operations are drawn as often as their weights say, within five deviations.
func TestMixWeights(t *testing.T) {
	const draws = 100_000
	m := &mix{weights: []int{90, 99, 100}, total: 100}
	rnd := rand.New(rand.NewPCG(3, 4))
	seen := [3]float64{}
	for range draws {
		seen[m.draw(rnd)]++
	}
	for i, want := range []float64{0.9, 0.09, 0.01} {
		if got := seen[i] / draws; got < want-0.005 || got > want+0.005 {
			t.Errorf("operation %d is drawn with a share of %v, want %v", i, got, want)
		}
	}
}

// TestStreamAllocatesNothing: the collector must have no reason to run.
func TestStreamAllocatesNothing(t *testing.T) {
	operations, err := ParseMix("get:50,set:20,hgetall:10,mget:10,zadd:10", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Plan: Plan{Clients: 1, Pipeline: 16, Keys: 1000, Operations: operations, SetMissed: true}}
	r.Choice, _ = ParseChoice("zipf:0.99")
	r.Size, _ = ParseSize("lognormal:100:1:1000")
	r.TTL, _ = ParseTTL("1s-2s")
	if err := r.prepare(); err != nil {
		t.Fatal(err)
	}
	s := r.streams[0]
	s.counting = true
	var b []byte
	answers := []byte("*2\r\n$3\r\nabc\r\n$-1\r\n")
	turn := func() {
		b = b[:0]
		for range r.Pipeline {
			b = s.Next(b)
		}
		for range r.Pipeline {
			for rest := answers; len(rest) > 0; {
				n, _, err := s.Reply(rest)
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			s.Took(time.Millisecond)
		}
	}
	for range 1000 { // buffers grow to what is needed
		turn()
	}
	if n := testing.AllocsPerRun(1000, turn); n != 0 {
		t.Errorf("%v allocations in a batch", n)
	}
}
