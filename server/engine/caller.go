// Callers: requests from inside the process, of somebody who has no connection.
//
// Whoever serves people in another way than by Redis' protocol (the admin pages do) must not work on
// the store by himself: his users' rights, the memory cap, a pause, keyspace notifications, the log,
// monitors and caches of clients would not know of it. So a Caller is a session as any other, whose
// requests are admitted, run and counted as a client's are, on the goroutine that asks. What a loop
// does for a connection it does itself: it makes room by asking again, waits where the session
// blocks, and has the log written before it believes a reply.
//
// It is not in the registry of clients: CLIENT LIST does not show it, maxclients does not count it,
// and nobody can kill it; it lasts for one call of a page, whose time is limited (Do's ctx).

package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/netloop"
)

// Caller is such a client. One goroutine at a time.
type Caller struct {
	session *Session
	conn    callerConn
	out     chain.Buffer
	ended   bool
}

// ErrCallEnded is what Do returns when the session has ended without a reply.
var ErrCallEnded = errors.New("the request was given up")

// NewCaller makes a client with the rights of a user, in database 0, to which replies are made in
// RESP3. addr is where the person sits whom it works for, for MONITOR, the slow log and ACL LOG.
// Its reads leave idle times and frequencies of keys as they are, and are no hits and misses: who
// looks at a cache does not use it. Close it.
func (k *Kernel) NewCaller(user *acl.Record, addr string) *Caller {
	c := &Caller{conn: callerConn{addr: addr, created: k.clock(), resumed: make(chan struct{}, 1)}}
	s := newSession(k, &c.conn)
	s.user.Store(user)
	s.authenticated, s.noTouch, s.onlooker = true, true, true
	s.resp3.Store(true)
	c.session = s
	return c
}

// Close ends the session.
func (c *Caller) Close() {
	if !c.ended {
		c.ended = true
		c.session.Closed(netloop.ClientClosed)
	}
}

// Do makes a request and returns its reply as it would go to a client. If ctx ends before there is
// one, or the session does, it returns an error, and the Caller is of no further use. A reply is
// returned when what the request has changed is as durable as the log's policy promises.
func (c *Caller) Do(ctx context.Context, args ...string) ([]byte, error) {
	if c.ended {
		return nil, ErrCallEnded
	}
	var reply []byte
	next, in := netloop.Again, journal.AppendCommand(nil, wordsOf(args)...)
	for {
		c.out.Lend(nil, nil, nil)
		if next == netloop.Block {
			next = c.session.Resumed(&c.out)
		} else {
			var taken int
			taken, next = c.session.Data(in, &c.out)
			in = in[taken:]
		}
		reply = append(reply, c.out.Bytes()...)
		if err := c.commit(); err != nil {
			c.Close()
			return nil, err
		}
		switch {
		case next == netloop.CloseNow || len(reply) == 0 && next == netloop.CloseAfterFlush:
			c.Close()
			return nil, ErrCallEnded
		case next == netloop.CloseAfterFlush:
			c.Close()
			return reply, nil
		case next != netloop.Block && len(in) == 0:
			return reply, nil
		}
		if err := c.await(ctx, next); err != nil {
			c.Close()
			return nil, err
		}
	}
}

// await waits until the session is to have its next turn.
func (c *Caller) await(ctx context.Context, next netloop.Action) error {
	if next != netloop.Block { // there is no room yet: others may free some meanwhile
		runtime.Gosched()
		return ctx.Err()
	}
	select {
	case <-c.conn.resumed:
		if c.conn.Killed() {
			return ErrCallEnded
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit has what the last turn appended to the log written.
func (c *Caller) commit() error {
	if !c.session.logged {
		return nil
	}
	if err := c.session.kernel.commit(); err != nil {
		return fmt.Errorf("the change could not be made durable: %w", err)
	}
	return nil
}

// wordsOf are a request's arguments as handlers have them.
func wordsOf(args []string) [][]byte {
	list := make([][]byte, len(args))
	for i, a := range args {
		list[i] = []byte(a)
	}
	return list
}

// Login finds the user of a name and a password for somebody who does not say AUTH, nil if there is
// none; a failure is in ACL LOG then. A user of whom any password is right is none: what can be
// reached by a browser must not be open to every page that its owner visits.
func (k *Kernel) Login(name, password, addr string) *acl.Record {
	r := k.Users.Authenticate([]byte(name), []byte(password))
	if r != nil && !r.User().NoPass() && !r.Gone() {
		return r
	}
	k.refuseLogin(name, addr)
	return nil
}

func (k *Kernel) refuseLogin(name, addr string) {
	who := ClientInfo{Addr: addr, FD: -1, Flags: "N", Queued: -1, Redirect: -1, RESP: 3, User: name, Command: "http"}
	k.Refusals.Add(acl.Entry{
		Why: acl.DeniedAuth, Where: acl.TopLevel, Object: "http",
		Username: name, Client: who.String(), Updated: k.clock(),
	}, logLength(k.Config.Values()))
}

// Allows reports whether a user may make a request. It asks without making it, and without a word in
// ACL LOG. An unknown command is allowed to nobody.
func (k *Kernel) Allows(u *acl.User, args ...string) bool {
	request := wordsOf(args)
	spec := k.Table.Resolve(request)
	if spec == nil {
		return false
	}
	c := k.ctxs.get(k)
	defer k.ctxs.put(c)
	why, _ := c.Judge(u, spec, request)
	return why == acl.Allowed
}

// callerConn is the connection of a Caller: one that leads nowhere.
type callerConn struct {
	addr    string
	created time.Time
	killed  atomic.Bool
	class   atomic.Uint32
	resumed chan struct{} // of room for one
}

func (*callerConn) ID() uint64                          { return 0 } // those of clients begin at 1
func (c *callerConn) RemoteAddr() string                { return c.addr }
func (*callerConn) LocalAddr() string                   { return "" }
func (*callerConn) FD() int                             { return -1 }
func (c *callerConn) Created() time.Time                { return c.created }
func (*callerConn) Unix() bool                          { return false }
func (*callerConn) Loop() int                           { return 0 }
func (*callerConn) CertifiedName() string               { return "" }
func (c *callerConn) Class() netloop.Class              { return netloop.Class(c.class.Load()) }
func (c *callerConn) SetClass(class netloop.Class)      { c.class.Store(uint32(class)) }
func (*callerConn) ResumeAfter(netloop.Conn, bool) bool { return false }
func (*callerConn) Push([]byte) int64                   { return 0 }
func (*callerConn) PushLater([]byte) int64              { return 0 }
func (*callerConn) AppendPushed(b []byte) []byte        { return b }
func (*callerConn) HandOver()                           {} // nobody waits for its goroutine
func (*callerConn) Sizes() netloop.Sizes                { return netloop.Sizes{} }
func (c *callerConn) Killed() bool                      { return c.killed.Load() }

// Resume ends a wait. One that comes while nothing waits is kept, and a second one is the same.
func (c *callerConn) Resume() {
	select {
	case c.resumed <- struct{}{}:
	default:
	}
}

func (c *callerConn) Kill(netloop.CloseReason) {
	c.killed.Store(true)
	c.Resume()
}
