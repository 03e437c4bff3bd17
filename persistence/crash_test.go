package persistence

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// Every change of these tests makes a version of the data set: it sets, beside what it does, the
// key "ver" to a number that is never used again. So what a start finds says which version it is,
// and must be all of that version. Which ones are allowed follows from what has been promised by
// the time of the crash.

// world is a server with a history.
type world struct {
	*rig
	rng    *rand.Rand
	states map[int]model
	last   int   // the newest version number of all
	line   []int // versions since the start, oldest first

	// The log. While it is complete, a start finds a version of line, from floor on.
	complete bool
	floor    int
	from     int          // where the log that is being started begins, if it is not complete
	stale    map[int]bool // what a log that was switched off may hold
	hasStale bool         // it is there for sure
	remade   int          // the version at which a rewrite without a log began, -1 if there was none

	// The snapshot file: what it may hold, and what a save under way would make of it.
	saved  map[int]bool
	saving int // -1 without one
	saves  int64

	allowed map[int]bool // at the start under way
	started bool         // it has come to its end
}

func newWorld(t testing.TB, seed uint64, args ...string) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), states: map[int]model{0: {}}, saving: -1,
		stale: map[int]bool{}, saved: map[int]bool{0: true}, allowed: map[int]bool{0: true}}
	w.rig = rigOn(t, vfs.NewMem(), newClock(), args...)
	return w
}

func (w *world) current() int {
	if len(w.line) == 0 {
		return 0
	}
	return w.line[len(w.line)-1]
}

// start opens the disk, which must succeed unless the world stops, and begins a history at what it
// finds there.
func (w *world) start() bool {
	w.t.Helper()
	w.started = false
	err := w.open()
	if errors.As(err, new(*aof.CorruptError)) {
		w.repair()
		err = w.open()
	}
	if err != nil {
		if !w.mem.Crashed() {
			w.t.Fatalf("the start fails: %v\n%s", err, w.describe())
		}
		return false
	}
	if w.mem.Crashed() {
		return false
	}
	found := w.contents()
	ver := 0
	if v := found["0 ver"]; v != nil {
		ver, _ = strconv.Atoi(v.text)
	}
	if !w.allowed[ver] {
		w.t.Fatalf("version %d was found, allowed are %v\n%s", ver, slices.Sorted(maps.Keys(w.allowed)), w.describe())
	}
	if diff := differ(w.states[ver], found, w.clock.Now().UnixMilli()); diff != "" {
		w.t.Fatalf("version %d: %s\n%s", ver, diff, w.describe())
	}
	w.line = []int{ver}
	w.floor, w.from, w.remade = ver, ver, -1
	w.complete = w.cfg.Values().AppendOnly
	if w.complete {
		w.stale, w.hasStale = map[int]bool{}, false
	} else {
		w.saved = map[int]bool{ver: true}
	}
	w.saves, w.started = 0, true
	return true
}

// repair does what larder check aof --fix does. A power failure may leave sectors of what was not
// synced and lose ones before them: that is damage, which only a person may cut off, but nothing
// behind it was promised.
func (w *world) repair() {
	w.t.Helper()
	_, err := aof.Check(w.disk, manifest, aof.CheckOptions{
		Fix: true, Confirm: func(string, int64, int64) bool { return true },
		RDB: func(r io.Reader, size int64) (int64, error) {
			rep, err := rdb.Check(r, size, rdb.CheckOptions{})
			return rep.Bytes, err
		},
	})
	if err != nil && !w.mem.Crashed() {
		w.t.Fatalf("the log cannot be repaired: %v\n%s", err, w.describe())
	}
}

func (w *world) describe() string {
	return fmt.Sprintf("line %v floor %d complete %v from %d stale %v saved %v saving %d\nfiles %s; %s", w.line, w.floor, w.complete,
		w.from, slices.Sorted(maps.Keys(w.stale)), w.saved, w.saving, w.names("/"), w.names(logDir))
}

// logged adds what a complete log may give.
func (w *world) logged(to map[int]bool, from int) {
	for _, v := range w.line {
		if v >= from {
			to[v] = true
		}
	}
}

