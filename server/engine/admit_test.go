package engine

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/server/netloop"
)

// TestWhileTheLogFails: writes are refused, and PING, where Redis does it.
func TestWhileTheLogFails(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	r := newRigOn(t, fs)
	c, queued := r.connect(), r.connect()
	queued.expect("multi\nset q 1\nget q", "+OK +QUEUED +QUEUED")
	fs.Fail(vfs.OpWrite, 0, vfs.Forever, syscall.ENOSPC)
	c.expect("set k v", "+OK")
	if err := r.manager.Log().Commit(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Commit: %v", err)
	}
	const failing = "MISCONF Errors writing to the AOF file: No space left on device"
	c.expect("get k\nset k w\nget k\nping", "$1 v -"+failing+" $1 v -"+failing)
	c.expect("set k", "-ERR wrong number of arguments for 'set' command")
	c.expect("multi\nget k\nset k w\nexec", "+OK +QUEUED -"+failing+" -"+string(ErrExecAbort))
	c.expect("multi\nget k\nexec", "+OK +QUEUED *1 $1 v")
	queued.expect("exec", "-EXECABORT Transaction discarded because of: "+failing)
	r.configure("maxmemory", "1")
	c.expect("set k w", "-"+string(ErrOOM))
	r.configure("maxmemory", "0")
	r.configure("requirepass", "secret")
	r.connect().expect("set k w", "-"+string(ErrNoAuth))

	fs.Heal()
	if err := r.manager.Log().Sync(); err != nil {
		t.Fatal(err)
	}
	c.expect("set k w\nping", "+OK +ping")
}

// TestWhileSavesFail is the same for snapshots, which come first.
func TestWhileSavesFail(t *testing.T) {
	fs := vfs.NewFaulty(vfs.NewMem())
	r := newRigOn(t, fs, "--save", "3600", "1")
	c := r.connect()
	c.expect("set k v", "+OK")
	save := func() (ok bool) {
		t.Helper()
		r.kernel.Store.LockAll()
		_, err := r.manager.BackgroundSaveLocked(false)
		r.kernel.Store.UnlockAll()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for r.manager.Status().SaveRunning {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatal("the save does not end")
			}
		}
		return r.manager.Status().LastSaveOK
	}
	fs.Fail(vfs.OpRename, 0, vfs.Forever, syscall.EIO)
	if save() {
		t.Fatal("the save did not fail")
	}
	c.expect("set k w\nget k\nping", "-"+string(ErrSaveFailing)+" $1 v -"+string(ErrSaveFailing))
	fs.Heal()
	if !save() {
		t.Fatal("the save failed again")
	}
	c.expect("set k w\nping", "+OK +ping")
}

func TestWhileLoading(t *testing.T) {
	fs := vfs.NewMem()
	first := newRigOn(t, fs)
	first.connect().expect("set k v", "+OK")
	if err := first.manager.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRigOn(t, fs)
	c := r.connect()
	c.expect("nope", "-ERR unknown command 'nope', with args beginning with: ")
	c.expect("get", "-ERR wrong number of arguments for 'get' command")
	c.expect("get k\nset k w\nping\nselect 0", "-"+string(ErrLoading)+" -"+string(ErrLoading)+" -"+string(ErrLoading)+" +OK")
	c.expect("multi\nget k\nexec", "+OK -"+string(ErrLoading)+" -"+string(ErrExecAbort))
	c.expect("multi\nselect 0\nexec", "+OK +QUEUED *1 +OK")
	c.do("multi")
	c.txn.lacks = Loading // as if a command had been queued before the loading began
	c.expect("exec", "-EXECABORT Transaction discarded because of: "+string(ErrLoading))
	if err := r.manager.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.expect("get k", "$1 v")
}

// TestAfterTheLastSnapshot: writes are neither executed nor answered.
func TestAfterTheLastSnapshot(t *testing.T) {
	r := newRigOn(t, vfs.NewMem(), "--appendonly", "no")
	c, queued := r.connect(), r.connect()
	c.expect("set k v", "+OK")
	queued.expect("multi\nget k\nset k w", "+OK +QUEUED +QUEUED")
	if err := r.manager.PrepareShutdown(persistence.ShutdownMode{Save: true}); err != nil {
		t.Fatal(err)
	}
	c.expect("get k\nset k w\nget k", "$1 v")
	if c.next != netloop.CloseAfterFlush {
		t.Errorf("then %d", c.next)
	}
	queued.expect("exec", "")
	if queued.next != netloop.CloseAfterFlush {
		t.Errorf("then %d", queued.next)
	}
	r.connect().expect("get k\nmulti\nget k\nexec", "$1 v +OK +QUEUED *1 $1 v")
}
