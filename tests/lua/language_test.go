package lua

import (
	"os"
	"strings"
	"testing"
)

// TestLanguage compares the scripts of testdata/language.lua, which lines of dashes separate. Each is
// the body of a function.
func TestLanguage(t *testing.T) {
	d := newDuel(t)
	for _, script := range scripts(t) {
		d.compare(script, shown(script+"\n"))
	}
}

func scripts(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/language.lua")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n--------\n")
}
