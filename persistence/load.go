package persistence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/store"
)

// reportEvery is the time between two lines of the log while loading.
const reportEvery = time.Second

// source is what there is to load.
type source struct {
	manifest *aof.Manifest // of a log; nil: there is none
	dump     string        // path of the snapshot file, if there is no log
	bytes    int64         // of all files
}

func (s *source) empty() bool { return s.manifest == nil && s.dump == "" }

// findSource looks at what the folder has, and changes nothing there.
func (m *Manager) findSource(v *config.Values) (s source, err error) {
	if v.AppendOnly {
		s.manifest, err = aof.Find(m.fs, v.Dir, logFolder(v), v.AppendFilename)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		if err == nil && !s.manifest.Empty() {
			s.bytes, err = s.manifest.Size(m.fs)
			return s, err
		}
	}
	dump := v.Path(v.DBFilename)
	info, err := m.fs.Stat(dump)
	if errors.Is(err, fs.ErrNotExist) {
		return source{}, nil
	}
	if err != nil {
		return source{}, err
	}
	return source{dump: dump, bytes: info.Size()}, nil
}

// Load reads the data set from disk and begins to log, if that is switched on.
// Until it returns nil the State says Loading. When ctx ends it stops with the
// context's error. A file that is not in order is left as it is, but for the torn
// tail of a log where aof-load-truncated allows to cut it off.
func (m *Manager) Load(ctx context.Context) error {
	if m.state.Load()&Loading == 0 {
		return nil // New found nothing to load
	}
	v := m.cfg.Values()
	started := m.clock()
	stop := m.reportLoading()
	err := m.loadSource(ctx, v)
	stop()
	if err != nil {
		return err
	}
	m.log.Info("data loaded", "keys", m.keys(), "expired", m.load.expired.Load(),
		"bytes", m.load.done.Load(), "took", m.clock().Sub(started))
	return m.startLog(ctx, v)
}

// keys counts the keys of all databases.
func (m *Manager) keys() (n int) {
	for db := range m.store.Databases() {
		n += m.store.DB(db).Keys
	}
	return n
}

// startLog ends the loading: effects are logged from here on, if v says so.
func (m *Manager) startLog(ctx context.Context, v *config.Values) error {
	if v.AppendOnly {
		if err := m.continueLog(ctx, v); err != nil {
			return err
		}
	}
	m.source = source{}
	m.setState(Loading, false)
	return nil
}

func (m *Manager) continueLog(ctx context.Context, v *config.Values) error {
	manifest := m.source.manifest
	if manifest == nil {
		if err := m.firstBase(ctx); err != nil {
			return fmt.Errorf("begin the log: %w", err)
		}
		return nil
	}
	if err := manifest.Adopt(m.fs, v.AppendFilename); err != nil {
		return fmt.Errorf("take over the log of an older version: %w", err)
	}
	if err := m.aof.Start(manifest); err != nil {
		return fmt.Errorf("continue the log: %w", err)
	}
	return nil
}

// firstBase gives a new log a base of what has been loaded, before any client may
// change it.
func (m *Manager) firstBase(ctx context.Context) error {
	m.mu.Lock()
	m.queue.startLog = true
	j := m.startRewrite(m.clock())
	m.mu.Unlock()
	stop := context.AfterFunc(ctx, j.abort)
	<-j.done
	if !stop() && j.err != nil {
		return ctx.Err()
	}
	return j.err
}

func (m *Manager) loadSource(ctx context.Context, v *config.Values) error {
	if m.source.manifest != nil {
		return m.loadLog(ctx, v)
	}
	if v.AppendOnly {
		m.log.Warn("there is no log yet: it begins with the data of the snapshot file", "file", m.source.dump)
	}
	now := m.clock().UnixMilli()
	_, err := m.loadFile(ctx, m.source.dump, now, v)
	return err
}

// loadLog loads the base and replays the incremental files.
func (m *Manager) loadLog(ctx context.Context, v *config.Values) error {
	tail, err := m.source.manifest.Tail(m.fs)
	if err != nil {
		return err
	}
	for i, path := range m.source.manifest.Paths() {
		// Each file begins in database 0.
		if err := m.loadLogFile(ctx, path, i == tail, v, m.replay()); err != nil {
			return err
		}
	}
	return nil
}

