package lua

import (
	"os"
	"strings"
	"testing"
)

// TestLibrary compares the expressions of testdata/library.txt, a line each. A line that begins with
// "do" is the body of a function.
func TestLibrary(t *testing.T) {
	d := newDuel(t)
	for _, line := range cases(t, "testdata/library.txt") {
		body, isBody := strings.CutPrefix(line, "do ")
		if !isBody {
			body = "return " + line
		}
		d.compare(line, shown(body))
	}
}

// cases reads the lines of a file, without those that are empty or begin with --.
func cases(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line != "" && !strings.HasPrefix(line, "--") {
			all = append(all, line)
		}
	}
	return all
}
