package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Python runs a script of this repository, named from its root, with the Python that has the tests'
// client libraries, and returns what it printed. A script that fails, fails the test.
func Python(t testing.TB, script string, args ...string) string {
	t.Helper()
	root := RepoRoot(t)
	python := filepath.Join(root, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("%s is missing: make tools", python)
	}
	cmd := exec.CommandContext(t.Context(), python, append([]string{filepath.Join(root, script)}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		"PYTHONWARNINGS=ignore::DeprecationWarning") // SETEX and HMSET are called deprecated; they are used on purpose
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
