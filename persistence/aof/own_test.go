package aof

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/larderkv/larder/persistence/journal"
)

// ownLog is a log with commands that only larder knows, on one line and on several, in a transaction
// and outside.
func ownLog() (log []byte, want []string) {
	long := strings.Repeat("long ", 1000)
	set := func(b []byte, v string) []byte {
		return journal.AppendCommand(b, []byte("SET"), []byte("k"), []byte(v))
	}
	own := func(b []byte, args ...string) []byte {
		var words [][]byte
		for _, a := range args {
			words = append(words, []byte(a))
		}
		return journal.AppendOwn(b, words...)
	}
	log = set(log, "1")
	log = own(log, "CACHE.TAG", "k", "a", "\x00\r\n\xff")
	log = own(log, "CACHE.TAG", "k", long)
	log = append(log, command("MULTI")...)
	log = own(set(log, "2"), "CACHE.TAG", "k", long, "")
	log = append(log, command("EXEC")...)
	log = set(log, "3")
	return log, []string{"SET k 1", "CACHE.TAG k a \x00\r\n\xff", "CACHE.TAG k " + long, "SET k 2", "CACHE.TAG k " + long + " ", "SET k 3"}
}

// isText reports whether there are printable ASCII characters alone.
func isText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func readOwn(b []byte) (got []string, res ReadResult, err error) {
	res, err = ReadCommands(bytes.NewReader(b), int64(len(b)), ReadOptions{}, func(batch []Command) error {
		for _, c := range batch {
			got = append(got, string(bytes.Join(c.Args, []byte(" "))))
		}
		return nil
	})
	return got, res, err
}

// TestOwnCommands: they are read back in their place among the others, each line is one that Redis
// passes over, and what is cut off is a torn end.
func TestOwnCommands(t *testing.T) {
	log, want := ownLog()
	got, res, err := readOwn(log)
	if err != nil || res.Truncated || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("%v, %+v\n%q\nwant\n%q", err, res, got, want)
	}
	for line := range strings.Lines(string(log)) {
		if strings.HasPrefix(line, "#") && (len(line) >= maxAnnotation || !isText(strings.TrimSuffix(line, "\r\n"))) {
			t.Errorf("a line of %d bytes: %.40q", len(line), line)
		}
	}
	for n := range len(log) {
		got, res, err := readOwn(log[:n])
		if err != nil || res.Valid > int64(n) || strings.Join(got, "|") != strings.Join(want[:len(got)], "|") {
			t.Fatalf("cut at %d: %v, %+v, %q", n, err, res, got)
		}
		again, _, err := readOwn(log[:res.Valid])
		if err != nil || len(again) != len(got) {
			t.Fatalf("cut at %d: of %d commands %d stand before %d: %v", n, len(got), len(again), res.Valid, err)
		}
	}
}

// TestDamagedMarks: a byte of the mark in front of a command of larder's own that has changed is an error that
// says where; annotations of others, and of versions to come, are passed over.
func TestDamagedMarks(t *testing.T) {
	log, want := ownLog()
	for at := range log {
		if line := log[at:]; !bytes.HasPrefix(line, []byte("#larder")) {
			continue
		}
		for i := range len(journal.OwnEnd) {
			for bit := range 8 {
				damaged := bytes.Clone(log)
				damaged[at+i] ^= 1 << bit
				got, _, err := readOwn(damaged)
				var bad *CorruptError
				if !errors.As(err, &bad) || bad.Offset < int64(at) || strings.Join(got, "|") != strings.Join(want[:len(got)], "|") {
					t.Fatalf("byte %d of the mark at %d is %q: %v, read %d", i, at, damaged[at+i], err, len(got))
				}
			}
		}
	}
	payload := string(journal.AppendOwn(nil, []byte("CACHE.TAG"), []byte("k"), []byte("t"))[len(journal.OwnEnd):])
	for _, line := range []string{"#TS:1700000000\r\n", "#\r\n", "#larder\r\n", "#larder2:" + payload, "#others:" + payload, "#larden: of wood\r\n"} {
		got, res, err := readOwn([]byte(command("SET", "k", "1") + line + command("SET", "k", "2")))
		if err != nil || res.Truncated || len(got) != 2 {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

// TestMalformedOwnCommands: what no server writes is an error that says where, and runs nothing.
func TestMalformedOwnCommands(t *testing.T) {
	part := string(journal.AppendOwn(nil, []byte("CACHE.TAG"), bytes.Repeat([]byte("x"), 2000)))
	for name, log := range map[string]string{
		"no base64":           "#larder:%%%\r\n",
		"nothing":             "#larder:\r\n",
		"no command":          "#larder:AAAA\r\n",
		"a command between":   part[:strings.Index(part, "\n")+1] + command("SET", "a", "b"),
		"another annotation":  part[:strings.Index(part, "\n")+1] + "#TS:1\r\n",
		"an array too long":   "#larder:KjINCiQxDQphDQo=\r\n", // *2 with one element
		"something behind it": "#larder:KjENCiQxDQphDQp4\r\n", // x behind it
	} {
		got, _, err := readOwn([]byte(command("SET", "k", "1") + log + command("SET", "k", "2")))
		var bad *CorruptError
		if !errors.As(err, &bad) || len(got) != 1 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
