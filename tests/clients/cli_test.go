package clients

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// run runs a Redis tool against the server and returns what it printed.
func run(t *testing.T, s *harness.Server, stdin, tool string, args ...string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), harness.Tool(t, tool, harness.InstallRedis), append([]string{"-h", host, "-p", port}, args...)...)
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

// TestRedisBenchmark runs a short redis-benchmark, whose first act is CONFIG GET.
func TestRedisBenchmark(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		s := harness.Start(t, "network-driver "+driver)
		out := run(t, s, "", "redis-benchmark", "-q", "-n", "5000", "-c", "20", "-P", "8", "-r", "1000", "-t", "ping,set,get,incr,sadd,hset,spop,mset")
		for _, test := range []string{"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "SADD", "HSET", "SPOP", "MSET (10 keys)"} {
			if !strings.Contains(out, test+": ") {
				t.Errorf("no figure for %s:\n%s", test, out)
			}
		}
		if low := strings.ToLower(out); strings.Contains(low, "error") || strings.Contains(low, "warning") {
			t.Errorf("redis-benchmark complains:\n%s", out)
		}
	})
}
