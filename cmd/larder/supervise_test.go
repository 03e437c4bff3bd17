//go:build unix

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// notified listens as systemd does, and returns the messages as they come.
func notified(t *testing.T) (socket string, messages <-chan string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // which ends the reading below
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			all <- string(buf[:n])
		}
	}()
	return socket, all
}

// next waits for a message that begins so, and returns those before it.
func next(t *testing.T, messages <-chan string, start string) (before []string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-messages:
			if strings.HasPrefix(m, start) {
				return before
			}
			before = append(before, m)
		case <-deadline:
			t.Fatalf("no message %q; before: %q", start, before)
		}
	}
}

// TestTellsSystemd: STATUS while loading, READY when the data is there, STOPPING at the end, by a
// signal and by SHUTDOWN.
func TestTellsSystemd(t *testing.T) {
	for _, mode := range []string{"systemd", "auto"} {
		socket, messages := notified(t)
		t.Setenv("NOTIFY_SOCKET", socket)
		p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--supervised", mode)
		addr := p.address()
		before := next(t, messages, "READY=1\nSTATUS=Ready to accept connections")
		if len(before) == 0 || !strings.HasPrefix(before[0], "STATUS=Loading: 0 % of 0 MB, 0 keys") {
			t.Errorf("before READY: %q", before)
		}
		ping(t, "tcp", addr)
		if info := ask(t, addr, "INFO server"); !strings.Contains(info, "\r\nprocess_supervised:systemd\r\n") {
			t.Error(info)
		}
		if mode == "auto" {
			_ = ask(t, addr, "SHUTDOWN NOSAVE")
		} else if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		next(t, messages, "STOPPING=1\nSTATUS=Stopping")
		if _, code := p.end(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// ask sends a line and returns what came until the server paused or closed.
func ask(t *testing.T, addr, line string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(line + "\r\nQUIT\r\n")); err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return string(all)
		}
	}
}

// TestTellsNobody: without being asked to, or where there is nobody to tell, it serves all the same.
func TestTellsNobody(t *testing.T) {
	socket, messages := notified(t)
	for _, c := range []struct{ socket, mode, says string }{
		{socket, "no", ""}, {"", "auto", ""}, {"", "systemd", "variable=NOTIFY_SOCKET"}, {"", "upstart", "variable=UPSTART_JOB"},
		{socket + "-gone", "systemd", "cannot tell systemd"},
	} {
		t.Setenv("NOTIFY_SOCKET", c.socket)
		p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--supervised", c.mode)
		if c.says != "" && c.socket == "" {
			p.line(c.says)
		}
		ping(t, "tcp", p.address())
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		out, code := p.end()
		if code != 0 || c.socket != "" && !strings.Contains(strings.Join(out, "\n"), c.says) {
			t.Errorf("%+v: exit code %d\n%s", c, code, strings.Join(out, "\n"))
		}
	}
	select {
	case m := <-messages:
		t.Errorf("told without being asked to: %q", m)
	default:
	}
}

// TestStopsForUpstart: the process stops itself when it is ready, and serves once it is continued.
func TestStopsForUpstart(t *testing.T) {
	t.Setenv("UPSTART_JOB", "larder")
	p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--supervised", "auto")
	addr := p.address()
	var status syscall.WaitStatus
	harness.Eventually(t, patience, "the process stops", func() bool {
		pid, err := syscall.Wait4(p.Process.Pid, &status, syscall.WNOHANG|syscall.WUNTRACED, nil)
		return err == nil && pid == p.Process.Pid && status.Stopped()
	})
	if err := p.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ping(t, "tcp", addr)
}

// startActivated starts larder as a service manager with sockets does: the given listeners are its
// descriptors from 3 on.
func startActivated(t *testing.T, files []*os.File, args ...string) *process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("LISTEN_FDS", strconv.Itoa(len(files)))
	return startCommand(t, "", files, sh, append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0]}, args...)...)
}

// TestSocketActivation serves on sockets that were open before it, with both drivers: clients that
// came early are answered, and the path of a Unix socket stays, since it is the service manager's.
func TestSocketActivation(t *testing.T) {
	for _, driver := range harness.Drivers {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "larder.sock")
		unix, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		early, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := early.Write([]byte("PING\r\n")); err != nil {
			t.Fatal(err)
		}
		p := startActivated(t, descriptors(t, tcp, unix), "serve", "--port", "1", "--dir", t.TempDir(), "--network-driver", driver)
		if addr := p.address(); addr != tcp.Addr().String() {
			t.Errorf("listens on %s", addr)
		}
		reply := make([]byte, 7)
		if err := early.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := early.Read(reply); err != nil || string(reply[:n]) != "+PONG\r\n" {
			t.Errorf("who came early got %q, %v", reply[:n], err)
		}
		if _, err := early.Write([]byte("CONFIG SET port 2\r\n")); err != nil {
			t.Fatal(err)
		}
		refusal := make([]byte, 200)
		if n, err := early.Read(refusal); err != nil ||
			!strings.Contains(string(refusal[:n]), "the service manager has opened the sockets") {
			t.Errorf("%q, %v", refusal[:n], err)
		}
		ping(t, "unix", path)
		ping(t, "tcp", tcp.Addr().String())
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if _, code := p.end(); code != 0 {
			t.Errorf("exit code %d\n%s", code, p.stderr.String())
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the service manager's socket: %v", err)
		}
		for _, c := range []interface{ Close() error }{early, tcp, unix} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// descriptors are those of listeners, for a child.
func descriptors(t *testing.T, all ...net.Listener) (files []*os.File) {
	t.Helper()
	for _, ln := range all {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() }) // a copy
		files = append(files, f)
	}
	return files
}

// TestSocketsOfAnotherKind: what cannot be served ends the start with one line.
func TestSocketsOfAnotherKind(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it is only read
	p := startActivated(t, []*os.File{f}, "serve", "--dir", t.TempDir())
	out, code := p.end()
	if code != 1 || slices.ContainsFunc(out, func(l string) bool { return strings.Contains(l, "listen=") }) ||
		p.stderr.String() != "larder: socket 1 of the service manager is no stream socket that listens\n" {
		t.Errorf("exit code %d: %q\n%s", code, out, p.stderr.String())
	}
}
