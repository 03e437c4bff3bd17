package clients

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// address are the options by which a Redis tool finds the server.
func address(t *testing.T, s *harness.Server) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-h", host, "-p", port}
}

// run runs a Redis tool against the server and returns what it printed.
func run(t *testing.T, s *harness.Server, stdin, tool string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Tool(t, tool, harness.InstallRedis),
		append(address(t, s), args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, out)
	}
	return string(out)
}

// TestRedisCLI runs redis-cli from a script on standard input, in both protocols.
func TestRedisCLI(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		const script = "SET k \"a b\"\nGET k\nINCR n\nHSET h f v g w\nHGETALL h\nSADD s m\nSMEMBERS s\nGET h\nNOSUCH\nSELECT 2\nDBSIZE\nMULTI\nINCR n\nEXEC\n"
		resp2 := "OK\na b\n1\n2\nf\nv\ng\nw\n1\nm\nWRONGTYPE Operation against a key holding the wrong kind of value\n\n" +
			"ERR unknown command 'NOSUCH', with args beginning with: \n\nOK\n0\nOK\nQUEUED\n1\n"
		// In RESP3 it knows the reply as a map and prints the pairs on one line each.
		resp3 := strings.NewReplacer("f\nv\n", "f v\n", "g\nw\n", "g w\n").Replace(resp2)
		for flag, want := range map[string]string{"-2": resp2, "-3": resp3} {
			run(t, s, "", "redis-cli", "FLUSHALL")
			if got := run(t, s, script, "redis-cli", flag); got != want {
				t.Errorf("redis-cli %s:\n%q\nwant\n%q", flag, got, want)
			}
		}
	})
}

// TestRedisCLIModes runs the modes of redis-cli that are programs of their own.
func TestRedisCLIModes(t *testing.T) {
	const keys = 20_000
	s := harness.Start(t)
	var load strings.Builder
	for i := range keys {
		load.WriteString(harness.Encode("SET", "key:"+strconv.Itoa(i), "value "+strconv.Itoa(i)))
	}
	load.WriteString(harness.Encode("HSET", "hash", "f", "v"))
	load.WriteString(harness.Encode("SADD", "set", "a", "b"))
	if out := run(t, s, load.String(), "redis-cli", "--pipe"); !strings.Contains(out, fmt.Sprintf("errors: 0, replies: %d", keys+2)) {
		t.Errorf("--pipe: %s", out)
	}
	if out := run(t, s, "", "redis-cli", "--scan", "--pattern", "key:*"); strings.Count(out, "\n") != keys {
		t.Errorf("--scan found %d keys of %d", strings.Count(out, "\n"), keys)
	}
	bigkeys := run(t, s, "", "redis-cli", "--bigkeys")
	for _, want := range []string{fmt.Sprintf("Sampled %d keys in the keyspace!", keys+2), `Biggest string found '"key:`, `Biggest   hash found '"hash"' has 1 fields`, `Biggest    set found '"set"' has 2 members`} {
		if !strings.Contains(bigkeys, want) {
			t.Errorf("--bigkeys does not say %s:\n%s", want, bigkeys)
		}
	}
	if out := run(t, s, "", "redis-cli", "--memkeys"); !strings.Contains(out, "Biggest string found") {
		t.Errorf("--memkeys: %s", out)
	}
	if out := run(t, s, "some text", "redis-cli", "-x", "SET", "fromstdin"); out != "OK\n" {
		t.Errorf("-x: %q", out)
	}
	if out := run(t, s, "", "redis-cli", "--csv", "MGET", "fromstdin", "none"); out != "\"some text\",NULL\n" {
		t.Errorf("--csv: %q", out)
	}
	if out := run(t, s, "", "redis-cli", "--json", "HGETALL", "hash"); out != `{"f":"v"}`+"\n" {
		t.Errorf("--json: %q", out)
	}
	if out := run(t, s, "", "redis-cli", "-r", "3", "INCR", "n"); out != "1\n2\n3\n" {
		t.Errorf("-r: %q", out)
	}
}

