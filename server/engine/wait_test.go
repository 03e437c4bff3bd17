package engine

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderkv/larder/server/netloop"
)

// resume plays the loop after Conn.Resume.
func (c *client) resume() string {
	var out []byte
	c.out.Lend(nil, nil, nil)
	c.next = c.Resumed(&c.out)
	out = c.out.Bytes()
	return string(out)
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.connect()
		c.expect("size\nsleep 1\nsize", ":0")
		if c.next != netloop.Block || r.kernel.Clients.Blocked() != 1 {
			t.Fatalf("next is %d, %d blocked", c.next, r.kernel.Clients.Blocked())
		}
		if f := c.Info().Flags; f != "b" {
			t.Errorf("flags %q", f)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if synctest.Wait(); c.conn.resumed.Load() {
			t.Error("resumed too early")
		}
		time.Sleep(time.Nanosecond)
		if synctest.Wait(); !c.conn.resumed.Load() {
			t.Error("not resumed")
		}
		if got := c.resume(); got != "+awake\r\n" || c.next != netloop.Wait || r.kernel.Clients.Blocked() != 0 {
			t.Errorf("resumed: %q, then %d", got, c.next)
		}
		if got := c.resume(); got != "" || c.next != netloop.Wait {
			t.Errorf("resumed twice: %q, then %d", got, c.next)
		}
		c.expect("multi\nsleep 1\nsize\nexec", "+OK +QUEUED +QUEUED *2 +awake :0")
		c.do("sleep 1")
		c.Closed(netloop.ClientClosed)
		if n := r.kernel.Clients.Blocked(); n != 0 {
			t.Errorf("%d blocked after the client has gone", n)
		}
	})
}

// TestWaitsAreSlow: what the server does for one client is in the slow log and in the statistics as
// one command, however often it goes on waiting.
func TestWaitsAreSlow(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	for steps, want := range map[int][]string{1: nil, 3: {"work 3 15ms"}} {
		c.do(fmt.Sprintf("work %d", steps))
		for range steps {
			r.now.Add(5)
			f, _ := r.resumes.Load("work")
			f.(func())()
			c.resume()
		}
		if got := r.logged(); !slices.Equal(got, want) {
			t.Errorf("%d steps: %q", steps, got)
		}
		row := r.kernel.Stats.Row(r.kernel.Table.Lookup([]byte("work")).Index())
		r.kernel.Stats.Reset()
		if row.Calls != 1 || row.Time != time.Duration(5*steps)*time.Millisecond {
			t.Errorf("%d steps: %+v", steps, row)
		}
	}
}

func TestWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c := r.connect()
		end := func(name string) {
			t.Helper()
			f, ok := r.resumes.Load(name)
			if !ok {
				t.Fatalf("nobody waits for %s", name)
			}
			f.(func())()
		}
		begin := func(name string) {
			t.Helper()
			c.expect("await "+name, "")
			if c.next != netloop.Block {
				t.Fatalf("await %s: next is %d", name, c.next)
			}
		}

		begin("now") // ended before the handler has returned
		if !c.conn.resumed.Load() {
			t.Error("now: the connection was not resumed")
		}
		if got := c.resume(); got != "+resumed now\r\n" {
			t.Errorf("now: got %q", got)
		}

		begin("first")
		if got := c.resume(); got != "" || c.next != netloop.Block {
			t.Errorf("a Resume of nobody's ended the wait: %q, then %d", got, c.next)
		}
		end("first")
		if got := c.resume(); got != "+resumed first\r\n" || c.next != netloop.Wait {
			t.Errorf("first: got %q, then %d", got, c.next)
		}

		begin("second")
		end("first") // late, and again
		if got := c.resume(); got != "" || c.next != netloop.Block {
			t.Errorf("the end of the first wait ended the second: %q, then %d", got, c.next)
		}
		end("second")
		if got := c.resume(); got != "+resumed second\r\n" {
			t.Errorf("second: got %q", got)
		}

		c.conn.resumed.Store(false)
		begin("limit")
		time.Sleep(time.Hour)
		if synctest.Wait(); !c.conn.resumed.Load() {
			t.Error("limit: time has not ended the wait")
		}
		if got := c.resume(); got != "+resumed limit\r\n" {
			t.Errorf("limit: got %q", got)
		}
		end("limit")

		c.expect("multi\nawait exec\nsize\nexec", "+OK +QUEUED +QUEUED *2 +resumed exec :0")
		if _, started := r.resumes.Load("exec"); started {
			t.Error("EXEC began to wait")
		}

		begin("gone")
		c.Closed(netloop.ClientClosed)
		end("gone")
		if n := r.kernel.Clients.Blocked(); n != 0 {
			t.Errorf("%d blocked after the client has gone", n)
		}
	})
}

// TestWaitForRace ends waits from other goroutines while the session blocks, is
// killed and goes.
func TestWaitForRace(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		c := r.connect()
		c.expect("await race", "")
		resume, _ := r.resumes.Load("race")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(resume.(func()))
		}
		wg.Go(c.Kill)
		if i%2 == 0 {
			c.resume()
		}
		c.Closed(netloop.Killed)
		wg.Wait()
	}
	if n := r.kernel.Clients.Blocked(); n != 0 {
		t.Errorf("%d blocked after all clients have gone", n)
	}
}
