package scripts

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// Scripts that move money between accounts, and note that they have, stray at every point: which of
// their keys are declared, and in which order they touch them, is drawn anew for each. Whatever
// they do, nobody ever sees a sum that is not the total, and each is done once.

const (
	accounts = 24
	deposit  = 100
	total    = accounts * deposit
	movers   = 8

	untilKilled = 1 << 30
)

// mover is a client that sends such scripts.
type mover struct {
	id    int
	rnd   *rand.Rand
	sent  int          // scripts so far; each has its number
	acked atomic.Int64 // how many of them are answered
}

// transfer is a script of a mover with all that goes with it.
type transfer struct {
	text  string
	keys  []string
	fails bool // with an error of its own, after it has done its work
}

// draw makes a script. ARGV is the mover, the number of the script, both accounts, and the amount.
func (m *mover) draw() (transfer, []string) {
	from := m.rnd.IntN(accounts)
	to := (from + 1 + m.rnd.IntN(accounts-1)) % accounts
	args := make([]string, 5)
	for i, n := range []int{m.id, m.sent, from, to, 1 + m.rnd.IntN(5)} {
		args[i] = strconv.Itoa(n)
	}
	var tr transfer
	name := func(prefix string, argument int) string {
		if m.rnd.IntN(2) == 0 {
			return fmt.Sprintf(`'%s' .. ARGV[%d]`, prefix, argument)
		}
		tr.keys = append(tr.keys, prefix+args[argument-1])
		return fmt.Sprintf("KEYS[%d]", len(tr.keys))
	}
	steps := []string{
		fmt.Sprintf("redis.call('DECRBY', %s, ARGV[5])", name("account:", 3)),
		fmt.Sprintf("redis.call('INCRBY', %s, ARGV[5])", name("account:", 4)),
		fmt.Sprintf("redis.call('INCR', %s)", name("count:", 1)),
		fmt.Sprintf("redis.call('RPUSH', %s, ARGV[2])", name("done:", 1)),
		fmt.Sprintf("redis.call('GET', %s)", name("account:", 3)),
		// The name of a key comes from another key, and a function makes it.
		"local function named(n) return redis.call('HGET', 'names', n) end redis.call('GET', named(ARGV[4]))",
	}
	for _, more := range []string{
		"redis.call('DBSIZE')",
		"redis.call('KEYS', 'account:*')",
		"for i = 0, 23 do redis.call('EXISTS', 'account:' .. i) end",
		"pcall(redis.call, 'LPUSH', 'account:' .. ARGV[3], 'x')",
		"pcall(function() redis.call('INCR', 'names') end)",
		"redis.call('SCAN', 0, 'COUNT', 1000)",
	} {
		if m.rnd.IntN(6) == 0 {
			steps = append(steps, more)
		}
	}
	m.rnd.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
	if m.rnd.IntN(4) == 0 { // deeper in the stack
		last := len(steps) - 1
		steps[last] = "local function inner(n) if n > 0 then return inner(n - 1) + 0 end " + steps[last] + " return 0 end inner(5)"
	}
	if m.rnd.IntN(5) == 0 {
		steps = slices.Insert(steps, 0, checkedSum)
	}
	if m.rnd.IntN(5) == 0 {
		steps = append(steps, checkedSum)
	}
	steps = append(steps, "return 'done'")
	if tr.fails = m.rnd.IntN(8) == 0; tr.fails {
		steps[len(steps)-1] = "error('as it should')"
	}
	tr.text = strings.Join(steps, "\n")
	return tr, args
}

// checkedSum adds all accounts up where every transfer is whole.
const checkedSum = `do
  local sum = 0
  for i = 0, 23 do sum = sum + redis.call('GET', 'account:' .. i) end
  if sum ~= 2400 then return redis.error_reply('TORN a script sees ' .. sum) end
end`

// move sends one transfer, and reports whether the connection still stands.
func (m *mover) move(t *testing.T, c *harness.Conn) bool {
	m.sent++
	tr, args := m.draw()
	call := slices.Concat([]string{"EVAL", tr.text, strconv.Itoa(len(tr.keys))}, tr.keys, args)
	queued := m.rnd.IntN(4) == 0
	request, replies := harness.Encode(call...), 1
	if queued {
		request = harness.Encode("MULTI") + request + harness.Encode(readAccounts()...) + harness.Encode("EXEC")
		replies = 4
	}
	if c.TryWrite(request) != nil {
		return false
	}
	var r harness.Reply
	for range replies {
		var err error
		if r, err = c.TryRead(); err != nil {
			return false
		}
	}
	if queued && len(r.Elems) == 2 {
		if sum := sumOf(r.Elems[1]); sum != total {
			t.Errorf("the transaction of a script sees a sum of %d", sum)
		}
		r = r.Elems[0]
	}
	want := "$4\r\ndone\r\n"
	if tr.fails && !(r.IsError() && strings.Contains(r.Text, "as it should")) || !tr.fails && r.Raw != want {
		t.Errorf("script %d of mover %d:\n%s\nkeys %q, arguments %q\nreply %v", m.sent, m.id, tr.text, tr.keys, args, r)
		return false
	}
	m.acked.Store(int64(m.sent))
	return true
}

