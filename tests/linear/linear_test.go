// Package linear checks that concurrent clients see one history: every reply could have come from a
// server that does one command at a time, each somewhere between its request and its reply.
// porcupine searches for such an order and fails when there is none.
//
// The models of strings and sorted sets hold one key, because linearizability is local: a history
// is linearizable when its part for each key is. The one of lists holds all of them, since elements
// move between lists and clients wait for them. What else spans keys and shards (MSET against MGET,
// SMOVE, transactions) is tested by invariants that every reader must find intact at any moment.
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

// call is one operation on one key; result is what came back.
type call struct {
	op  string // get, set, incr, getset, setnx, del, multi (INCR and GET in a transaction), cas (WATCH, GET, MULTI SET EXEC)
	key string
	arg string
}

type result struct {
	value string // "" is no value
	n     int64
	ok    bool
}

// register is the model: a key that holds a string, "" for none.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(call).key
			byKey[k] = append(byKey[k], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return step(state.(string), input.(call), output.(result))
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v -> %v", input, output) },
}

func step(state string, in call, out result) (bool, any) {
	number, _ := strconv.ParseInt(state, 10, 64) // no value counts from zero
	switch in.op {
	case "get":
		return out.value == state, state
	case "set":
		return true, in.arg
	case "getset":
		return out.value == state, in.arg
	case "setnx":
		if out.ok {
			return state == "", in.arg
		}
		return state != "", state
	case "del":
		return out.ok == (state != ""), ""
	case "incr":
		return out.n == number+1, strconv.FormatInt(number+1, 10)
	case "multi": // INCR twice and GET, all or nothing
		return out.n == number+2 && out.value == strconv.FormatInt(number+2, 10), strconv.FormatInt(number+2, 10)
	case "cas": // what was read under WATCH is still there when the transaction succeeds
		if out.ok {
			return out.value == state, in.arg
		}
		return true, state
	}
	return false, state
}

// do performs the call. Values are numbers, so that INCR always works.
func do(c *harness.Conn, in call) result {
	switch in.op {
	case "get":
		return result{value: c.Do("GET", in.key).Value()}
	case "set":
		c.MustOK("SET", in.key, in.arg)
		return result{ok: true}
	case "getset":
		return result{value: c.Do("SET", in.key, in.arg, "GET").Value()}
	case "setnx":
		return result{ok: c.Do("SET", in.key, in.arg, "NX").Raw == "+OK\r\n"}
	case "del":
		return result{ok: c.Do("DEL", in.key).Raw == ":1\r\n"}
	case "incr":
		n, _ := c.Do("INCR", in.key).Int()
		return result{n: n}
	case "multi":
		c.WriteRaw(harness.Encode("MULTI") + harness.Encode("INCR", in.key) + harness.Encode("INCR", in.key) +
			harness.Encode("GET", in.key) + harness.Encode("EXEC"))
		for range 4 {
			c.Read()
		}
		exec := c.Read()
		n, _ := exec.Elems[1].Int()
		return result{n: n, value: exec.Elems[2].Text}
	}
	c.MustOK("WATCH", in.key)
	value := c.Do("GET", in.key).Value()
	c.MustOK("MULTI")
	c.Do("SET", in.key, in.arg)
	return result{value: value, ok: !c.Do("EXEC").IsNull()}
}

func TestLinearizable(t *testing.T) {
	const (
		calls = 250 // per client
		keys  = 4
	)
	checkHistories(t, register, calls, do, func(rnd *rand.Rand) call {
		return call{
			op:  []string{"get", "get", "set", "getset", "setnx", "del", "incr", "incr", "multi", "cas", "cas"}[rnd.IntN(11)],
			key: "k" + strconv.Itoa(rnd.IntN(keys)), arg: strconv.Itoa(rnd.IntN(1_000_000)),
		}
	})
}

// checkHistories lets clients make calls at random, so many each, and looks for an order of all of
// them that the model allows; with each driver and with one and two loops.
func checkHistories[C, R any](t *testing.T, model porcupine.Model, calls int, do func(*harness.Conn, C) R, next func(*rand.Rand) C) {
	t.Helper()
	const clients = 6
	seed := randtest.Seed(t)
	eachServer(t, func(t *testing.T, s *harness.Server) {
		var mu sync.Mutex
		var history []porcupine.Operation
		start := time.Now()
		crowd(t, s, clients, func(id int, c *harness.Conn) {
			rnd := rand.New(rand.NewPCG(seed, uint64(id)))
			for range calls {
				in := next(rnd)
				from := time.Since(start)
				out := do(c, in)
				to := time.Since(start)
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: id, Input: in, Output: out, Call: int64(from), Return: int64(to)})
				mu.Unlock()
			}
		})
		if verdict := porcupine.CheckOperationsTimeout(model, history, 10*time.Minute); verdict != porcupine.Ok {
			t.Fatalf("%d operations: %v (SEED=%d)", len(history), verdict, seed)
		}
	})
}

// TestModelIsStrict: the checker itself must refuse a lost update, or the tests above prove
// nothing.
func TestModelIsStrict(t *testing.T) {
	lost := []porcupine.Operation{
		{ClientId: 0, Input: call{op: "incr", key: "k"}, Output: result{n: 1}, Call: 0, Return: 10},
		{ClientId: 1, Input: call{op: "incr", key: "k"}, Output: result{n: 1}, Call: 5, Return: 15},
	}
	if porcupine.CheckOperations(register, lost) {
		t.Error("two increments to 1 pass")
	}
}
