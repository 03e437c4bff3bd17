package persistence

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/persistence/vfs"
)

// logOnDisk has a log written, with a base of two keys and an effect for the third.
func (r *rig) logOnDisk() {
	r.t.Helper()
	r.do(0, "SET", "a", "1")
	r.do(1, "HSET", "b", "f", "v")
	must(r.t, r.rewrite())
	r.do(2, "SADD", "c", "m")
}

var (
	abc = model{"0 a": {text: "1"}, "1 b": {items: map[string]string{"f": "v"}}, "2 c": {items: map[string]string{"m": ""}}}
	ab  = model{"0 a": abc["0 a"], "1 b": abc["1 b"]}
)

func TestLoadNothing(t *testing.T) {
	for _, log := range []string{"no", "yes"} {
		r := rigOn(t, vfs.NewMem(), newClock(), "--appendonly", log)
		must(t, r.begin())
		if r.m.State() != 0 {
			t.Fatal("an empty server loads something")
		}
		must(t, r.m.Load(context.Background()))
		if on := r.m.Log().On(); on != (log == "yes") {
			t.Fatal("log on:", on)
		}
		r.holds(model{})
	}
}

func TestLoadDump(t *testing.T) {
	r := newRig(t)
	r.do(0, "SET", "a", "1")
	r.do(1, "HSET", "b", "f", "v")
	r.do(2, "SET", "gone", "1")
	r.do(2, "PEXPIREAT", "gone", "1800000001000")
	must(t, r.bgsave())
	r.clock.add(time.Second)
	r.end()
	must(t, r.begin())
	if st := r.m.Status(); r.m.State() != Loading || !st.Loading || st.LoadTotal != int64(len(r.read(dumpFile))) {
		t.Fatalf("state %b, %+v", r.m.State(), st)
	}
	r.m.Tick() // nothing is due as yet
	if err := r.m.PrepareShutdown(ShutdownMode{Save: true}); err != nil {
		t.Fatal(err)
	}
	must(t, r.m.Load(context.Background()))
	st := r.m.Status()
	if r.m.State() != 0 || st.Loading || st.LoadDone != st.LoadTotal || st.LoadedKeys != 2 || st.ExpiredKeys != 1 || st.Dirty != 0 || st.LoadMemory <= 0 {
		t.Fatalf("state %b, %+v", r.m.State(), st)
	}
	r.holds(ab)
}

func TestLoadLogAndDump(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	r.logOnDisk()
	must(t, r.bgsave())
	r.end()
	older := rigOn(t, r.mem, r.clock)
	must(t, older.open())
	older.holds(abc)
	older.do(0, "SET", "other", "1")
	must(t, older.bgsave())
	older.end()
	must(t, r.open()) // the log wins
	r.holds(abc)
	if st := r.m.Status(); st.Dirty == 0 {
		t.Fatal("what was replayed counts as changed, as the snapshot file may not have it")
	}
}

// A time to live in the base may have been changed by a command that follows.
func TestLoadDropsNothingOfALog(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	at := func(d time.Duration) string { return strconv.FormatInt(r.clock.Now().Add(d).UnixMilli(), 10) }
	r.do(0, "SET", "k", "v")
	r.do(0, "PEXPIREAT", "k", at(time.Second))
	must(t, r.rewrite())
	late := at(time.Hour)
	r.do(0, "PEXPIREAT", "k", late)
	r.clock.add(time.Minute)
	must(t, r.restart())
	expire, err := strconv.ParseInt(late, 10, 64)
	must(t, err)
	r.holds(model{"0 k": {text: "v", expire: expire}})
}

// Redis would begin an empty log.
func TestLogBeginsWithDump(t *testing.T) {
	r := newRig(t)
	r.do(0, "SET", "a", "1")
	r.do(1, "HSET", "b", "f", "v")
	must(t, r.bgsave())
	must(t, r.restart("--appendonly", "yes"))
	r.holds(ab)
	r.do(2, "SADD", "c", "m")
	r.end()
	must(t, r.mem.Remove(dumpFile))
	must(t, r.open())
	r.holds(abc)
}

func TestOldStyleLog(t *testing.T) {
	r := rigOn(t, vfs.NewMem(), newClock(), "--appendonly", "yes")
	r.write("/appendonly.aof", string(journal.AppendCommand(nil, words([]string{"SET", "a", "1"})...)))
	must(t, r.open())
	r.holds(model{"0 a": {text: "1"}})
	if r.names("/") != "appendonlydir" || !strings.Contains(r.names(logDir), "appendonly.aof ") {
		t.Fatalf("%s; %s", r.names("/"), r.names(logDir))
	}
	r.do(0, "SET", "b", "2")
	must(t, r.restart())
	r.holds(model{"0 a": {text: "1"}, "0 b": {text: "2"}})
}

