// Publishing, and what sessions have subscribed to. Who has subscribed to what is known by the hub
// (package pubsub); here it is put into RESP and tied to sessions.
//
// # Confirmations
//
// SUBSCRIBE and its relatives confirm each channel by a message of its own, a push in RESP3. It is
// written where the reply would be, so that it keeps its place among replies. While CLIENT REPLY
// holds back replies it is said as a message to the session itself: Redis holds back no pushes.
//
// # Nothing behind the end
//
// A client of RESP2 that has left its last channel takes whatever comes for a reply. But what was
// published before it left may still wait for its loop to come to the connection, and would then
// follow the confirmation. So whatever ends subscriptions first leaves the hub, and then puts in
// front of its own reply what has been pushed until then (settle): behind that nothing can come any
// more. So does HELLO when it changes the protocol (message.go). Inside a transaction nothing can be
// put in front, since the head of the array is out; EXEC settles before it if one of its commands
// may unsubscribe or change the protocol. What others publish while the transaction runs follows it.

package engine

import (
	"context"
	"runtime"
	"strconv"

	"github.com/larderkv/larder/server/pubsub"
)

// Publish sends a message to all who have subscribed to the channel or to a pattern that matches it,
// and returns how often that was. The message is encoded for the first that takes it: thousands of
// patterns can be those of one client, which a long message sends to its output limit soon. Who is
// there no longer for that reason, or about to be closed for another, is counted still, as in Redis.
// by is the command in whose course it is said, nil if there is none. Safe from any goroutine,
// whatever shards it has locked.
func (k *Kernel) Publish(by *Ctx, channel, payload []byte) int {
	return k.publish(by, pubsub.Channels, "message", channel, payload)
}

// PublishShard is Publish for shard channels, for which there are no patterns.
func (k *Kernel) PublishShard(by *Ctx, channel, payload []byte) int {
	return k.publish(by, pubsub.ShardChannels, "smessage", channel, payload)
}

// publish is Publish for a kind of channels. word is what messages begin with that match no pattern.
func (k *Kernel) publish(by *Ctx, kind pubsub.Kind, word string, channel, payload []byte) int {
	var m Message
	var matching []byte
	return k.PubSub.Publish(kind, channel, func(pattern []byte) {
		if m = (Message{}); pattern != nil {
			word, matching = "pmessage", pattern
		}
	}, func(to *Session) {
		switch {
		case to.conn.Killed():
			return
		case m.array == nil:
			m = NewMessage(encode(word, matching, channel, payload))
		}
		to.Deliver(by, &m)
	})
}

const (
	// leaveAtOnce is how many subscriptions a client may have that leaves at once, on its loop: that
	// takes a few milliseconds.
	leaveAtOnce = 2000
	// mostLeaving is how many may be left to a goroutine, in all. They take memory that is in no
	// account any more. Who leaves while there are more takes its time from its own loop, so that
	// clients cannot subscribe faster than is cleaned up behind them.
	mostLeaving = 4 << 20
)

// leave ends a member's subscriptions, which have no effect from now on.
func (k *Kernel) leave(m *pubsub.Member[*Session]) {
	if m.Len() > leaveAtOnce && k.PubSub.Leaving() < mostLeaving {
		m.Hide()
		if k.Go(func(ctx context.Context) {
			m.Leave(func() bool {
				runtime.Gosched()
				return ctx.Err() == nil
			})
		}) {
			return
		}
	}
	m.Leave(nil)
}

// encode makes the array of a message in one allocation of its exact size: with one subscriber the
// collection of what is published is the largest part of what the server itself does for a message,
// and short ones would take twice as much with room to spare.
func encode(kind string, pattern, channel, payload []byte) []byte {
	size := len("*3\r\n") + bulkLen(len(kind)) + bulkLen(len(channel)) + bulkLen(len(payload))
	if pattern != nil {
		size += bulkLen(len(pattern))
	}
	b := make([]byte, 0, size)
	if pattern == nil {
		b = append(b, "*3\r\n"...)
	} else {
		b = append(b, "*4\r\n"...)
	}
	b = appendBulk(b, kind)
	if pattern != nil {
		b = appendBulk(b, pattern)
	}
	return appendBulk(appendBulk(b, channel), payload)
}

// bulkLen is the length of a bulk string of n bytes.
func bulkLen(n int) int {
	digits := 1
	for rest := n / 10; rest > 0; rest /= 10 {
		digits++
	}
	return len("$\r\n\r\n") + digits + n
}

func appendBulk[T string | []byte](b []byte, s T) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(s)), 10)
	b = append(append(b, "\r\n"...), s...)
	return append(b, "\r\n"...)
}

