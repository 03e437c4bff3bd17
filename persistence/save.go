package persistence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
)

// retryDelay is the time after a failed background save before the next, if save
// points ask for it.
const retryDelay = 5 * time.Second

// syncEvery is how many bytes of a snapshot may be written before the system is
// told to begin to write them to disk.
const syncEvery = 4 << 20

// RefusesSave is ErrSaveRunning, ErrStopping, or nil if a save might begin. Whoever asks
// before taking all shard locks spares others a wait for nothing. The answer may be
// outdated.
func (m *Manager) RefusesSave() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusesSaveLocked()
}

func (m *Manager) refusesSaveLocked() error {
	switch {
	case m.closing:
		return ErrStopping
	case m.job != nil && m.job.kind == saveJob:
		return ErrSaveRunning
	}
	return nil
}

// BackgroundSaveLocked begins a save. If a rewrite of the log is running it fails
// with ErrRewriteRunning, or is scheduled if that is wanted; ErrSaveRunning and
// ErrStopping are the other errors. All shard locks are held: the cut is now.
func (m *Manager) BackgroundSaveLocked(schedule bool) (scheduled bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusesSaveLocked(); err != nil {
		return false, err
	}
	if m.job == nil {
		m.queue.save = true
		m.startSaveLocked()
		return false, nil
	}
	if !schedule {
		return false, ErrRewriteRunning
	}
	m.queue.save = true
	return true, nil
}

// ScheduleSave has a save begin soon: a transaction that asks for one must be over
// by its cut. The errors are ErrSaveRunning and ErrStopping.
func (m *Manager) ScheduleSave() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusesSaveLocked(); err != nil {
		return err
	}
	m.queue.save = true
	return nil
}

// Flushed is called when FLUSHALL has emptied all databases, with or without locks.
// If there are save points a save begins soon, so that a start does not bring back
// what has just been flushed. Redis saves at once and has everybody wait. A save
// that is running goes on: somebody may be waiting for the state at its cut.
func (m *Manager) Flushed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closing && len(m.cfg.Values().SavePoints) > 0 {
		m.queue.save = true
	}
}

// SaveLocked begins a save and has done called with its outcome, from another
// goroutine. While a rewrite is running it waits for its turn; the cut is then
// later. All shard locks are held.
func (m *Manager) SaveLocked(done func(error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusesSaveLocked(); err != nil {
		return err
	}
	m.queue.waiting = append(m.queue.waiting, done)
	if m.job == nil {
		m.startSaveLocked()
	}
	return nil
}

// SaveAtOnceLocked saves before it returns, unless something else is being saved or rewritten. All
// shard locks are held, so that nobody is served meanwhile.
func (m *Manager) SaveAtOnceLocked() error {
	if err := m.busy(); err != nil {
		return err
	}
	_, err := m.saveLocked(m.cfg.Values())
	return err
}

// busy is ErrStopping, or why there cannot be another job now.
func (m *Manager) busy() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.refusesSaveLocked()
	if err == nil && m.job != nil {
		err = ErrRewriteRunning
	}
	return err
}

// LastSave is the time of the last successful save, at first that of the start.
func (m *Manager) LastSave() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record.lastSave
}

// saveIsDue reports whether a save was scheduled or a save point has been reached.
// m.mu is held.
func (m *Manager) saveIsDue(now time.Time, v *config.Values) bool {
	if m.job != nil || m.closing {
		return false
	}
	if m.queue.save || len(m.queue.waiting) > 0 {
		return true
	}
	if m.record.saveErr != nil && now.Sub(m.record.lastTry) <= retryDelay {
		return false
	}
	dirty, since := m.dirty.Load(), int64(now.Sub(m.record.lastSave)/time.Second)
	for _, p := range v.SavePoints {
		if dirty >= p.Changes && since > p.Seconds {
			m.log.Info("save point reached", "changes", dirty, "seconds", since)
			m.queue.save = true
			return true
		}
	}
	return false
}

// startSaveLocked makes the queued save: it cuts and begins to write. m.mu is held,
// and all shard locks.
func (m *Manager) startSaveLocked() {
	now := m.clock()
	j := &job{
		kind: saveJob, background: m.queue.save, started: now, dirty: m.dirty.Load(),
		done: make(chan struct{}), waiting: m.queue.waiting,
	}
	m.queue.save, m.queue.waiting = false, nil
	if j.background {
		m.record.lastTry = now
	}
	m.begin(j)
	snap, err := m.store.CutLocked(now.UnixMilli())
	if err == nil {
		m.cut(j, snap)
	}
	go m.runSave(j, err)
}

