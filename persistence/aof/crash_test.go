package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/tests/randtest"
)

// The effects of these tests are numbered: SET k 1, SET k 2 ... A base file is one command, BASE n,
// and stands for the effects up to n. So a log read back must give BASE n, n+1, n+2 ... without a
// gap, and the last number says how much of history has survived.

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

const (
	testServerDir = "/data"
	testDir       = "/data/appendonlydir"
	testPrefix    = "log.aof"
)

// world is a log on a file system in memory, and what a client knows of it.
type world struct {
	t       testing.TB
	rng     *rand.Rand
	mem     *vfs.Mem
	fs      *vfs.Faulty
	policy  Policy
	now     time.Time
	log     *Log
	journal *journal.Journal

	starting bool         // nothing is promised before a log has its first base
	appended int          // effects so far
	acked    int          // effects that must never be missing
	inside   map[int]bool // effects after which a transaction goes on: no history ends there
}

func newWorld(t testing.TB, policy Policy, seed uint64) *world {
	mem := vfs.NewMem()
	w := &world{t: t, rng: newRand(seed), mem: mem, fs: vfs.NewFaulty(mem), policy: policy,
		now: time.Unix(1_800_000_000, 0), inside: map[int]bool{}}
	must(t, mem.Mkdir(testServerDir, 0o755))
	must(t, mem.SyncDir("/"))
	w.newLog()
	return w
}

func (w *world) newLog() {
	w.journal = journal.New(func() time.Time { return w.now })
	w.log = NewLog(Options{Journal: w.journal, FS: w.fs, Dir: testDir, Prefix: testPrefix, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return w.now }})
	w.log.SetPolicy(w.policy)
	w.journal.SetMarks(w.rng.IntN(2) == 0)
}

// open loads what is there and goes on with it.
func (w *world) open() error {
	m, err := Find(w.fs, testServerDir, testDir, testPrefix)
	if errors.Is(err, fs.ErrNotExist) {
		w.starting = true
		err := w.rewrite(RewriteOptions{Start: true})
		w.starting = false
		w.safe(err == nil && w.policy == Always)
		return err
	}
	if err != nil {
		return err
	}
	if err := m.Adopt(w.fs, testPrefix); err != nil {
		return err
	}
	return w.log.Start(m)
}

func (w *world) setPolicy(p Policy) {
	w.policy = p
	w.log.SetPolicy(p)
}

func (w *world) rewrite(o RewriteOptions) error {
	r, err := w.log.PrepareRewrite(o)
	if err != nil {
		return err
	}
	if !o.Start {
		w.append()
		if err := w.commit(); err != nil {
			return errors.Join(err, r.Cancel())
		}
	}
	if w.rng.IntN(8) == 0 {
		return r.Cancel()
	}
	r.CutLocked()
	cut := w.appended
	for range w.rng.IntN(3) {
		w.append()
		if err := w.commit(); err != nil {
			return errors.Join(err, r.Cancel())
		}
	}
	if w.rng.IntN(8) == 0 {
		return r.Cancel()
	}
	size, err := w.writeBase(r.BaseTemp(), cut)
	if err != nil {
		return errors.Join(err, r.Cancel())
	}
	w.append()
	if err := w.maybeCommit(); err != nil {
		return errors.Join(err, r.Cancel())
	}
	return r.Finish(size)
}

func (w *world) writeBase(name string, n int) (int64, error) {
	text := journal.AppendCommand(nil, []byte("BASE"), []byte(strconv.Itoa(n)))
	f, err := w.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return int64(len(text)), errors.Join(err, f.Close())
}

// safe notes, if what was done has gone well, that all effects so far must never be missing.
func (w *world) safe(ok bool) {
	if ok && w.log.On() && !w.starting && !w.log.Pending() {
		w.acked = w.appended
	}
}

// effect is the next one.
func (w *world) effect() [][]byte {
	w.appended++
	delete(w.inside, w.appended) // of a history that was lost
	n := fmt.Sprintf("%0*d", 1+w.rng.IntN(300), w.appended)
	return [][]byte{[]byte("SET"), []byte("k"), []byte(n)}
}

func (w *world) append() {
	if !w.log.On() {
		return
	}
	db := w.rng.IntN(3)
	if w.rng.IntN(4) > 0 {
		w.journal.Append(db, w.effect()...)
		return
	}
	var e journal.Effects
	for range 1 + w.rng.IntN(4) {
		w.inside[w.appended] = e.Len() > 0
		e.Add(w.rng.IntN(3), w.effect()...)
	}
	w.journal.AppendEffects(&e)
}

func (w *world) commit() error {
	if err := w.log.Commit(); err != nil {
		return err
	}
	w.safe(w.policy == Always)
	return nil
}

func (w *world) maybeCommit() error {
	if w.rng.IntN(2) == 0 {
		return nil
	}
	return w.commit()
}

