package commands

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/store"
)

// testClient is one session of a kernel with all commands, without a network.
type testClient struct {
	t       testing.TB
	kernel  *engine.Kernel
	session netloop.Session
	now     time.Time     // the kernel's clock
	tick    time.Duration // by which each look moves it
	out     []byte
	buffer  chain.Buffer
}

// data is a call of Data of the session whose output goes behind out.
func (c *testClient) data(in, out []byte) (taken int, newOut []byte, next netloop.Action) {
	c.buffer.Lend(out[len(out):], nil, nil)
	taken, next = c.session.Data(in, &c.buffer)
	return taken, append(out, c.buffer.Bytes()...), next
}

func newTestClient(t testing.TB) *testClient {
	t.Helper()
	c := &testClient{t: t, now: time.UnixMilli(1_700_000_000_000), out: make([]byte, 0, 64<<10)}
	st, err := store.Open(store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg, err := config.New()
	if err != nil {
		t.Fatal(err)
	}
	scripts := scripting.New(cfg, slog.New(slog.DiscardHandler))
	table, err := engine.NewTable(All(scripts))
	if err != nil {
		t.Fatal(err)
	}
	c.kernel, err = engine.NewKernel(engine.Options{
		Store: st, Config: cfg, Table: table, Scripts: scripts.Stats,
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Clock: c.clock(),
	})
	if err != nil {
		t.Fatal(err)
	}
	session, refused := c.kernel.Connect(testConn{})
	if session == nil {
		t.Fatalf("refused: %q", refused)
	}
	t.Cleanup(func() { session.Closed(netloop.ClientClosed) })
	c.session = session
	return c
}

// clock is the client's own, or the machine's in a benchmark, which is to read it as a server does.
func (c *testClient) clock() func() time.Time {
	if _, ok := c.t.(*testing.B); ok {
		return nil
	}
	return func() time.Time {
		if c.tick != 0 {
			c.now = c.now.Add(c.tick)
		}
		return c.now
	}
}

// maintain does all that the background work would do now.
func (c *testClient) maintain() {
	c.t.Helper()
	for c.maintainOnce() {
	}
}

// maintainOnce does one unit of it, and reports whether there may be more.
func (c *testClient) maintainOnce() (more bool) {
	c.t.Helper()
	more, err := c.kernel.Store.Maintain(c.now.UnixMilli())
	if err != nil {
		c.t.Fatal(err)
	}
	return more
}

// send executes requests and returns the replies as they are. They are valid
// until the next call.
func (c *testClient) send(requests []byte) []byte {
	c.out = c.out[:0]
	for len(requests) > 0 {
		taken, out, next := c.data(requests, c.out)
		c.out = out
		if taken == 0 && next == netloop.Wait {
			c.t.Fatalf("incomplete: %q", requests)
		}
		requests = requests[taken:]
	}
	return c.out
}

// do executes one request and returns its reply in the form of readReply.
func (c *testClient) do(words ...string) string {
	c.t.Helper()
	r := bufio.NewReader(bytes.NewReader(c.send(encode(words))))
	reply, err := readReply(r)
	if err != nil {
		c.t.Fatalf("%q: %v", words, err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		c.t.Fatalf("%q: two replies, the second %q", words, rest)
	}
	return reply
}

// expect executes a request of plain words and compares its reply.
func (c *testClient) expect(request, want string) {
	c.t.Helper()
	if got := c.do(strings.Fields(request)...); got != want {
		c.t.Errorf("%s\n got %s\nwant %s", request, got, want)
	}
}

// testConn is a connection that leads nowhere.
type testConn struct{}

func (testConn) ID() uint64                          { return 1 }
func (testConn) Loop() int                           { return 0 }
func (testConn) RemoteAddr() string                  { return "127.0.0.1:1" }
func (testConn) LocalAddr() string                   { return "127.0.0.1:2" }
func (testConn) FD() int                             { return -1 }
func (testConn) Created() time.Time                  { return time.Time{} }
func (testConn) Unix() bool                          { return false }
func (testConn) CertifiedName() string               { return "" }
func (testConn) Class() netloop.Class                { return 0 }
func (testConn) SetClass(netloop.Class)              {}
func (testConn) Resume()                             {}
func (testConn) Kill(netloop.CloseReason)            {}
func (testConn) Killed() bool                        { return false }
func (testConn) Push([]byte) int64                   { return 0 }
func (testConn) PushLater([]byte) int64              { return 0 }
func (testConn) AppendPushed(b []byte) []byte        { return b }
func (testConn) HandOver()                           {}
func (testConn) ResumeAfter(netloop.Conn, bool) bool { return false }
func (testConn) Sizes() netloop.Sizes                { return netloop.Sizes{} }
