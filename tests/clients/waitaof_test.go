package clients

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// TestWaitaof: a client learns that its writes are on disk, under every policy, and waits in vain for replicas.
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
				expect(synced, "WAITAOF", "1", "1", "500")
				expect(synced, "WAITAOF", "1", "0", "100000")
				c.MustOK("CONFIG", "SET", "appendonly", "no")
				expect("-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n", "WAITAOF", "1", "0", "0")
				expect(unknown, "WAITAOF", "0", "0", "0")
				c.MustOK("SET", "c", "1")
				c.MustOK("CONFIG", "SET", "appendonly", "yes")
				expect(synced, "WAITAOF", "1", "0", "20000")
			})
		})
	}
}