// step does something at random. Errors are the disk's.
func (w *world) step() error {
	w.now = w.now.Add(time.Duration(w.rng.IntN(700)) * time.Millisecond)
	switch w.rng.IntN(12) {
	case 0:
		return w.rewrite(RewriteOptions{RDB: w.rng.IntN(2) == 0})
	case 1:
		if err := w.log.Sync(); err != nil {
			return err
		}
		w.safe(true)
	case 2, 3:
		w.tick()
	default:
		for range 1 + w.rng.IntN(3) {
			w.append()
		}
		return w.commit()
	}
	return nil
}

// tick lets time pass. If it starts a sync, mostly its end is waited for: what was appended and
// committed is then safe.
func (w *world) tick() {
	idle := !w.log.Pending() && w.log.io.syncing == nil
	w.log.Tick(w.now)
	s := w.log.io.syncing
	if s == nil || w.rng.IntN(4) == 0 {
		return
	}
	<-s.done
	w.safe(s.err == nil && idle)
}

// run lives until the world stops or steps steps are done. Errors of a disk that still works are
// reported.
func (w *world) run(steps int) {
	err := w.open()
	for i := 0; i < steps && err == nil; i++ {
		err = w.step()
	}
	if err != nil && !w.mem.Crashed() {
		w.t.Fatal(err)
	}
}

// crash cuts the power, and looks at what is left.
func (w *world) crash() {
	w.t.Helper()
	if s := w.log.io.syncing; s != nil {
		<-s.done
	}
	w.mem = w.mem.Crash(w.rng)
	w.fs = vfs.NewFaulty(w.mem)
	w.recover()
	w.newLog()
}

// recover reads the log back as a server does, cuts off a torn end, and checks that no promise is
// broken.
func (w *world) recover() {
	w.t.Helper()
	got, any := w.read()
	if got < w.acked || got > w.appended {
		w.t.Fatalf("recovered %d effects; %d were acknowledged, %d appended\n%s", got, w.acked, w.appended, w.dump())
	}
	if w.inside[got] {
		w.t.Fatalf("recovered effects up to %d, in the middle of a transaction\n%s", got, w.dump())
	}
	if !any && w.acked > 0 {
		w.t.Fatal("the log is gone")
	}
	w.appended, w.acked = got, got
}

// read returns the last effect in the log.
func (w *world) read() (last int, any bool) {
	w.t.Helper()
	m, err := Find(w.fs, testServerDir, testDir, testPrefix)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false
	}
	must(w.t, err)
	must(w.t, m.Adopt(w.fs, testPrefix))
	tail, err := m.Tail(w.fs)
	must(w.t, err)
	for i, path := range m.Paths() {
		last = w.readFile(path, last, i == tail)
	}
	return last, true
}

func (w *world) readFile(path string, last int, tail bool) int {
	w.t.Helper()
	f, err := w.fs.OpenFile(path, os.O_RDWR, 0)
	must(w.t, err)
	info, err := f.Stat()
	must(w.t, err)
	before, hole := last, int64(-1)
	res, err := ReadCommands(f, info.Size(), ReadOptions{File: path}, func(batch []Command) error {
		for _, c := range batch {
			if hole >= 0 {
				return nil
			}
			if bytes.IndexByte(bytes.Join(c.Args, nil), 0) >= 0 {
				hole = c.Offset
				return nil
			}
			n, err := strconv.Atoi(string(c.Args[len(c.Args)-1]))
			if err != nil {
				return err
			}
			switch string(c.Args[0]) {
			case "SELECT":
				continue
			case "SET":
				if n != last+1 {
					return fmt.Errorf("effect %d follows %d", n, last)
				}
			case "BASE":
			default:
				return fmt.Errorf("strange command %q", c.Args)
			}
			last = n
		}
		return nil
	})
	corrupt := errors.As(err, new(*CorruptError))
	switch {
	case err != nil && !corrupt:
		w.t.Fatalf("%s: %v\n%s", path, err, w.dump())
	case corrupt || res.Truncated || hole >= 0:
		// Sectors of an unsynced end may be missing and later ones be there: only a repair cuts
		// that off, but nothing behind it was promised.
		if !tail {
			w.t.Fatalf("%s is torn (%v, %s) and not the last file\n%s", path, err, res.Reason, w.dump())
		}
		if hole >= 0 { // within an argument, which no reader can tell from a value of zeros
			must(w.t, errors.Join(f.Truncate(hole), f.Sync(), f.Close()))
			return w.readFile(path, before, tail)
		}
		must(w.t, errors.Join(f.Truncate(res.Valid), f.Sync()))
	}
	must(w.t, f.Close())
	return last
}

