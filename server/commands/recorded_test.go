package commands

import (
	"bufio"
	"bytes"
	stdflag "flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// record names a real server to take the expected replies from:
//
//	redis-server --port 7777 --save "" &
//	go test ./server/commands -run Recorded -record 127.0.0.1:7777
var record = stdflag.String("record", "", "address of a redis-server (its data is deleted) to record testdata from")

// TestRecorded runs the scripts in testdata. A line that begins at the margin is
// a request; the indented line after it is the reply, as a real redis-server
// gave it. Each file begins with an empty store.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *record != "" {
				recordScript(t, file, string(script))
				return
			}
			runScript(t, newTestClient(t), string(script))
		})
	}
}

func runScript(t *testing.T, c *testClient, script string) {
	var request string
	for n, line := range strings.Split(script, "\n") {
		switch {
		case line == "" || line[0] == '#':
		case line[0] != ' ':
			request = line
		default:
			if got := c.do(splitWords(t, request)...); got != line[2:] {
				t.Errorf("line %d: %s\n got %s\nwant %s", n, request, got, line[2:])
			}
		}
	}
}

func recordScript(t *testing.T, file, script string) {
	conn, err := net.Dial("tcp", *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	replies := bufio.NewReader(conn)
	ask := func(words ...string) string {
		if _, err := conn.Write(encode(words)); err != nil {
			t.Fatal(err)
		}
		reply, err := readReply(replies)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	ask("FLUSHALL")
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line != "" && line[0] != '#' {
			fmt.Fprintln(&out, "  "+ask(splitWords(t, line)...))
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// splitWords cuts a request at blanks; a word in double quotes is a Go string.
func splitWords(t *testing.T, line string) (words []string) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		words, line = append(words, word), line[len(quoted):]
	}
	return words
}

func encode(words []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.Bytes()
}

// readReply reads one reply and writes it on one line: +status, -error, :1,
// "bulk", nil, [elements], and %[...] and so on for the types of RESP3.
func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSuffix(line[1:], "\r\n")
	switch kind {
	case '$', '=':
		return readBulk(r, rest)
	case '*', '%', '~', '>':
		return readAggregate(r, kind, rest)
	case '_':
		return "nil", nil
	}
	return string(kind) + rest, nil
}

func readBulk(r *bufio.Reader, size string) (string, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return "", err
	}
	if n < 0 {
		return "nil", nil
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	return strconv.Quote(string(b[:n])), nil
}

func readAggregate(r *bufio.Reader, kind byte, size string) (string, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return "", err
	}
	if n < 0 {
		return "nil", nil
	}
	prefix := ""
	if kind != '*' {
		prefix = string(kind)
	}
	if kind == '%' {
		n *= 2
	}
	elements := make([]string, n)
	for i := range elements {
		if elements[i], err = readReply(r); err != nil {
			return "", err
		}
	}
	return prefix + "[" + strings.Join(elements, " ") + "]", nil
}
