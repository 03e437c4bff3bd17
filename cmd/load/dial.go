package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/client"
)

// Endpoint is a server and how to log in.
type Endpoint struct {
	Network, Addr      string
	TLS                *tls.Config // nil: none
	Username, Password string      // without a password there is no login
	DB                 int
}

// dialWithin bounds connecting, TLS and logging in.
const dialWithin = 5 * time.Second

// dial opens a connection that is logged in.
func (e Endpoint) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, e.Network, e.Addr)
	if err != nil {
		return nil, err
	}
	if e.TLS != nil {
		secure := tls.Client(Under(conn), e.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: TLS: %w", e.Addr, err), conn.Close())
		}
		conn = secure
	}
	if err := e.login(conn); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", e.Addr, err), conn.Close())
	}
	return conn, nil
}

// login leaves nothing under way.
func (e Endpoint) login(conn net.Conn) error {
	var steps [][]string
	switch {
	case e.Username != "":
		steps = append(steps, []string{"AUTH", e.Username, e.Password})
	case e.Password != "":
		steps = append(steps, []string{"AUTH", e.Password})
	}
	if e.DB != 0 {
		steps = append(steps, []string{"SELECT", strconv.Itoa(e.DB)})
	}
	for _, step := range steps {
		if _, err := ask(conn, step...); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a single command and returns its reply, which is a line or a bulk string. It reads byte
// by byte, so that it never reads what follows.
func ask(conn net.Conn, args ...string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(dialWithin)); err != nil {
		return "", err
	}
	defer conn.SetDeadline(time.Time{})
	b := appendNumber(nil, '*', len(args))
	for _, a := range args {
		b = appendBulk(b, a)
	}
	if _, err := conn.Write(b); err != nil {
		return "", err
	}
	line, err := readLine(conn)
	if err != nil {
		return "", err
	}
	switch text := line[1:]; line[0] {
	case '-':
		return "", errors.New(text)
	case '$':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("unexpected reply %.40q", line)
		}
		body := make([]byte, n+len("\r\n"))
		_, err = io.ReadFull(conn, body)
		return string(body[:n]), err
	default:
		return text, nil
	}
}

// readLine reads a line of a reply, which has at least its mark.
func readLine(conn net.Conn) (string, error) {
	const most = 4096
	var line []byte
	for one := make([]byte, 1); len(line) < most; {
		if _, err := io.ReadFull(conn, one); err != nil {
			return "", err
		}
		if line = append(line, one[0]); one[0] != '\n' {
			continue
		}
		if text := strings.TrimSuffix(string(line), "\r\n"); text != "" {
			return text, nil
		}
		break
	}
	return "", fmt.Errorf("unexpected reply %.40q", line)
}

// Server is what a server says it is.
type Server struct {
	Addr    string `json:"addr"`
	Name    string `json:"name"`    // larder, redis or what else it calls itself; "" if it does not say
	Version string `json:"version"` // of that
}

// identify asks a server for its name. One that does not say remains without one: a user may be
// forbidden to ask.
func (e Endpoint) identify(conn net.Conn) Server {
	s := Server{Addr: e.Addr}
	info, err := ask(conn, "INFO", "server")
	if err != nil {
		return s
	}
	for line := range strings.Lines(info) {
		name, version, ok := strings.Cut(strings.TrimSpace(line), "_version:")
		if !ok || strings.Contains(name, "_") || name == "gcc" {
			continue
		}
		if s.Name == "" || s.Name == "redis" { // which others call themselves, too
			s.Name, s.Version = client.Printable(name), client.Printable(version)
		}
	}
	return s
}
