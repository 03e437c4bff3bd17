package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/larderkv/larder/server/config"
)

// listener is a place where clients are accepted.
type listener struct {
	net.Listener
	kind string // one of the kind constants
	addr string // as bind or unixsocket has it
}

// port is that of TCP, 0 for a Unix socket.
func (l listener) port() int {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

// The kinds of listeners, by Redis' names and in Redis' order, by which INFO numbers them.
const (
	kindTCP  = "tcp"
	kindUnix = "unix"
	kindTLS  = "tls"
)

// kindAdmin is that of the admin server's listeners, which are none of those.
const kindAdmin = "admin"

// listen opens every listener that the parameters ask for. On an error none is
// left open.
func listen(v *config.Values, log *slog.Logger) (all []listener, err error) {
	defer func() {
		if err != nil {
			all, err = nil, errors.Join(err, closeAll(all))
		}
	}()
	for _, p := range [...]struct {
		kind   string
		port   int64
		served bool
	}{{kindTCP, v.Port, v.ServesTCP()}, {kindTLS, v.TLSPort, v.TLSPort != 0}} {
		if !p.served {
			continue
		}
		before := len(all)
		if all, err = listenAll(all, p.kind, int(p.port), v.Bind, int(v.TCPBacklog), log); err != nil {
			return all, err
		}
		if len(v.Bind) > 0 && len(all) == before {
			return all, fmt.Errorf("none of the addresses to bind is available: %s", strings.Join(v.Bind, " "))
		}
	}
	if v.UnixSocket != "" {
		ln, err := listenUnix(v.Path(v.UnixSocket), fs.FileMode(v.UnixSocketPerm), int(v.TCPBacklog))
		if err != nil {
			return all, err
		}
		all = append(all, listener{ln, kindUnix, v.Path(v.UnixSocket)})
	}
	if len(all) == 0 {
		return all, errors.New("nowhere to listen: neither bind nor unixsocket is set")
	}
	return all, nil
}

// closeAll closes listeners, of which some may be closed already.
func closeAll(all []listener) error {
	var errs []error
	for _, ln := range all {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// listenAll adds a port's listeners, one for each address.
func listenAll(
	all []listener, kind string, port int, addrs []string, backlog int, log *slog.Logger,
) ([]listener, error) {
	for _, addr := range addrs {
		ln, err := listenTCP(addr, port, backlog, log)
		if err != nil {
			return all, err
		}
		if ln == nil {
			continue
		}
		all = append(all, listener{ln, kind, addr})
		port = all[len(all)-1].port() // with port 0 the system chooses, and the other addresses follow
	}
	return all, nil
}

// listenTCP opens one address of the bind list. With a leading '-' an address
// that this machine does not have gives no listener and no error.
func listenTCP(addr string, port, backlog int, log *slog.Logger) (net.Listener, error) {
	host, optional := strings.CutPrefix(addr, "-")
	network := "tcp4"
	switch {
	case host == "*":
		host = "0.0.0.0"
	case host == "::*":
		host, network = "::", "tcp6"
	case strings.Contains(host, ":"):
		network = "tcp6"
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), network, address)
	if err != nil {
		if optional && notAvailable(err) {
			log.Info("address not available, skipped", "address", address)
			return nil, nil
		}
		return nil, fmt.Errorf("cannot listen on %s: %w", address, cause(err))
	}
	return ln, backlogged(ln, backlog)
}

func notAvailable(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT,
		syscall.EPFNOSUPPORT, syscall.ESOCKTNOSUPPORT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var addr *net.AddrError // no address of that family on this machine
	return errors.As(err, &addr)
}

// listenUnix opens a Unix socket. A file that a dead server has left behind is
// replaced; one that answers belongs to somebody.
func listenUnix(path string, perm fs.FileMode, backlog int) (net.Listener, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return nil, errors.Join(fmt.Errorf("cannot listen on %s: another server is listening there", path),
			conn.Close())
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("cannot replace the old socket: %w", err)
		}
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, cause(err))
	}
	if perm != 0 {
		if err := os.Chmod(path, perm); err != nil {
			return nil, errors.Join(fmt.Errorf("unixsocketperm: %w", err), ln.Close())
		}
	}
	return ln, backlogged(ln, backlog)
}

// backlogged sets the listener's queue of connections not yet accepted; the system bounds it
// (net.core.somaxconn). It wants the socket itself: a listener that wraps one, as that of TLS, has
// no descriptor, and is put around this one afterwards.
func backlogged(ln net.Listener, backlog int) error {
	socket, ok := ln.(syscall.Conn)
	if !ok {
		return errors.Join(fmt.Errorf("tcp-backlog: %T is no socket", ln), ln.Close())
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return errors.Join(fmt.Errorf("tcp-backlog: %w", err), ln.Close())
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = setBacklog(fd, backlog) }); err != nil {
		failed = err
	}
	if failed != nil {
		return errors.Join(fmt.Errorf("tcp-backlog: %w", failed), ln.Close())
	}
	return nil
}

// cause is the innermost error: "address already in use".
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
