// Package users tests what becomes of connections while users change, and where users come from:
// redis.conf and aclfiles.
package users

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patience is how long a test waits for what must happen.
const patience = harness.Patience

// expect sends a call and compares the reply as it came.
func expect(t *testing.T, c *harness.Conn, want, call string) {
	t.Helper()
	if got := c.Do(strings.Fields(call)...); got.Raw != want+"\r\n" {
		t.Errorf("%s: %q, want %q", call, got.Raw, want)
	}
}

const (
	noKey     = "-NOPERM No permissions to access a key"
	noChannel = "-NOPERM No permissions to access a channel"
	wrongPass = "-WRONGPASS invalid username-password pair or user is disabled."
)

// TestWords: the refusals of 7.4, which the oracle words in another way.
func TestWords(t *testing.T) {
	s := harness.Start(t)
	admin, c := s.Dial(t), s.Dial(t)
	expect(t, admin, "+OK", "ACL SETUSER alice on >pw ~a* &a* +get +publish +eval +config|get +acl|whoami")
	expect(t, c, "+OK", "AUTH alice pw")
	expect(t, c, "-NOPERM User alice has no permissions to run the 'set' command", "SET a 1")
	expect(t, c, "-NOPERM User alice has no permissions to run the 'config|set' command", "CONFIG SET a 1")
	expect(t, c, noKey, "GET b")
	expect(t, c, noChannel, "PUBLISH b m")
	for script, want := range map[string]string{
		"return redis.pcall('set','a','1')":     "-ERR ACL failure in script: User alice has no permissions to run the 'set' command",
		"return redis.pcall('get','b')":         "-ERR ACL failure in script: No permissions to access a key",
		"return redis.pcall('publish','b','m')": "-ERR ACL failure in script: No permissions to access a channel",
	} {
		if got := c.Do("EVAL", script, "0"); got.Raw != want+"\r\n" {
			t.Errorf("%s: %q", script, got.Raw)
		}
	}
	for call, want := range map[string]string{
		"ACL DRYRUN alice set a 1":     "User alice has no permissions to run the 'set' command",
		"ACL DRYRUN alice get b":       "User alice has no permissions to access the 'b' key",
		"ACL DRYRUN alice publish b m": "User alice has no permissions to access the 'b' channel",
	} {
		if got := admin.Do(strings.Fields(call)...); got.Text != want {
			t.Errorf("%s: %q", call, got.Text)
		}
	}
	expect(t, c, wrongPass, "AUTH alice no")
	expect(t, c, "$5\r\nalice", "ACL WHOAMI")
}

