package aof

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/vfs"
)

// Policy says when what has been appended is synced: Redis' appendfsync.
type Policy uint8

const (
	Always   Policy = iota // before Commit returns
	EverySec               // by a goroutine of its own, about once a second
	No                     // when the system likes
)

// Errors of calls in the wrong state.
var (
	ErrOff       = errors.New("the log is off")
	ErrOn        = errors.New("the log is on already")
	ErrRewriting = errors.New("a rewrite of the log is under way")
)

// Options are what a Log is made of.
type Options struct {
	FS      vfs.FS
	Journal *journal.Journal // what the log reads
	Dir     string           // absolute folder of the log's files; made when it is needed
	Prefix  string           // what their names begin with: appendfilename
	Logger  *slog.Logger
	Clock   func() time.Time
	// OnFailure is called when Err begins to be non-nil and when it ends, with locks held: it must
	// not call the log. May be nil.
	OnFailure func(failing bool)
	// Watch does something, and notes how long it takes under the name of an event. May be nil.
	Watch func(event string, do func() error) error
}

// Log is the append-only log: an incremental file to which it writes what it reads from the
// journal, and the manifest that names it. It is off until Start, or until a rewrite that starts it
// is cut. Safe for concurrent use; the package's essay has the locks.
type Log struct {
	fs        vfs.FS
	dir       string
	prefix    string
	log       *slog.Logger
	clock     func() time.Time
	onFailure func(bool)
	watch     func(event string, do func() error) error

	reader    *journal.Reader // attached while on
	on        atomic.Bool     // changed under mu
	policy    atomic.Uint32
	suspended atomic.Bool
	failure   atomic.Pointer[error]

	current      atomic.Int64 // bytes in all files that would be loaded
	base         atomic.Int64 // the same after the last rewrite
	inFlight     atomic.Int64 // bytes taken from the journal and not written, or not synced, yet
	fsyncs       atomic.Int32 // background syncs under way
	delayedFsync atomic.Int64
	syncs        syncTimes

	mu   sync.Mutex // protects next and cut, before the journal's lock; never held during I/O
	next *segment   // effects from cut on belong there; nil: all of them belong to the present file
	cut  int64      // an offset of the journal

	io flusher // taken before mu

	manage    sync.Mutex // taken before io; protects what follows
	manifest  *Manifest  // what is on disk, while on
	rewriting *Rewrite
	baseSeq   int64 // the highest that a manifest on disk may name
}

// NewLog returns a log that is off, with the policy EverySec.
func NewLog(o Options) *Log {
	l := &Log{
		fs: o.FS, dir: o.Dir, prefix: o.Prefix, log: o.Logger, clock: o.Clock,
		onFailure: o.OnFailure, watch: o.Watch, reader: o.Journal.NewReader(),
	}
	if l.watch == nil {
		l.watch = func(_ string, do func() error) error { return do() }
	}
	l.policy.Store(uint32(EverySec))
	return l
}

// On reports whether the log gets effects. One atomic load.
func (l *Log) On() bool { return l.on.Load() }

// SetDir moves the log to another folder, for its next start. Nothing may be under way: the errors
// are ErrOn and ErrRewriting.
func (l *Log) SetDir(dir string) error {
	l.manage.Lock()
	defer l.manage.Unlock()
	if err := l.idleLocked(); err != nil {
		return err
	}
	l.dir, l.baseSeq = dir, 0
	return nil
}

// idleLocked returns ErrOn or ErrRewriting while the log is in use. l.manage is held.
func (l *Log) idleLocked() error {
	switch {
	case l.on.Load():
		return ErrOn
	case l.rewriting != nil:
		return ErrRewriting
	}
	return nil
}

// SetPolicy changes the policy for the commits to come. What was written before under a weaker one
// is synced by the first Commit or Tick under Always.
func (l *Log) SetPolicy(p Policy) { l.policy.Store(uint32(p)) }

// SetSuspendSync keeps the log from syncing while it is true, whatever the policy says:
// no-appendfsync-on-rewrite.
func (l *Log) SetSuspendSync(on bool) { l.suspended.Store(on) }

