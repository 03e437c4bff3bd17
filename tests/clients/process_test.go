package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// exits is how long a process may take to end.
const exits = harness.Patience

// TestSignalsDrain: SIGTERM and SIGINT answer what has arrived, close every connection, remove what
// was laid down and exit with 0.
func TestSignalsDrain(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			dir := t.TempDir()
			socket, pid := filepath.Join(dir, "larder.sock"), filepath.Join(dir, "larder.pid")
			s := harness.StartBinary(t, "network-driver "+driver, "unixsocket "+socket, "pidfile "+pid)
			busy, idle := s.Dial(t), s.Dial(t)
			idle.Do("PING")
			if _, err := os.Stat(pid); err != nil {
				t.Error(err)
			}
			const n = 1000
			busy.WriteRaw(strings.Repeat(harness.Encode("INCR", "n"), n))
			if r := busy.Read(); r.Raw != ":1\r\n" {
				t.Fatal(r)
			}
			s.Signal(t, sig)
			if code := s.Wait(t, exits); code != 0 {
				t.Errorf("%v: exit code %d", sig, code)
			}
			if got := busy.ReadUntilClosed(); !strings.HasSuffix(got, ":1000\r\n") {
				t.Errorf("%v: the last replies are missing: %q", sig, got[max(0, len(got)-40):])
			}
			if got := idle.ReadUntilClosed(); got != "" {
				t.Errorf("%v: %q", sig, got)
			}
			for _, path := range []string{socket, pid} {
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("%v: %s is left behind: %v", sig, filepath.Base(path), err)
				}
			}
		}
	})
}

// TestSecondSignalStopsAtOnce: a client that does not read its replies holds the drain up; the
// second signal does not wait for it.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	s := harness.StartBinary(t)
	c := s.Dial(t)
	c.MustOK("SET", "big", strings.Repeat("x", 1<<20))
	c.WriteRaw(strings.Repeat(harness.Encode("GET", "big"), 200))
	s.Signal(t, syscall.SIGTERM)
	harness.Eventually(t, exits, "the drain begins", func() bool {
		return !s.Running() || strings.Contains(s.Log(), "SIGINT stops at once")
	})
	if s.Running() {
		_ = syscall.Kill(s.Pid, syscall.SIGINT) // it may end in this moment
	}
	s.Wait(t, harness.Patience)
}

// TestShutdownCommand: SHUTDOWN ends the process with 0 and answers nothing.
func TestShutdownCommand(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		for _, args := range [][]string{{"SHUTDOWN"}, {"SHUTDOWN", "NOSAVE"}, {"SHUTDOWN", "NOW"}} {
			s := harness.StartBinary(t, "network-driver "+driver)
			c := s.Dial(t)
			c.Send(args...)
			if got := c.ReadUntilClosed(); got != "" {
				t.Errorf("%q: answered %q", args, got)
			}
			if code := s.Wait(t, exits); code != 0 {
				t.Errorf("%q: exit code %d", args, code)
			}
		}
	})
}

// refused runs larder with arguments that must not start it, and returns what it said.
func refused(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), append([]string{"serve"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%q: %v, want exit code 1\n%s", args, err, out)
	}
	return string(out)
}

