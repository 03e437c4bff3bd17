package netloop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larderkv/larder/protocol/chain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pause is the output at which the test session yields.
const pause = 64 << 10

// lineSession is a session of a protocol made for the tests. Requests are lines:
//
//	echo X    answers X
//	big N     answers N bytes
//	len N     is followed by N bytes; answers how many of them are x
//	block     waits for Resume, then answers resumed
//	name X    is what hand calls this connection; answers X
//	hand X..  has those connections resumed before the next request; answers how many can be
//	first X   likewise, and before those that were named earlier
//	read X    answers X, having changed nothing
//	long X    hands the loop over, waits for testServer.leave, and answers X
//	later     is block, and hands the loop over when it is resumed
//	quit      answers bye and closes
//	now       closes
type lineSession struct {
	server   *testServer
	conn     Conn
	name     string
	requests atomic.Int64
	inData   atomic.Bool
	changed  bool // by the last turn
	later    bool // Resumed is to be long
	waits    atomic.Bool
	want     int
	told     atomic.Int64 // by Sized
	most     atomic.Int64 // what told has been
	closed   chan CloseReason
}

func (s *lineSession) enter() {
	if s.inData.Swap(true) {
		panic("BUG: two calls at once")
	}
}

func (s *lineSession) leave() { s.inData.Store(false) }

func (s *lineSession) Want() (int, bool) { return s.want, s.want > 0 }

func (s *lineSession) Sized(delta int64) {
	if told := s.told.Add(delta); told > s.most.Load() {
		s.most.Store(told)
	}
}

// push has the connection told something, and keeps account of it.
func (s *lineSession) push(b []byte) {
	if grown := s.conn.Push(b); grown != 0 {
		s.Sized(grown)
	}
}

func (s *lineSession) Changed() bool { return s.changed }

func (s *lineSession) Data(in []byte, to *chain.Buffer) (taken int, next Action) {
	s.enter()
	defer s.leave()
	if len(in) == 0 {
		panic("BUG: Data without input")
	}
	s.want, s.changed = 0, false
	for {
		if to.Len() > pause {
			return taken, Yield
		}
		rest := in[taken:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return taken, Wait
		}
		var out []byte
		verb, arg, _ := bytes.Cut(rest[:end], []byte{' '})
		size := end + 1
		if string(verb) == "len" {
			n, err := strconv.Atoi(string(arg))
			if err != nil {
				to.WriteString("bad length\n")
				return taken, CloseAfterFlush
			}
			if size+n > len(rest) {
				s.want = size + n - len(rest)
				return taken, Wait
			}
			out = fmt.Appendf(out, "%d\n", bytes.Count(rest[size:size+n], []byte{'x'}))
			size += n
		}
		taken += size
		s.requests.Add(1)
		s.server.note(string(rest[:end]))
		if string(verb) == "hand" || string(verb) == "first" {
			out, next = s.hand(strings.Fields(string(arg)), string(verb) == "first", out)
		} else {
			out, next = s.simple(string(verb), arg, out)
		}
		to.Write(out)
		if next != Wait {
			return taken, next
		}
	}
}

// hand has others resumed.
func (s *lineSession) hand(names []string, first bool, out []byte) ([]byte, Action) {
	n := 0
	for _, name := range names {
		other, _ := s.server.names.Load(name)
		if s.conn.ResumeAfter(other.(*lineSession).conn, first) {
			n++
		} else {
			other.(*lineSession).conn.Resume()
		}
	}
	out = fmt.Appendf(out, "%d\n", n)
	if n > 0 {
		return out, Again
	}
	return out, Wait
}

