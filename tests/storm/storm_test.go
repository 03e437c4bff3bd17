package storm

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

const (
	clients = 24 // that storm at the same time

	// The server's limits, and what it may take beside them: the program, its tables, what scripts have
	// together, four times lua-memory-limit, and what the garbage collector has not come to yet.
	limits   = 100 << 20
	mayTake  = limits + 300<<20
	leastRun = 200 // sessions, or the storm was none: a slow machine takes longer for it

	settles = harness.Patience // until the server is what it was
)

// lasts is how long the storm goes on.
func lasts(t *testing.T) time.Duration {
	t.Helper()
	if soak := randtest.Soak(t); soak > 0 {
		return soak
	}
	return 15 * time.Second
}

// storm is the clients that misbehave.
type storm struct {
	addr     string
	commands []command
	stop     chan struct{}
	sessions atomic.Int64
	bytes    atomic.Int64 // of replies
}

// TestStorm is described above the package.
func TestStorm(t *testing.T) {
	harness.EachDriver(t, oneStorm)
}

func oneStorm(t *testing.T, driver string) {
	s := harness.StartBinary(t, "network-driver "+driver, "io-threads 2", "maxmemory "+strconv.Itoa(limits),
		"maxmemory-policy allkeys-lru", "maxmemory-clients 25%", "lua-memory-limit 16mb", "busy-reply-threshold 200",
		"client-output-buffer-limit normal 32mb 0 0")
	seed := randtest.Seed(t)
	before := s.OpenFiles(t)
	st := &storm{addr: s.Addr, commands: commands(t, s), stop: make(chan struct{})}
	stop := sync.OnceFunc(func() { close(st.stop) })
	makeUsers(t, s)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { st.client(rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	wg.Go(func() { st.endScripts() })
	t.Cleanup(func() { stop(); wg.Wait() })
	st.behave(t, s, time.Now().Add(lasts(t)/time.Duration(len(harness.Drivers))))
	stop()
	wg.Wait()
	t.Logf("%d sessions of %d commands, %d MB of replies", st.sessions.Load(), len(st.commands), st.bytes.Load()>>20)
	settled(t, s, before)
}

// users have different rights, and are what the storm's sessions begin as.
var users = map[string][]string{
	"reader": {"on", "nopass", "~k1*", "&*", "+@read", "+@connection"},
	"writer": {"on", "nopass", "~k*", "+@all", "-@admin", "-@dangerous"},
	"narrow": {"on", "nopass", "%R~k*", "%W~k2?", "(+set ~k3 &c*)", "(+@scripting ~k*)", "+get", "+mget",
		"+acl|whoami"},
	"nobody": {"on", "nopass"},
}

func makeUsers(t *testing.T, s *harness.Server) {
	t.Helper()
	c := s.Dial(t)
	defer func() { _ = c.Close() }() // all has been read
	for name, rules := range users {
		c.MustOK(append([]string{"ACL", "SETUSER", name}, rules...)...)
	}
}

// behave is the client that behaves: what it writes inside EXEC it reads there, in the order in
// which it asked, whatever others do. It may be told that a script holds its keys up, or that there
// is no memory.
func (st *storm) behave(t *testing.T, s *harness.Server, until time.Time) {
	t.Helper()
	c := s.DialRESP(t, 3)
	defer func() { _ = c.Close() }() // all has been read
	answered := 0
	for n := 0; time.Now().Before(until) || st.sessions.Load() < leastRun || answered == 0; n++ {
		word := "w" + strconv.Itoa(n)
		for _, request := range [][]string{{"MULTI"}, {"SET", "good", word}, {"APPEND", "good", "!"}, {"GET", "good"}} {
			c.Send(request...)
		}
		c.Send("EXEC")
		var r harness.Reply
		refused := false
		for range 5 {
			// Others may have what they track told to any connection whose number they guess.
			for r = c.Read(); r.Kind == '>'; r = c.Read() {
			}
			refused = refused || strings.HasPrefix(r.Text, "BUSY") || strings.HasPrefix(r.Text, "OOM")
		}
		switch {
		case refused && r.IsError():
		case len(r.Elems) == 3 && r.Elems[2].Text == word+"!":
			answered++
		default:
			t.Fatalf("EXEC: %v", r)
		}
		if rss := s.RSS(t); rss > mayTake {
			t.Fatalf("%d MB resident", rss>>20)
		}
	}
}

// client connects again and again.
func (st *storm) client(rnd *rand.Rand) {
	p := &poet{rnd: rnd, commands: st.commands}
	for {
		select {
		case <-st.stop:
			return
		default:
			st.session(p)
		}
	}
}

// session is one connection: requests in pieces of any size, replies read by another goroutine or
// not, and an end of one of several kinds.
func (st *storm) session(p *poet) {
	conn, err := net.DialTimeout("tcp", st.addr, settles)
	if err != nil {
		return // the server's death shows elsewhere
	}
	defer st.sessions.Add(1)
	read := make(chan struct{})
	reads := p.rnd.IntN(8) > 0
	go func() {
		defer close(read)
		if reads {
			n, _ := io.Copy(io.Discard, conn) // it ends when the connection does
			st.bytes.Add(n)
		}
	}()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second)) // who blocks is let go
	var b strings.Builder
	if p.rnd.IntN(3) == 0 {
		b.WriteString(harness.Encode("HELLO", "3"))
	}
	user := p.one("default", "default", "reader", "writer", "narrow", "nobody", "unknown")
	b.WriteString(harness.Encode("AUTH", user, "x"))
	for range 1 + p.rnd.IntN(120) {
		b.WriteString(harness.Encode(p.request()...))
	}
	if p.rnd.IntN(4) == 0 {
		b.WriteString(p.one(broken...))
	}
	for text := b.String(); text != ""; {
		n := min(len(text), 1+p.rnd.IntN(20_000))
		if _, err := io.WriteString(conn, text[:n]); err != nil {
			break // closed by the server, or paused until the deadline
		}
		text = text[n:]
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reads && p.rnd.IntN(3) > 0 {
		_ = tcp.CloseWrite() // all replies are due, but for those of who waits
		_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
		<-read
	}
	_ = conn.Close()
	<-read
}

// endScripts ends scripts that would not end, as an operator would.
func (st *storm) endScripts() {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		kill(st.addr)
		select {
		case <-st.stop:
			return
		case <-tick.C:
		}
	}
}

