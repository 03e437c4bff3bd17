// Package engine is the kernel of the server: it takes a client's requests from
// its bytes to its reply, and knows no single command.
//
// # One request
//
//	netloop reads                    on the event loop that owns the connection
//	  Session.Data(in, out)          one call per loop round: a batch
//	    protocol.Parser.Next         arguments that alias the input
//	    Table.Resolve                the row, without allocation
//	    Session.admit                refusals, in the order Redis makes them
//	    Session.enqueue              inside MULTI: copy the request, answer QUEUED
//	    Ctx.call                     keys from the row; lock their shards; handler; append
//	                                 the effect to the log; unlock
//	  statistics, published state    once per run of equal commands, once per batch
//	netloop commits                  what the loop's batches have appended, written and synced
//	netloop writes                   once per batch
//
// # Invariants
//
//   - Everything known of a command stands in its row (spec.go). The kernel never
//     asks which command it runs.
//   - A handler runs with exactly the shards of its row's keys locked and never
//     locks by itself. Shards are locked in index order, once per command and once
//     per transaction, so there is no deadlock and no torn multi-key command.
//   - What a handler changes is in the log before the locks go (effect.go), and as
//     durable as the log's policy promises before the reply leaves.
//   - Only its loop touches a session. Others read what it has published in
//     atomics, or ask its connection to close.
//   - No handler waits. A client that waits is a session with a wait (wait.go) whose
//     connection the loop leaves alone until somebody resumes it. One that waits for a key
//     is a request that is tried again (waitkeys.go).
//   - GET and SET allocate nothing: scratch memory is in a pooled Ctx that a session
//     borrows for one batch, so that idle connections hold none.
//
// # What event loops share
//
// Beside the keys' shards, of which a lock and what it covers are the loops' common business, two loops
// that run GET and SET write these:
//
//	stats.Commands     no: a copy per loop, 64 bytes of padding between them and behind what every call reads.
//	                   With more than 16 loops some share a copy
//	scratch (Ctx)      no: sync.Pool keeps them per processor
//	Session            its own loop's. The half lines at its ends, which neighbours share, hold what does not change
//	persistence dirty  one addition per batch that has changed something; a line of its own, apart from the state
//	                   that every command looks at
//	journal and log    with appendonly: its lock, per effect
//	store expired ..   per key that comes to its end, in a line of their own
//	arena used         per 2 KiB by which a shard's memory has changed
//	Clients.size       when a connection's buffers have changed their size: not for a request that came alone
//	ticks.used         once in two milliseconds while clients pipeline
//	a shard            640 bytes, ten lines; its table five, arena three and first tallies three: no shard's lines
//	                   are another one's (TestShardLines)
//
// Clock, configuration, state word, meter of the eviction policy and users are read only.
//
// # Time
//
// A batch reads the clock now and then (timing.go), and expiry, commandstats and the slow log all use
// these readings.
//
// # Source files
//
//	kernel.go session.go ctx.go                     the server, a client, a command: what each has
//	spec.go keyspec.go syntax.go table.go           the row of a command, its keys and arguments, and where it is found
//	admit.go permit.go users.go room.go             what may run: rights, and memory
//	replyroom.go
//	args.go call.go effect.go errors.go onereply.go how it runs: its arguments, locks, effects, errors
//	ahead.go timing.go loan.go                      pipelines, the clock, and long values on their way in
//	multi.go replay.go inner.go straying.go busy.go commands in transactions, in the log and in scripts
//	wait.go waitkeys.go leases.go timeouts.go       clients that wait
//	lineup.go pause.go
//	clients.go clientline.go clientmemory.go        the registry of clients, and their memory
//	unread.go
//	message.go pubsub.go notify.go tracking.go      what clients are told unasked
//	monitor.go
//	caller.go purge.go work.go                      commands without a client, and work behind them
//	prefixes.go totals.go                           what is counted
package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/pubsub"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// Options are what a Kernel is made of. A server sets all but Clock; without a
// network the functions may be left out.
type Options struct {
	Store  *store.Store
	Config *config.Config
	Table  *Table
	Log    *slog.Logger
	// Persist gets the effects of writes and says when they cannot be accepted.
	// nil: nothing is kept.
	Persist *persistence.Manager
	Clock   func() time.Time // nil: time.Now
	// Shutdown asks the server to stop, without waiting for it. now skips the
	// draining of clients.
	Shutdown func(now bool)
	// Network reports the connections' totals for INFO.
	Network func() netloop.Stats
	// Scripts reports what scripts take.
	Scripts func() ScriptStats
	// Unsent reports how many bytes the blocks of clients' unsent output take, and how many those
	// that are on their way back to the system.
	Unsent func() (held, leaving int64)
	// Queued reports how many bytes of messages count as memory of each of several clients, though all
	// share them, as their loops have not come to them yet.
	Queued func() int64
	// Commit makes durable what has been appended to the log, as far as its policy promises it before a
	// reply. Loops do so by themselves; it is for requests that no loop runs (Caller).
	Commit func() error
	// Flush has the messages sent that background work has put off.
	Flush func()
	// Latency notes what takes long, also outside of commands; nil: the kernel makes one.
	Latency *stats.Latency
	// Driver names how connections are driven if event loops do not send through io_uring.
	Driver string
	// Supervised names the service manager that follows the process, as INFO's process_supervised.
	Supervised string
	// Port is the TCP port that is served, 0 for none. It differs from the
	// configured one where that left the choice to the system.
	Port func() int
	// Listeners are INFO's fields about them, by name.
	Listeners func() [][2]string
}