func TestBadFiles(t *testing.T) {
	const incr = logDir + "/appendonly.aof.2.incr.aof"
	const base = logDir + "/appendonly.aof.2.base.rdb"
	for _, c := range []struct {
		name string
		harm func(r *rig)
		args []string
		is   func(err error) bool
		text string
	}{
		{"missing file", func(r *rig) { must(r.t, r.mem.Remove(incr)) }, nil,
			func(err error) bool { return errors.Is(err, fs.ErrNotExist) }, "appendonly.aof.2.incr.aof"},
		{"corrupt base", func(r *rig) { r.spoil(base, -12) }, nil,
			func(err error) bool { return errors.As(err, new(*rdb.CorruptError)) }, base},
		{"truncated base", func(r *rig) { r.cut(base, 3) }, nil,
			func(err error) bool { return errors.As(err, new(*rdb.CorruptError)) }, base},
		{"a piece of a base of Valkey's", func(r *rig) { r.write(base, "VALKEY080\xfa") }, nil,
			func(err error) bool { return errors.As(err, new(*rdb.CorruptError)) }, "unexpected end of file"},
		{"torn base of commands before an empty file", func(r *rig) { r.write(base, "*1\r\n$4\r\nPI"); r.write(incr, "") }, nil,
			func(err error) bool { return err != nil }, "and other files of the log follow"},
		{"corrupt log", func(r *rig) { r.spoil(incr, 2) }, nil,
			func(err error) bool { return errors.As(err, new(*aof.CorruptError)) }, "appendonly.aof.2.incr.aof"},
		{"bad manifest", func(r *rig) { r.write(manifest, "file x seq 1\n") }, nil,
			func(err error) bool { return errors.As(err, new(*aof.ManifestError)) }, manifest},
		{"truncation forbidden", func(r *rig) { r.cut(incr, 1) }, []string{"--aof-load-truncated", "no"}, nil, "larder check aof --fix " + manifest},
		{"unknown command", func(r *rig) {
			r.write(incr, string(journal.AppendCommand(nil, []byte("NONSENSE"))))
		}, nil, nil, "appendonly.aof.2.incr.aof"},
		{"other files follow the torn one", func(r *rig) {
			must(r.t, r.open())
			must(r.t, r.rewrite())
			r.end()
			r.write(manifest, strings.ReplaceAll(string(r.read(manifest)), "file appendonly.aof.3.incr.aof", "file x.aof seq 2 type i\nfile appendonly.aof.3.incr.aof"))
			whole := string(journal.AppendCommand(nil, words([]string{"SET", "a", "1"})...))
			r.write(logDir+"/x.aof", whole[:len(whole)-3])
			r.write(logDir+"/appendonly.aof.3.incr.aof", whole)
		}, nil, nil, "other files of the log follow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, append([]string{"--appendonly", "yes"}, c.args...)...)
			r.logOnDisk()
			r.end()
			c.harm(r)
			before := r.files()
			err := r.open()
			if err == nil || c.is != nil && !c.is(err) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v", err)
			}
			r.end()
			if after := r.files(); after != before {
				t.Fatalf("files have been touched:\n%s\n%s", before, after)
			}
		})
	}
}

// files is everything that is on the disk.
func (r *rig) files() string {
	var b strings.Builder
	for _, dir := range []string{"/", logDir} {
		list, err := r.mem.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		must(r.t, err)
		for _, e := range list {
			b.WriteString(e.Name() + " ")
			if !e.IsDir() {
				b.Write(r.read(strings.TrimSuffix(dir, "/") + "/" + e.Name()))
			}
		}
	}
	return b.String()
}

// spoil changes a byte, counted from the end if at is negative.
func (r *rig) spoil(name string, at int) {
	b := r.read(name)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x55
	r.write(name, string(b))
}

func (r *rig) cut(name string, n int) {
	b := r.read(name)
	r.write(name, string(b[:len(b)-n]))
}

func TestTruncatedLog(t *testing.T) {
	r := newRig(t, "--appendonly", "yes")
	r.logOnDisk()
	r.end()
	const incr = logDir + "/appendonly.aof.2.incr.aof"
	r.cut(incr, 3)
	must(t, r.open())
	r.holds(ab)
	r.do(2, "SADD", "c", "m")
	must(t, r.restart())
	r.holds(abc)
}

func TestLoadIsCancelled(t *testing.T) {
	for _, log := range []string{"no", "yes"} {
		r := newRig(t, "--appendonly", log)
		r.fill(1000)
		if log == "no" {
			must(t, r.bgsave())
		}
		r.end()
		must(t, r.begin())
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.m.Load(ctx); !errors.Is(err, context.Canceled) || r.m.State() != Loading {
			t.Fatalf("%v, state %b", err, r.m.State())
		}
		must(t, r.restart())
		if r.m.Status().LoadedKeys != 1000 && log == "no" {
			t.Fatalf("%+v", r.m.Status())
		}
	}
}

// The first base of a large dump may take long; it ends with the context, too.
func TestFirstBaseIsCancelled(t *testing.T) {
	r := newRig(t)
	r.fill(10)
	must(t, r.bgsave())
	want := r.contents()
	r.end()
	r.args = append(r.args, "--appendonly", "yes")
	must(t, r.begin())
	r.disk.stall()
	ctx, cancel := context.WithCancel(context.Background())
	loaded := make(chan error)
	go func() { loaded <- r.m.Load(ctx) }()
	<-r.disk.held
	cancel()
	for {
		r.m.mu.Lock()
		aborted := r.m.job.aborted.Load()
		r.m.mu.Unlock()
		if aborted {
			break
		}
	}
	r.disk.release()
	if err := <-loaded; !errors.Is(err, context.Canceled) || r.m.State() != Loading {
		t.Fatalf("%v, state %b", err, r.m.State())
	}
	must(t, r.restart())
	r.holds(want)
}

// A dump whose name is empty is a dump that is not there.
func TestNoDumpName(t *testing.T) {
	r := newRig(t, "--dbfilename", "")
	if err := r.bgsave(); err == nil || r.names("/") != "" {
		t.Fatalf("%v; %s", err, r.names("/"))
	}
}
