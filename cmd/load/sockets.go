package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sockets are links over file descriptors. A TLS connection sits on a socket that answers "nothing
// there" in place of waiting: crypto/tls keeps what it has of a record at an error that calls itself
// temporary, and goes on when it is asked again.
type sockets struct {
	fds    []int
	tls    []*tls.Conn // nil: none
	unders []*Switched // of all TLS connections
	polls  []unix.PollFd
}

// Switched is a connection below TLS that can be taken over by an open loop once the handshake is
// done. Until then it is the connection it was made of.
type Switched struct {
	net.Conn
	fd   int    // from then on
	out  []byte // what the system has not accepted
	over bool
}

// Under wraps a connection for tls.Client, so that an open loop can take over what tls.Client
// returns.
func Under(conn net.Conn) *Switched { return &Switched{Conn: conn} }

func (s *sockets) add(conn net.Conn) (int, error) {
	secure, _ := conn.(*tls.Conn)
	var under *Switched
	if secure != nil {
		under, _ = secure.NetConn().(*Switched)
		if under == nil {
			return 0, errors.Join(errors.New("BUG: a TLS connection that was not made over Under"), conn.Close())
		}
		conn = under.Conn
	}
	fd, err := takeOver(conn)
	if err != nil {
		return 0, err
	}
	if under != nil {
		under.fd, under.over = fd, true
		s.unders = append(s.unders, under)
	}
	s.fds = append(s.fds, fd)
	s.tls = append(s.tls, secure)
	s.polls = append(s.polls, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	return len(s.fds) - 1, nil
}

// takeOver returns a descriptor of the connection, which the runtime's poller no longer knows.
func takeOver(conn net.Conn) (fd int, err error) {
	defer func() { err = errors.Join(err, conn.Close()) }()
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a connection of type %T has no descriptor", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlled := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); controlled != nil {
		return 0, controlled
	}
	return fd, err
}

func (s *sockets) poll() error {
	for _, u := range s.unders {
		if err := u.flush(); err != nil {
			return err
		}
	}
	return pollNow(s.polls)
}

func (s *sockets) ready(i int) bool { return s.polls[i].Revents != 0 }

func (s *sockets) read(i int, b []byte) (n int, more bool, err error) {
	secure := s.tls[i]
	if secure == nil {
		n, err = readNow(s.fds[i], b)
		if err == io.EOF {
			err = errDropped
		}
		return n, false, err
	}
	n, err = secure.Read(b)
	switch {
	case errors.Is(err, errNothing):
		return n, false, nil
	case errors.Is(err, io.EOF):
		err = errDropped
	}
	return n, true, err // of the record that was read, or of the next one, there may be more
}

func (s *sockets) write(i int, b []byte) (int, error) {
	if secure := s.tls[i]; secure != nil {
		return secure.Write(b)
	}
	return writeNow(s.fds[i], b)
}

func (s *sockets) close() {
	for _, fd := range s.fds {
		_ = unix.Close(fd) // nothing is under way that anybody waits for
	}
}

// nothing is the error of a read that would have to wait.
type nothing struct{}

var errNothing net.Error = nothing{}

func (nothing) Error() string   { return "nothing to read yet" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (u *Switched) Read(b []byte) (int, error) {
	if !u.over {
		return u.Conn.Read(b)
	}
	n, err := readNow(u.fd, b)
	if n == 0 && err == nil {
		err = errNothing
	}
	return n, err
}

// Write takes everything: a record of which a part is lost would end a TLS connection.
func (u *Switched) Write(b []byte) (int, error) {
	if !u.over {
		return u.Conn.Write(b)
	}
	u.out = append(u.out, b...)
	return len(b), u.flush()
}

func (u *Switched) flush() error {
	if len(u.out) == 0 {
		return nil
	}
	n, err := writeNow(u.fd, u.out)
	u.out = append(u.out[:0], u.out[n:]...)
	return err
}

// Close of a connection that has been taken over is the loop's affair.
func (u *Switched) Close() error {
	if u.over {
		return os.ErrClosed
	}
	return u.Conn.Close()
}

// SetDeadline and its like have no meaning for what never waits.
func (u *Switched) SetDeadline(t time.Time) error {
	if u.over {
		return nil
	}
	return u.Conn.SetDeadline(t)
}

func (u *Switched) SetReadDeadline(t time.Time) error {
	if u.over {
		return nil
	}
	return u.Conn.SetReadDeadline(t)
}

func (u *Switched) SetWriteDeadline(t time.Time) error {
	if u.over {
		return nil
	}
	return u.Conn.SetWriteDeadline(t)
}