// Kernel is shared by all sessions. Its fields do not change after NewKernel;
// what they refer to is safe from any goroutine.
type Kernel struct {
	Store   *store.Store
	Config  *config.Config
	Table   *Table
	Log     *slog.Logger
	Persist *persistence.Manager // nil: nothing is kept
	Dumper  rdb.Dumper           // of DUMP and MIGRATE
	Clients Clients
	PubSub  *pubsub.Hub[*Session]
	Stats   *stats.Commands
	Errors  stats.Errors
	Users   *acl.Users
	// Refusals is what ACL LOG shows.
	Refusals acl.Log
	RunID    string // 40 hexadecimal digits, new at every start
	Started  time.Time
	driver   string // Options.Driver
	Slow     stats.SlowLog
	Latency  *stats.Latency // events that took long

	Supervised string // process_supervised of INFO

	Build stats.Build // what runs, and on what

	StartMemory int64 // bytes in use at the start, before any client or key

	// ExpireCapped counts the slices of background work that ended while expired keys
	// were being removed.
	ExpireCapped atomic.Int64
	// ExpireTime is how long the background work has removed expired keys, in
	// nanoseconds.
	ExpireTime atomic.Int64
	// CompactingShare is the share of a core, in percent, that compaction had when it
	// last ran.
	CompactingShare atomic.Int64

	replID atomic.Pointer[string] // master_replid of INFO

	word      *atomic.Uint32   // Persist's state word, and bits of the kernel's own
	aof       *aof.Log         // Persist's; nil without it
	journal   *journal.Journal // of all effects
	clock     func() time.Time
	elapsed   func() time.Duration // since Started, by a clock that is not set
	shutdown  func(now bool)
	network   func() netloop.Stats
	scripts   func() ScriptStats
	unsent    func() (held, leaving int64)
	queued    func() int64
	commit    func() error
	flush     func()
	port      func() int
	listeners func() [][2]string
	ctxs      ctxPool
	work      work
	timeouts  timeouts
	pause     pause
	busy      busy
	monitors  monitors
	room      room
	stuck     stuck
	unread    unread
	notified  notified
	caches    caches
	purges    purges
	leases    leaseHolders
	ticks     ticks
	watch     watch

	// Libraries counts the changes of the libraries of functions. Whoever changes them holds all slots
	// of the store, and a shard, which keeps a snapshot from being cut meanwhile.
	Libraries atomic.Uint64

	// Checked counts the payloads that RESTORE has checked in full.
	Checked atomic.Int64

	background *Ctx // of what the background work does to keys

	rates      rates
	peakMemory atomic.Int64           // bytes, sampled in the background
	base       atomic.Pointer[Totals] // at the last CONFIG RESETSTAT
}