// survivors are the versions that a start with the present parameters may find after a crash.
func (w *world) survivors() map[int]bool {
	set := map[int]bool{}
	if w.complete {
		w.logged(set, w.floor)
		return set
	}
	if w.cfg.Values().AppendOnly {
		maps.Copy(set, w.stale)
		w.logged(set, w.from)
		w.addRemade(set)
		if w.hasStale {
			return set
		}
	}
	maps.Copy(set, w.saved)
	if w.saving >= 0 {
		set[w.saving] = true
	}
	return set
}

// addRemade adds what a rewrite without a log may have made the base.
func (w *world) addRemade(to map[int]bool) {
	if w.remade >= 0 {
		w.logged(to, w.remade)
	}
}

// change makes a version.
func (w *world) change() {
	db, args := w.command()
	now := w.clock.Now().UnixMilli()
	w.last++
	state := maps.Clone(w.states[w.current()])
	ver := []string{"SET", "ver", strconv.Itoa(w.last)}
	var e journal.Effects
	w.store.LockAll()
	v := store.View{Store: w.store, DB: db, Now: now, Listener: func(db int, key []byte, _ store.Event) {
		e.Add(db, []byte("DEL"), key)
	}}
	apply(&v, words(args))
	if v.Dirty > 0 {
		e.Add(db, words(args)...)
	}
	v.DB = 0
	apply(&v, words(ver))
	e.Add(0, words(ver)...)
	w.m.Journal().AppendEffects(&e)
	w.store.UnlockAll()
	w.m.AddDirty(v.Dirty)
	state.apply(now, db, args)
	state.apply(now, 0, ver)
	w.states[w.last] = state
	w.line = append(w.line, w.last)
}

// command is one at random: few keys, so that they are met again. No string is as long as a sector:
// the log has no checksums, so one that is lost in the middle of a long value, before it was
// synced, is not seen.
func (w *world) command() (db int, args []string) {
	r := w.rng
	n := func(kind string, keys int) string { return fmt.Sprintf("%s%d", kind, r.IntN(keys)) }
	switch r.IntN(18) {
	case 0, 1, 2:
		args = []string{"SET", n("s", 8), fmt.Sprintf("%0*d", 1+r.IntN(300), r.IntN(1000))}
	case 3:
		args = []string{"SET", n("s", 8), strings.Repeat(strconv.Itoa(r.IntN(1000)), 1+r.IntN(150))}
	case 4, 5:
		args = []string{"HSET", n("h", 2)}
		for range 1 + r.IntN(300) {
			args = append(args, n("field", 1000), n("value", 1000))
		}
	case 6:
		args = []string{"SADD", n("t", 2)}
		for range 1 + r.IntN(200) {
			args = append(args, n("member", 1000))
		}
	case 7:
		args = []string{"SADD", n("i", 2), n("", 1000), n("", 1000)}
	case 8:
		args = []string{"HDEL", n("h", 2), n("field", 1000), n("field", 1000)}
	case 9:
		args = []string{"SREM", n("t", 2), n("member", 1000)}
	case 10, 11:
		args = []string{"DEL", n([]string{"s", "h", "t", "i", "l", "z"}[r.IntN(6)], 2)}
	case 12:
		args = []string{"RPUSH", n("l", 2)}
		for range 1 + r.IntN(200) {
			args = append(args, n("element", 1000))
		}
	case 13:
		args = []string{"LPOP", n("l", 2)}
	case 14:
		args = []string{"ZADD", n("z", 2)}
		for range 1 + r.IntN(100) {
			args = append(args, strconv.FormatFloat(float64(r.IntN(1000))/10, 'g', -1, 64), n("member", 300))
		}
	default:
		at := w.clock.Now().Add(time.Duration(1+r.IntN(5000)) * time.Millisecond)
		args = []string{"PEXPIREAT", n([]string{"s", "h", "t", "i", "l", "z"}[r.IntN(6)], 2), strconv.FormatInt(at.UnixMilli(), 10)}
	}
	return r.IntN(3), args
}

