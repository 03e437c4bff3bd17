package admin_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/harness"
)

// raw sends bytes on a connection of its own, and returns the status of the reply, 0 for a connection
// that was closed without one.
func (r *rig) raw(text string) int {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.admin)
	if err != nil {
		r.t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(nc, text) }() // it may be cut off
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0
	}
	return resp.StatusCode // Close would wait for the end of a body that has none
}

// Requests that are none, too long, or ask for what there is not.
func TestStrangeRequests(t *testing.T) {
	r := start(t, "admin-write yes")
	headers := "Host: localhost\r\nAuthorization: Basic YWRtaW46" + "YS1wYXNzd29yZC1vZi1tYW55LWxldHRlcnM=" + "\r\n"
	for text, want := range map[string]int{
		"GET /api/server HTTP/1.1\r\n" + headers + "\r\n":                       200,
		"GET /api/../api/server HTTP/1.1\r\n" + headers + "\r\n":                400,
		"GET /../../../../etc/passwd HTTP/1.1\r\n" + headers + "\r\n":           400,
		"GET /api/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + headers + "\r\n":     400,
		"GET /..%5c..%5cwindows HTTP/1.1\r\n" + headers + "\r\n":                400,
		"GET //etc/passwd HTTP/1.1\r\n" + headers + "\r\n":                      400,
		"GET /api/server%00 HTTP/1.1\r\n" + headers + "\r\n":                    400,
		"GET /debug/pprof/..%2f..%2fapi HTTP/1.1\r\n" + headers + "\r\n":        400,
		"GET http://evil.example/api/server HTTP/1.1\r\n" + headers + "\r\n":    421,
		"GET /api/server HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                400,
		"GET /api/server HTTP/1.1\r\n\r\n":                                      400,
		"GET /api/server HTTP/1.0\r\n\r\n":                                      421,
		"GET /nothing HTTP/1.1\r\n" + headers + "\r\n":                          404,
		"GET /debug/pprof/nothing HTTP/1.1\r\n" + headers + "\r\n":              404,
		"POST /api/server HTTP/1.1\r\n" + headers + "Content-Length: 0\r\n\r\n": 405,
		"DELETE /metrics HTTP/1.1\r\n" + headers + "\r\n":                       405,
		"TRACE / HTTP/1.1\r\n" + headers + "\r\n":                               405,
		"OPTIONS * HTTP/1.1\r\n" + headers + "\r\n":                             400,
		"CONNECT evil.example:80 HTTP/1.1\r\n" + headers + "\r\n":               421,
		"GET /api/keys?db=1;type=set HTTP/1.1\r\n" + headers + "\r\n":           400,
		"GET /api/keys?db=%zz HTTP/1.1\r\n" + headers + "\r\n":                  400,
		"GET /api/keys?db=1&db=2 HTTP/1.1\r\n" + headers + "\r\n":               400,
		"GARBAGE\r\n\r\n":                  400,
		"*1\r\n$4\r\nPING\r\n":             400,
		"\x16\x03\x01\x02\x00\x01\r\n\r\n": 400,
		"GET /api/server HTTP/1.1\r\n" + headers + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                   431,
		"GET /api/server HTTP/1.1\r\n" + headers + strings.Repeat("X: y\r\n", 10000) + "\r\n":                         431,
		"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + headers + "\r\n":                                    431,
		"GET /api/server HTTP/1.1\r\n" + headers + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n": 200,
		"GET /api/server HTTP/1.1\r\n" + headers + "Content-Length: -1\r\n\r\n":                                       400,
		"GET /api/server HTTP/9.9\r\n" + headers + "\r\n":                                                             505,
	} {
		if got := r.raw(text); got != want {
			t.Errorf("%.70q: %d, want %d", text, got, want)
		}
	}
	r.expect(400, "GET", "/debug/pprof/profile?seconds=100000")
	r.expect(400, "GET", "/debug/pprof/trace?seconds=1e9")
	if pong := r.conn.Do("PING"); pong.Text != "PONG" {
		t.Errorf("%s", pong)
	}
}

// files is how many descriptors the process has, those of tests included.
func files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not say which files are open")
	}
	return len(entries)
}

// Connections that say nothing, or say it byte by byte, keep nobody out, and are no more than there
// may be, however many come.
func TestSlowConnections(t *testing.T) {
	const many = 2000
	r := start(t)
	before := files(t)
	var slow []net.Conn
	defer func() {
		for _, nc := range slow {
			_ = nc.Close()
		}
	}()
	for i := range many {
		nc, err := net.Dial("tcp", r.admin)
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, nc)
		if i%2 == 0 {
			_, _ = io.WriteString(nc, "GET /api/server HTTP/1.1\r\nX-") // it may have been closed already
		}
		if i%100 == 99 {
			r.http.CloseIdleConnections() // or the next request would have a place
			r.expect(200, "GET", "/api/server")
			if pong := r.conn.Do("PING"); pong.Text != "PONG" {
				t.Fatalf("%s", pong)
			}
		}
	}
	harness.Eventually(t, patience, "those beyond the bound are closed", func() bool { return files(t)-before-many <= 300 })
}

