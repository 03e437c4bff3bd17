package commands

import (
	"bytes"
	"math"
	"strings"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// The commands by which a connection introduces itself and leaves.

func connectionCommands() []engine.Spec {
	const (
		cat   = engine.CatConnection
		fast  = engine.Loading | engine.Stale | engine.Fast
		login = engine.NoScript | fast | engine.NoAuth | engine.AllowBusy
		leave = login | engine.Unqueued | engine.EndsMulti | engine.WhileSubscribed
	)
	return []engine.Spec{
		{Name: "auth", Handler: cmdAuth, Arity: -2, Flags: login, Secret: func(_ [][]byte, i int) bool { return i > 0 },
			Group: "connection", Categories: cat, Since: "1.0.0", Syntax: "[username] password",
			Summary:    "Authenticates the connection.",
			Complexity: "O(N) where N is the number of passwords defined for the user",
			History:    []string{"6.0.0: A user name is accepted."}},
		{Name: "hello", Handler: cmdHello, Arity: -1, Flags: login | engine.SwitchesRESP, Secret: func(args [][]byte, i int) bool { return follows(args, i, 2, "auth", 2) },
			Group: "connection", Categories: cat, Since: "6.0.0",
			Syntax:     "[protover [AUTH username password] [SETNAME clientname]]",
			Summary:    "Chooses the protocol version and may authenticate and name the connection.",
			Complexity: "O(1)",
			History:    []string{"6.2.0: Without arguments it reports on the connection."}},
		{Name: "ping", Handler: cmdPing, Arity: -1, Flags: engine.Fast | engine.HealthCheck | engine.WhileSubscribed,
			Group: "connection", Categories: cat, Since: "1.0.0", Syntax: "[message]",
			Summary:    "Answers PONG, or the message.",
			Complexity: "O(1)",
			Tips:       []string{"request_policy:all_shards", "response_policy:all_succeeded"}},
		{Name: "echo", Handler: cmdEcho, Arity: 2, Flags: fast,
			Group: "connection", Categories: cat, Since: "1.0.0", Syntax: "message",
			Summary:    "Returns the message.",
			Complexity: "O(1)"},
		{Name: "select", Handler: cmdSelect, Arity: 2, Flags: fast | engine.Replayed | engine.NamesDB,
			Group: "connection", Categories: cat, Since: "1.0.0", Syntax: "index",
			Summary:    "Chooses the database of the connection.",
			Complexity: "O(1)"},
		{Name: "quit", Handler: cmdQuit, Arity: -1, Flags: leave,
			Group: "connection", Categories: cat, Since: "1.0.0",
			Summary:    "Closes the connection.",
			Complexity: "O(1)"},
		{Name: "reset", Handler: cmdReset, Arity: 1, Flags: leave,
			Group: "connection", Categories: cat, Since: "6.2.0",
			Summary:    "Gives the connection the state of a new one.",
			Complexity: "O(1)"},
		// What a browser sends when a page makes it talk to us.
		{Name: "post", Handler: cmdCrossProtocol, Arity: -1, Flags: login | engine.Unqueued | engine.EndsMulti | engine.Hidden},
		{Name: "host:", Handler: cmdCrossProtocol, Arity: -1, Flags: login | engine.Unqueued | engine.EndsMulti | engine.Hidden},
	}
}

func cmdAuth(c *engine.Ctx) error {
	var err error
	switch len(c.Args) {
	case 2:
		if c.Kernel.Users.Default().User().NoPass() {
			return engine.ErrNoPassword
		}
		err = c.Login([]byte(acl.DefaultName), c.Args[1])
	case 3:
		err = c.Login(c.Args[1], c.Args[2])
	default:
		err = engine.ErrSyntax
	}
	if err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// follows reports whether the argument at an index is one of the first few behind an option, which
// does not stand before from.
func follows(args [][]byte, i, from int, option string, few int) bool {
	for at := max(from, i-few); at < i; at++ {
		if strings.EqualFold(string(args[at]), option) {
			return true
		}
	}
	return false
}

func cmdHello(c *engine.Ctx) error {
	version := c.Session.RESP()
	a := c.Parse(1)
	if !a.Done() {
		v, ok := lex.ParseInt(a.Next())
		switch {
		case !ok:
			return engine.ErrProtoNotInt
		case v < 2 || v > 3:
			return engine.ErrNoProto
		}
		version = int(v)
	}
	var user, password, name []byte
	for !a.Done() {
		switch {
		case a.Left() >= 3 && a.Match("AUTH"):
			user, password = a.Next(), a.Next()
		case a.MatchValue("SETNAME"):
			if name = a.Next(); !plainWord(name) {
				return engine.ErrClientName
			}
		default:
			return engine.Errf("ERR Syntax error in HELLO option '%s'", a.Next())
		}
	}
	if user != nil {
		if err := c.Login(user, password); err != nil {
			return err
		}
	}
	if !c.Session.Authenticated() {
		return engine.ErrHelloNoAuth
	}
	if name != nil {
		c.Session.SetName(name)
	}
	c.SetRESP(version)
	replyHello(c, version)
	return nil
}

func replyHello(c *engine.Ctx, version int) {
	w := c.Out
	w.Map(7)
	w.BulkString("server")
	w.BulkString("redis")
	w.BulkString("version")
	w.BulkString(config.RedisVersion)
	w.BulkString("proto")
	w.Int(int64(version))
	w.BulkString("id")
	w.Int(int64(c.Session.ID()))
	w.BulkString("mode")
	w.BulkString("standalone")
	w.BulkString("role")
	w.BulkString("master")
	w.BulkString("modules")
	w.Array(0)
}

// plainWord reports whether a name can stand in CLIENT LIST: visible ASCII only.
func plainWord(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

// cmdPing answers a subscriber of RESP2 in the form of a message, which is all that it expects.
func cmdPing(c *engine.Ctx) error {
	subscriber := c.Session.Restricted()
	switch {
	case len(c.Args) > 2:
		return engine.ErrArity(c.Spec)
	case subscriber:
		c.Out.Array(2)
		c.Out.BulkString("pong")
		c.Out.Bulk(bytes.Join(c.Args[1:], nil))
	case len(c.Args) == 2:
		c.Out.Bulk(c.Args[1])
	default:
		c.Out.Status("PONG")
	}
	return nil
}

func cmdEcho(c *engine.Ctx) error {
	c.Out.Bulk(c.Args[1])
	return nil
}

func cmdSelect(c *engine.Ctx) error {
	n, ok := lex.ParseInt(c.Args[1])
	if !ok {
		return engine.ErrNotInteger
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return engine.ErrInt32Range
	}
	if n < 0 || n >= int64(c.Store.Databases()) {
		return engine.ErrDBIndex
	}
	c.Select(int(n))
	c.Out.OK()
	return nil
}

func cmdQuit(c *engine.Ctx) error {
	c.Out.OK()
	c.Session.CloseAfterReply()
	return nil
}

func cmdReset(c *engine.Ctx) error {
	c.Reset()
	c.Out.Status("RESET")
	return nil
}

// cmdCrossProtocol hangs up on HTTP: a page can make a browser send a request
// whose body is commands.
func cmdCrossProtocol(c *engine.Ctx) error {
	c.Kernel.Log.Warn("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. "+
		"This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection aborted.",
		"addr", c.Session.Conn().RemoteAddr())
	c.Session.Hangup()
	return nil
}
