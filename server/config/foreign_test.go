package config

import (
	"os"
	"path/filepath"
	"slices"
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
	c, err := Load(write(t, "redis.conf", "server-threads 4\nTLS-Ciphers x\nhash-seed abc\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Ignored(), " "); got != "server-threads tls-ciphers hash-seed" {
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

// TestDefaultUser: a line about the default user is accepted where it says what is the case.
func TestDefaultUser(t *testing.T) {
	const hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" // of secret
	for _, text := range []string{
		"user default on nopass ~* +@all", "user default on nopass sanitize-payload ~* &* +@all", "USER default ON nopass allkeys allchannels allcommands",
		"user default on nopass ~* +@all\nrequirepass secret",
		"user default on sanitize-payload #" + hash + " ~* &* +@all\nrequirepass secret", "requirepass secret\nuser default on #" + hash + " ~* &* +@all",
		"requirepass secret\nuser default on >secret ~* &* +@all",
	} {
		if _, err := Load(write(t, "redis.conf", text), nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	const another, password = "a line that says otherwise would be unsafe to pass over", "requirepass gives it"
	for text, want := range map[string]string{
		"user": another, "user alice on nopass ~* +@all": another, "user default off nopass ~* +@all": another, "user default on nopass ~cache:* +@all": another,
		"user default on nopass ~* +@all -flushall": another, "user default on nopass ~* +@read": another, "user default on ~* +@all": another,
		"user default nopass ~* +@all": another, "user default on nopass ~*": another, "user default on nopass ~* +@all (~x +get)": another,
		"requirepass secret\nuser default on nopass ~* +@all":                    password,
		"user default on #" + hash + " ~* &* +@all":                              password,
		"user default on #" + hash + " ~* &* +@all\nrequirepass other":           password,
		"user default on #" + hash + " >another ~* &* +@all\nrequirepass secret": another,
	} {
		_, err := Load(write(t, "redis.conf", text), nil)
		line := slices.IndexFunc(strings.Split(text, "\n"), func(l string) bool { return strings.HasPrefix(l, "user") }) + 1
		if got := errorText(err); !strings.Contains(got, want) || !strings.Contains(got, "redis.conf:"+string(rune('0'+line))+": ") {
			t.Errorf("%q: %q, want %s", text, got, want)
		}
	}
}

// TestRewriteKeepsTheUser: a line about the default user stays while it is true.
func TestRewriteKeepsTheUser(t *testing.T) {
	line := "user default on #" + hashed("secret") + " ~* &* +@all"
	for _, test := range []struct {
		text, password string
		stays          bool
	}{
		{"requirepass secret\n" + line, "secret", true},
		{"requirepass secret\n" + line, "another", false},
		{"requirepass secret\n" + line, "", false},
		{"user default on nopass ~* +@all", "", true},
		{"user default on nopass ~* +@all", "secret", false},
	} {
		c, err := Load(write(t, "redis.conf", test.text+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Set(settings("requirepass", test.password), true); err != nil {
			t.Fatal(err)
		}
		if err := c.Rewrite(); err != nil {
			t.Fatal(err)
		}
		again, err := os.ReadFile(c.File())
		if err != nil || strings.Contains(string(again), "user default") != test.stays {
			t.Errorf("%s, requirepass %q: %v\n%s", test.text, test.password, err, again)
		}
		later, err := Load(c.File(), nil)
		if err != nil || later.Values().RequirePass != test.password {
			t.Errorf("%s, requirepass %q, loaded again: %v", test.text, test.password, err)
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