// commit keeps the promise of appendfsync always.
func (w *world) commit() error {
	if err := w.m.Log().Commit(); err != nil {
		return err
	}
	if w.complete && w.cfg.Values().AppendFsync == "always" {
		w.floor = w.current()
	}
	return nil
}

// second lets a second pass: under everysec what was written before it is then durable.
func (w *world) second() {
	log := w.m.Log()
	idle := log.Status().PendingFsync == 0 && !log.Pending()
	w.clock.add(time.Second)
	w.tick()
	if log.Status().PendingFsync == 0 {
		return
	}
	for log.Status().PendingFsync > 0 && !w.mem.Crashed() {
		log.Tick(w.clock.Now())
		runtime.Gosched()
	}
	if idle && w.complete && log.Err() == nil && !w.mem.Crashed() {
		w.floor = w.current()
	}
}

// tick may begin jobs.
func (w *world) tick() {
	if !w.m.Status().SaveRunning {
		w.note()
		w.saving = w.current()
	}
	w.m.Tick()
	w.note()
}

// note takes down what has come to an end.
func (w *world) note() {
	st := w.m.Status()
	w.m.mu.Lock()
	complete := w.m.aof.On() && !w.m.queue.startLog
	w.m.mu.Unlock()
	if w.mem.Crashed() {
		return
	}
	switch {
	case st.Saves > w.saves:
		w.saves, w.saved = st.Saves, map[int]bool{w.saving: true}
		w.saving = -1
	case !st.SaveRunning:
		w.saving = -1
	}
	if complete && !w.complete {
		w.complete, w.floor = true, w.from
		w.stale, w.hasStale, w.remade = map[int]bool{}, false, -1
	}
}

// toggle switches the log on or off.
func (w *world) toggle() error {
	if !w.cfg.Values().AppendOnly {
		w.from = w.current()
		return w.trySet("appendonly", "yes")
	}
	w.logged(w.stale, w.floor)
	if !w.complete {
		w.logged(w.stale, w.from)
	}
	w.hasStale = w.hasStale || w.complete
	w.complete = false
	return w.trySet("appendonly", "no")
}

// step does something at random. Errors are the disk's.
func (w *world) step() error {
	w.note()
	w.clock.add(time.Duration(w.rng.IntN(300)) * time.Millisecond)
	switch w.rng.IntN(24) {
	case 0, 1:
		if w.m.Status().SaveRunning {
			return nil
		}
		w.note()
		scheduled, err := w.background(true)
		if !scheduled {
			w.saving = w.current()
		}
		return err
	case 2:
		if !w.complete && w.remade < 0 {
			w.remade = w.current()
		}
		if _, err := w.m.Rewrite(); !errors.Is(err, ErrRewriteRunning) {
			return err
		}
	case 3:
		return w.toggle()
	case 4, 5:
		w.second()
	case 6, 7, 8:
		w.wait()
	case 9:
		if err := w.m.Log().Sync(); err != nil {
			return err
		}
		if w.complete {
			w.floor = w.current()
		}
	case 10:
		return w.trySet("appendfsync", []string{"always", "everysec", "no"}[w.rng.IntN(3)])
	case 11:
		return w.trySet("aof-use-rdb-preamble", []string{"yes", "no"}[w.rng.IntN(2)])
	case 12:
		return w.sweep()
	case 13:
		return w.cleanRestart()
	default:
		for range 1 + w.rng.IntN(3) {
			w.change()
		}
		return w.commit()
	}
	return nil
}

// sweep is what the janitor does.
func (w *world) sweep() error {
	for {
		more, err := w.store.Maintain(w.clock.Now().UnixMilli())
		if err != nil || !more {
			return err
		}
	}
}

