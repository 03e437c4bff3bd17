package interop

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// TestLogSwitchedAtRunTime: CONFIG SET appendonly yes writes what there is into a new log and then
// everything that follows; no ends the log where it is.
func TestLogSwitchedAtRunTime(t *testing.T) {
	seed := randtest.Seed(t)
	s := harness.StartSubject(t)
	c := s.Dial(t)
	fill(t, s, newDataset(rand.New(rand.NewPCG(seed, 3)), false).calls)
	if got := c.Info("persistence", "aof_enabled"); got != "0" {
		t.Errorf("aof_enabled:%s", got)
	}
	// The switch happens under load: what is written meanwhile must be in the log as well.
	done := make(chan struct{})
	go func() {
		defer close(done)
		churn(t, s, seed, 3, 400)
	}()
	c.MustOK("CONFIG", "SET", "appendonly", "yes")
	<-done
	c.WaitBackgroundWork()
	if got := c.Info("persistence", "aof_enabled"); got != "1" {
		t.Errorf("aof_enabled:%s", got)
	}
	churn(t, s, seed+1, 3, 50)
	want := settled(t, s)
	s.Kill(t)
	checkAOF(t, s.Dir, nil)
	s = s.Restart(t, "appendonly yes")
	harness.SameContents(t, "switched on, killed, restarted", want, harness.Contents(t, s))

	// Off: what follows is not logged. On again: all of it is.
	c = s.Dial(t)
	c.MustOK("CONFIG", "SET", "appendonly", "no")
	before := harness.FolderState(t, s.Dir)
	churn(t, s, seed+2, 3, 50)
	if after := harness.FolderState(t, s.Dir); len(before) != len(after) {
		t.Errorf("the folder changed while the log was off:\n  %v\n  %v", before, after)
	}
	copied := harness.CopyFolder(t, s.Dir)
	harness.SameContents(t, "the log up to its end", want, harness.Contents(t, harness.StartRedis(t, "appendonly yes", "dir "+copied)))
	c.MustOK("CONFIG", "SET", "appendonly", "yes")
	c.WaitBackgroundWork()
	churn(t, s, seed+3, 3, 50)
	want = settled(t, s)
	s.Kill(t)
	checkAOF(t, s.Dir, nil)
	harness.SameContents(t, "switched on again", want, harness.Contents(t, harness.StartRedis(t, "appendonly yes", "dir "+harness.CopyFolder(t, s.Dir))))
	harness.SameContents(t, "switched on again, own restart", want, harness.Contents(t, s.Restart(t, "appendonly yes")))
}

// TestLogSwitchedOnAndKilled: until the first base is complete there is no log, so a kill in
// between must not leave one that holds only a part.
func TestLogSwitchedOnAndKilled(t *testing.T) {
	for range 3 {
		s := harness.StartSubject(t)
		fill(t, s, newDataset(rand.New(rand.NewPCG(randtest.Seed(t), 4)), false).calls)
		want := settled(t, s)
		c := s.Dial(t)
		c.MustOK("SAVE")
		c.Send("CONFIG", "SET", "appendonly", "yes")
		c.Read()
		s.Kill(t)
		s = s.Restart(t, "appendonly yes")
		got := harness.Contents(t, s)
		if len(got) != 0 {
			harness.SameContents(t, "a log is there", want, got)
		}
		s.Kill(t)
	}
}

// TestWaysToStop: what each way to stop leaves in the folder, with and without save points, and
// with a log.
func TestWaysToStop(t *testing.T) {
	const points = "save 3600 1"
	command := func(args ...string) func(t *testing.T, s *harness.Server) {
		return func(t *testing.T, s *harness.Server) {
			c := s.Dial(t)
			c.Send(append([]string{"SHUTDOWN"}, args...)...)
			if got := c.ReadUntilClosed(); got != "" {
				t.Errorf("SHUTDOWN is answered with %q", got)
			}
		}
	}
	terminate := func(t *testing.T, s *harness.Server) { s.Terminate(t) }
	for _, test := range []struct {
		name  string
		param string
		stop  func(t *testing.T, s *harness.Server)
		saved bool
	}{
		{"SIGTERM", `save ""`, terminate, false},
		{"SIGTERM with save points", points, terminate, true},
		{"SIGTERM with a flag", "shutdown-on-sigterm save", terminate, true},
		{"SIGTERM with another flag", "shutdown-on-sigterm nosave", terminate, false},
		{"SHUTDOWN", `save ""`, command(), false},
		{"SHUTDOWN with save points", points, command(), true},
		{"SHUTDOWN SAVE", `save ""`, command("SAVE"), true},
		{"SHUTDOWN NOSAVE with save points", points, command("NOSAVE"), false},
		{"SHUTDOWN NOW with save points", points, command("NOW"), true},
		{"SHUTDOWN SAVE FORCE", `save ""`, command("SAVE", "FORCE"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartSubject(t, test.param)
			c := s.Dial(t)
			for i := range 1000 {
				c.MustOK("SET", "k"+strconv.Itoa(i), strconv.Itoa(i))
			}
			want := harness.Contents(t, s)
			test.stop(t, s)
			if code := s.Wait(t, harness.Patience); code != 0 {
				t.Errorf("exit code %d", code)
			}
			_, err := os.Stat(filepath.Join(s.Dir, "dump.rdb"))
			if test.saved != (err == nil) || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("dump.rdb: %v", err)
			}
			if !test.saved {
				want = nil
			}
			harness.SameContents(t, "restarted", want, harness.Contents(t, s.Restart(t)))
		})
	}
	t.Run("with a log", func(t *testing.T) {
		for _, stop := range []func(t *testing.T, s *harness.Server){terminate, command(), command("NOSAVE")} {
			s := harness.StartSubject(t, "appendonly yes", "appendfsync no")
			churn(t, s, randtest.Seed(t), 2, 100)
			want := settled(t, s)
			stop(t, s)
			if code := s.Wait(t, harness.Patience); code != 0 {
				t.Errorf("exit code %d", code)
			}
			checkAOF(t, s.Dir, nil)
			harness.SameContents(t, "restarted", want, harness.Contents(t, s.Restart(t)))
		}
	})
}

