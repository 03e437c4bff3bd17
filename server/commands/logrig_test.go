package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/scripting"
	"github.com/larderkv/larder/store"
)

// logRig is a kernel with all commands and a log.
type logRig struct {
	t       testing.TB
	fs      vfs.FS
	cfg     *config.Config
	store   *store.Store
	manager *persistence.Manager
	kernel  *engine.Kernel
	now     atomic.Int64 // unix ms
}

func newLogRig(t testing.TB, policy string) *logRig {
	t.Helper()
	return newLogRigOn(t, vfs.NewMem(), policy)
}

func newLogRigOn(t testing.TB, fs vfs.FS, policy string) *logRig {
	t.Helper()
	r := &logRig{t: t, fs: fs}
	r.now.Store(1_700_000_000_000)
	clock := func() time.Time { return time.UnixMilli(r.now.Load()) }
	var err error
	if r.store, err = store.Open(store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	flags := []string{"--dir", "/", "--save", "", "--appendonly", "yes", "--appendfsync", policy}
	if r.cfg, err = config.Load("", flags); err != nil {
		t.Fatal(err)
	}
	silent := slog.New(slog.DiscardHandler)
	r.manager, err = persistence.New(persistence.Options{
		Store: r.store, FS: r.fs, Config: r.cfg, Log: silent, Clock: clock, Memory: r.store.Memory,
		Replay: func() func([]aof.Command) error { return r.kernel.NewReplayer().Replay },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.manager.Close(); err != nil {
			t.Error(err)
		}
	})
	scripts := scripting.New(r.cfg, silent)
	table, err := engine.NewTable(All(scripts))
	if err != nil {
		t.Fatal(err)
	}
	r.kernel, err = engine.NewKernel(engine.Options{
		Store: r.store, Persist: r.manager, Config: r.cfg, Table: table, Scripts: scripts.Stats, Log: silent, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *logRig) connect() netloop.Session {
	session, refused := r.kernel.Connect(testConn{})
	if session == nil {
		r.t.Fatalf("refused: %q", refused)
	}
	return session
}

// client is a session of the rig.
func (r *logRig) client() *testClient {
	c := &testClient{t: r.t, kernel: r.kernel, session: r.connect()}
	r.t.Cleanup(func() { c.session.Closed(netloop.ClientClosed) })
	return c
}

// readLog passes the commands of the log to fn.
func (r *logRig) readLog(fn func(batch []aof.Command) error) {
	r.t.Helper()
	if err := r.manager.Log().Sync(); err != nil {
		r.t.Fatal(err)
	}
	v := r.cfg.Values()
	dir := filepath.Join(v.Dir, v.AppendDirname)
	manifest, err := aof.ReadManifest(r.fs, dir, v.AppendFilename)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, file := range manifest.Incremental {
		f, err := r.fs.OpenFile(filepath.Join(dir, file.Name), os.O_RDONLY, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		all, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			r.t.Fatal(err)
		}
		if _, err := aof.ReadCommands(bytes.NewReader(all), int64(len(all)), aof.ReadOptions{}, fn); err != nil {
			r.t.Fatal(err)
		}
	}
}

// contents describes all keys that have not expired.
func contents(st *store.Store, now int64) map[string]string {
	all := make(map[string]string)
	for db := range st.Databases() {
		for cursor := uint64(0); ; {
			cursor = st.Scan(db, cursor, 1000, now, func(e *store.Entry, name []byte) {
				v := e.Content()
				all[fmt.Sprintf("%d %q", db, name)] = fmt.Sprintf("%s expires at %d: %s", v.Type(), e.ExpireAt(), describe(&v, now))
			})
			if cursor == 0 {
				break
			}
		}
	}
	return all
}

func describe(v *store.Value, now int64) string {
	if v.Type() == store.TypeString {
		return strconv.Quote(string(v.Text()))
	}
	var items []string
	if v.Integers() {
		v.EachInteger(func(n int64) bool {
			items = append(items, fmt.Sprintf("%q=%q until 0", strconv.FormatInt(n, 10), ""))
			return true
		})
	} else {
		v.EachDated(func(item, value []byte, expire int64) bool {
			if expire == 0 || expire > now {
				items = append(items, fmt.Sprintf("%q=%q until %d", item, value, expire))
			}
			return true
		})
	}
	if v.Type() != store.TypeList {
		slices.Sort(items)
	}
	return strings.Join(items, " ")
}