// TestLog: what ACL LOG and INFO say of refusals.
func TestLog(t *testing.T) {
	s := harness.Start(t)
	admin, c := s.DialRESP(t, 3), s.Dial(t)
	expect(t, admin, "+OK", "ACL SETUSER alice on nopass ~a* &a* +get +publish +eval +multi +exec")
	expect(t, c, "+OK", "AUTH alice pw")
	c.Do("CLIENT", "SETNAME", "me")
	c.Do("SET", "a", "1")
	c.Do("GET", "b")
	c.Do("GET", "b")
	c.Do("PUBLISH", "b", "m")
	c.Do("EVAL", "return redis.pcall('get','b')", "0")
	c.Do("MULTI")
	c.Do("GET", "a")
	admin.MustOK("ACL", "SETUSER", "alice", "-get")
	c.Do("EXEC")
	c.Do("AUTH", "nobody", "x")
	c.Do("HELLO", "3", "AUTH", "nobody", "x")
	var got []string
	for _, e := range admin.Do("ACL", "LOG").Elems {
		f := e.Fields()
		if f["entry-id"].Text == "" || f["timestamp-created"].Text == "" ||
			!strings.Contains(f["client-info"].Text, " user=alice ") {
			t.Errorf("%v", e)
		}
		got = append(got, strings.Join([]string{
			f["count"].Text, f["reason"].Text, f["context"].Text, f["object"].Text, f["username"].Text,
		}, " "))
	}
	want := []string{
		"1 auth toplevel HELLO nobody", "1 auth toplevel AUTH nobody", "1 command multi get alice", "1 key lua b alice", "1 channel toplevel b alice",
		"2 key toplevel b alice", "1 command toplevel set alice", "1 command toplevel client|setname alice",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for field, want := range map[string]string{"auth": "2", "cmd": "3", "key": "3", "channel": "1"} {
		if got := admin.Info("stats", "acl_access_denied_"+field); got != want {
			t.Errorf("acl_access_denied_%s: %s, want %s", field, got, want)
		}
	}
	admin.MustOK("CONFIG", "SET", "acllog-max-len", "2")
	if n := len(admin.Do("ACL", "LOG", "100").Elems); n != 2 {
		t.Errorf("%d entries", n)
	}
}

// TestLogIsBounded: what ACL LOG keeps of requests that were refused is short, however long they were.
func TestLogIsBounded(t *testing.T) {
	s := harness.Start(t)
	admin, c := s.Dial(t), s.Dial(t)
	admin.MustOK("ACL", "SETUSER", "alice", "on", "nopass", "~a", "+get")
	c.MustOK("AUTH", "alice", "x")
	long := strings.Repeat("x", 100_000)
	c.Do("HELLO", "2", "SETNAME", long)
	expect(t, c, noKey, "GET "+long)
	expect(t, c, wrongPass, "AUTH "+long+" x")
	entries := admin.Do("ACL", "LOG")
	if len(entries.Elems) != 2 || len(entries.Raw) > 10_000 ||
		strings.Count(entries.Raw, "... (98976 more bytes)") != 2 {
		t.Errorf("%d entries, %d bytes", len(entries.Elems), len(entries.Raw))
	}
}

// TestWaitingWithoutTheRight: who waits for a key that it has lost the right to is refused when it
// comes, and the key's element stays.
func TestWaitingWithoutTheRight(t *testing.T) {
	s := harness.Start(t)
	admin, c := s.Dial(t), s.Dial(t)
	admin.MustOK("ACL", "SETUSER", "alice", "on", "nopass", "~*", "+@all")
	expect(t, c, "+OK", "AUTH alice x")
	c.Send("BLPOP", "list", "0")
	harness.Eventually(t, patience, "the client waits", func() bool { return admin.Info("clients", "blocked_clients") == "1" })
	admin.MustOK("ACL", "SETUSER", "alice", "resetkeys")
	expect(t, admin, ":1", "RPUSH list a")
	if r := c.Read(); r.Raw != noKey+"\r\n" {
		t.Errorf("%v", r)
	}
	expect(t, admin, ":1", "LLEN list")
}

// TestRightsHoldAtOnce: when ACL SETUSER has been answered, no connection has the old rights any more,
// whatever loop it is on and whatever others do.
func TestRightsHoldAtOnce(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "io-threads 4", "network-driver "+driver)
		admin := s.Dial(t)
		admin.MustOK("ACL", "SETUSER", "alice", "on", "nopass", "~a", "+get")
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 4 { // the same user is busy elsewhere
			c := s.Dial(t)
			c.MustOK("AUTH", "alice", "x")
			wg.Go(func() {
				for !stop.Load() {
					if r := c.Do("GET", "a"); !r.IsNull() && !strings.HasPrefix(r.Raw, "-NOPERM ") {
						t.Errorf("%v", r)
						return
					}
				}
			})
		}
		c := s.Dial(t)
		c.MustOK("AUTH", "alice", "x")
		for i := range 300 {
			rule, want := "-get", "-NOPERM User alice has no permissions to run the 'get' command\r\n"
			switch i % 4 {
			case 1:
				rule, want = "+get", "$-1\r\n"
			case 2:
				rule, want = "resetkeys", noKey+"\r\n"
			case 3:
				rule, want = "~a", "$-1\r\n"
			}
			admin.MustOK("ACL", "SETUSER", "alice", rule)
			if r := c.Do("GET", "a"); r.Raw != want {
				t.Fatalf("after %s: %v", rule, r)
			}
		}
		stop.Store(true)
		wg.Wait()
	})
}

