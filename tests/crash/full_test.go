package crash

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// A disk that is full for a while: a limit on the size of files, set from outside on the running
// process, makes its writes fail with EFBIG.

// patience is for what happens within a second.
const patience = harness.Patience

// logSize is the size of the log's incremental files in bytes.
func logSize(t *testing.T, s *harness.Server) int64 {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no incremental file in %s: %v", s.Dir, err)
	}
	var size int64
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// TestFullDiskUnderTheLog: when the log cannot be written, writes are refused and reads go on; when
// it can, everything resumes. What was acknowledged is in the log in the end, and under always at
// every moment.
func TestFullDiskUnderTheLog(t *testing.T) {
	for _, policy := range []string{"always", "everysec", "no"} {
		t.Run(policy, func(t *testing.T) {
			if policy == "always" && !harness.SubjectIsLarder() {
				return // Redis ends: "Can't recover from AOF write error when the AOF fsync policy is 'always'"
			}
			s := harness.StartSubject(t, "appendonly yes", "appendfsync "+policy)
			c := s.Dial(t)
			c.MustOK("SET", "k", "v")
			s.LimitFiles(t, logSize(t, s)+5000)
			acked := writeUntilRefused(t, s)
			if acked == 0 {
				t.Error("nothing was written before the disk was full")
			}
			if r := c.Do("SET", "refused", "v"); !strings.HasPrefix(r.Text, "MISCONF Errors writing to the AOF file: ") {
				t.Errorf("a write: %v", r)
			}
			for _, args := range [][]string{{"GET", "k"}, {"HGET", "none", "f"}, {"SCARD", "none"}} {
				if r := c.Do(args...); r.IsError() {
					t.Errorf("%q: %v", args, r)
				}
			}
			if got := c.Info("persistence", "aof_last_write_status"); got != "err" {
				t.Errorf("aof_last_write_status:%s", got)
			}
			if harness.SubjectIsLarder() { // Redis acknowledges what it has not written, but under always
				copied := harness.StartSubject(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))
				checkAcked(t, "while the disk is full", copied.Dial(t), acked)
			}
			s.LimitFiles(t, -1)
			harness.Eventually(t, patience, "writes are accepted again", func() bool {
				return c.Do("SET", "resumed", "v").Raw == "+OK\r\n"
			})
			if got := c.Info("persistence", "aof_last_write_status"); got != "ok" {
				t.Errorf("aof_last_write_status:%s", got)
			}
			s.Kill(t)
			after := s.Restart(t).Dial(t)
			checkAcked(t, "in the end", after, acked)
			if policy != "everysec" && after.Do("GET", "resumed").Text != "v" || after.Do("EXISTS", "refused").Raw != ":0\r\n" {
				t.Error("what was written when the disk worked again is missing, or what was refused is there")
			}
		})
	}
}

// writeUntilRefused sets numbered keys, alone and in transactions, until the server refuses or
// closes, and returns how many were acknowledged.
func writeUntilRefused(t *testing.T, s *harness.Server) int {
	t.Helper()
	c := s.Dial(t)
	const tooMany = 100_000
	for n := range tooMany {
		name := "key:" + strconv.Itoa(n)
		raw, replies := harness.Encode("SET", name, name), 1
		if n%3 == 0 {
			raw, replies = harness.Encode("MULTI")+raw+harness.Encode("EXEC"), 3
		}
		if c.TryWrite(raw) != nil {
			return n
		}
		for range replies {
			if r, err := c.TryRead(); err != nil || r.IsError() {
				return n
			}
		}
	}
	t.Fatal("the limit is not felt")
	return 0
}

