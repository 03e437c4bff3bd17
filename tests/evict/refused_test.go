package evict

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// notAsked are commands that end the test or the connection, wait, have no reply of their own, or empty the server.
var notAsked = []string{"shutdown", "quit", "monitor", "waitaof", "wait", "client|reply", "client|kill", "client|pause", "debug", "exec", "discard",
	"multi", "reset", "hello", "auth", "config|set", "config|rewrite", "save", "bgsave", "bgrewriteaof", "failover", "psync", "sync", "replicaof",
	"slaveof", "migrate", "flushall", "flushdb", "swapdb", "move",
	"subscribe", "psubscribe", "ssubscribe"}

// TestWhatIsRefused fills larder and redis-server until they refuse to take more, and then calls all commands that both know. Those with the
// flag denyoom are refused by both, alone and inside MULTI, and no other.
func TestWhatIsRefused(t *testing.T) {
	var caches []*cache
	for _, s := range []*harness.Server{harness.Start(t), harness.StartRedis(t)} {
		c := newCache(t, s)
		c.MustOK("SET", "1", "1")
		c.room(1 << 20)
		for full, n := false, 0; !full; n++ {
			for _, r := range c.each(piece, func(i int) []string { return []string{"SET", name("k", n*piece+i), strings.Repeat("v", 500)} }) {
				full = full || isOOM(r)
			}
		}
		c.set("maxmemory", 1) // what a command frees does not change it
		caches = append(caches, c)
	}
	subject, redis := caches[0].Commands(), caches[1].Commands()
	asked, refused := 0, 0
	for name, cmd := range subject {
		other, known := redis[name]
		if !known || slices.Contains(notAsked, name) {
			continue
		}
		denyoom, there := slices.Contains(cmd.Flags, "denyoom"), slices.Contains(other.Flags, "denyoom")
		if denyoom != there {
			t.Errorf("%s has the flag denyoom: %v, in Redis %v", name, denyoom, there)
		}
		args := strings.Split(name, "|")
		for len(args) < max(cmd.Arity, -cmd.Arity) {
			args = append(args, "1")
		}
		asked++
		for _, c := range caches {
			if r := c.Do(args...); isOOM(r) != denyoom {
				t.Errorf("%s: %q: %v", c.server.Name, args, r)
			}
			c.MustOK("MULTI")
			if r := c.Do(args...); denyoom && !isOOM(r) {
				t.Errorf("%s: MULTI, %q: %v", c.server.Name, args, r)
			}
			c.Do("DISCARD")
		}
		if denyoom {
			refused++
		}
	}
	if asked < 100 || refused < 20 {
		t.Errorf("%d commands were asked, %d refused", asked, refused)
	}
}