// TestNobodyStaysSubscribed: clients subscribe and log in at the very moment when their user loses the
// channel or is deleted. Whoever comes first, nobody is left who may not be there.
func TestNobodyStaysSubscribed(t *testing.T) {
	s := harness.Start(t, "io-threads 4")
	admin := s.Dial(t)
	for i := range 60 {
		admin.MustOK("ACL", "SETUSER", "alice", "reset", "on", "nopass", "+@all", "&ch")
		var conns []*harness.Conn
		for range 6 {
			c := s.Dial(t)
			if i%2 == 0 {
				c.MustOK("AUTH", "alice", "x")
			}
			conns = append(conns, c)
		}
		var wg sync.WaitGroup
		for _, c := range conns {
			wg.Go(func() {
				if i%2 != 0 {
					_ = c.TryWrite(harness.Encode("AUTH", "alice", "x"))
				}
				_ = c.TryWrite(harness.Encode("SUBSCRIBE", "ch"))
			})
		}
		call := []string{"ACL", "SETUSER", "alice", "resetchannels"}
		if i%2 != 0 {
			call = []string{"ACL", "DELUSER", "alice"}
		}
		if r := admin.Do(call...); r.IsError() {
			t.Fatal(r)
		}
		wg.Wait()
		harness.Eventually(t, patience, fmt.Sprintf("round %d: nobody stays as alice", i), func() bool {
			for line := range strings.Lines(admin.Do("CLIENT", "LIST").Text) {
				if strings.Contains(line, " user=alice ") && (i%2 != 0 || !strings.Contains(line, " sub=0 ")) {
					return false
				}
			}
			return true
		})
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// TestConfigFile: users of redis.conf are there after a start, a rewrite keeps them with what has
// changed, and they are the same after another start.
func TestConfigFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.conf")
	text := "requirepass main\n# who may do what\nuser alice on >pw ~a* +@read -get (+set ~b*)\nuser bob\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartBinaryWith(t, file)
	c := s.Dial(t)
	expect(t, c, "-NOAUTH Authentication required.", "PING")
	expect(t, c, "+OK", "AUTH main")
	expect(t, c, "*3\r\n$5\r\nalice\r\n$3\r\nbob\r\n$7\r\ndefault", "ACL USERS")
	expect(t, c, ":1", "ACL DELUSER bob")
	c.MustOK("ACL", "SETUSER", "carol", "on", ">pw", "allkeys", "+@all", "-@admin")
	c.MustOK("ACL", "SETUSER", "alice", "&news", `~a"b'\\`, "~\xff#")
	c.MustOK("CONFIG", "REWRITE")
	before := c.Do("ACL", "LIST").Raw
	content, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(content), "user default") || strings.Contains(string(content), ">pw") ||
		!strings.Contains(string(content), "# who may do what\nuser alice on ") {
		t.Errorf("%v\n%s", err, content)
	}
	again := harness.StartBinaryWith(t, file).Dial(t)
	expect(t, again, "+OK", "AUTH main")
	if got := again.Do("ACL", "LIST").Raw; got != before {
		t.Errorf("%s\nwant\n%s", got, before)
	}
	expect(t, again, "+OK", "AUTH carol pw")
	expect(t, again, "-NOPERM User carol has no permissions to run the 'config|get' command", "CONFIG GET x")
	again.MustOK("AUTH", "main")
	again.MustOK("CONFIG", "SET", "requirepass", "other")
	again.MustOK("ACL", "SETUSER", "default", "-echo")
	again.MustOK("ACL", "SETUSER", "", "on", `("~a)" +get)`)
	again.MustOK("CONFIG", "REWRITE")
	before = again.Do("ACL", "LIST").Raw
	third := harness.StartBinaryWith(t, file).Dial(t)
	expect(t, third, wrongPass, "AUTH main")
	expect(t, third, "+OK", "AUTH other")
	expect(t, third, strings.TrimSuffix(before, "\r\n"), "ACL LIST")
	expect(t, third, "-NOPERM User default has no permissions to run the 'echo' command", "ECHO x")
}

