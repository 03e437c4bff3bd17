package commands

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/server/engine"
)

// CLIENT: what a connection says about itself, and what it sees of others and
// does to them. Other sessions run on other loops; all that is read of them is
// what they have published (engine.Session.Info).

func clientCommands() []engine.Spec {
	const (
		cat   = engine.CatConnection
		open  = engine.Loading | engine.Stale
		own   = engine.NoScript | open
		admin = engine.Admin | own
	)
	return []engine.Spec{{
		Name: "client", Arity: -2, Group: "connection", Since: "2.4.0",
		Summary:    "A container for commands about connections.",
		Complexity: "Depends on subcommand.",
		Subcommands: []engine.Spec{
			{Name: "id", Handler: cmdClientID, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "5.0.0",
				Summary: "Returns the number of the connection.", Complexity: "O(1)"},
			{Name: "getname", Handler: cmdClientGetname, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "2.6.9",
				Summary: "Returns the name of the connection.", Complexity: "O(1)"},
			{Name: "setname", Handler: cmdClientSetname, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "2.6.9",
				Syntax: "connection-name", Summary: "Names the connection.", Complexity: "O(1)"},
			{Name: "setinfo", Handler: cmdClientSetinfo, Arity: 4, Flags: own, Group: "connection", Categories: cat, Since: "7.2.0",
				Syntax: "<LIB-NAME libname | LIB-VER libver>", Summary: "Records the client library of the connection.", Complexity: "O(1)"},
			{Name: "info", Handler: cmdClientInfo, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "6.2.0",
				Tips: []string{"nondeterministic_output"}, Summary: "Describes this connection.", Complexity: "O(1)"},
			{Name: "list", Handler: cmdClientList, Arity: -2, Flags: admin, Group: "connection", Categories: cat, Since: "2.4.0",
				Tips:       []string{"nondeterministic_output"},
				Syntax:     "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
				Summary:    "Lists the connections.",
				Complexity: "O(N) where N is the number of client connections"},
			{Name: "kill", Handler: cmdClientKill, Arity: -3, Flags: admin, Group: "connection", Categories: cat, Since: "2.4.0",
				Syntax: "<ip:port | <ID client-id | TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | USER username | ADDR addr | LADDR laddr | " +
					"SKIPME <YES | NO> | MAXAGE maxage ...>>",
				Summary:    "Closes connections.",
				Complexity: "O(N) where N is the number of client connections"},
			{Name: "unblock", Handler: cmdClientUnblock, Arity: -3, Flags: admin, Group: "connection", Categories: cat, Since: "5.0.0",
				Syntax: "client-id=integer [TIMEOUT | ERROR]", Summary: "Ends the wait of another client.",
				Complexity: "O(1)"},
			{Name: "reply", Handler: cmdClientReply, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "3.2.0",
				Syntax: "<ON | OFF | SKIP>", Summary: "Switches the replies to this connection.", Complexity: "O(1)"},
			{Name: "no-evict", Handler: cmdClientNoEvict, Arity: 3, Flags: admin, Group: "connection", Categories: cat, Since: "7.0.0",
				Syntax: "<ON | OFF>", Summary: "Exempts this connection from client eviction.", Complexity: "O(1)"},
			{Name: "no-touch", Handler: cmdClientNoTouch, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "7.2.0",
				Syntax: "<ON | OFF>", Summary: "Keeps this connection's reads from counting as uses of the keys.", Complexity: "O(1)"},
			{Name: "help", Handler: cmdClientHelp, Arity: 2, Flags: open, Group: "connection", Categories: cat, Since: "5.0.0",
				Summary: "Describes the subcommands of CLIENT.", Complexity: "O(1)"},
		},
	}}
}

func cmdClientID(c *engine.Ctx) error {
	c.Out.Int(int64(c.Session.ID()))
	return nil
}

func cmdClientGetname(c *engine.Ctx) error {
	if name := c.Session.Name(); name != "" {
		c.Out.BulkString(name)
	} else {
		c.Out.Null()
	}
	return nil
}

func cmdClientSetname(c *engine.Ctx) error {
	if !plainWord(c.Args[2]) {
		return engine.ErrClientName
	}
	c.Session.SetName(c.Args[2])
	c.Out.OK()
	return nil
}

func cmdClientSetinfo(c *engine.Ctx) error {
	a := c.Parse(2)
	isName := a.Match("LIB-NAME")
	if !isName && !a.Match("LIB-VER") {
		return engine.Errf("ERR Unrecognized option '%s'", c.Args[2])
	}
	value := c.Args[3]
	if !plainWord(value) {
		return engine.Errf("ERR %s cannot contain spaces, newlines or special characters.", c.Args[2])
	}
	if isName {
		c.Session.SetLibrary(value, nil)
	} else {
		c.Session.SetLibrary(nil, value)
	}
	c.Out.OK()
	return nil
}

