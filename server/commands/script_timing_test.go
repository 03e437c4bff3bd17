package commands

import (
	"crypto/sha1" // names of scripts
	"encoding/hex"
	"testing"

	"github.com/larderkv/larder/server/netloop"
)

// Scripts that libraries run for nearly every request.
const (
	one     = "return 1"
	unlock  = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"
	window  = "local n = redis.call('incr', KEYS[1]) if n == 1 then redis.call('expire', KEYS[1], ARGV[1]) end return n"
	sliding = `local now = tonumber(ARGV[1])
redis.call('zremrangebyscore', KEYS[1], 0, now - ARGV[2])
if redis.call('zcard', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('zadd', KEYS[1], now, ARGV[1])
  redis.call('pexpire', KEYS[1], ARGV[2])
  return 1
end
return 0`
)

func loadScript(c *testClient, script string) string {
	c.do("SCRIPT", "LOAD", script)
	return shaOf(script)
}

func shaOf(script string) string {
	sum := sha1.Sum([]byte(script)) // a name
	return hex.EncodeToString(sum[:])
}

func BenchmarkEvalSHA(b *testing.B) {
	for _, of := range []struct {
		name, script string
		args         []string
	}{
		{"one", one, []string{"0"}}, {"unlock", unlock, []string{"1", "lock", "token"}},
		{"window", window, []string{"1", "count", "60"}}, {"sliding", sliding, []string{"1", "log", "100000", "1000", "100"}},
	} {
		b.Run(of.name, func(b *testing.B) {
			c := newTestClient(b)
			c.do("SET", "lock", "other")
			const depth = 16
			request := encode(append([]string{"EVALSHA", loadScript(c, of.script)}, of.args...))
			var in []byte
			for range depth {
				in = append(in, request...)
			}
			out := make([]byte, 0, 64<<10)
			b.ReportAllocs()
			for n := 0; n < b.N; n += depth {
				if taken, reply, next := c.data(in, out); taken != len(in) || next != netloop.Wait || reply[0] == '-' {
					b.Fatal(taken, next, string(reply))
				}
			}
		})
	}
}
