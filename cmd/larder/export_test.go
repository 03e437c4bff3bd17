package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An export replaces a file, also one behind a link, and nothing that is none.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", link); err != nil {
		t.Fatal(err)
	}
	write := func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	}
	if err := replaceFile(link, write); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); string(b) != "new" || err != nil {
		t.Errorf("the file has %q, %v", b, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if err := replaceFile(dir, write); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a folder: %v", err)
	}
	device := filepath.Join(dir, "device")
	if err := os.Symlink(os.DevNull, device); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(device, write); err != nil {
		t.Error(err)
	}
	if to, err := os.Readlink(device); to != os.DevNull || err != nil {
		t.Errorf("what led to a device leads to %q, %v", to, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.part")); len(left) != 0 || err != nil {
		t.Errorf("left: %q, %v", left, err)
	}
}
