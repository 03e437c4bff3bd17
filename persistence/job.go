package persistence

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/store"
)

// kind is what a job does.
type kind uint8

const (
	saveJob kind = iota
	rewriteJob
)

// job is a snapshot on its way to disk.
type job struct {
	kind       kind
	background bool // a save that is not for SAVE alone: its failure is remembered
	startLog   bool // the rewrite is the one that switches the log on
	started    time.Time
	dirty      int64 // changes that the cut includes
	waiting    []func(error)
	snap       atomic.Pointer[store.Snapshot] // nil until the cut
	libraries  []string                       // their sources at the cut
	aborted    atomic.Bool
	done       chan struct{} // closed when all is over
	err        error         // the outcome, read after done
}

// errAborted is the outcome of a job that was aborted.
var errAborted = errors.New("aborted")

// abort makes the job end soon, without a result. Safe from any goroutine.
func (j *job) abort() {
	j.aborted.Store(true)
	if s := j.snap.Load(); s != nil {
		s.Abort()
	}
}

// setSnapshot is called at the cut.
func (j *job) setSnapshot(s *store.Snapshot) {
	j.snap.Store(s)
	if j.aborted.Load() {
		s.Abort()
	}
}

// queue is the requests queued behind the running job.
type queue struct {
	save     bool
	rewrite  bool
	startLog bool          // the log is wanted and has no base yet: the next rewrite switches it on
	waiting  []func(error) // of SAVE
}

// record is the outcomes of earlier jobs, for INFO.
type record struct {
	lastSave    time.Time     // end of the last successful one, at first the start
	lastTry     time.Time     // begin of the last background save
	saveErr     error         // of the last background save
	saveTook    time.Duration // -1 before the first
	saves       int64
	rewriteErr  error
	rewriteTook time.Duration
	rewrites    int64
	failures    int       // rewrites failed in a row
	nextTry     time.Time // no automatic rewrite before it
	saveDebt    int64     // bytes owed at most, of the last save and rewrite
	rewriteDebt int64
}

// moment is what a file is to hold: everything as it was at a cut.
type moment struct {
	snap      *store.Snapshot
	libraries []string // sources of the libraries of functions
	walk      walk
}

// walk is how a snapshot is walked: Run or RunLocked.
type walk func(*store.Snapshot, store.Sink) error

// moment is what the job writes, once it has cut.
func (j *job) moment() moment {
	return moment{j.snap.Load(), j.libraries, (*store.Snapshot).Run}
}

// drop ends a snapshot that cannot be written.
func (m *moment) drop() error {
	m.snap.Abort()
	if err := m.walk(m.snap, nil); !errors.Is(err, store.ErrAborted) {
		return err
	}
	return nil
}

// sources are the libraries of functions at a cut. All shard locks are held.
func (m *Manager) sources() []string {
	if m.scripts == nil {
		return nil
	}
	return m.scripts.Sources()
}

// begin makes j the running job. m.mu is held.
func (m *Manager) begin(j *job) {
	m.job = j
	m.debtPeak.Store(0)
	m.aof.SetSuspendSync(m.cfg.Values().NoAppendfsyncOnRewrite)
}

// cut gives the job its snapshot, a rhythm, and a limit to what writers may owe while
// it is walked. All shard locks are held.
func (m *Manager) cut(j *job, snap *store.Snapshot) {
	m.pace(snap)
	j.libraries = m.sources()
	j.setSnapshot(snap)
	m.debtLimit.Store(max(leastDebt, m.store.Memory()/debtShare))
}

// end takes the running job off, has note write down how it went, under m.mu, and
// tells those who wait for it. note gets the bytes that writers owed at most.
func (m *Manager) end(j *job, err error, note func(took time.Duration, debt int64)) {
	j.err = err
	m.debtLimit.Store(math.MaxInt64)
	m.aof.SetSuspendSync(false)
	m.mu.Lock()
	m.job = nil
	note(m.clock().Sub(j.started), m.debtPeak.Load())
	m.mu.Unlock()
	for _, tell := range j.waiting {
		tell(err)
	}
	close(j.done)
}
