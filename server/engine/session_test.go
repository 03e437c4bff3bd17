package engine

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/store"
)

// rig is a kernel with a few commands of its own, a clock that stands still and
// sessions without a network.
type rig struct {
	t      testing.TB
	kernel *Kernel
	cfg    *config.Config
	now    atomic.Int64 // unix ms
	ids    atomic.Uint64

	manager   *persistence.Manager // nil without a log
	diskFails bool                 // and closing the log may fail

	resumes sync.Map // of AWAIT, by its argument
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigOn(t, nil)
}

// newRigOn is newRig with a log on the file system, nil for no persistence.
// Settings are as on the command line: "--hz", "10".
func newRigOn(t testing.TB, fs vfs.FS, settings ...string) *rig {
	t.Helper()
	r := &rig{t: t}
	r.now.Store(1_700_000_000_000)
	st, err := store.Open(store.Options{Shards: 8}) // so that few keys are not mostly half-open spans
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	var flags []string
	if fs != nil {
		flags = []string{"--dir", "/", "--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	}
	if r.cfg, err = config.Load("", append(flags, settings...)); err != nil {
		t.Fatal(err)
	}
	if fs != nil {
		r.persist(st, fs)
	}
	r.kernel, err = NewKernel(Options{
		Store: st, Persist: r.manager, Config: r.cfg, Table: mustTable(t, slices.Concat(rigCommands(&r.resumes), innerCommands(), subscribing(), slotRows(), slowRows(&r.now))...),
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Clock: func() time.Time { return time.UnixMilli(r.now.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// persist makes the manager.
func (r *rig) persist(st *store.Store, fs vfs.FS) {
	r.t.Helper()
	var err error
	r.manager, err = persistence.New(persistence.Options{
		Store: st, FS: fs, Config: r.cfg, Log: slog.New(slog.DiscardHandler),
		Clock:  func() time.Time { return time.UnixMilli(r.now.Load()) },
		Replay: func() func([]aof.Command) error { return r.kernel.NewReplayer().Replay },
		Memory: st.Memory,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := r.manager.Close(); err != nil && !r.diskFails {
			r.t.Error(err)
		}
	})
}

func (r *rig) configure(name, value string) {
	r.t.Helper()
	if err := r.cfg.Set([]config.Setting{{Name: name, Value: value}}, true); err != nil {
		r.t.Fatal(err)
	}
}

// rigCommands are enough to see the kernel at work. The functions that end the
// waits of AWAIT are put into resumes, under its argument.
func rigCommands(resumes *sync.Map) []Spec {
	status := func(c *Ctx) error { c.Out.Status(c.Spec.FullName()); return nil }
	return []Spec{
		{Name: "get", Arity: 2, Flags: ReadOnly, Keys: []KeySpec{Key(1, RO)}, Handler: func(c *Ctx) error {
			v, ok, err := c.GetString(c.Keys[0])
			if err != nil || !ok {
				c.Out.Null()
				return err
			}
			c.Out.Bulk(v)
			return nil
		}},
		{Name: "set", Arity: -3, Flags: Write | DenyOOM, Keys: []KeySpec{Key(1, OW)}, Handler: func(c *Ctx) error {
			var expire int64
			a := c.Parse(3)
			if a.MatchValue("PX") {
				expire = c.Now + a.Int64()
			}
			if err := a.Err(); err != nil {
				return err
			}
			c.SetString(c.Keys[0], c.Args[2], expire)
			c.Out.OK()
			return nil
		}},
		{Name: "incr", Arity: 2, Flags: Write | DenyOOM, Keys: []KeySpec{Key(1, RW)}, Handler: func(c *Ctx) error {
			n, err := c.IncrBy(c.Keys[0], 1)
			c.Out.Int(n)
			return err
		}},
		{Name: "dice", Arity: 3, Flags: Write, Keys: []KeySpec{Key(1, OW)}, Handler: func(c *Ctx) error {
			// Counts up to n, step by step.
			n := c.Parse(2).Int64()
			for i := range n {
				c.SetString(c.Keys[0], strconv.AppendInt(nil, i, 10), 0)
				c.Effect([]byte("SET"), c.Keys[0].Name, strconv.AppendInt(nil, i, 10))
			}
			c.Out.Int(n)
			return nil
		}},
		{Name: "swapvalues", Arity: 3, Flags: Write, Keys: []KeySpec{Key(1, RW), Key(2, RW)}, Handler: func(c *Ctx) error {
			a, _, _ := c.GetString(c.Keys[0])
			b, _, _ := c.GetString(c.Keys[1])
			a, b = bytes.Clone(a), bytes.Clone(b)
			c.SetString(c.Keys[0], b, 0)
			c.SetString(c.Keys[1], a, 0)
			c.Out.OK()
			return nil
		}},
		{Name: "flush", Arity: 1, Flags: Write | AllShards, Handler: func(c *Ctx) error {
			c.Dirty += int64(c.Store.FlushLocked(c.DB, c.Now))
			c.Effect(c.Args...)
			c.Out.OK()
			return nil
		}},
		{Name: "lookat", Arity: 3, Flags: Write, Keys: []KeySpec{Key(1, RW), Key(2, RW)}, Handler: func(c *Ctx) error {
			// Changes nothing, but might have.
			c.Write(c.Keys[0])
			c.Write(c.Keys[1])
			c.Out.OK()
			return nil
		}},
		{Name: "changes", Arity: 1, Handler: func(c *Ctx) error {
			c.Out.Int(c.Kernel.Persist.Status().Dirty)
			return nil
		}},
		{Name: "size", Arity: 1, Flags: ReadOnly | OwnLocks, Handler: func(c *Ctx) error {
			c.Out.Int(int64(c.DBStats(c.DB).Keys))
			return nil
		}},
		{Name: "held", Arity: -2, Flags: ReadOnly, Keys: []KeySpec{Key(1, RO), UnknownKeys(RO, "")}, Strays: strays, Handler: func(c *Ctx) error {
			c.Out.Status(fmt.Sprint(c.Held))
			return nil
		}},
		scriptRow("script", func(*Ctx) bool { return true }),
		scriptRow("proved", func(*Ctx) bool { return false }),
		spinRow("spin", false, func(*Ctx) bool { return false }),
		spinRow("roam", false, func(*Ctx) bool { return true }),
		spinRow("fspin", true, func(*Ctx) bool { return false }),
		{Name: "scriptkill", Arity: -1, Flags: NoScript | AllowBusy, Handler: func(c *Ctx) error {
			c.Out.OK()
			return c.Kernel.KillScripts(len(c.Args) > 1)
		}},
		{Name: "orderly", Arity: 1, Handler: func(c *Ctx) error { c.Out.OK(); return c.BehindScripts() }},
		{Name: "survey", Arity: 1, Flags: OwnLocks | Survey, Handler: func(c *Ctx) error {
			c.Out.Int(int64(c.DBSurvey(c.DB).Keys))
			return nil
		}},
		{Name: "sleep", Arity: 2, Handler: func(c *Ctx) error {
			return c.Wait(time.Hour, func(c *Ctx) error { c.Out.Status("awake"); return nil })
		}},
		{Name: "await", Arity: 2, Handler: func(c *Ctx) error {
			name, limit := string(c.Args[1]), time.Duration(0)
			if name == "limit" {
				limit = time.Hour
			}
			return c.WaitFor(ForServer, func(resume func()) {
				if name == "now" {
					resume()
				}
				resumes.Store(name, resume)
			}, limit, func(c *Ctx) error { c.Out.Status("resumed " + name); return nil })
		}},
		{Name: "work", Arity: 2, Handler: func(c *Ctx) error { // waits so many times for AWAIT's work
			left := c.Parse(1).Int64()
			var step func(c *Ctx) error
			step = func(c *Ctx) error {
				if left--; left < 0 {
					c.Out.OK()
					return nil
				}
				return c.WaitFor(ForServer, func(resume func()) { resumes.Store("work", resume) }, 0, step)
			}
			return step(c)
		}},
		{Name: "push", Arity: -3, Flags: Write | DenyOOM, Keys: []KeySpec{Key(1, RW)}, Handler: func(c *Ctx) error {
			n, err := c.PushElements(c.Keys[0], store.Back, c.Args[2:])
			c.Out.Int(int64(n))
			return err
		}},
		{Name: "take", Arity: -3, Flags: Write | DenyOOM | Blocking, Keys: []KeySpec{KeyRange(1, -2, 1, RW)}, Handler: takeOrWait},
		{Name: "big", Arity: 1, Handler: func(c *Ctx) error { c.Out.Bulk(make([]byte, outputBound/2)); return nil }},
		{Name: "configure", Arity: 3, Handler: func(c *Ctx) error {
			c.Out.OK()
			return c.Kernel.Config.Set([]config.Setting{{Name: string(c.Args[1]), Value: string(c.Args[2])}}, true)
		}},
		{Name: "half", Arity: 1, Handler: func(c *Ctx) error { c.Out.Array(3); c.Out.OK(); return ErrSyntax }},
		{Name: "monitor", Arity: 1, Flags: Admin | ManyReplies, Handler: func(c *Ctx) error {
			if c.Monitor() {
				c.Out.OK()
			}
			return nil
		}},
		{Name: "ping", Arity: 1, Flags: HealthCheck, Handler: status},
		{Name: "login", Arity: 3, Secret: func(_ [][]byte, i int) bool { return i == 2 }, Handler: status},
		{Name: "auth", Arity: 1, Flags: NoAuth | Loading, Handler: func(c *Ctx) error { c.Session.authenticated = true; c.Out.OK(); return nil }},
		{Name: "debug", Arity: -1, Flags: Protected, Handler: status},
		{Name: "shutdown", Arity: 1, Flags: NoMulti, Handler: status},
		{Name: "quit", Arity: 1, Flags: NoAuth | Unqueued | EndsMulti, Handler: func(c *Ctx) error {
			c.Out.OK()
			c.Session.CloseAfterReply()
			return nil
		}},
		{Name: "reply", Arity: 2, Handler: func(c *Ctx) error {
			switch a := c.Parse(1); {
			case a.Match("ON"):
				c.Session.ReplyOn()
				c.Out.OK()
			case a.Match("OFF"):
				c.Session.ReplyOff()
			case a.Match("SKIP"):
				c.Session.ReplySkip()
			}
			return nil
		}},
		{Name: "select", Arity: 2, Flags: Loading | Replayed, Handler: func(c *Ctx) error { c.Select(int(c.Parse(1).Int64())); c.Out.OK(); return nil }},
		{Name: "reset", Arity: 1, Flags: Unqueued | EndsMulti | WhileSubscribed, Handler: func(c *Ctx) error { c.Reset(); c.Out.Status("RESET"); return nil }},
		{Name: "multi", Arity: 1, Flags: Unqueued | Loading, Handler: (*Ctx).Multi},
		{Name: "exec", Arity: 1, Flags: Unqueued | EndsMulti | RunsQueue | Loading, Handler: (*Ctx).Exec},
		{Name: "discard", Arity: 1, Flags: Unqueued | EndsMulti, Handler: (*Ctx).Discard},
		{Name: "watch", Arity: -2, Flags: Unqueued, Keys: []KeySpec{KeyRange(1, -1, 1, RO)}, Handler: (*Ctx).WatchKeys},
		{Name: "unwatch", Arity: 1, Handler: (*Ctx).Unwatch},
		{Name: "client", Arity: -2, Subcommands: []Spec{{Name: "id", Arity: 2, Handler: status}}},
	}
}

// takeOrWait is TAKE key [key ...] ms: the first element of the first list, or a wait.
func takeOrWait(c *Ctx) error {
	ms, err := strconv.Atoi(string(c.Args[len(c.Args)-1]))
	if err != nil {
		return ErrTimeout
	}
	for _, k := range c.Keys {
		l, ok, err := c.WriteList(k)
		switch {
		case err != nil && !c.Waited():
			return err
		case ok:
			l.Pop(store.Front, 1, c.Out.Bulk)
			c.Effect([]byte("LPOP"), k.Name)
			return nil
		}
	}
	return c.WaitForKeys(c.Keys, store.TypeList, time.Duration(ms)*time.Millisecond, func(c *Ctx) error {
		c.Out.NullArray()
		return nil
	})
}

// client is one session.
type client struct {
	*Session
	t    testing.TB
	conn *fakeConn
	next netloop.Action // of the last batch
	out  chain.Buffer
}

// data is a call of Data whose output goes behind out.
func (c *client) data(in, out []byte) (taken int, newOut []byte, next netloop.Action) {
	c.out.Lend(out[len(out):], nil, nil)
	taken, next = c.Data(in, &c.out)
	return taken, append(out, c.out.Bytes()...), next
}

func (r *rig) connect() *client {
	r.t.Helper()
	conn := &fakeConn{id: r.ids.Add(1), addr: "127.0.0.1:1"}
	s, refused := r.kernel.Connect(conn)
	if s == nil {
		r.t.Fatalf("refused: %s", refused)
	}
	return &client{Session: s.(*Session), t: r.t, conn: conn}
}

// do sends inline requests, one a line, and returns the replies as they are, with
// \r\n printed as a blank.
func (c *client) do(lines string) string {
	c.t.Helper()
	in, out := []byte(strings.ReplaceAll(lines, "\n", "\r\n")+"\r\n"), []byte(nil)
	for {
		taken, o, next := c.data(in, out)
		in, out, c.next = in[taken:], o, next
		if next != netloop.Yield {
			return strings.TrimSuffix(strings.ReplaceAll(string(out), "\r\n", " "), " ")
		}
	}
}

func (c *client) expect(lines, want string) {
	c.t.Helper()
	if got := c.do(lines); got != want {
		c.t.Errorf("%s\n got %s\nwant %s", lines, got, want)
	}
}

// fakeConn is a connection that leads nowhere.
type fakeConn struct {
	sizes   netloop.Sizes
	id      uint64
	addr    string
	resumed atomic.Bool
	killed  atomic.Bool
	reason  atomic.Uint32
	class   atomic.Uint32
	pushed  []byte // by one goroutine at a time
	deaf    bool   // what is pushed is lost
	growth  int64  // what Push returns

	certified string
	later     int // messages of PushLater
}

func (f *fakeConn) ID() uint64                          { return f.id }
func (f *fakeConn) Loop() int                           { return 0 }
func (f *fakeConn) RemoteAddr() string                  { return f.addr }
func (f *fakeConn) LocalAddr() string                   { return "127.0.0.1:6379" }
func (f *fakeConn) FD() int                             { return -1 }
func (f *fakeConn) Created() time.Time                  { return time.UnixMilli(1_700_000_000_000) }
func (f *fakeConn) Unix() bool                          { return false }
func (f *fakeConn) CertifiedName() string               { return f.certified }
func (f *fakeConn) Class() netloop.Class                { return netloop.Class(f.class.Load()) }
func (f *fakeConn) SetClass(class netloop.Class)        { f.class.Store(uint32(class)) }
func (f *fakeConn) ResumeAfter(netloop.Conn, bool) bool { return false }
func (f *fakeConn) Resume()                             { f.resumed.Store(true) }
func (f *fakeConn) Push(b []byte) int64 {
	if !f.deaf {
		f.pushed = append(f.pushed, b...)
	}
	return f.growth
}
func (f *fakeConn) PushLater(b []byte) int64 {
	f.later++
	return f.Push(b)
}
func (f *fakeConn) HandOver() {}

func (f *fakeConn) AppendPushed(b []byte) []byte {
	b, f.pushed = append(b, f.pushed...), nil
	return b
}
func (f *fakeConn) Sizes() netloop.Sizes { return f.sizes }
func (f *fakeConn) Killed() bool         { return f.killed.Load() }

// heard returns what has been pushed since it was last asked.
func (f *fakeConn) heard() string { return string(f.AppendPushed(nil)) }

func (f *fakeConn) Kill(r netloop.CloseReason) {
	f.reason.Store(uint32(r))
	f.killed.Store(true)
}

func TestAdmissionOrder(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.expect("debug", "-"+string(ErrDebugForbidden))
	r.configure("requirepass", "secret")
	c.expect("set k v", "+OK") // was let in when there was no password
	c = r.connect()
	for _, x := range []struct{ request, want string }{
		{"nope", "-ERR unknown command 'nope', with args beginning with: "},
		{"client nope", "-ERR unknown subcommand 'nope'. Try CLIENT HELP."},
		{"get", "-ERR wrong number of arguments for 'get' command"},
		{"client", "-ERR wrong number of arguments for 'client' command"},
		{"client id x", "-ERR wrong number of arguments for 'client|id' command"},
		{"debug", "-" + string(ErrDebugForbidden)},
		{"get k", "-NOAUTH Authentication required."},
		{"auth", "+OK"},
		{"get k", "$1 v"},
	} {
		// Replies end in a blank where the text does: compare without.
		if got := c.do(x.request); got != strings.TrimSuffix(x.want, " ") && got != x.want {
			t.Errorf("%s\n got %s\nwant %s", x.request, got, x.want)
		}
	}
	c.expect("multi\nset k v\nshutdown\nexec",
		"+OK +QUEUED -ERR Command not allowed inside a transaction -EXECABORT Transaction discarded because of previous errors.")
	r.configure("maxmemory", "1")
	c.expect("set k v", "-"+string(ErrOOM))
	c.expect("get k", "$1 v")
	c.expect("multi\nget k\nset k v\nexec", "+OK -"+string(ErrOOM)+" -"+string(ErrOOM)+" -"+string(ErrExecAbort))
	r.configure("maxmemory", "0")
	c.expect("multi\nset k w", "+OK +QUEUED")
	r.configure("maxmemory", "1")
	c.expect("exec", "-EXECABORT Transaction discarded because of: "+string(ErrOOM))
	c.expect("get k\nexec", "$1 v -ERR EXEC without MULTI")
}

func TestConnectRefuses(t *testing.T) {
	r := newRig(t)
	r.configure("maxclients", "1")
	far := &fakeConn{id: 100, addr: "10.1.2.3:5"}
	if s, text := r.kernel.Connect(far); s != nil || !strings.HasPrefix(string(text), "-DENIED Redis is running in protected mode") {
		t.Errorf("protected mode: got %v, %q", s, text)
	}
	r.configure("protected-mode", "no")
	first := r.connect()
	if s, text := r.kernel.Connect(far); s != nil || string(text) != "-ERR max number of clients reached\r\n" {
		t.Errorf("maxclients: got %v, %q", s, text)
	}
	first.Closed(netloop.ClientClosed)
	if s, _ := r.kernel.Connect(far); s == nil {
		t.Error("refused although the first client has gone")
	}
}

func TestErrorsReplaceTheReply(t *testing.T) {
	c := newRig(t).connect()
	c.expect("half\nsize", "-ERR syntax error :0")
	c.expect("multi\nhalf\nsize\nexec", "+OK +QUEUED +QUEUED *2 -ERR syntax error :0")
	index := c.kernel.Table.Lookup([]byte("half")).Index()
	if row := c.kernel.Stats.Row(index); row.Calls != 2 || row.Failed != 2 || row.Rejected != 0 {
		t.Errorf("statistics of half: %+v", row)
	}
	c.do("half x")
	if row := c.kernel.Stats.Row(index); row.Calls != 2 || row.Rejected != 1 {
		t.Errorf("statistics of half after a wrong arity: %+v", row)
	}
	if n := c.kernel.Errors.Codes()["ERR"]; n != 3 {
		t.Errorf("%d errors counted, want 3", n)
	}
}

func TestBatchBounds(t *testing.T) {
	c := newRig(t).connect()
	in := []byte(strings.Repeat("size\r\n", batchBound+1))
	taken, _, next := c.data(in, nil)
	if next != netloop.Yield || taken != batchBound*len("size\r\n") {
		t.Errorf("long batch: took %d bytes, then %d", taken, next)
	}
	in = []byte(strings.Repeat("big\r\n", 100))
	taken, out, next := c.data(in, nil)
	if next != netloop.Yield || len(out) > 2*outputBound || taken != 2*len("big\r\n") {
		t.Errorf("much output: took %d bytes, wrote %d, then %d", taken, len(out), next)
	}
	taken, _, next = c.data([]byte("size\r\nget"), nil)
	if next != netloop.Wait || taken != len("size\r\n") {
		t.Errorf("incomplete request: took %d bytes, then %d", taken, next)
	}
}

func TestQuitEndsTheBatch(t *testing.T) {
	c := newRig(t).connect()
	c.expect("quit\nset k v", "+OK")
	if c.next != netloop.CloseAfterFlush {
		t.Errorf("next is %d", c.next)
	}
	other := newRig(t).connect()
	other.expect("get k", "$-1")
}

func TestProtocolErrorAnswersWhatCameBefore(t *testing.T) {
	c := newRig(t).connect()
	c.expect("size\n*-a\nsize", ":0 -ERR Protocol error: invalid multibulk length")
	if c.next != netloop.CloseAfterFlush {
		t.Errorf("next is %d", c.next)
	}
}

func TestReplyModes(t *testing.T) {
	c := newRig(t).connect()
	c.expect("reply skip\nsize\nsize", ":0")
	c.expect("reply off\nsize\nnope\nreply skip\nsize", "")
	c.expect("reply on\nsize", "+OK :0")
	c.expect("reply skip\nreply skip\nsize\nsize", ":0")
	c.expect("reply off\nreset\nsize", "+RESET :0")
}

func TestKill(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	a.Kill()
	if !a.conn.killed.Load() || netloop.CloseReason(a.conn.reason.Load()) != netloop.Killed {
		t.Error("the connection was not killed")
	}
	a.expect("set k v", "")
	if a.next != netloop.CloseNow {
		t.Errorf("next is %d", a.next)
	}
	b.expect("get k", "$-1")
	if all := r.kernel.Clients.All(); len(all) != 1 || all[0] != b.Session {
		t.Errorf("%d clients are listed", len(all))
	}
}

func TestInfo(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	if i := c.Info(); i.Command != "NULL" || i.Flags != "N" || i.Queued != -1 || i.RESP != 2 {
		t.Errorf("new: %+v", i)
	}
	c.do("select 3\nwatch a b\nmulti\nset a 1\nclient id")
	c.SetName([]byte("me"))
	r.now.Add(5000)
	i := c.Info()
	if i.DB != 3 || i.Queued != 2 || i.Watched != 2 || i.Flags != "x" || i.Name != "me" || i.Command != "client|id" ||
		i.Idle != 5*time.Second || i.QueueBytes == 0 {
		t.Errorf("in a transaction: %+v", i)
	}
	c.do("reset\nwatch a a a\nmulti" + strings.Repeat("\nset a 1", 70_000))
	c.db = 100_000 // as if the store had so many
	c.do("client id")
	if i := c.Info(); i.DB != 100_000 || i.Queued != 70_001 || i.Watched != 1 || i.RESP != 2 {
		t.Errorf("with large numbers: %+v", i)
	}
	c.do("reset")
	if i := c.Info(); i.DB != 0 || i.Queued != -1 || i.Watched != 0 || i.Name != "" || i.QueueBytes != 0 {
		t.Errorf("after reset: %+v", i)
	}
}

// TestSessionsRunTogether drives sessions from several goroutines, as event loops
// do, while others look at them.
func TestSessionsRunTogether(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 4 {
		c := r.connect()
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 300 {
				c.do(fmt.Sprintf("set k%d %d\nincr n\nwatch n\nmulti\nincr n\nexec\nselect %d\nsize\nhalf\nselect 0", j%7, i, j%16))
				c.SetName([]byte(fmt.Sprint(j)))
			}
			c.Closed(netloop.ClientClosed)
		}()
	}
	for range 200 {
		for _, s := range r.kernel.Clients.All() {
			s.Info()
		}
		r.kernel.Stats.Total()
	}
	wg.Wait()
	if n := r.kernel.Clients.Len(); n != 0 {
		t.Errorf("%d clients left", n)
	}
}

// TestSizes: what there is one of for each connection, and for each client that waits, has a size
// that Go allocates without waste. A field more, or in another place, is easily 32 bytes more.
func TestSizes(t *testing.T) {
	for name, size := range map[string][2]uintptr{
		"a session": {unsafe.Sizeof(Session{}), 480}, "a wait": {unsafe.Sizeof(wait{}), 240},
	} {
		if size[0] > size[1] {
			t.Errorf("%s takes %d bytes, above %d", name, size[0], size[1])
		}
	}
}
