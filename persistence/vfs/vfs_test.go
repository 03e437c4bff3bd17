package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// all has each file system with a folder to work in.
func all(t *testing.T) map[string]struct {
	fs  FS
	dir string
} {
	type place = struct {
		fs  FS
		dir string
	}
	return map[string]place{
		"os":         {OS(), t.TempDir()},
		"mem":        {NewMem(), "/"},
		"faulty":     {NewFaulty(NewMem()), "/"},
		"faulty(os)": {NewFaulty(OS()), t.TempDir()},
	}
}

func TestReadAndWrite(t *testing.T) {
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(p.dir, "a")
			f := open(t, p.fs, path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
			mustWrite(t, f, "hello world")
			must(t, f.StartSync(0, 11))
			must(t, f.Sync())
			must(t, f.Truncate(5))
			if off, err := f.Seek(-3, io.SeekEnd); off != 2 || err != nil {
				t.Fatalf("Seek = %d, %v", off, err)
			}
			mustWrite(t, f, "LLO!")
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(f); string(b) != "heLLO!" || err != nil {
				t.Fatalf("read %q, %v", b, err)
			}
			var b [4]byte
			if n, err := f.ReadAt(b[:], 3); string(b[:n]) != "LO!" || err != io.EOF {
				t.Fatalf("ReadAt = %q, %v", b[:n], err)
			}
			info, err := f.Stat()
			if err != nil || info.Size() != 6 || info.IsDir() {
				t.Fatalf("Stat = %v, %v", info, err)
			}
			must(t, f.Close())
			if _, err := f.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
				t.Fatalf("Write after Close: %v", err)
			}
			must(t, p.fs.SyncDir(p.dir))

			f = open(t, p.fs, path, os.O_WRONLY|os.O_APPEND)
			mustWrite(t, f, "\n")
			if _, err := f.Read(b[:]); err == nil {
				t.Fatal("read from a file opened for writing")
			}
			must(t, f.Close())
			wantContent(t, p.fs, path, "heLLO!\n")
			f = open(t, p.fs, path, os.O_RDONLY)
			if _, err := f.Write(b[:]); !errors.Is(err, syscall.EBADF) {
				t.Fatalf("write to a file opened for reading: %v", err)
			}
			must(t, f.Close())
		})
	}
}

func TestNames(t *testing.T) {
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			at := func(name string) string { return filepath.Join(p.dir, name) }
			put(t, p.fs, at("a"), "A")
			must(t, p.fs.Mkdir(at("d"), 0o755))
			put(t, p.fs, at("d/b"), "B")
			for what, err := range map[string]error{
				"mkdir of a file":       is(p.fs.Mkdir(at("a"), 0o755), fs.ErrExist),
				"mkdir without parent":  is(p.fs.Mkdir(at("x/y"), 0o755), fs.ErrNotExist),
				"remove of nothing":     is(p.fs.Remove(at("x")), fs.ErrNotExist),
				"remove of full folder": is(p.fs.Remove(at("d")), syscall.ENOTEMPTY),
				"rename of nothing":     is(p.fs.Rename(at("x"), at("y")), fs.ErrNotExist),
				"file onto folder":      is(p.fs.Rename(at("a"), at("d")), fs.ErrExist),
				"folder onto file":      is(p.fs.Rename(at("d"), at("a")), syscall.ENOTDIR),
				"open of nothing":       is(second(p.fs.OpenFile(at("x"), os.O_RDWR, 0)), fs.ErrNotExist),
				"open below a file":     is(second(p.fs.OpenFile(at("a/x"), os.O_RDWR|os.O_CREATE, 0o644)), syscall.ENOTDIR),
				"exclusive open":        is(second(p.fs.OpenFile(at("a"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)), fs.ErrExist),
				"writing to a folder":   is(second(p.fs.OpenFile(at("d"), os.O_RDWR, 0)), syscall.EISDIR),
				"stat of nothing":       is(second(p.fs.Stat(at("x"))), fs.ErrNotExist),
				"list of a file":        is(second(p.fs.ReadDir(at("a"))), syscall.ENOTDIR),
				"sync of no folder":     is(p.fs.SyncDir(at("x")), fs.ErrNotExist),
			} {
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			must(t, p.fs.Rename(at("a"), at("d/b")))
			wantContent(t, p.fs, at("d/b"), "A")
			must(t, p.fs.Rename(at("d"), at("e")))
			must(t, p.fs.SyncDir(at("e")))
			wantContent(t, p.fs, at("e/b"), "A")
			list, err := p.fs.ReadDir(p.dir)
			if err != nil || len(list) != 1 || list[0].Name() != "e" || !list[0].IsDir() {
				t.Fatalf("ReadDir = %v, %v", list, err)
			}
			must(t, p.fs.Remove(at("e/b")))
			must(t, p.fs.Remove(at("e")))
		})
	}
}

