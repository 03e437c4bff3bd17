package engine

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/pubsub"
)

// subscribing adds commands that subscribe to the test's table.
func subscribing() []Spec {
	const flags = WhileSubscribed | ManyReplies
	return []Spec{
		{Name: "subscribe", Arity: 2, Flags: flags, Handler: func(c *Ctx) error {
			c.Subscribe(pubsub.Channels, "subscribe", c.Args[1])
			return nil
		}},
		{Name: "unsubscribe", Arity: -1, Flags: flags, Handler: func(c *Ctx) error {
			if len(c.Args) == 1 {
				c.UnsubscribeAll(pubsub.Channels, "unsubscribe")
				return nil
			}
			c.Unsubscribe(pubsub.Channels, "unsubscribe", c.Args[1])
			return nil
		}},
		{Name: "publish", Arity: 3, Handler: func(c *Ctx) error {
			c.Out.Int(int64(c.Kernel.Publish(c, c.Args[1], c.Args[2])))
			return nil
		}},
		{Name: "publishlater", Arity: 3, Flags: WhileSubscribed, Handler: func(c *Ctx) error {
			channel, payload := bytes.Clone(c.Args[1]), bytes.Clone(c.Args[2])
			return c.Wait(time.Hour, func(c *Ctx) error {
				c.Out.Int(int64(c.Kernel.Publish(c, channel, payload)))
				return nil
			})
		}},
		{Name: "hello", Arity: 2, Flags: SwitchesRESP, Handler: func(c *Ctx) error {
			c.SetRESP(int(c.Parse(1).Int64()))
			c.Out.OK()
			return nil
		}},
	}
}

const (
	inNews = "*3 $9 subscribe $4 news :1"
	noNews = "*3 $11 unsubscribe $4 news :0"
	news   = "*3 $7 message $4 news $5 hello"
)

// TestNothingBehindTheEnd: what was published before a client leaves its last channel, and has not
// been sent yet, comes before the confirmation.
func TestNothingBehindTheEnd(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	for _, x := range []struct{ leave, want string }{
		{"unsubscribe news\nget k", news + " " + noNews + " $-1"},
		{"unsubscribe\nget k", news + " " + noNews + " $-1"},
		{"reset\nget k", news + " +RESET $-1"},
	} {
		a.expect("subscribe news", inNews)
		b.expect("publish news hello", ":1")
		a.expect(x.leave, x.want)
	}
	a.expect("hello 3\nsubscribe news\nmulti\nunsubscribe\nget k", "+OK >"+inNews[1:]+" +OK +QUEUED +QUEUED")
	b.expect("publish news hello", ":1")
	a.expect("exec\nsubscribe news", ">"+news[1:]+" *2 >"+noNews[1:]+" _ >"+inNews[1:])
	b.expect("publish news hello", ":1")
	a.expect("hello 2\nget k", ">"+news[1:]+" +OK -"+string(errSubscribed(&Spec{full: "get"})))
}

// TestProtocolChangesInTransaction: what was published before an EXEC that changes the protocol comes
// before its reply, in the version of before.
func TestProtocolChangesInTransaction(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	a.expect("hello 3\nsubscribe news\nmulti\nget k\nhello 2", "+OK >"+inNews[1:]+" +OK +QUEUED +QUEUED")
	b.expect("publish news hello", ":1")
	a.expect("exec\nunsubscribe", ">"+news[1:]+" *2 _ +OK "+noNews)
}

// TestOwnMessages: a client gets what it publishes to itself after the reply, and CLIENT REPLY holds
// back neither messages nor confirmations.
func TestOwnMessages(t *testing.T) {
	c := newRig(t).connect()
	c.expect("hello 3\nsubscribe news\npublish news hello", "+OK >"+inNews[1:]+" :1 >"+news[1:])
	c.expect("multi\npublish news hello\nget k\nexec", "+OK +QUEUED +QUEUED *2 :1 _ >"+news[1:])
	c.expect("reply off\npublish news hello\nget k\nunsubscribe news\nunsubscribe",
		">"+news[1:]+" >"+noNews[1:]+" >3 $11 unsubscribe _ :0")
	c.expect("reply on\nreply skip\nsubscribe news\nget k", "+OK >"+inNews[1:]+" _")
	c.expect("reply skip\npublish news hello\nget k", ">"+news[1:]+" _")
}

