package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// get reads one parameter as CONFIG GET does.
func get(t *testing.T, c *Config, name string) string {
	t.Helper()
	found := c.Get([]string{name}, nil)
	if len(found) != 1 {
		t.Fatalf("no parameter %q", name)
	}
	return found[0][1]
}

// write makes a file in a fresh folder and returns its name.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFileThenFlags(t *testing.T) {
	dir := t.TempDir()
	part := write(t, "part.conf", "timeout 44\nHZ 33\n")
	file := write(t, "redis.conf", `# comment
port 7000
  dir `+dir+`

save "900 1 300 10"
save 5 5
bind "127.0.0.1 ::1"
client-output-buffer-limit "normal 1mb 2mb 3"
Client-Output-Buffer-Limit slave 1000 5kb 60
HASH-MAX-ZIPLIST-ENTRIES 12
maxmemory 1.5gb
`)
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), ":11: 'maxmemory 1.5gb': argument must be a memory value (expected: ") {
		t.Fatalf("a bad value was accepted or the error does not say where: %v", err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content = []byte(strings.Replace(string(content), "1.5gb", "1gb", 1) + "include " + part[:len(part)-9] + "*.conf\nhz 34\nrequirepass \"a \\x41\"\nunixsocketperm 700\n")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, []string{"--port", "7001", "--tcp-backlog 12", "--databases=3", "--client-output-buffer-limit", "pubsub", "1", "2", "3", "--loglevel", "DEBUG"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"port", "dir", "save", "bind", "client-output-buffer-limit", "hash-max-listpack-entries", "hash-max-ziplist-entries",
		"maxmemory", "timeout", "hz", "requirepass", "unixsocketperm", "tcp-backlog", "databases", "loglevel"} {
		got[name] = get(t, c, name)
	}
	want := map[string]string{
		"port": "7001", "dir": dir, "save": "900 1 300 10 5 5", "bind": "127.0.0.1 ::1",
		"client-output-buffer-limit": "normal 1048576 2097152 3 slave 1000 5120 60 pubsub 1 2 3",
		"hash-max-listpack-entries":  "12", "hash-max-ziplist-entries": "12", "maxmemory": "1073741824", "timeout": "44", "hz": "34",
		"requirepass": "a A", "unixsocketperm": "700", "tcp-backlog": "12", "databases": "3", "loglevel": "debug",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	v := c.Values()
	if v.Port != 7001 || v.Dir != dir || v.UnixSocketPerm != 0o700 || v.MaxMemory != 1<<30 || v.OutputLimits[ClassPubSub] != (OutputLimit{1, 2, 3}) {
		t.Errorf("typed fields differ from the texts: %+v", v)
	}
	if diff := cmp.Diff([]string{"127.0.0.1", "::1"}, v.Bind); diff != "" {
		t.Error(diff)
	}
}
