package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// eventually polls until ok, or fails.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func load(t *testing.T, args ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load("", append([]string{"--port", "0", "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", ""}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// start serves with the parameters given until the test ends.
func start(t *testing.T, args ...string) *Server {
	t.Helper()
	s, err := Open(load(t, args...), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// peer is a client that sends lines and reads replies of one line, or bulks.
type peer struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dial(t testing.TB, network, addr string) *peer {
	t.Helper()
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have closed it
	return &peer{c, t, bufio.NewReader(c)}
}

func (p *peer) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p, line+"\r\n"); err != nil {
		p.t.Fatal(err)
	}
}

// line reads one line, "" at the end of the connection.
func (p *peer) line() string {
	p.t.Helper()
	if err := p.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	s, err := p.r.ReadString('\n')
	if err != nil && s == "" {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			p.t.Fatal(err)
		}
		return ""
	}
	return strings.TrimSuffix(s, "\r\n")
}

func (p *peer) do(line string) string {
	p.t.Helper()
	p.send(line)
	reply := p.line()
	if n := 0; strings.HasPrefix(reply, "$") {
		if _, err := fmt.Sscanf(reply, "$%d", &n); err != nil || n < 0 {
			return reply
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(p.r, b); err != nil {
			p.t.Fatal(err)
		}
		return string(b[:n])
	}
	return reply
}

func (p *peer) expect(line, want string) {
	p.t.Helper()
	if got := p.do(line); got != want {
		p.t.Errorf("%s: got %q, want %q", line, got, want)
	}
}

// each runs a test with each driver.
func each(t *testing.T, test func(t *testing.T, driver string)) {
	for _, driver := range []string{"auto", "epoll", "portable"} {
		t.Run(driver, func(t *testing.T) { test(t, driver) })
	}
}

func TestServe(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--io-threads", "2")
		p := dial(t, "tcp", s.Addrs()[0])
		p.expect("ping", "+PONG")
		p.expect("set k v", "+OK")
		p.expect("get k", "v")
		if info := p.do("info"); !strings.Contains(info, fmt.Sprintf("\r\ntcp_port:%d\r\n", s.Port())) ||
			!strings.Contains(info, "\r\nconnected_clients:1\r\n") || !strings.Contains(info, "db0:keys=1,expires=0") {
			t.Errorf("INFO:\n%s", info)
		}
		p.expect("quit", "+OK")
		if rest := p.line(); rest != "" {
			t.Errorf("after QUIT: %q", rest)
		}
	})
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "larder") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	start(t, "--unixsocket", path, "--unixsocketperm", "700")
	p := dial(t, "unix", path)
	if line := p.do("client info"); !strings.Contains(line, " flags=U ") || !strings.Contains(line, "addr="+path+":0 ") {
		t.Errorf("CLIENT INFO: %s", line)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Open(load(t, "--unixsocket", path), quiet); err == nil || !strings.Contains(err.Error(), "another server is listening") {
		t.Errorf("a second server on the socket: %v", err)
	}
}

func TestTakenPort(t *testing.T) {
	s := start(t)
	_, err := Open(load(t, "--port", fmt.Sprint(s.Port())), quiet)
	want := fmt.Sprintf("cannot listen on 127.0.0.1:%d: address already in use", s.Port())
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestBindSkipsWhatIsOptional(t *testing.T) {
	s := start(t, "--bind", "127.0.0.1 -192.0.2.77")
	if addrs := s.Addrs(); len(addrs) != 1 {
		t.Errorf("listens on %v", addrs)
	}
	if _, err := Open(load(t, "--bind", "192.0.2.77"), quiet); err == nil {
		t.Error("an address of somebody else was accepted")
	}
}

func TestShutdown(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		dir := filepath.Join(t.TempDir(), "gone")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s, err := Open(load(t, "--network-driver", driver, "--dir", dir), quiet)
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background()) }()
		p := dial(t, "tcp", s.Addrs()[0])
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		p.expect("shutdown save", "-ERR Errors trying to SHUTDOWN. Check logs.")
		p.send("set k v\r\nshutdown nosave\r\nset k w")
		if got := p.line(); got != "+OK" {
			t.Errorf("before SHUTDOWN: %q", got)
		}
		if got := p.line(); got != "" {
			t.Errorf("after SHUTDOWN: %q", got)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClientKill(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--io-threads", "2")
		addr := s.Addrs()[0]
		admin := dial(t, "tcp", addr)
		kill := func(request string) {
			t.Helper()
			victim := dial(t, "tcp", addr)
			id := victim.do("client id")[1:]
			r := strings.NewReplacer("ID", id, "ADDR", victim.LocalAddr().String())
			if got := admin.do(r.Replace(request)); got != ":1" && got != "+OK" {
				t.Errorf("%s: %s", request, got)
			}
			if got := victim.line(); got != "" {
				t.Errorf("%s: the victim read %q", request, got)
			}
			eventually(t, "the victim is gone", func() bool { return admin.do("client list id "+id) == "" })
		}
		kill("client kill id ID")
		kill("client kill ADDR")
		kill("client kill addr ADDR type normal")
		admin.expect("client kill id 99999", ":0")
		admin.expect("client kill "+admin.LocalAddr().String(), "+OK")
		if got := admin.line(); got != "" {
			t.Errorf("killed itself, then read %q", got)
		}
	})
}

