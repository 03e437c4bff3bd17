package clients

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestWaitaof: a client learns that its writes are on disk, under every policy, and waits in vain
// for replicas.
func TestWaitaof(t *testing.T) {
	for _, policy := range []string{"always", "everysec", "no"} {
		t.Run(policy, func(t *testing.T) {
			harness.EachDriver(t, func(t *testing.T, driver string) {
				c := harness.Start(t, "appendonly yes", "appendfsync "+policy, "network-driver "+driver).Dial(t)
				expect := func(want string, args ...string) {
					t.Helper()
					if r := c.Do(args...); r.Raw != want {
						t.Errorf("%q: %v, want %q", args, r, want)
					}
				}
				const synced, unknown = "*2\r\n:1\r\n:0\r\n", "*2\r\n:0\r\n:0\r\n"
				c.MustOK("SET", "a", "1")
				expect(synced, "WAITAOF", "1", "0", "0")
				expect(synced, "WAITAOF", "0", "0", "0")
				c.MustOK("SET", "b", "1")
				expect(synced, "WAITAOF", "1", "0", "0")
				expect(synced, "WAITAOF", "1", "1", "500")
				c.MustOK("CONFIG", "SET", "appendonly", "no")
				expect("-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n", "WAITAOF", "1", "0", "0")
				expect(unknown, "WAITAOF", "0", "0", "0")
				c.MustOK("SET", "c", "1")
				c.MustOK("CONFIG", "SET", "appendonly", "yes")
				expect(synced, "WAITAOF", "1", "0", "0")
			})
		})
	}
}

// patience is how long something may take that is to happen soon.
const patience = harness.Patience

// TestWaitaofLogGoes: who waits for a log that is switched off is told so.
func TestWaitaofLogGoes(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "appendonly yes", "network-driver "+driver)
		waiter, c := s.Dial(t), s.Dial(t)
		waiter.Send("WAITAOF", "1", "1", "0")
		harness.Eventually(t, patience, "the client waits", func() bool { return c.Info("clients", "blocked_clients") == "1" })
		c.MustOK("CONFIG", "SET", "appendonly", "no")
		const want = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n"
		if r := waiter.Read(); r.Raw != want {
			t.Errorf("%v, want %q", r, want)
		}
	})
}

// TestWaitaofClientGoes: nothing is left of a wait whose client has gone.
func TestWaitaofClientGoes(t *testing.T) {
	const clients = 50
	s := harness.Start(t)
	c := s.Dial(t)
	waits := func() int {
		stacks := make([]byte, 4<<20)
		return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("engine.(*Kernel).Go.func1"))
	}
	for range clients {
		waiter := s.Dial(t)
		waiter.Send("WAITAOF", "0", "1", "0")
		harness.Eventually(t, patience, "the client waits", func() bool { return c.Info("clients", "blocked_clients") == "1" })
		if err := waiter.Close(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, patience, "the client is gone", func() bool { return c.Info("clients", "blocked_clients") == "0" })
	}
	harness.Eventually(t, patience, "nobody waits", func() bool { return waits() == 0 })
}