// loadLogFile loads one file of the log: RDB, commands, or one after the other.
func (m *Manager) loadLogFile(ctx context.Context, path string,
	last bool, v *config.Values, replay func([]aof.Command) error) error {
	isRDB, err := m.isRDB(path)
	if err != nil {
		return err
	}
	var from int64
	if isRDB {
		// Nothing is dropped that has expired: commands that follow may refer to it.
		if from, err = m.loadFile(ctx, path, 0, v); err != nil {
			return err
		}
	}
	before := m.load.done.Load()
	res, size, err := m.replayFile(ctx, path, from, &m.load.done, replay)
	if err != nil || from == size {
		return err
	}
	m.load.done.Store(before + size - from)
	m.log.Info("log replayed", "file", path, "commands", res.Commands)
	if !res.Truncated {
		return nil
	}
	return m.cutTail(path, size, res.Valid, last, v)
}

// replayFile executes the commands that a file of the log has from an offset on, and returns the
// file's size. done counts the bytes that are read; nil: nobody does.
func (m *Manager) replayFile(
	ctx context.Context, path string, from int64, done *atomic.Int64, replay func([]aof.Command) error,
) (res aof.ReadResult, size int64, err error) {
	f, size, err := m.open(path)
	if err != nil {
		return res, 0, err
	}
	if from == size {
		return res, size, f.Close()
	}
	r := &meter{ctx: ctx, r: io.NewSectionReader(f, from, size-from), done: done}
	res, err = aof.ReadCommands(r, size-from, aof.ReadOptions{File: path, Offset: from}, replay)
	if err = errors.Join(err, f.Close()); err == nil {
		return res, size, nil
	}
	var corrupt *aof.CorruptError
	if errors.As(err, &corrupt) { // it names the file
		return res, size, err
	}
	return res, size, fmt.Errorf("%s: %w", path, err)
}

// cutTail takes the torn end off the last file of a log, if the configuration
// allows it.
func (m *Manager) cutTail(path string, size, valid int64, last bool, v *config.Values) error {
	if !last {
		return fmt.Errorf("%s ends in the middle of a command at offset %d of %d, and other files of the log follow; repair: larder check aof --fix %s",
			path, valid, size, m.manifestPath(v))
	}
	if !v.AOFLoadTruncated {
		return fmt.Errorf("%s ends in the middle of a command at offset %d of %d, and aof-load-truncated is off; repair: larder check aof --fix %s",
			path, valid, size, m.manifestPath(v))
	}
	m.log.Warn("the log ends in the middle of a command: the rest is cut off",
		"file", path, "size", size, "valid", valid)
	f, err := m.fs.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cut the log's end off: %w", err)
	}
	return errors.Join(f.Truncate(valid), f.Sync(), f.Close())
}

func (m *Manager) manifestPath(v *config.Values) string {
	return aof.ManifestPath(logFolder(v), v.AppendFilename)
}

func (m *Manager) open(path string) (vfs.File, int64, error) {
	if info, err := m.fs.Stat(path); err != nil {
		return nil, 0, err
	} else if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, 0, fmt.Errorf("%s is not a file that data can be loaded from", path)
	}
	f, err := m.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// isRDB reports whether a file begins as an RDB file does.