// cleanRestart stops the server in order. What a start finds then is known exactly.
func (w *world) cleanRestart() error {
	mode := ShutdownMode{Save: w.rng.IntN(2) == 0}
	w.note()
	w.m.mu.Lock()
	starting := w.m.queue.startLog
	w.m.mu.Unlock()
	if starting {
		return nil // it would be refused
	}
	if mode.Save {
		if w.saving >= 0 { // that save may still succeed
			w.saved[w.saving] = true
		}
		w.saving = w.current()
	}
	if err := w.m.PrepareShutdown(mode); err != nil {
		return err
	}
	w.note()
	if mode.Save {
		w.saved, w.saving = map[int]bool{w.current(): true}, -1
	}
	if w.complete {
		w.floor = w.current() // Close syncs
	}
	w.next()
	if !w.start() {
		return vfs.ErrCrashed
	}
	return nil
}

// next turns to the start that follows.
func (w *world) next() {
	w.allowed = w.survivors()
	w.addRemade(w.stale)
	w.keepArgs()
	if w.saving >= 0 {
		w.saved[w.saving] = true
	}
	w.saving = -1
}

// keepArgs is CONFIG REWRITE.
func (w *world) keepArgs() {
	v := w.cfg.Values()
	yes := map[bool]string{true: "yes", false: "no"}
	w.args = []string{"--dir", "/", "--save", "", "--appendonly", yes[v.AppendOnly], "--appendfsync", v.AppendFsync,
		"--aof-use-rdb-preamble", yes[v.AOFUseRDBPreamble]}
}

// live runs until the world stops or the steps are done.
func (w *world) live(steps int) {
	w.t.Helper()
	for range steps {
		if err := w.step(); err != nil && !w.mem.Crashed() {
			w.t.Fatalf("%v\n%s", err, w.describe())
		}
		if w.mem.Crashed() {
			return
		}
	}
}

// crash cuts the power and starts again on what is left, where the world stops at call n.
func (w *world) crash(n int64) bool {
	w.t.Helper()
	if w.started {
		w.note()
		w.next()
	}
	mem := w.mem.Crash(w.rng)
	w.end()
	w.mem, w.faulty = mem, vfs.NewFaulty(mem)
	w.disk = newDisk(w.faulty, w.clock)
	w.mem.CrashAt(n)
	return w.start()
}

const (
	lifeSteps = 25
	lives     = 3
)

// history lives several lives on one disk; the first ends at call n, the others at some call or
// without one. It returns the number of calls of the first.
func history(t testing.TB, seed uint64, n int64, args ...string) (calls int64) {
	w := newWorld(t, seed, args...)
	w.mem.CrashAt(n)
	if w.start() {
		w.live(lifeSteps)
	}
	calls = w.mem.Calls()
	for range lives - 1 {
		if w.crash(w.rng.Int64N(60)) {
			w.live(lifeSteps)
		}
	}
	if !w.crash(0) {
		t.Fatal("the last start has not come to its end")
	}
	return calls
}

func TestCrashAtEveryCall(t *testing.T) {
	seed := randtest.Seed(t)
	for _, args := range [][]string{
		{"--appendonly", "no"},
		{"--appendonly", "yes", "--appendfsync", "always"},
		{"--appendonly", "yes", "--appendfsync", "everysec"},
		{"--appendonly", "yes", "--appendfsync", "no"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			calls := history(t, seed, 0, args...)
			for n := int64(1); n <= calls; n++ {
				t.Run(strconv.FormatInt(n, 10), func(t *testing.T) { history(t, seed, n, args...) })
			}
		})
	}
}

// Jobs run beside the commands, so a seed does not tell all of what happens: other seeds, other
// calls.
func TestCrashAtRandom(t *testing.T) {
	seed := randtest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	for i := range uint64(200) {
		args := []string{"--appendonly", []string{"yes", "no"}[rng.IntN(2)], "--appendfsync", []string{"always", "everysec", "no"}[rng.IntN(3)],
			"--aof-use-rdb-preamble", []string{"yes", "no"}[rng.IntN(2)], "--aof-timestamp-enabled", []string{"yes", "no"}[rng.IntN(2)]}
		t.Run(strconv.FormatUint(i, 10), func(t *testing.T) { history(t, seed+i, 1+rng.Int64N(150), args...) })
	}
}
