package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestThreads: auto is as many threads as there are cores, less one, within bounds. CONFIG GET says the
// number, and a rewritten file the word.
func TestThreads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(file, []byte("io-threads 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		cores           int
		set, says, text string
		fails           string
	}{
		{2, "", "3", "io-threads 3\n", ""},
		{1, "auto", "1", "io-threads auto\n", ""},
		{2, "AUTO", "1", "io-threads auto\n", ""},
		{8, "auto", "7", "io-threads auto\n", ""},
		{8, "7", "7", "io-threads 7\n", ""},
		{17, "auto", "16", "io-threads auto\n", ""},
		{64, "auto", "16", "io-threads auto\n", ""},
		{64, "128", "128", "io-threads 128\n", ""},
		{64, "0", "128", "io-threads 128\n", "argument must be between 1 and 128 inclusive"},
		{64, "automatic", "128", "io-threads 128\n", "argument must be auto or an integer"},
	} {
		v := c.Values().clone()
		v.cores = step.cores
		c.now.Store(v)
		if step.set != "" {
			err := c.Set([]Setting{{"io-threads", step.set}}, true)
			want := "CONFIG SET failed (possibly related to argument 'io-threads') - " + step.fails
			if step.fails == "" && err != nil || step.fails != "" && (err == nil || err.Error() != want) {
				t.Errorf("%d cores, %s: %v", step.cores, step.set, err)
			}
		}
		if got := get(t, c, "io-threads"); got != step.says {
			t.Errorf("%d cores, %s: CONFIG GET says %s, want %s", step.cores, step.set, got, step.says)
		}
		if got := c.rewritten("io-threads 3\n"); !strings.HasPrefix(got, step.text) {
			t.Errorf("%d cores, %s: CONFIG REWRITE writes %q, want %q first", step.cores, step.set, got, step.text)
		}
	}
	if got := fresh(t).rewritten(""); strings.Contains(got, "io-threads") {
		t.Errorf("by default CONFIG REWRITE writes %q", got)
	}
}
