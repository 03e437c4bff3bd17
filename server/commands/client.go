package commands

import "github.com/larderkv/larder/server/engine"

// CLIENT: what a connection says about itself, and what it sees of others and
// does to them. Other sessions run on other loops; all that is read of them is
// what they have published (engine.Session.Info).

func clientCommands() []engine.Spec {
	const (
		cat   = engine.CatConnection
		open  = engine.Loading | engine.Stale | engine.KeepsCaching
		own   = engine.NoScript | open
		admin = engine.Admin | own
	)
	return []engine.Spec{{
		Name: "client", Arity: -2, Group: "connection", Since: "2.4.0",
		Summary:    "A container for commands about connections.",
		Complexity: "Depends on subcommand.",
		Subcommands: append(trackingCommands(), []engine.Spec{
			{Name: "id", Handler: cmdClientID, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "5.0.0",
				Summary: "Returns the number of the connection.", Complexity: "O(1)"},
			{Name: "getname", Handler: cmdClientGetname, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "2.6.9",
				Summary: "Returns the name of the connection.", Complexity: "O(1)"},
			{Name: "setname", Handler: cmdClientSetname, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "2.6.9",
				Syntax: "connection-name", Summary: "Names the connection.", Complexity: "O(1)"},
			{Name: "setinfo", Handler: cmdClientSetinfo, Arity: 4, Flags: own, Group: "connection", Categories: cat, Since: "7.2.0",
				Syntax:  "<LIB-NAME libname | LIB-VER libver>",
				Summary: "Records the client library of the connection.", Complexity: "O(1)"},
			{Name: "info", Handler: cmdClientInfo, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "6.2.0",
				Tips: []string{"nondeterministic_output"}, Summary: "Describes this connection.", Complexity: "O(1)"},
			{Name: "list", Handler: cmdClientList, Arity: -2, Flags: admin, Group: "connection", Categories: cat, Since: "2.4.0",
				Tips:       []string{"nondeterministic_output"},
				Syntax:     "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
				Summary:    "Lists the connections.",
				Complexity: "O(N) where N is the number of client connections",
				History: []string{"2.8.12: The field `id`.", "5.0.0: The filter `TYPE`.", "6.0.0: The field `user`.",
					"6.2.0: The fields `argv-mem`, `tot-mem`, `laddr` and `redir`, and the filter `ID`.",
					"7.0.0: The fields `resp`, `multi-mem`, `rbs` and `rbp`.", "7.0.3: The field `ssub`.",
					"7.2.0: The fields `lib-name` and `lib-ver`.", "7.4.0: The field `watch`."}},
			{Name: "kill", Handler: cmdClientKill, Arity: -3, Flags: admin, Group: "connection", Categories: cat, Since: "2.4.0",
				Syntax: "<ip:port | <ID client-id | TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB> | USER username | " +
					"ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage ...>>",
				Summary:    "Closes connections.",
				Complexity: "O(N) where N is the number of client connections",
				History: []string{"2.8.12: Filters in place of an address.", "2.8.12: The filter `ID`.", "3.2.0: `MASTER` as a `TYPE`.",
					"5.0.0: `REPLICA` as a `TYPE`, the same as `SLAVE`.",
					"6.2.0: The filter `LADDR`.", "7.4.0: The filter `MAXAGE`."}},
			{Name: "unblock", Handler: cmdClientUnblock, Arity: -3, Flags: admin, Group: "connection", Categories: cat, Since: "5.0.0",
				Syntax: "client-id=integer [TIMEOUT | ERROR]", Summary: "Ends the wait of another client.",
				Complexity: "O(1)"},
			{Name: "pause", Handler: cmdClientPause, Arity: -3, Flags: admin | engine.AllShards, Group: "connection", Categories: cat,
				Since: "3.0.0", Syntax: "timeout=integer [WRITE | ALL]",
				History:    []string{"6.2.0: WRITE pauses what writes, and nothing else."},
				Summary:    "Has clients wait, all of them or those that write.",
				Complexity: "O(1)"},
			{Name: "unpause", Handler: cmdClientUnpause, Arity: 2, Flags: admin, Group: "connection", Categories: cat, Since: "6.2.0",
				Summary: "Ends a pause.", Complexity: "O(N) Where N is the number of paused clients"},
			{Name: "reply", Handler: cmdClientReply, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "3.2.0",
				Syntax: "<ON | OFF | SKIP>", Summary: "Switches the replies to this connection.", Complexity: "O(1)"},
			{Name: "no-evict", Handler: cmdClientNoEvict, Arity: 3, Flags: admin, Group: "connection", Categories: cat, Since: "7.0.0",
				Syntax: "<ON | OFF>", Summary: "Exempts this connection from client eviction.", Complexity: "O(1)"},
			{Name: "no-touch", Handler: cmdClientNoTouch, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "7.2.0",
				Syntax: "<ON | OFF>", Summary: "Keeps this connection's reads from counting as uses of the keys.",
				Complexity: "O(1)"},
			{Name: "help", Handler: cmdClientHelp, Arity: 2, Flags: open, Group: "connection", Categories: cat, Since: "5.0.0",
				Summary: "Describes the subcommands of CLIENT.", Complexity: "O(1)"},
		}...),
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
	c.Out.Verbatim("txt", c.Session.Info().String()+"\n")
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
		"CACHING (YES|NO)",
		"    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
		"GETREDIR",
		"    Return the client ID we are redirecting to when tracking is enabled.",
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
		"UNPAUSE",
		"    Stop the current client pause, resuming traffic.",
		"PAUSE <timeout> [WRITE|ALL]",
		"    Suspend all, or just write, clients for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)",
		"    Control the replies sent to the current connection.",
		"SETNAME <name>",
		"    Assign the name <name> to the current connection.",
		"SETINFO <option> <value>",
		"    Set client meta attr. Options are:",
		"    * LIB-NAME: the client lib name.",
		"    * LIB-VER: the client lib version.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]",
		"    Unblock the specified blocked client.",
		"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
		"         [OPTIN] [OPTOUT] [NOLOOP]",
		"    Control server assisted client side caching.",
		"TRACKINGINFO",
		"    Report tracking status for the current connection.",
		"NO-EVICT (ON|OFF)",
		"    Protect current client connection from eviction.",
		"NO-TOUCH (ON|OFF)",
		"    Will not touch LRU/LFU stats when this mode is on.")
}
