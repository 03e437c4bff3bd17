package interop

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// memberTimes are the Unix times at which the members of the test's sets expire.
func memberTimes(c *harness.Conn) (all []string) {
	for _, key := range []string{"few", "moved", "big"} {
		members := membersOf(c, key)
		words := append([]string{"SPEXPIRETIME", key, "MEMBERS", fmt.Sprint(len(members))}, members...)
		for i, at := range c.Do(words...).Elems {
			n, _ := at.Int()
			all = append(all, fmt.Sprint(key, " ", members[i], " ", n))
		}
	}
	return all
}

// TestMemberTimesTravel: times to live of members survive kill -9 and a restart, by log and by
// snapshot, and Redis reads the same files to the same sets, without the times.
func TestMemberTimesTravel(t *testing.T) {
	inEachForm(t, func(t *testing.T, f form) {
		s := harness.StartBinary(t, append(f.params, "enable-debug-command yes")...)
		c := s.Dial(t)
		c.Do("SADDEX", "few", "EX", "100000", "MEMBERS", "2", "1", "2")
		c.Do("SADD", "few", "3", "word")
		c.Do("SADDEX", "was", "90000", "a", "b")
		c.Do("SEXPIRE", "was", "80000", "MEMBERS", "1", "b")
		c.Do("SPERSIST", "was", "MEMBERS", "1", "a")
		c.Do("RENAME", "was", "moved")
		for i := range 3000 {
			c.Do("SADDEX", "big", "PX", strconv.Itoa(10_000_000+1000*i), "MEMBERS", "1", fmt.Sprint("member", i))
		}
		c.Do("SADD", "big", "for ever")
		c.Do("SADDEX", "big", "PX", "1", "MEMBERS", "2", "gone", "again")
		c.Do("SADDEX", "short", "PX", "1", "MEMBERS", "1", "gone")
		harness.Eventually(t, harness.Patience, "members expire", func() bool {
			return c.Do("SCARD", "big").Raw == ":3001\r\n" && c.Do("EXISTS", "short").Raw == ":0\r\n"
		})
		c.Do("SADD", "big", "again")
		f.write(c)
		if f.logs() {
			c.Do("SEXPIRE", "big", "70000", "MEMBERS", "1", "member7")
		}
		want, contents := memberTimes(c), harness.Contents(t, s)
		if len(want) != 4+2+3002 {
			t.Fatalf("%d members", len(want))
		}
		s.Kill(t)

		again := s.Restart(t)
		if got := memberTimes(again.Dial(t)); !slices.Equal(got, want) {
			t.Errorf("after the restart %d members have other times or are others", differing(got, want))
		}
		harness.SameContents(t, "restarted", contents, harness.Contents(t, again))
		again.Kill(t)

		redis := harness.StartRedis(t, append(f.params, "dir "+s.Dir)...)
		harness.SameContents(t, "redis-server", contents, harness.Contents(t, redis))
	})
}

func membersOf(c *harness.Conn, key string) (members []string) {
	for _, m := range c.Do("SMEMBERS", key).Elems {
		members = append(members, m.Text)
	}
	slices.Sort(members)
	return members
}

func differing(got, want []string) (n int) {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			n++
		}
	}
	return n
}

// TestMemberTimesInPayloads: what DUMP makes of a set whose members expire is a set without times to
// Redis, and all of it to larder.
func TestMemberTimesInPayloads(t *testing.T) {
	s, redis := harness.Start(t), harness.StartRedis(t)
	c, oracle := s.Dial(t), redis.Dial(t)
	for _, n := range []int{3, 3000} {
		key := fmt.Sprint("set", n)
		for i := range n {
			c.Do("SADDEX", key, "EX", "100000", "MEMBERS", "1", fmt.Sprint("member", i))
		}
		payload := c.Do("DUMP", key).Text
		oracle.MustOK("RESTORE", key, "0", payload)
		if got, want := membersOf(oracle, key), membersOf(c, key); !slices.Equal(got, want) {
			t.Errorf("redis-server restored %d members of %d", len(got), len(want))
		}
		at := c.Do("SPEXPIRETIME", key, "MEMBERS", "1", "member1").Raw
		c.MustOK("RESTORE", "copy", "0", payload, "REPLACE")
		if got := c.Do("SPEXPIRETIME", "copy", "MEMBERS", "1", "member1").Raw; got != at {
			t.Errorf("the copy's member expires at %q, not %q", got, at)
		}
	}
}
