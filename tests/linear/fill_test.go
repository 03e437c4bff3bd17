package linear

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// leaseCall is one operation on one key, of a client that may have a token.
type leaseCall struct {
	op    string // read, wait, fill, fail, set, del, invalidate, stale, leave
	key   string
	value string // of fill and set
	token int64  // of fill, fail and leave
}

// leaseReply is what came back.
type leaseReply struct {
	value, state string // of read and wait
	token        int64  // likewise, 0: none
	ok           bool   // the fill was taken, the lease held, the key there or touched
}

// leased is the model: one key and its lease. Every value that is filled in has a tag of the key's own.
type leased struct {
	value         string // "": none
	tagged, stale bool
	token         int64 // of the lease; 0: nobody holds it
	spoilt        bool  // the tag was invalidated since: no fill is taken
}

// leaseModel checks values, states and tokens: what is read is what was stored last, a lease has one holder,
// and a fill is taken exactly if nothing has ended its lease. patient says that some wait: then a reader
// may be refused a lease that nobody holds, because it is somebody's turn who waits.
func leaseModel(patient bool) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
			byKey := map[string][]porcupine.Operation{}
			for _, o := range history {
				k := o.Input.(leaseCall).key
				byKey[k] = append(byKey[k], o)
			}
			for _, p := range byKey {
				parts = append(parts, p)
			}
			return parts
		},
		Init: func() any { return leased{} },
		Step: func(state, input, output any) (bool, any) {
			s, out := state.(leased), output.(leaseReply)
			ok := s.step(input.(leaseCall), out, patient)
			return ok, s
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
}

// step reports whether a reply is right, and makes s the state behind it.
func (s *leased) step(in leaseCall, out leaseReply, patient bool) bool {
	switch in.op {
	case "read", "wait":
		return s.read(in, out, patient)
	case "fill":
		held := in.token != 0 && in.token == s.token
		if good := held && !s.spoilt; out.ok != good {
			return false
		}
		if out.ok {
			s.value, s.tagged, s.stale = in.value, true, false
		}
		if held {
			s.token, s.spoilt = 0, false
		}
		return true
	case "fail", "leave":
		held := in.token != 0 && in.token == s.token
		if in.op == "fail" && out.ok != held && !(held && s.spoilt) { // what spoils it may end it
			return false
		}
		if held {
			s.token, s.spoilt = 0, false
		}
		return true
	case "set":
		*s = leased{value: in.value}
		return true
	case "del":
		there := s.value != ""
		*s = leased{} // an absent key's lease ends, too
		return out.ok == there
	case "invalidate", "stale":
		return s.invalidate(in.op == "stale", out)
	}
	return false
}

func (s *leased) read(in leaseCall, out leaseReply, patient bool) bool {
	if in.op == "wait" && out == (leaseReply{state: "miss"}) { // its time was up
		return true
	}
	state := "hit"
	switch {
	case s.value == "":
		state = "miss"
	case s.stale:
		state = "stale"
	}
	if out.value != s.value || out.state != state {
		return false
	}
	if out.token == 0 {
		return state == "hit" || s.token != 0 || patient
	}
	if state == "hit" || s.token != 0 && !s.spoilt {
		return false
	}
	s.token, s.spoilt = out.token, false
	return true
}

func (s *leased) invalidate(soft bool, out leaseReply) bool {
	s.spoilt = s.spoilt || s.token != 0
	concerned := s.value != "" && s.tagged && !(soft && s.stale)
	if concerned {
		if s.stale = soft; !soft {
			s.value, s.tagged = "", false
		}
	}
	return out.ok == concerned
}

// leaseClient is a client with the token that it has got last.
type leaseClient struct {
	t      *testing.T
	server *harness.Server
	conn   *harness.Conn
	admin  *harness.Conn
	tokens map[string]int64
}

func (c *leaseClient) do(in leaseCall) (out leaseReply) {
	token := strconv.FormatInt(in.token, 10)
	one := func(words ...string) leaseReply {
		n, _ := c.conn.Do(words...).Int()
		return leaseReply{ok: n == 1}
	}
	switch in.op {
	case "read", "wait":
		words := []string{"CACHE.GET", in.key, "LEASE", "600000", "BETA", "0"}
		if in.op == "wait" {
			words = append(words, "WAIT", "20")
		}
		r := c.conn.Do(words...)
		out = leaseReply{value: r.Elems[0].Value(), state: r.Elems[1].Text}
		if out.token, _ = r.Elems[3].Int(); out.token != 0 {
			c.tokens[in.key] = out.token
		}
		return out
	case "fill":
		return leaseReply{ok: !c.conn.Do("CACHE.SET", in.key, in.value, "TAGS", "1", "tag:"+in.key, "LEASE", token).IsNull()}
	case "fail":
		return one("CACHE.FAIL", in.key, token)
	case "set":
		c.conn.MustOK("SET", in.key, in.value)
		return leaseReply{ok: true}
	case "del":
		return one("DEL", in.key)
	case "invalidate":
		return one("CACHE.INVALIDATE", "tag:"+in.key)
	case "stale":
		return one("CACHE.STALE", "tag:"+in.key)
	}
	c.leave()
	return leaseReply{}
}

