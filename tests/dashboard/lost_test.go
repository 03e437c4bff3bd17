package dashboard_test

import (
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/larderkv/larder/tests/harness"
)

// A server that goes is missed, and found again when it is back: with the samples and the token of the
// new process.
func TestLostServer(t *testing.T) {
	port := harness.FreePort(t)
	s := harness.StartBinary(t, "admin-port "+port, "admin-password "+password, "admin-write yes", "appendonly yes", "appendfsync always")
	admin := "127.0.0.1:" + port
	s.Dial(t).MustOK("SET", "k", "v")
	b := open(t, 1000, 700)
	b.visit(admin, "")
	b.live()
	s.Kill(t)
	b.wait("that it says so", `document.querySelector("#lost").innerText.startsWith("Connection lost at") && document.querySelector("#link").innerText === "Connection lost"`)
	b.picture("lost")
	s = s.Restart(t)
	b.live()
	b.wait("nothing said any more", `document.querySelector("#lost").hidden`)
	b.took() // the browser has said what we know
	look(b, "k", "string")
	b.press(`.key .danger`)
	b.press(`dialog .danger`)
	b.wait("the deletion", `document.querySelector("#said").innerText === "Deleted."`)
	if got := s.Dial(t).Do("EXISTS", "k").Raw; got != ":0\r\n" {
		t.Errorf("EXISTS: %q", got)
	}
	b.clean(admin)
}

// A connection that is dead without having ended is noticed, too.
func TestSilentConnection(t *testing.T) {
	_, admin := start(t)
	l := newLine(t, admin)
	b := open(t, 1000, 700)
	b.visit(l.addr, "")
	b.live()
	l.hold(true)
	b.wait("that it says so", `document.querySelector("#link").innerText === "Connection lost"`)
	l.hold(false)
	b.live()
}

// A server that has no room for one more page says so, and has room again when another has gone.
func TestTooManyPages(t *testing.T) {
	_, admin := start(t)
	const most = 32
	others := make([]*http.Response, most)
	for i := range others {
		req, err := http.NewRequest(http.MethodGet, "http://"+admin+"/api/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		client := &http.Client{Transport: &http.Transport{}}
		if others[i], err = client.Do(req); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = others[i].Body.Close() // one is closed already
			client.CloseIdleConnections()
		})
	}
	b := open(t, 1000, 700)
	b.visit(admin, "")
	b.wait("that it says so", `document.querySelector("#lost").innerText.includes("32 pages are open already")`)
	b.picture("full")
	if err := others[0].Body.Close(); err != nil {
		t.Fatal(err)
	}
	b.live()
}

// A password that is changed while the page is open has it ask for the new one.
func TestPasswordChanges(t *testing.T) {
	s, admin := start(t)
	b := open(t, 1000, 700)
	b.answerLogins("admin", password)
	b.do(chromedp.Navigate("http://" + admin + "/"))
	b.live()
	s.Dial(t).MustOK("CONFIG", "SET", "admin-password", "another")
	b.wait("that it says so", `document.querySelector("#lost").innerText.includes("Log in again")`)
	b.picture("refused")
}

// line is a TCP connection between a browser and a server that can be held up.
type line struct {
	addr string
	mu   sync.RWMutex // held for writing: nothing passes
	held bool
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: ln.Addr().String()}
	var work sync.WaitGroup
	var conns sync.Map
	work.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			conns.Store(in, out)
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				work.Go(func() { l.pass(pair[0], pair[1]) })
			}
		}
	})
	t.Cleanup(func() {
		l.hold(false)
		_ = ln.Close()
		conns.Range(func(in, out any) bool {
			_, _ = in.(net.Conn).Close(), out.(net.Conn).Close()
			return true
		})
		work.Wait()
	})
	return l
}

// pass copies from one side to the other, when nothing is held up.
func (l *line) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		l.mu.RLock()
		_, failed := to.Write(b[:n])
		l.mu.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// hold holds everything up, or lets it go on.
func (l *line) hold(held bool) {
	switch {
	case held && !l.held:
		l.mu.Lock()
	case !held && l.held:
		l.mu.Unlock()
	}
	l.held = held
}