func TestLockExcludes(t *testing.T) {
	for name, p := range all(t) {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{p.dir, filepath.Join(p.dir, "lock")} {
				held, err := p.fs.Lock(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.fs.Lock(path); !errors.Is(err, ErrLocked) {
					t.Fatalf("second lock: %v", err)
				}
				must(t, held.Close())
				if held, err = p.fs.Lock(path); err != nil {
					t.Fatalf("lock after release: %v", err)
				}
				must(t, held.Close())
			}
		})
	}
}

// TestMemIsAFileSystem compares Mem with the real one over random calls.
func TestMemIsAFileSystem(t *testing.T) {
	rng := randtest.New(t)
	mem, dir := NewMem(), t.TempDir()
	must(t, mem.Mkdir("/sub", 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	names := []string{"a", "b", "sub/a", "sub/b", "sub"}
	both := func(call func(fsys FS, at func(string) string) string) {
		t.Helper()
		got := call(mem, func(s string) string { return "/" + s })
		want := call(OS(), func(s string) string { return filepath.Join(dir, s) })
		if got != want {
			t.Fatalf("mem says %s, the system %s", got, want)
		}
	}
	for range 3000 {
		x, y := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
		flag := []int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_TRUNC,
			os.O_RDWR | os.O_APPEND, os.O_RDWR | os.O_CREATE | os.O_EXCL}[rng.IntN(6)]
		op, off, size := rng.IntN(5), rng.Int64N(2000), rng.IntN(1500)
		both(func(fsys FS, at func(string) string) string {
			switch op {
			case 0:
				return fmt.Sprintf("rename %s %s: %v", x, y, fsys.Rename(at(x), at(y)) == nil)
			case 1:
				return fmt.Sprintf("remove %s: %v", x, x == "sub" || fsys.Remove(at(x)) == nil)
			}
			f, err := fsys.OpenFile(at(x), flag, 0o644)
			if err != nil {
				return fmt.Sprintf("open %s %x: fails", x, flag)
			}
			defer func() { must(t, f.Close()) }()
			said := fmt.Sprintf("open %s %x:", x, flag)
			if flag&os.O_APPEND == 0 && x != "sub" {
				n, err := f.Seek(off, io.SeekStart)
				said += fmt.Sprint(" seek ", n, err == nil)
			}
			n, err := f.Write(make([]byte, size))
			said += fmt.Sprint(" write ", n, err == nil)
			if op == 4 {
				said += fmt.Sprint(" truncate ", f.Truncate(off/2) == nil)
			}
			b := make([]byte, 1000)
			n, err = f.Read(b)
			said += fmt.Sprintf(" read %d %v %x", n, err == nil, b[:n])
			return said
		})
	}
}

func is(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return fmt.Errorf("%v, want %v", err, want)
}

func second[T any](_ T, err error) error { return err }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fsys FS, name string, flag int) File {
	t.Helper()
	f, err := fsys.OpenFile(name, flag, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustWrite(t testing.TB, f File, s string) {
	t.Helper()
	if n, err := f.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", s, n, err)
	}
}

// put creates or replaces a file, unsynced.
func put(t testing.TB, fsys FS, name, content string) {
	t.Helper()
	f := open(t, fsys, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	mustWrite(t, f, content)
	must(t, f.Close())
}

// content reads a whole file; ok is false if it does not exist.
func content(t testing.TB, fsys FS, name string) (s string, ok bool) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	must(t, err)
	defer func() { must(t, f.Close()) }()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b), true
}

func wantContent(t testing.TB, fsys FS, name, want string) {
	t.Helper()
	if got, ok := content(t, fsys, name); !ok || got != want {
		t.Fatalf("%s holds %q (exists: %v), want %q", name, got, ok, want)
	}
}
