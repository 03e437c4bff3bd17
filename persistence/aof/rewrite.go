package aof

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// RewriteOptions say what a rewrite is to do.
type RewriteOptions struct {
	RDB   bool // the base will be an RDB file, not commands: it is named .rdb
	Start bool // the log is off, and this rewrite turns it on
}

// Rewrite replaces the files of a log by one base, and the effects since its cut. Its methods are
// called by one goroutine, in this order: CutLocked, then Finish or Cancel.
type Rewrite struct {
	log      *Log
	manifest *Manifest // what Finish will write, but for the base
	seg      *segment  // nil: the log is off and will stay so
	start    bool
	base     File
	cut      bool // protected by Log.mu
	over     bool // the log was stopped; protected by Log.mu
	saved    bool // a manifest on disk may name the base and the new file
}

// PrepareRewrite does what takes time before the cut: the next incremental file, durable, in a
// durable manifest if the log is on (what is appended before the cut still goes to the old file).
// Without Start and while the log is off, the rewrite makes a base and nothing else, as Redis'
// BGREWRITEAOF does. Errors: ErrRewriting, ErrOn, failures of the disk, after which all is as
// before.
func (l *Log) PrepareRewrite(o RewriteOptions) (*Rewrite, error) {
	l.manage.Lock()
	defer l.manage.Unlock()
	on := l.on.Load()
	switch {
	case l.rewriting != nil:
		return nil, ErrRewriting
	case on && o.Start:
		return nil, ErrOn
	}
	r := &Rewrite{log: l, start: o.Start}
	err := l.prepare(r, on)
	if err != nil {
		return nil, fmt.Errorf("prepare a rewrite of the log: %w", err)
	}
	suffix := respSuffix
	if o.RDB {
		suffix = rdbSuffix
	}
	l.baseSeq++
	r.base = File{Name: fmt.Sprintf("%s.%d%s%s", l.prefix, l.baseSeq, baseSuffix, suffix), Seq: l.baseSeq}
	l.rewriting = r
	return r, nil
}

func (l *Log) prepare(r *Rewrite, on bool) error {
	if on {
		if err := l.syncOld(); err != nil {
			return err
		}
		return l.addSegment(r)
	}
	if err := l.findOld(r); err != nil || !r.start {
		return err
	}
	seg, err := l.createSegment(r.manifest.lastIncremental() + 1)
	if err != nil {
		return err
	}
	r.seg = seg
	l.current.Store(0)
	l.base.Store(0)
	l.io.Lock()
	l.begin(seg)
	l.io.Unlock()
	return nil
}

// syncOld writes and syncs what is pending, so that the cut has little to wait for. The loops'
// commits go on meanwhile. It also completes the last rewrite's cut, of which there can be only one
// at a time.
func (l *Log) syncOld() error {
	for range 2 { // a sync under way may have begun too early
		l.io.Lock()
		l.flush(true)
		if l.io.lost {
			l.io.Unlock()
			return nil // the rewrite is what repairs that
		}
		if err := l.io.writeErr; err != nil {
			l.io.Unlock()
			return err
		}
		if l.io.seg.synced < l.io.seg.size && l.io.syncing == nil {
			l.startSync(l.clock())
		}
		r := l.io.syncing
		l.io.Unlock()
		if r == nil {
			return nil
		}
		<-r.done
	}
	return nil
}

// addSegment makes the next incremental file of a log that is on.
func (l *Log) addSegment(r *Rewrite) error {
	m := l.manifest.clone()
	seg, err := l.createSegment(m.lastIncremental() + 1)
	if err != nil {
		return err
	}
	m.Incremental = append(m.Incremental, seg.file)
	if err := m.save(l.fs, l.prefix); err != nil {
		// The file stays: the manifest on disk may be the new one.
		return errors.Join(err, seg.f.Close())
	}
	l.manifest, r.seg = m, seg
	r.manifest = m.clone()
	return nil
}

// findOld reads what a log that is off has left in its folder.
func (l *Log) findOld(r *Rewrite) error {
	if err := makeFolder(l.fs, l.dir); err != nil {
		return err
	}
	m, err := ReadManifest(l.fs, l.dir, l.prefix)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m, err = l.manifestlessFolder()
		if err != nil {
			return err
		}
	case err != nil:
		return err
	}
	r.manifest = m
	l.baseSeq = max(l.baseSeq, m.Base.Seq)
	return nil
}

// manifestlessFolder is an empty manifest. Files that are there all the same, somebody's who has
// lost the manifest, are not written over: numbers start above theirs.
func (l *Log) manifestlessFolder() (*Manifest, error) {
	list, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var last int64
	for _, e := range list {
		if rest, ok := strings.CutPrefix(e.Name(), l.prefix+"."); ok {
			digits, _, _ := strings.Cut(rest, ".")
			if n, err := strconv.ParseInt(digits, 10, 32); err == nil {
				last = max(last, n)
			}
		}
	}
	l.baseSeq = max(l.baseSeq, last)
	return &Manifest{dir: l.dir, seq: last}, nil
}