func cmdClientInfo(c *engine.Ctx) error {
	c.Publish()
	c.Out.Verbatim("txt", clientLine(c.Session.Info()))
	return nil
}

func cmdClientList(c *engine.Ctx) error {
	c.Publish()
	a := c.Parse(2)
	sessions := c.Kernel.Clients.All()
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 4 && a.Match("TYPE"):
		t, err := clientType(a.Next())
		if err != nil {
			return err
		}
		sessions = slices.DeleteFunc(sessions, func(s *engine.Session) bool { return kindOf(s) != t })
	case len(c.Args) > 3 && a.Match("ID"):
		byID := make(map[int64]*engine.Session, len(sessions))
		for _, s := range sessions {
			byID[int64(s.ID())] = s
		}
		sessions = nil
		for !a.Done() {
			s := byID[a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrClientID))]
			if s != nil {
				sessions = append(sessions, s)
			}
		}
	default:
		a.Syntax()
	}
	if err := a.Err(); err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range sessions {
		b.WriteString(clientLine(s.Info()))
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

// clientLine is one line of CLIENT LIST, its end included. A client has no reply buffer of fixed
// size (rbs, rbp, obl): replies are written to one of its event loop's, and what the kernel does
// not take at once is held in a buffer of its size (oll, omem).
func clientLine(i engine.ClientInfo) string {
	events, owed := "r", 0
	if i.Sizes.Output > 0 {
		events, owed = "rw", 1
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d watch=%d"+
		" qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=0 rbp=0 obl=0 oll=%d omem=%d tot-mem=%d events=%s cmd=%s user=default"+
		" redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
		i.ID, i.Addr, i.LocalAddr, i.FD, i.Name, seconds(i.Age), seconds(i.Idle), i.Flags, i.DB, i.Channels, i.Patterns, i.ShardChannels, i.Queued, i.Watched,
		i.Sizes.QueryBuf, i.Sizes.QueryFree, i.Tables, i.QueueBytes, owed, i.Sizes.Output+i.Sizes.OutputFree, i.Memory, events, i.Command,
		i.RESP, i.LibName, i.LibVer)
}

func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }

// The types of clients that Redis knows. None of larder's is a replica or a master.
type clientKind uint8

const (
	typeNormal clientKind = iota
	typeReplica
	typePubSub
	typeMaster
)

// kindOf is the type of a client.
func kindOf(s *engine.Session) clientKind {
	if s.Subscribed() {
		return typePubSub
	}
	return typeNormal
}

func clientType(name []byte) (clientKind, error) {
	switch strings.ToLower(string(name)) {
	case "normal":
		return typeNormal, nil
	case "slave", "replica":
		return typeReplica, nil
	case "pubsub":
		return typePubSub, nil
	case "master":
		return typeMaster, nil
	}
	return 0, engine.Errf("ERR Unknown client type '%s'", name)
}

// killFilter says which clients CLIENT KILL means. All conditions must hold.
type killFilter struct {
	id          int64 // 0: any
	addr, laddr []byte
	typed       bool // clients of one type alone are meant
	kind        clientKind
	maxAge      int64
	skipMe      bool
}

func parseKillFilter(a *engine.Args) (killFilter, error) {
	f := killFilter{skipMe: true}
	for !a.Done() {
		switch {
		case a.MatchValue("ID"):
			f.id = a.IntRange(1, math.MaxInt64, string(engine.ErrClientIDLow))
		case a.MatchValue("MAXAGE"):
			f.maxAge = a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrMaxAge))
			if f.maxAge <= 0 {
				a.Fail(engine.ErrMaxAgeLow)
			}
		case a.MatchValue("TYPE"):
			t, err := clientType(a.Next())
			if err != nil {
				return f, err
			}
			f.typed, f.kind = true, t
		case a.MatchValue("ADDR"):
			f.addr = a.Next()
		case a.MatchValue("LADDR"):
			f.laddr = a.Next()
		case a.MatchValue("USER"):
			if user := a.Next(); string(user) != "default" {
				return f, engine.Errf("ERR No such user '%s'", user)
			}
		case a.MatchValue("SKIPME"):
			f.skipMe = a.Match("YES")
			if !f.skipMe && !a.Match("NO") {
				a.Syntax()
			}
		default:
			a.Syntax()
		}
	}
	return f, a.Err()
}

