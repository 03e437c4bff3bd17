package warm

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
)

// TestBrokenRecordsAreCounted: what is good between them goes in.
func TestBrokenRecordsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		in             string
		stored, failed int64
		listed         []string
	}{
		"x.ndjson": {
			in: `{"key":"a","value":"1"}` + "\n" + `{"key":"b"` + "\n\n" + `{"key":"c","type":"stream","value":[]}` +
				"\n" +
				`{"key":"d","type":"list","value":"x"}` + "\n" + `{"key":"e","type":"set","value":[]}` + "\n" +
				"\xff\n" +
				`{"key":"f","value":"` + strings.Repeat("x", 1<<20) + `"}` + "\n" + strings.Repeat("[", 1<<20) + "\n" +
				`{"key":"g","value":2}`,
			stored: 3, failed: 6,
			listed: []string{"line 2", `the type "stream" is none of`, "line 5", "the collection is empty",
				"not UTF-8"},
		},
		"x.csv": {
			in:     "key,value,ttl\na,1\nb\nc,1,x\nd,\"1\"2\n\ne,2,0.5\r\nf,1,-1\n\"g,open\n",
			stored: 2, failed: 5,
			listed: []string{"there is no value", "line 4", "line 5", "a quote is not closed"},
		},
		"x.resp": {
			in: harness.Encode("SET", "a", "1") + harness.Encode("RPUSH", "a", "x") + harness.Encode("NOSUCH") +
				harness.Encode("SUBSCRIBE", "x") +
				harness.Encode("MULTI") + harness.Encode("NOSUCH") + harness.Encode("EXEC") +
				harness.Encode("SELECT", "99999999") + harness.Encode("SET", "b", "1") +
				harness.Encode("SELECT", "0") + "#TS:17\r\n" + "set b '2'\r\n" + harness.Encode("GET", "a"),
			stored: 3, failed: 5,
			listed: []string{"WRONGTYPE", "unknown command", "SUBSCRIBE is no command", "DB index is out of range"},
		},
	} {
		eachKind(t, func(t *testing.T, s *harness.Server) {
			r, err := warm.Run(t.Context(), options(s.Addr, file(t, name, c.in)))
			if err != nil || r.Stored != c.stored || r.Failed != c.failed || r.Offset != int64(len(c.in)) {
				t.Errorf("%s: %+v up to %d, %v\n%s", name, r.Counts, r.Offset, err, listed(&r))
			}
			for _, want := range c.listed {
				if !strings.Contains(listed(&r), want) {
					t.Errorf("%s: %q is not listed in\n%s", name, want, listed(&r))
				}
			}
		})
	}
}

// TestBrokenFilesEnd: files whose next record cannot be found, after what stands in front of that.
func TestBrokenFilesEnd(t *testing.T) {
	s := harness.Start(t)
	s.Dial(t).MustOK("SET", "a", "1")
	snapshot := export(t, s, warm.RDB, "", -1)
	for want, in := range map[string]string{
		"ends within a command": harness.Encode("SET", "a", "1") +
			"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100\r\nxx",
		"malformed number of arguments": harness.Encode("SET", "a", "1") + "*-5\r\n",
		"malformed length":              harness.Encode("SET", "a", "1") + "*1\r\n$999999999999\r\n",
		"longer than it says":           harness.Encode("SET", "a", "1") + "*1\r\n$1\r\nxyz\r\n",
		"ends within a transaction": harness.Encode("SET", "a", "1") + harness.Encode("MULTI") +
			harness.Encode("SET", "a", "1"),
		"unexpected end of file":            snapshot[:len(snapshot)-9],
		"wrong checksum":                    snapshot[:len(snapshot)-1] + "\x00",
		"Can't handle RDB format version 9": "REDIS9999" + snapshot[9:],
	} {
		r, err := warm.Run(t.Context(), options(s.Addr, file(t, "x", in)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if !strings.HasPrefix(in, "REDIS9999") && r.Stored != 1 {
			t.Errorf("%s: %+v", want, r.Counts)
		}
	}
}

// TestOutOfMemoryAndRights: refusals are counted by what they say, and end.
func TestOutOfMemoryAndRights(t *testing.T) {
	var in strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&in, `{"key":"k%d","value":"%0512d"}`+"\n", i, i)
	}
	name := file(t, "x.ndjson", in.String())
	eachKind(t, func(t *testing.T, s *harness.Server) {
		c := s.Dial(t)
		c.MustOK("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+select", "+ping")
		o := options(s.Addr, name)
		o.Target.User, o.Target.Password = "reader", "secret"
		r, err := warm.Run(t.Context(), o)
		if err != nil || r.Failed != 5000 || strings.Count(listed(&r), "\n") > 2 ||
			!strings.Contains(listed(&r), "NOPERM") {
			t.Errorf("%+v, %v\n%s", r.Counts, err, listed(&r))
		}
		c.MustOK("CONFIG", "SET", "maxmemory", "1")
		if r, err = warm.Run(t.Context(), options(s.Addr, name)); err != nil || r.Failed != 5000 ||
			!strings.Contains(listed(&r), "OOM") {
			t.Errorf("%+v, %v\n%s", r.Counts, err, listed(&r))
		}
		o.Target.Password = "wrong"
		if _, err := warm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "WRONGPASS") ||
			strings.Contains(err.Error(), "wrong\"") {
			t.Error(err)
		}
		c.MustOK("CONFIG", "SET", "maxmemory", "0")
		c.MustOK("SET", "k", "v")
		c.MustOK("ACL", "SETUSER", "reader", "-dump")
		var out strings.Builder
		e := warm.ExportOptions{Target: client.Target{Addr: s.Addr, User: "reader", Password: "secret"},
			Timeout: harness.Patience}
		if r, err := warm.Export(t.Context(), &out, e); err != nil || r.Failed == 0 ||
			!strings.Contains(listed(&r), "NOPERM") {
			t.Errorf("%+v, %v", r.Counts, err)
		}
	})
}

