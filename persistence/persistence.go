// Package persistence decides when the data set goes to disk and when it comes
// back: what is loaded at the start and in which order, and the state machine of
// SAVE, BGSAVE and BGREWRITEAOF. It moves no bytes by itself: snapshots are cut
// and walked by package store, written by persistence/rdb, the log is
// persistence/aof.
//
// # Jobs
//
// There is at most one snapshot at a time, so there is at most one job: a save,
// or a rewrite of the log. What comes in meanwhile is refused or scheduled, in
// Redis' words. A job's cut happens under all shard locks and costs
// microseconds; everything else runs in a goroutine of the job.
//
//	save      cut; walk to temp-<pid>.rdb; fsync; rename; fsync of the folder
//	rewrite   next incremental file, in the durable manifest; cut, from where on
//	          effects go to that file; walk to the new base; manifest; old files go
//
// # Start
//
// A log that is switched on wins over the snapshot file, as in Redis. A log that
// is switched on and does not exist yet begins with what the snapshot file has:
// Redis would begin with nothing, and the next save would then overwrite the
// data. Until Load returns the State says Loading, and clients are told so.
//
// # Back-pressure
//
// While a snapshot is walked, writers hand over what they overwrite (store.Debt).
// Disk and encoder may be slower than they are. Once the debt passes one per
// cent of the data, each round of a loop waits for a moment (Throttle), that of
// readers too, and never longer than maxThrottle: memory is what grows when the
// disk is too slow, not the time of a request.
//
// # Failures
//
// A failed save keeps the old file and shows in State until a save succeeds; a
// failing log likewise until it has written again. The kernel refuses writes
// while either lasts. Nothing is ever logged and forgotten.
package persistence

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

// State bits. The kernel reads them before every command.
const (
	// Loading: the data set is being read from disk.
	Loading uint32 = 1 << iota
	// SaveFailing: the last background save failed, save points are set, and
	// stop-writes-on-bgsave-error says that writes have to stop.
	SaveFailing
	// LogFailing: the log could not be written or synced.
	LogFailing
	// Stopping: the final save has been made: a write after it would be lost.
	Stopping
	// FirstFree is the first bit that says nothing of persistence. It and those above are for others
	// who have to be heard before every command (Manager.StateWord).
	FirstFree
)

// Errors of requests.
var (
	ErrSaveRunning    = errors.New("persistence: a save is running")
	ErrRewriteRunning = errors.New("persistence: a rewrite of the log is running")
	ErrStopping       = errors.New("persistence: the server is stopping")
)

// Options are what a Manager is made of.
type Options struct {
	Store  *store.Store
	FS     vfs.FS
	Config *config.Config
	Log    *slog.Logger
	Clock  func() time.Time // nil: time.Now
	// Replay returns a function that executes commands of the log, in order.
	Replay func() func(batch []aof.Command) error
	// Memory is used_memory, written into snapshots.
	Memory func() int64
	// Watch does something, and notes how long it takes under the name of an event; nil: nothing is
	// noted.
	Watch func(event string, do func() error) error
	// Libraries are the libraries of functions; nil: files may have none.
	Libraries Libraries
}

// Libraries are the libraries of functions, which files hold beside the keys, as their sources.
type Libraries interface {
	// LoadSource adds a library that a file has, in place of one of the same name. No shard is
	// locked, and nobody else uses the libraries.
	LoadSource(source string) error
	// Sources lists the sources of all libraries. All shards are locked, which is what keeps the
	// libraries from changing.
	Sources() []string
}

// Manager is the persistence of one server. Its methods are safe from any
// goroutine; exported ones that end in Locked expect all shard locks to be held,
// others that do expect mu.
type Manager struct {
	store   *store.Store
	fs      vfs.FS
	cfg     *config.Config
	log     *slog.Logger
	clock   func() time.Time
	watch   func(event string, do func() error) error
	replay  func() func([]aof.Command) error
	memory  func() int64
	scripts Libraries // nil: none
	journal *journal.Journal
	aof     *aof.Log

	// Every command looks at state, and every batch that changes something adds to dirty.
	state atomic.Uint32
	_     [64]byte
	dirty atomic.Int64 // changes since the last save
	_     [64]byte

	debtLimit atomic.Int64 // bytes; MaxInt64 while no snapshot runs
	debtPeak  atomic.Int64 // of the running or last snapshot
	load      loading
	source    source // until it is loaded

	shutdown sync.Mutex // held by PrepareShutdown, before all others

	applying sync.Mutex // held by Apply, also during I/O; protects folder
	folder   folder

	mu         sync.Mutex // after the shard locks, and never held during I/O; protects what follows
	job        *job       // nil: none
	queue      queue
	record     record
	logDir     string // where the log is or would be
	applies    bool   // Apply is running: a rewrite of the log has to wait
	logWanted  bool   // appendonly, as agreed by Apply
	stopWrites bool   // a failed save is to stop writes, likewise
	closing    bool   // no job begins any more
	stopped    bool   // PrepareShutdown has succeeded
}

