package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/tests/randtest"
)

// spinRow is SPIN numkeys key [key ...] [command ...]: a script that runs commands, as NAME:ARG:ARG,
// and then for ever, or until its key "stop" in the map of resumes is there.
func spinRow(name string, function bool, undeclared func(*Ctx) bool) Spec {
	return Spec{Name: name, Arity: -3, Flags: RunsScript | PausesAsWrite, Keys: []KeySpec{NumKeys(1, RW)}, Undeclared: undeclared, Handler: func(c *Ctx) error {
		commands := c.Args[2+len(c.Keys):]
		if err := c.EnterScript(name, function, NoShebang, 1<<20); err != nil {
			return err
		}
		for _, command := range commands {
			if string(command) != "stop" {
				if _, err := c.CallInner(splitWords(command)); err != nil {
					c.LeaveScript()
					return err
				}
			}
		}
		defer c.LeaveScript()
		if n := len(commands); n > 0 && string(commands[n-1]) == "stop" {
			for i := 0; c.long == nil || i < 20; i++ {
				if err := c.Tick(); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			c.inner.client.WriteString("+stopped\r\n")
			return nil
		}
		for {
			if err := c.Tick(); err != nil {
				return err
			}
			time.Sleep(50 * time.Microsecond)
		}
	}}
}

func splitWords(b []byte) (words [][]byte) {
	for _, w := range strings.Split(string(b), ":") {
		words = append(words, []byte(w))
	}
	return words
}

// busyRig is a rig with a network.
type busyRig struct {
	*rig
	net  *netloop.Server
	addr string
}

func newBusyRig(t *testing.T, fs vfs.FS, loops int, portable bool, settings ...string) *busyRig {
	t.Helper()
	r := &busyRig{rig: newRigOn(t, fs, settings...)}
	if fs != nil {
		if err := r.manager.Load(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	r.kernel.clock = time.Now
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	commit := func() error { return nil }
	if fs != nil {
		commit = func() error { return r.manager.Log().Commit() }
	}
	r.net, err = netloop.New(netloop.Options{
		Loops: loops, Portable: portable, NewSession: r.kernel.Connect, Commit: commit,
		Limits: func(netloop.Class) netloop.Limits { return netloop.Limits{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.net.Serve(ln) }()
	t.Cleanup(func() {
		r.kernel.StopScripts()
		if err := errors.Join(r.net.Close(), <-served); err != nil {
			t.Error(err)
		}
		r.kernel.Close()
	})
	return r
}

// eachBusy runs a test with one loop, several, and goroutines.
func eachBusy(t *testing.T, threshold int, test func(t *testing.T, r *busyRig)) {
	for name, loops := range map[string]int{"1": 1, "4": 4, "portable": 0} {
		t.Run(name, func(t *testing.T) {
			test(t, newBusyRig(t, nil, loops, loops == 0, "--busy-reply-threshold", strconv.Itoa(threshold)))
		})
	}
}

// peer is a client on the network.
type peer struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// patience bounds every wait; only a failing test reaches it.
const patience = 2 * time.Minute

func (r *busyRig) dial() *peer {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	return &peer{nc, r.t, bufio.NewReader(nc)}
}

func (p *peer) send(lines string) {
	p.t.Helper()
	if _, err := io.WriteString(p, strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n"); err != nil {
		p.t.Error(err)
	}
}

// get reads a reply of one line, or a bulk string.
func (p *peer) get() (string, error) {
	line, err := p.r.ReadString('\n')
	line = strings.TrimSuffix(line, "\r\n")
	if err != nil || !strings.HasPrefix(line, "$") || line == "$-1" {
		return line, err
	}
	body, err := p.r.ReadString('\n')
	return strings.TrimSuffix(body, "\r\n"), err
}

func (p *peer) expect(replies ...string) {
	p.t.Helper()
	for _, want := range replies {
		if got, err := p.get(); err != nil || got != want {
			p.t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
}

func (p *peer) do(lines string, replies ...string) {
	p.t.Helper()
	p.send(lines)
	p.expect(replies...)
}

// spinning waits until so many scripts take long.
func (r *busyRig) spinning(n int) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); len(r.kernel.RunningScripts()) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%d scripts take long, want %d", len(r.kernel.RunningScripts()), n)
		}
	}
}

// blocked waits until so many clients wait.
func (r *busyRig) blocked(n int64) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); r.kernel.Clients.Blocked() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%d clients wait, want %d", r.kernel.Clients.Blocked(), n)
		}
	}
}

