package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestConfigCheck: the lines, the sum and the exit code.
func TestConfigCheck(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "redis.conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cases := []struct {
		name, text string
		flags      []string
		code       int
		says       []string // of each line of output, in order
		stderr     string
	}{
		{"accepted", "port 7000\nrequirepass pw-of-mine\n", nil, 0, []string{":1  acts       port", ":2  acts       requirepass", "2 lines: 2 acts, 0 no effect, 0 refused"}, ""},
		{"without effect", "dynamic-hz yes\n", []string{"--strict"}, 0, []string{"no effect  dynamic-hz  background rounds", "1 line: "}, ""},
		{"asks for more", "daemonize yes\n", nil, 0, []string{"no effect  daemonize  larder stays in the foreground but: ", "1 line: "}, ""},
		{"TLS without a certificate", "tls-port 7001\n", nil, 1,
			[]string{":1  refused    tls-port  tls-cert-file is not set", "1 line: "},
			"is not accepted: 1 line refused"},
		{"TLS with certificates that are not there",
			"tls-port 7001\ntls-cert-file /nowhere/a.crt\ntls-key-file /nowhere/a.key\n", nil, 1,
			[]string{":1  refused    tls-port       tls-cert-file: open /nowhere/a.crt: no such file", "tls-cert-file",
				"tls-key-file", "3 lines: "}, "is not accepted: 1 line refused"},
		{"no TLS", "tls-port 0\n", nil, 0, []string{":1  acts       tls-port", "1 line: "}, ""},
		{"an aclfile", "aclfile " + file("user default off\nuser app on >secret ~app:* +@all -@dangerous\n") +
			"\n", nil, 0, []string{":1  acts       aclfile", "1 line: "}, ""},
		{"an aclfile with a mistake", "aclfile " + file("user default off\nuser app on +nosuch\n") + "\n", nil, 1,
			[]string{"redis.conf:2: Error in applying operation '+nosuch'", "1 line: "},
			"is not accepted: 1 line refused"},
		{"an aclfile that lets everybody in", "requirepass pw-of-mine\naclfile " + file("user app on\n") + "\n", nil, 1,
			[]string{":1  acts       requirepass", ":2  refused    aclfile      there is a requirepass", "2 lines: "},
			"is not accepted: 1 line refused"},
		{"asks for more, strictly", "daemonize yes\n", []string{"--strict"}, 1, []string{"daemonize", "1 line: "}, "asks in 1 line for what larder does not do"},
		{"refused", "port many\nport 1\nloadmodule x.so\n", nil, 1, []string{":1  refused    port", ":2  acts       port", ":3  refused    loadmodule  larder cannot", "3 lines: 1 acts, 0 no effect, 2 refused"},
			"is not accepted: 2 lines refused"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, "", append([]string{"config", "check", file(c.text)}, c.flags...)...)
			out, code := p.end()
			all := strings.Join(out, "\n")
			if code != c.code || len(out) != len(c.says) || strings.Contains(all, "pw-of-mine") {
				t.Fatalf("exit code %d:\n%s\n%s", code, all, p.stderr.String())
			}
			for i, part := range c.says {
				if !strings.Contains(out[i], part) {
					t.Errorf("%q does not say %q", out[i], part)
				}
			}
			if text := p.stderr.String(); !strings.Contains(text, c.stderr) || (text == "") != (c.stderr == "") {
				t.Errorf("standard error: %q", text)
			}
		})
	}
	p := start(t, "hz many\n", "config", "check", "-")
	if out, code := p.end(); code != 1 || !strings.HasPrefix(out[0], "standard input:1  refused    hz") {
		t.Errorf("standard input: %d %q", code, out)
	}
	p = start(t, "", "config", "check", "/nowhere/redis.conf")
	if out, code := p.end(); code != 1 || len(out) != 0 || !strings.Contains(p.stderr.String(), "no such file") {
		t.Errorf("a missing file: %d %q %q", code, out, p.stderr.String())
	}
}

// TestConfigCheckStock: the file that Debian's redis-server is installed with is accepted, and so are
// the parameters that stand in it as comments, but for those that make it another kind of server.
func TestConfigCheckStock(t *testing.T) {
	const stock = "/etc/redis/redis.conf"
	text, err := os.ReadFile(stock)
	if err != nil {
		t.Skipf("no file of a redis-server from Debian: %v", err)
	}
	p := start(t, "", "config", "check", stock)
	out, code := p.end()
	all := strings.Join(out, "\n")
	if code != 0 || len(out) < 60 || strings.Count(all, " but: ") != 1 || !strings.Contains(all, "daemonize") ||
		!strings.HasSuffix(all, ", 0 refused") {
		t.Errorf("exit code %d:\n%s\n%s", code, all, p.stderr.String())
	}
	// Names with a hyphen: others may be words of the prose.
	comments := regexp.MustCompile(`(?m)^# ([a-z]+(?:-[a-z]+)+ [^ .<>]+)$`).FindAllStringSubmatch(string(text), -1)
	var lines strings.Builder
	for _, c := range comments {
		if !strings.HasPrefix(c[1], "tls-port ") { // there are no certificates
			lines.WriteString(c[1] + "\n")
		}
	}
	if len(comments) < 70 {
		t.Errorf("%d parameters in comments", len(comments))
	}
	out, _ = start(t, lines.String(), "config", "check", "-").end()
	var refused []string
	for _, line := range out[:len(out)-1] {
		if fields := strings.Fields(line); strings.Contains(line, " refused ") {
			refused = append(refused, fields[3])
			if !strings.Contains(line, "larder does not replicate") && !strings.Contains(line, "larder is no cluster") {
				t.Errorf("it is not said why: %s", line)
			}
		}
	}
	if want := []string{"tls-replication", "tls-cluster", "cluster-enabled"}; !slices.Equal(refused, want) {
		t.Errorf("refused: %q", refused)
	}
}