func (f *killFilter) matches(s *engine.Session, self *engine.Session, now time.Time) bool {
	switch conn := s.Conn(); {
	case f.addr != nil && conn.RemoteAddr() != string(f.addr),
		f.laddr != nil && conn.LocalAddr() != string(f.laddr),
		f.typed && kindOf(s) != f.kind,
		f.id != 0 && int64(s.ID()) != f.id,
		f.skipMe && s == self,
		f.maxAge != 0 && int64(now.Sub(conn.Created())/time.Second) < f.maxAge:
		return false
	}
	return true
}

func cmdClientKill(c *engine.Ctx) error {
	f := killFilter{}
	byAddr := len(c.Args) == 3
	if byAddr {
		f.addr = c.Args[2]
	} else {
		var err error
		if f, err = parseKillFilter(c.Parse(2)); err != nil {
			return err
		}
	}
	killed, now := 0, c.Kernel.Now()
	for _, s := range c.Kernel.Clients.All() {
		if !f.matches(s, c.Session, now) {
			continue
		}
		killed++
		if s == c.Session {
			s.CloseAfterReply()
		} else {
			s.Kill()
		}
	}
	switch {
	case !byAddr:
		c.Out.Int(int64(killed))
	case killed == 0:
		return engine.ErrNoSuchClient
	default:
		c.Out.OK()
	}
	return nil
}

// cmdClientUnblock ends another client's wait, as if its time were up or with an error.
func cmdClientUnblock(c *engine.Ctx) error {
	withError := false
	switch a := c.Parse(3); {
	case a.Left() > 1:
		return engine.ErrSubcommandSyntax(c.Spec.Parent(), c.Args[1])
	case a.Match("ERROR"):
		withError = true
	case !a.Done() && !a.Match("TIMEOUT"):
		return engine.ErrUnblockReason
	}
	a := c.Parse(2)
	id := a.Int64()
	if err := a.Err(); err != nil {
		return err
	}
	s := c.Kernel.Clients.ByID(uint64(id))
	c.Out.Int(int64(count(s != nil && s.Unblock(withError, c.MayWait()))))
	return nil
}

func cmdClientReply(c *engine.Ctx) error {
	switch a := c.Parse(2); {
	case a.Match("ON"):
		c.Session.ReplyOn()
		c.Out.OK()
	case a.Match("OFF"):
		c.Session.ReplyOff()
	case a.Match("SKIP"):
		c.Session.ReplySkip()
	default:
		return engine.ErrSyntax
	}
	return nil
}

func cmdClientNoEvict(c *engine.Ctx) error { return onOff(c, c.Session.SetNoEvict) }

func cmdClientNoTouch(c *engine.Ctx) error { return onOff(c, c.SetNoTouch) }

func onOff(c *engine.Ctx, set func(bool)) error {
	a := c.Parse(2)
	on := a.Match("ON")
	if !on && !a.Match("OFF") {
		return engine.ErrSyntax
	}
	set(on)
	c.Out.OK()
	return nil
}

func cmdClientHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"GETNAME",
		"    Return the name of the current connection.",
		"ID",
		"    Return the ID of the current connection.",
		"INFO",
		"    Return information about the current client connection.",
		"KILL <ip:port>",
		"    Kill connection made from <ip:port>.",
		"KILL <option> <value> [<option> <value> [...]]",
		"    Kill connections. Options are:",
		"    * ADDR (<ip:port>|<unixsocket>:0)",
		"      Kill connections made from the specified address",
		"    * LADDR (<ip:port>|<unixsocket>:0)",
		"      Kill connections made to specified local address",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      Kill connections by type.",
		"    * USER <username>",
		"      Kill connections authenticated by <username>.",
		"    * SKIPME (YES|NO)",
		"      Skip killing current connection (default: yes).",
		"    * ID <client-id>",
		"      Kill connections by client id.",
		"    * MAXAGE <maxage>",
		"      Kill connections older than the specified age.",
		"LIST [options ...]",
		"    Return information about client connections. Options:",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      Return clients of specified type.",
		"    * ID <client-id> [<client-id> ...]",
		"      Return the clients with the specified ids.",
		"REPLY (ON|OFF|SKIP)",
		"    Control the replies sent to the current connection.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]",
		"    Unblock the specified blocked client.",
		"SETNAME <name>",
		"    Assign the name <name> to the current connection.",
		"SETINFO <option> <value>",
		"    Set client meta attr. Options are:",
		"    * LIB-NAME: the client lib name.",
		"    * LIB-VER: the client lib version.",
		"NO-EVICT (ON|OFF)",
		"    Protect current client connection from eviction.",
		"NO-TOUCH (ON|OFF)",
		"    Will not touch LRU/LFU stats when this mode is on.")
}
