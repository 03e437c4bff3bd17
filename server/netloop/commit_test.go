//go:build unix

package netloop

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// commitCases are the ways on which a reply leaves: the shared buffer, a buffer that becomes the
// shared one, one of the connection's own, a last reply, and a reply after Resume.
var commitCases = []struct {
	name, request string
	reply         int // bytes
	resume        bool
	next          string // the request that still works afterwards, none if the connection ends
}{
	{name: "small", request: "echo hello\n", reply: 6, next: "echo x\n"},
	{name: "outgrown", request: "big 200000\n", reply: 200001, next: "echo x\n"},
	{name: "own", request: "big 5000000\n", reply: 5000001, next: "echo x\n"},
	{name: "pipeline", request: strings.Repeat("big 50000\n", 10), reply: 500010, next: "echo x\n"},
	{name: "last", request: "quit\n", reply: 4},
	{name: "resumed", request: "block\n", reply: 8, resume: true, next: "echo x\n"},
}

// eachCommitCase runs test with a client that has sent the case's request, or has been resumed,
// after prepare.
func eachCommitCase(t *testing.T, test func(t *testing.T, s *testServer, i int, begin func(prepare func()) *testClient)) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		for i, tc := range commitCases {
			t.Run(tc.name, func(t *testing.T) {
				s.t = t
				test(t, s, i, func(prepare func()) *testClient {
					c := s.connect()
					if tc.resume {
						before := s.commits.Load()
						c.send("%s", tc.request)
						s.eventually("the block", func() bool { return s.commits.Load() > before })
						prepare()
						c.session.conn.Resume()
					} else {
						prepare()
						c.send("%s", tc.request)
					}
					return c
				})
				s.commit.Store(nil)
			})
		}
	})
}

// TestCommitFirst looks into the client's socket while Commit runs: what has been sent is there at
// once.
func TestCommitFirst(t *testing.T) {
	eachCommitCase(t, func(t *testing.T, s *testServer, i int, begin func(func()) *testClient) {
		tc := commitCases[i]
		entered, release := make(chan struct{}), make(chan struct{})
		c := begin(func() {
			first := true
			gate := func() error {
				if first {
					first = false
					close(entered)
					<-release
				}
				return nil
			}
			s.commit.Store(&gate)
		})
		<-entered
		if n := c.waiting(); n > 0 {
			t.Errorf("%d bytes were sent before Commit had returned", n)
		}
		close(release)
		if n, err := io.CopyN(io.Discard, c.r, int64(tc.reply)); err != nil {
			t.Fatalf("got %d bytes of %d: %v", n, tc.reply, err)
		}
		if tc.next != "" {
			c.send("%s", tc.next)
			c.expect("x")
		}
	})
}

// waiting is how many bytes lie in the socket, unread.
func (c *testClient) waiting() (n int) {
	c.t.Helper()
	raw, err := c.socket.(syscall.Conn).SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	var buf [1]byte
	failed := raw.Read(func(fd uintptr) bool {
		n, _, err = unix.Recvfrom(int(fd), buf[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	})
	if failed != nil || err != nil && !errors.Is(err, unix.EAGAIN) {
		c.t.Fatal(failed, err)
	}
	return max(n, 0)
}

func TestCommitFailure(t *testing.T) {
	eachCommitCase(t, func(t *testing.T, s *testServer, i int, begin func(func()) *testClient) {
		bystander := s.connect()
		c := begin(func() {
			fail := func() error { return errors.New("disk full") }
			s.commit.Store(&fail)
		})
		c.expectEOF(NotDurable)
		s.commit.Store(nil)
		bystander.send("echo still here\n")
		bystander.expect("still here")
	})
}

// TestCommitFailureSparesReaders: whoever has changed nothing is answered.
func TestCommitFailureSparesReaders(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		reader := s.connect()
		fail := func() error { return errors.New("disk full") }
		s.commit.Store(&fail)
		reader.send("read a\nread b\n")
		reader.expect("a", "b")
		reader.send("read c\necho d\n")
		reader.expectEOF(NotDurable)
	})
}

// TestCommitNotForPush: messages of others make no promise about this connection's requests.
func TestCommitNotForPush(t *testing.T) {
	eachDriver(t, Limits{}, func(t *testing.T, s *testServer) {
		c := s.connect()
		fail := func() error { return errors.New("disk full") }
		s.commit.Store(&fail)
		c.session.conn.Push([]byte("news\n"))
		c.expect("news")
	})
}