func (m *Manager) runSave(j *job, err error) {
	v := m.cfg.Values()
	var size int64
	if err == nil {
		size, err = m.writeDump(j.moment(), v)
	}
	m.end(j, err, func(took time.Duration, debt int64) {
		m.record.saveDebt = debt
		if j.background {
			m.record.saveTook = took
		}
		switch {
		case err == nil:
			m.savedLocked(j.dirty)
		case j.background && !j.aborted.Load(): // an abort was asked for
			m.record.saveErr = err
			m.tellSaveLocked()
		}
	})
	if err != nil {
		m.log.Error("the save failed", "error", err)
		return
	}
	keys, _ := j.snap.Load().Progress()
	m.log.Info("snapshot saved", "file", v.Path(v.DBFilename),
		"keys", keys, "bytes", size, "took", m.clock().Sub(j.started))
}

// savedLocked notes a successful save that includes dirty changes.
func (m *Manager) savedLocked(dirty int64) {
	m.dirty.Add(-dirty)
	m.record.lastSave = m.clock()
	m.record.saveErr = nil
	m.record.saves++
	m.tellSaveLocked()
}

// writeDump writes a snapshot to the file that the configuration names, by way of
// a temporary file. The snapshot is over afterwards in any case. It returns the
// file's size in bytes.
func (m *Manager) writeDump(at moment, v *config.Values) (int64, error) {
	tmp := filepath.Join(v.Dir, "temp-"+strconv.Itoa(os.Getpid())+".rdb")
	size, err := m.writeRDB(tmp, at, v, false, v.RDBSaveIncrementalFsync)
	if err == nil {
		err = m.fs.Rename(tmp, filepath.Join(v.Dir, v.DBFilename))
		if err == nil {
			err = m.fs.SyncDir(v.Dir)
		}
	}
	if err != nil {
		return 0, errors.Join(err, m.watch("rdb-unlink-temp-file", func() error { return m.removeIfThere(tmp) }))
	}
	return size, nil
}

// writeRDB writes a snapshot to a new file and makes it durable.
func (m *Manager) writeRDB(name string, at moment, v *config.Values, base, stepwise bool) (size int64, err error) {
	return m.writeSnapshot(name, at, func(f vfs.File) error {
		o := rdb.Options{
			Compress: v.RDBCompression, Checksum: v.RDBChecksum, Aux: m.aux(base),
			Libraries: at.libraries, Databases: at.snap.Databases(), Access: keepsAccess(v),
		}
		if stepwise {
			o.Sync, o.SyncEvery = f.StartSync, syncEvery
		}
		enc := rdb.NewEncoder(f, o)
		if err := at.walk(at.snap, enc); err != nil {
			enc.Abort()
			return err
		}
		return enc.Close()
	})
}

// keepsAccess reports whether the eviction policy goes by when or how often keys are
// used or, under LRM, when they were changed, and a snapshot has a place for that.
func keepsAccess(v *config.Values) bool {
	switch v.Policy().Rule {
	case eviction.LRU, eviction.LFU, eviction.LRM:
		return true
	}
	return false
}

// writeSnapshot makes a file, has write fill it, and syncs it. If the file cannot
// be made the snapshot is ended here.
func (m *Manager) writeSnapshot(name string, at moment, write func(vfs.File) error) (size int64, err error) {
	f, err := m.fs.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("open the snapshot's file: %w", err), at.drop())
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	} else {
		err = errors.Join(err, statErr)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	return size, nil
}

func (m *Manager) removeIfThere(name string) error {
	if err := m.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// aux is what a file says about its writer.
func (m *Manager) aux(base bool) []rdb.Aux {
	aux := []rdb.Aux{
		{Name: "redis-ver", Value: config.RedisVersion},
		{Name: "redis-bits", Value: strconv.Itoa(strconv.IntSize)},
		{Name: "ctime", Value: strconv.FormatInt(m.clock().Unix(), 10)},
		{Name: "used-mem", Value: strconv.FormatInt(m.memory(), 10)},
	}
	flag := "0"
	if base {
		flag = "1"
	}
	return append(aux, rdb.Aux{Name: "aof-base", Value: flag})
}