// NewKernel makes a kernel without clients.
func NewKernel(o Options) (*Kernel, error) {
	ticking := o.Clock == nil
	if ticking {
		o.Clock = time.Now
	}
	if o.Latency == nil {
		o.Latency = stats.NewLatency(o.Clock)
	}
	if o.Network == nil {
		o.Network = func() netloop.Stats { return netloop.Stats{} }
	}
	if o.Scripts == nil {
		o.Scripts = func() ScriptStats { return ScriptStats{} }
	}
	if o.Unsent == nil {
		o.Unsent = func() (held, leaving int64) { return 0, 0 }
	}
	if o.Queued == nil {
		o.Queued = func() int64 { return 0 }
	}
	if o.Commit == nil {
		o.Commit = func() error { return nil }
	}
	if o.Flush == nil {
		o.Flush = func() {}
	}
	if o.Port == nil {
		o.Port = func() int { return 0 }
	}
	if o.Listeners == nil {
		o.Listeners = func() [][2]string { return nil }
	}
	if o.Shutdown == nil {
		o.Shutdown = func(bool) {}
	}
	id, err := newID()
	if err != nil {
		return nil, err
	}
	k := &Kernel{
		Store: o.Store, Config: o.Config, Table: o.Table, Log: o.Log,
		Stats: stats.NewCommands(o.Table.Len()), Latency: o.Latency, PubSub: pubsub.NewHub[*Session](),
		RunID: id, Started: o.Clock(), driver: o.Driver, Supervised: o.Supervised,
		room: room{start: stats.GoMemory()}, Build: stats.ReadBuild(),
		clock: o.Clock, shutdown: o.Shutdown, network: o.Network, scripts: o.Scripts, unsent: o.Unsent,
		queued: o.Queued, commit: o.Commit, flush: o.Flush, port: o.Port, listeners: o.Listeners,
		word: new(atomic.Uint32), journal: journal.New(o.Clock), timeouts: timeouts{base: time.Now(), next: never},
	}
	if err := k.ChangeReplicationID(); err != nil {
		return nil, err
	}
	if err := k.openUsers(); err != nil {
		return nil, err
	}
	k.ticks.able = ticking
	k.elapsed = func() time.Duration { return k.clock().Sub(k.Started) }
	if ticking { // a reading that leaves the time of day out takes half as long
		k.elapsed = func() time.Duration { return time.Since(k.Started) }
	}
	k.watch.follow(k, k.Config.Values())
	for _, name := range watchParams() {
		k.Config.OnChange(name, func(v *config.Values) { k.watch.follow(k, v) })
	}
	k.pause.lineup.shut = k.Still
	k.StartMemory = k.room.start + o.Store.Memory()
	k.Clients.byID = make(map[uint64]*Session)
	for _, name := range []string{"maxmemory-clients", "maxmemory"} {
		k.Config.OnChange(name, func(*config.Values) { k.EnforceClientsLimit() })
	}
	k.work.ctx, k.work.cancel = context.WithCancel(context.Background())
	if o.Persist != nil {
		k.Persist, k.aof, k.journal = o.Persist, o.Persist.Log(), o.Persist.Journal()
		k.word = o.Persist.StateWord()
	}
	k.Store.RequireLocks()
	k.Store.SetPrefixes(k.prefixRule())
	k.listen()
	k.Store.ListenElements(func(db int, typ store.Type, key, element []byte) {
		k.Effect(db, []byte(elementRemovals[typ]), key, element)
	})
	k.Store.SetForgetter(&forgetter{k: k})
	k.background = &Ctx{Kernel: k}
	k.Store.SetBackground(k.changedInBackground, &forgetter{k, k.background})
	k.purges.bell = make(chan struct{}, 1)
	return k, nil
}

// newID draws 40 hexadecimal digits.
func newID() (string, error) {
	var id [20]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("draw an id: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// ReplicationID names the history of the data set, for replicas: 40 hexadecimal digits.
func (k *Kernel) ReplicationID() string { return *k.replID.Load() }

// ChangeReplicationID begins a history of another name.
func (k *Kernel) ChangeReplicationID() error {
	id, err := newID()
	if err != nil {
		return err
	}
	k.replID.Store(&id)
	return nil
}

// Scripts reports what scripts take.
func (k *Kernel) Scripts() ScriptStats { return k.scripts() }

// Now is the kernel's clock, for what happens outside a command.
func (k *Kernel) Now() time.Time { return k.clock() }

// Shutdown asks the server to stop and returns at once.
func (k *Kernel) Shutdown(now bool) { k.shutdown(now) }

// Port is the TCP port that is served, 0 for none.
func (k *Kernel) Port() int { return k.port() }

// Loops is how many event loops take connections, 0 without them.
func (k *Kernel) Loops() int { return k.network().Loops }

// Driver names how connections are driven, as INFO's multiplexing_api.
func (k *Kernel) Driver() string {
	if k.network().Rings > 0 {
		return config.DriverURing
	}
	return k.driver
}

// Listeners are INFO's fields about the places where clients are accepted, name and value.
func (k *Kernel) Listeners() [][2]string { return k.listeners() }

// Connect makes the session of a new connection, or returns the bytes that
// refuse it.
func (k *Kernel) Connect(conn netloop.Conn) (netloop.Session, []byte) {
	v := k.Config.Values()
	s := newSession(k, conn)
	if v.ProtectedMode && s.User().NoPass() && !s.Local() {
		return nil, refusal(ErrProtectedMode)
	}
	if !k.Clients.add(s, int(v.MaxClients)) {
		return nil, refusal(ErrMaxClients)
	}
	s.recognize(v)
	s.weigh()
	return s, nil
}

func refusal(e Error) []byte { return []byte("-" + string(e) + "\r\n") }
