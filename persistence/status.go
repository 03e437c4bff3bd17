package persistence

import (
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/aof"
)

// Status is what INFO shows. Durations are -1 where there is none.
type Status struct {
	Loading     bool
	LoadStarted time.Time
	LoadTotal   int64 // bytes
	LoadDone    int64 // bytes
	LoadMemory  int64 // used-mem as the file being loaded says
	LoadedKeys  int64 // of the last load
	ExpiredKeys int64 // of the last load: dropped because their time had come

	Dirty          int64
	SaveRunning    bool
	SaveScheduled  bool
	LastSave       time.Time
	LastSaveOK     bool
	LastSaveTook   time.Duration
	SaveRunsFor    time.Duration
	Saves          int64
	SaveDebt       int64 // most bytes that writers had handed over and that were not written yet, in the last save
	RewriteDebt    int64 // the same of the last rewrite
	Debt, DebtPeak int64 // of the running job; 0 without one
	KeysDone       int64 // of the running job's snapshot
	KeysTotal      int64

	LogOn            bool // or about to be
	RewriteRunning   bool
	RewriteScheduled bool
	LastRewriteOK    bool
	LastRewriteTook  time.Duration
	RewriteRunsFor   time.Duration
	Rewrites         int64
	RewriteFailures  int // in a row
	Log              aof.Status
}

// Status is the state of everything at this moment.
func (m *Manager) Status() Status {
	s := Status{
		Loading:     m.state.Load()&Loading != 0,
		LoadStarted: time.Unix(0, m.load.started.Load()), LoadTotal: m.load.total.Load(), LoadDone: m.load.done.Load(),
		LoadMemory: m.load.memory.Load(), LoadedKeys: m.load.keys.Load(), ExpiredKeys: m.load.expired.Load(),
		Dirty: m.dirty.Load(), SaveRunsFor: -1, RewriteRunsFor: -1, Log: m.aof.Status(),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.record
	s.SaveScheduled, s.RewriteScheduled = m.queue.save, m.queue.rewrite
	s.LastSave, s.LastSaveOK, s.LastSaveTook, s.Saves, s.SaveDebt = r.lastSave, r.saveErr == nil, r.saveTook, r.saves, r.saveDebt
	s.LastRewriteOK, s.LastRewriteTook, s.Rewrites, s.RewriteFailures, s.RewriteDebt =
		r.rewriteErr == nil, r.rewriteTook, r.rewrites, r.failures, r.rewriteDebt
	s.LogOn = m.logWanted
	if j := m.job; j != nil {
		s.Debt, s.DebtPeak = m.store.Debt(), m.debtPeak.Load()
		took := m.clock().Sub(j.started)
		if j.kind == saveJob {
			s.SaveRunning, s.SaveRunsFor = true, took
		} else {
			s.RewriteRunning, s.RewriteRunsFor = true, took
		}
		if snap := j.snap.Load(); snap != nil {
			s.KeysDone, s.KeysTotal = snap.Progress()
		}
	}
	return s
}

// LogReady reports whether what the log has synced would be found by the next start:
// it is on, and its base file is there. The first is true before the second while
// the log is being switched on.
func (m *Manager) LogReady() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.aof.On() && !m.queue.startLog
}

// loading is the progress of the load that runs, or of the last one.
type loading struct {
	started atomic.Int64 // unix nanoseconds
	total   atomic.Int64 // bytes of all files
	done    atomic.Int64 // bytes read
	memory  atomic.Int64 // used-mem of the file
	keys    atomic.Int64
	expired atomic.Int64
}
