// Package scripts holds scripts to what they promise beside their replies, which are compared with
// redis-server in tests/diff: that they stall nobody, that they can be ended, that nothing of them is
// lost, and that others hear of what they do.
package scripts

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	patience = harness.Patience
	endless  = "redis.call('get', KEYS[1]) while true do end"
	writing  = "redis.call('incr', KEYS[1]) while true do end"
	killed   = "-ERR Script killed by user with SCRIPT KILL... script: "
	nothing  = "NOTBUSY No scripts in execution right now."
)

// kill ends the scripts that run, once they take long.
func kill(t *testing.T, c *harness.Conn, want string) {
	t.Helper()
	harness.Eventually(t, patience, "SCRIPT KILL finds a script", func() bool {
		reply := c.Do("SCRIPT", "KILL")
		if reply.Text == nothing {
			return false
		}
		if reply.Text != want {
			t.Errorf("SCRIPT KILL: %s, want %s", reply.Text, want)
		}
		return true
	})
}

// TestLongScripts: an endless script delays only those who need its key, and is killed wherever it is:
// in a loop, in a library, in a command, in a coroutine, under pcall, while its reply is made.
func TestLongScripts(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver, "io-threads 1", "busy-reply-threshold 50")
		admin := s.Dial(t)
		admin.MustOK("SET", "k", "v")
		for _, script := range []string{
			endless,
			"while true do pcall(function() while true do end end) end",
			"while true do pcall(redis.call, 'get', KEYS[1]) end",
			"while true do redis.pcall('nope') end",
			"string.find(string.rep('a', 5000), string.rep('.-', 500) .. 'b')",
			"coroutine.wrap(function() while true do end end)()",
			"while true do coroutine.wrap(function() pcall(error) end)() end",
			"xpcall(function() while true do end end, function(e) while true do end end)",
			"table.sort({1,2,3}, function() while true do end end)",
			"string.gsub('abc', '.', function() while true do end end)",
			"local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
			"load(function() while true do end end)",
			"while true do string.rep('x', 1000000) end",
			"while true do cjson.encode({1,2,{3}}) end",
			"while true do table.concat({1,2,3}) end",
			"local t = {} while true do t[#t % 100 + 1] = {} end",
			"#!lua flags=no-writes\nwhile true do end",
		} {
			runner := s.Dial(t)
			runner.Send("EVAL", script, "1", "k")
			harness.Eventually(t, patience, "the key is busy", func() bool {
				return strings.HasPrefix(admin.Do("GET", "k").Text, "BUSY Redis is busy running a script. You can only call SCRIPT KILL")
			})
			admin.MustOK("SET", "elsewhere", "v")
			if used := admin.Do("INFO", "memory").Text; strings.Contains(used, "used_memory_lua:0\r") {
				t.Error("no memory is counted")
			}
			kill(t, admin, "OK")
			if got := runner.Read().String(); !strings.Contains(got, killed[1:]) || !strings.Contains(got, "on @user_script:") {
				t.Errorf("%s: %s", script, got)
			}
			if got := runner.Do("EVAL", "return redis.call('get', KEYS[1])", "1", "k").Text; got != "v" {
				t.Errorf("after %s: %s", script, got)
			}
		}
	})
}

// TestScriptsThatHaveWritten cannot be killed, but with the server, and then are not there.
func TestScriptsThatHaveWritten(t *testing.T) {
	s := harness.StartBinary(t, "appendonly yes", "busy-reply-threshold 50")
	admin, runner := s.Dial(t), s.Dial(t)
	admin.MustOK("SET", "k", "1")
	runner.Send("EVAL", writing, "1", "k")
	kill(t, admin, "UNKILLABLE Sorry the script already executed write commands against the dataset. "+
		"You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.")
	admin.Send("SHUTDOWN", "NOSAVE")
	s.Wait(t, patience)
	if got := s.Restart(t).Dial(t).Do("GET", "k").Text; got != "1" {
		t.Errorf("after a script that did not end: %s", got)
	}
}

// TestEffectsAreKept: a log has what a script has done, as one transaction, and nothing of the script.
func TestEffectsAreKept(t *testing.T) {
	s := harness.StartBinary(t, "appendonly yes", "appendfsync always", "save \"\"")
	c := s.Dial(t)
	const script = `redis.call('set', KEYS[1], redis.call('time')[2], 'px', 100000)
redis.call('sadd', 'tag', math.random(), 'x') redis.call('spop', 'tag')
redis.call('select', 3) redis.call('incr', 'n') redis.call('incr', 'n')
redis.set_repl(redis.REPL_NONE) redis.call('set', 'unlogged', 'x') redis.set_repl(redis.REPL_ALL)
return redis.call('get', 'n')`
	if got := c.Do("EVAL", script, "1", "k").Text; got != "2" {
		t.Fatal(got)
	}
	c.Do("EVALSHA", strings.Repeat("0", 40), "0")
	c.MustOK("SELECT", "0")
	value, tags := c.Do("GET", "k").Text, c.Do("SMEMBERS", "tag").String()
	s.Kill(t)
	log := s.LoggedCommands(t)
	if regexp.MustCompile(`(?i)eval|redis\.call`).MatchString(log) ||
		strings.Count(log, "MULTI") != 1 || strings.Count(log, "EXEC") != 1 {
		t.Errorf("the log: %s", log)
	}
	c = s.Restart(t).Dial(t)
	if got := c.Do("GET", "k").Text; got != value {
		t.Errorf("%s, want %s", got, value)
	}
	if got := c.Do("SMEMBERS", "tag").String(); got != tags {
		t.Errorf("%s, want %s", got, tags)
	}
	c.MustOK("SELECT", "3")
	if got := c.Do("GET", "n").Text; got != "2" {
		t.Error(got)
	}
	if !c.Do("GET", "unlogged").IsNull() {
		t.Error("what was not to be logged is there")
	}
}

