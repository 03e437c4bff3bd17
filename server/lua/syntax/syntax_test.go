package syntax

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// redis is where a redis-server listens: with it the recorded errors are asked for afresh.
var redis = flag.String("redis", "", "record testdata/errors.txt from the redis-server at this address")

const recorded = "testdata/errors.txt"

// TestErrors compares the error of each recorded source with that of Lua 5.1 in redis-server 7.0.15.
// A line is a source and its error, both quoted as in Go; no error is "".
func TestErrors(t *testing.T) {
	file, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	var again strings.Builder
	cases := 0
	for line := range strings.Lines(string(file)) {
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			again.WriteString(line)
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		source := must(strconv.Unquote(quoted))
		want, _ := strconv.Unquote(strings.TrimSpace(line[len(quoted):]))
		if *redis != "" {
			want = askRedis(t, source)
		}
		fmt.Fprintf(&again, "%s %q\n", quoted, want)
		cases++
		if got := oneLine(errorOf(source)); got != want {
			t.Errorf("%s\n got %q\nwant %q", quoted, got, want)
		}
	}
	if cases < 150 {
		t.Errorf("%d cases", cases)
	}
	if *redis != "" {
		if err := os.WriteFile(recorded, []byte(again.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func errorOf(source string) string {
	_, err := Parse(source, "@user_script")
	if err != nil {
		return err.Error()
	}
	return ""
}

// oneLine is what a Redis error makes of a text.
func oneLine(text string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(text) }

// askRedis loads a script and returns its error.
func askRedis(t *testing.T, source string) string {
	t.Helper()
	text, bad := strings.CutPrefix(ask(t, "SCRIPT", "LOAD", source), "-")
	if !bad {
		return ""
	}
	return strings.TrimPrefix(text, "ERR Error compiling script (new function): ")
}

// ask returns the first line of a reply.
func ask(t *testing.T, args ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", *redis)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(arg), arg)
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(reply, "\r\n")
}
