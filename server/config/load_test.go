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

// TestLoadErrors says what each mistake is answered with; the place of the first argument of a
// message is the file.
func TestLoadErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"nosuch 3", ":1: 'nosuch 3': there is no parameter of this name (`larder config print` lists them)"},
		{"\nhz abc", ":2: 'hz abc': argument couldn't be parsed into an integer (expected: an integer, brought into the range from 1 to 500)"},
		{"hz", ":1: 'hz': wrong number of arguments (expected: an integer, brought into the range from 1 to 500)"},
		{"port 1 2", ":1: 'port 1 2': wrong number of arguments (expected: an integer from 0 to 65535)"},
		{`hz "1`, `:1: 'hz "1': Unbalanced quotes in configuration line`},
		{"io-threads 1000", ":1: 'io-threads 1000': argument must be between 1 and 128 inclusive (expected: an integer from 1 to 128," +
			" or auto: as many as there are cores, less one, from 1 to 16)"},
		{"unixsocketperm 999", ":1: 'unixsocketperm 999': argument couldn't be parsed as an octal number (expected: an octal number from 0 to 777)"},
		{`client-output-buffer-limit ""`, `:1: 'client-output-buffer-limit ""': Wrong number of arguments in buffer limit configuration.` +
			" (expected: groups of <normal|replica|pubsub> <hard limit> <soft limit> <soft seconds>)"},
		{"save 1", ":1: 'save 1': Invalid save parameters (expected: pairs of <seconds> <changes>, or \"\")"},
		{"shutdown-on-sigint save nosave", ":1: 'shutdown-on-sigint save nosave': shutdown options SAVE and NOSAVE can't be used simultaneously (expected: default, or one or more of save, nosave, now, force)"},
		{"appendfilename a/b", "appendfilename can't be a path, just a filename (expected: a name without a folder before it)"},
		{`appendfilename ""`, "appendfilename can't be empty"},
		{`appenddirname 'a\b'`, "appenddirname can't be a path, just a dirname"},
		{"dir /none/such", ":1: 'dir /none/such': No such file or directory (expected: an existing folder)"},
		{"active-replica yes", ":1: 'active-replica yes': larder does not replicate (expected: no)"},
		{"unixsocketgroup www", `:1: 'unixsocketgroup www': larder does not open the socket to another group (expected: "")`},
		{"storage-provider flash /mnt", `larder keeps data in memory only (expected: "")`},
		{"hash-seed", ":1: 'hash-seed': wrong number of arguments"},
		{`rename-command CONFIG ""`,
			`:1: 'rename-command CONFIG ""': larder does not have rename-command; it would be unsafe to go on without it: let users (user, aclfile) have fewer commands instead`},
		{"replicaof 10.0.0.1 6379", ":1: 'replicaof 10.0.0.1 6379': larder does not replicate (expected: \"\")"},
		{"cluster-enabled yes", ":1: 'cluster-enabled yes': larder is no cluster (expected: no)"},
		{"bind a b c d e f g h i j k l m n o p q", "Too many bind addresses specified."},
	} {
		file := write(t, "redis.conf", test.text)
		_, err := Load(file, nil)
		if got := strings.TrimPrefix(errorText(err), file); got != test.want && !strings.Contains(got, test.want) || err == nil {
			t.Errorf("%q\n got %s\nwant %s", test.text, got, test.want)
		}
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--nosuch", "3"}, "command line: '--nosuch 3': there is no parameter of this name (`larder config print` lists them)"},
		{[]string{"--port"}, "command line: '--port': wrong number of arguments (expected: an integer from 0 to 65535)"},
		{[]string{"--port", "1", "hz"}, "command line: '--port 1 hz': wrong number of arguments (expected: an integer from 0 to 65535)"},
		{[]string{"port", "1"}, "command line: 'port': a parameter's name with two dashes should be here"},
		{[]string{"--"}, "command line: '--': a parameter's name should follow the dashes"},
	} {
		_, err := Load("", test.args)
		if got := errorText(err); got != test.want {
			t.Errorf("%q\n got %s\nwant %s", test.args, got, test.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.conf"), nil); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestIncludeErrors(t *testing.T) {
	dir := t.TempDir()
	self, bad := filepath.Join(dir, "self.conf"), filepath.Join(dir, "bad.conf")
	for name, text := range map[string]string{self: "include " + self, bad: "\n\nhz x"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(self, nil); err == nil || !strings.Contains(err.Error(), "include one another") {
		t.Errorf("a file that includes itself: %v", err)
	}
	if _, err := load("-", strings.NewReader("include "+bad), nil); err == nil || !strings.HasPrefix(err.Error(), bad+":3: 'hz x':") {
		t.Errorf("a mistake in an included file: %v", err)
	}
	if _, err := load("-", strings.NewReader("include "+bad+"x"), nil); err == nil || !strings.HasPrefix(err.Error(), "standard input:1:") {
		t.Errorf("an included file that is missing: %v", err)
	}
}

func TestStandardInputAndSaveFlags(t *testing.T) {
	for _, test := range []struct {
		args []string
		save string
	}{
		{nil, "60 1"},
		{[]string{"--save", "60 1 30 2"}, "60 1 60 1 30 2"},
		{[]string{"--save", ""}, ""},
		{[]string{"--save"}, ""},
		{[]string{"--save", "--hz", "3"}, ""},
		{[]string{"--save", "5", "5", "--hz", "3"}, "60 1 5 5"},
	} {
		c, err := load("-", strings.NewReader("save 60 1\r\n"), test.args)
		if err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		if got := get(t, c, "save"); got != test.save {
			t.Errorf("%q: save is %q, want %q", test.args, got, test.save)
		}
		if got := formatSavePoints(c.Values().SavePoints); got != test.save {
			t.Errorf("%q: the save points are %q, want %q", test.args, got, test.save)
		}
		if c.File() != "" {
			t.Errorf("standard input has the name %q", c.File())
		}
	}
}