// Connections that ask for what anybody may have, or without a password, and do not read it, keep
// nobody out.
func TestRepliesThatNobodyReads(t *testing.T) {
	const many, each = 300, 400 // of replies of 18 KB, more than sockets take
	r := start(t)
	r.http.CloseIdleConnections()
	var deaf sync.WaitGroup
	for range many {
		nc, err := net.Dial("tcp", r.admin)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_ = nc.(*net.TCPConn).SetReadBuffer(4096)
		_ = nc.SetWriteDeadline(time.Now().Add(patience))
		deaf.Go(func() {
			_, _ = io.WriteString(nc, strings.Repeat("GET /page/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n", each))
		})
	}
	deaf.Wait()
	for range 50 {
		if status := r.raw("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
			t.Fatalf("status %d", status)
		}
		nc, err := net.Dial("tcp", r.admin) // and one more that keeps a place
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		_, _ = io.WriteString(nc, strings.Repeat("GET /page/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n", each))
	}
}

// A user who does not read what is said of the cache's health keeps no other from it, nor from the
// prefixes.
func TestHealthThatNobodyReads(t *testing.T) {
	const prefixes, many = 500, 300 // of replies of 40 KB, more than sockets take
	r := start(t)
	for i := range prefixes {
		r.conn.Do("GET", fmt.Sprintf("%s%d:x", strings.Repeat("p", 40), i))
	}
	deaf, err := net.Dial("tcp", r.admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	_ = deaf.(*net.TCPConn).SetReadBuffer(4096)
	_ = deaf.SetWriteDeadline(time.Now().Add(patience))
	const request = "GET /health/cache HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWRtaW46YS1wYXNzd29yZC1vZi1tYW55LWxldHRlcnM=\r\n\r\n"
	if _, err := io.WriteString(deaf, strings.Repeat(request, many)); err != nil {
		t.Fatal(err)
	}
	r.http.Timeout = 25 * time.Second // the deaf one has 30
	for range 50 {
		r.expect(200, "GET", "/api/prefixes?top=1")
		r.expect(200, "GET", "/health/cache")
	}
}

// Ten thousand pages that want samples: 32 get them, the others an answer or a closed connection, and
// clients of the data port do not notice.
func TestManyPages(t *testing.T) {
	const many, atOnce = 10_000, 500
	r := start(t)
	request := "GET /api/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWRtaW46YS1wYXNzd29yZC1vZi1tYW55LWxldHRlcnM=\r\n\r\n"
	var live, refused, closed atomic.Int64
	var open sync.Map
	turns := make(chan struct{}, atOnce)
	var pages sync.WaitGroup
	page := func() {
		defer func() { <-turns }()
		nc, err := net.Dial("tcp", r.admin)
		if err != nil {
			t.Error(err)
			return
		}
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(nc, request) // it may have been closed already
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		switch {
		case err != nil:
			closed.Add(1)
		case resp.StatusCode == 200:
			live.Add(1)
			open.Store(nc, true)
			return
		case resp.StatusCode == 503:
			refused.Add(1)
		default:
			t.Errorf("status %d", resp.StatusCode)
		}
		_ = nc.Close()
	}
	done := make(chan struct{})
	go func() {
		for range many {
			turns <- struct{}{}
			pages.Go(page)
		}
		pages.Wait()
		close(done)
	}()
	pings := 0
	for more := true; more; pings++ {
		if pong := r.conn.Do("PING"); pong.Text != "PONG" {
			t.Fatalf("%s", pong)
		}
		select {
		case <-done:
			more = false
		default:
		}
	}
	if live.Load() != 32 || live.Load()+refused.Load()+closed.Load() != many || refused.Load() == 0 {
		t.Errorf("%d pages get samples, %d are refused, %d were closed", live.Load(), refused.Load(), closed.Load())
	}
	open.Range(func(nc, _ any) bool { return nc.(net.Conn).Close() == nil })
	harness.Eventually(t, patience, "there is room again", func() bool { return r.raw(request) == 200 })
	t.Logf("%d pings meanwhile", pings)
}

// A flood of requests by many at once is answered or cut off, and leaves nothing behind.
func TestFloodOfRequests(t *testing.T) {
	r := start(t)
	var clients sync.WaitGroup
	for i := range 300 {
		clients.Go(func() {
			for j := range 5 {
				switch status := r.raw(fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n", []string{"healthz", "metrics", "x"}[(i+j)%3])); status {
				case 0, 200, 401, 404:
				default:
					t.Errorf("status %d", status)
				}
			}
		})
	}
	clients.Wait()
	r.expect(200, "GET", "/metrics")
}