// BaseTemp is the name of the file that the base is to be written to, from its start, and synced.
func (r *Rewrite) BaseTemp() string {
	return filepath.Join(r.log.dir, tempPrefix+r.log.prefix+baseSuffix)
}

// CutLocked is called when the snapshot is cut, with all shards locked: what is appended from now
// on goes to the new file, and if the rewrite starts the log, appending begins. No I/O.
func (r *Rewrite) CutLocked() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.seg != nil && !r.cut && !r.over {
		r.cutLocked()
	}
}

func (r *Rewrite) cutLocked() {
	l := r.log
	r.cut = true
	if r.start {
		l.turnOnLocked()
		return
	}
	l.next, l.cut = r.seg, l.reader.Cut()
}

// Finish makes the base, of size bytes, and the effects since the cut the log, durably, and removes
// the old files. If it fails the rewrite is cancelled, and the log is what it was.
func (r *Rewrite) Finish(size int64) error {
	l := r.log
	l.manage.Lock()
	defer l.manage.Unlock()
	if l.rewriting != r {
		return errors.Join(ErrOff, r.cancel())
	}
	m, err := r.finish(size)
	if err != nil {
		return fmt.Errorf("finish the rewrite of the log: %w", errors.Join(err, r.cancel()))
	}
	l.rewriting = nil
	m = l.removeHistory(m)
	if r.seg != nil {
		l.manifest = m
	}
	return nil
}

func (r *Rewrite) finish(size int64) (*Manifest, error) {
	l := r.log
	if err := l.completeCut(); err != nil {
		return nil, err
	}
	if err := l.fs.Rename(r.BaseTemp(), filepath.Join(l.dir, r.base.Name)); err != nil {
		return nil, err
	}
	if err := l.fs.SyncDir(l.dir); err != nil { // the manifest must not name a base that is not there
		return nil, err
	}
	m := r.manifest.replaced(r.base, r.seg)
	r.saved = true
	if err := m.save(l.fs, l.prefix); err != nil {
		return nil, err
	}
	l.io.Lock()
	defer l.io.Unlock()
	if r.seg != nil {
		l.current.Store(size + l.io.seg.size)
		l.base.Store(size + l.io.seg.size)
		l.io.lost = false
		l.publish()
	}
	return m, nil
}

// completeCut goes on to the new file.
func (l *Log) completeCut() error {
	l.io.Lock()
	defer l.io.Unlock()
	l.flush(true)
	return l.io.writeErr
}

// replaced is the manifest of a log that consists of a base and, if it is on, one incremental file;
// all else is history.
func (m *Manifest) replaced(base File, seg *segment) *Manifest {
	n := &Manifest{Base: base, dir: m.dir}
	if m.Base.Name != "" {
		n.History = append(n.History, m.Base)
	}
	n.History = append(n.History, m.History...)
	for _, f := range m.Incremental {
		if seg == nil || f != seg.file {
			n.History = append(n.History, f)
		}
	}
	if seg != nil {
		n.Incremental = []File{seg.file}
	}
	return n
}

// Cancel gives the rewrite up. A log that is on goes on with all its files and in the new one; one
// that was to be started is off again.
func (r *Rewrite) Cancel() error {
	r.log.manage.Lock()
	defer r.log.manage.Unlock()
	if err := r.cancel(); err != nil {
		return fmt.Errorf("cancel the rewrite of the log: %w", err)
	}
	return nil
}

// cancel is Cancel for one who holds manage.
func (r *Rewrite) cancel() error {
	l := r.log
	garbage := []string{filepath.Base(r.BaseTemp())}
	var err error
	switch {
	case r.start:
		if l.rewriting == r {
			err = l.turnOff(false)
		}
		if !r.saved {
			garbage = append(garbage, r.base.Name, r.seg.file.Name)
		}
	case l.rewriting == r && r.seg != nil:
		// The manifest names the new file as the last one, so it is where the log must go on. The
		// base may be on disk, and even in the manifest there: it goes once a manifest says so that
		// is durable.
		if r.saved {
			l.manifest.History = append(l.manifest.History, r.base)
		} else {
			garbage = append(garbage, r.base.Name)
		}
		l.mu.Lock()
		if !r.cut {
			r.cutLocked()
		}
		l.mu.Unlock()
	}
	if l.rewriting == r {
		l.rewriting = nil
	}
	return errors.Join(err, removeFiles(l.fs, l.dir, garbage...))
}

// removeHistory removes files that are no longer part of the log, and then takes them out of the
// manifest, which it returns. What fails is left for the next time.
func (l *Log) removeHistory(m *Manifest) *Manifest {
	if len(m.History) == 0 {
		return m
	}
	var names []string
	for _, f := range m.History {
		if !slices.Contains(m.Files(), f.Name) {
			names = append(names, f.Name)
		}
	}
	clean := m.clone()
	clean.History = nil
	err := removeFiles(l.fs, l.dir, names...)
	if err == nil {
		err = clean.save(l.fs, l.prefix)
	}
	if err != nil {
		l.log.Warn("removing old files of the log", "error", err)
		return m
	}
	return clean
}
