package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckRefusals: what cannot be checked is one line and exit code 1, and nothing on standard
// output.
func TestCheckRefusals(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	empty := filepath.Join(dir, "empty")
	missing := filepath.Join(dir, "manifest")
	valkey := filepath.Join(dir, "valkey.rdb")
	for name, content := range map[string]string{
		text: "root:x:0:0:root:/root:/bin/bash\n", empty: "", missing: "file none.aof seq 1 type i\n",
		valkey: "VALKEY099\xfa\x0avalkey-ver\x0510.0.2",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ args, want string }{
		{"rdb " + text, text + " is not good: not an RDB file"},
		{"rdb " + empty, empty + " is not good: unexpected end of file"},
		{"rdb " + valkey, valkey + " is not good: Can't handle RDB format version 99 of Valkey"},
		{"rdb " + dir, "cannot read " + dir + ": not a regular file"},
		{"rdb " + filepath.Join(dir, "none"), "no such file or directory"},
		{"rdb", "one file is to be named, not 0"},
		{"rdb a b", "one file is to be named, not 2"},
		{"rdb --fix a", "unknown flag: --fix"},
		{"aof " + text, text + " is no log: it begins neither"},
		{"aof --fix --yes " + text, text + " is no log"},
		{"aof " + missing, missing + " is not good: the log's manifest names a file that cannot be read"},
		{"aof " + dir, "cannot read " + dir + ": not a regular file"},
		{"aof " + filepath.Join(dir, "none"), "no such file or directory"},
		{"aof", "one file is to be named, not 0"},
		{"aof --truncate-to-timestamp x " + text, `invalid argument "x"`},
		{"aof --truncate-to-timestamp 0 " + text, "--truncate-to-timestamp takes a time in seconds since 1970"},
		{"dump a", `unknown command "dump"`},
	} {
		t.Run(test.args, func(t *testing.T) {
			p := start(t, "", append([]string{"check"}, strings.Fields(test.args)...)...)
			out, code := p.end()
			said := p.stderr.String()
			if code != 1 || len(out) != 0 || !strings.HasPrefix(said, "larder: ") || strings.Count(said, "\n") != 1 || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, standard output %q, standard error:\n%swant one line with: %s", code, out, said, test.want)
			}
		})
	}
}

// TestCheckRDBCommand runs the whole command: standard error is no terminal here, so there is no
// bar.
func TestCheckRDBCommand(t *testing.T) {
	p := start(t, "", "check", "rdb", mixed)
	out, code := p.end()
	said := p.stderr.String()
	if code != 1 || !strings.HasSuffix(said, unloadableMixed+"\n") || strings.Count(said, "\n") != 1 ||
		strings.Join(out, "\n")+"\n" != mixedReport(t) {
		t.Errorf("exit code %d\n%s\n%s", code, strings.Join(out, "\n"), said)
	}
}

func TestReadYes(t *testing.T) {
	for in, want := range map[string]bool{"y\n": true, "Y\n": true, "yes\n": true, " y \r\n": true, "y": true, "\n": false, "": false, "n\n": false, "yep\n": false, "no\ny\n": false} {
		if got, err := readYes(strings.NewReader(in)); got != want || err != nil {
			t.Errorf("readYes(%q) = %v, %v", in, got, err)
		}
	}
	if _, err := confirmed(strings.NewReader("y\n"), io.Discard, ""); !errors.Is(err, errNoTerminal) {
		t.Errorf("confirmed without a terminal: %v", err)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"7.0.15": "7.0.15", "": "", "a\x1b[2Jb": `"a\x1b[2Jb"`, "a\nb": `"a\nb"`, "größe": "größe"} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %s", in, got)
		}
	}
}