// elsewhere are keys of other shards than key's, one of each.
func (r *busyRig) elsewhere(key string) (keys []string) {
	seen := map[int]bool{r.kernel.Store.ShardOf([]byte(key)): true}
	for i := 0; len(seen) < r.kernel.Store.Shards(); i++ {
		k := fmt.Sprint("e", i)
		if shard := r.kernel.Store.ShardOf([]byte(k)); !seen[shard] {
			seen[shard] = true
			keys = append(keys, k)
		}
	}
	return keys
}

const (
	busyReply = "-" + string(errBusyScript)
	killed    = "-" + string(ErrScriptKilled)
)

// TestBusy: a script that runs for ever delays nobody but those who need its shard, and these are
// refused in time. Once it is killed everything is as before, also for its own client.
func TestBusy(t *testing.T) {
	eachBusy(t, 50, func(t *testing.T, r *busyRig) {
		spinner, other := r.dial(), r.dial()
		other.do("set k v", "+OK")
		spinner.send("set before 1\nspin 1 k\nget k\nping")
		r.spinning(1)
		for _, k := range r.elsewhere("k") {
			other.do("set "+k+" x\nget "+k+"\nping\nincr n"+k, "+OK", "x", "+ping")
			if got, err := other.get(); err != nil || got != ":1" && got != busyReply {
				t.Errorf("incr: %q, %v", got, err)
			}
		}
		for range 2 { // before the threshold and after it
			other.do("get k\nset k w\nswapvalues a k\nsize\nflush", busyReply, busyReply, busyReply, busyReply, busyReply)
		}
		other.do("multi\nget k\nexec", "+OK", "+QUEUED", "-EXECABORT Transaction discarded because of: "+string(errBusyScript))
		other.do("get\nnope\norderly", "-ERR wrong number of arguments for 'get' command",
			"-ERR unknown command 'nope', with args beginning with: ", busyReply)
		other.do("scriptkill functions", busyReply)
		other.do("scriptkill", "+OK")
		spinner.expect("+OK", killed, "v", "+ping")
		other.do("get k\nset k w\nscriptkill", "v", "+OK", "-"+string(errNothingToKill))
		other.do("orderly\nflush\nsize", "+OK", "+OK", ":0")
	})
}

// TestBusyWait: before the threshold requests wait, with what is behind them, and run in order when
// the script is over.
func TestBusyWait(t *testing.T) {
	eachBusy(t, 1<<30, func(t *testing.T, r *busyRig) {
		spinner := r.dial()
		spinner.send("set k 1\nspin 1 k incr:k")
		r.spinning(1)
		waiting := make([]*peer, 2*letGo)
		for i := range waiting {
			waiting[i] = r.dial()
			waiting[i].send([]string{
				"get k\nping", "multi\nget k\nexec", "size", "roam 1 k stop",
			}[i%4])
		}
		r.blocked(int64(len(waiting)))
		for _, run := range r.kernel.RunningScripts() {
			if run.Name != "spin" || run.Function || string(run.Command[0]) != "spin" {
				t.Errorf("%+v", run)
			}
		}
		other := r.dial()
		other.do("scriptkill", "-"+string(errUnkillable))
		other.do("survey", ":1")
		if err := waiting[0].Close(); err != nil { // who leaves is forgotten
			t.Error(err)
		}
		r.blocked(int64(len(waiting)) - 1)
		r.kernel.StopScripts()
		for i, p := range waiting[1:] {
			switch (i + 1) % 4 {
			case 0:
				p.expect("2", "+ping")
			case 1:
				p.expect("+OK", "+QUEUED", "*1", "2")
			case 2:
				p.expect(":1")
			}
		}
	})
}

// TestBusyEnds: a script that ends by itself lets those go who wait for it.
func TestBusyEnds(t *testing.T) {
	eachBusy(t, 1<<30, func(t *testing.T, r *busyRig) {
		a, b, blocked, pusher := r.dial(), r.dial(), r.dial(), r.dial()
		blocked.send("take list k 0")
		r.blocked(1)
		a.send("spin 2 k list incr:k push:list:x stop\nincr k")
		r.spinning(1)
		b.send("incr k\nincr k\nget other")
		pusher.do("ping", "+ping")
		a.expect("+stopped")
		blocked.expect("x")
		counts := map[string]bool{}
		first, err := a.get()
		if err != nil {
			t.Fatal(err)
		}
		counts[first] = true
		for range 2 {
			n, err := b.get()
			if err != nil {
				t.Fatal(err)
			}
			counts[n] = true
		}
		b.expect("$-1")
		if len(counts) != 3 || !counts[":2"] || !counts[":3"] || !counts[":4"] {
			t.Errorf("counts %v", counts)
		}
	})
}

