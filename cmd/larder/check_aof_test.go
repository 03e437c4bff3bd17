package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

const manifest = "appendonly.aof.manifest"

// redisLog lets redis-server write a log with a base in RDB form, a transaction and, if wanted,
// timestamps, and returns its folder.
func redisLog(t *testing.T, timestamps string) string {
	t.Helper()
	s := harness.StartRedis(t, "appendonly yes", "aof-timestamp-enabled "+timestamps)
	c := s.Dial(t)
	fillTypes(c)
	c.Do("BGREWRITEAOF")
	dir := filepath.Join(s.Dir, "appendonlydir")
	incremental := filepath.Join(dir, "appendonly.aof.2.incr.aof")
	harness.Eventually(t, patience, "the log is rewritten", func() bool {
		old, err := filepath.Glob(filepath.Join(dir, "*.1.*"))
		_, missing := os.Stat(incremental)
		return err == nil && len(old) == 0 && missing == nil
	})
	for _, command := range []string{"SET more 1", "MULTI", "INCR counter", "HSET hash n 2", "EXEC"} {
		c.Do(strings.Fields(command)...)
	}
	harness.Eventually(t, patience, "there are marks of two seconds", func() bool {
		c.MustOK("SET", "again", "1")
		content, err := os.ReadFile(incremental)
		return timestamps == "no" || err == nil && bytes.Count(content, []byte("#TS:")) > 1
	})
	c.MustOK("SET", "last", strings.Repeat("v", 100))
	c.Send("SHUTDOWN", "NOSAVE")
	s.Wait(t, patience)
	return harness.CopyFolder(t, dir)
}

// logFiles are the files of a log: the manifest, the base and the incremental one.
func logFiles(t *testing.T, dir string) (names []string, contents [][]byte) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		names, contents = append(names, path), append(contents, content)
		return err
	})
	if err != nil || len(names) != 3 {
		t.Fatalf("%v in the log's folder: %v", names, err)
	}
	return names, contents
}

// redisCheckAOF runs the original, which asks before it repairs.
func redisCheckAOF(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(harness.Tool(t, "redis-check-aof", harness.InstallRedis), args...)
	cmd.Stdin = strings.NewReader("y\n")
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// TestCheckAOFAsRedis damages each file of a log in turn, and compares verdicts, and what a repair
// leaves, with redis-check-aof.
func TestCheckAOFAsRedis(t *testing.T) {
	good := redisLog(t, "no")
	rnd := rand.New(rand.NewPCG(randtest.Seed(t), 2))
	names, contents := logFiles(t, good)
	compare := func(what, name string, content []byte, fix bool) {
		t.Helper()
		var states []map[string]string
		var verdicts []error
		var said string
		for _, larder := range []bool{false, true} {
			dir := harness.CopyFolder(t, good)
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
			var err error
			if path := filepath.Join(dir, manifest); larder {
				err = checkAOF(path, repair{fix: fix, yes: true}, nil, io.Discard, io.Discard)
				// What larder says beyond redis-check-aof, which looks at no command: the files are whole.
				var refused *engine.ReplayError
				if errors.As(err, &refused) {
					err = nil
				}
			} else if fix {
				said, err = redisCheckAOF(t, "--fix", path)
			} else {
				said, err = redisCheckAOF(t, path)
			}
			verdicts, states = append(verdicts, err), append(states, harness.FolderState(t, dir))
		}
		if diff := cmp.Diff(states[0], states[1]); (verdicts[0] == nil) != (verdicts[1] == nil) || diff != "" {
			t.Errorf("%s %s, fix %v: %v; redis-check-aof: %v\n%s\nfiles (-Redis +larder):\n%s", name, what, fix, verdicts[1], verdicts[0], said, diff)
		}
	}
	for i, name := range names {
		compare("as it is", name, contents[i], true)
		for range 6 {
			n := 1 + rnd.IntN(len(contents[i])-1)
			// Of a manifest too short to be known as one Redis cuts off everything.
			compare(fmt.Sprintf("cut to %d bytes", n), name, contents[i][:n], name != manifest && n%2 == 0)
			at, flip := rnd.IntN(len(contents[i])), byte(1+rnd.IntN(255))
			bad := slices.Clone(contents[i])
			if bad[at] ^= flip; bad[at] == '#' {
				continue // an annotation may be anything in Redis
			}
			compare(fmt.Sprintf("byte %d changed to %#x", at, bad[at]), name, bad, name != manifest && n%2 == 0)
		}
	}
}

// TestTruncateAsRedis compares what is left before each second of a log.
func TestTruncateAsRedis(t *testing.T) {
	good := redisLog(t, "yes")
	_, contents := logFiles(t, good)
	var marks []int64
	for _, m := range regexp.MustCompile(`#TS:(\d+)\r\n`).FindAllSubmatch(bytes.Join(contents, nil), -1) {
		at, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, at-1, at)
	}
	if len(marks) < 4 {
		t.Fatalf("the log has only the marks %v", marks)
	}
	lengths := map[string]bool{}
	for _, at := range marks {
		for _, fix := range []bool{false, true} {
			theirs, ours := harness.CopyFolder(t, good), harness.CopyFolder(t, good)
			said, redis := redisCheckAOF(t, "--truncate-to-timestamp", strconv.FormatInt(at, 10), filepath.Join(theirs, manifest))
			larder := checkAOF(filepath.Join(ours, manifest), repair{truncateTo: at, fix: fix}, strings.NewReader(""), io.Discard, io.Discard)
			if diff := cmp.Diff(harness.FolderState(t, theirs), harness.FolderState(t, ours)); (larder == nil) != (redis == nil) || diff != "" {
				t.Errorf("up to %d, fix %v: %v; redis-check-aof: %v\n%s\nfiles (-Redis +larder):\n%s", at, fix, larder, redis, said, diff)
			}
			lengths[fmt.Sprint(harness.FolderState(t, ours))] = true
		}
	}
	if len(lengths) < 2 {
		t.Error("nothing was ever cut")
	}
}

