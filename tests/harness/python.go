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
	return runProgram(t, installed(t, ".venv", "bin", "python"), []string{
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		"PYTHONWARNINGS=ignore::DeprecationWarning", // SETEX and HMSET are called deprecated; they are used on purpose
	}, script, args)
}

// PythonTool is the path of a program that is among the tests' packages of Python.
func PythonTool(t testing.TB, name string) string {
	t.Helper()
	return installed(t, ".venv", "bin", name)
}

// installed is the path of what `make tools` has put into the repository.
func installed(t testing.TB, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{RepoRoot(t)}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing: make tools", path)
	}
	return path
}

// runProgram has an interpreter run a program of the repository, with more in its environment.
func runProgram(t testing.TB, interpreter string, env []string, program string, args []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), interpreter,
		append([]string{filepath.Join(RepoRoot(t), program)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}