// TestStopUnderLoad: what was acknowledged before SIGTERM is in the file that it leaves.
func TestStopUnderLoad(t *testing.T) {
	for _, param := range []string{"save 3600 1", "appendonly yes"} {
		s := harness.StartSubject(t, param)
		c := s.Dial(t)
		acked := make(chan int64)
		go func() {
			var last int64
			for c.TryWrite(harness.Encode("INCR", "n")) == nil {
				r, err := c.TryRead()
				if err != nil {
					break
				}
				last, _ = r.Int()
			}
			acked <- last
		}()
		other := s.Dial(t)
		harness.Eventually(t, harness.Patience, "work is under way", func() bool { return len(other.Do("GET", "n").Text) > 2 })
		if code := s.Terminate(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
		least := <-acked
		got, err := strconv.ParseInt(s.Restart(t).Dial(t).Do("GET", "n").Text, 10, 64)
		if err != nil || got < least || got > least+1 {
			t.Errorf("%s: %d were acknowledged, %d are there, %v", param, least, got, err)
		}
	}
}

// TestShutdownThatCannotSave: the server says so and goes on; FORCE ends it nevertheless, and
// SIGTERM does not.
func TestShutdownThatCannotSave(t *testing.T) {
	s := harness.StartSubject(t, "save 3600 1")
	c := s.Dial(t)
	c.MustOK("SET", "k", "v")
	if err := os.Mkdir(filepath.Join(s.Dir, "dump.rdb"), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := c.Do("SHUTDOWN"); r.Raw != "-ERR Errors trying to SHUTDOWN. Check logs.\r\n" {
		t.Errorf("SHUTDOWN: %v", r)
	}
	if r := c.Do("GET", "k"); r.Text != "v" {
		t.Errorf("the server after it: %v", r)
	}
	if r := c.Do("SAVE"); r.Raw != "-ERR\r\n" {
		t.Errorf("SAVE: %v", r)
	}
	if names, err := filepath.Glob(filepath.Join(s.Dir, "temp-*")); err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v, %v", names, err)
	}
	c.Send("SHUTDOWN", "FORCE")
	if code := s.Wait(t, harness.Patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSavePoints: so many changes within so many seconds save the data set without anybody asking.
func TestSavePoints(t *testing.T) {
	s := harness.StartSubject(t, "save 1 5")
	c := s.Dial(t)
	for i := range 4 {
		c.MustOK("SET", "k"+strconv.Itoa(i), "v")
	}
	if got := c.Info("persistence", "rdb_changes_since_last_save"); got != "4" {
		t.Errorf("rdb_changes_since_last_save:%s", got)
	}
	c.Do("SADD", "set", "a", "b", "c")
	harness.Eventually(t, harness.Patience, "the save point saves", func() bool {
		_, err := os.Stat(filepath.Join(s.Dir, "dump.rdb"))
		return err == nil && c.Info("persistence", "rdb_changes_since_last_save") == "0"
	})
	c.WaitBackgroundWork()
	want := harness.Contents(t, s)
	s.Kill(t)
	harness.SameContents(t, "after the kill", want, harness.Contents(t, s.Restart(t)))
}

// TestLastSave: LASTSAVE and INFO tell of the last snapshot that succeeded.
func TestLastSave(t *testing.T) {
	s := harness.StartSubject(t)
	c := s.Dial(t)
	before, _ := c.Do("LASTSAVE").Int()
	if age := time.Now().Unix() - before; age < 0 || age > int64(harness.Patience/time.Second) {
		t.Errorf("LASTSAVE of a server that has just started: %d seconds ago", age)
	}
	harness.Eventually(t, harness.Patience, "LASTSAVE moves", func() bool {
		c.MustOK("SAVE")
		now, _ := c.Do("LASTSAVE").Int()
		return now > before && c.Info("persistence", "rdb_last_save_time") == strconv.FormatInt(now, 10)
	})
}
