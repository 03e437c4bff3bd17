package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// The folders in testdata/folders were left by servers of other versions and families, under the
// direction of record.py there. All hold what contents.jsonl says.

// family is who wrote a folder, as errors call it, from the folder's name.
func family(name string) string {
	server, version, _ := strings.Cut(name, "-")
	return strings.ToUpper(server[:1]) + server[1:] + " " + version
}

// recordedFolders are the names of the folders.
func recordedFolders(t *testing.T) (names []string) {
	t.Helper()
	found, err := filepath.Glob("testdata/folders/*/dump.rdb")
	if err != nil || len(found) < 8 {
		t.Fatalf("%v, %v", found, err)
	}
	for _, path := range found {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names
}

func recordedContents(t *testing.T) map[harness.Key]harness.Value {
	t.Helper()
	b, err := os.ReadFile("testdata/folders/contents.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	all := map[harness.Key]harness.Value{}
	for line := range strings.Lines(string(b)) {
		var k harness.Key
		var v harness.Value
		var held any
		if err := json.Unmarshal([]byte(line), &[]any{&k.DB, &k.Name, &v.Type, &v.ExpireAt, &held}); err != nil {
			t.Fatal(err)
		}
		k.Name = latin1(k.Name)
		v.Hold(texts(held))
		all[k] = v
	}
	return all
}

// texts are the strings of a value in their order, whatever the depth at which they stand.
func texts(held any) (all []string) {
	if list, ok := held.([]any); ok {
		for _, e := range list {
			all = append(all, texts(e)...)
		}
		return all
	}
	return []string{latin1(fmt.Sprint(held))}
}

// latin1 turns characters into the bytes that they stand for.
func latin1(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		b = append(b, byte(c))
	}
	return string(b)
}

// TestFolders: larder starts on what another server has left, be it a snapshot, a log with a base in
// RDB form or one with a base of commands, in one file or in several; it goes on from there, and
// finds everything again.
func TestFolders(t *testing.T) {
	if !harness.SubjectIsLarder() {
		return // redis-server 7.0 does not read what later ones write
	}
	want := recordedContents(t)
	if len(want) < 50 {
		t.Fatalf("only %d keys", len(want))
	}
	for _, name := range recordedFolders(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join("testdata", "folders", name)
			snapshot := t.TempDir()
			content, err := os.ReadFile(filepath.Join(folder, "dump.rdb"))
			if err == nil {
				err = os.WriteFile(filepath.Join(snapshot, "dump.rdb"), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			harness.SameContents(t, "snapshot", want, harness.Contents(t, harness.StartSubject(t, "dir "+snapshot)))
			for _, log := range []string{"log", "commands"} {
				s := harness.StartSubject(t, "appendonly yes", "dir "+harness.CopyFolder(t, filepath.Join(folder, log)))
				harness.SameContents(t, log, want, harness.Contents(t, s))
				s.Dial(t).MustOK("SET", "later", "v")
				s.Kill(t)
				got := harness.Contents(t, s.Restart(t))
				delete(got, harness.Key{DB: 0, Name: "later"})
				harness.SameContents(t, log+" after a restart", want, got)
			}
		})
	}
}

// TestForeignFiles: a snapshot with types that larder lacks is refused with the name of one, its
// number and who wrote it, and without them all else is there.
func TestForeignFiles(t *testing.T) {
	if !harness.SubjectIsLarder() {
		return
	}
	for _, name := range recordedFolders(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(filepath.Join("testdata", "folders", name, "foreign.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), content, 0o600); err != nil {
				t.Fatal(err)
			}
			said := harness.Refusal(t, "dir "+dir)
			if !strings.Contains(said, "in a file of "+family(name)+", RDB version ") || !strings.Contains(said, "rdb-skip-unknown-types") {
				t.Errorf("it says %s", said)
			}
			c := harness.StartSubject(t, "dir "+dir, "rdb-skip-unknown-types yes").Dial(t)
			keys := c.Do("KEYS", "*").Strings()
			slices.Sort(keys)
			if got := strings.Join(keys, " "); got != "known timed" {
				t.Errorf("loaded are %s", got)
			}
		})
	}
}
