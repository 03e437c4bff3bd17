package interop

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// A history of random writes by several clients: every command that writes, with every option that
// changes what has to be logged, over few keys, so that types collide, commands fail, keys expire
// and are made anew. Wrong types and refused options are part of it: what a command that failed
// logs is a bug too.

// churnDatabases is how many databases a history uses: the first ones.
const churnDatabases = 4

type churner struct{ rng *rand.Rand }

// key is one of few names; short-lived ones, whose fate depends on the moment, have names of their
// own.
func (c churner) key() string { return "k" + strconv.Itoa(c.rng.IntN(60)) }

func (c churner) db() string { return strconv.Itoa(c.rng.IntN(churnDatabases)) }

func (c churner) pick(options ...string) string { return options[c.rng.IntN(len(options))] }

func (c churner) number() string {
	return c.pick("0", "1", "-1", "17", "-300", "70000", strconv.FormatInt(c.rng.Int64(), 10), strconv.Itoa(c.rng.IntN(1000)))
}

func (c churner) float() string {
	return c.pick("0.1", "-2.5", "1e10", "3", "0.333333333333", strconv.FormatFloat(c.rng.NormFloat64(), 'g', -1, 64))
}

func (c churner) value() string {
	switch c.rng.IntN(6) {
	case 0:
		return c.number()
	case 1:
		return c.float()
	case 2:
		return ""
	case 3:
		return "binary \x00\r\n$5\r\n\xff" + c.number()
	case 4:
		return strings.Repeat("long ", c.rng.IntN(200))
	}
	return "text " + c.number()
}

func (c churner) element() string {
	return c.pick("a", "b", c.number(), "e"+strconv.Itoa(c.rng.IntN(300)))
}

// lasting and fleeting are times to live: no time in between, so that a history has a stable end
// soon after its last command.
func (c churner) lasting() int64  { return 3600 + c.rng.Int64N(100_000) }
func (c churner) fleeting() int64 { return 1 + c.rng.Int64N(40) }

// expiry is a relative or an absolute time of expiry as an option of SET and GETEX.
func (c churner) expiry() []string {
	now := time.Now()
	switch c.rng.IntN(6) {
	case 0:
		return []string{"EX", strconv.FormatInt(c.lasting(), 10)}
	case 1:
		return []string{"PX", strconv.FormatInt(c.lasting()*1000+7, 10)}
	case 2:
		return []string{"EXAT", strconv.FormatInt(now.Unix()+c.lasting(), 10)}
	case 3:
		return []string{"PXAT", strconv.FormatInt(now.UnixMilli()+c.lasting()*1000, 10)}
	case 4:
		return []string{"PXAT", strconv.FormatInt(now.UnixMilli()+c.fleeting(), 10)}
	}
	return []string{"PX", strconv.FormatInt(c.fleeting(), 10)}
}

// call draws one command.
func (c churner) call() []string {
	k := c.key()
	switch c.rng.IntN(42) {
	case 0, 1, 2, 3, 4:
		return c.stringCall(k)
	case 5, 6, 7, 8, 9, 10:
		return c.hashCall(k)
	case 11, 12, 13, 14, 15, 16:
		return c.setCall(k)
	case 17, 18, 19, 20:
		return c.expireCall(k)
	case 21:
		return []string{"SELECT", c.db()}
	case 22, 23, 24, 25, 26, 27:
		return c.listCall(k)
	case 28, 29, 30, 31, 32, 33:
		return c.zsetCall(k)
	}
	return c.keyCall(k)
}