// TestRefusesToStart: what cannot work ends with exit code 1 and one line that says what and where.
func TestRefusesToStart(t *testing.T) {
	s := harness.StartBinary(t)
	_, port, _ := strings.Cut(s.Addr, ":")
	dir := t.TempDir()
	conf := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	included := conf("included.conf", "hz 10\n\n\ntimeout never\n")
	cases := []struct {
		name string
		args []string
		says []string
	}{
		{"taken port", []string{"--bind", "127.0.0.1", "--port", port}, []string{port, "address already in use"}},
		{"unknown directive", []string{conf("a.conf", "# comment\n\nport 0\nnosuch 1\n")}, []string{"a.conf", "4", "nosuch"}},
		{"bad value", []string{conf("b.conf", "port 0\nhz many\n")}, []string{"b.conf", "2", "hz"}},
		{"out of range", []string{conf("c.conf", "port 70000\n")}, []string{"c.conf", "1", "port", "65535"}},
		{"bad memory", []string{conf("d.conf", "port 0\nmaxmemory 10furlongs\n")}, []string{"d.conf", "2", "maxmemory"}},
		{"unbalanced quotes", []string{conf("e.conf", "port 0\nrequirepass \"abc\n")}, []string{"e.conf", "2"}},
		{"error in an included file", []string{conf("f.conf", "port 0\ninclude "+included+"\n")}, []string{"included.conf", "4", "timeout"}},
		{"missing include", []string{conf("g.conf", "port 0\ninclude "+dir+"/none.conf\n")}, []string{"none.conf"}},
		{"include of itself", []string{conf("h.conf", "include "+dir+"/h.conf\n")}, []string{"h.conf"}},
		{"missing file", []string{filepath.Join(dir, "missing.conf")}, []string{"missing.conf"}},
		{"a folder as file", []string{dir}, []string{dir}},
		{"missing folder", []string{"--port", "0", "--dir", dir + "/nowhere"}, []string{"nowhere"}},
		{"unknown flag", []string{"--nosuch", "1"}, []string{"nosuch"}},
		{"bad flag", []string{"--port", "many"}, []string{"port"}},
		{"flag without value", []string{"--port"}, []string{"port"}},
		{"bad address", []string{"--port", "0", "--bind", "256.1.2.3"}, []string{"256.1.2.3"}},
		{"socket in a missing folder", []string{"--port", "0", "--unixsocket", dir + "/none/l.sock"}, []string{"none/l.sock"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := refused(t, "", c.args...)
			if n := strings.Count(strings.TrimSpace(out), "\n"); n != 0 {
				t.Errorf("%d lines instead of one:\n%s", n+1, out)
			}
			for _, word := range c.says {
				if !strings.Contains(out, word) {
					t.Errorf("does not say %q:\n%s", word, out)
				}
			}
		})
	}
	t.Run("standard input", func(t *testing.T) {
		if out := refused(t, "port 0\nnosuch 1\n", "-"); !strings.Contains(out, "2") || !strings.Contains(out, "nosuch") {
			t.Error(out)
		}
	})
	if r := s.Dial(t).Do("PING"); r.Raw != "+PONG\r\n" {
		t.Errorf("the first server: %v", r)
	}
}

// TestDebianConfiguration starts with the redis.conf that Debian's package installs, overridden
// only in where to listen and to write.
func TestDebianConfiguration(t *testing.T) {
	const conf = "/etc/redis/redis.conf"
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatalf("%v: %s", err, harness.InstallRedis)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartBinaryWith(t, path, "daemonize no", "supervised no", `logfile ""`, "pidfile "+dir+"/larder.pid")
	c := s.Dial(t)
	c.MustOK("SET", "k", "v")
	if r := c.Do("CONFIG", "GET", "tcp-backlog"); r.Elems[1].Text != "511" {
		t.Error(r)
	}
	c.MustOK("CONFIG", "SET", "hz", "17", "hash-max-listpack-entries", "99")
	c.MustOK("CONFIG", "REWRITE")
	rewritten, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nhz 17\n", "\nhash-max-listpack-entries 99\n", "# Redis configuration file example."} {
		if !strings.Contains("\n"+string(rewritten), want) {
			t.Errorf("the rewritten file lacks %q", want)
		}
	}
	s.Signal(t, syscall.SIGTERM)
	s.Wait(t, exits)
	again := harness.StartBinaryWith(t, path, "port 0")
	if r := again.Dial(t).Do("CONFIG", "GET", "hz"); r.Elems[1].Text != "17" {
		t.Errorf("after a restart: %v", r)
	}
}