// TestOwnMessagesOfWaiters: what a client says to itself when its wait ends follows the reply that
// it has waited for, and precedes that to its next request. Others are told at once.
func TestOwnMessagesOfWaiters(t *testing.T) {
	for _, resp3 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			c, other := r.connect(), r.connect()
			want := news
			if resp3 {
				want = ">" + news[1:]
				c.do("hello 3")
			}
			c.do("subscribe news")
			other.do("subscribe news")
			c.waits("publishlater news hello")
			if got := c.conn.heard() + other.conn.heard(); got != "" {
				t.Errorf("%q has been said before the wait has ended", got)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			c.wantResumed(":2 "+want+" ", netloop.Wait)
			if got := c.conn.heard(); got != "" {
				t.Errorf("%q was pushed beside", got)
			}
			if got := other.conn.heard(); got != strings.ReplaceAll(news, " ", "\r\n")+"\r\n" {
				t.Errorf("the other heard %q", got)
			}
			c.expect("publishlater news x y", "-ERR wrong number of arguments for 'publishlater' command")
		})
	}
}

// TestDeliver: a message goes in the version of the protocol that its receiver speaks, behind the
// output of the command that says it, and to the connection if there is no such command or it is
// another client's.
func TestDeliver(t *testing.T) {
	r := newRig(t)
	c, other := r.connect(), r.connect()
	array, status := NewMessage([]byte("*1\r\n+m\r\n")), NewMessage([]byte("+line\r\n"))
	for _, x := range []struct {
		hello, heard string
	}{{"hello 2", "*1\r\n+m\r\n+line\r\n"}, {"hello 3", ">1\r\n+m\r\n+line\r\n"}} {
		c.do(x.hello)
		for _, by := range []*Ctx{nil, {Session: other.Session}} {
			c.Deliver(by, &array)
			c.Deliver(by, &status)
			if got := c.conn.heard(); got != x.heard {
				t.Errorf("%s: %q", x.hello, got)
			}
		}
		own := &Ctx{Session: c.Session}
		c.Deliver(own, &array)
		c.Deliver(own, &status)
		if got := c.conn.heard(); got != "" || string(own.own) != x.heard {
			t.Errorf("%s: %q was pushed, %q is to follow the reply", x.hello, got, own.own)
		}
	}
}

// TestDeliverAccounts: messages that wait for a client are in its account, and in that of all, when
// the connection says so, and make a client go that takes too much.
func TestDeliverAccounts(t *testing.T) {
	r := newRig(t)
	c, publisher := r.connect(), r.connect()
	r.configure("maxmemory-clients", "1mb")
	c.do("subscribe news")
	publisher.do("publish news hello") // it has tables for its requests from now on
	all, one := r.kernel.Clients.Memory(), c.Info().Memory
	c.conn.growth = 256 << 10
	for i := range int64(3) {
		publisher.expect("publish news hello", ":1")
		if got, want := r.kernel.Clients.Memory(), all+(i+1)*c.conn.growth; got != want {
			t.Errorf("all take %d bytes, want %d", got, want)
		}
		if got, want := c.pub.memory.Load(), one+(i+1)*c.conn.growth; got < want {
			t.Errorf("the client takes %d bytes, want %d", got, want)
		}
	}
	publisher.expect("publish news hello", ":1")
	if !c.conn.killed.Load() || publisher.conn.killed.Load() || r.kernel.Clients.Evicted() != 1 {
		t.Error("the client was not evicted, or not alone")
	}
}

// TestLeaving: nothing is left of a client that goes, and its class and account follow what it has
// subscribed to.
func TestLeaving(t *testing.T) {
	r := newRig(t)
	c, other := r.connect(), r.connect()
	c.do("get k")
	before := c.Info().Memory
	c.do("subscribe news\nsubscribe " + strings.Repeat("x", 1000))
	i := c.Info()
	if i.Channels != 2 || i.Flags != "P" || i.Memory < before+1100 || config.Class(c.conn.class.Load()) != config.ClassPubSub || !c.Subscribed() {
		t.Errorf("subscribed: %+v", i)
	}
	c.do("unsubscribe")
	if i := c.Info(); i.Channels != 0 || i.Flags != "N" || i.Memory != before || config.Class(c.conn.class.Load()) != config.ClassNormal || c.Subscribed() {
		t.Errorf("unsubscribed: %+v", i)
	}
	c.do("subscribe news")
	c.Kill()
	c.Closed(0)
	other.expect("publish news hello", ":0")
	if n := r.kernel.PubSub.Members(); n != 0 {
		t.Errorf("%d members left", n)
	}
}

