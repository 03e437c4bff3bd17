package interop

import (
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// form is one of the ways in which data outlive a process.
type form struct {
	name    string
	rewrite string // a command before the kill
	params  []string
}

// inEachForm runs a test for log and snapshot.
func inEachForm(t *testing.T, run func(t *testing.T, f form)) {
	t.Helper()
	for _, f := range []form{
		{"log", "PING", []string{"appendonly yes", "appendfsync always"}},
		{"rewritten log", "BGREWRITEAOF", []string{"appendonly yes", "appendfsync always"}},
		{"commands", "BGREWRITEAOF", []string{"appendonly yes", "appendfsync always", "aof-use-rdb-preamble no"}},
		{"snapshot", "SAVE", nil},
	} {
		t.Run(f.name, func(t *testing.T) { run(t, f) })
	}
}

// logs reports whether what comes behind the rewrite is found again.
func (f form) logs() bool { return f.rewrite != "SAVE" }

// write has the server write the data in this form.
func (f form) write(c *harness.Conn) {
	if f.rewrite == "BGREWRITEAOF" {
		c.BackgroundWork(f.rewrite)
	} else {
		c.Do(f.rewrite)
	}
}