func checkAcked(t *testing.T, when string, c *harness.Conn, acked int) {
	t.Helper()
	missing := 0
	for n := range acked {
		if name := "key:" + strconv.Itoa(n); c.Do("GET", name).Text != name {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%s: %d of %d acknowledged writes are missing", when, missing, acked)
	}
}

// TestFullDiskUnderSnapshots: a snapshot that cannot be written leaves the old file as it is and,
// with save points, stops writes until one succeeds; a rewrite of the log that fails costs nothing
// but the rewrite.
func TestFullDiskUnderSnapshots(t *testing.T) {
	s := harness.StartSubject(t, "save 100000 100000", "appendonly yes")
	c := s.Dial(t)
	c.MustOK("SET", "k", "v")
	c.MustOK("SAVE")
	before := harness.FolderState(t, s.Dir)["dump.rdb"]
	for i := range 50 {
		c.MustOK("SET", "big:"+strconv.Itoa(i), strings.Repeat(strconv.Itoa(i), 20_000))
	}
	c.MustOK("CONFIG", "SET", "rdbcompression", "no")
	fails := func(command, status string) {
		t.Helper()
		if r := c.Do(command); r.IsError() {
			t.Fatalf("%s: %v", command, r)
		}
		harness.Eventually(t, patience, command+" fails", func() bool { return c.Info("persistence", status) == "err" })
	}
	s.LimitFiles(t, logSize(t, s)+1000) // the log has room for a little, a new file has less than the snapshot needs
	c.MustOK("CONFIG", "SET", "appendonly", "no")
	s.LimitFiles(t, 100_000)
	fails("BGSAVE", "rdb_last_bgsave_status")
	const misconf = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the " +
		"data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails " +
		"(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.\r\n"
	if r := c.Do("SET", "refused", "v"); r.Raw != misconf {
		t.Errorf("a write: %v", r)
	}
	if r := c.Do("GET", "k"); r.Text != "v" {
		t.Errorf("a read: %v", r)
	}
	if r := c.Do("SAVE"); r.Raw != "-ERR\r\n" {
		t.Errorf("SAVE: %v", r)
	}
	if after := harness.FolderState(t, s.Dir); after["dump.rdb"] != before {
		t.Error("dump.rdb is not what it was")
	}
	if names, err := filepath.Glob(filepath.Join(s.Dir, "temp-*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
	fails("BGREWRITEAOF", "aof_last_bgrewrite_status")
	s.LimitFiles(t, -1)
	if r := c.Do("BGSAVE"); r.IsError() {
		t.Fatal(r)
	}
	harness.Eventually(t, patience, "writes are accepted again", func() bool { return c.Do("SET", "resumed", "v").Raw == "+OK\r\n" })
	c.BackgroundWork("BGREWRITEAOF")
	c.MustOK("SAVE")
	s.Kill(t)
	if r := s.Restart(t, "appendonly no").Dial(t).Do("DBSIZE"); r.Raw != ":52\r\n" {
		t.Errorf("DBSIZE after the restart: %v", r)
	}
}

// TestFailedRewriteLosesNothing: the log goes on in its files when the new base cannot be written.
func TestFailedRewriteLosesNothing(t *testing.T) {
	s := harness.StartSubject(t, "appendonly yes", "appendfsync no", "rdbcompression no")
	c := s.Dial(t)
	for i := range 50 {
		c.MustOK("SET", "big:"+strconv.Itoa(i), strings.Repeat(strconv.Itoa(i), 20_000))
	}
	c.MustOK("CONFIG", "SET", "aof-use-rdb-preamble", "no")
	size := logSize(t, s)
	c.BackgroundWork("BGREWRITEAOF")
	c.MustOK("SET", "between", "v")
	s.LimitFiles(t, size/2) // far above the new incremental file, far below the next base
	if r := c.Do("BGREWRITEAOF"); r.IsError() {
		t.Fatal(r)
	}
	harness.Eventually(t, patience, "the rewrite fails", func() bool { return c.Info("persistence", "aof_last_bgrewrite_status") == "err" })
	c.MustOK("SET", "after", "v")
	s.LimitFiles(t, -1)
	want := harness.Contents(t, s)
	s.Kill(t)
	s = s.Restart(t)
	harness.SameContents(t, "after the kill", want, harness.Contents(t, s))
	s.Dial(t).BackgroundWork("BGREWRITEAOF")
	s.Kill(t)
	harness.SameContents(t, "after a rewrite that succeeded", want, harness.Contents(t, s.Restart(t)))
	harness.SameContents(t, "with Redis", want, harness.Contents(t, harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))))
}
