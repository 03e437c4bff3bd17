// This file is the row of the command table. A command's facts stand here once
// and nowhere else: dispatch, arity errors, locking, MULTI, admission, COMMAND
// INFO/DOCS/GETKEYS/LIST, ACL categories and statistics are all derived from
// the row. No other code compares a command by name or by handler; when a
// command needs special treatment, the treatment gets a flag and the row sets it.

package engine

import "github.com/larderkv/larder/store"

// Handler executes one command. The engine has checked the arity, resolved
// Ctx.Keys and locked their shards. A returned error becomes the reply and
// replaces whatever the handler has written; a handler that returns nil has
// written exactly one reply (or none, where Redis sends none).
type Handler func(c *Ctx) error

// Spec is one row: a command, or a subcommand inside its container's row.
type Spec struct {
	Name    string // lower case, without the container: "get", "setname"
	Handler Handler
	// Arity counts the command's name (and the subcommand's): exact when
	// positive, a minimum when negative.
	Arity int
	Flags Flags
	// Keys says where the keys are and what happens to them. Ctx.Keys follows
	// the order of these specs.
	Keys []KeySpec
	// KeysAt finds the keys of a request where Keys say it incompletely. nil: Keys say it all.
	KeysAt func(args [][]byte) []KeyAt
	// Strays reports whether a request will look at keys that are not among its arguments: SORT
	// makes their names of the elements that it finds. Then every shard is locked while the handler
	// runs. nil: no request does.
	Strays func(args [][]byte) bool
	// Undeclared reports whether the script that a request runs may touch keys beyond those that are
	// among its arguments: whether nobody has proved that it does not. It is asked before the locks
	// are taken, with Ctx.Args and Ctx.Keys being those of the request (straying.go). nil: the row
	// runs no script.
	Undeclared func(c *Ctx) bool
	// FlagsOf is the flags of a request, where they depend on the script that it runs
	// (ScriptFlags.Of). row is Flags. nil: they are Flags.
	FlagsOf func(c *Ctx, row Flags) Flags
	// Locks adds what a request has to lock beside the shards of its keys: the slots of libraries
	// of functions, or the shard that a walk has come to. It is asked like Undeclared, and again if
	// Kernel.Libraries has changed before all was locked. nil: nothing.
	Locks func(c *Ctx, l *store.Lockset)
	// Channels says which arguments are channels, for users' rights.
	Channels ChannelArgs
	// Element is the position of the field or member that the request is about, or of the first of
	// several: what has to be found inside the key's value is prefetched together with the key
	// (ahead.go). Where options may stand before it, the position is that in a request without any.
	// 0: there is none.
	Element int
	// Grows is asked under maxmemory how many bytes more than its request a command will
	// take. It runs before the command, which holds no lock yet. nil: no more.
	Grows func(c *Ctx) int64

	// Secret reports whether the argument at an index is not to be shown to anybody: a password, or
	// whose it is. nil: none is.
	Secret func(args [][]byte, i int) bool

	Group      string // as in COMMAND DOCS: string, hash, set, generic, connection, server, transactions
	Since      string
	Summary    string
	Complexity string
	// Categories are the ACL categories that do not follow from Flags.
	Categories Category
	Tips       []string
	// History lists changes of the command as "version: what changed".
	History []string
	// System marks a command of servers and of their tests in COMMAND DOCS, which is no client's.
	System bool
	// DeprecatedSince and ReplacedBy mark a deprecated command in COMMAND DOCS.
	DeprecatedSince, ReplacedBy string
	// Syntax is the arguments as redis.io prints them, without the name:
	// "key value [NX | XX] [GET] [EX seconds | KEEPTTL]". syntax.go derives the
	// argument tree of COMMAND DOCS from it.
	Syntax string

	// Subcommands makes the row a container. A container with a nil Handler
	// exists only through its subcommands.
	Subcommands []Spec

	// Derived by NewTable.
	parent   *Spec
	full     string // "client|setname"
	index    int    // dense, over rows and subcommands: the statistics' index
	subs     *Table
	ends     nameEnds // of the name
	cases    nameEnds // the bits of them that say the case of letters
	legacy   legacyRange
	lockKind lockKind
	keyPos   int // lockOne: the position of the only key
}

// FullName is the name as statistics and errors print it: "client|setname".
func (s *Spec) FullName() string { return s.full }

// Index numbers all rows and subcommands of the table densely from zero.
func (s *Spec) Index() int { return s.index }

