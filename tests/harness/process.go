package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/store/invariants"
)

// Server is a running server under test: larder in this process, the larder binary, or redis-server
// as the oracle.
type Server struct {
	Name   string // "larder" or "redis", for messages
	Addr   string // host:port; empty when it only listens on a Unix socket
	Secure string // host:port of TLS, where that is another one
	Admin  string // host:port of the admin server, if there is one
	Socket string // path of the Unix socket, empty if there is none

	Pid int    // the process, this one for larder in-process
	Dir string // its data folder

	start  func(t testing.TB, params ...string) *Server // another server of this kind
	params []string                                     // what it was started with, without the defaults
	group  bool                                         // it forks: signals that end it go to its process group
	killed bool                                         // by the test, whose failure its log does not explain

	log  *logBuffer
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has gone
	err  error         // how it went; read after done
}

// logBuffer collects a server's log: written by the server, read by a failing test.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Log is everything the server has logged so far.
func (s *Server) Log() string { return s.log.String() }

// RepoRoot is the folder of go.mod.
func RepoRoot(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller information")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// startDeadline is how long a server may take until it answers.
const startDeadline = Patience

// binary is built once per test process.
var binary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Binary is the path of a larder binary built from this tree. LARDER_BIN names one to use instead, as `make test` does.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("LARDER_BIN"); path != "" {
		if _, err := os.Stat(path); err != nil { // go test remembers what it was when it caches a result
			t.Fatal(err)
		}
		return path
	}
	root := RepoRoot(t)
	binary.once.Do(func() {
		binary.dir, binary.err = os.MkdirTemp("", "larder-test-")
		if binary.err != nil {
			return
		}
		binary.path = filepath.Join(binary.dir, "larder")
		args := []string{"build", "-o", binary.path}
		if invariants.Enabled { // the test is built with that tag, and without a profile
			args = append(args, "-tags", "invariants", "-pgo=off")
		}
		build := exec.Command("go", append(args, "./cmd/larder")...)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("go build ./cmd/larder: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// Tool is the path of a program that the tests need. A missing one fails the test with the line
// that installs it.
func Tool(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: %s", name, install)
	}
	return path
}

// InstallRedis is the line that brings redis-server, redis-cli and redis-benchmark.
const InstallRedis = "apt-get install redis-server redis-tools"

// StartBinary runs `larder serve` on a free port of the loopback. Each param is a line of
// redis.conf ("io-threads 2"); a later one overrides an earlier one. With a tls-port it has both, since
// without TLS it is asked whether it is ready. The process is ended with the test.
func StartBinary(t testing.TB, params ...string) *Server {
	t.Helper()
	return StartBinaryWith(t, "", params...)
}

// StartBinaryWith is StartBinary with a configuration file, "" for none.
func StartBinaryWith(t testing.TB, file string, params ...string) *Server {
	t.Helper()
	s := launchBinary(t, file, params...)
	if !s.Ready(t) {
		t.Fatalf("larder exited: %v", s.err)
	}
	return s
}

// launchBinary starts the binary and waits until it listens.
func launchBinary(t testing.TB, file string, params ...string) *Server {
	t.Helper()
	all := withDefaults(t, params)
	s := &Server{Name: "larder", Dir: folder(all), params: params}
	s.start = func(t testing.TB, params ...string) *Server { return StartBinaryWith(t, file, params...) }
	port := "0"
	if secure := last(all, "tls-port"); secure != "" {
		port, s.Secure = FreePort(t), net.JoinHostPort("127.0.0.1", secure)
	}
	s.Admin = adminAddr(all)
	s.launch(t, exec.Command(Binary(t), append(serveArgs(file), flags(append([]string{"port " + port}, all...))...)...))
	s.Addr = s.Listening(t)
	return s
}

// adminAddr is where parameters say that the admin server is, "" for nowhere.
func adminAddr(params []string) string {
	if port := last(params, "admin-port"); port != "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return ""
}

func serveArgs(file string) []string {
	if file == "" {
		return []string{"serve"}
	}
	return []string{"serve", file}
}

// withDefaults puts before the given parameters what every server of a test has unless they say
// otherwise: the loopback, a folder of its own, no persistence, whose default would write a
// snapshot at the end of every test, and as on two cores one event loop, since between clients of
// several there is no order that a test could know.
func withDefaults(t testing.TB, params []string) []string {
	t.Helper()
	return append([]string{"bind 127.0.0.1", `save ""`, "appendonly no", "io-threads 1", "dir " + t.TempDir()}, params...)
}

// folder is the data folder that the parameters name last.
func folder(params []string) string { return last(params, "dir") }

// last is the value that a parameter is given last, "" if none.
func last(params []string, name string) (value string) {
	for _, p := range params {
		if given, rest, _ := strings.Cut(p, " "); given == name {
			value = rest
		}
	}
	return value
}

// flags turns redis.conf lines into command line arguments in redis-server's own manner: --name
// value ...
func flags(params []string) []string {
	var args []string
	for _, p := range params {
		name, rest, _ := strings.Cut(p, " ")
		args = append(args, "--"+name)
		if rest == `""` {
			args = append(args, "")
			continue
		}
		args = append(args, strings.Fields(rest)...)
	}
	return args
}

// StartRedis runs the oracle, redis-server 7.0.15, on a free port.
func StartRedis(t testing.TB, params ...string) *Server {
	t.Helper()
	// redis-server takes port 0 as "no TCP", so a free port is looked for and another one tried if
	// somebody else was faster.
	for range 20 {
		s := launchRedis(t, params...)
		// Who answers may be the other one, which listens where this one could not.
		if s.Ready(t) {
			if _, ok := listeningPort(s.Pid, ""); ok {
				return s
			}
			Eventually(t, startDeadline, "redis-server without a port exits", func() bool { return !s.Running() })
		}
		if !strings.Contains(s.Log(), "Address already in use") {
			t.Fatalf("redis-server exited: %v\n%s", s.err, tail(s.Log(), logTail))
		}
	}
	t.Fatal("redis-server finds no free port")
	return nil
}

func launchRedis(t testing.TB, params ...string) *Server {
	t.Helper()
	path := Tool(t, "redis-server", InstallRedis)
	params = redisParams(params)
	all := append([]string{"enable-debug-command yes"}, withDefaults(t, params)...)
	port := FreePort(t)
	s := &Server{
		Name: "redis", Addr: net.JoinHostPort("127.0.0.1", port), Dir: folder(all), start: StartRedis, params: params,
		group: true,
	}
	// The limit on file sizes, by which a test makes writes fail, must give redis-server an error
	// and not a signal.
	args := append([]string{"-c", `trap "" XFSZ; exec "$0" "$@"`, path}, flags(append([]string{"port " + port}, all...))...)
	s.launch(t, exec.Command("sh", args...))
	return s
}

// FreePort is a port of the loopback that nobody has, and that no other test is given before this one
// has ended. It is below those that the system gives out by itself, to the clients and listeners of
// all tests that run meanwhile: one of these could have it before the server that it is for listens.
func FreePort(t testing.TB) string {
	t.Helper()
	const lowest = 10_000
	below := 32_768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if first, _, ok := strings.Cut(strings.TrimSpace(string(text)), "\t"); ok {
			if n, err := strconv.Atoi(first); err == nil && n > lowest+1000 {
				below = n
			}
		}
	}
	for range 1000 {
		port := strconv.Itoa(lowest + rand.IntN(below-lowest))
		if claimed(t, port) && free(port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// claimed keeps other tests, of this process and of others, from the port until the test ends, by
// listening on a Unix socket whose name is no file. Where there are no such names it keeps nobody.
func claimed(t testing.TB, port string) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	claim, err := net.Listen("unix", "@larder-test-port-"+port)
	if err == nil {
		t.Cleanup(func() { _ = claim.Close() }) // nothing was to come by it
	}
	return err == nil
}

func free(port string) bool {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	return err == nil && ln.Close() == nil
}

// Launch runs any command as a server process whose log is collected, and ends it with the test.
func Launch(t testing.TB, name string, args ...string) *Server {
	t.Helper()
	s := &Server{Name: filepath.Base(name)}
	s.launch(t, exec.Command(name, args...))
	return s
}

func (s *Server) launch(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	log := &logBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if s.group {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	done := make(chan struct{})
	s.log, s.cmd, s.Pid, s.done = log, cmd, cmd.Process.Pid, done
	go func() {
		s.err = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		select {
		case <-done:
		default:
			s.kill()
			<-done
		}
		if t.Failed() && !s.killed {
			t.Logf("log of %s:\n%s", s.Name, tail(log.String(), logTail))
		}
	})
}

// logTail is how much of a log a failing test shows, in bytes.
const logTail = 3000

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// Listening waits until the process listens on the loopback, and returns where, which is not the port
// of TLS, nor that of the admin server. The chosen port is read from the socket: the log's wording is not an interface.
func (s *Server) Listening(t testing.TB) string {
	t.Helper()
	var addr string
	Eventually(t, startDeadline, s.Name+" listens", func() bool {
		select {
		case <-s.done:
			t.Fatalf("%s exited (%v) before listening:\n%s", s.Name, s.err, s.Log())
		default:
		}
		_, secure, _ := strings.Cut(s.Secure, ":")
		_, admin, _ := strings.Cut(s.Admin, ":")
		port, ok := listeningPort(s.Pid, secure, admin)
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		return ok
	})
	return addr
}

// listeningPort finds the TCP port, another one than those, on which a process listens.
func listeningPort(pid int, others ...string) (int, bool) {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, false
	}
	ports, err := listening()
	if err != nil {
		ports = listed(pid)
	}
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		port, ok := ports[strings.TrimSuffix(strings.TrimPrefix(link, "socket:["), "]")]
		if ok && !slices.Contains(others, strconv.Itoa(port)) {
			return port, true
		}
	}
	return 0, false
}

// listed is listening by /proc.
func listed(pid int) map[string]int {
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return nil
	}
	ports := map[string]int{}
	for _, line := range strings.Split(string(table), "\n") {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if port, err := strconv.ParseInt(hex, 16, 32); err == nil {
			ports[f[9]] = int(port)
		}
	}
	return ports
}

// kill ends the process at once, with the children that write its snapshots.
func (s *Server) kill() {
	if s.group {
		_ = syscall.Kill(-s.Pid, syscall.SIGKILL) // it may have gone by itself
		return
	}
	_ = s.cmd.Process.Kill()
}

// Ready waits until the server answers PING (with -NOAUTH too) and has loaded its data; false when
// the process has gone.
func (s *Server) Ready(t testing.TB) bool {
	t.Helper()
	gone := false
	Eventually(t, startDeadline, s.Name+" answers PING", func() bool {
		gone = !s.Running()
		if gone {
			return true
		}
		reply, err := s.ping()
		return err == nil && !strings.HasPrefix(reply, "-LOADING")
	})
	return !gone
}

func (s *Server) ping() (reply string, err error) {
	network, addr := s.endpoint()
	nc, err := net.DialTimeout(network, addr, startDeadline)
	if err != nil {
		return "", err
	}
	defer func() { _ = nc.Close() }()
	if err := nc.SetDeadline(time.Now().Add(startDeadline)); err != nil {
		return "", err
	}
	if _, err := nc.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(nc).ReadString('\n')
}

// endpoint is where to dial.
func (s *Server) endpoint() (network, addr string) {
	if s.Addr == "" {
		return "unix", s.Socket
	}
	return "tcp", s.Addr
}

// Signal sends the process a signal.
func (s *Server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal %v: %v", sig, err)
	}
}

// Wait returns the exit code once the process has gone, or fails the test after the given time.
func (s *Server) Wait(t testing.TB, within time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
		t.Fatalf("%s still runs after %v; its log:\n%s", s.Name, within, s.Log())
	}
	var exit *exec.ExitError
	if errors.As(s.err, &exit) {
		return exit.ExitCode()
	}
	if s.err != nil {
		t.Fatalf("%s: %v", s.Name, s.err)
	}
	return 0
}

// Running reports whether the process is still there.
func (s *Server) Running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// RSS is the resident memory of the server's process in bytes, from /proc.
func (s *Server) RSS(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no VmRSS of process %d", s.Pid)
	return 0
}

// OpenFiles is the number of descriptors the server's process holds.
func (s *Server) OpenFiles(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