func TestSleepStopsOnlyItsClient(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--enable-debug-command", "yes")
		sleeper, other := dial(t, "tcp", s.Addrs()[0]), dial(t, "tcp", s.Addrs()[0])
		sleeper.send("debug sleep 1000")
		eventually(t, "a client is blocked", func() bool { return strings.Contains(other.do("info clients"), "\r\nblocked_clients:1\r\n") })
		sleeper2 := dial(t, "tcp", s.Addrs()[0])
		sleeper2.send("debug sleep 0.02\r\nping")
		if a, b := sleeper2.line(), sleeper2.line(); a != "+OK" || b != "+PONG" {
			t.Errorf("slept, then %q, %q", a, b)
		}
		if err := sleeper.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "nobody is blocked", func() bool { return strings.Contains(other.do("info clients"), "\r\nblocked_clients:0\r\n") })
	})
}

func TestExpiredKeysAreRemoved(t *testing.T) {
	s := start(t)
	p := dial(t, "tcp", s.Addrs()[0])
	for i := range 100 {
		p.expect(fmt.Sprintf("set k%d v px 1", i), "+OK")
	}
	p.expect("set stays v", "+OK")
	eventually(t, "expired keys are gone", func() bool { return p.do("dbsize") == ":1" })
	if info := p.do("info stats"); !strings.Contains(info, "\r\nexpired_keys:100\r\n") {
		t.Errorf("INFO stats:\n%s", info)
	}
	p.expect("config resetstat", "+OK")
	if info := p.do("info stats"); !strings.Contains(info, "\r\nexpired_keys:0\r\n") {
		t.Errorf("INFO stats after RESETSTAT:\n%s", info)
	}
}

func TestConfigReachesTheStore(t *testing.T) {
	s := start(t, "--hash-max-listpack-entries", "1")
	p := dial(t, "tcp", s.Addrs()[0])
	p.expect("hset a f v g v", ":2")
	p.expect("object encoding a", "hashtable")
	p.expect("config set hash-max-listpack-entries 5 maxmemory-policy allkeys-lfu", "+OK")
	p.expect("hset b f v g v", ":2")
	p.expect("object encoding b", "listpack")
	p.expect("object idletime b", "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "+
		"between policies at runtime LRU and LFU data will take some time to adjust.")
}

// TestDefaultEncodings: a store of its own has the limits that the configuration begins with.
func TestDefaultEncodings(t *testing.T) {
	configured, built := reflect.ValueOf(start(t).store.Encodings()).Elem(), reflect.ValueOf(store.NewEncodings()).Elem()
	for i := range built.NumField() {
		got, want := built.Field(i).Addr().MethodByName("Load").Call(nil)[0], configured.Field(i).Addr().MethodByName("Load").Call(nil)[0]
		if !got.Equal(want) {
			t.Errorf("%s is %v, the configuration says %v", built.Type().Field(i).Name, got, want)
		}
	}
}

// TestClientsSeeEachOther lists and kills while clients come, work and go on
// several loops. The race detector is what fails.
func TestClientsSeeEachOther(t *testing.T) {
	each(t, func(t *testing.T, driver string) {
		s := start(t, "--network-driver", driver, "--io-threads", "2")
		addr := s.Addrs()[0]
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 15 {
					p := dial(t, "tcp", addr)
					p.send(fmt.Sprintf("client setname c%d\r\nselect %d\r\nwatch a\r\nmulti\r\nset a %d\r\nexec\r\nclient list\r\nflushdb", w, w, i))
					for p.line() != "" && i%3 == 0 {
						if p.r.Buffered() == 0 {
							break
						}
					}
					_ = p.Close()
				}
			}()
		}
		admin := dial(t, "tcp", addr)
		for i := range 60 {
			admin.do("client list")
			admin.do("info everything")
			admin.do(fmt.Sprintf("client kill id %d", i+2))
		}
		wg.Wait()
		admin.expect("ping", "+PONG")
	})
}
