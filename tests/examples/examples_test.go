// Package examples runs the example programs, in Python and in Go, each against a fresh larder, and
// compares what they print with expected/NAME.txt. The two languages print the same.
package examples

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// names are the examples, by their expected output.
func names(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("expected/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no expected outputs: %v", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".txt")
	}
	return files
}

func check(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("expected", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("printed:\n%s\nexpected:\n%s", got, want)
	}
}

func TestPython(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			host, port, err := net.SplitHostPort(harness.Start(t).Addr)
			if err != nil {
				t.Fatal(err)
			}
			check(t, name, harness.Python(t, "tests/examples/python/"+name+".py", host, port))
		})
	}
}

func TestGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "examples")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./golang").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), program, "-addr", harness.Start(t).Addr, name).Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			check(t, name, string(out))
		})
	}
}

// TestEveryProgramIsRun fails when a program has no expected output.
func TestEveryProgramIsRun(t *testing.T) {
	have := map[string]bool{"connect": true, "database": true, "main": true}
	for _, n := range names(t) {
		have[n] = true
	}
	for _, pattern := range []string{"python/*.py", "golang/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if name := strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)); !have[name] {
				t.Errorf("%s has no expected output", f)
			}
		}
	}
}