// TestRefusedStarts: what would let in somebody who was not meant to be let in stops the start.
func TestRefusedStarts(t *testing.T) {
	folder := t.TempDir()
	users := filepath.Join(folder, "users.acl")
	if err := os.WriteFile(users, []byte("user alice on +nope\nuser bob ~* ~a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		params []string
		want   string
	}{
		{[]string{"aclfile " + users}, users + ":1: Error in applying operation '+nope': Unknown command or category name in ACL. " + users + ":2: Adding a pattern"},
		{[]string{"aclfile " + users, "user alice on"}, "have either, not both"},
		{[]string{"aclfile " + folder + "/none"}, "No such file or directory"},
		{[]string{"user alice on +nope"},
			"'--user alice (hidden)': Error in ACL SETUSER modifier '+nope': Unknown command"},
		{[]string{"user alice on", "user alice off"}, "Duplicate user found"},
		{[]string{"user alice on (+get"}, "Unmatched parenthesis"},
		{[]string{"requirepass pw", "user default on nopass ~* +@all"}, "without a password"},
	} {
		if said := harness.Refusal(t, test.params...); !strings.Contains(said, test.want) {
			t.Errorf("%q: %s", test.params, said)
		}
	}
}

// TestACLFile: ACL SAVE and LOAD, and what becomes of connections.
func TestACLFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users.acl")
	content := "user alice on nopass ~* &a &b +@all\n\nuser bob on nopass +@all\n"
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(content)
	s := harness.Start(t, "aclfile "+file, "io-threads 2")
	admin, alice, bob := s.Dial(t), s.Dial(t), s.Dial(t)
	listens := s.DialRESP(t, 3)
	alice.MustOK("AUTH", "alice", "x")
	listens.MustOK("AUTH", "alice", "x")
	bob.MustOK("AUTH", "bob", "x")
	listens.Do("SUBSCRIBE", "b")
	admin.MustOK("ACL", "SAVE")
	before := admin.Do("ACL", "LIST").Raw
	admin.MustOK("ACL", "LOAD")
	if got := admin.Do("ACL", "LIST").Raw; got != before {
		t.Errorf("%s\nwant\n%s", got, before)
	}
	expect(t, bob, "+PONG", "PING")
	write("user alice on nopass ~* &a +@all -get\nuser carol ~x ~*\nuser dave +nope\n")
	r := admin.Do("ACL", "LOAD")
	if !strings.HasPrefix(r.Raw, "-ERR "+file+":3: Error in applying operation '+nope'") || admin.Do("ACL", "LIST").Raw != before {
		t.Errorf("%v", r)
	}
	write("user alice on nopass ~* &a +@all -get\nuser carol ~x ~*\n")
	admin.MustOK("ACL", "LOAD")
	expect(t, alice, "-NOPERM User alice has no permissions to run the 'get' command", "GET x")
	if left := bob.ReadUntilClosed(); left != "" {
		t.Errorf("%q", left)
	}
	if left := listens.ReadUntilClosed(); left != "" {
		t.Errorf("%q", left)
	}
	expect(t, admin, "*3\r\n$5\r\nalice\r\n$5\r\ncarol\r\n$7\r\ndefault", "ACL USERS")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if r := admin.Do("ACL", "LOAD"); !strings.Contains(r.Raw, "opening file '"+file+"': No such file or directory") {
		t.Errorf("%v", r)
	}
}