// Parent is the container of a subcommand, nil for a command.
func (s *Spec) Parent() *Spec { return s.parent }

// Subtable holds the subcommands of a container, nil otherwise.
func (s *Spec) Subtable() *Table { return s.subs }

// Fits reports whether a request of n arguments fits the row's arity.
func (s *Spec) Fits(n int) bool {
	if s.Arity >= 0 {
		return n == s.Arity
	}
	return n >= -s.Arity
}

// Flags are the facts of a command that admission, locking and COMMAND read.
type Flags uint64

// Redis' own flags, in the order COMMAND INFO lists them.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Module
	Admin
	PubSub
	NoScript
	Blocking
	Loading
	Stale
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoMandatoryKeys
	NoAsyncLoading
	NoMulti
	MovableKeys // derived from the key specs; rows need not set it
	AllowBusy

	// larder's own, invisible in COMMAND.

	AllShards // every shard is locked while the handler runs
	OwnLocks  // the handler asks for the whole store (store/whole.go), shard by shard; a transaction with it locks all
	Survey    // with OwnLocks: what it tells need not be exact, so it does not wait for scripts that take long
	Unqueued  // runs at once inside MULTI instead of being queued
	EndsMulti // ends MULTI, and is let through there however short memory is
	Protected // refused unless enable-debug-command allows it
	Hidden    // dispatched, but not listed by COMMAND
	RunsQueue // runs the queued commands; a refusal aborts the transaction
	// HealthCheck rows are refused like writes while the disk fails: PING.
	HealthCheck
	// Replayed rows change nothing, but what follows them in a log depends on
	// them: SELECT. A replay runs these and writes, and nothing else.
	Replayed
	// WhileSubscribed rows may run while a client of RESP2 has subscribed to something.
	WhileSubscribed
	// PausesAsWrite rows wait in a CLIENT PAUSE of writes and are not for monitors, without being
	// marked for it in COMMAND: PUBLISH.
	PausesAsWrite
	// ManyReplies rows answer each of their arguments by a message of its own: SUBSCRIBE; or sometimes
	// nothing at all: MONITOR.
	ManyReplies
	// Own rows are logged so that larder reads them back and other servers pass over them
	// (journal.AppendOwn).
	Own
	// NamesDB rows have a database among their arguments, and refuse one out of range whatever the keys are.
	NamesDB
	// KeepsCaching rows leave CLIENT CACHING in force for what comes after them: CLIENT.
	KeepsCaching
	// SwitchesRESP rows may change the version of the protocol: HELLO. RESET does too, but never waits
	// in a queue.
	SwitchesRESP
	// ChangesLibraries rows are writes that change the libraries of functions, and no keys.
	ChangesLibraries
	// RunsScript rows run a script, whose commands say what they do (inner.go).
	RunsScript
)

// flagNames is in the order of the bits above.
var flagNames = [...]string{
	"write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking",
	"loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth",
	"may_replicate", "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy",
}

// Names lists the flags as COMMAND INFO prints them.
func (f Flags) Names() []string {
	names := make([]string, 0, 4)
	for i, n := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// Category is a set of ACL categories.
type Category uint32

// The categories in the order COMMAND INFO lists them.
const (
	CatKeyspace Category = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var categoryNames = [...]string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
	"hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking",
	"dangerous", "connection", "transaction", "scripting",
}

// Names lists the categories as COMMAND INFO prints them, without the '@'.
func (c Category) Names() []string {
	names := make([]string, 0, 4)
	for i, n := range categoryNames {
		if c&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// ParseCategory finds a category by its name without the '@'.
func ParseCategory(name string) (Category, bool) {
	for i, n := range categoryNames {
		if equalFold([]byte(name), n) {
			return 1 << i, true
		}
	}
	return 0, false
}

// ACL is the row's categories: its own and those that follow from its flags.
func (s *Spec) ACL() Category {
	c := s.Categories
	if s.Flags&Write != 0 {
		c |= CatWrite
	}
	if s.Flags&ReadOnly != 0 && c&CatScripting == 0 {
		c |= CatRead
	}
	if s.Flags&Admin != 0 {
		c |= CatAdmin | CatDangerous
	}
	if s.Flags&PubSub != 0 {
		c |= CatPubSub
	}
	if s.Flags&Blocking != 0 {
		c |= CatBlocking
	}
	if s.Flags&Fast != 0 {
		c |= CatFast
	} else {
		c |= CatSlow
	}
	return c
}