// tornLog is a copy of a log whose last command is torn.
func tornLog(t *testing.T, good string) (path, last string) {
	t.Helper()
	dir := harness.CopyFolder(t, good)
	files, err := filepath.Glob(filepath.Join(dir, "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], info.Size()-3); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, manifest), files[0]
}

// TestRepairOnlyWithConsent: whatever is missing, the files stay as they are; and then the repair
// works.
func TestRepairOnlyWithConsent(t *testing.T) {
	path, last := tornLog(t, redisLog(t, "no"))
	dir := filepath.Dir(path)
	before := harness.FolderState(t, dir)
	untouched := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if diff := cmp.Diff(before, harness.FolderState(t, dir)); diff != "" {
			t.Fatalf("%s: the files have changed:\n%s", what, diff)
		}
	}
	var out bytes.Buffer
	untouched("without --fix", checkAOF(path, repair{}, nil, &out, io.Discard), "larder check aof --fix cuts it off there")
	if !strings.Contains(out.String(), "not good") {
		t.Errorf("the report does not show it:\n%s", out.String())
	}
	untouched("without a terminal", checkAOF(path, repair{fix: true}, strings.NewReader("y\n"), io.Discard, io.Discard), "add --yes")
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		lock, err := vfs.OS().Lock(folder)
		if err != nil {
			t.Fatal(err)
		}
		untouched("while a server is there", checkAOF(path, repair{fix: true, yes: true}, nil, io.Discard, io.Discard), "a server keeps its data")
		untouched("while a server is there", checkAOF(path, repair{truncateTo: 1}, nil, io.Discard, io.Discard), "a server keeps its data")
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
	}
	out.Reset()
	if err := checkAOF(path, repair{fix: true, yes: true}, nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), filepath.Base(last)+" has been cut from ") || !strings.HasSuffix(out.String(), "the log is good\n") {
		t.Errorf("the report does not tell of the cut:\n%s", out.String())
	}
	if err := checkAOF(path, repair{}, nil, io.Discard, io.Discard); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	if said, err := redisCheckAOF(t, path); err != nil {
		t.Errorf("after the repair: redis-check-aof: %v\n%s", err, said)
	}
}

// TestCheckOwnFiles: what larder writes is good, in its own view and in that of Redis' tools, and
// nobody repairs it meanwhile.
func TestCheckOwnFiles(t *testing.T) {
	dir := t.TempDir()
	s := harness.Start(t, "dir "+dir, "appendfsync always", "appendonly yes", "aof-timestamp-enabled yes")
	c := s.Dial(t)
	fillTypes(c)
	c.MustOK("SAVE")
	c.Do("BGREWRITEAOF")
	harness.Eventually(t, patience, "the log is rewritten", func() bool {
		return strings.Contains(c.Do("INFO", "persistence").Value(), "aof_rewrite_in_progress:0\r\n")
	})
	for _, command := range []string{"SET more 1", "MULTI", "INCR counter", "HSET hash n 2", "EXEC"} {
		c.Do(strings.Fields(command)...)
	}
	path := filepath.Join(dir, "appendonlydir", manifest)
	if err := checkAOF(path, repair{fix: true, yes: true}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "a server keeps its data") {
		t.Errorf("a repair while the server runs: %v", err)
	}
	var report bytes.Buffer
	if err := checkAOF(path, repair{}, nil, &report, io.Discard); err != nil {
		t.Error(err)
	}
	if !strings.Contains(report.String(), "base, RDB") || !strings.Contains(report.String(), "incremental") {
		t.Errorf("the report lacks a file:\n%s", report.String())
	}
	if said, err := redisCheckAOF(t, path); err != nil {
		t.Errorf("redis-check-aof: %v\n%s", err, said)
	}
	dump := filepath.Join(dir, "dump.rdb")
	report.Reset()
	if err := checkRDB(dump, &report, io.Discard); err != nil ||
		!strings.HasSuffix(report.String(), "\nthe file is good\n") {
		t.Errorf("%v\n%s", err, &report)
	}
	if said, err := exec.Command(harness.Tool(t, "redis-check-rdb", harness.InstallRedis), dump).CombinedOutput(); err != nil {
		t.Errorf("redis-check-rdb: %v\n%s", err, said)
	}
}

