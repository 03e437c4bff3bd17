package linear

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/larderkv/larder/tests/harness"
)

// zsetCall is one operation on a sorted set; the server's reply to it is the result, as text.
type zsetCall struct {
	op     string // a command, with "GT" or "NX" behind ZADD, or "best" (ZREVRANK and ZSCORE of a member in a transaction)
	key    string
	member string
	score  int
}

// scored is a member of the model's sorted set.
type scored struct {
	member string
	score  int
}

// zsetModel keeps the members in order, as text: "a 1 b 2".
var zsetModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(zsetCall).key
			byKey[k] = append(byKey[k], o)
		}
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		after, result := stepZset(readZset(state.(string)), input.(zsetCall))
		return result == output.(string), zsetText(after)
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v -> %v", input, output) },
}

func readZset(text string) (set []scored) {
	words := strings.Fields(text)
	for i := 0; i < len(words); i += 2 {
		score, _ := strconv.Atoi(words[i+1]) // the model wrote it
		set = append(set, scored{words[i], score})
	}
	return set
}

func zsetText(set []scored) string {
	slices.SortFunc(set, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.score, b.score), strings.Compare(a.member, b.member))
	})
	var words []string
	for _, m := range set {
		words = append(words, m.member, strconv.Itoa(m.score))
	}
	return strings.Join(words, " ")
}

// stepZset performs a call on a set in order.
func stepZset(set []scored, in zsetCall) (after []scored, result string) {
	at := slices.IndexFunc(set, func(m scored) bool { return m.member == in.member })
	switch in.op {
	case "ZRANGE":
		return set, zsetText(set)
	case "ZPOPMIN":
		if len(set) == 0 {
			return nil, ""
		}
		return set[1:], zsetText(set[:1])
	case "best":
		if at < 0 {
			return set, none + " " + none
		}
		return set, fmt.Sprint(len(set)-1-at, " ", set[at].score)
	}
	if at < 0 {
		set = append(set, scored{in.member, in.score})
		if in.op == "ZINCRBY" {
			return set, strconv.Itoa(in.score)
		}
		return set, "1"
	}
	m := &set[at]
	switch in.op {
	case "ZINCRBY":
		m.score += in.score
		return set, strconv.Itoa(m.score)
	case "ZADD", "ZADD GT":
		if in.op == "ZADD" || in.score > m.score {
			m.score = in.score
		}
	}
	return set, "0" // ZADD NX leaves what is there
}

func doZset(c *harness.Conn, in zsetCall) string {
	score := strconv.Itoa(in.score)
	switch in.op {
	case "ZRANGE":
		return strings.Join(c.Do("ZRANGE", in.key, "0", "-1", "WITHSCORES").Strings(), " ")
	case "ZPOPMIN":
		return strings.Join(c.Do("ZPOPMIN", in.key).Strings(), " ")
	case "ZINCRBY":
		return c.Do("ZINCRBY", in.key, score, in.member).Text
	case "best":
		c.WriteRaw(harness.Encode("MULTI") + harness.Encode("ZREVRANK", in.key, in.member) + harness.Encode("ZSCORE", in.key, in.member) + harness.Encode("EXEC"))
		for range 3 {
			c.Read()
		}
		exec := c.Read()
		return elementOf(exec.Elems[0]) + " " + elementOf(exec.Elems[1])
	}
	args := append([]string{"ZADD", in.key}, strings.Fields(in.op)[1:]...)
	return c.Do(append(args, score, in.member)...).Text
}

func TestZsetsLinearizable(t *testing.T) {
	const (
		calls   = 250 // per client
		keys    = 4
		members = 5
	)
	ops := []string{"ZADD", "ZADD GT", "ZADD NX", "ZINCRBY", "ZINCRBY", "ZPOPMIN", "ZPOPMIN", "ZRANGE", "best"}
	checkHistories(t, zsetModel, calls, doZset, func(rnd *rand.Rand) zsetCall {
		return zsetCall{op: ops[rnd.IntN(len(ops))], key: "z" + strconv.Itoa(rnd.IntN(keys)), member: "m" + strconv.Itoa(rnd.IntN(members)), score: rnd.IntN(100)}
	})
}

// TestZsetModelIsStrict: the lowest can be popped once, and an increment is not lost.
func TestZsetModelIsStrict(t *testing.T) {
	add := porcupine.Operation{ClientId: 0, Input: zsetCall{op: "ZADD", member: "m", score: 1}, Output: "1", Call: 0, Return: 1}
	for name, then := range map[string][]porcupine.Operation{
		"popped twice": {
			{ClientId: 1, Input: zsetCall{op: "ZPOPMIN"}, Output: "m 1", Call: 2, Return: 10},
			{ClientId: 2, Input: zsetCall{op: "ZPOPMIN"}, Output: "m 1", Call: 3, Return: 9},
		},
		"a lost increment": {
			{ClientId: 1, Input: zsetCall{op: "ZINCRBY", member: "m", score: 1}, Output: "2", Call: 2, Return: 10},
			{ClientId: 2, Input: zsetCall{op: "ZINCRBY", member: "m", score: 1}, Output: "2", Call: 3, Return: 9},
		},
	} {
		if porcupine.CheckOperations(zsetModel, append([]porcupine.Operation{add}, then...)) {
			t.Errorf("%s: passes", name)
		}
	}
}