// TestBusySeveral: several scripts take long side by side; those that may be killed are, all at once.
func TestBusySeveral(t *testing.T) {
	eachBusy(t, 1, func(t *testing.T, r *busyRig) {
		keys := r.elsewhere("k")
		writer, readers, function, admin := r.dial(), []*peer{r.dial(), r.dial()}, r.dial(), r.dial()
		writer.send("spin 1 k incr:k")
		function.send("fspin 1 " + keys[2])
		for i, p := range readers {
			p.send("spin 1 " + keys[i])
		}
		r.spinning(4)
		admin.do("get k\nget "+keys[2], busyReply, "-"+string(errBusyFunction))
		admin.do("set "+keys[3]+" x", "+OK")
		admin.do("scriptkill", "+OK")
		readers[0].expect(killed)
		readers[1].expect(killed)
		r.spinning(2)
		admin.do("scriptkill functions", "+OK")
		function.expect(killed)
		r.spinning(1)
		admin.do("scriptkill\nscriptkill functions", "-"+string(errUnkillable), "-"+string(errUnkillable))
		r.kernel.StopScripts()
	})
}

// TestBusyRoaming: scripts that may touch undeclared keys wait for one another, and one that does
// occupies what it touches.
func TestBusyRoaming(t *testing.T) {
	eachBusy(t, 1, func(t *testing.T, r *busyRig) {
		keys := r.elsewhere("k")
		first, other := r.dial(), r.dial()
		first.send("roam 1 k get:" + keys[0])
		r.spinning(1)
		other.do("get k\nget "+keys[0]+"\nget "+keys[1], busyReply, busyReply, "$-1")
		other.do("roam 1 "+keys[1], busyReply)
		other.do("spin 1 "+keys[1]+" stop", "+stopped")
		other.do("scriptkill", "+OK")
		first.expect(killed)
		other.do("roam 1 k stop\nget k", "+stopped", "$-1")
	})
}

// TestBusyClientEnds: a script whose client is killed or gone goes on.
func TestBusyClientEnds(t *testing.T) {
	eachBusy(t, 1, func(t *testing.T, r *busyRig) {
		for _, kill := range []bool{true, false} {
			spinner, other := r.dial(), r.dial()
			spinner.send("spin 1 k")
			r.spinning(1)
			if kill {
				id := uint64(0)
				for _, s := range r.kernel.Clients.All() {
					if s.conn.RemoteAddr() == spinner.LocalAddr().String() {
						id = s.ID()
						s.Kill()
					}
				}
				if id == 0 {
					t.Error("the client is not in the list")
				}
			} else if err := spinner.Close(); err != nil {
				t.Error(err)
			}
			other.do("get k", busyReply)
			if n := len(r.kernel.RunningScripts()); n != 1 {
				t.Errorf("%d scripts run", n)
			}
			other.do("scriptkill", "+OK")
			r.spinning(0)
			other.do("get k", "$-1")
		}
	})
}

// TestBusyTimeouts: clients that wait for keys of an occupied shard time out, and leave, all the same.
func TestBusyTimeouts(t *testing.T) {
	eachBusy(t, 1, func(t *testing.T, r *busyRig) {
		spinner, timed, gone, watcher := r.dial(), r.dial(), r.dial(), r.dial()
		watcher.do("watch k\nmulti", "+OK", "+OK")
		timed.send("take k 2000") // long enough for both to be seen
		gone.send("take k 0")
		r.blocked(2)
		spinner.send("spin 1 k")
		r.spinning(1)
		if err := gone.Close(); err != nil {
			t.Error(err)
		}
		timed.expect("*-1")
		watcher.do("discard", "+OK")
		r.blocked(0)
		timed.do("scriptkill", "+OK")
		spinner.expect(killed)
		timed.do("push k x\ntake k 0", ":1", "x")
	})
}

// TestBusyNever: without a threshold nobody is refused, and a script that takes long can be killed.
func TestBusyNever(t *testing.T) {
	eachBusy(t, 0, func(t *testing.T, r *busyRig) {
		a, b, killer := r.dial(), r.dial(), r.dial()
		a.send("spin 1 k")
		r.spinning(1)
		b.send("incr k")
		r.blocked(1)
		killer.do("scriptkill", "+OK")
		r.spinning(0)
		a.expect(killed)
		b.expect(":1")
	})
}