const smallLog = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"

// TestCheckAOFReport: the whole text for a single file without an end to its transaction.
func TestCheckAOFReport(t *testing.T) {
	name := filepath.Join(t.TempDir(), "single.aof")
	if err := os.WriteFile(name, []byte(smallLog), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := checkAOF(name, repair{}, nil, &out, io.Discard)
	if want := name + " is not good: single.aof: Reached EOF before reading EXEC for MULTI after offset 77; larder check aof --fix cuts it off there"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	const want = `file        kind    bytes  good  commands
single.aof  single  113    77    5         not good

command  times
SET      2
SELECT   1

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestCheckNamesForeignCommands: a log that is whole but has commands at which a start would end is
// not good.
func TestCheckNamesForeignCommands(t *testing.T) {
	name := filepath.Join(t.TempDir(), "appendonly.aof")
	var log strings.Builder
	for _, command := range []string{"SET a 1", "XADD s 1-1 f v", "XADD s 2-1 f v", "NOSUCH", "GET a b", "HSETEX h KEEPTTL FIELDS 1 f v", "HSETEX h EX 9 FIELDS 1 f v", "SELECT 15", "MOVE a 3", "MOVE a 16", "COPY a b DB 16", "COPY a b DB 15", "SWAPDB 0 16", "SELECT 16"} {
		log.WriteString(harness.Encode(strings.Fields(command)...))
	}
	if err := os.WriteFile(name, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := checkAOF(name, repair{databases: 16}, strings.NewReader(""), &out, io.Discard)
	const reason = "is not good: larder does not start on it: Unknown command 'XADD' reading the append only file (offset 27)"
	if err == nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("%v\nshould say %s", err, reason)
	}
	const want = "\nlarder does not start on a log with these commands: COPY (1), GET (1), MOVE (1), NOSUCH (1), SELECT (1), SWAPDB (1), XADD (2)\n"
	if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "the log is good") {
		t.Errorf("%s\nshould say %s", &out, want)
	}
}

// TestCheckNamesForeignTypes: nor is one with a base that larder cannot load.
func TestCheckNamesForeignTypes(t *testing.T) {
	base, err := os.ReadFile(mixed)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "appendonly.aof")
	if err := os.WriteFile(name, append(base, smallLog[:50]...), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = checkAOF(name, repair{databases: 16}, strings.NewReader(""), &out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "is not good: larder cannot load 1 item of it") ||
		strings.Contains(out.String(), "the log is good") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// TestCheckCountsDatabases: how many there are decides whether a log is good.
func TestCheckCountsDatabases(t *testing.T) {
	name := filepath.Join(t.TempDir(), "appendonly.aof")
	log := harness.Encode("SELECT", "16") + harness.Encode("SET", "a", "1")
	if err := os.WriteFile(name, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	for databases, good := range map[int]bool{16: false, 17: true} {
		err := checkAOF(name, repair{databases: databases}, strings.NewReader(""), io.Discard, io.Discard)
		if (err == nil) != good {
			t.Errorf("%d databases: %v", databases, err)
		}
	}
}

// TestRepairKeepsOtherFiles: --fix on a file that is no log at all must not empty it.
func TestRepairKeepsOtherFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "passwd")
	const content = "root:x:0:0:root:/root:/bin/bash\n"
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkAOF(name, repair{fix: true, yes: true}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is no log") {
		t.Error(err)
	}
	if left, err := os.ReadFile(name); err != nil || string(left) != content {
		t.Errorf("left: %q, %v", left, err)
	}
}

// TestLockLogIsReleased: after a repair a server may have the folder.
func TestLockLogIsReleased(t *testing.T) {
	name := filepath.Join(t.TempDir(), manifest)
	for range 2 {
		unlock, err := lockLog(name)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}
