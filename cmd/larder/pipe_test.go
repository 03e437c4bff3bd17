//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDataThatIsNoFile: neither a folder nor a pipe, whose opening would wait for ever, is loaded.
func TestDataThatIsNoFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := make(filepath.Join(dir, "dump.rdb")); err != nil {
				t.Fatal(err)
			}
			p := start(t, "", "serve", "--port", "0", "--bind", "127.0.0.1", "--dir", dir)
			_, code := p.end()
			text := p.stderr.String()
			if code != 1 || strings.Count(text, "\n") != 1 || !strings.Contains(text, "dump.rdb is not a file") {
				t.Errorf("exit code %d, standard error:\n%s", code, text)
			}
		})
	}
}
