package warm

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
)

// log is a log that begins with a snapshot of two keys. Its commands change one of them, and write into
// another database.
func log(t *testing.T, s *harness.Server) (content string, snapshot int) {
	t.Helper()
	c := s.Dial(t)
	c.MustOK("SET", "n", "1")
	c.MustOK("SET", "gone", "x")
	base := export(t, s, warm.RDB, "", -1)
	c.MustOK("FLUSHALL")
	var b strings.Builder
	for _, line := range []string{"INCR n", "DEL gone", "SELECT 3", "MULTI", "SET a 1", "APPEND a 2", "EXEC", "RPUSH l x"} {
		args := strings.Fields(line)
		b.WriteString("*" + strconv.Itoa(len(args)) + "\r\n")
		for _, a := range args {
			b.WriteString("$" + strconv.Itoa(len(a)) + "\r\n" + a + "\r\n")
		}
	}
	return base + "#TS:1700000000\r\n" + b.String(), len(base)
}

// TestCommandsBehindASnapshot: they are sent when all of the snapshot is in, from a file and from a pipe.
func TestCommandsBehindASnapshot(t *testing.T) {
	eachKind(t, func(t *testing.T, s *harness.Server) {
		content, _ := log(t, s)
		for _, from := range []string{file(t, "appendonly.aof", content), "-"} {
			c := s.Dial(t)
			c.MustOK("FLUSHALL")
			o := options(s.Addr, from)
			o.Stdin = strings.NewReader(content)
			r := mustWarm(t, o)
			if !r.Commands || r.Stored != 6 || r.Offset != int64(len(content)) {
				t.Errorf("%s: %+v", from, r)
			}
			for _, tt := range [][]string{{"2", "GET", "n"}, {"0", "EXISTS", "gone"}, {"OK", "SELECT", "3"}, {"12", "GET", "a"}, {"1", "LLEN", "l"}, {"2", "DBSIZE"}} {
				if got := c.Do(tt[1:]...).Text; got != tt[0] {
					t.Errorf("%s: %s is %q, want %q", from, tt[1:], got, tt[0])
				}
			}
		}
	})
}

// TestCommandsBehindASnapshotAreNotChanged: options for keys end the run with an error where commands
// begin, and so does what is no command.
func TestCommandsBehindASnapshotAreNotChanged(t *testing.T) {
	s := harness.Start(t)
	content, end := log(t, s)
	for _, tt := range []struct {
		content string
		change  func(*warm.Options)
		want    string
	}{
		{content, func(o *warm.Options) { o.OnlyMissing = true }, "commands follow it, which are sent as they are"},
		{content, func(o *warm.Options) { o.TTL = time.Hour }, "--ttl, --ttl-jitter, --prefix, --only-missing are for the other formats"},
		{content[:end] + "SET a 1\r\n", func(*warm.Options) {}, "the snapshot ends at offset " + strconv.Itoa(end) + ", and what follows are no commands"},
		{content[:len(content)-4], func(*warm.Options) {}, "the file ends within a command"},
	} {
		o := options(s.Addr, file(t, "appendonly.aof", tt.content))
		tt.change(&o)
		r, err := warm.Run(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), tt.want) || r.Offset < int64(end) || r.Stored < 2 {
			t.Errorf("%v, %+v; want %q", err, r, tt.want)
		}
	}
}

// TestGoOnBehindASnapshot: a run goes on between two commands, with the database that was selected.
func TestGoOnBehindASnapshot(t *testing.T) {
	s := harness.Start(t)
	content, _ := log(t, s)
	cut := strings.LastIndex(content, "*3")
	path := file(t, "appendonly.aof", content[:cut]+"*3\r\n")
	o := options(s.Addr, path)
	first, err := warm.Run(t.Context(), o)
	if err == nil || first.Offset != int64(cut) || first.DB != 3 {
		t.Fatalf("%v, %+v", err, first)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Offset, o.Target.DB = first.Offset, first.DB
	if r := mustWarm(t, o); r.Stored != 1 || r.Resumed != int64(cut) {
		t.Errorf("%+v", r)
	}
	c := s.Dial(t)
	c.MustOK("SELECT", "3")
	if got := c.Do("LLEN", "l").Text; got != "1" {
		t.Error("elements of the list in database 3:", got)
	}
	if got := c.Do("GET", "a").Text; got != "12" {
		t.Errorf("a is %q", got)
	}
}