// TestALongValueIsOneError: a server that closes the connection because of a record does not get it
// again and again.
func TestALongValueIsOneError(t *testing.T) {
	in := "a,1\nb," + strings.Repeat("x", 2<<20) + "\nc,3\n"
	eachKind(t, func(t *testing.T, s *harness.Server) {
		c := s.Dial(t)
		c.MustOK("CONFIG", "SET", "proto-max-bulk-len", "1048576")
		o := options(s.Addr, file(t, "x.csv", in))
		o.Concurrency = 1
		r, err := warm.Run(t.Context(), o)
		if err != nil || r.Failed != 1 || r.Stored != 2 || c.Do("GET", "c").Text != "3" {
			t.Errorf("%+v, %v\n%s", r.Counts, err, listed(&r))
		}
	})
}

// TestServersThatAreNone: who answers nonsense, and who does not answer, end the run.
func TestServersThatAreNone(t *testing.T) {
	for want, serve := range map[string]func(c net.Conn){
		"not Redis' protocol":   func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"closed the connection": func(c net.Conn) { _ = c.Close() },
		"does not answer":       func(net.Conn) {},
		"not for good":          func(c net.Conn) { _, _ = io.WriteString(c, "-LOADING not for good\r\n") },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					serve(c)
					_, _ = io.Copy(io.Discard, c)
					_ = c.Close()
				}()
			}
		}()
		o := options(l.Addr().String(), file(t, "x.csv", "a,1\n"))
		o.Wait, o.Timeout = 100*time.Millisecond, harness.Patience
		if want == "does not answer" {
			o.Timeout = 100 * time.Millisecond
		}
		if _, err := warm.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := warm.Export(t.Context(), io.Discard,
			warm.ExportOptions{Target: o.Target, Timeout: o.Timeout}); err == nil {
			t.Errorf("%s: exported", want)
		}
		_ = l.Close()
		<-done
	}
}

// TestAPipeThatNobodyFillsCanBeInterrupted: what had come is in by then.
func TestAPipeThatNobodyFillsCanBeInterrupted(t *testing.T) {
	s := harness.Start(t)
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	o := options(s.Addr, "-")
	o.Stdin, o.Format = r, warm.CSV
	done := make(chan error, 1)
	go func() {
		_, err := warm.Run(ctx, o)
		done <- err
	}()
	if _, err := io.WriteString(w, "a,1\nb,2\n"); err != nil {
		t.Fatal(err)
	}
	c := s.Dial(t)
	harness.Eventually(t, harness.Patience, "what has come is in", func() bool { return c.Do("DBSIZE").Text == "2" })
	cancel()
	if err := <-done; !canceled(err) {
		t.Error(err)
	}
}