func (m *Manager) isRDB(path string) (bool, error) {
	f, _, err := m.open(path)
	if err != nil {
		return false, err
	}
	var head [rdb.SignatureSize]byte
	n, err := f.ReadAt(head[:], 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return rdb.IsFile(head[:n]), errors.Join(err, f.Close())
}

// loadFile loads an RDB file and returns where its RDB part ends. now is as in
// rdb.LoadOptions.
func (m *Manager) loadFile(ctx context.Context, path string, now int64, v *config.Values) (end int64, err error) {
	before, keys := m.load.done.Load(), m.load.keys.Load()
	o := rdb.LoadOptions{
		Now: now, Workers: runtime.GOMAXPROCS(0),
		Progress: func(read, n int64) {
			m.load.done.Store(before + read)
			m.load.keys.Store(keys + n)
		},
	}
	if m.scripts != nil {
		o.Library = m.scripts.LoadSource
	}
	sum, err := m.readRDB(ctx, path, m.store, v, o)
	if err != nil {
		return 0, err
	}
	m.load.done.Store(before + sum.Bytes)
	m.load.keys.Store(keys + sum.Keys)
	m.load.expired.Add(sum.Expired)
	if mem, err := strconv.ParseInt(sum.Aux["used-mem"], 10, 64); err == nil {
		m.load.memory.Store(mem)
	}
	if sum.Skipped > 0 {
		m.log.Warn("keys and other things of kinds that larder does not have were left out; "+
			"the next save or rewrite replaces the file by one without them", "file", path, "count", sum.Skipped)
	}
	return sum.Bytes, nil
}

// readRDB loads an RDB file into a store. What o says of unknown types and of the time that it is now
// is replaced.
func (m *Manager) readRDB(
	ctx context.Context, path string, into *store.Store, v *config.Values, o rdb.LoadOptions,
) (rdb.Summary, error) {
	f, size, err := m.open(path)
	if err != nil {
		return rdb.Summary{}, err
	}
	o.Clock, o.SkipUnknownTypes = m.clock().UnixMilli(), v.RDBSkipUnknownTypes
	sum, err := rdb.Load(&meter{ctx: ctx, r: f}, size, into, o)
	if err = errors.Join(err, f.Close()); err != nil {
		var unknown *rdb.UnknownTypeError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w; rdb-skip-unknown-types yes leaves out what is not supported", err)
		}
		return rdb.Summary{}, fmt.Errorf("%s: %w", path, err)
	}
	return sum, nil
}

// ReadSnapshot loads the snapshot file into an empty store that nobody else uses. now is as in
// rdb.LoadOptions. Libraries of functions are left out.
func (m *Manager) ReadSnapshot(into *store.Store, now int64) error {
	v := m.cfg.Values()
	_, err := m.readRDB(context.Background(), v.Path(v.DBFilename), into, v, withoutLibraries(now))
	return err
}

func withoutLibraries(now int64) rdb.LoadOptions {
	return rdb.LoadOptions{Now: now, Library: func(string) error { return nil }}
}

// ReadLogLocked writes what is pending of the log, and loads all of it into an empty store that nobody
// else uses, keys that have expired included. replay, which makes what executes the commands of a
// file, has the same store. Libraries of functions are left out.
//
// All shard locks are held, so nothing is appended meanwhile, and a rewrite that begins does not come to
// its cut; with one that is running the files may change, hence ErrRewriteRunning. Other errors are
// those of Redis' loading, and aof.ErrOff. A torn end, which the log of a running server does not have,
// is one, and nothing is cut off.
func (m *Manager) ReadLogLocked(into *store.Store, replay func() func([]aof.Command) error) error {
	if err := m.busy(); err != nil {
		return err
	}
	if !m.aof.On() {
		return aof.ErrOff
	}
	if err := m.aof.Sync(); err != nil {
		return err
	}
	v := m.cfg.Values()
	manifest, err := aof.Find(m.fs, v.Dir, logFolder(v), v.AppendFilename)
	if err != nil {
		return err
	}
	for _, path := range manifest.Paths() {
		if err := m.readLogFile(path, into, replay(), v); err != nil {
			return err
		}
	}
	return nil
}

// readLogFile is loadLogFile for ReadLogLocked.
func (m *Manager) readLogFile(
	path string, into *store.Store, replay func([]aof.Command) error, v *config.Values,
) error {
	isRDB, err := m.isRDB(path)
	if err != nil {
		return err
	}
	var from int64
	if isRDB {
		base, err := m.readRDB(context.Background(), path, into, v, withoutLibraries(0))
		if err != nil {
			return err
		}
		from = base.Bytes
	}
	res, size, err := m.replayFile(context.Background(), path, from, nil, replay)
	if err == nil && res.Truncated {
		return fmt.Errorf("%s: ends in the middle of a command at offset %d of %d", path, res.Valid, size)
	}
	return err
}

// meter counts what is read, and stops with its context.
type meter struct {
	ctx  context.Context
	r    io.Reader
	done *atomic.Int64 // nil: nobody counts
}

func (r *meter) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if r.done != nil {
		r.done.Add(int64(n))
	}
	return n, err
}

// reportLoading writes a line to the log every second until stop is called.
func (m *Manager) reportLoading() (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(reportEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				total := max(m.load.total.Load(), 1)
				m.log.Info("loading", "percent", m.load.done.Load()*100/total, "keys", m.load.keys.Load())
			case <-done:
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
