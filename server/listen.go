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

// listen opens every listener that the parameters ask for. On an error none is
// left open.
func listen(v *config.Values, log *slog.Logger) (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, ln := range all {
				err = errors.Join(err, ln.Close())
			}
			all = nil
		}
	}()
	port := int(v.Port)
	for _, addr := range v.Bind {
		ln, err := listenTCP(addr, port, int(v.TCPBacklog), log)
		if err != nil {
			return all, err
		}
		if ln == nil {
			continue
		}
		all = append(all, ln)
		// With port 0 the system chooses, and the other addresses follow.
		if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
			port = tcp.Port
		}
	}
	if len(v.Bind) > 0 && len(all) == 0 {
		return all, fmt.Errorf("none of the addresses to bind is available: %s", strings.Join(v.Bind, " "))
	}
	if v.UnixSocket != "" {
		ln, err := listenUnix(v.Path(v.UnixSocket), fs.FileMode(v.UnixSocketPerm), int(v.TCPBacklog))
		if err != nil {
			return all, err
		}
		all = append(all, ln)
	}
	if len(all) == 0 {
		return all, errors.New("nowhere to listen: neither bind nor unixsocket is set")
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
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.EPFNOSUPPORT, syscall.ESOCKTNOSUPPORT,
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
		return nil, errors.Join(fmt.Errorf("cannot listen on %s: another server is listening there", path), conn.Close())
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