// Pending reports whether Commit has anything to do. One atomic load.
func (l *Log) Pending() bool { return l.reader.Pending() }

// Commit is called before the replies to the commands whose effects were appended leave. It writes
// what is pending: under Always it also syncs it, or waits for another Commit's sync that covers
// it; under EverySec it leaves the bytes for later, two seconds at most, while a sync is under way.
//
// It fails when anything appended before the call could not be written or, under Always, is not
// durable: the caller must not let replies leave that promise it. (Redis lets them leave under the
// other policies, and what they promise is lost if the process is killed.) What failed stays
// pending, in order, and is tried again by the next Commit that has more and by Tick; Err returns
// it meanwhile, under all policies.
func (l *Log) Commit() error {
	if !l.Pending() {
		return nil
	}
	need := l.reader.End()
	l.io.Lock()
	defer l.io.Unlock()
	if l.io.committed < need && l.io.failedAt < need {
		l.flush(false)
	}
	written := l.io.committed >= need
	if Policy(l.policy.Load()) != Always && (written || l.io.writeErr == nil) || written && !l.io.lost {
		return nil
	}
	if err := l.Err(); err != nil {
		return err
	}
	return ErrOff // it was stopped before this could be written
}

// Tick is called about ten times a second. It starts the sync that is due, and once a second tries
// again what has failed.
func (l *Log) Tick(now time.Time) {
	if !l.io.TryLock() {
		return // a Commit is running
	}
	defer l.io.Unlock()
	if l.io.seg == nil {
		return
	}
	l.collectSync()
	if l.Err() != nil && now.Sub(l.io.lastTry) < retryEvery && !now.Before(l.io.lastTry) {
		return
	}
	if l.Pending() || l.Err() != nil {
		l.flush(false)
	}
	if l.syncIsDue(now) {
		l.startSync(now)
	}
}

// syncIsDue reports whether a background sync is to begin: once a second, or for its own sake after
// one that failed.
func (l *Log) syncIsDue(now time.Time) bool {
	s := l.io.seg
	if l.io.syncing != nil || s.synced == s.size || l.io.writeErr != nil || l.io.lost {
		return false
	}
	if l.io.syncErr != nil {
		return true
	}
	if Policy(l.policy.Load()) == No || l.suspended.Load() {
		return false
	}
	return now.Sub(l.io.lastSync) >= syncEvery || now.Before(l.io.lastSync)
}

// Sync writes and syncs everything that has been appended, under all policies.
func (l *Log) Sync() error {
	l.io.Lock()
	defer l.io.Unlock()
	if l.io.seg == nil {
		return nil
	}
	return l.syncAll()
}

// Err is the last failure to write or sync while it lasts, nil when the log works. One atomic load.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Status is what INFO shows of the log. Sizes are in bytes.
type Status struct {
	CurrentSize  int64 // of all files that would be loaded, what is pending not included
	BaseSize     int64 // CurrentSize after the last rewrite, or of the base file after a start
	PendingBytes int64 // appended, not written
	PendingFsync int   // syncs under way in the background
	DelayedFsync int64 // writes that waited two seconds for a sync, and then did not wait any longer
	Syncs        int64 // since the start
	FailedSyncs  int64
	SyncTime     time.Duration // of all of them
	NeedsRewrite bool          // Err will last until a rewrite: the disk has lost what it had taken
	Err          error
}

// Status may be called at any time; it does not wait for the disk.
func (l *Log) Status() Status {
	err := l.Err()
	return Status{
		CurrentSize: l.current.Load(), BaseSize: l.base.Load(),
		PendingBytes: l.reader.Buffered() + l.inFlight.Load(),
		PendingFsync: int(l.fsyncs.Load()), DelayedFsync: l.delayedFsync.Load(),
		Syncs: l.syncs.count.Load(), FailedSyncs: l.syncs.failed.Load(), SyncTime: time.Duration(l.syncs.nanos.Load()),
		NeedsRewrite: errors.Is(err, errLost), Err: err,
	}
}