func (s *lineSession) simple(verb string, arg, out []byte) ([]byte, Action) {
	s.changed = s.changed || verb != "read"
	switch verb {
	case "echo", "read":
		return append(append(out, arg...), '\n'), Wait
	case "big":
		n, err := strconv.Atoi(string(arg))
		if err != nil {
			return append(out, "bad size\n"...), CloseAfterFlush
		}
		return append(append(out, bytes.Repeat([]byte{'x'}, n)...), '\n'), Wait
	case "block", "later":
		s.later = verb == "later"
		s.waits.Store(true)
		return out, Block
	case "hold": // the loop, until the test says so
		s.server.entered <- s
		<-s.server.leave
		return append(append(out, arg...), '\n'), Wait
	case "long":
		s.long()
		return append(append(out, arg...), '\n'), Wait
	case "name":
		s.name = string(arg)
		s.server.names.Store(s.name, s)
		return append(append(out, arg...), '\n'), Wait
	case "quit":
		return append(out, "bye\n"...), CloseAfterFlush
	case "now":
		return append(out, "lost\n"...), CloseNow
	}
	return out, Wait
}

// long hands the loop over until the test says so.
func (s *lineSession) long() {
	s.conn.HandOver()
	s.conn.HandOver() // which changes nothing
	s.server.entered <- s
	<-s.server.leave
}

func (s *lineSession) Resumed(out *chain.Buffer) Action {
	s.enter()
	defer s.leave()
	s.changed = true
	s.waits.Store(false)
	if s.later {
		s.long()
	}
	s.server.note("resumed " + s.name)
	out.WriteString("resumed\n")
	return Wait
}

func (s *lineSession) Closed(reason CloseReason) {
	s.enter()
	defer s.leave()
	s.closed <- reason
	close(s.closed)
}

// testServer is a Server of lineSessions on a port of its own.
type testServer struct {
	*Server
	t       *testing.T
	addr    string
	net     string
	secure  bool
	served  chan error
	limits  atomic.Pointer[Limits]
	special atomic.Pointer[Limits]       // of class 2; nil: as the others
	commit  atomic.Pointer[func() error] // nil: succeeds
	commits atomic.Int64                 // calls that have returned
	refuse  atomic.Bool
	wrap    atomic.Value // func(*lineSession) Session; nil: the session itself

	names sync.Map // *lineSession by its name

	entered chan *lineSession // those that have begun something long
	leave   chan struct{}     // and are to end it

	mu       sync.Mutex
	sessions map[string]*lineSession // by the client's address
	notes    []string                // what sessions have done, if it is wanted
	noting   bool
}

func (s *testServer) note(what string) {
	if s == nil { // a session by itself
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noting {
		s.notes = append(s.notes, what)
	}
}

type network struct {
	name     string
	portable bool
	uring    bool
	unix     bool
	tls      bool
}

var networks = []network{{name: "epoll"}, {name: "portable", portable: true}, {name: "unix", unix: true},
	{name: "tls", tls: true}, {name: "io_uring", uring: true}}

// eachDriver runs a test with a fresh server of each kind, and closes it afterwards.
func eachDriver(t *testing.T, lim Limits, f func(t *testing.T, s *testServer)) {
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			s := startServer(t, n, lim)
			f(t, s)
			s.close()
		})
	}
}

