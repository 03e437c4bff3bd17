package migrate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// strange is a server that answers requests as a test says, and remembers them without their
// payloads.
type strange struct {
	ln     net.Listener
	answer func(request []string) (reply string, open bool)

	mu       sync.Mutex
	requests []string
}

func newStrange(t *testing.T, answer func(request []string) (reply string, open bool)) *strange {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &strange{ln: ln, answer: answer}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return s
}

func (s *strange) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for r := bufio.NewReader(c); ; {
		request, err := harness.ReadReply(r)
		if err != nil {
			return
		}
		words := request.Strings()
		shown := slices.Clone(words)
		if words[0] == "RESTORE" {
			shown[3] = "payload"
		}
		s.mu.Lock()
		s.requests = append(s.requests, strings.Join(shown, " "))
		s.mu.Unlock()
		reply, open := s.answer(words)
		if _, err := io.WriteString(c, reply); err != nil || !open {
			return
		}
	}
}

// heard are the requests so far.
func (s *strange) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *strange) request(args ...string) []string {
	return request(&harness.Server{Addr: s.ln.Addr().String()}, args...)
}

func ok([]string) (string, bool) { return "+OK\r\n", true }

// TestBrokenTargets: whatever the other server does, the key stays unless it has said OK.
func TestBrokenTargets(t *testing.T) {
	const reading = "-IOERR error or timeout reading to target instance\r\n"
	on := func(command, reply string, open bool) func([]string) (string, bool) {
		return func(request []string) (string, bool) {
			if request[0] == command {
				return reply, open
			}
			return ok(request)
		}
	}
	for name, test := range map[string]struct {
		answer func([]string) (string, bool)
		want   string
		stays  bool
	}{
		"never answers":          {on("SELECT", "", true), reading, true},
		"hangs up":               {on("SELECT", "", false), reading, true},
		"no word of the key":     {on("RESTORE", "", true), reading, true},
		"hangs up with the key":  {on("RESTORE", "", false), reading, true},
		"a line without an end":  {on("RESTORE", "+"+strings.Repeat("x", 5000), true), reading, true},
		"half a reply":           {on("RESTORE", "+OK", false), reading, true},
		"refuses":                {on("RESTORE", "-ERR no\r\n", true), "-ERR Target instance replied with error: ERR no\r\n", true},
		"refuses and hangs up":   {on("RESTORE", "-ERR no\r\n", false), "-ERR Target instance replied with error: ERR no\r\n", true},
		"takes it and hangs up":  {on("RESTORE", "+OK\r\n", false), "+OK\r\n", false},
		"no such database":       {on("SELECT", "-ERR DB index is out of range\r\n", true), "-ERR Target instance replied with error: ERR DB index is out of range\r\n", true},
		"an unexpected OK reply": {on("RESTORE", "+FINE\r\n", true), "+OK\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStrange(t, test.answer)
			c := harness.Start(t).Dial(t)
			c.MustOK("SET", "k", "v")
			if r := c.Do(s.request("k", "0", "200")...); r.Raw != test.want {
				t.Errorf("the reply is %v, want %q", r, test.want)
			}
			if r := c.Do("EXISTS", "k"); (r.Raw == ":1\r\n") != test.stays {
				t.Errorf("EXISTS k: %v", r)
			}
		})
	}
}

// TestNobodyElseWaits: while the other server thinks, others are served, by the same loop and with
// the same key.
func TestNobodyElseWaits(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		thinking, goOn := make(chan struct{}), make(chan struct{})
		first := true
		s := newStrange(t, func(request []string) (string, bool) {
			if request[0] == "RESTORE" && first {
				first = false
				close(thinking)
				<-goOn
			}
			return ok(request)
		})
		from := harness.Start(t, "network-driver "+driver)
		a, b := from.Dial(t), from.Dial(t)
		a.MustOK("SET", "k", "1")
		a.MustOK("SET", "gone", "1")
		a.MustOK("SET", "still", "1")
		a.Send(s.request("", "3", "10000", "KEYS", "k", "gone", "still")...)
		<-thinking
		if r := b.Do("INCR", "k"); r.Raw != ":2\r\n" {
			t.Errorf("INCR: %v", r)
		}
		if r := b.Do("DEL", "gone"); r.Raw != ":1\r\n" {
			t.Errorf("DEL: %v", r)
		}
		close(goOn)
		if r := a.Read(); r.Raw != "+OK\r\n" {
			t.Errorf("MIGRATE: %v", r)
		}
		want := []string{"SELECT 3", "RESTORE k 0 payload", "RESTORE gone 0 payload", "RESTORE still 0 payload",
			"RESTORE k 0 payload REPLACE", "DEL gone"}
		if got := s.heard(); !slices.Equal(got, want) {
			t.Errorf("the other server heard\n%q, want\n%q", got, want)
		}
		if r := b.Do("KEYS", "*"); len(r.Elems) != 0 {
			t.Errorf("here are still %v", r)
		}
	})
}

// TestNeverAtRest: a key that changes whenever it has been sent stays, and the client is told.
func TestNeverAtRest(t *testing.T) {
	from := harness.Start(t)
	writer := from.Dial(t)
	var failed error
	s := newStrange(t, func(request []string) (string, bool) {
		if request[0] == "RESTORE" {
			if r, err := do(writer, "INCR", "k"); err != nil || r.Kind != ':' {
				failed = fmt.Errorf("INCR: %v %w", r, err)
			}
		}
		return ok(request)
	})
	c := from.Dial(t)
	c.MustOK("SET", "k", "0")
	if r := c.Do(s.request("k", "0", "10000")...); !strings.HasPrefix(r.Raw, "-ERR Keys kept changing while they were migrated: they are still here") {
		t.Errorf("MIGRATE: %v", r)
	}
	if failed != nil {
		t.Error(failed)
	}
	if sent := len(s.heard()) - 1; c.Do("GET", "k").Text != fmt.Sprint(sent) {
		t.Errorf("after %d changes the key is %v", sent, c.Do("GET", "k"))
	}
}

// TestClientGoes: what the other server has taken over leaves, whether or not somebody waits for
// the reply.
func TestClientGoes(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		thinking, goOn := make(chan struct{}), make(chan struct{})
		s := newStrange(t, func(request []string) (string, bool) {
			if request[0] == "RESTORE" {
				close(thinking)
				<-goOn
			}
			return ok(request)
		})
		from := harness.Start(t, "network-driver "+driver)
		a, b := from.Dial(t), from.Dial(t)
		a.MustOK("SET", "k", "v")
		a.Send(s.request("k", "0", "10000")...)
		<-thinking
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, harness.Patience, "the client is gone", func() bool {
			return strings.Count(b.Do("CLIENT", "LIST").Text, "\n") == 1
		})
		close(goOn)
		harness.Eventually(t, harness.Patience, "the key is gone", func() bool { return b.Do("EXISTS", "k").Raw == ":0\r\n" })
	})
}

// TestStopMeanwhile: a server that stops does not wait for another one's answer. harness.Start
// fails the test if Close hangs.
func TestStopMeanwhile(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		thinking := make(chan struct{})
		s := newStrange(t, func(request []string) (string, bool) {
			if request[0] == "RESTORE" {
				close(thinking)
				return "", true
			}
			return ok(request)
		})
		c := harness.Start(t, "network-driver "+driver).Dial(t)
		c.MustOK("SET", "k", "v")
		c.Send(s.request("k", "0", "3600000")...)
		<-thinking
	})
}
