package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherServersFiles loads the files that CONFIG REWRITE of other servers has left
// (tests/interop/testdata/folders/record.py), and all parameters that they have and larder has not.
func TestOtherServersFiles(t *testing.T) {
	files, err := filepath.Glob("../../tests/interop/testdata/folders/*/redis.conf")
	if err != nil || len(files) < 6 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range append(files, "testdata/keydb-6.3.conf", "testdata/others.conf") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "/var/lib/data", t.TempDir())
		c, err := Load(write(t, "redis.conf", text), nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if err := c.Rewrite(); err != nil {
			t.Error(err)
		}
		again, err := os.ReadFile(c.File())
		if err != nil || strings.Contains(string(again), "???") {
			t.Errorf("%s, rewritten: %v\n%s", file, err, again)
		}
		if _, err := Load(c.File(), nil); err != nil {
			t.Errorf("%s, rewritten: %v", file, err)
		}
	}
}

func TestForeignDirectives(t *testing.T) {
	c, err := Load(write(t, "redis.conf", "server-threads 4\ntls-Rotation x\nhash-seed abc\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Ignored(), " "); got != "server-threads tls-rotation hash-seed" {
		t.Errorf("ignored are %s", got)
	}
	if got := c.Get([]string{"server-threads"}, nil); len(got) != 0 {
		t.Errorf("CONFIG GET knows %v", got)
	}
	known := newTable(Params())
	for _, row := range foreignDirectives() {
		for _, name := range row.names {
			if _, _, ok := known.find(name); ok {
				t.Errorf("%s is a parameter of larder's", name)
			}
		}
	}
}

// TestBareDirectives: what Redis makes of a parameter's name without a value.
func TestBareDirectives(t *testing.T) {
	for text, want := range map[string]string{
		"save": "", "save 900 1\nsave": "900 1", "save 900 1\nsave \"\"": "", "save\nsave 5 6": "5 6",
		"latency-tracking-info-percentiles": "",
	} {
		c, err := Load(write(t, "redis.conf", text+"\n"), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		name := strings.Fields(text)[0]
		if got := c.Get([]string{name}, nil); len(got) != 1 || got[0][1] != want {
			t.Errorf("%q: %v, not %q", text, got, want)
		}
	}
	for _, text := range []string{"oom-score-adj-values", "shutdown-on-sigterm", "replicaof", "loglevel", "hz", "locale-collate xx"} {
		if _, err := Load(write(t, "redis.conf", text+"\n"), nil); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
