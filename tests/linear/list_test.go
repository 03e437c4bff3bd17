package linear

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/larderkv/larder/tests/harness"
)

// listCall is one operation on lists; the server's reply to it is the result, as text.
type listCall struct {
	op       string // a command, or "move twice" (two RPOPLPUSHs in a transaction)
	key, dst int
	arg      string
}

const listKeys = 3

// lists is the model: the elements of all lists. It is comparable, as porcupine wants its states.
type lists [listKeys]string

func (l lists) of(key int) []string {
	if l[key] == "" {
		return nil
	}
	return strings.Split(l[key], " ")
}

func (l lists) with(key int, elements []string) lists {
	l[key] = strings.Join(elements, " ")
	return l
}

// none is the result of a command that finds no element.
const none = "nil"

var listModel = porcupine.Model{
	Init: func() any { return lists{} },
	Step: func(state, input, output any) (bool, any) {
		after, result := state.(lists).step(input.(listCall))
		return result == output.(string), after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v -> %v", input, output) },
}

// step performs a call on the model.
func (l lists) step(in listCall) (after lists, result string) {
	have := l.of(in.key)
	switch in.op {
	case "LPUSH":
		return l.with(in.key, slices.Insert(have, 0, in.arg)), strconv.Itoa(len(have) + 1)
	case "RPUSH":
		return l.with(in.key, append(have, in.arg)), strconv.Itoa(len(have) + 1)
	case "LRANGE":
		return l, strings.Join(have, " ")
	case "RPOPLPUSH", "BRPOPLPUSH":
		return l.move(in.key, in.dst)
	case "move twice":
		once, first := l.move(in.key, in.dst)
		twice, second := once.move(in.dst, in.key)
		return twice, first + " " + second
	}
	if len(have) == 0 {
		return l, none
	}
	if last := len(have) - 1; in.op == "RPOP" {
		return l.with(in.key, have[:last]), have[last]
	}
	return l.with(in.key, have[1:]), have[0] // LPOP, BLPOP
}

// move takes the last element of one list to the front of another, or of the same.
func (l lists) move(from, to int) (after lists, element string) {
	have := l.of(from)
	if len(have) == 0 {
		return l, none
	}
	element = have[len(have)-1]
	l = l.with(from, have[:len(have)-1])
	return l.with(to, slices.Insert(l.of(to), 0, element)), element
}

// doList performs the call. Blocking commands wait for a moment only, so that the clients do not
// end up waiting for each other.
func doList(c *harness.Conn, in listCall) string {
	const moment = "0.02"
	key, dst := "l"+strconv.Itoa(in.key), "l"+strconv.Itoa(in.dst)
	switch in.op {
	case "LPUSH", "RPUSH":
		return c.Do(in.op, key, in.arg).Value()
	case "LRANGE":
		return strings.Join(c.Do("LRANGE", key, "0", "-1").Strings(), " ")
	case "RPOPLPUSH":
		return elementOf(c.Do(in.op, key, dst))
	case "BRPOPLPUSH":
		return elementOf(c.Do(in.op, key, dst, moment))
	case "BLPOP":
		r := c.Do(in.op, key, moment)
		if r.IsNull() {
			return none
		}
		return r.Elems[1].Text
	case "move twice":
		c.WriteRaw(harness.Encode("MULTI") + harness.Encode("RPOPLPUSH", key, dst) + harness.Encode("RPOPLPUSH", dst, key) + harness.Encode("EXEC"))
		for range 3 {
			c.Read()
		}
		exec := c.Read()
		return elementOf(exec.Elems[0]) + " " + elementOf(exec.Elems[1])
	}
	return elementOf(c.Do(in.op, key))
}

// elementOf is the element in a reply.
func elementOf(r harness.Reply) string {
	if r.IsNull() {
		return none
	}
	return r.Text
}

func TestListsLinearizable(t *testing.T) {
	const calls = 150 // per client
	ops := []string{"LPUSH", "RPUSH", "RPUSH", "LPOP", "RPOP", "LRANGE", "RPOPLPUSH", "RPOPLPUSH", "BLPOP", "BRPOPLPUSH", "move twice"}
	checkHistories(t, listModel, calls, doList, func(rnd *rand.Rand) listCall {
		return listCall{op: ops[rnd.IntN(len(ops))], key: rnd.IntN(listKeys), dst: rnd.IntN(listKeys), arg: strconv.Itoa(rnd.IntN(1_000_000))}
	})
}

// TestListModelIsStrict: one element cannot be popped twice, nor be lost on its way.
func TestListModelIsStrict(t *testing.T) {
	push := porcupine.Operation{ClientId: 0, Input: listCall{op: "RPUSH", arg: "x"}, Output: "1", Call: 0, Return: 1}
	for name, then := range map[string][]porcupine.Operation{
		"popped twice": {
			{ClientId: 1, Input: listCall{op: "BLPOP"}, Output: "x", Call: 2, Return: 10},
			{ClientId: 2, Input: listCall{op: "LPOP"}, Output: "x", Call: 3, Return: 9},
		},
		"lost on the way": {
			{ClientId: 1, Input: listCall{op: "RPOPLPUSH", dst: 1}, Output: "x", Call: 2, Return: 10},
			{ClientId: 2, Input: listCall{op: "LRANGE", key: 1}, Output: "", Call: 11, Return: 12},
		},
		"missed while waiting": {
			{ClientId: 1, Input: listCall{op: "BLPOP"}, Output: none, Call: 2, Return: 10},
		},
	} {
		if porcupine.CheckOperations(listModel, append([]porcupine.Operation{push}, then...)) {
			t.Errorf("%s: passes", name)
		}
	}
}