// New makes a Manager that loads nothing yet and writes nothing. It takes the
// lock of the folder if the configuration asks for any file to be written.
func New(o Options) (*Manager, error) {
	m := &Manager{
		store: o.Store, fs: o.FS, cfg: o.Config, log: o.Log, clock: o.Clock, watch: o.Watch,
		replay: o.Replay, memory: o.Memory, scripts: o.Libraries,
	}
	if m.watch == nil {
		m.watch = func(_ string, do func() error) error { return do() }
	}
	if m.clock == nil {
		m.clock = time.Now
	}
	m.debtLimit.Store(math.MaxInt64)
	m.record = record{lastSave: m.clock(), saveTook: -1, rewriteTook: -1}
	v := o.Config.Values()
	if _, err := m.folder.follow(m.fs, v); err != nil {
		return nil, err
	}
	m.logDir, m.logWanted = logFolder(v), v.AppendOnly
	m.journal = journal.New(m.clock)
	m.aof = aof.NewLog(aof.Options{
		Journal: m.journal, FS: m.fs, Dir: m.logDir, Prefix: v.AppendFilename, Logger: m.log, Clock: m.clock,
		OnFailure: func(failing bool) { m.setState(LogFailing, failing) }, Watch: m.watch,
	})
	m.followLocked(v)
	if err := m.plan(v); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// plan finds out what Load has to do. With nothing to load it is done at once.
func (m *Manager) plan(v *config.Values) (err error) {
	m.state.Or(Loading)
	if m.source, err = m.findSource(v); err != nil {
		return err
	}
	m.load.started.Store(m.clock().UnixNano())
	m.load.total.Store(m.source.bytes)
	if m.source.empty() {
		return m.startLog(context.Background(), v)
	}
	return nil
}

// Journal is where effects go.
func (m *Manager) Journal() *journal.Journal { return m.journal }

// Log is the append-only log, which reads the journal if appendonly is on.
func (m *Manager) Log() *aof.Log { return m.aof }

// State is a set of the bits above. One atomic load.
func (m *Manager) State() uint32 { return m.state.Load() }

// StateWord is what State loads. Others may change its bits from FirstFree up.
func (m *Manager) StateWord() *atomic.Uint32 { return &m.state }

func (m *Manager) setState(bit uint32, on bool) {
	if on {
		m.state.Or(bit)
	} else {
		m.state.And(^bit)
	}
}

// AddDirty counts changes of the data set.
func (m *Manager) AddDirty(n int64) {
	if n != 0 {
		m.dirty.Add(n)
	}
}

const (
	// leastDebt is the debt, in bytes, below which nobody is slowed down.
	leastDebt = 16 << 20
	// debtShare is the part of the data that may be owed besides.
	debtShare = 100
	// maxThrottle is the longest wait per round of an event loop.
	maxThrottle = time.Millisecond
)

// Throttle waits for a moment if writers are too far ahead of the snapshot. An
// event loop calls it once per round, without any lock.
func (m *Manager) Throttle() {
	debt := m.store.Debt()
	if debt == 0 {
		return
	}
	for peak := m.debtPeak.Load(); debt > peak && !m.debtPeak.CompareAndSwap(peak, debt); {
		peak = m.debtPeak.Load()
	}
	limit := m.debtLimit.Load()
	if debt <= limit {
		return
	}
	over := float64(debt-limit) / float64(limit)
	time.Sleep(time.Duration(min(over, 1) * float64(maxThrottle)))
}

// Apply brings the log and the folder in line with new values. It is called before they come into
// force; an error keeps the old ones.
//
// What it has to ask of the disk, above all the last sync of a log that is switched off, it does
// without mu: a job that is at its cut holds all shards and waits for mu, and every client with it.
// applying keeps two calls from mixing their steps.
func (m *Manager) Apply(v *config.Values) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	if err := m.beginApply(v); err != nil {
		return err
	}
	defer m.endApply()
	old, err := m.folder.follow(m.fs, v)
	if err != nil {
		return err
	}
	if m.wantLog(v.AppendOnly) {
		m.stopLog()
	}
	m.mu.Lock()
	err = m.moveLogLocked(v)
	m.followLocked(v)
	m.mu.Unlock()
	return errors.Join(err, old.release())
}

