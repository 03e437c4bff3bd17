package persistence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// The folder of these tests is the root: it is there in memory and, for the parameter dir, on every
// system.
const (
	dumpFile = "/dump.rdb"
	logDir   = "/appendonlydir"
	manifest = logDir + "/appendonly.aof.manifest"
)

var quiet = slog.New(slog.DiscardHandler)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// disk is a file system whose snapshot files can be held: whoever opens one for writing waits. So
// can be whoever syncs a file.
type disk struct {
	vfs.FS
	mu       sync.Mutex
	clock    *clock
	took     time.Duration // by which every write, sync and removal moves the clock
	hold     chan struct{} // nil: nothing is held
	holdSync chan struct{} // likewise for syncs
	held     chan string   // the files that wait, as they come
}

func newDisk(base vfs.FS, c *clock) *disk {
	return &disk{FS: base, clock: c, held: make(chan string, 16)}
}

// slow has every call take so long from now on, by the rig's clock.
func (d *disk) slow(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took = took
}

func (d *disk) pass() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock.add(d.took)
}

// Remove implements vfs.FS.
func (d *disk) Remove(name string) error {
	d.pass()
	return d.FS.Remove(name)
}

// OpenFile implements vfs.FS.
func (d *disk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if flag&os.O_CREATE != 0 && strings.HasPrefix(filepath.Base(name), "temp-") && !strings.HasSuffix(name, ".manifest") {
		d.mu.Lock()
		hold := d.hold
		d.mu.Unlock()
		if hold != nil {
			d.held <- name
			<-hold
		}
	}
	f, err := d.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, disk: d, name: name}, nil
}

type diskFile struct {
	vfs.File
	disk *disk
	name string
}

// Write implements vfs.File.
func (f *diskFile) Write(p []byte) (int, error) {
	f.disk.pass()
	return f.File.Write(p)
}

// Sync implements vfs.File.
func (f *diskFile) Sync() error {
	f.disk.pass()
	f.disk.mu.Lock()
	hold := f.disk.holdSync
	f.disk.mu.Unlock()
	if hold != nil {
		f.disk.held <- f.name
		<-hold
	}
	return f.File.Sync()
}

// stallSync holds the syncs that begin from now on until release is called.
func (d *disk) stallSync() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hold := make(chan struct{})
	d.holdSync = hold
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		close(hold)
		d.holdSync = nil
	}
}

// stall holds snapshot files from now on until release.
func (d *disk) stall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hold = make(chan struct{})
}

func (d *disk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hold != nil {
		close(d.hold)
		d.hold = nil
	}
}

// rig is a server without a network: a store, a configuration and a Manager.
type rig struct {
	t       testing.TB
	clock   *clock
	mem     *vfs.Mem
	faulty  *vfs.Faulty
	disk    *disk
	cfg     *config.Config
	store   *store.Store
	m       *Manager
	args    []string
	libs    *libraries // nil: the server has none
	latency *stats.Latency
}

// newRig begins on an empty disk, with neither save points nor a log unless args say so.
func newRig(t testing.TB, args ...string) *rig {
	t.Helper()
	r := rigOn(t, vfs.NewMem(), newClock(), args...)
	must(t, r.open())
	return r
}

// rigOn is a rig that is not open yet.
func rigOn(t testing.TB, mem *vfs.Mem, c *clock, args ...string) *rig {
	t.Helper()
	faulty := vfs.NewFaulty(mem)
	r := &rig{t: t, clock: c, mem: mem, faulty: faulty, disk: newDisk(faulty, c), latency: stats.NewLatency(c.Now),
		args: append([]string{"--dir", "/", "--save", ""}, args...)}
	t.Cleanup(r.end)
	return r
}

// open makes a Manager and loads what is there.
func (r *rig) open() error {
	if err := r.begin(); err != nil {
		return err
	}
	return r.m.Load(context.Background())
}