func accountNames() []string {
	names := make([]string, accounts)
	for i := range names {
		names[i] = "account:" + strconv.Itoa(i)
	}
	return names
}

// readAccounts is a request for what all accounts hold.
func readAccounts() []string { return append([]string{"MGET"}, accountNames()...) }

func sumOf(r harness.Reply) (sum int) {
	for _, text := range r.Strings() {
		n, err := strconv.Atoi(text)
		if err != nil {
			return -1
		}
		sum += n
	}
	return sum
}

// watch adds the accounts up until it is told to stop, or the server has gone.
func watch(t *testing.T, c *harness.Conn, way int, stop *atomic.Bool) {
	for !stop.Load() {
		request, replies := harness.Encode(readAccounts()...), 1
		switch way {
		case 1:
			request, replies = harness.Encode("MULTI"), accounts+2
			for _, name := range accountNames() {
				request += harness.Encode("GET", name)
			}
			request += harness.Encode("EXEC")
		case 2:
			request = harness.Encode("EVAL",
				"local t = {} for i = 0, 23 do t[i + 1] = redis.call('GET', 'account:' .. i) end return t", "0")
		}
		if c.TryWrite(request) != nil {
			return
		}
		var r harness.Reply
		for range replies {
			var err error
			if r, err = c.TryRead(); err != nil {
				return
			}
		}
		if sum := sumOf(r); sum != total {
			t.Errorf("a sum of %d, seen in way %d: %v", sum, way, r)
			return
		}
	}
}

// bank is a server with movers and watchers at work.
type bank struct {
	server *harness.Server
	movers []*mover
}

func openBank(t *testing.T, s *harness.Server, seed uint64) *bank {
	c := s.Dial(t)
	for i, name := range accountNames() {
		c.MustOK("SET", name, strconv.Itoa(deposit))
		c.Do("HSET", "names", strconv.Itoa(i), name)
	}
	b := &bank{server: s}
	for id := range movers {
		b.movers = append(b.movers, &mover{id: id, rnd: rand.New(rand.NewPCG(seed, uint64(id)))})
	}
	return b
}

// work has every mover send so many scripts, or until the server has gone; wait returns then.
func (b *bank) work(t *testing.T, scripts int) (wait func()) {
	var moving, watching sync.WaitGroup
	var stop atomic.Bool
	for way := range 3 {
		c := b.server.Dial(t)
		watching.Go(func() { watch(t, c, way, &stop) })
	}
	for _, m := range b.movers {
		c := b.server.Dial(t)
		moving.Go(func() {
			for range scripts {
				if !m.move(t, c) {
					return
				}
			}
		})
	}
	return func() {
		moving.Wait()
		stop.Store(true)
		watching.Wait()
	}
}

// check holds what the server has against what was acknowledged. After a crash one script of each
// mover may have been done without an answer.
func (b *bank) check(t *testing.T, crashed bool) {
	t.Helper()
	c := b.server.Dial(t)
	if sum := sumOf(c.Do(readAccounts()...)); sum != total {
		t.Errorf("the accounts hold %d", sum)
	}
	for _, m := range b.movers {
		done := c.Do("LRANGE", fmt.Sprintf("done:%d", m.id), "0", "-1").Strings()
		acked := int(m.acked.Load())
		if len(done) != acked && !(crashed && len(done) == acked+1) {
			t.Errorf("mover %d: %d scripts are done, %d were acknowledged", m.id, len(done), acked)
		}
		for i, number := range done {
			if number != strconv.Itoa(i+1) {
				t.Errorf("mover %d: script %s was done as number %d", m.id, number, i+1)
				break
			}
		}
		if count := c.Do("GET", fmt.Sprintf("count:%d", m.id)); count.Text != strconv.Itoa(len(done)) && len(done) > 0 {
			t.Errorf("mover %d: counted %v, noted %d", m.id, count, len(done))
		}
		m.sent = len(done)
		m.acked.Store(int64(len(done)))
	}
}

// TestStrayingScripts runs such scripts side by side, and ends the server as a crash does, once at
// rest and once at work.
func TestStrayingScripts(t *testing.T) {
	scripts := 150
	if harness.Race {
		scripts = 40
	}
	for _, threads := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("io-threads %d", threads), func(t *testing.T) {
			s := harness.StartSubject(t, fmt.Sprintf("io-threads %d", threads), "appendonly yes", "appendfsync no")
			b := openBank(t, s, randtest.Seed(t))
			b.work(t, scripts)()
			b.check(t, false)
			before := harness.Contents(t, s)
			s.Kill(t)
			b.server = s.Restart(t)
			harness.SameContents(t, "after a crash at rest", before, harness.Contents(t, b.server))
			b.check(t, false)

			first := b.movers[0].acked.Load()
			wait := b.work(t, untilKilled)
			harness.Eventually(t, harness.Patience, "scripts are done", func() bool {
				return b.movers[0].acked.Load() >= first+int64(scripts)/2 || t.Failed()
			})
			b.server.Kill(t)
			wait()
			b.server = b.server.Restart(t)
			b.check(t, true)
		})
	}
}
