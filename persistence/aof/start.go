package aof

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/larderkv/larder/persistence/vfs"
)

// Find looks for a log and changes nothing. serverDir is the folder in which servers before Redis 7
// kept a log as a single file of the name prefix: it counts, as the base, where Redis'
// loadAppendOnlyFiles lets it: if there is no manifest or an empty one, or one that an interrupted
// Adopt has written. The error wraps fs.ErrNotExist if there is no log at all.
func Find(fsys vfs.FS, serverDir, dir, prefix string) (*Manifest, error) {
	m, err := ReadManifest(fsys, dir, prefix)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	single := filepath.Join(serverDir, prefix)
	info, statErr := fsys.Stat(single)
	if statErr != nil || !info.Mode().IsRegular() {
		return m, err
	}
	old := File{Name: prefix, Seq: 1}
	switch {
	case missing:
		m = &Manifest{dir: dir}
	case m.Empty():
	case m.Base.Name == prefix && len(m.Incremental) == 0 && !exists(fsys, filepath.Join(dir, prefix)):
	default:
		return m, nil
	}
	m.Base, m.adopt = old, single
	return m, nil
}

func exists(fsys vfs.FS, path string) bool {
	_, err := fsys.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Adopt moves a single file that Find has found into the log's folder, as its base. It does nothing
// for other logs. Interrupted at any point it leaves what Find finds again.
func (m *Manifest) Adopt(fsys vfs.FS, prefix string) error {
	if m.adopt == "" {
		return nil
	}
	if err := makeFolder(fsys, m.dir); err != nil {
		return err
	}
	if err := m.save(fsys, prefix); err != nil {
		return err
	}
	err := fsys.Rename(m.adopt, filepath.Join(m.dir, m.Base.Name))
	if err == nil {
		err = errors.Join(fsys.SyncDir(m.dir), fsys.SyncDir(filepath.Dir(m.adopt)))
	}
	if err != nil {
		return fmt.Errorf("move the log into its folder: %w", err)
	}
	m.adopt = ""
	return nil
}

// makeFolder makes the log's folder, and its name durable, if there is none.
func makeFolder(fsys vfs.FS, dir string) error {
	err := fsys.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = fsys.SyncDir(filepath.Dir(dir))
	}
	if err != nil {
		return fmt.Errorf("make the log's folder: %w", err)
	}
	return nil
}

// Start continues a log that has been loaded: what is appended goes to the end of its last
// incremental file, or to a new one. The file must not have a torn end any more.
func (l *Log) Start(m *Manifest) error {
	l.manage.Lock()
	defer l.manage.Unlock()
	if err := l.idleLocked(); err != nil {
		return err
	}
	size, err := m.Size(l.fs)
	if err != nil {
		return err
	}
	base := size
	if m.Base.Name != "" {
		info, err := l.fs.Stat(filepath.Join(l.dir, m.Base.Name))
		if err != nil {
			return err
		}
		base = info.Size()
	}
	m = m.clone()
	seg, err := l.openLast(m)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	l.baseSeq = max(l.baseSeq, m.Base.Seq)
	l.current.Store(size)
	l.base.Store(base)
	l.io.Lock()
	l.begin(seg)
	l.mu.Lock()
	l.turnOnLocked()
	l.mu.Unlock()
	l.io.Unlock()
	l.manifest = l.removeHistory(m)
	if err := removeFiles(l.fs, l.dir, tempPrefix+l.prefix+baseSuffix, tempPrefix+l.prefix+manifestSuffix); err != nil {
		l.log.Warn("removing what a crash has left of a rewrite", "error", err)
	}
	return nil
}

// openLast opens the incremental file that comes last, after making it and naming it in the
// manifest if there is none.
func (l *Log) openLast(m *Manifest) (*segment, error) {
	if n := len(m.Incremental); n > 0 {
		return l.openSegment(m.Incremental[n-1], 0)
	}
	seg, err := l.createSegment(m.lastIncremental() + 1)
	if err != nil {
		return nil, err
	}
	m.Incremental = append(m.Incremental, seg.file)
	if err := m.save(l.fs, l.prefix); err != nil {
		return nil, errors.Join(err, seg.f.Close())
	}
	return seg, nil
}

// createSegment makes an incremental file, empty and durable. There may be a file of that name,
// left by an attempt that failed: that what it held is gone must be durable, too.
func (l *Log) createSegment(seq int64) (*segment, error) {
	file := File{Name: fmt.Sprintf("%s.%d%s%s", l.prefix, seq, incrSuffix, respSuffix), Seq: seq}
	seg, err := l.openSegment(file, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	if err = seg.f.Sync(); err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return nil, errors.Join(err, seg.f.Close())
	}
	return seg, nil
}

// begin makes a file the present one. io is held.
func (l *Log) begin(seg *segment) {
	l.io.seg, l.io.lastSync = seg, l.clock()
	l.io.writeErr, l.io.syncErr, l.io.lost = nil, nil, false
}

// turnOnLocked lets effects be appended.
func (l *Log) turnOnLocked() {
	l.reader.Attach()
	l.on.Store(true)
}

// Stop writes and syncs what is pending, and turns the log off. It is off in any case, with an
// error if that failed. A rewrite under way comes to nothing.
func (l *Log) Stop() error {
	l.manage.Lock()
	defer l.manage.Unlock()
	if !l.on.Load() && l.rewriting == nil {
		return nil
	}
	err := l.turnOff(true)
	if err != nil {
		return fmt.Errorf("stop the log: %w", err)
	}
	return nil
}

// turnOff ends appending and closes the files; manage is held. With save, what is pending is
// written and synced first.
func (l *Log) turnOff(save bool) (err error) {
	l.io.Lock()
	defer l.io.Unlock()
	if save && l.io.seg != nil {
		err = l.syncAll()
	}
	l.waitSync()
	open := map[*segment]bool{l.io.seg: true, l.io.flight.next: true}
	l.mu.Lock()
	l.on.Store(false)
	l.reader.Detach()
	open[l.next] = true
	l.next = nil
	if err == nil {
		l.io.committed = l.reader.End() // what was appended meanwhile is nobody's concern any more
	}
	if r := l.rewriting; r != nil {
		r.over = true
		open[r.seg] = open[r.seg] || !r.cut
	}
	l.mu.Unlock()
	for s := range open {
		if s != nil && open[s] {
			err = errors.Join(err, s.f.Close())
		}
	}
	l.io.flight, l.io.spare, l.io.seg = flight{end: l.io.flight.end}, nil, nil
	l.io.writeErr, l.io.syncErr, l.io.lost = nil, nil, false
	l.inFlight.Store(0)
	l.publish()
	l.rewriting, l.manifest = nil, nil
	return err
}
