package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// mixed.rdb was written by redis-server 7.0.15: strings, hashes and sets in several encodings, a
// list, a sorted set, a stream and a function.
const mixed = "testdata/mixed.rdb"

// unloadableMixed is what is wrong with it: the stream.
const unloadableMixed = "mixed.rdb is not good: larder cannot load 1 item of it; with rdb-skip-unknown-types yes it starts, and leaves that out"

// mixedReport is what `larder check rdb` prints of it.
func mixedReport(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/mixed.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCheckRDBReport(t *testing.T) {
	var out bytes.Buffer
	err := checkRDB(mixed, &out, io.Discard)
	if err == nil || !strings.HasSuffix(err.Error(), unloadableMixed) {
		t.Errorf("%v\nshould end in %s", err, unloadableMixed)
	}
	if diff := cmp.Diff(mixedReport(t), out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestCheckRDBAsRedis compares verdicts with redis-check-rdb: on good files, on files cut short and
// on files with a byte changed. Some changed bytes Redis overlooks, such as a version that is no
// number; without a checksum there are more of them.
func TestCheckRDBAsRedis(t *testing.T) {
	tool := harness.Tool(t, "redis-check-rdb", harness.InstallRedis)
	rnd := rand.New(rand.NewPCG(randtest.Seed(t), 1))
	for _, checksum := range []string{"yes", "no"} {
		good := redisDump(t, "rdbchecksum "+checksum)
		name := filepath.Join(t.TempDir(), "dump.rdb")
		compare := func(what string, content []byte, stricter bool) {
			t.Helper()
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			said, redis := exec.Command(tool, name).CombinedOutput()
			larder := checkRDB(name, io.Discard, io.Discard)
			if (larder == nil) != (redis == nil) && (larder == nil || !stricter) {
				t.Errorf("checksum %s, %s: %v; redis-check-rdb: %v\n%s", checksum, what, larder, redis, said)
			}
		}
		compare("whole", good, false)
		compare("something behind it", append(slices.Clone(good), "more"...), false)
		compare("empty", nil, false)
		for range 12 {
			n := rnd.IntN(len(good))
			compare(fmt.Sprintf("cut to %d bytes", n), good[:n], false)
		}
		for range 30 {
			i, flip := rnd.IntN(len(good)), byte(1+rnd.IntN(255))
			bad := slices.Clone(good)
			bad[i] ^= flip
			compare(fmt.Sprintf("byte %d changed to %#x", i, bad[i]), bad, checksum == "no" || i < len("REDIS0010"))
		}
	}
}

// redisDump lets redis-server save one of everything that larder can load.
func redisDump(t *testing.T, params ...string) []byte {
	t.Helper()
	s := harness.StartRedis(t, params...)
	c := s.Dial(t)
	fillTypes(c)
	c.MustOK("SAVE")
	content, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fillTypes makes keys in every encoding of larder's types, in two databases.
func fillTypes(c *harness.Conn) {
	long := strings.Repeat("long enough to be compressed ", 10)
	for _, command := range [][]string{
		{"SET", "text", "value"}, {"SET", "number", "12345"}, {"SET", "packed", long}, {"SET", "until", "x", "EX", "10000"},
		{"HSET", "hash", "field", "value", "n", "1"}, {"HSET", "hash-table", "field", long, "n", "1"},
		{"SADD", "integers", "1", "-2", "70000"}, {"SADD", "set", "a", "b", "1"}, {"SELECT", "3"}, {"SET", "other", "1"}, {"SELECT", "0"},
	} {
		c.Do(command...)
	}
}

// TestCheckRDBLeavesFilesAlone: the folder is as before, whatever is found.
func TestCheckRDBLeavesFilesAlone(t *testing.T) {
	dir := t.TempDir()
	foreign, err := os.ReadFile(mixed)
	if err != nil {
		t.Fatal(err)
	}
	good := []byte("REDIS0010\xff" + strings.Repeat("\x00", 8)) // no key, no checksum
	names := []string{"good", "foreign", "cut", "other"}
	for i, content := range [][]byte{good, foreign, foreign[:200], []byte("no RDB")} {
		name := names[i]
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	before := harness.FolderState(t, dir)
	for _, name := range names {
		err := checkRDB(filepath.Join(dir, name), io.Discard, io.Discard)
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(before, harness.FolderState(t, dir)); diff != "" {
		t.Error(diff)
	}
}
