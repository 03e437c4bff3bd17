package persistence

import (
	"errors"
	"fmt"

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
func (m *Manager) PrepareShutdown(mode ShutdownMode) error {
	if m.state.Load()&Loading != 0 {
		return nil // what is on disk is complete, what is in memory is not
	}
	m.mu.Lock()
	starting := m.queue.startLog && !m.aof.On()
	m.mu.Unlock()
	if starting && !mode.Force {
		return errors.New("the log has no base file yet; wait for it or use FORCE")
	}
	m.stopJobs()
	err := m.finalFiles(mode)
	if err == nil {
		return nil
	}
	if mode.Force {
		m.log.Error("stopping although this could not be written", "error", err)
		return nil
	}
	m.setState(Stopping, false)
	m.resumeJobs()
	return err
}

func (m *Manager) finalFiles(mode ShutdownMode) error {
	if err := m.aof.Sync(); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	v := m.cfg.Values()
	if !mode.Save && (mode.NoSave || len(v.SavePoints) == 0) {
		return nil
	}
	m.store.LockAll()
	defer m.store.UnlockAll()
	snap, err := m.store.CutLocked(m.clock().UnixMilli())
	if err != nil {
		return fmt.Errorf("final save: %w", err)
	}
	size, err := m.writeDump(snap, v, (*store.Snapshot).RunLocked)
	if err != nil {
		return fmt.Errorf("final save: %w", err)
	}
	m.setState(Stopping, !m.aof.On())
	m.mu.Lock()
	m.saved(m.dirty.Load())
	m.mu.Unlock()
	m.log.Info("snapshot saved before the end", "file", v.Path(v.DBFilename), "bytes", size)
	return nil
}
