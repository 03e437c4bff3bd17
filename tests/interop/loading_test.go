package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

const loadingError = "-LOADING Redis is loading the dataset in memory\r\n"

// TestLoading watches a server that loads a large file: what it refuses and what it answers, INFO,
// and what it holds in the end. Nothing slows the load down, so the file is made larger until the
// load is seen.
func TestLoading(t *testing.T) {
	for _, log := range []bool{false, true} {
		t.Run(fmt.Sprintf("appendonly %v", log), func(t *testing.T) {
			for keys := 400_000; ; keys *= 3 {
				if watchLoading(t, keys, log) {
					return
				}
				if keys > 10_000_000 {
					t.Fatal("the load is never seen")
				}
			}
		})
	}
}

// watchLoading is false if the load was over before it was seen.
func watchLoading(t *testing.T, keys int, log bool) bool {
	dir, params := largeFolder(t, keys, log)
	s := harness.StartSubjectLoading(t, append(params, "dir "+dir)...)
	c := s.Dial(t)
	// One write, so that all is answered from one moment, between two turns of the load.
	asked := [][]string{
		{"PING"}, {"GET", "key:1"}, {"SET", "k", "v"}, {"DBSIZE"}, {"EXISTS", "k"}, {"FLUSHALL"}, {"BGSAVE"}, {"SAVE"}, {"BGREWRITEAOF"}, {"SCAN", "0"},
		{"RANDOMKEY"},
	}
	answered := [][]string{{"INFO", "persistence"}, {"CONFIG", "GET", "dir"}, {"CLIENT", "ID"}, {"COMMAND", "COUNT"}, {"TIME"}, {"LASTSAVE"}, {"SELECT", "0"}, {"ECHO", "x"}}
	var raw strings.Builder
	for _, args := range append(asked, answered...) {
		raw.WriteString(harness.Encode(args...))
	}
	raw.WriteString(harness.Encode("PING"))
	c.WriteRaw(raw.String())
	var refusals, answers []harness.Reply
	for range asked {
		refusals = append(refusals, c.Read())
	}
	for range answered {
		answers = append(answers, c.Read())
	}
	if last := c.Read(); last.Raw != loadingError {
		if last.Raw != "+PONG\r\n" {
			t.Errorf("PING: %v", last)
		}
		s.Kill(t)
		return false
	}
	for i, r := range refusals {
		if r.Raw != loadingError {
			t.Errorf("%q is answered while loading: %v", asked[i], r)
		}
	}
	for i, r := range answers {
		if r.IsError() {
			t.Errorf("%q is refused while loading: %v", answered[i], r)
		}
	}
	checkLoadingInfo(t, answers[0].Text)
	checkProgress(t, c)
	if got := c.Do("DBSIZE"); got.Raw != fmt.Sprintf(":%d\r\n", keys) {
		t.Errorf("DBSIZE: %v", got)
	}
	for _, n := range []int{0, 1, keys / 2, keys - 1} {
		if r := c.Do("GET", "key:"+strconv.Itoa(n)); r.Text != "value:"+strconv.Itoa(n) {
			t.Errorf("key:%d: %v", n, r)
		}
	}
	s.Kill(t)
	return true
}

// checkLoadingInfo looks at INFO persistence as it is during a load.
func checkLoadingInfo(t *testing.T, info string) {
	t.Helper()
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	number := func(name string) float64 {
		n, err := strconv.ParseFloat(fields[name], 64)
		if err != nil {
			t.Errorf("%s:%s", name, fields[name])
		}
		return n
	}
	if fields["loading"] != "1" || fields["async_loading"] != "0" {
		t.Errorf("loading:%s async_loading:%s", fields["loading"], fields["async_loading"])
	}
	if age := float64(time.Now().Unix()) - number("loading_start_time"); age < -1 || age > harness.Patience.Seconds() {
		t.Errorf("loading_start_time is %v seconds ago", age)
	}
	total, loaded, percent := number("loading_total_bytes"), number("loading_loaded_bytes"), number("loading_loaded_perc")
	if total <= 0 || loaded < 0 || loaded > total || percent < 0 || percent > 100 {
		t.Errorf("%v of %v bytes, %v per cent", loaded, total, percent)
	}
	number("loading_eta_seconds")
	number("loading_rdb_used_mem")
}

// checkProgress follows the load to its end: the bytes loaded never fall.
func checkProgress(t *testing.T, c *harness.Conn) {
	t.Helper()
	loaded, seen := int64(-1), 0
	harness.Eventually(t, 5*harness.Patience, "the load ends", func() bool {
		if c.Info("persistence", "loading") == "0" {
			return true
		}
		if n, err := strconv.ParseInt(c.Info("persistence", "loading_loaded_bytes"), 10, 64); err == nil {
			if n < loaded {
				t.Errorf("loading_loaded_bytes fell from %d to %d", loaded, n)
			}
			loaded = n
			seen++
		}
		return false
	})
	if c.Info("persistence", "loading_total_bytes") != "" {
		t.Error("INFO still has the fields of a load")
	}
	t.Logf("the load was seen %d times", seen)
}

// largeFolder makes a folder to load, as a snapshot or as a log, and the parameters that load it.
func largeFolder(t *testing.T, keys int, log bool) (dir string, params []string) {
	t.Helper()
	redis := harness.StartRedis(t)
	redis.Dial(t).MustOK("DEBUG", "POPULATE", strconv.Itoa(keys))
	redis.Dial(t).MustOK("SAVE")
	redis.Kill(t)
	if !log {
		return redis.Dir, nil
	}
	folder := filepath.Join(redis.Dir, "appendonlydir")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(redis.Dir, "dump.rdb"), filepath.Join(folder, "appendonly.aof.1.base.rdb")); err != nil {
		t.Fatal(err)
	}
	manifest := "file appendonly.aof.1.base.rdb seq 1 type b\n"
	if err := os.WriteFile(filepath.Join(folder, "appendonly.aof.manifest"), []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	return redis.Dir, []string{"appendonly yes"}
}

// TestStopWhileLoading: a server that is told to stop while it loads does so at once, with exit
// code 0, and leaves the file as it is.
func TestStopWhileLoading(t *testing.T) {
	dir, _ := largeFolder(t, 2_000_000, false)
	before := harness.FolderState(t, dir)
	for _, stop := range []func(s *harness.Server) int{
		func(s *harness.Server) int { return s.Terminate(t) },
		func(s *harness.Server) int {
			s.Dial(t).Send("SHUTDOWN", "NOSAVE")
			return s.Wait(t, harness.Patience)
		},
	} {
		s := harness.StartSubjectLoading(t, "save 3600 1", "dir "+dir)
		if code := stop(s); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if after := harness.FolderState(t, dir); after["dump.rdb"] != before["dump.rdb"] {
			t.Error("the file is not what it was")
		}
	}
}