// Subscribe subscribes the session to a topic and confirms it. verb is the name of the command.
func (c *Ctx) Subscribe(kind pubsub.Kind, verb string, name []byte) {
	s := c.Session
	if s.member == nil {
		s.member = s.kernel.PubSub.Join(s)
		s.classify()
	}
	s.member.Subscribe(kind, name)
	if !s.User().Hears(name, kind == pubsub.Patterns) {
		s.Hangup() // it has just lost the right (users.go)
	}
	s.count(kind)
	c.confirm(kind, verb, name, true)
}

// Unsubscribe ends the session's subscription to a topic, if there is one, and confirms it.
func (c *Ctx) Unsubscribe(kind pubsub.Kind, verb string, name []byte) {
	if s := c.Session; s.member != nil {
		s.member.Unsubscribe(kind, name)
		s.count(kind)
		s.leaveIfEmpty()
		c.settle()
	}
	c.confirm(kind, verb, name, true)
}

// UnsubscribeAll ends all subscriptions of a kind and confirms each, or that there were none.
func (c *Ctx) UnsubscribeAll(kind pubsub.Kind, verb string) {
	s := c.Session
	if s.member == nil || s.member.Count(kind) == 0 {
		c.confirm(kind, verb, nil, false)
		return
	}
	s.member.UnsubscribeAll(kind, func(name []byte) {
		s.count(kind)
		c.settle()
		c.confirm(kind, verb, name, true)
	})
	s.leaveIfEmpty()
}

// settle writes what has been pushed to the session and is not on its way yet.
func (c *Ctx) settle() { c.putPushed(c.takePushed()) }

// takePushed takes it from the connection.
func (c *Ctx) takePushed() []byte {
	if c.Inside() {
		return nil
	}
	return c.Session.conn.AppendPushed(c.pushed[:0])
}

// putPushed writes it, or has it follow the reply if that is held back.
func (c *Ctx) putPushed(pushed []byte) {
	if len(pushed) == 0 {
		return
	}
	c.many = c.many || c.Session.reply == replyOn
	c.say(pushed)
}

// say writes a message in the place of the reply, or has it follow where that is held back. b lies in
// the scratch memory of settle, or replaces it.
func (c *Ctx) say(b []byte) {
	if c.Session.reply == replyOn {
		c.Out.Raw(b)
	} else {
		c.own = append(c.own, b...)
	}
	if c.pushed = b; cap(b) > outputBound {
		c.pushed = nil
	}
}

// confirm says that the session has subscribed or unsubscribed, and what it has subscribed to now.
// Without a name it says that there was nothing to unsubscribe from.
func (c *Ctx) confirm(kind pubsub.Kind, verb string, name []byte, named bool) {
	s := c.Session
	now := s.subscribed[pubsub.ShardChannels].Load()
	if kind != pubsub.ShardChannels {
		now = s.subscribed[pubsub.Channels].Load() + s.subscribed[pubsub.Patterns].Load()
	}
	head, null := "*3\r\n", "$-1\r\n"
	if s.resp3.Load() {
		head, null = ">3\r\n", "_\r\n"
	}
	b := appendBulk(append(c.pushed[:0], head...), verb)
	if named {
		b = appendBulk(b, name)
	} else {
		b = append(b, null...)
	}
	c.say(append(strconv.AppendInt(append(b, ':'), int64(now), 10), "\r\n"...))
}

// count publishes how much the session has subscribed to.
func (s *Session) count(kind pubsub.Kind) {
	s.subscribed[kind].Store(int32(s.member.Count(kind)))
}

// leaveIfEmpty makes the session an ordinary client when nothing is left.
func (s *Session) leaveIfEmpty() {
	if s.member.Empty() {
		s.dropSubscriptions()
	}
}

// dropSubscriptions ends all subscriptions without a word.
func (s *Session) dropSubscriptions() {
	if s.member == nil {
		return
	}
	s.kernel.leave(s.member)
	s.member = nil
	for kind := range s.subscribed {
		s.subscribed[kind].Store(0)
	}
	s.classify()
}

// Subscribed reports whether the client has subscribed to anything, which makes it one of the type
// pubsub. Safe from any goroutine.
func (s *Session) Subscribed() bool {
	return s.subscribed[pubsub.Channels].Load()|s.subscribed[pubsub.ShardChannels].Load()|
		s.subscribed[pubsub.Patterns].Load() != 0
}

// Restricted reports whether the client may only do what has to do with its subscriptions: in RESP2
// it could not tell a reply from a message.
func (s *Session) Restricted() bool { return s.member != nil && !s.resp3.Load() }