// kill ends those that run.
func kill(addr string) {
	conn, err := net.DialTimeout("tcp", addr, settles)
	if err != nil {
		return // likewise
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(settles))
	_, _ = io.WriteString(conn, "SCRIPT KILL\r\nFUNCTION KILL\r\nQUIT\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

// goroutines ends the server by SIGQUIT, which has the runtime print all of them.
func goroutines(t *testing.T, s *harness.Server) string {
	t.Helper()
	s.Signal(t, syscall.SIGQUIT)
	_ = s.Wait(t, settles)
	_, dump, _ := strings.Cut(s.Log(), "SIGQUIT: quit")
	return dump
}

// settled waits until the server is what it was, looks into it, and ends it.
func settled(t *testing.T, s *harness.Server, files int) {
	t.Helper()
	c := s.Dial(t)
	open, info, quiet := 0, "", false
	defer func() {
		if !quiet {
			t.Logf("%d descriptors, %d before the storm; clients:\n%s\n%s", open, files, c.Do("CLIENT", "LIST").Text,
				info)
			t.Log(goroutines(t, s))
		}
	}()
	harness.Eventually(t, settles, "scripts end and connections are given back", func() bool {
		kill(s.Addr)
		unblock(c)
		open = s.OpenFiles(t)
		info = c.Do("INFO", "clients").Text
		quiet = open <= files+1 && strings.Contains(info, "connected_clients:1\r\n") &&
			strings.Contains(info, "blocked_clients:0\r\n")
		return quiet
	})
	for _, request := range [][]string{
		{"FUNCTION", "FLUSH", "SYNC"}, {"SCRIPT", "FLUSH", "SYNC"}, {"FLUSHALL"}, {"SET", "k", "v"},
	} {
		c.MustOK(request...)
	}
	if r := c.Do("DBSIZE"); r.Text != "1" {
		t.Errorf("DBSIZE: %v", r)
	}
	if log := s.Log(); strings.Contains(log, "BUG") || strings.Contains(log, "panic") {
		t.Errorf("the log blames larder")
	}
	dump := goroutines(t, s)
	if n := strings.Count(dump, "\ngoroutine "); n == 0 || n > mayRun {
		t.Errorf("%d goroutines after the storm:\n%s", n, dump)
	}
}

// unblock wakes those who have left while they were blocked, with more requests unread than the
// socket's buffers hold: the end of such a connection cannot arrive.
func unblock(c *harness.Conn) {
	for line := range strings.Lines(c.Do("CLIENT", "LIST").Text) {
		_, flags, _ := strings.Cut(line, " flags=")
		flags, _, _ = strings.Cut(flags, " ")
		if strings.Contains(flags, "b") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			c.Do("CLIENT", "UNBLOCK", id)
		}
	}
}

// mayRun bounds the goroutines of a server without clients: loops, listeners, background work, and
// those of the one connection that asks.
const mayRun = 40