// TestBusyLogged: what a script that took long has done is in the log before its reply leaves, as one
// transaction; nothing of one that the end of the server stops.
func TestBusyLogged(t *testing.T) {
	fs := vfs.NewMem()
	r := newBusyRig(t, fs, 1, false, "--busy-reply-threshold", "1")
	p, q := r.dial(), r.dial()
	p.do("spin 1 k incr:k incr:k stop", "+stopped")
	q.send("spin 1 k incr:k")
	r.spinning(1)
	r.kernel.StopScripts()
	r.spinning(0)
	p.do("ping", "+ping")
	if got := logged(t, r.rig, fs); got != "SELECT 0\nMULTI\nincr k\nincr k\nEXEC" {
		t.Errorf("logged: %s", got)
	}
}

// TestKillOrWrite: of a kill and the first write one comes first, and that decides.
func TestKillOrWrite(t *testing.T) {
	for range 1000 {
		run := &Run{}
		c := &Ctx{Kernel: &Kernel{}, long: run}
		c.Kernel.busy.runs = []*Run{run}
		var may bool
		var err error
		var both sync.WaitGroup
		both.Go(func() { may = c.mayWrite() })
		both.Go(func() { err = c.Kernel.KillScripts(false) })
		both.Wait()
		if may == (err == nil) || err != nil && !errors.Is(err, errUnkillable) {
			t.Fatalf("may write: %v, kill: %v", may, err)
		}
	}
}

// TestBusyCrowd: many clients, scripts that take long here and there and are killed, under one and
// several loops. Everybody is answered, and no update is lost.
func TestBusyCrowd(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(strconv.Itoa(loops), func(t *testing.T) {
			random := randtest.New(t)
			r := newBusyRig(t, nil, loops, false, "--busy-reply-threshold", "40")
			var crowd sync.WaitGroup
			var mu sync.Mutex
			want := 0
			for range 8 {
				p, seed := r.dial(), random.Uint64()
				crowd.Go(func() {
					for i := range 40 {
						k := fmt.Sprint("e", (seed>>(i%32))%6)
						request := [...]string{
							"incr c", "get " + k, "spin 1 " + k + " stop", "roam 1 " + k + " incr:c stop", "multi\nincr c\nget " + k + "\nexec",
							"size", "take none 1", "spin 1 " + k,
						}[(seed>>(i%40))%8]
						p.send(request)
						incremented := false
						for range strings.Count(request, "\n") + 1 {
							got, err := p.get()
							for err == nil && strings.HasPrefix(got, "*") && got != "*-1" {
								got, err = p.get()
								if err == nil {
									_, err = p.get()
								}
								incremented = true
							}
							if err != nil {
								t.Error(err)
								return
							}
							incremented = incremented || request == "incr c" && got[0] == ':' || got == "+stopped" && strings.Contains(request, "incr:c")
						}
						if incremented {
							mu.Lock()
							want++
							mu.Unlock()
						}
					}
				})
			}
			killer, done := r.dial(), make(chan struct{})
			go func() { crowd.Wait(); close(done) }()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				case <-time.After(5 * time.Millisecond):
					killer.send("scriptkill")
					if _, err := killer.get(); err != nil {
						t.Fatal(err)
					}
				}
			}
			r.spinning(0)
			killer.do("get c", strconv.Itoa(want))
			if r.kernel.Store.Occupied() || r.kernel.Clients.Blocked() != 0 {
				t.Error("something is left")
			}
		})
	}
}

// TestBusyRoom: who finds no room, while scripts occupy what could be evicted, waits for them.
func TestBusyRoom(t *testing.T) {
	r := newBusyRig(t, nil, 1, false, "--busy-reply-threshold", "1", "--maxmemory-policy", "allkeys-lru")
	spinner, other := r.dial(), r.dial()
	keys := append(r.elsewhere("k"), "k")
	for _, k := range keys {
		other.do("set "+k+" x", "+OK")
	}
	spinner.send(fmt.Sprintf("spin %d %s", len(keys), strings.Join(keys, " ")))
	r.spinning(1)
	r.configure("maxmemory", "1")
	other.do("set new x", busyReply)
	other.do("scriptkill", "+OK")
	spinner.expect(killed)
	other.do("set new x", "-"+string(ErrOOM))
}
