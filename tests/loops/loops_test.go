// Package loops changes the number of event loops of a running server while clients of all kinds use
// it. A connection that moves from one loop to another must not notice: no reply, message or element is
// lost, doubled or out of its place, and nobody is disconnected.
package loops

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/certtest"
	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// crowd is the clients of a server whose loops come and go.
type crowd struct {
	t      *testing.T
	server *harness.Server
	seed   uint64
	over   atomic.Bool
	rounds atomic.Int64 // what the clients have done, so that the loops do not change faster than that
	done   sync.WaitGroup
}

// member starts a client that does step until the test is over.
func (w *crowd) member(name string, step func(r *rand.Rand, round int) error) {
	w.done.Go(func() {
		r := rand.New(rand.NewPCG(w.seed, uint64(len(name))))
		for round := 0; !w.over.Load(); round++ {
			if err := step(r, round); err != nil {
				w.t.Errorf("%s, round %d: %v", name, round, err)
				w.over.Store(true)
			}
			w.rounds.Add(1)
		}
	})
}

// expect reads replies that are these texts.
func expect(c *harness.Conn, texts ...string) error {
	for _, want := range texts {
		if r, err := c.TryRead(); err != nil || r.Text != want {
			return fmt.Errorf("%.100q, %v, want %.100q", r.Raw, err, want)
		}
	}
	return nil
}

// ask sends a request and expects a reply.
func ask(c *harness.Conn, want string, args ...string) error {
	if err := c.TryWrite(harness.Encode(args...)); err != nil {
		return err
	}
	return expect(c, want)
}

// counting pipelines INCRs of a key of its own, some in transactions, in pieces, with long replies in
// between: each answer is one more than the one before.
func counting(c *harness.Conn, key string) func(r *rand.Rand, round int) error {
	n := 0
	return func(r *rand.Rand, _ int) error {
		var send strings.Builder
		var want []string
		for range 1 + r.IntN(40) {
			n++
			switch r.IntN(10) {
			case 0:
				size := strconv.Itoa(1 + r.IntN(100_000))
				send.WriteString(harness.Encode("SETRANGE", key+":long", size, "x") +
					harness.Encode("GETRANGE", key+":long", "-1", "-1") + harness.Encode("GETRANGE", key+":long", "0", "0") +
					harness.Encode("DEL", key+":long") + harness.Encode("INCR", key))
				length, _ := strconv.Atoi(size)
				want = append(want, strconv.Itoa(length+1), "x", "\x00", "1", strconv.Itoa(n))
			case 1:
				long := strings.Repeat("v", r.IntN(100_000))
				send.WriteString(harness.Encode("ECHO", long) + harness.Encode("INCR", key))
				want = append(want, long, strconv.Itoa(n))
			default:
				send.WriteString(harness.Encode("INCR", key))
				want = append(want, strconv.Itoa(n))
			}
		}
		sent := make(chan error, 1)
		text := send.String()
		at := r.IntN(len(text))
		go func() {
			err := c.TryWrite(text[:at])
			if err == nil {
				err = c.TryWrite(text[at:])
			}
			sent <- err
		}()
		if err := expect(c, want...); err != nil {
			return err
		}
		return <-sent
	}
}

// queues has one client wait for what another one pushes: each element arrives once, in its order.
func (w *crowd) queues(i int) {
	pusher, popper := w.server.Dial(w.t), w.server.Dial(w.t)
	list := "list:" + strconv.Itoa(i)
	w.member(list, func(r *rand.Rand, round int) error {
		if err := popper.TryWrite(harness.Encode("BLPOP", list, list+":other", "0")); err != nil {
			return err
		}
		if r.IntN(2) == 0 { // it has to wait
			if err := ask(pusher, "PONG", "PING"); err != nil {
				return err
			}
		}
		element := strconv.Itoa(round)
		if err := ask(pusher, "1", "RPUSH", list, element); err != nil {
			return err
		}
		got, err := popper.TryRead()
		if err != nil || len(got.Elems) != 2 || got.Elems[1].Text != element {
			return fmt.Errorf("popped %q, %v, want %s", got.Raw, err, element)
		}
		return nil
	})
}

// listeners are told of numbered messages: as subscribers, and by MONITOR of who publishes them.
func (w *crowd) listeners() {
	publisher := w.server.Dial(w.t)
	var all []*harness.Conn
	for i := range 4 {
		c := w.server.DialRESP(w.t, 2+i%2)
		c.Do("SUBSCRIBE", "news")
		all = append(all, c)
	}
	monitor := w.server.Dial(w.t)
	monitor.MustOK("MONITOR")
	w.member("publisher", func(r *rand.Rand, round int) error {
		count := 1 + r.IntN(20)
		var send strings.Builder
		for i := range count {
			send.WriteString(harness.Encode("PUBLISH", "news", fmt.Sprintf("%d.%d", round, i)))
		}
		if err := publisher.TryWrite(send.String()); err != nil {
			return err
		}
		for range count {
			if err := expect(publisher, strconv.Itoa(len(all))); err != nil {
				return err
			}
		}
		for i := range count {
			want := fmt.Sprintf("%d.%d", round, i)
			for n, c := range all {
				if got, err := c.TryRead(); err != nil || len(got.Elems) != 3 || got.Elems[2].Text != want {
					return fmt.Errorf("subscriber %d: %q, %v, want %s", n, got.Raw, err, want)
				}
			}
			if err := monitored(monitor, `"PUBLISH" "news" "`+want+`"`); err != nil {
				return err
			}
		}
		return nil
	})
}

