package persistence

import (
	"errors"
	"fmt"

	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

// ShutdownMode is what SHUTDOWN's words or the shutdown-on-* parameters ask for.
// With neither Save nor NoSave the data are saved if there are save points.
type ShutdownMode struct {
	Save, NoSave bool
	Force        bool // stop although what could not be written is lost
}

// PrepareShutdown makes everything durable that is to be, and returns an error if
// it cannot and the server has to stay. The caller holds no lock. All shards are
// locked while the final snapshot is written, as a Redis that shuts down answers
// nobody; a write that comes after it finds the State Stopping unless it is logged.
// Once it has succeeded the decision stands: further calls do nothing.
func (m *Manager) PrepareShutdown(mode ShutdownMode) error {
	m.shutdown.Lock()
	defer m.shutdown.Unlock()
	if m.state.Load()&Loading != 0 {
		return nil // what is on disk is complete, what is in memory is not
	}
	if !mode.Force {
		m.awaitBase()
	}
	if done, err := m.beginShutdown(mode); done || err != nil {
		return err
	}
	m.stopJobs()
	err := m.finalFiles(mode)
	if err != nil && mode.Force {
		m.log.Error("stopping although this could not be written", "error", err)
		err = nil
	}
	m.mu.Lock()
	m.stopped, m.closing = err == nil, err == nil
	m.mu.Unlock()
	return err
}

// awaitBase waits for the base of a log that is being switched on, in good outcome
// or bad.
func (m *Manager) awaitBase() {
	for {
		m.applying.Lock()
		m.mu.Lock()
		starting, j := m.queue.startLog && !m.closing, m.job
		if starting && j == nil {
			j = m.startRewrite(m.clock())
		}
		m.mu.Unlock()
		m.applying.Unlock()
		if !starting {
			return
		}
		<-j.done
		if j.startLog {
			return
		}
	}
}

// beginShutdown lets no job begin and nothing be configured any more, unless the log
// is in a state in which it would be lost. It waits for an Apply that has begun: the
// log is not switched off behind the final save.
func (m *Manager) beginShutdown(mode ShutdownMode) (done bool, err error) {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queue.startLog && !m.stopped && !mode.Force {
		return false, errors.New("the log could not be given its base file")
	}
	m.closing = true
	return m.stopped, nil
}

// finalFiles syncs the log and makes the final save, that of a forced shutdown also
// if the log fails.
func (m *Manager) finalFiles(mode ShutdownMode) error {
	err := m.aof.Sync()
	if err != nil {
		err = fmt.Errorf("write the log: %w", err)
	}
	if err != nil && !mode.Force {
		return err
	}
	v := m.cfg.Values()
	if !mode.Save && (mode.NoSave || len(v.SavePoints) == 0) {
		return err
	}
	if saveErr := m.finalSave(v); saveErr != nil {
		err = errors.Join(err, fmt.Errorf("final save: %w", saveErr))
	}
	return err
}

func (m *Manager) finalSave(v *config.Values) error {
	m.store.LockAll()
	defer m.store.UnlockAll()
	size, err := m.saveLocked(v)
	if err != nil {
		return err
	}
	m.setState(Stopping, !m.aof.On())
	m.log.Info("snapshot saved before the end", "file", v.Path(v.DBFilename), "bytes", size)
	return nil
}

// saveLocked saves while all shard locks are held, and returns the file's size in bytes. No other
// snapshot is being written.
func (m *Manager) saveLocked(v *config.Values) (size int64, err error) {
	snap, err := m.store.CutLocked(m.clock().UnixMilli())
	if err != nil {
		return 0, err
	}
	if size, err = m.writeDump(moment{snap, m.sources(), (*store.Snapshot).RunLocked}, v); err != nil {
		return 0, err
	}
	m.mu.Lock()
	m.savedLocked(m.dirty.Load())
	m.mu.Unlock()
	return size, nil
}
