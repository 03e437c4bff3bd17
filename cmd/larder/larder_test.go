package main

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/server/config"
)

// The tests run the program as a process: this test binary is larder if asMain is set in its
// environment.
const asMain = "LARDER_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a process may take to do what it is expected to do.
const patience = 2 * time.Minute

// process is a running larder.
type process struct {
	*exec.Cmd
	t      *testing.T
	lines  chan string // standard output
	stderr bytes.Buffer
}

func start(t *testing.T, stdin string, args ...string) *process {
	t.Helper()
	return startCommand(t, stdin, nil, os.Args[0], args...)
}

// startCommand runs a command that ends up as larder, with descriptors from 3 on.
func startCommand(t *testing.T, stdin string, files []*os.File, name string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(name, args...), t: t, lines: make(chan string, 1000)}
	p.ExtraFiles = files
	p.Env = append(os.Environ(), asMain+"=1")
	p.Stdin = strings.NewReader(stdin)
	p.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = p.Process.Kill() }) // it may be gone already
	t.Cleanup(func() {
		kill.Stop()
		_ = p.Process.Kill() // it may be gone already
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// line returns the first line of output from now on that contains part.
func (p *process) line(part string) string {
	p.t.Helper()
	var seen []string
	for l := range p.lines {
		if strings.Contains(l, part) {
			return l
		}
		seen = append(seen, l)
	}
	p.t.Fatalf("no line with %q:\n%s\n%s", part, strings.Join(seen, "\n"), p.stderr.String())
	return ""
}

// end waits for the process and returns what was left of its output and its exit code.
func (p *process) end() (output []string, code int) {
	p.t.Helper()
	for l := range p.lines {
		output = append(output, l)
	}
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return output, p.ProcessState.ExitCode()
}

// address reads from the line that announces the server where it listens.
func (p *process) address() string {
	p.t.Helper()
	l := p.line("listen=")
	_, rest, _ := strings.Cut(l, "listen=")
	addr, _, _ := strings.Cut(strings.Trim(rest, `"`), " ")
	return strings.Trim(addr, `"`)
}

func ping(t *testing.T, network, addr string) {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || reply != "+PONG\r\n" {
		t.Fatalf("PING: %q, %v", reply, err)
	}
}

func TestServeAndStop(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "port 0\nbind 127.0.0.1\ndir "+dir+"\npidfile larder.pid\nunixsocket larder.sock\nunixsocketperm 700\nappendonly yes\ndaemonize yes\n",
		"serve", "-", "--loglevel", "notice")
	addr := p.address()
	p.line("daemonize")
	ping(t, "tcp", addr)
	ping(t, "unix", filepath.Join(dir, "larder.sock"))
	if pid, err := os.ReadFile(filepath.Join(dir, "larder.pid")); err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(p.Process.Pid) {
		t.Errorf("pidfile: %q, %v", pid, err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if out, code := p.end(); code != 0 || p.stderr.Len() != 0 {
		t.Errorf("exit code %d\n%s\n%s", code, strings.Join(out, "\n"), p.stderr.String())
	}
	if left, err := filepath.Glob(filepath.Join(dir, "larder.*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestDriverIsLogged: the line that announces the server says what network-driver has come to, as INFO does.
func TestDriverIsLogged(t *testing.T) {
	for _, driver := range []string{"auto", "portable"} {
		p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--network-driver", driver)
		l := p.line("listen=")
		_, rest, _ := strings.Cut(l, "listen=")
		conn, err := net.Dial("tcp", strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("INFO server\r\n")); err != nil {
			t.Fatal(err)
		}
		used := ""
		for lines := bufio.NewScanner(conn); used == "" && lines.Scan(); {
			if name, value, _ := strings.Cut(lines.Text(), ":"); name == "multiplexing_api" {
				used = value
			}
		}
		if used == "" || !strings.Contains(l, " driver="+used+" ") {
			t.Errorf("%s: INFO says %q, the log\n%s", driver, used, l)
		}
	}
}

func TestLogFileAndLevel(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", dir, "--logfile", "larder.log", "--loglevel", "warning", "--daemonize", "yes")
	var content []byte
	for deadline := time.Now().Add(patience); !strings.Contains(string(content), "daemonize"); {
		if time.Now().After(deadline) {
			t.Fatalf("nothing in the log: %s\n%s", content, p.stderr.String())
		}
		var err error
		if content, err = os.ReadFile(filepath.Join(dir, "larder.log")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if strings.Contains(string(content), "level=notice") {
		t.Errorf("loglevel warning shows notices:\n%s", content)
	}
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if out, code := p.end(); code != 0 || len(out) != 0 {
		t.Errorf("exit code %d, standard output %q", code, out)
	}
}

// TestRefusals: each mistake is one clear line and exit code 1.
func TestRefusals(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, taken, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(file, []byte("port 0\nhz ten\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"port taken", []string{"serve", "--bind", "127.0.0.1", "--port", taken}, "address already in use"},
		{"missing file", []string{"serve", filepath.Join(dir, "none.conf")}, "no such file or directory"},
		{"folder as file", []string{"serve", dir}, "is a directory"},
		{"bad line", []string{"serve", file}, file + ":2: 'hz ten': argument couldn't be parsed into an integer"},
		{"bad flag", []string{"serve", "--nosuch", "1"}, "command line: '--nosuch 1': there is no parameter of this name"},
		{"missing dir", []string{"serve", "--dir", filepath.Join(dir, "none")}, "No such file or directory"},
		{"log in missing folder", []string{"serve", "--port", "0", "--logfile", filepath.Join(dir, "none", "log")}, "logfile: cannot write to"},
		{"unknown command", []string{"sreve"}, `unknown command "sreve"`},
		{"unknown subcommand", []string{"config", "prnt"}, `unknown command "prnt"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, "", test.args...)
			_, code := p.end()
			text := p.stderr.String()
			if code != 1 || !strings.HasPrefix(text, "larder: ") || strings.Count(text, "\n") != 1 || !strings.Contains(text, test.want) {
				t.Errorf("exit code %d, standard error:\n%swant one line with: %s", code, text, test.want)
			}
		})
	}
}

func TestSplitArgs(t *testing.T) {
	for _, test := range []struct {
		args, file string
		flags      []string
	}{
		{"", "", nil},
		{"redis.conf", "redis.conf", nil},
		{"redis.conf --port 1", "redis.conf", []string{"--port", "1"}},
		{"--port 1", "", []string{"--port", "1"}},
		{"-", "-", nil},
		{"- --port 1", "-", []string{"--port", "1"}},
		{"--port 1 -", "-", []string{"--port", "1"}},
	} {
		file, flags := splitArgs(strings.Fields(test.args))
		if file != test.file || !slices.Equal(flags, test.flags) {
			t.Errorf("%q: %q %q", test.args, file, flags)
		}
	}
}

// TestPrintedParametersAreAFile: what `config print` prints can be served.
func TestPrintedParametersAreAFile(t *testing.T) {
	p := start(t, "", "config", "print")
	out, code := p.end()
	file := filepath.Join(t.TempDir(), "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(out, "\n")), 0o600); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d", err, code)
	}
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Ignored()) != 0 || len(cfg.Cautions()) != 0 {
		t.Errorf("these are not the defaults: %v", cfg.Ignored())
	}
	for _, row := range config.Params() {
		if !slices.ContainsFunc(out, func(l string) bool { return strings.HasPrefix(l, row.Name+" ") }) {
			t.Errorf("%s is missing", row.Name)
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	p := start(t, "", "serve", "--help")
	out, code := p.end()
	text := strings.Join(out, "\n")
	for _, row := range config.Params() {
		if !strings.Contains(text, "--"+row.Name) {
			t.Errorf("--%s is missing (exit code %d)", row.Name, code)
		}
	}
}

func readme(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestReadmeListsWhatHasNoEffect keeps the list in the README true.
func TestReadmeListsWhatHasNoEffect(t *testing.T) {
	want := inertTable()
	if !strings.Contains(readme(t), want) {
		t.Errorf("README.md should have this list of parameters without effect:\n%s", want)
	}
}

// TestReadmeListsWhatActs: the table of parameters in the README has all that larder acts on.
func TestReadmeListsWhatActs(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "\n| parameters | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	names := regexp.MustCompile("`[a-z-]+\\*?`").FindAllString(table, -1)
	listed := func(param string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			start, many := strings.CutSuffix(strings.Trim(name, "`"), "*")
			return param == start || many && strings.HasPrefix(param, start)
		})
	}
	for _, row := range config.Params() {
		if row.Inert == "" && !listed(row.Name) {
			t.Errorf("README.md: add `%s` to the table of parameters", row.Name)
		}
	}
}

// inertTable groups the parameters without effect by their reasons, as Markdown.
func inertTable() string {
	var reasons []string
	names := map[string][]string{}
	for _, row := range config.Params() {
		if row.Inert == "" {
			continue
		}
		if names[row.Inert] == nil {
			reasons = append(reasons, row.Inert)
		}
		names[row.Inert] = append(names[row.Inert], "`"+row.Name+"`")
	}
	var b strings.Builder
	for _, reason := range reasons {
		b.WriteString("- " + reason + ": " + strings.Join(names[reason], ", ") + "\n")
	}
	return b.String()
}

// TestReadmeListsForeignDirectives keeps the list of other servers' parameters true.
func TestReadmeListsForeignDirectives(t *testing.T) {
	var want strings.Builder
	for _, group := range config.Foreign() {
		want.WriteString("- " + group.Why + ": `" + strings.Join(group.Names, "`, `") + "`\n")
	}
	if !strings.Contains(readme(t), want.String()) {
		t.Errorf("README.md should have this list of other servers' parameters:\n%s", &want)
	}
}

// TestSecondSignal: with a client that does not read its replies, the first signal waits, a SIGTERM
// behind it changes nothing, and a SIGINT does not wait.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", dir, "--pidfile", "larder.pid")
	addr := p.address()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const size, reads = 1 << 20, 200
	request := "SET k " + strings.Repeat("x", 1000) + "\r\nSETRANGE k " + strconv.Itoa(size) + " y\r\n" + strings.Repeat("GET k\r\n", reads)
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	// Replies have begun to come: the server owes this client more than the sockets hold.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, step := range []struct {
		signal syscall.Signal
		line   string
	}{
		{syscall.SIGTERM, "stopping; SIGINT stops at once"},
		{syscall.SIGTERM, "stopping already"},
		{syscall.SIGINT, "stopped at once"},
	} {
		if err := p.Process.Signal(step.signal); err != nil {
			t.Fatal(err)
		}
		p.line(step.line)
	}
	if _, code := p.end(); code != 1 || time.Since(began) > patience/6 {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	if _, err := os.Stat(filepath.Join(dir, "larder.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pidfile is left: %v", err)
	}
}

// TestSignalAfterRefusal: a signal that cannot be obeyed, since the data cannot be saved, does not
// make the next one that which stops at once and saves nothing.
func TestSignalAfterRefusal(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", dir, "--save", "3600 1", "--dbfilename", "data.rdb")
	p.address()
	dump := filepath.Join(dir, "data.rdb")
	if err := os.Mkdir(dump, 0o755); err != nil { // a file cannot take the place of a folder
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.line("not stopping")
	}
	if err := os.Remove(dump); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if out, code := p.end(); code != 0 {
		t.Errorf("exit code %d\n%s\n%s", code, strings.Join(out, "\n"), p.stderr.String())
	}
	if info, err := os.Stat(dump); err != nil || info.IsDir() {
		t.Errorf("nothing was saved: %v", err)
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version", "-v"} {
		out, code := start(t, "", arg).end()
		if want := "larder " + config.Version + " (clients see Redis " + config.RedisVersion; code != 0 || len(out) != 1 || !strings.HasPrefix(out[0], want) {
			t.Errorf("%s: %q, exit code %d", arg, out, code)
		}
	}
}