// dump shows the folder.
func (w *world) dump() string {
	var b strings.Builder
	list, err := w.mem.ReadDir(testDir)
	fmt.Fprintln(&b, err)
	for _, e := range list {
		f, err := w.mem.OpenFile(filepath.Join(testDir, e.Name()), os.O_RDONLY, 0)
		must(w.t, err)
		text, err := io.ReadAll(f)
		must(w.t, err)
		if len(text) > 3000 {
			text = text[len(text)-3000:]
		}
		fmt.Fprintf(&b, "== %s\n%q\n", e.Name(), text)
	}
	return b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var allPolicies = map[string]Policy{"always": Always, "everysec": EverySec, "no": No}

// TestCrashAtEveryCall stops the world at each call of a random life that changes the disk, and
// lives on from what is left.
func TestCrashAtEveryCall(t *testing.T) {
	base := randtest.Seed(t)
	for name, policy := range allPolicies {
		t.Run(name, func(t *testing.T) {
			for life := range uint64(4) {
				const steps = 30
				whole := newWorld(t, policy, base+life)
				whole.run(steps)
				calls := whole.mem.Calls()
				for n := int64(1); n <= calls+1; n++ {
					w := newWorld(t, policy, base+life)
					w.mem.CrashAt(n)
					w.run(steps)
					w.rng = newRand(base + life + uint64(n))
					w.crash()
					w.mem.CrashAt(1 + w.rng.Int64N(20))
					w.run(8)
					w.crash()
					w.run(3)
					must(t, w.log.Sync())
					w.safe(true)
					must(t, w.log.Stop())
					w.crash()
				}
			}
		})
	}
}

// faults are what a disk may do for a while.
var faults = []func(f *vfs.Faulty, rng *rand.Rand){
	func(f *vfs.Faulty, rng *rand.Rand) { f.SetSpace(rng.Int64N(1500)) },
	func(f *vfs.Faulty, rng *rand.Rand) { f.Fail(vfs.OpWrite, rng.Int64N(3), 1+rng.Int64N(3), syscall.EIO) },
	func(f *vfs.Faulty, rng *rand.Rand) {
		f.FailShort(rng.Int64N(3), 1+rng.Int64N(3), rng.IntN(400), syscall.EIO)
	},
	func(f *vfs.Faulty, rng *rand.Rand) { f.Fail(vfs.OpSync, rng.Int64N(3), 1+rng.Int64N(3), syscall.EIO) },
	func(f *vfs.Faulty, rng *rand.Rand) {
		f.FailShort(rng.Int64N(3), 1, rng.IntN(400), syscall.ENOSPC)
		f.Fail(vfs.OpTruncate, 0, 1+rng.Int64N(2), syscall.EIO)
	},
	func(f *vfs.Faulty, rng *rand.Rand) { f.Fail(vfs.OpRename, rng.Int64N(2), 1, syscall.EIO) },
	func(f *vfs.Faulty, rng *rand.Rand) {
		f.Fail(vfs.OpSyncDir, rng.Int64N(4), 1+rng.Int64N(2), syscall.EIO)
	},
	func(f *vfs.Faulty, rng *rand.Rand) { f.Fail(vfs.OpCreate, rng.Int64N(2), 1, syscall.EACCES) },
	func(f *vfs.Faulty, rng *rand.Rand) { f.Fail(vfs.OpRemove, 0, 1, syscall.EACCES) },
	func(f *vfs.Faulty, _ *rand.Rand) { f.SetReadOnly(syscall.EROFS) },
	func(f *vfs.Faulty, _ *rand.Rand) { f.SetReadOnly(syscall.EACCES) },
}

// TestFailingDisk lets a disk fail at times, and checks that the log recovers by itself and has
// lost nothing.
func TestFailingDisk(t *testing.T) {
	base := randtest.Seed(t)
	for name, policy := range allPolicies {
		t.Run(name, func(t *testing.T) {
			for life := range uint64(400) {
				w := newWorld(t, policy, base+life)
				for !w.log.On() {
					must(t, w.open())
				}
				for range 4 {
					faults[w.rng.IntN(len(faults))](w.fs, w.rng)
					for range 1 + w.rng.IntN(10) {
						if err := w.step(); err != nil && policy == Always && !w.log.On() {
							t.Fatalf("a failing disk turned the log off: %v", err)
						}
					}
					if w.rng.IntN(6) == 0 {
						w.fs.Heal()
						w.crash()
						for !w.log.On() {
							must(t, w.open())
						}
						continue
					}
					w.fs.Heal()
					w.healed()
					if w.rng.IntN(3) == 0 {
						w.setPolicy(Policy(w.rng.IntN(3)))
					}
				}
				must(t, w.log.Sync())
				w.safe(true)
				w.crash()
			}
		})
	}
}

// healed waits until a log on a disk that works again does so too.
func (w *world) healed() {
	w.t.Helper()
	for i := 0; w.log.Err() != nil || w.log.Pending(); i++ {
		if i == 20 {
			w.t.Fatalf("the log has not recovered: %v", w.log.Err())
		}
		w.now = w.now.Add(time.Second)
		w.log.Tick(w.now)
		if s := w.log.io.syncing; s != nil {
			<-s.done
		}
	}
	if w.policy == Always {
		must(w.t, w.log.Commit())
		w.safe(true)
	}
}
