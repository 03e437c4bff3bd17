package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// logForms are the settings that change what a log's folder holds.
var logForms = []struct {
	name    string
	rewrite bool // BGREWRITEAOF while the history is written
	params  []string
}{
	{"as it grew", false, nil},
	{"rewritten", true, nil},
	{"rewritten as commands", true, []string{"aof-use-rdb-preamble no"}},
	{"with timestamps", true, []string{"aof-timestamp-enabled yes", "aof-use-rdb-preamble no"}},
	{"always", true, []string{"appendfsync always"}},
	{"never synced", false, []string{"appendfsync no"}},
	{"other names", true, []string{"appenddirname log", "appendfilename history"}},
}

// TestLogTravels: a log that one server wrote, with a data set and a random history in it, is
// replayed by the other to the same contents; that one goes on writing, and the first one takes the
// log back.
func TestLogTravels(t *testing.T) {
	seed := randtest.Seed(t)
	for _, d := range directions {
		for i, form := range logForms {
			if d.name == "to itself" && i > 1 {
				continue
			}
			t.Run(d.name+"/"+form.name, func(t *testing.T) {
				params := append([]string{"appendonly yes"}, form.params...)
				from := d.from(t, params...)
				fill(t, from, newDataset(rand.New(rand.NewPCG(seed, 1)), i == 2).calls)
				write(t, from, seed, form.rewrite)
				want := settled(t, from)
				from.Kill(t)
				checkAOF(t, from.Dir, params)

				to := d.to(t, append(params, "dir "+from.Dir)...)
				harness.SameContents(t, "replayed", want, harness.Contents(t, to))
				write(t, to, seed+1, form.rewrite)
				want = settled(t, to)
				if code := to.Terminate(t); code != 0 {
					t.Errorf("exit code %d", code)
				}
				checkAOF(t, from.Dir, params)
				harness.SameContents(t, "taken back", want, harness.Contents(t, from.Restart(t)))
			})
		}
	}
}

// write makes a history, with rewrites in the middle of it if asked to.
func write(t *testing.T, s *harness.Server, seed uint64, rewrite bool) {
	t.Helper()
	const clients, batches = 3, 250
	if !rewrite {
		churn(t, s, seed, clients, batches)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		churn(t, s, seed, clients, batches)
	}()
	c := s.Dial(t)
	for range 2 {
		c.BackgroundWork("BGREWRITEAOF")
	}
	<-done
	churn(t, s, seed+7, 1, 20)
}

// logPath is the folder of the log and the name of its files, from the parameters.
func logPath(params []string) (folder, prefix string) {
	folder, prefix = "appendonlydir", "appendonly.aof"
	for _, p := range params {
		if rest, ok := strings.CutPrefix(p, "appenddirname "); ok {
			folder = rest
		}
		if rest, ok := strings.CutPrefix(p, "appendfilename "); ok {
			prefix = rest
		}
	}
	return folder, prefix
}

// checkAOF holds a log against redis-check-aof, and the files in its folder against the manifest.
func checkAOF(t *testing.T, dir string, params []string) {
	t.Helper()
	folder, prefix := logPath(params)
	manifest := filepath.Join(dir, folder, prefix+".manifest")
	out, err := exec.CommandContext(t.Context(), harness.Tool(t, "redis-check-aof", harness.InstallRedis), manifest).CombinedOutput()
	if err != nil {
		t.Errorf("redis-check-aof: %v\n%s", err, out)
	}
	content, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{prefix + ".manifest"}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) != 6 || words[0] != "file" || words[2] != "seq" || words[4] != "type" {
			t.Errorf("line of the manifest: %q", line)
			continue
		}
		want = append(want, words[1])
	}
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(want, got) {
		t.Errorf("the manifest wants %q, the folder holds %q", want, got)
	}
}

// TestLogFormsAreAsAsked: what the settings promise is in the folder: names, the form of the base,
// timestamps, expiry as absolute times.
func TestLogFormsAreAsAsked(t *testing.T) {
	for _, test := range []struct {
		params              []string
		first, base, incr   string // the base before the rewrite, and the files after it
		baseBegins, incrHas string
	}{
		{nil, "appendonly.aof.1.base.rdb", "appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof", "REDIS0010", "\r\nPXAT\r\n"},
		{
			[]string{"aof-use-rdb-preamble no"}, "appendonly.aof.1.base.aof", "appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof",
			"*2\r\n$6\r\nSELECT\r\n", "\r\nPXAT\r\n",
		},
		{
			[]string{"aof-timestamp-enabled yes", "appendfilename log"}, "log.1.base.rdb", "log.2.base.rdb", "log.2.incr.aof",
			"REDIS0010", "#TS:",
		},
	} {
		s := harness.StartSubject(t, append([]string{"appendonly yes"}, test.params...)...)
		c := s.Dial(t)
		_, prefix := logPath(test.params)
		folder := filepath.Join(s.Dir, "appendonlydir")
		if _, err := os.Stat(filepath.Join(folder, test.first)); err != nil {
			t.Error(err)
		}
		c.MustOK("SET", "before", "the rewrite")
		c.BackgroundWork("BGREWRITEAOF")
		harness.Eventually(t, harness.Patience, fmt.Sprintf("%q: %s holds %q", test.params, test.incr, test.incrHas), func() bool {
			c.MustOK("SET", "after", "the rewrite", "EX", "1000")
			incr, err := os.ReadFile(filepath.Join(folder, test.incr))
			if strings.Contains(string(incr), "\r\nEX\r\n") {
				t.Fatal("a relative time is in the log")
			}
			return err == nil && strings.Contains(string(incr), test.incrHas)
		})
		if code := s.Terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		manifest, err := os.ReadFile(filepath.Join(folder, prefix+".manifest"))
		want := fmt.Sprintf("file %s seq 2 type b\nfile %s seq 2 type i\n", test.base, test.incr)
		if err != nil || string(manifest) != want {
			t.Errorf("%q: the manifest is %q (%v), want %q", test.params, manifest, err, want)
		}
		base, err := os.ReadFile(filepath.Join(folder, test.base))
		if err != nil || !strings.HasPrefix(string(base), test.baseBegins) {
			t.Errorf("%q: the base begins with %.40q, %v", test.params, base, err)
		}
	}
}

