package engine

import (
	"strings"
	"testing"

	"github.com/larderkv/larder/server/config"
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
		{Name: "hello", Arity: 2, Handler: func(c *Ctx) error {
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

// TestOwnMessages: a client gets what it publishes to itself after the reply, and CLIENT REPLY holds
// back neither messages nor confirmations.
func TestOwnMessages(t *testing.T) {
	c := newRig(t).connect()
	c.expect("hello 3\nsubscribe news\npublish news hello", "+OK >"+inNews[1:]+" :1 >"+news[1:])
	c.expect("multi\npublish news hello\nget k\nexec", "+OK +QUEUED +QUEUED *2 :1 _ >"+news[1:])
	c.expect("reply off\npublish news hello\nget k\nunsubscribe news\nunsubscribe",
		">"+news[1:]+" >"+noNews[1:]+" >3 $11 unsubscribe _ :0")
	c.expect("reply on\nreply skip\nsubscribe news\nget k", "+OK >"+inNews[1:]+" _")
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
