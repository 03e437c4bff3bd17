package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// What redis.conf and aclfiles have in common: they are replaced as a whole, and what the system
// says of them is told in C's words.

// ReplaceFile puts content in the place of a file, or of the file that a link leads to, so that,
// whatever happens, either the old or the new one is there.
func ReplaceFile(name, content string, mode fs.FileMode) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	folder := filepath.Dir(name)
	f, err := os.CreateTemp(folder, filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(folder)
}

// RemoveLeftovers removes what a ReplaceFile that was killed has left beside a file. Another server that is
// replacing the same file in this moment gets an error, and may try again.
func RemoveLeftovers(name string) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	for _, e := range entries {
		random, ours := strings.CutPrefix(e.Name(), filepath.Base(name)+".")
		random, temporary := strings.CutSuffix(random, ".tmp")
		if ours && temporary && random != "" && strings.Trim(random, "0123456789") == "" {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(name), e.Name())))
		}
	}
	return err
}

// syncFolder makes a rename durable.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// SystemText is the system's text for an error as C's strerror has it, or else the error's own.
func SystemText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
