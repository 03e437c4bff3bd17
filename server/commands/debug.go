package commands

import (
	"fmt"
	"math"
	"strings"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// DEBUG, what tests of clients and of servers use of it. It is no container in Redis' table of
// commands, so its subcommands are its own affair: they stand in a table here, which HELP prints.
//
// The row takes no lock, since most subcommands need none, or not for all of their work. One that
// looks at a key has every shard to itself: which argument is a key depends on the subcommand, and
// nobody minds in a test.

func debugCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "debug", Handler: cmdDebug, Arity: -2,
		Flags: engine.Admin | engine.NoScript | engine.Loading | engine.Stale |
			engine.Protected | engine.OwnLocks | engine.Survey | engine.ManyReplies,
		Group: "server", Since: "1.0.0", System: true,
		Summary:    "A container for debugging commands.",
		Complexity: "Depends on subcommand.",
	}}
}

// debugging is a subcommand of DEBUG.
type debugging struct {
	name        string
	least, most int  // how many arguments it takes
	data        bool // it waits for scripts that take long, as commands on keys do
	run         func(c *engine.Ctx, a *engine.Args) error
	help        []string // what HELP says of it, in Redis' words where it does the same
}

// debuggings are the subcommands, in the order of Redis' HELP.
func debuggings() []debugging {
	return []debugging{
		{"CHANGE-REPL-ID", 0, 0, false, debugChangeReplID, []string{
			"CHANGE-REPL-ID",
			"    Change the replication IDs of the instance.",
			"    Dangerous: should be used only for testing the replication subsystem."}},
		{"DIGEST", 0, 0, true, debugDigest, []string{
			"DIGEST",
			"    Output a hex signature representing the current DB content."}},
		{"DIGEST-VALUE", 0, math.MaxInt, true, debugDigestValue, []string{
			"DIGEST-VALUE <key> [<key> ...]",
			"    Output a hex signature of the values of all the specified keys."}},
		{"ERROR", 1, 1, false, debugError, []string{
			"ERROR <string>",
			"    Return a Redis protocol error with <string> as message. Useful for clients",
			"    unit tests to simulate Redis errors."}},
		{"LOG", 1, 1, false, debugLog, []string{
			"LOG <message>",
			"    Write <message> to the server log."}},
		{"LOADAOF", 0, 0, true, debugLoadAOF, []string{
			"LOADAOF",
			"    Flush the AOF buffers on disk and reload the AOF in memory."}},
		{"OBJECT", 1, 1, true, debugObject, []string{
			"OBJECT <key>",
			"    Show low level info about `key` and associated value."}},
		{"POPULATE", 1, 3, true, debugPopulate, []string{
			"POPULATE <count> [<prefix>] [<size>]",
			"    Create <count> string keys named key:<num>. If <prefix> is specified then",
			"    it is used instead of the 'key' prefix. These are not propagated to",
			"    replicas. Cluster slots are not respected so keys not belonging to the",
			"    current node can be created in cluster mode."}},
		{"PROTOCOL", 1, 1, false, debugProtocol, []string{
			"PROTOCOL <type>",
			"    Reply with a test value of the specified type. <type> can be: string,",
			"    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
			"    true, false."}},
		{"RELOAD", 0, math.MaxInt, true, debugReload, []string{
			"RELOAD [option ...]",
			"    Save the RDB on disk and reload it back to memory. Valid <option> values:",
			"    * MERGE: conflicting keys will be loaded from RDB.",
			"    * NOFLUSH: the existing database will not be removed before load, but",
			"      conflicting keys will generate an exception and change nothing.",
			"    * NOSAVE: the database will be loaded from an existing RDB file.",
			"    Examples:",
			"    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
			"      the database.",
			"    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
			"      existing RDB file.",
			"    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
			"      file to the database."}},
		{"SET-ACTIVE-EXPIRE", 1, 1, false, debugSetActiveExpire, []string{
			"SET-ACTIVE-EXPIRE <0|1>",
			"    Setting it to 0 disables expiring keys in background when they are not",
			"    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
			"    default."}},
		{"QUICKLIST-PACKED-THRESHOLD", 1, 1, false, debugPackedThreshold, []string{
			"QUICKLIST-PACKED-THRESHOLD <size>",
			"    Sets the threshold for elements to be inserted as plain vs packed nodes",
			"    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default."}},
		{"SLEEP", 1, 1, false, debugSleep, []string{
			"SLEEP <seconds>",
			"    Let this client wait for <seconds>. Decimals allowed. Nobody else is stopped."}},
		{"STRINGMATCH-LEN", 2, 2, false, debugStringmatch, []string{
			"STRINGMATCH-LEN <pattern> <string>",
			"    Return 1 if <string> matches the glob-style <pattern>, 0 otherwise."}},
		{"LISTPACK", 1, 1, true, debugListpack, []string{
			"LISTPACK <key>",
			"    Show low level info about the listpack encoding of <key>."}},
	}
}