// beginApply refuses what Apply cannot do, and keeps that from changing until endApply.
func (m *Manager) beginApply(v *config.Values) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return ErrStopping
	}
	if err := m.mayMoveLocked(v); err != nil {
		return err
	}
	m.applies = true
	return nil
}

func (m *Manager) endApply() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applies = false
}

// moveLogLocked has the log's files made in the folder that v names from now on.
func (m *Manager) moveLogLocked(v *config.Values) error {
	dir := logFolder(v)
	if dir == m.logDir {
		return nil
	}
	m.logDir = dir
	return m.aof.SetDir(dir) // never on, as mayMoveLocked has seen
}

// mayMoveLocked refuses to change the log's folder while the log is written there:
// what is in the old folder would not be found after the next start.
func (m *Manager) mayMoveLocked(v *config.Values) error {
	switch {
	case logFolder(v) == m.logDir:
	case v.AppendOnly && m.logWanted:
		return errors.New("the log is written there: switch appendonly off before")
	case m.job != nil && m.job.kind == rewriteJob:
		return ErrRewriteRunning
	}
	return nil
}

// followLocked passes on what others read for themselves.
func (m *Manager) followLocked(v *config.Values) {
	m.aof.SetPolicy(policies[v.AppendFsync])
	m.journal.SetMarks(v.AOFTimestampEnabled)
	m.stopWrites = v.StopWritesOnBgsaveError && len(v.SavePoints) > 0
	m.tellSaveLocked()
}

// tellSaveLocked brings the State in line with the outcome of the last save. It
// goes by what Apply has agreed to, as the configuration may be a moment behind.
func (m *Manager) tellSaveLocked() { m.setState(SaveFailing, m.record.saveErr != nil && m.stopWrites) }

var policies = map[string]aof.Policy{"always": aof.Always, "everysec": aof.EverySec, "no": aof.No}

// wantLog notes whether a log is wanted from now on. It reports whether stopLog has to follow. One
// that is switched on begins with the rewrite that Tick finds queued.
func (m *Manager) wantLog(on bool) (stop bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wantLogLocked(on)
}

func (m *Manager) wantLogLocked(on bool) (stop bool) {
	if on == m.logWanted {
		return false
	}
	m.logWanted = on
	m.queue.startLog, m.queue.rewrite = on, on
	if on {
		m.record.nextTry = time.Time{}
		m.log.Info("the log is switched on; it begins with a base file of all data")
		return false
	}
	if m.job != nil && m.job.kind == rewriteJob {
		m.job.abort()
	}
	return true
}

// stopLog writes the log's end and switches it off.
func (m *Manager) stopLog() {
	if err := m.aof.Stop(); err != nil { // it is off all the same
		m.log.Warn("the log is switched off, but its end may be missing", "error", err)
	}
}

// Tick does what is due: scheduled jobs, save points, growth of the log. The
// background worker calls it about ten times a second, without any lock.
func (m *Manager) Tick() {
	now := m.clock()
	m.aof.Tick(now)
	if m.state.Load()&Loading != 0 {
		return
	}
	v := m.cfg.Values()
	m.mu.Lock()
	save := m.saveIsDue(now, v)
	rewrite := !save && m.rewriteIsDue(now, v)
	if rewrite {
		m.startRewrite(now)
	}
	m.mu.Unlock()
	if save && m.store.TryLockAll() { // else in some later tick, when a script that takes long is over
		m.mu.Lock()
		if m.job == nil && !m.closing {
			m.startSaveLocked()
		}
		m.mu.Unlock()
		m.store.UnlockAll()
	}
}

// Close ends the running job, writes and syncs the log and lets go of the folder.
// Nobody may append any more.
func (m *Manager) Close() error {
	m.stopJobs()
	err := m.aof.Stop()
	m.applying.Lock()
	defer m.applying.Unlock()
	return errors.Join(err, m.folder.release())
}

// stopJobs aborts the running job, waits for its end and allows no other. Clients
// that wait for a save get their answer.
func (m *Manager) stopJobs() {
	m.mu.Lock()
	m.closing = true
	j, waiting := m.job, m.queue.waiting
	m.queue.waiting = nil
	m.mu.Unlock()
	for _, tell := range waiting {
		tell(ErrStopping)
	}
	if j != nil {
		j.abort()
		<-j.done
	}
}

// logFolder is the absolute name of the log's folder.
func logFolder(v *config.Values) string { return filepath.Join(v.Dir, v.AppendDirname) }