// TestOldLogIsUpgraded: the single file of Redis before 7, as commands or with an RDB preamble,
// becomes the base of a new folder, in the same way as Redis does it.
func TestOldLogIsUpgraded(t *testing.T) {
	seed := randtest.Seed(t)
	for _, preamble := range []string{"yes", "no"} {
		t.Run("preamble "+preamble, func(t *testing.T) {
			params := []string{"appendonly yes", "aof-use-rdb-preamble " + preamble}
			old := harness.StartRedis(t, params...)
			fill(t, old, newDataset(rand.New(rand.NewPCG(seed, 2)), false).calls)
			write(t, old, seed, true)
			want := settled(t, old)
			old.Kill(t)

			dir := t.TempDir()
			single, err := os.Create(filepath.Join(dir, "appendonly.aof"))
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range []string{"*.base.*", "*.incr.aof"} {
				names, err := filepath.Glob(filepath.Join(old.Dir, "appendonlydir", pattern))
				if err != nil || len(names) != 1 {
					t.Fatalf("%s: %q, %v", pattern, names, err)
				}
				content, err := os.ReadFile(names[0])
				if err != nil {
					t.Fatal(err)
				}
				if _, err := single.Write(content); err != nil {
					t.Fatal(err)
				}
			}
			if err := single.Close(); err != nil {
				t.Fatal(err)
			}
			redis := harness.StartRedis(t, append(params, "dir "+harness.CopyFolder(t, dir))...)
			subject := harness.StartSubject(t, append(params, "dir "+dir)...)
			harness.SameContents(t, "upgraded", want, harness.Contents(t, subject))
			states := [2]map[string]string{}
			for i, s := range []*harness.Server{subject, redis} {
				s.Dial(t).MustOK("SET", "written", "after the upgrade")
				s.Terminate(t)
				states[i] = harness.FolderState(t, s.Dir)
			}
			for name := range states[1] {
				if states[0][name] != states[1][name] {
					t.Errorf("%s: %s, with Redis %s", name, states[0][name], states[1][name])
				}
			}
			if len(states[0]) != len(states[1]) {
				t.Errorf("the folder holds %v, with Redis %v", states[0], states[1])
			}
			want[harness.Key{DB: 0, Name: "written"}] = harness.Value{Type: "string", ExpireAt: -1, Data: "after the upgrade"}
			harness.SameContents(t, "restarted", want, harness.Contents(t, subject.Restart(t)))
			harness.SameContents(t, "with Redis", want, harness.Contents(t, harness.StartRedis(t, append(params, "dir "+harness.CopyFolder(t, dir))...)))
		})
	}
}

// TestFirstLog: appendonly yes where there is a snapshot and no log. Redis starts with an empty
// data set, and the snapshot is lost with the next save; larder begins the log with it, which is
// one of its deliberate differences.
func TestFirstLog(t *testing.T) {
	first := harness.StartSubject(t)
	c := first.Dial(t)
	c.MustOK("SET", "k", "v")
	c.MustOK("SAVE")
	first.Terminate(t)
	redis := harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, first.Dir))
	if r := redis.Dial(t).Do("DBSIZE"); r.Raw != ":0\r\n" {
		t.Errorf("redis: %v", r)
	}
	if !harness.SubjectIsLarder() {
		return
	}
	s := harness.StartSubject(t, "appendonly yes", "dir "+first.Dir)
	s.Dial(t).MustOK("SET", "more", "v")
	want := harness.Contents(t, s)
	if len(want) != 2 {
		t.Errorf("loaded: %v", want)
	}
	s.Kill(t)
	if err := os.Remove(filepath.Join(s.Dir, "dump.rdb")); err != nil {
		t.Fatal(err)
	}
	checkAOF(t, s.Dir, nil)
	harness.SameContents(t, "from the log alone", want, harness.Contents(t, harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))))
	harness.SameContents(t, "restarted", want, harness.Contents(t, s.Restart(t)))
}