func (c churner) stringCall(k string) []string {
	switch c.rng.IntN(17) {
	case 0:
		return []string{"SET", k, c.value()}
	case 1:
		return append([]string{"SET", k, c.value(), c.pick("NX", "XX", "GET")}, c.expiry()...)
	case 2:
		return []string{"SET", k, c.value(), "KEEPTTL"}
	case 3:
		return append([]string{"SET", k, c.value()}, c.expiry()...)
	case 4:
		return []string{"SETEX", k, strconv.FormatInt(c.lasting(), 10), c.value()}
	case 5:
		return []string{"PSETEX", k, strconv.FormatInt(c.fleeting(), 10), c.value()}
	case 6:
		return []string{c.pick("SETNX", "GETSET", "APPEND"), k, c.value()}
	case 7:
		return []string{"GETDEL", k}
	case 8:
		return append([]string{"GETEX", k}, c.expiry()...)
	case 9:
		return []string{"GETEX", k, "PERSIST"}
	case 10:
		return []string{"SETRANGE", k, strconv.Itoa(c.rng.IntN(300)), c.value()}
	case 11:
		return []string{c.pick("INCR", "DECR"), k}
	case 12:
		return []string{c.pick("INCRBY", "DECRBY"), k, c.number()}
	case 13:
		return []string{"INCRBYFLOAT", k, c.float()}
	case 14:
		return []string{"MSET", k, c.value(), c.key(), c.value(), c.key(), c.number()}
	case 15:
		return []string{"MSETNX", k + ":new", c.value(), c.key(), c.value()}
	}
	return []string{"SET", k, c.number()}
}

func (c churner) hashCall(k string) []string {
	switch c.rng.IntN(8) {
	case 0:
		return []string{"HSETNX", k, c.element(), c.value()}
	case 1:
		return []string{"HDEL", k, c.element(), c.element(), c.element()}
	case 2:
		return []string{"HINCRBY", k, c.element(), c.number()}
	case 3:
		return []string{"HINCRBYFLOAT", k, c.element(), c.float()}
	case 4:
		return []string{"HMSET", k, c.element(), c.value(), c.element(), c.value()}
	}
	args := []string{"HSET", k}
	for range 1 + c.rng.IntN(20) {
		args = append(args, c.element(), c.value())
	}
	return args
}

func (c churner) setCall(k string) []string {
	switch c.rng.IntN(8) {
	case 0:
		return []string{"SREM", k, c.element(), c.element(), c.element()}
	case 1:
		return []string{"SMOVE", k, c.key(), c.element()}
	case 2:
		return []string{"SPOP", k}
	case 3:
		return []string{"SPOP", k, strconv.Itoa(c.rng.IntN(30))}
	case 4:
		return []string{c.pick("SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"), k, c.key(), c.key()}
	}
	args := []string{"SADD", k}
	for range 1 + c.rng.IntN(30) {
		args = append(args, c.pick(c.element(), c.number()))
	}
	return args
}

func (c churner) listCall(k string) []string {
	index := func() string { return strconv.Itoa(c.rng.IntN(60) - 30) }
	switch c.rng.IntN(14) {
	case 0:
		return []string{c.pick("LPOP", "RPOP"), k}
	case 1:
		return []string{c.pick("LPOP", "RPOP"), k, strconv.Itoa(c.rng.IntN(20))}
	case 2:
		return []string{"LINSERT", k, c.pick("BEFORE", "AFTER"), c.element(), c.value()}
	case 3:
		return []string{"LSET", k, index(), c.value()}
	case 4:
		return []string{"LREM", k, c.pick("0", "1", "-2"), c.element()}
	case 5:
		return []string{"LTRIM", k, index(), index()}
	case 6:
		return []string{"LMOVE", k, c.key(), c.pick("LEFT", "RIGHT"), c.pick("LEFT", "RIGHT")}
	case 7:
		return []string{"RPOPLPUSH", k, c.key()}
	case 8:
		return []string{"LMPOP", "2", k, c.key(), c.pick("LEFT", "RIGHT"), "COUNT", strconv.Itoa(1 + c.rng.IntN(5))}
	}
	args := []string{c.pick("LPUSH", "RPUSH", "RPUSH", "LPUSHX", "RPUSHX"), k}
	for range 1 + c.rng.IntN(30) {
		args = append(args, c.pick(c.element(), c.value()))
	}
	return args
}

func (c churner) score() string { return c.pick(c.float(), c.float(), c.number(), "inf", "-inf", "0") }