func cmdDebug(c *engine.Ctx) error {
	a := c.Parse(1)
	subcommands := debuggings()
	if a.Left() == 1 && a.Match("HELP") {
		var lines []string
		for i := range subcommands {
			lines = append(lines, subcommands[i].help...)
		}
		return replyHelp(c, lines...)
	}
	for i := range subcommands {
		d := &subcommands[i]
		if n := a.Left() - 1; n < d.least || n > d.most || !a.Match(d.name) {
			continue
		}
		if d.data {
			if err := c.BehindScripts(); err != nil {
				return err
			}
		}
		return d.run(c, a)
	}
	return engine.ErrSubcommandSyntax(c.Spec, c.Args[1])
}

// alone runs f with every shard locked.
func alone(c *engine.Ctx, f func()) {
	if !c.Held {
		c.LockAll()
		c.Held = true
		defer func() {
			c.Held = false
			c.Store.UnlockAll()
		}()
	}
	f()
}

func debugChangeReplID(c *engine.Ctx, _ *engine.Args) error {
	if err := c.Kernel.ChangeReplicationID(); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func debugError(_ *engine.Ctx, a *engine.Args) error {
	return engine.Error(strings.NewReplacer("\r", " ", "\n", " ").Replace(string(a.Next())))
}

func debugLog(c *engine.Ctx, a *engine.Args) error {
	c.Kernel.Log.Warn("DEBUG LOG", "message", string(a.Next()))
	c.Out.OK()
	return nil
}

func debugSetActiveExpire(c *engine.Ctx, a *engine.Args) error {
	n, _ := lex.ParseInt(a.Next()) // as with C's atoi, what is no number is 0
	c.Store.SetActiveExpire(n != 0)
	c.Out.OK()
	return nil
}

// debugSleep makes this client wait; it is the way to have a slow command in a
// test. Redis would stop for everybody.
func debugSleep(c *engine.Ctx, a *engine.Args) error {
	s, _ := lex.ParseFloat(a.Next()) // as with C's strtod, what is no number is 0
	return c.Wait(sleepFor(s), func(c *engine.Ctx) error {
		c.Out.OK()
		return nil
	})
}

func debugStringmatch(c *engine.Ctx, a *engine.Args) error {
	pattern := lex.Compile(a.Next(), false)
	c.Out.Int(int64(count(pattern.Match(a.Next()))))
	return nil
}

// debugPackedThreshold accepts what Redis accepts, and does nothing: an element of a list has a node
// of its own here when it does not fit into one with others, whatever anybody says.
func debugPackedThreshold(c *engine.Ctx, a *engine.Args) error {
	const most = 4<<30 - 1<<20 // Redis' "smaller than 4gb"
	if n, ok := config.ParseMemory(string(a.Next())); !ok || n > most {
		return engine.ErrPackedThreshold
	}
	c.Out.OK()
	return nil
}

// debugObject leaves out what Redis tells of the nodes of a list, since larder's are made in another
// way. The place of a value is its shard.
func debugObject(c *engine.Ctx, a *engine.Args) (err error) {
	name := a.Next()
	alone(c, func() {
		e, ok := c.Peek(c.Store.Key(name))
		if !ok {
			err = engine.ErrNoSuchKey
			return
		}
		value, idle := e.Content(), e.IdleSeconds(&c.View)
		dump := c.Kernel.Dumper.Dump(nil, &value, c.Kernel.Config.Values().RDBCompression)
		c.Out.Status(fmt.Sprintf("Value at:0x%x refcount:%d encoding:%s serializedlength:%d lru:%d lru_seconds_idle:%d",
			c.Store.ShardOf(name), refcount(&e), e.Encoding(), len(dump)-dumpFrame, (c.Now/1000-idle)&lruMask, idle))
	})
	return err
}

// dumpFrame is what a payload of DUMP has beside the value, in bytes: the type in front, version and
// checksum behind.
const dumpFrame = 1 + 2 + 8

// debugListpack writes into the log what Redis prints, and replies the same.
func debugListpack(c *engine.Ctx, a *engine.Args) (err error) {
	name := a.Next()
	alone(c, func() {
		e, ok := c.Peek(c.Store.Key(name))
		switch {
		case !ok:
			err = engine.ErrNoSuchKey
			return
		case e.Encoding() != "listpack":
			err = engine.ErrNotListpack
			return
		}
		logListpack(c, name, &e)
		c.Out.Status("Listpack structure printed on stdout")
	})
	return err
}

func logListpack(c *engine.Ctx, name []byte, e *store.Entry) {
	var elements []string
	value := e.Content()
	value.Each(func(item, of []byte) bool {
		elements = append(elements, string(item))
		if of != nil {
			elements = append(elements, elementText(value.Type(), of))
		}
		return true
	})
	c.Kernel.Log.Warn("DEBUG LISTPACK", "key", string(name), "type", value.Type().String(),
		"bytes", e.Memory(), "elements", elements)
}
