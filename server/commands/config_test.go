package commands

import (
	"strings"
	"testing"
)

func TestConfigCommands(t *testing.T) {
	c := newTestClient(t)
	for _, test := range []struct{ request, want string }{
		{"CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n10\r\n"},
		{"config get nosuch", "*0\r\n"},
		{"CONFIG GET HZ h?", "*2\r\n$2\r\nHZ\r\n$2\r\n10\r\n"},
		{"CONFIG GET hash-max-listpack-[ev]* hz", "*6\r\n$25\r\nhash-max-listpack-entries\r\n$3\r\n512\r\n" +
			"$23\r\nhash-max-listpack-value\r\n$2\r\n64\r\n$2\r\nhz\r\n$2\r\n10\r\n"},
		{"CONFIG SET hz 20 maxmemory 1mb", "+OK\r\n"},
		{"CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n"},
		{"CONFIG SET hz 30 maxmemory x", "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value\r\n"},
		{"CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n20\r\n"},
		{"CONFIG SET hz 30 maxmemory", "-ERR syntax error\r\n"},
		{"CONFIG SET nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n"},
		{"CONFIG SET databases 1", "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config\r\n"},
		{"CONFIG SET hz", "-ERR wrong number of arguments for 'config|set' command\r\n"},
		{"CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"},
		{"CONFIG", "-ERR wrong number of arguments for 'config' command\r\n"},
		{"CONFIG nope", "-ERR unknown subcommand 'nope'. Try CONFIG HELP.\r\n"},
		{"CONFIG REWRITE", "-ERR The server is running without a config file\r\n"},
		{"CONFIG REWRITE now", "-ERR wrong number of arguments for 'config|rewrite' command\r\n"},
		{"CONFIG RESETSTAT", "+OK\r\n"},
	} {
		if got := string(c.send([]byte(test.request + "\r\n"))); got != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.request, got, test.want)
		}
	}
	if got := string(c.send([]byte("CONFIG HELP\r\n"))); !strings.HasPrefix(got, "*11\r\n+CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+GET <pattern>\r\n") {
		t.Errorf("CONFIG HELP: %q", got)
	}
	if got := string(c.send([]byte("HELLO 3\r\nCONFIG GET hz\r\n"))); !strings.HasSuffix(got, "%1\r\n$2\r\nhz\r\n$2\r\n20\r\n") {
		t.Errorf("CONFIG GET over RESP3: %q", got)
	}
}

// TestResetstatForgetsErrors: so INFO begins again, like every other counter.
func TestResetstatForgetsErrors(t *testing.T) {
	c := newTestClient(t)
	c.send([]byte("NOSUCH\r\n"))
	if n := c.kernel.Errors.Total(); n != 1 {
		t.Fatalf("%d errors were counted", n)
	}
	c.send([]byte("CONFIG RESETSTAT\r\n"))
	if n := c.kernel.Errors.Total(); n != 0 {
		t.Errorf("%d errors are left", n)
	}
}
