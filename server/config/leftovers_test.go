package config

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRemoveLeftovers: what a kill has left of ReplaceFile goes, and nothing else; a link is followed.
func TestRemoveLeftovers(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "users.acl")
	stay := []string{"users.acl", "users.acl..tmp", "users.acl.12", "users.acl.old.tmp", "users.acl.1.tmp.2",
		"other.acl.3.tmp"}
	for _, name := range append([]string{"users.acl.123456.tmp", "users.acl.0.tmp"}, stay...) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceFile(link, "text", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RemoveLeftovers(link); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	slices.Sort(stay)
	if !slices.Equal(left, stay) {
		t.Errorf("left are %q, want %q", left, stay)
	}
}