func startServer(t *testing.T, n network, lim Limits) *testServer {
	t.Helper()
	if n.uring {
		if err := ProbeURing(); err != nil {
			t.Skip(err)
		}
	}
	s := &testServer{t: t, sessions: make(map[string]*lineSession), served: make(chan error, 1), net: "tcp",
		entered: make(chan *lineSession, 100), leave: make(chan struct{})}
	s.limits.Store(&lim)
	addr := "127.0.0.1:0"
	if n.unix {
		s.net, addr = "unix", filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(s.net, addr)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	s.Server, err = New(Options{
		Loops:    2,
		Portable: n.portable,
		URing:    n.uring,
		Limits: func(k Class) Limits {
			if special := s.special.Load(); special != nil && k == 2 {
				return *special
			}
			return *s.limits.Load()
		},
		Commit: func() error {
			defer s.commits.Add(1)
			if commit := s.commit.Load(); commit != nil {
				return (*commit)()
			}
			return nil
		},
		NewSession: func(c Conn) (Session, []byte) {
			if s.refuse.Load() {
				return nil, []byte("full\n")
			}
			session := &lineSession{server: s, conn: c, closed: make(chan CloseReason, 1)}
			s.mu.Lock()
			s.sessions[c.RemoteAddr()] = session
			s.mu.Unlock()
			if wrap, ok := s.wrap.Load().(func(*lineSession) Session); ok {
				return wrap(session), nil
			}
			return session, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.secure = n.tls; s.secure {
		config := certificate(t)
		go func() { s.served <- s.ServeTLS(ln, func() *tls.Config { return config }) }()
		return s
	}
	go func() { s.served <- s.Serve(ln) }()
	return s
}

// close closes the server, unless the test has done so.
func (s *testServer) close() {
	s.t.Helper()
	if err := s.Server.Close(); err != nil {
		s.t.Error("Close:", err)
	}
	if err := <-s.served; err != nil {
		s.t.Error("Serve:", err)
	}
	if n := s.Stats().Current; n != 0 {
		s.t.Errorf("%d connections are left", n)
	}
}

// testClient is the other end.
type testClient struct {
	net.Conn
	socket  net.Conn // under it, if it has TLS
	t       *testing.T
	server  *testServer
	r       *bufio.Reader
	session *lineSession
}

// patience bounds every wait of the tests; it is reached only by a failing one.
const patience = 2 * time.Minute

func (s *testServer) dial() *testClient {
	s.t.Helper()
	nc, err := net.Dial(s.net, s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	socket := nc
	s.t.Cleanup(func() {
		if err := socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.t.Error(err)
		}
	})
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	if s.secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
	}
	return &testClient{Conn: nc, socket: socket, t: s.t, server: s, r: bufio.NewReader(nc)}
}

// connect is dial, and waits for the session. With a Unix socket it works for one client at a time.
func (s *testServer) connect() *testClient {
	s.t.Helper()
	c := s.dial()
	s.join(c)
	return c
}

// join waits for a client's session.
func (s *testServer) join(c *testClient) {
	s.t.Helper()
	if conn, ok := c.Conn.(*tls.Conn); ok {
		if err := conn.Handshake(); err != nil {
			s.t.Fatal(err)
		}
	}
	name := c.LocalAddr().String()
	if s.net == "unix" {
		name = s.addr + ":0"
	}
	s.eventually("a session", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		c.session = s.sessions[name]
		delete(s.sessions, name)
		return c.session != nil
	})
}

// eventually polls until ok, or fails the test.
func (s *testServer) eventually(what string, ok func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (c *testClient) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatal("send:", err)
	}
}

func (c *testClient) expect(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		got, err := c.r.ReadString('\n')
		if err != nil || strings.TrimSuffix(got, "\n") != want {
			c.t.Fatalf("got %.80q (%v), want %.80q", got, err, want)
		}
	}
}

// expectEOF waits for the connection's end, and for the reason on the other side.
func (c *testClient) expectEOF(reasons ...CloseReason) {
	c.t.Helper()
	if b, err := c.r.ReadByte(); err == nil {
		c.t.Fatalf("got %q, want the end", b)
	}
	c.expectClosed(reasons...)
}

func (c *testClient) expectClosed(reasons ...CloseReason) {
	c.t.Helper()
	select {
	case got := <-c.session.closed:
		for _, want := range reasons {
			if got == want {
				return
			}
		}
		c.t.Fatalf("closed: %v, want %v", got, reasons)
	case <-time.After(patience):
		c.t.Fatal("the session was not closed")
	}
}

// held has the loop or goroutine of c wait within a Commit, after it has been sent a line, until release
// is called.
func held(s *testServer, c *testClient, line string) (release func()) {
	busy, goOn := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(busy) })
	wait := func() error {
		once()
		<-goOn
		return nil
	}
	s.commit.Store(&wait)
	c.send("%s\n", line)
	<-busy
	return func() { close(goOn) }
}