// monitored reads MONITOR's lines up to the next PUBLISH, which is to end in want.
func monitored(monitor *harness.Conn, want string) error {
	for {
		line, err := monitor.TryRead()
		if err != nil {
			return err
		}
		if !strings.Contains(line.Text, `"PUBLISH"`) {
			continue
		}
		if !strings.HasSuffix(line.Text, want) {
			return fmt.Errorf("MONITOR says %s, want %s", line.Text, want)
		}
		return nil
	}
}

// tracker reads a key that another one changes: it is told of each change, once, before the next reply.
func (w *crowd) tracker() {
	reader, writer := w.server.DialRESP(w.t, 3), w.server.Dial(w.t)
	reader.MustOK("CLIENT", "TRACKING", "ON")
	w.member("tracker", func(_ *rand.Rand, round int) error {
		value := strconv.Itoa(round)
		if err := ask(writer, "OK", "SET", "tracked", value); err != nil {
			return err
		}
		if round > 0 {
			if told, err := reader.TryRead(); err != nil || told.Kind != '>' || !strings.Contains(told.Raw, "tracked") {
				return fmt.Errorf("%q, %v, want an invalidation", told.Raw, err)
			}
		}
		return ask(reader, value, "GET", "tracked")
	})
}

// scripts that take long hand their loop over, and come back to it when it may have no other connection.
func (w *crowd) scripts() {
	c := w.server.Dial(w.t)
	const script = "local n = 0 for i = 1, tonumber(ARGV[1]) do n = n + 1 end redis.call('INCR', KEYS[1]) return n"
	w.member("script", func(r *rand.Rand, _ int) error {
		turns := strconv.Itoa(r.IntN(100_000))
		request := harness.Encode("EVAL", script, "1", "script:runs", turns)
		if err := c.TryWrite(request + harness.Encode("ECHO", "behind")); err != nil {
			return err
		}
		return expect(c, turns, "behind")
	})
}

// TestMoving is described above the package.
func TestMoving(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		dir := t.TempDir()
		config := certificate(t, dir)
		s := harness.Start(t, "network-driver "+driver, "io-threads 2", "busy-reply-threshold 600000",
			"port "+harness.FreePort(t), "tls-port "+harness.FreePort(t), "tls-auth-clients no",
			"tls-cert-file "+filepath.Join(dir, "server.crt"), "tls-key-file "+filepath.Join(dir, "server.key"))
		w := &crowd{t: t, server: s, seed: randtest.Seed(t)}
		for i := range 6 {
			w.member(fmt.Sprint("plain ", i), counting(s.Dial(t), fmt.Sprint("plain:", i)))
		}
		for i := range 4 {
			w.member(fmt.Sprint("tls ", i), counting(s.DialTLS(t, config), fmt.Sprint("tls:", i)))
		}
		for i := range 3 {
			w.queues(i)
		}
		w.listeners()
		w.tracker()
		w.scripts()
		w.changeLoops(40)
		w.over.Store(true)
		w.done.Wait()
	})
}

// changeLoops is what it is all about.
func (w *crowd) changeLoops(times int) {
	r := rand.New(rand.NewPCG(w.seed, 0))
	admin := w.server.Dial(w.t)
	for range times {
		n := strconv.Itoa(1 + r.IntN(8))
		admin.MustOK("CONFIG", "SET", "io-threads", n)
		if got := admin.Do("CONFIG", "GET", "io-threads"); len(got.Elems) != 2 || got.Elems[1].Text != n {
			w.t.Errorf("CONFIG GET io-threads says %q after it was set to %s", got.Raw, n)
		}
		until := w.rounds.Load() + int64(r.IntN(60))
		harness.Eventually(w.t, harness.Patience, "the clients go on", func() bool {
			return w.rounds.Load() >= until || w.over.Load()
		})
	}
}

// certificate writes that of a server to a folder, and returns what its clients need.
func certificate(t *testing.T, dir string) *tls.Config {
	t.Helper()
	c, err := certtest.Sign(&x509.Certificate{
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"larder"}, IsCA: true, BasicConstraintsValid: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := certtest.Write(c, filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return &tls.Config{RootCAs: pool, ServerName: "larder"}
}

// TestDriverInfo: INFO says how connections are driven, and so what auto has come to.
func TestDriverInfo(t *testing.T) {
	harness.EachDriver(t, func(t *testing.T, driver string) {
		want := driver
		if driver == "portable" {
			want = "goroutines"
		}
		s := harness.Start(t, "network-driver "+driver)
		if got := s.Dial(t).Info("server", "multiplexing_api"); got != want {
			t.Errorf("multiplexing_api:%s, want %s", got, want)
		}
	})
	want := "epoll"
	if netloop.ProbeURing() == nil {
		want = "io_uring"
	}
	if got := harness.Start(t, "network-driver auto").Dial(t).Info("server", "multiplexing_api"); got != want {
		t.Errorf("multiplexing_api:%s, want %s with auto", got, want)
	}
}