func (c churner) zsetCall(k string) []string {
	rank := func() string { return strconv.Itoa(c.rng.IntN(60) - 30) }
	switch c.rng.IntN(16) {
	case 0:
		return []string{"ZREM", k, c.element(), c.element(), c.element()}
	case 1:
		return []string{"ZINCRBY", k, c.score(), c.element()}
	case 2:
		return []string{"ZADD", k, c.pick("NX", "XX", "GT", "LT"), c.score(), c.element(), c.score(), c.element()}
	case 3:
		return []string{"ZADD", k, "INCR", c.score(), c.element()}
	case 4:
		return []string{c.pick("ZPOPMIN", "ZPOPMAX"), k, strconv.Itoa(c.rng.IntN(5))}
	case 5:
		return []string{"ZREMRANGEBYRANK", k, rank(), rank()}
	case 6:
		return []string{"ZREMRANGEBYSCORE", k, c.float(), c.float()}
	case 7:
		return []string{"ZRANGESTORE", k, c.key(), rank(), rank()}
	case 8:
		return []string{c.pick("ZUNIONSTORE", "ZINTERSTORE"), k, "2", c.key(), c.key(), "WEIGHTS", "1", c.float()}
	case 9:
		return []string{"ZDIFFSTORE", k, "2", c.key(), c.key()}
	}
	args := []string{"ZADD", k}
	for range 1 + c.rng.IntN(30) {
		args = append(args, c.score(), c.pick(c.element(), c.number()))
	}
	return args
}

func (c churner) expireCall(k string) []string {
	now, condition := time.Now(), c.pick("NX", "XX", "GT", "LT")
	switch c.rng.IntN(9) {
	case 0:
		return []string{"EXPIRE", k, strconv.FormatInt(c.lasting(), 10), condition}
	case 1:
		return []string{"PEXPIRE", k, strconv.FormatInt(c.lasting()*1000+3, 10), condition}
	case 2:
		return []string{"EXPIREAT", k, strconv.FormatInt(now.Unix()+c.lasting(), 10)}
	case 3:
		return []string{"PEXPIREAT", k, strconv.FormatInt(now.UnixMilli()+c.lasting()*1000, 10)}
	case 4:
		return []string{"PEXPIRE", k, strconv.FormatInt(c.fleeting(), 10)}
	case 5:
		return []string{"EXPIRE", k, "-1"}
	case 6:
		return []string{"PEXPIREAT", k, "1"}
	case 7:
		return []string{"EXPIRE", k, strconv.FormatInt(c.lasting(), 10)}
	}
	return []string{"PERSIST", k}
}

func (c churner) keyCall(k string) []string {
	switch c.rng.IntN(100) {
	case 0:
		return []string{"FLUSHDB"}
	case 1:
		return []string{"SWAPDB", c.db(), c.db()}
	case 2, 3:
		return []string{"FLUSHDB", "ASYNC"}
	}
	switch c.rng.IntN(9) {
	case 0:
		return []string{"DEL", k, c.key(), c.key()}
	case 1:
		return []string{"UNLINK", k, c.key()}
	case 2:
		return []string{"RENAME", k, c.key()}
	case 3:
		return []string{"RENAMENX", k, c.key() + ":new"}
	case 4:
		return []string{"COPY", k, c.key(), "DB", c.db(), "REPLACE"}
	case 5:
		return []string{"COPY", k, c.key()}
	case 6:
		return []string{"MOVE", k, c.db()}
	case 7:
		return []string{"GET", k}
	}
	return []string{"SCARD", k}
}

// churn lets clients write n batches each, part of them as transactions, and returns when all
// replies are there.
func churn(t *testing.T, s *harness.Server, seed uint64, clients, n int) {
	t.Helper()
	var group sync.WaitGroup
	for id := range clients {
		conn := s.Dial(t)
		gen := churner{rand.New(rand.NewPCG(seed, uint64(id)))}
		group.Go(func() {
			for range n {
				var raw strings.Builder
				replies := 0
				send := func(args ...string) {
					raw.WriteString(harness.Encode(args...))
					replies++
				}
				transaction := gen.rng.IntN(4) == 0
				if transaction {
					send("MULTI")
				}
				for range 1 + gen.rng.IntN(10) {
					send(gen.call()...)
				}
				if transaction {
					send(gen.pick("EXEC", "EXEC", "EXEC", "DISCARD"))
				}
				if err := conn.TryWrite(raw.String()); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				for range replies {
					if r, err := conn.TryRead(); err != nil {
						t.Errorf("read: %v after %v", err, r)
						return
					}
				}
			}
		})
	}
	group.Wait()
}