// leave hangs up, and returns when the server has noticed.
func (c *leaseClient) leave() {
	id := c.conn.Do("CLIENT", "ID").Raw
	id = id[1 : len(id)-2]
	_ = c.conn.Close()
	harness.Eventually(c.t, harness.Patience, "the server notices that a client is gone", func() bool {
		return c.admin.Do("CLIENT", "LIST", "ID", id).Text == ""
	})
	c.conn = c.server.Dial(c.t)
}

// TestLeasesAreLinearizable: readers with leases, fills with good and with old tokens, writes,
// invalidations, and holders that give up or go, in one history.
func TestLeasesAreLinearizable(t *testing.T) {
	const clients, calls = 6, 150
	seed := randtest.Seed(t)
	for _, patient := range []bool{false, true} {
		t.Run(fmt.Sprintf("some wait %v", patient), func(t *testing.T) {
			eachServer(t, func(t *testing.T, s *harness.Server) {
				var mu sync.Mutex
				var history []porcupine.Operation
				filled, start := 0, time.Now()
				crowd(t, s, clients, func(id int, conn *harness.Conn) {
					c := &leaseClient{t, s, conn, s.Dial(t), map[string]int64{}}
					rnd := rand.New(rand.NewPCG(seed, uint64(id)))
					for i := range calls {
						calls := c.next(rnd, patient, fmt.Sprintf("%d-%d", id, i))
						from := time.Since(start)
						out := c.do(calls[0])
						to := time.Since(start)
						mu.Lock()
						for _, in := range calls {
							if in.op == "fill" && out.ok {
								filled++
							}
							history = append(history, porcupine.Operation{ClientId: id, Input: in, Output: out, Call: int64(from), Return: int64(to)})
						}
						mu.Unlock()
					}
				})
				if verdict := porcupine.CheckOperationsTimeout(leaseModel(patient), history, time.Minute); verdict != porcupine.Ok || filled == 0 {
					t.Fatalf("%d operations, %d fills: %v (SEED=%d)", len(history), filled, verdict, seed)
				}
			})
		})
	}
}

// next draws what a client does. One that leaves loses its leases of all keys, which is an operation on
// each.
func (c *leaseClient) next(rnd *rand.Rand, patient bool, value string) []leaseCall {
	keys := [...]string{"a", "b"}
	in := leaseCall{key: keys[rnd.IntN(len(keys))], value: value}
	ops := []string{"read", "read", "read", "fill", "fill", "fill", "fill", "fail", "set", "del", "invalidate", "stale", "stale"}
	if patient {
		ops = append(ops, "wait", "wait", "wait", "wait")
	}
	if in.op, in.token = ops[rnd.IntN(len(ops))], c.tokens[in.key]; rnd.IntN(40) > 0 {
		return []leaseCall{in}
	}
	var all []leaseCall
	for _, k := range keys {
		all = append(all, leaseCall{op: "leave", key: k, token: c.tokens[k]})
	}
	return all
}

// TestLeaseModelIsStrict: the model refuses what a server must not do.
func TestLeaseModelIsStrict(t *testing.T) {
	miss := func(token int64) leaseReply { return leaseReply{state: "miss", token: token} }
	for name, calls := range map[string][]porcupine.Operation{
		"two holders": {{Input: leaseCall{op: "read"}, Output: miss(1)}, {Input: leaseCall{op: "read"}, Output: miss(2)}},
		"a fill after a write": {{Input: leaseCall{op: "read"}, Output: miss(1)}, {Input: leaseCall{op: "set", value: "x"}, Output: leaseReply{ok: true}},
			{Input: leaseCall{op: "fill", token: 1}, Output: leaseReply{ok: true}}},
		"a fill after a deletion that found nothing": {{Input: leaseCall{op: "read"}, Output: miss(1)},
			{Input: leaseCall{op: "del"}, Output: leaseReply{}},
			{Input: leaseCall{op: "fill", token: 1}, Output: leaseReply{ok: true}}},
		"a fill after an invalidation": {{Input: leaseCall{op: "read"}, Output: miss(1)}, {Input: leaseCall{op: "stale"}, Output: leaseReply{}},
			{Input: leaseCall{op: "fill", token: 1}, Output: leaseReply{ok: true}}},
		"a good fill that is refused": {{Input: leaseCall{op: "read"}, Output: miss(1)}, {Input: leaseCall{op: "fill", token: 1}, Output: leaseReply{}}},
		"a reader without a lease":    {{Input: leaseCall{op: "read"}, Output: miss(0)}},
		"an old value": {{Input: leaseCall{op: "set", value: "x"}, Output: leaseReply{ok: true}}, {Input: leaseCall{op: "set", value: "y"}, Output: leaseReply{ok: true}},
			{Input: leaseCall{op: "wait"}, Output: leaseReply{value: "x", state: "hit"}}},
	} {
		for i := range calls {
			calls[i].Call, calls[i].Return = int64(2*i), int64(2*i+1)
		}
		if porcupine.CheckOperations(leaseModel(false), calls) {
			t.Errorf("%s passes", name)
		}
	}
}
