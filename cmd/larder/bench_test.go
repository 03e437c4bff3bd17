package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/cmd/load"
)

// everything is a mix of all operations.
func everything() string { return strings.Join(load.OperationNames(), ",") }

// benched runs `larder bench` against a server and returns its result.
func benched(t *testing.T, addr string, args ...string) (load.Result, int) {
	t.Helper()
	p := start(t, "", append([]string{"bench", "--addr", addr, "--warmup", "0", "--keys", "100", "--clients", "4",
		"--json", "-"}, args...)...)
	out, code := p.end()
	var r load.Result
	if err := json.Unmarshal([]byte(strings.Join(out, "\n")), &r); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(out, "\n"), p.stderr.String())
	}
	return r, code
}

// TestBenchOperations: each operation is understood, and what is filled in is found.
func TestBenchOperations(t *testing.T) {
	dir := t.TempDir()
	server := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", dir, "--loglevel", "notice")
	servers := map[string]string{"larder": server.address()}
	if path, err := exec.LookPath("redis-server"); err == nil {
		servers["redis"] = startRedis(t, path)
	}
	for name, addr := range servers {
		for _, args := range [][]string{{"-P", "4"}, {"--rate", "20000"}} {
			args := append(args, "--requests", "4000", "--mix", everything(), "--fill", "--pick", "zipf:0.9", "--ttl",
				"10m-1h")
			r, code := benched(t, addr, args...)
			if code != 0 || r.Total.Requests != 4000 || r.Total.Errors != 0 || r.Server.Name != name ||
				len(r.Operations) != len(load.OperationNames()) {
				t.Errorf("%s: exit code %d, %+v, %+v", name, code, r.Total, r.Failures)
			}
			for _, o := range r.Operations {
				if o.Requests == 0 {
					t.Errorf("%s: %+v", name, o)
				}
			}
			if r, code := benched(t, addr, "--requests", "500", "--mix",
				"get,mget,exists,hget,hgetall,lrange,sismember,smembers,zscore,zrange", "--only-hits"); code != 0 ||
				r.Total.Misses != 0 {
				t.Errorf("%s: exit code %d, %+v", name, code, r.Total)
			}
			r, code = benched(t, addr, "--requests", "500", "--op", "own=EVAL 'return ARGV[1]' 1 own:{key} {value}",
				"--op", "lost=NOSUCH {key}")
			own, lost := r.Operations[0], r.Operations[1]
			if code != 1 || own.Hits != own.Requests || own.Errors != 0 || lost.Errors != lost.Requests ||
				len(r.Failures) != 1 || r.Failures[0].Code != "ERR" {
				t.Errorf("%s: exit code %d, %+v, %+v", name, code, r.Operations, r.Failures)
			}
		}
	}
}

// startRedis runs one on a socket of its own.
func startRedis(t *testing.T, path string) (addr string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "larder") // t.TempDir may be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	addr = filepath.Join(dir, "redis.sock")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", addr, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it is there until Wait
		_ = cmd.Wait()         // it was killed
		_ = os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(addr); err == nil {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen")
		}
	}
}

// TestBenchInterrupted: one that has no end ends with what there is.
func TestBenchInterrupted(t *testing.T) {
	server := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--loglevel", "notice")
	addr := server.address()
	for _, loop := range []string{"--pipeline=2", "--rate=5000"} {
		dir := t.TempDir()
		p := start(t, "", "bench", "--addr", addr, "--warmup", "0", "--duration", "0", "--mix", "incr", "--keys", "1",
			"--prefix", loop+":",
			loop, "--json", filepath.Join(dir, "r.json"), "--svg", filepath.Join(dir, "r.svg"))
		for deadline := time.Now().Add(patience); strings.HasPrefix(ask(t, addr, "GET "+loop+":counter:000000000000"), "$-1"); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is sent")
			}
		}
		if err := p.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		out, code := p.end()
		if text := strings.Join(out, "\n"); code != 0 || !strings.Contains(text, "(interrupted)") ||
			!strings.Contains(text, "incr") {
			t.Errorf("%s: exit code %d\n%s\n%s", loop, code, text, p.stderr.String())
		}
		for name, part := range map[string]string{"r.json": `"interrupted": true`, "r.svg": "</svg>"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(b), part) {
				t.Errorf("%s: %.100s, %v", name, b, err)
			}
		}
	}
}

func TestBenchRefusals(t *testing.T) {
	for want, args := range map[string][]string{
		"no choice of keys":     {"--pick", "often"},
		"no size of values":     {"--size", "big"},
		"no time to live":       {"--ttl", "soon"},
		"there is no operation": {"--mix", "got"},
		"describes no":          {"--op", "PING"},
		"is no address":         {"--addr", "here"},
		"connection refused":    {"--addr", "127.0.0.1:1"},
		"0 clients":             {"--clients", "0"},
		"unknown command":       {"now"},
	} {
		p := start(t, "", append([]string{"bench"}, args...)...)
		out, code := p.end()
		if text := p.stderr.String(); code != 1 || len(out) != 0 || !strings.Contains(text, want) ||
			strings.Count(text, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q, %q; want %s", args, code, out, text, want)
		}
	}
}
