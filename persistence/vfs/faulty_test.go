package vfs

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestFullDisk(t *testing.T) {
	faulty := NewFaulty(NewMem())
	f := open(t, faulty, "/a", os.O_WRONLY|os.O_CREATE)
	faulty.SetSpace(5)
	mustWrite(t, f, "abc")
	if n, err := f.Write([]byte("def")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if n, err := f.Write([]byte("f")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write = %d, %v", n, err)
	}
	faulty.SetSpace(-1)
	mustWrite(t, f, "f")
	wantContent(t, faulty, "/a", "abcdef")
}

func TestFailSkipsAndEnds(t *testing.T) {
	faulty := NewFaulty(NewMem())
	f := open(t, faulty, "/a", os.O_WRONLY|os.O_CREATE)
	faulty.Fail(OpWrite, 1, 2, syscall.EIO)
	for i, want := range []error{nil, syscall.EIO, syscall.EIO, nil} {
		if _, err := f.Write([]byte("x")); !errors.Is(err, want) {
			t.Fatalf("write %d: %v, want %v", i, err, want)
		}
	}
	wantContent(t, faulty, "/a", "xx")
	faulty.FailShort(0, 1, 2, syscall.EINTR)
	if n, err := f.Write([]byte("yyy")); n != 2 || !errors.Is(err, syscall.EINTR) {
		t.Fatalf("Write = %d, %v", n, err)
	}
	wantContent(t, faulty, "/a", "xxyy")
}

func TestEveryCallCanFail(t *testing.T) {
	faulty := NewFaulty(NewMem())
	f := open(t, faulty, "/a", os.O_WRONLY|os.O_CREATE)
	must(t, faulty.Mkdir("/full", 0o755))
	calls := map[Op]func() error{
		OpCreate:   func() error { return second(faulty.OpenFile("/b", os.O_WRONLY|os.O_CREATE, 0o644)) },
		OpWrite:    func() error { return second(f.Write([]byte("x"))) },
		OpSync:     f.Sync,
		OpTruncate: func() error { return f.Truncate(1) },
		OpRename:   func() error { return faulty.Rename("/b", "/c") },
		OpRemove:   func() error { return faulty.Remove("/c") },
		OpMkdir:    func() error { return faulty.Mkdir("/d", 0o755) },
		OpSyncDir:  func() error { return faulty.SyncDir("/") },
	}
	for op := range opCount {
		faulty.Fail(op, 0, Forever, syscall.EIO)
		if err := calls[op](); !errors.Is(err, syscall.EIO) {
			t.Errorf("call %d: %v", op, err)
		}
		faulty.Heal()
		must(t, calls[op]())
	}
}

func TestReadOnly(t *testing.T) {
	faulty := NewFaulty(NewMem())
	f := open(t, faulty, "/a", os.O_WRONLY|os.O_CREATE)
	for _, reason := range []error{syscall.EROFS, syscall.EACCES} {
		faulty.SetReadOnly(reason)
		for what, err := range map[string]error{
			"create": second(faulty.OpenFile("/b", os.O_WRONLY|os.O_CREATE, 0o644)),
			"rename": faulty.Rename("/a", "/b"),
			"remove": faulty.Remove("/a"),
			"mkdir":  faulty.Mkdir("/d", 0o755),
		} {
			if !errors.Is(err, reason) {
				t.Errorf("%s: %v, want %v", what, err, reason)
			}
		}
		if _, err := f.Write([]byte("x")); (err == nil) != (reason == syscall.EACCES) {
			t.Errorf("write to an open file under %v: %v", reason, err)
		}
		must(t, second(faulty.OpenFile("/a", os.O_RDONLY, 0)))
	}
	faulty.SetReadOnly(nil)
	must(t, faulty.Remove("/a"))
}
