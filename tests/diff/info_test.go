package diff

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// infoNames are the names in a section of INFO, in their order.
func infoNames(c *harness.Conn, section string) []string {
	var names []string
	for line := range strings.SplitSeq(c.Do("INFO", section).Text, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, name)
		}
	}
	return names
}

// TestInfoPersistence compares the fields, and the values that a server without any history has.
func TestInfoPersistence(t *testing.T) {
	larder, redis := harness.Start(t).Dial(t), harness.StartRedis(t).Dial(t)
	d := duel{larder, redis}
	compare := func(when string) {
		t.Helper()
		if a, b := infoNames(larder, "persistence"), infoNames(redis, "persistence"); !slices.Equal(a, b) {
			t.Errorf("%s\n  larder %q\n  redis  %q", when, a, b)
		}
	}
	same := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if a, b := larder.Info("persistence", name), redis.Info("persistence", name); a != b {
				t.Errorf("%s is %q, in Redis %q", name, a, b)
			}
		}
	}
	compare("at the start")
	for _, name := range infoNames(redis, "persistence") {
		if name != "rdb_last_save_time" {
			same(name)
		}
	}
	for _, args := range [][]string{{"SET", "a", "1"}, {"SADD", "s", "1", "2", "3"}, {"DEL", "none"}, {"RESTORE", "x", "0", "bad"}} {
		d.do(args)
	}
	same("rdb_changes_since_last_save")
	d.do([]string{"SAVE"})
	same("rdb_changes_since_last_save", "rdb_saves", "rdb_last_bgsave_status", "rdb_bgsave_in_progress")
	if a, b := d.do([]string{"LASTSAVE"}); !isNear(a, b) {
		t.Errorf("LASTSAVE is %v, in Redis %v", a, b)
	}
	d.do([]string{"CONFIG", "SET", "appendonly", "yes"})
	compare("with a log")
	for _, c := range []*harness.Conn{larder, redis} {
		harness.Eventually(t, harness.Patience, "the log has its base file", func() bool { return c.Info("persistence", "aof_rewrites") == "1" })
		c.WaitBackgroundWork() // Redis counts a rewrite when it begins
	}
	same("aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled", "aof_last_bgrewrite_status", "aof_last_write_status",
		"aof_rewrites_consecutive_failures", "aof_pending_rewrite", "aof_buffer_length", "aof_delayed_fsync")
	d.do([]string{"CONFIG", "SET", "appendonly", "no"})
	compare("without it again")
	same("aof_enabled")
}
