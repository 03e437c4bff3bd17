package engine

import (
	"fmt"
	"slices"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/protocol/chain"
	"github.com/larderkv/larder/store"
)

// Replayer runs commands that are read from a log. It is a client without a
// connection, to whom nothing is refused but what does not exist, and whose
// replies nobody reads: an error reply is logged once and otherwise ignored, as in
// Redis.
//
// One error ends the replay: a database that larder does not have. A command is logged only when it
// has been done, so the log is of a server with more databases. To go on after its SELECT, as Redis
// does, would run what follows in another database, over the keys that are there. Another is a
// script: Redis before 5.0 logs the script and not what it has done, and larder replays no scripts,
// which are long, and touch what they like.
//
// Nothing expires meanwhile (effect.go), and nothing is logged. Changes are counted,
// as by Redis: the snapshot file is older than the log. All shards are locked for
// some commands at a time, so that INFO can look at a server that is loading. The
// commands of a transaction come whole or not at all, without its MULTI and EXEC,
// and nobody runs anything in between.
//
// Replaying is bound by memory: the store loads the keys of a window of commands
// while the ones before run (as in ahead.go, with the locks held).
type Replayer struct {
	c       *Ctx
	store   *store.Store // the kernel's, or another one
	session Session      // what SELECT works on
	rows    [lookWindow]*Spec
	keys    [lookWindow]store.Key // of rows with one key
	looked  request               // of the command that runs: its key, if its row has one
	refused bool                  // a command got an error reply, which has been logged
	replies chain.Buffer          // which nobody reads
}

// replayAtOnce is how many commands run before the locks are given back: locking
// all shards takes about a microsecond.
const replayAtOnce = 64

// ReplayError is a command in a log that cannot be run. Offset is where it begins,
// in bytes from the beginning of the file. Remedy is what would make the log one that
// can be loaded, if anything does.
type ReplayError struct {
	Offset         int64
	Reason, Remedy string
}

func (e *ReplayError) Error() string {
	text := fmt.Sprintf("%s reading the append only file (offset %d)", e.Reason, e.Offset)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

const (
	rewriteFirst  = "BGREWRITEAOF on the server that wrote it, before it stops, makes values of such commands"
	moreDatabases = "databases has to be as many as on the server that wrote it"
)

// NewReplayer makes a replayer, which begins in database 0.
func (k *Kernel) NewReplayer() *Replayer { return k.NewReplayerInto(k.Store) }

// NewReplayerInto makes a replayer into a store, which begins in database 0. If that is not the kernel's,
// changes are not counted, and commands that change the libraries of functions are passed over, since
// the kernel has these already.
func (k *Kernel) NewReplayerInto(st *store.Store) *Replayer {
	r := &Replayer{c: newCtx(k), store: st, session: Session{kernel: k}}
	r.session.user.Store(k.Users.Unlimited("(superuser)"))
	r.c.Session = &r.session
	r.c.writer.Reset(&r.replies, false)
	r.c.frame = frame{locked: true, kept: true} // inside no call, but likewise: and nothing is appended
	return r
}

// Replay runs the commands in their order. It returns a *ReplayError at the first
// one that is unknown, has a wrong number of arguments or names a database that there
// is not; those before it have been run. One goroutine at a time.
func (r *Replayer) Replay(batch []aof.Command) error {
	c := r.c
	k := c.Kernel
	c.View = store.View{
		Store: r.store, DB: r.session.db, Now: k.clock().UnixMilli(), Loading: true, Held: true,
		Listener: func(int, []byte, store.Event) {}, // these changes have been told of
	}
	if r.store == k.Store {
		defer c.CountChanges()
	}
	for commands := range slices.Chunk(batch, replayAtOnce) {
		if err := r.replay(commands); err != nil {
			return err
		}
	}
	return nil
}

// replay runs commands under all locks.
func (r *Replayer) replay(commands []aof.Command) error {
	st := r.c.Store
	st.LockAll()
	defer st.UnlockAll()
	for window := range slices.Chunk(commands, lookWindow) {
		r.look(window)
		for i := range window {
			if err := r.one(&window[i], r.rows[i], r.keys[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// look finds the rows of a window of commands and prefetches their keys.
func (r *Replayer) look(window []aof.Command) {
	table, st := r.c.Kernel.Table, r.c.Store
	for i := range window {
		row := table.Resolve(window[i].Args)
		args := window[i].Args
		r.rows[i], r.keys[i] = row, store.Key{}
		if row != nil && row.lockKind == lockOne && row.keyPos < len(args) {
			r.keys[i] = st.Key(args[row.keyPos])
		}
	}
	st.PrefetchLocked(r.c.DB, r.keys[:len(window)])
}

// Check returns the *ReplayError with which Replay would end at a command. It runs only what names
// a database, so that the store of a replayer that checks stays empty.
func (r *Replayer) Check(cmd aof.Command) error {
	window := []aof.Command{cmd}
	c := r.c
	c.View = store.View{Store: r.store, Now: c.Kernel.clock().UnixMilli(), Loading: true, Held: true}
	c.Store.LockAll()
	defer c.Store.UnlockAll()
	r.look(window)
	if row := r.rows[0]; row != nil && row.Fits(len(window[0].Args)) && row.Flags&(NamesDB|RunsScript) == 0 {
		return nil
	}
	return r.one(&window[0], r.rows[0], r.keys[0])
}

// one runs a command if it matters to the data.
func (r *Replayer) one(cmd *aof.Command, row *Spec, key store.Key) error {
	switch {
	case row == nil:
		return &ReplayError{cmd.Offset, fmt.Sprintf("Unknown command '%s'", cut(cmd.Args[0], 128)), rewriteFirst}
	case !row.Fits(len(cmd.Args)):
		return &ReplayError{cmd.Offset, fmt.Sprintf("Wrong number of arguments for command '%s'", row.full), ""}
	case row.Flags&RunsScript != 0:
		what := fmt.Sprintf("A script instead of what it has done ('%s')", row.full)
		return &ReplayError{cmd.Offset, what, rewriteFirst}
	case row.Flags&(Write|Replayed) == 0, row.Flags&ChangesLibraries != 0 && r.store != r.c.Kernel.Store:
		return nil
	}
	c := r.c
	c.Spec, c.Args = row, cmd.Args
	r.looked.key, r.looked.keyed = key, row.lockKind == lockOne
	c.looked = &r.looked
	c.writer.Truncate(0)
	err := c.invoke(row)
	if err == ErrDBIndex {
		return &ReplayError{cmd.Offset, fmt.Sprintf("Too few databases for command '%s'", row.full), moreDatabases}
	}
	if err != nil && !r.refused {
		r.refused = true
		c.Kernel.Log.Warn("a command of the log was refused; further ones are not reported",
			"command", row.full, "offset", cmd.Offset, "reply", asReply(err))
	}
	return nil
}