// TestOthersHearOfScripts: clients with caches, subscribers and monitors.
func TestOthersHearOfScripts(t *testing.T) {
	s := harness.Start(t, "notify-keyspace-events KA")
	reader, writer, events, monitor := s.DialRESP(t, 3), s.Dial(t), s.Dial(t), s.Dial(t)
	reader.MustOK("CLIENT", "TRACKING", "ON")
	reader.Do("EVAL", "return redis.call('get', KEYS[1])", "1", "k")
	events.Do("PSUBSCRIBE", "__keyspace*")
	monitor.MustOK("MONITOR")
	const script = "redis.call('publish', 'c', 'm') return redis.call('set', KEYS[1], 'v')"
	if got := writer.Do("EVAL", script, "1", "k").String(); !strings.Contains(got, "OK") {
		t.Error(got)
	}
	if got := reader.Read().String(); !strings.Contains(got, "invalidate") {
		t.Errorf("a client with a cache heard %s", got)
	}
	if got := events.Read().String(); !strings.Contains(got, "__keyspace@0__:k") || !strings.Contains(got, "set") {
		t.Errorf("a subscriber heard %s", got)
	}
	for _, want := range []string{`"EVAL"`, `[0 lua] "publish" "c" "m"`, `[0 lua] "set" "k" "v"`} {
		if got := monitor.Read().Text; !strings.Contains(got, want) {
			t.Errorf("a monitor was shown %s, want %s", got, want)
		}
	}
}

// TestScriptsWithoutMemory: a script at a full cap is refused its first write that needs memory, may
// free some, and says what it needs by its flags.
func TestScriptsWithoutMemory(t *testing.T) {
	s := harness.Start(t)
	c := s.Dial(t)
	c.MustOK("SET", "k", strings.Repeat("v", 1<<20))
	c.MustOK("SET", "more", strings.Repeat("v", 4<<20))
	for limit := 64 << 20; !strings.HasPrefix(c.Do("SET", "probe", "v").Text, "OOM"); limit -= limit / 32 {
		c.MustOK("CONFIG", "SET", "maxmemory", strconv.Itoa(limit))
	}
	const oom = "OOM command not allowed when used memory > 'maxmemory'."
	for script, want := range map[string]string{
		"return redis.call('set', KEYS[1], 'x')":                                   oom + " script",
		"return redis.pcall('set', KEYS[1], 'x')":                                  oom,
		"return redis.call('strlen', KEYS[1]) .. ''":                               "1048576",
		"redis.call('expire', KEYS[1], 100) return redis.call('append', 'l', 'x')": "1",
		"#!lua\nreturn 1":                   oom,
		"#!lua flags=no-writes\nreturn '1'": "1",
		"#!lua flags=allow-oom\nreturn redis.call('set', 'small', 'x')": "OK",
	} {
		if got := c.Do("EVAL", script, "1", "k").Text; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
	if got := c.Do("EVAL", "redis.call('del', KEYS[1]) return 'freed'", "1", "k").Text; got != "freed" {
		t.Error(got)
	}
}

// TestScriptsOfManyClients run side by side, with keys that they declare and that they do not, and
// lose nothing.
func TestScriptsOfManyClients(t *testing.T) {
	s := harness.Start(t, "io-threads 4")
	const clients, rounds = 8, 300
	done := make(chan error, clients)
	for i := range clients {
		c := s.Dial(t)
		go func() {
			var err error
			for n := range rounds {
				script := "for i = 1, 5 do redis.call('incr', 'c' .. i) end return 1"
				if n%2 == i%2 {
					script = "for i = 1, #KEYS do redis.call('incr', KEYS[i]) end return 1"
				}
				if err = c.TryWrite(harness.Encode("EVAL", script, "5", "c1", "c2", "c3", "c4", "c5")); err == nil {
					_, err = c.TryRead()
				}
				if err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Dial(t).Do("MGET", "c1", "c2", "c3", "c4", "c5").String(); strings.Count(got, "2400") != 5 {
		t.Error(got)
	}
}
