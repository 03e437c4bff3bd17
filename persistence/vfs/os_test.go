package vfs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteAllocatesNothing(t *testing.T) {
	f := open(t, OS(), filepath.Join(t.TempDir(), "a"), os.O_RDWR|os.O_CREATE)
	defer func() { must(t, f.Close()) }()
	b := make([]byte, 100)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := f.Write(b); err != nil {
			t.Error(err)
		}
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkSync is a commit of 100 bytes: fdatasync, and fsync beside it.
func BenchmarkSync(b *testing.B) {
	for name, sync := range map[string]func(f File) error{
		"fdatasync": func(f File) error { return f.Sync() },
		"fsync":     func(f File) error { return f.(osFile).File.Sync() },
	} {
		b.Run(name, func(b *testing.B) {
			f := open(b, OS(), filepath.Join(b.TempDir(), "a"), os.O_RDWR|os.O_CREATE)
			defer func() { must(b, f.Close()) }()
			for range b.N {
				if _, err := f.Write(make([]byte, 100)); err != nil {
					b.Fatal(err)
				}
				must(b, sync(f))
			}
		})
	}
}