// begin makes a Manager. Its configuration is what the rig was made with.
func (r *rig) begin() (err error) {
	r.t.Helper()
	r.end()
	if r.cfg, err = config.Load("", r.args); err != nil {
		r.t.Fatal(err)
	}
	if r.store, err = store.Open(store.Options{Databases: 4, Shards: 4}); err != nil {
		r.t.Fatal(err)
	}
	st := r.store
	o := Options{
		Store: st, FS: r.disk, Config: r.cfg, Log: quiet, Clock: r.clock.Now,
		Replay: func() func([]aof.Command) error {
			return replayer(st, r.clock, r.libs, func(n int64) { r.m.AddDirty(n) })
		},
		Memory: st.Memory, Watch: r.latency.Watch,
	}
	if r.libs != nil {
		r.libs.sources = nil
		o.Libraries = r.libs
	}
	r.m, err = New(o)
	if err != nil {
		if r.m != nil {
			r.t.Fatal("New returns a Manager beside its error")
		}
		return err
	}
	m := r.m
	st.Listen(store.ClassExpired|store.ClassEvicted, func(db int, key []byte, _ store.Event) {
		m.Journal().Append(db, []byte("DEL"), key)
	})
	r.cfg.OnApply([]string{
		"save", "dir", "appendonly", "appendfsync", "aof-timestamp-enabled", "stop-writes-on-bgsave-error",
	}, m.Apply)
	return nil
}

// end closes what is open, whatever the disk says.
func (r *rig) end() {
	r.disk.release()
	if r.m != nil {
		if err := r.m.Close(); err != nil && !r.mem.Crashed() {
			r.t.Errorf("close: %v", err)
		}
		r.m = nil
	}
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			r.t.Error(err)
		}
		r.store = nil
	}
}

func (r *rig) set(name, value string) {
	r.t.Helper()
	must(r.t, r.trySet(name, value))
}

func (r *rig) trySet(name, value string) error {
	return r.cfg.Set([]config.Setting{{Name: name, Value: value}}, true)
}

// do runs a command as the engine does: under its locks, with its effect in the log, and a commit.
func (r *rig) do(db int, args ...string) {
	r.t.Helper()
	r.run(db, args...)
	must(r.t, r.m.Log().Commit())
}

// run is do without the commit.
func (r *rig) run(db int, args ...string) {
	r.store.LockAll()
	v := store.View{Store: r.store, DB: db, Now: r.clock.Now().UnixMilli()}
	apply(&v, words(args))
	if v.Dirty > 0 {
		r.m.Journal().Append(db, words(args)...)
	}
	r.store.UnlockAll()
	r.m.AddDirty(v.Dirty)
}

// fill makes n keys.
func (r *rig) fill(n int) {
	r.t.Helper()
	for i := range n {
		r.run(i%4, "SET", fmt.Sprintf("key:%d", i), strconv.Itoa(i))
	}
	must(r.t, r.m.Log().Commit())
}

// background begins a save.
func (r *rig) background(schedule bool) (bool, error) {
	r.store.LockAll()
	defer r.store.UnlockAll()
	return r.m.BackgroundSaveLocked(schedule)
}

// save begins a SAVE, whose outcome goes to the channel.
func (r *rig) save() <-chan error {
	r.t.Helper()
	outcome := make(chan error, 1)
	r.store.LockAll()
	err := r.m.SaveLocked(func(err error) { outcome <- err })
	r.store.UnlockAll()
	must(r.t, err)
	return outcome
}

// wait waits for the running job, and is over at once without one.
func (r *rig) wait() {
	r.m.mu.Lock()
	j := r.m.job
	r.m.mu.Unlock()
	if j != nil {
		<-j.done
	}
}

// settle ticks until nothing is queued and nothing runs.
func (r *rig) settle() {
	for {
		r.m.Tick()
		r.m.mu.Lock()
		j, q := r.m.job, r.m.queue
		r.m.mu.Unlock()
		if j == nil && !q.save && !q.rewrite && len(q.waiting) == 0 {
			return
		}
		r.wait()
	}
}

