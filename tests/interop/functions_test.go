package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// library is the source of a library with one function, which returns a text.
func library(name, function, returns string) string {
	return fmt.Sprintf("#!lua name=%s\n-- %s\nredis.register_function{function_name='%s', callback=function() return '%s' end, "+
		"flags={'no-writes'}, description='returns %s'}", name, strings.Repeat("padding ", 20), function, returns, returns)
}

// loadLibraries leaves libraries one, two and three, after changes of every kind.
func loadLibraries(t *testing.T, c *harness.Conn) {
	t.Helper()
	ok := func(args ...string) {
		t.Helper()
		if r := c.Do(args...); r.IsError() {
			t.Fatalf("%q: %v", args, r)
		}
	}
	ok("FUNCTION", "LOAD", library("gone", "g", "gone"))
	ok("FUNCTION", "FLUSH")
	ok("FUNCTION", "LOAD", library("one", "f1", "1"))
	ok("FUNCTION", "LOAD", library("deleted", "d", "deleted"))
	ok("FUNCTION", "DELETE", "deleted")
	ok("FUNCTION", "LOAD", library("two", "f2", "old"))
	ok("FUNCTION", "LOAD", "REPLACE", library("two", "f2", "2"))
	ok("SET", "k", "v")
	payload := c.Do("FUNCTION", "DUMP").Text
	ok("FUNCTION", "FLUSH", "ASYNC")
	ok("FUNCTION", "RESTORE", payload)
	ok("FUNCTION", "RESTORE", payload, "REPLACE")
	ok("MULTI")
	ok("FUNCTION", "LOAD", library("three", "f3", "3"))
	ok("INCR", "n")
	ok("EXEC")
	if r := c.Do("FUNCTION", "LOAD", library("four", "f3", "4")); !r.IsError() {
		t.Fatalf("a function is registered twice: %v", r)
	}
}

// hasLibraries checks that they are there and work, and nothing else is.
func hasLibraries(t *testing.T, c *harness.Conn) {
	t.Helper()
	for i, name := range []string{"one", "two", "three"} {
		n := fmt.Sprint(i + 1)
		if r := c.Do("FCALL_RO", "f"+n, "0"); r.Text != n {
			t.Errorf("f%s: %v", n, r)
		}
		if r := c.Do("FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE"); !strings.Contains(r.Raw, "padding") ||
			!strings.Contains(r.Raw, "no-writes") || !strings.Contains(r.Raw, "returns "+n) {
			t.Errorf("%s: %v", name, r)
		}
	}
	if r := c.Do("FUNCTION", "STATS"); !strings.HasSuffix(r.Raw, "libraries_count\r\n:3\r\n$15\r\nfunctions_count\r\n:3\r\n") {
		t.Errorf("%v", r)
	}
	if r := c.Do("GET", "n"); r.Text != "1" {
		t.Errorf("n is %v", r)
	}
}

// TestFunctionsInFiles: libraries go into snapshots and logs, and come back, whoever has written
// the file and whoever reads it.
func TestFunctionsInFiles(t *testing.T) {
	for _, d := range directions {
		for name, test := range map[string]struct {
			params  []string
			rewrite bool
		}{
			"snapshot":             {params: []string{"save 3600 1"}},
			"log":                  {params: []string{"appendonly yes"}},
			"log, rewritten":       {params: []string{"appendonly yes"}, rewrite: true},
			"log, as commands":     {params: []string{"appendonly yes", "aof-use-rdb-preamble no"}, rewrite: true},
			"snapshot without LZF": {params: []string{"save 3600 1", "rdbcompression no"}},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				from := d.from(t, test.params...)
				c := from.Dial(t)
				loadLibraries(t, c)
				if test.rewrite {
					c.BackgroundWork("BGREWRITEAOF")
				}
				if from.Terminate(t) != 0 {
					t.Fatal("it does not end well")
				}
				to := d.to(t, append(slices.Clone(test.params), "dir "+from.Dir)...)
				hasLibraries(t, to.Dial(t))
			})
		}
	}
}

// TestFunctionsSurviveACrash: what was acknowledged is in the log, before and after a rewrite.
func TestFunctionsSurviveACrash(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, "appendonly yes", "appendfsync always")
	c := s.Dial(t)
	c.Do("FUNCTION", "LOAD", library("before", "b", "b"))
	c.BackgroundWork("BGREWRITEAOF")
	c.Do("FUNCTION", "DELETE", "before")
	loadLibraries(t, c)
	s.Kill(t)
	s = s.Restart(t)
	hasLibraries(t, s.Dial(t))
	s.Kill(t)
	hasLibraries(t, s.Restart(t).Dial(t))
}

// TestFunctionsWhileTheLogIsRewritten: whenever the cut of a rewrite comes, what changed before it is
// in the base, and what changed behind it in the log.
func TestFunctionsWhileTheLogIsRewritten(t *testing.T) {
	t.Parallel()
	s := harness.StartSubject(t, "appendonly yes", "appendfsync always")
	for round := range 3 {
		c, other := s.Dial(t), s.Dial(t)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if other.TryWrite(harness.Encode("BGREWRITEAOF")) != nil {
					return
				}
				if _, err := other.TryRead(); err != nil {
					return
				}
			}
		}()
		last := ""
		for i := range 60 {
			last = fmt.Sprintf("%d.%d", round, i)
			if r := c.Do("FUNCTION", "LOAD", "REPLACE", library("changing", "changing", last)); r.IsError() {
				t.Error(r)
			}
			if i%3 == 2 {
				c.Do("FUNCTION", "DELETE", "changing")
				last = ""
			}
		}
		if round != 1 {
			last = "end"
			c.Do("FUNCTION", "LOAD", "REPLACE", library("changing", "changing", last))
		}
		s.Kill(t)
		close(stop)
		<-stopped
		s = s.Restart(t)
		if r := s.Dial(t).Do("FCALL", "changing", "0"); r.IsError() != (last == "") || !r.IsError() && r.Text != last {
			t.Errorf("round %d: %v, want %q", round, r, last)
		}
	}
}

// TestFunctionsOfOtherServers: larder has the libraries in the files of other servers' versions.
func TestFunctionsOfOtherServers(t *testing.T) {
	if !harness.SubjectIsLarder() {
		return
	}
	found := 0
	for _, name := range recordedFolders(t) {
		content, err := os.ReadFile(filepath.Join("testdata", "folders", name, "foreign.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(content), "#!lua name=") {
			continue
		}
		found++
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := harness.StartSubject(t, "dir "+dir, "rdb-skip-unknown-types yes")
		if r := s.Dial(t).Do("FUNCTION", "STATS"); !strings.Contains(r.Raw, "libraries_count\r\n:1\r\n") {
			t.Errorf("%s: %v", name, r)
		}
	}
	if found == 0 {
		t.Error("no file has a library")
	}
}
