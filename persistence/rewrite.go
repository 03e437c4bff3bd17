package persistence

import (
	"errors"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
)

// After so many failures in a row automatic rewrites wait: a minute, then twice
// as long each time, an hour at most. Each leaves an incremental file behind.
const (
	freeFailures = 3
	firstWait    = time.Minute
	longestWait  = time.Hour
)

// Rewrite begins a rewrite of the log, or schedules it if a save is running. The
// errors are ErrRewriteRunning and ErrStopping. Without a log it makes no
// difference to the data set's safety, but leaves a base file, as in Redis.
func (m *Manager) Rewrite() (scheduled bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closing:
		return false, ErrStopping
	case m.job == nil && !m.applies:
		m.startRewrite(m.clock())
		return false, nil
	case m.job != nil && m.job.kind == rewriteJob:
		return false, ErrRewriteRunning
	}
	m.queue.rewrite = true
	m.record.nextTry = time.Time{}
	return true, nil
}

// rewriteIsDue reports whether a rewrite was scheduled or the log has grown enough.
// m.mu is held.
func (m *Manager) rewriteIsDue(now time.Time, v *config.Values) bool {
	if m.job != nil || m.closing || m.applies || now.Before(m.record.nextTry) {
		return false
	}
	if m.queue.rewrite {
		return true
	}
	if !m.aof.On() {
		return false
	}
	st := m.aof.Status()
	if st.NeedsRewrite {
		return true
	}
	if v.AutoAOFRewritePercentage <= 0 {
		return false
	}
	if st.CurrentSize <= v.AutoAOFRewriteMinSize {
		return false
	}
	growth := (st.CurrentSize - st.BaseSize) * 100 / max(st.BaseSize, 1)
	if growth < v.AutoAOFRewritePercentage {
		return false
	}
	m.log.Info("the log is rewritten", "bytes", st.CurrentSize, "growth", growth)
	return true
}

// startRewrite begins a rewrite. m.mu is held.
func (m *Manager) startRewrite(now time.Time) *job {
	m.queue.rewrite = false
	j := &job{kind: rewriteJob, startLog: m.queue.startLog, started: now, done: make(chan struct{})}
	m.begin(j)
	go m.runRewrite(j)
	return j
}

func (m *Manager) runRewrite(j *job) {
	err := m.rewrite(j, m.cfg.Values())
	m.end(j, err, func(took time.Duration, debt int64) {
		m.record.rewriteTook, m.record.rewriteDebt = took, debt
		if j.aborted.Load() && err != nil {
			return // asked for: not a failure
		}
		m.record.rewriteErr = err
		if err == nil {
			m.record.rewrites++
			m.record.failures, m.record.nextTry = 0, time.Time{}
			// By now it may have been switched off, and on again.
			m.queue.startLog = m.queue.startLog && !(j.startLog && m.aof.On())
			return
		}
		m.record.failures++
		if n := m.record.failures - freeFailures; n >= 0 {
			m.record.nextTry = m.clock().Add(min(firstWait<<min(n, 6), longestWait))
		}
		m.queue.rewrite = m.queue.rewrite || m.queue.startLog
	})
	if err != nil {
		m.log.Error("rewriting the log failed", "error", err)
		return
	}
	m.log.Info("the log has been rewritten", "took", m.clock().Sub(j.started), "bytes", m.aof.Status().BaseSize)
}

func (m *Manager) rewrite(j *job, v *config.Values) error {
	if j.aborted.Load() {
		return errAborted
	}
	rw, err := m.aof.PrepareRewrite(aof.RewriteOptions{RDB: v.AOFUseRDBPreamble, Start: j.startLog})
	if err != nil {
		return err
	}
	m.store.LockAll()
	err = m.cutLocked(j, rw)
	m.store.UnlockAll()
	if err != nil {
		return errors.Join(err, rw.Cancel())
	}
	size, err := m.writeBase(rw.BaseTemp(), j.moment(), v)
	if err == nil && j.aborted.Load() {
		err = errAborted
	}
	if err != nil {
		return errors.Join(err, rw.Cancel())
	}
	return rw.Finish(size)
}

// cutLocked begins the snapshot of a rewrite. All shard locks are held. Under m.mu a
// log that has just been switched off is not switched on by this.
func (m *Manager) cutLocked(j *job, rw *aof.Rewrite) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j.aborted.Load() {
		return errAborted
	}
	snap, err := m.store.CutLocked(m.clock().UnixMilli())
	if err != nil {
		return err
	}
	rw.CutLocked()
	m.cut(j, snap)
	return nil
}

// writeBase writes the log's base file, in the form that v asks for.
func (m *Manager) writeBase(name string, at moment, v *config.Values) (int64, error) {
	if v.AOFUseRDBPreamble {
		return m.writeRDB(name, at, v, true, v.AOFRewriteIncrementalFsync)
	}
	return m.writeSnapshot(name, at, func(f vfs.File) error {
		enc := aof.NewBaseEncoder(f)
		if err := m.beginBase(enc, &at, v); err != nil {
			return errors.Join(err, at.drop())
		}
		if err := at.walk(at.snap, enc); err != nil {
			return err
		}
		return enc.Close()
	})
}

// beginBase writes what a base of commands has in front of the keys.
func (m *Manager) beginBase(enc *aof.BaseEncoder, at *moment, v *config.Values) error {
	if v.AOFTimestampEnabled {
		if err := enc.Timestamp(m.clock().Unix()); err != nil {
			return err
		}
	}
	for _, source := range at.libraries {
		if err := enc.Library([]byte(source)); err != nil {
			return err
		}
	}
	return nil
}
