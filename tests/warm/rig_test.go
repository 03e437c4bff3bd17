// Package warm tests what fills servers and what exports them, against larder and Redis.
package warm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/cmd/warm"
	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// kinds start a server of either kind.
var kinds = map[string]func(t testing.TB, params ...string) *harness.Server{
	"larder": func(t testing.TB, params ...string) *harness.Server {
		return harness.Start(t, append(params, "enable-debug-command yes")...)
	},
	"redis": harness.StartRedis,
}

func eachKind(t *testing.T, f func(t *testing.T, s *harness.Server)) {
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) { f(t, start(t)) })
	}
}

// file writes a file into the test's folder.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func options(addr, from string) warm.Options {
	return warm.Options{
		Target: client.Target{Addr: addr, DB: -1}, From: from,
		Wait: harness.Patience, Timeout: harness.Patience,
	}
}

// mustWarm takes in a file of which nothing may fail.
func mustWarm(t *testing.T, o warm.Options) warm.Report {
	t.Helper()
	r, err := warm.Run(t.Context(), o)
	if err != nil || r.Failed != 0 {
		t.Fatalf("%+v, %v\n%s", r.Counts, err, listed(&r))
	}
	return r
}

func listed(r *warm.Report) string {
	var b bytes.Buffer
	r.ListErrors(&b)
	return b.String()
}

func export(t *testing.T, s *harness.Server, format, pattern string, db int) string {
	t.Helper()
	var b bytes.Buffer
	o := warm.ExportOptions{Target: client.Target{Addr: s.Addr, DB: db}, Format: format, Pattern: pattern,
		Timeout: harness.Patience}
	r, err := warm.Export(t.Context(), &b, o)
	if err != nil || r.Failed != 0 {
		t.Fatalf("%s: %+v, %v\n%s", format, r.Counts, err, listed(&r))
	}
	return b.String()
}

func random(rnd *rand.Rand) string {
	switch rnd.IntN(5) {
	case 0:
		return strconv.Itoa(rnd.IntN(1 << 40))
	case 1:
		return fmt.Sprintf("text \"ü\", \r\n\\%d", rnd.IntN(100))
	case 2:
		return strings.Repeat("long ", rnd.IntN(100))
	}
	b := make([]byte, rnd.IntN(30))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return string(b)
}

var scores = []string{"1", "-0.1", "3e-300", "inf", "-inf", "9007199254740992", "0.30000000000000004"}

// fill makes keys of all types, small and large, some of which expire.
func fill(c *harness.Conn, rnd *rand.Rand, n int) {
	for i := range n {
		key := fmt.Sprintf("k:%d:%s", i, random(rnd))
		args := []string{[]string{"SET", "RPUSH", "SADD", "HSET", "ZADD"}[i%5], key}
		items := []int{1, 3, 40, 700}[rnd.IntN(4)]
		if i%5 == 0 {
			items = 1
		}
		for j := range items {
			switch args[0] {
			case "HSET":
				args = append(args, random(rnd)+strconv.Itoa(j))
			case "ZADD":
				args = append(args, scores[rnd.IntN(len(scores))])
			}
			if args[0] == "SADD" && i%2 == 0 {
				args = append(args, strconv.Itoa(j*rnd.IntN(1000)))
			} else {
				args = append(args, random(rnd))
			}
		}
		c.Do(args...)
		if i%3 == 0 {
			c.Do("PEXPIRE", key, strconv.Itoa(1_000_000+rnd.IntN(1_000_000)))
		}
	}
}

// proxy passes bytes on to a server, and closes each connection after so many from the client.
type proxy struct {
	addr  string
	cut   atomic.Int64 // bytes, 0: never
	times atomic.Int64 // connections that were cut
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: l.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			go pass(server, c, nil)
			go pass(c, server, p)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return p
}

// pass copies until either end closes, or the proxy cuts.
func pass(from, to net.Conn, p *proxy) {
	defer func() {
		_, _ = from.Close(), to.Close()
	}()
	buf := make([]byte, 4096)
	for sent := int64(0); ; {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
		if sent += int64(n); p != nil && p.cut.Load() > 0 && sent > p.cut.Load() {
			p.times.Add(1)
			return
		}
	}
}

// canceled is what a run returns that was interrupted.
func canceled(err error) bool { return errors.Is(err, context.Canceled) }
