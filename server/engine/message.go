// Messages: what a client is told without having asked for it in this moment. What is published on
// a channel, the key that its cache is to forget, the line of a MONITOR.
//
// # Order
//
// Whoever has something to say may do so in the middle of a command and under the locks of shards:
// Session.Deliver only queues. Another client gets the message when its loop comes to it, after the
// replies that have been made for that client so far (netloop.Conn.Push). The client whose own
// command says it gets it right after the reply of that command, as since Redis 7.2, and after the
// whole of an EXEC: never inside a reply.
//
// The background work removes keys by the thousand. What it says is put off until the end of its
// slice, when the loops are woken once for all of it (netloop.Conn.PushLater).
//
// # Sharing
//
// A message is encoded once in each version of the protocol that somebody needs. These bytes never
// change again, and all connections share them.
//
// # When the protocol changes
//
// Who says something knows the client's version of the protocol a moment before the message is in
// the connection's queue. HELLO in that moment would leave a message of the old version behind the
// reply that announces the new one, where the client takes a message for a reply, or stumbles over
// it. So the choice of the version and the push are one step (Session.telling), and so are the end
// of what was pushed before and the change (Ctx.SetRESP). A second queue, or messages that the loop
// encodes when it sends them, would spare that lock; but it is nearly always free.

package engine

import (
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
)

// Message is one message for any number of clients. Until it has been delivered to all of them it
// is for one goroutine.
type Message struct {
	array []byte // as RESP2 has it
	push  []byte // as RESP3 has it; nil: nobody has needed it yet
}

// NewMessage makes a message of its encoding in RESP2, which it keeps. If that is an array, the
// message is a push in RESP3, and equal otherwise.
func NewMessage(resp2 []byte) Message { return Message{array: resp2} }

// in returns the encoding for a version of the protocol, nil if a client of that version cannot be
// told.
func (m *Message) in(resp3 bool) []byte {
	if !resp3 && len(m.array) > 0 && m.array[0] == '>' {
		return nil
	}
	if !resp3 || len(m.array) == 0 || m.array[0] != '*' {
		return m.array
	}
	if m.push == nil {
		m.push = append([]byte(nil), m.array...)
		m.push[0] = '>'
	}
	return m.push
}

// Deliver sends the client a message. by is the command in whose course it is said, nil if there is
// none, or one without a session for the background work, which calls FlushMessages in the end. Safe
// from any goroutine, whatever shards it has locked.
func (s *Session) Deliver(by *Ctx, m *Message) {
	if by != nil && by.Session == s {
		by.sayOwn(m.in(s.resp3.Load()))
		return
	}
	s.telling.Lock()
	grown := s.push(m.in(s.resp3.Load()), by != nil && by.Session == nil)
	s.telling.Unlock()
	if grown != 0 {
		s.Sized(grown)
	}
}

// sayOwn keeps a message to the client whose command is running. One that is published on a channel
// can match thousands of the client's own patterns: so these messages are held to its output limit
// while they are collected, not only when they are written.
func (c *Ctx) sayOwn(b []byte) {
	conn, limits := c.Session.conn, &c.Session.kernel.Config.Values().OutputLimits
	owed, limit := int64(len(c.own)+len(b)), limits[conn.Class()].Hard
	if limit > 0 {
		owed += conn.Sizes().Output
	} else { // as netloop.Limits.UnaskedHard
		limit = limits[config.ClassPubSub].Hard
	}
	if limit > 0 && owed > limit {
		conn.Kill(netloop.OutputHardLimit)
		c.Session.next, c.own = netloop.CloseNow, nil
		return
	}
	c.own = append(c.own, b...)
}

// push pushes a message, later if there will be a FlushMessages.
func (s *Session) push(b []byte, later bool) (grown int64) {
	if later {
		return s.conn.PushLater(b)
	}
	return s.conn.Push(b)
}

// FlushMessages has sent what the background work has said in its slice.
func (k *Kernel) FlushMessages() { k.flush() }

// deliverOwn appends the messages that the session has said to itself to its output. The reply of
// the command that said them is complete, or there is none.
func (c *Ctx) deliverOwn() {
	if len(c.own) > 0 {
		c.Out.Raw(c.own)
		if c.own = c.own[:0]; cap(c.own) > outputBound {
			c.own = nil
		}
	}
}
