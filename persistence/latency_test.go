package persistence

import (
	"testing"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
)

// TestLatencyEvents: a disk that takes long to write, to sync and to remove a file is told of, each under
// its own name, and from the threshold on.
func TestLatencyEvents(t *testing.T) {
	r := newRig(t, "--appendonly", "yes", "--appendfsync", "always", "--save", "3600 1")
	r.latency.SetThreshold(50)
	worst := func(event string) int64 {
		e, _ := r.latency.Event(event)
		return e.Worst
	}
	expect := func(what, event string, least int64) {
		t.Helper()
		got := worst(event)
		if got < least || least == 0 && got != 0 {
			t.Errorf("%s: %s is %d ms, want %d", what, event, got, least)
		}
		r.latency.ResetAll()
	}
	const long = 60
	write := func(took time.Duration) {
		t.Helper()
		r.disk.slow(took * time.Millisecond)
		r.do(0, "SET", "key", "value")
		r.disk.slow(0)
	}
	write(20) // to write and to sync
	expect("a fast disk", "aof-fsync-always", 0)
	write(long)
	if n := worst("aof-write"); n != 0 {
		t.Errorf("a write that is synced is called a mere write as well, of %d ms", n)
	}
	expect("always", "aof-fsync-always", long)
	r.set("appendfsync", "no")
	write(40)
	expect("a fast disk", "aof-write", 0)
	write(long)
	expect("no", "aof-write", long)
	r.set("appendonly", "no")

	fail := func(took time.Duration) {
		t.Helper()
		r.faulty.Fail(vfs.OpRename, 0, 1, errDisk)
		r.disk.slow(took * time.Millisecond)
		if err := r.bgsave(); err == nil {
			t.Fatal("the save succeeds")
		}
		r.disk.slow(0)
	}
	fail(40)
	expect("a fast disk", "rdb-unlink-temp-file", 0)
	fail(long)
	expect("a failed save", "rdb-unlink-temp-file", long)
}