// TestRedisCLIMeasures runs the modes of redis-cli that look for what is hot or slow.
func TestRedisCLIMeasures(t *testing.T) {
	s := harness.Start(t, "maxmemory 100mb", "maxmemory-policy allkeys-lfu")
	run(t, s, "", "redis-cli", "-r", "200", "INCR", "hot")
	if out := run(t, s, "", "redis-cli", "--hotkeys"); !strings.Contains(out, `keyname: "hot"`) {
		t.Errorf("--hotkeys: %s", out)
	}
	if f := strings.Fields(run(t, s, "", "redis-cli", "-i", "0.1",
		"--latency")); len(f) != 4 { // least, most, average, count
		t.Errorf("--latency: %q", f)
	}
}

// TestRedisCLIOutput: the forms of output, and the ways in which arguments come, are those that
// redis-cli has with redis-server, byte for byte.
func TestRedisCLIOutput(t *testing.T) {
	s, oracle := harness.Start(t, "requirepass long-word"), harness.StartRedis(t, "requirepass long-word")
	script := filepath.Join(t.TempDir(), "script.lua")
	if err := os.WriteFile(script, []byte(`return {KEYS[1], ARGV[1], ARGV[2], redis.call("GET", KEYS[1]), 7, false}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"mset k v1 k2 v2", "hset h f v g w", "rpush l a b,c d\"e", "zadd z 1.5 a 2 b", "sadd s m",
		`--quoted-input set "\x00\xff" "\r\n"`,
		"--csv hgetall h", "--csv lrange l 0 -1", "--csv -3 zrange z 0 -1 withscores", "--csv get none",
		"--csv nosuch", "--csv -3 hgetall h",
		"--json hgetall h", "--json zrange z 0 -1 withscores", "--json smembers s", "--json get none",
		"--json lrange l 0 -1", "--json -2 hgetall h",
		`--quoted-input --json get "\x00\xff"`, `--quoted-input --quoted-json get "\x00\xff"`, "--json exists k",
		"--json nosuch",
		"--no-raw hgetall h", "--no-raw -3 hgetall h", "--no-raw -3 zscore z a", "--no-raw get none",
		"--raw get none", "--no-raw incr k",
		"-d , lrange l 0 -1", "-D ; lrange l 0 -1", "-e nosuch", "-n 3 dbsize", "-n 999 dbsize",
		"-r 3 -i 0.001 incr n", "-c get k", "-t 5 get k",
		"--eval " + script + " k , one two", "--scan --pattern k?", "--scan --count 3 --pattern h",
		"--scan --quoted-pattern \"\\x00*\"",
		"-X word set tagged word", "--user default get k", "--user nosuch get k", "-a wrong get k",
		"--pass long-word --show-pushes no -3 get k",
		"--cluster info server", "acl whoami", "--verbose ping", "--verbose --no-raw -3 hello",
	} {
		got, want := printed(t, s, line), printed(t, oracle, line)
		if strings.Contains(line, "hello") { // the version and the client's number differ
			got, _, _ = strings.Cut(got, "version")
			want, _, _ = strings.Cut(want, "version")
		}
		if got != want {
			t.Errorf("redis-cli %s:\n%s\nand with redis-server\n%s", line, got, want)
		}
	}
}

// printed is what redis-cli prints with this password, whether it succeeds or not, and how it ends.
func printed(t *testing.T, s *harness.Server, line string) string {
	t.Helper()
	args := append(address(t, s), strings.Split(strings.ReplaceAll(line, "server", s.Addr), " ")...)
	cmd := exec.CommandContext(t.Context(), harness.Tool(t, "redis-cli", harness.InstallRedis), args...)
	cmd.Stdin = strings.NewReader("from standard input")
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH=long-word")
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return fmt.Sprintf("%sexit code %d", strings.ReplaceAll(string(out), s.Addr, "server"), cmd.ProcessState.ExitCode())
}