// bgsave saves and waits for the outcome.
func (r *rig) bgsave() error {
	r.t.Helper()
	if _, err := r.background(false); err != nil {
		r.t.Fatal(err)
	}
	r.m.mu.Lock()
	j := r.m.job
	r.m.mu.Unlock()
	if j != nil {
		<-j.done
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.m.record.saveErr
}

// rewrite rewrites the log and waits for the outcome.
func (r *rig) rewrite() error {
	r.t.Helper()
	if scheduled, err := r.m.Rewrite(); err != nil || scheduled {
		r.t.Fatal(scheduled, err)
	}
	r.wait()
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.m.record.rewriteErr
}

// restart opens the same disk again, with other parameters if there are any.
func (r *rig) restart(args ...string) error {
	r.t.Helper()
	r.end()
	if len(args) > 0 {
		r.args = append([]string{"--dir", "/", "--save", ""}, args...)
	}
	return r.open()
}

// holds checks that the store has what the model of these commands has.
func (r *rig) holds(want model) {
	r.t.Helper()
	if diff := differ(want, r.contents(), r.clock.Now().UnixMilli()); diff != "" {
		r.t.Fatal(diff)
	}
}

// contents are all keys. No job is running.
func (r *rig) contents() model {
	r.t.Helper()
	r.store.LockAll()
	defer r.store.UnlockAll()
	snap, err := r.store.CutLocked(r.clock.Now().UnixMilli())
	must(r.t, err)
	c := collector{found: model{}}
	must(r.t, snap.RunLocked(&c))
	return c.found
}

// names lists a folder, "" for none.
func (r *rig) names(dir string) string {
	list, err := r.mem.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	must(r.t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (r *rig) read(name string) []byte {
	r.t.Helper()
	f, err := r.mem.OpenFile(name, os.O_RDONLY, 0)
	must(r.t, err)
	info, err := f.Stat()
	must(r.t, err)
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		r.t.Fatal(err)
	}
	must(r.t, f.Close())
	return b
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	f, err := r.mem.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	must(r.t, err)
	_, err = f.Write([]byte(content))
	must(r.t, errors.Join(err, f.Sync(), f.Close(), r.mem.SyncDir(filepath.Dir(name))))
}

func words(args []string) (b [][]byte) {
	for _, a := range args {
		b = append(b, []byte(a))
	}
	return b
}

// apply runs one of the few commands that these tests know. The locks are held.
func apply(v *store.View, args [][]byte) {
	k := v.Store.Key(args[1])
	var err error
	switch string(args[0]) {
	case "SET":
		v.SetString(k, args[2], 0)
	case "HSET", "HMSET":
		_, err = v.SetFields(k, args[2:])
	case "SADD":
		_, err = v.AddMembers(k, args[2:])
	case "RPUSH":
		_, err = v.PushElements(k, store.Back, args[2:])
	case "LPOP":
		if l, ok, e := v.WriteList(k); ok {
			l.Pop(store.Front, 1, func([]byte) {})
		} else {
			err = e
		}
	case "ZADD":
		var pairs []store.Scored
		for i := 2; i < len(args) && err == nil; i += 2 {
			var score float64
			score, err = strconv.ParseFloat(string(args[i]), 64)
			pairs = append(pairs, store.Scored{Member: args[i+1], Score: score})
		}
		if err == nil {
			_, err = v.SetScores(k, len(pairs), func(i int) store.Scored { return pairs[i] }, 0)
		}
	case "HDEL":
		if h, ok, e := v.WriteHash(k); ok {
			h.Delete(args[2:])
		} else {
			err = e
		}
	case "SREM":
		if s, ok, e := v.WriteSet(k); ok {
			s.Remove(args[2:])
		} else {
			err = e
		}
	case "DEL":
		v.Delete(k)
	case "PEXPIREAT":
		at, e := strconv.ParseInt(string(args[2]), 10, 64)
		if err = e; err == nil {
			v.SetExpire(k, at)
		}
	default:
		err = fmt.Errorf("no such command: %q", args)
	}
	if err != nil {
		panic("BUG in the test: " + err.Error())
	}
}

// replayer runs the commands of a log.
func replayer(st *store.Store, c *clock, libs *libraries, dirty func(int64)) func([]aof.Command) error {
	db := 0
	return func(batch []aof.Command) error {
		st.LockAll()
		defer st.UnlockAll()
		for _, cmd := range batch {
			if string(cmd.Args[0]) == "SELECT" {
				var err error
				if db, err = strconv.Atoi(string(cmd.Args[1])); err != nil {
					return err
				}
				continue
			}
			if string(cmd.Args[0]) == "NONSENSE" {
				return errors.New("unknown command")
			}
			if string(cmd.Args[0]) == "FUNCTION" {
				if err := libs.LoadSource(string(cmd.Args[2])); err != nil {
					return err
				}
				continue
			}
			v := store.View{Store: st, DB: db, Now: c.Now().UnixMilli(), Loading: true}
			apply(&v, cmd.Args)
			dirty(v.Dirty)
		}
		return nil
	}
}

// value is what a key holds. It is not changed once a model has it.
type value struct {
	text   string
	items  map[string]string // of a hash; of a set, with empty values; of a sorted set, the bytes of its scores
	list   []string
	expire int64
}

// model is what a store should hold. Keys are "<db> <name>".
type model map[string]*value

// apply does what apply does to a store at this time.
func (m model) apply(now int64, db int, args []string) {
	name := fmt.Sprintf("%d %s", db, args[1])
	old := m[name]
	if old != nil && old.expire != 0 && old.expire <= now {
		delete(m, name)
		old = nil
	}
	next := &value{}
	if old != nil {
		*next = *old
		next.items = maps.Clone(old.items)
	} else if args[0] == "HDEL" || args[0] == "LPOP" || args[0] == "SREM" || args[0] == "DEL" || args[0] == "PEXPIREAT" {
		return
	}
	if next.items == nil {
		next.items = map[string]string{}
	}
	switch args[0] {
	case "SET":
		next = &value{text: args[2]}
	case "HSET":
		for i := 2; i < len(args); i += 2 {
			next.items[args[i]] = args[i+1]
		}
	case "SADD":
		for _, a := range args[2:] {
			next.items[a] = ""
		}
	case "RPUSH":
		next.list = slices.Concat(next.list, args[2:])
	case "LPOP":
		if next.list = next.list[1:]; len(next.list) == 0 {
			delete(m, name)
			return
		}
	case "ZADD":
		for i := 2; i < len(args); i += 2 {
			score, _ := strconv.ParseFloat(args[i], 64)
			next.items[args[i+1]] = string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)))
		}
	case "HDEL", "SREM":
		for _, a := range args[2:] {
			delete(next.items, a)
		}
		if len(next.items) == 0 {
			delete(m, name)
			return
		}
	case "DEL":
		delete(m, name)
		return
	case "PEXPIREAT":
		next.expire, _ = strconv.ParseInt(args[2], 10, 64)
	}
	m[name] = next
}