// TestLeavingWithMuch: a client with very many subscriptions gets nothing more, and is not counted,
// from the moment on when it leaves. What it had is removed behind its back.
func TestLeavingWithMuch(t *testing.T) {
	r := newRig(t)
	other := r.connect()
	for _, end := range []func(c *client){
		func(c *client) { c.expect("reset", "+RESET") },
		func(c *client) { c.Kill(); c.Closed(0) },
	} {
		c := r.connect()
		c.do("subscribe news")
		for i := range leaveAtOnce {
			c.do(fmt.Sprintf("subscribe channel:%d", i))
		}
		other.expect("publish news hello", ":1")
		c.conn.heard()
		end(c)
		other.expect("publish news hello", ":0")
		if n := r.kernel.PubSub.Subscribers(pubsub.Channels, []byte("news")); n != 0 || c.Subscribed() {
			t.Errorf("%d subscribers", n)
		}
		r.kernel.work.jobs.Wait()
		if h := r.kernel.PubSub; h.Topics(pubsub.Channels) != 0 || h.Leaving() != 0 || h.Members() != 0 {
			t.Errorf("%d channels left, %d subscriptions still leaving", h.Topics(pubsub.Channels), h.Leaving())
		}
	}
	c := r.connect()
	for i := range leaveAtOnce + 1 {
		c.do(fmt.Sprintf("subscribe channel:%d", i))
	}
	r.kernel.Close() // as at the end of the server, which may come first
	c.expect("reset", "+RESET")
	if n := r.kernel.PubSub.Topics(pubsub.Channels); n != 0 {
		t.Errorf("%d channels left", n)
	}
}

// TestPublishEncodesForTakers: a message that nobody can take any more is not encoded, but counted.
func TestPublishEncodesForTakers(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.do("subscribe news")
	c.conn.killed.Store(true)
	channel, payload := []byte("news"), make([]byte, 1000)
	allocs := testing.AllocsPerRun(100, func() {
		if n := r.kernel.Publish(nil, channel, payload); n != 1 {
			t.Errorf("%d deliveries", n)
		}
	})
	if heard := c.conn.heard(); allocs != 0 || heard != "" {
		t.Errorf("%v allocations, the client heard %.100q", allocs, heard)
	}
}

// TestPublishAllocates: one message for each version of the protocol, however many subscribers there
// are.
func TestPublishAllocates(t *testing.T) {
	r := newRig(t)
	for i := range 100 {
		c := r.connect()
		if i%2 == 0 {
			c.do("hello 3")
		}
		c.do("subscribe news")
		c.conn.deaf = true
	}
	channel, payload := []byte("news"), []byte("hello")
	allocs := testing.AllocsPerRun(100, func() {
		if n := r.kernel.Publish(nil, channel, payload); n != 100 {
			t.Errorf("%d deliveries", n)
		}
	})
	if allocs > 2 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestOwnMessagesAreHeldToTheLimit: what a client publishes to itself is bounded while it is
// collected. With subscriptions enough one PUBLISH would make gigabytes.
func TestOwnMessagesAreHeldToTheLimit(t *testing.T) {
	r := newRigOn(t, nil, "--client-output-buffer-limit", "pubsub 10000 0 0")
	c := r.connect()
	c.do("hello 3\nsubscribe news\nmulti")
	publish := "publish news " + strings.Repeat("x", 1000)
	for range 9 {
		c.do(publish)
	}
	if got := c.do("exec"); strings.Count(got, ">3 $7 message") != 9 || c.next != netloop.Wait {
		t.Errorf("within the limit: %v, %s", c.next, got)
	}
	c.do("multi")
	for range 100 {
		c.do(publish)
	}
	c.do("exec")
	if c.next != netloop.CloseNow || netloop.CloseReason(c.conn.reason.Load()) != netloop.OutputHardLimit {
		t.Errorf("beyond the limit: %v, reason %v", c.next, c.conn.reason.Load())
	}
}

// sharedConn is a connection that several goroutines push to.
type sharedConn struct {
	fakeConn
	mu sync.Mutex // protects fakeConn.pushed
}

func (c *sharedConn) Push(b []byte) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fakeConn.Push(b)
}

func (c *sharedConn) AppendPushed(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fakeConn.AppendPushed(b)
}

// TestProtocolChangesBetweenMessages: what others say while HELLO changes the protocol is of the
// version in which the client takes it, in front of the reply to HELLO or behind it.
func TestProtocolChangesBetweenMessages(t *testing.T) {
	r := newRig(t)
	conn := &sharedConn{fakeConn: fakeConn{id: r.ids.Add(1), addr: "127.0.0.1:1"}}
	s, _ := r.kernel.Connect(conn)
	c := &client{Session: s.(*Session), t: t, conn: &conn.fakeConn}
	c.do("hello 3\nsubscribe news")
	var others sync.WaitGroup
	stop := make(chan struct{})
	defer others.Wait()
	defer close(stop)
	for range 2 {
		others.Go(func() {
			push := NewMessage([]byte(">1\r\n:1\r\n")) // which only clients of RESP3 are told
			for {
				select {
				case <-stop:
					return
				default:
					r.kernel.Publish(nil, []byte("news"), []byte("hello"))
					c.Deliver(nil, &push)
				}
			}
		})
	}
	for range 2000 {
		for _, step := range []struct{ line, wrong string }{
			{"hello 2", "*"}, {"unsubscribe", ">"}, {"hello 3", ">"}, {"subscribe news", "*"},
		} {
			if got := c.do(step.line); strings.Contains(got, step.wrong) {
				t.Fatalf("%s: %.200s", step.line, got)
			}
		}
	}
}
