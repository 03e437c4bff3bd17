package commands

import (
	"strings"
	"testing"
	"time"
)

// TestHotkeys: who uses a key counts, however its command comes to run.
func TestHotkeys(t *testing.T) {
	c := newTestClient(t)
	c.expect("hotkeys get", "[]")
	c.expect("mset a 1 b 2", "+OK")
	for range 8 {
		c.do("get", "a")
	}
	c.do("select", "3")
	c.do("eval", "for i = 1, 5 do redis.call('get', KEYS[1]) end", "1", "script")
	c.do("multi")
	c.do("incr", "b")
	c.do("incr", "b")
	c.do("exec")
	c.do("mget", "b", "none", "b")
	c.do("get", "once")
	c.do("client", "no-touch", "on")
	c.do("get", "none")
	got := c.do("hotkeys", "get")
	for _, want := range []string{
		`["key" "a" "db" :0 "accesses" :9 "error" :0 `, `["key" "script" "db" :3 "accesses" :5 `,
		`["key" "b" "db" :3 "accesses" :4 `,
	} {
		before, after, ok := strings.Cut(got, want)
		if !ok || strings.Contains(before, "key") {
			t.Errorf("%s does not begin with %s", got, want)
		}
		got = after
	}
	if strings.Contains(got, "key") {
		t.Errorf("there are others: %s", got)
	}
	c.expect("hotkeys reset", "+OK")
	c.expect("hotkeys get", "[]")
}

// TestHotkeysParameter: with hotkeys no, nothing is noted and nothing is told.
func TestHotkeysParameter(t *testing.T) {
	c := newTestClient(t)
	for range 10 {
		c.do("get", "a")
	}
	c.now = c.now.Add(5 * time.Second)
	c.do("hello", "3")
	c.expect("hotkeys get", `[%["key" "a" "db" :0 "accesses" :10 "error" :0 "rate" ,2 "share" ,1]]`)
	c.kernel.Store.SampleHotKeys(false)
	c.expect("hotkeys get", "[]")
}

// TestHotkeysRights: names of keys are for administrators.
func TestHotkeysRights(t *testing.T) {
	c := newTestClient(t)
	c.do("acl", "setuser", "reader", "on", "nopass", "~*", "+@all", "-@dangerous")
	c.do("auth", "reader", "x")
	for _, sub := range []string{"get", "reset"} {
		if got := c.do("hotkeys", sub); !strings.HasPrefix(got, "-NOPERM") {
			t.Errorf("%s: %q", sub, got)
		}
	}
	if got, want := c.do("hotkeys", "help"), "[+HOTKEYS <subcommand>"; !strings.HasPrefix(got, want) {
		t.Errorf("%q", got)
	}
}