// differ tells how two contents differ, those keys aside whose time has come.
func differ(want, got model, now int64) string {
	live := func(v *value) bool { return v != nil && (v.expire == 0 || v.expire > now) }
	for _, name := range slices.Sorted(maps.Keys(want)) {
		w, g := want[name], got[name]
		if !live(w) {
			continue
		}
		switch {
		case g == nil:
			return fmt.Sprintf("key %q is missing", name)
		case w.text != g.text:
			return fmt.Sprintf("key %q holds %.40q, not %.40q", name, g.text, w.text)
		case w.expire != g.expire:
			return fmt.Sprintf("key %q expires at %d, not %d", name, g.expire, w.expire)
		case !slices.Equal(w.list, g.list):
			return fmt.Sprintf("key %q is a list of %d elements that are not the %d it should have", name, len(g.list), len(w.list))
		case !maps.Equal(w.items, g.items):
			return fmt.Sprintf("key %q has %d elements that are not the %d it should have", name, len(g.items), len(w.items))
		}
	}
	for name, g := range got {
		if live(g) && !live(want[name]) {
			return fmt.Sprintf("key %q is there and should not", name)
		}
	}
	return ""
}

// collector is a store.Sink that makes a model.
type collector struct {
	found model
	at    *value
	typ   store.Type
}

func (c *collector) put(k *store.SnapshotKey) {
	c.at, c.typ = &value{expire: k.ExpireAt, items: map[string]string{}}, k.Type
	c.found[fmt.Sprintf("%d %s", k.DB, k.Name)] = c.at
}

// Key implements store.Sink.
func (c *collector) Key(k *store.SnapshotKey, v *store.Value) error {
	c.put(k)
	if k.Type == store.TypeString {
		c.at.text = string(v.Text())
		return nil
	}
	v.Each(func(item, value []byte) bool {
		return c.Element(item, value, 0) == nil
	})
	return nil
}

// Begin implements store.Sink.
func (c *collector) Begin(k *store.SnapshotKey, _ int) error {
	c.put(k)
	return nil
}

// Element implements store.Sink.
func (c *collector) Element(item, value []byte, _ int64) error {
	if c.typ == store.TypeList {
		c.at.list = append(c.at.list, string(item))
		return nil
	}
	c.at.items[string(item)] = string(value)
	return nil
}

// End implements store.Sink.
func (c *collector) End() error { return nil }
