package engine

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/persistence/aof"
	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/protocol"
)

// logged reads the commands of the log's incremental file: one a line, words
// separated by blanks.
func logged(t *testing.T, r *rig, fs vfs.FS) string {
	t.Helper()
	if err := r.manager.Log().Sync(); err != nil {
		t.Fatal(err)
	}
	v := r.cfg.Values()
	dir := filepath.Join(v.Dir, v.AppendDirname)
	manifest, err := aof.ReadManifest(fs, dir, v.AppendFilename)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range manifest.Incremental {
		f, err := fs.OpenFile(filepath.Join(dir, file.Name), os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		var parser protocol.Parser
		limits := protocol.Limits{MaxBulk: 16 << 20, Authenticated: true}
		for len(all) > 0 {
			words, size, err := parser.Next(all, &limits)
			if err != nil || words == nil {
				t.Fatalf("the log ends in %.200q: %v", all, err)
			}
			lines = append(lines, string(bytes.Join(words, []byte(" "))))
			all = all[size:]
		}
	}
	return strings.Join(lines, "\n")
}

func TestEffects(t *testing.T) {
	for _, x := range []struct{ name, requests, want string }{
		{"as sent", "set k v\nSeT k w", "SELECT 0\nset k v\nSeT k w"},
		{"reads", "get k\nsize\nset k v\nget k", "SELECT 0\nset k v"},
		{"databases", "set k v\nselect 3\nset k v\nget k\nselect 0\nselect 3\nset k w", "SELECT 0\nset k v\nSELECT 3\nset k v\nset k w"},
		{"errors", "set k v\nincr k\nset k\nhalf", "SELECT 0\nset k v"},
		{"several", "dice k 2", "SELECT 0\nMULTI\nSET k 0\nSET k 1\nEXEC"},
		{"one by itself", "dice k 1", "SELECT 0\nSET k 0"},
		{"none", "dice k 0", ""},
		{"forced", "flush", "SELECT 0\nflush"},
		{"transaction", "multi\nset a 1\nget a\nincr b\ndice c 2\nexec",
			"SELECT 0\nMULTI\nset a 1\nincr b\nSET c 0\nSET c 1\nEXEC"},
		{"transaction of one", "multi\nset a 1\nget a\nexec", "SELECT 0\nset a 1"},
		{"transaction of none", "multi\nget a\nexec", ""},
		{"transaction with databases", "multi\nset a 1\nselect 2\nset a 1\nexec\nset b 1",
			"SELECT 0\nMULTI\nset a 1\nSELECT 2\nset a 1\nEXEC\nset b 1"},
		{"transaction with an error", "set s x\nmulti\nincr s\nset a 1\nexec", "SELECT 0\nset s x\nset a 1"},
		{"discarded", "multi\nset a 1\ndiscard", ""},
		{"watched", "watch a\nset a 1\nmulti\nset a 2\nexec", "SELECT 0\nset a 1"},
		{"expired", "set k 1 PX -1\nincr k", "SELECT 0\nset k 1 PX -1\nMULTI\nDEL k\nincr k\nEXEC"},
		{"expired in a transaction", "multi\nset k 1 PX -1\nincr k\nset k 2\nexec",
			"SELECT 0\nMULTI\nset k 1 PX -1\nDEL k\nincr k\nset k 2\nEXEC"},
		{"expired, but nothing changed", "set k 1 PX -1\nset s x\nlookat k s", "SELECT 0\nset k 1 PX -1\nset s x\nDEL k"},
	} {
		t.Run(x.name, func(t *testing.T) {
			fs := vfs.NewMem()
			r := newRigOn(t, fs)
			r.connect().do(x.requests)
			if got := logged(t, r, fs); got != x.want {
				t.Errorf("the log has\n%s\nwant\n%s", got, x.want)
			}
		})
	}
}

// TestJanitorIsLogged: what the store removes by itself is in the log too.
func TestJanitorIsLogged(t *testing.T) {
	fs := vfs.NewMem()
	r := newRigOn(t, fs)
	c := r.connect()
	c.expect("set a 1 PX 10\nset b 1\nselect 1\nset c 1 PX 10", "+OK +OK +OK +OK")
	for more := true; more; {
		var err error
		if more, err = r.kernel.Store.Maintain(r.now.Load() + 5000); err != nil {
			t.Fatal(err)
		}
	}
	got := logged(t, r, fs)
	const head = "SELECT 0\nset a 1 PX 10\nset b 1\nSELECT 1\nset c 1 PX 10\n"
	if got != head+"SELECT 0\nDEL a\nSELECT 1\nDEL c" && got != head+"DEL c\nSELECT 0\nDEL a" {
		t.Errorf("the log has\n%s", got)
	}
}

// TestChanges: what a batch has changed is counted at its end, and before any
// command that may look.
func TestChanges(t *testing.T) {
	r := newRigOn(t, vfs.NewMem())
	c := r.connect()
	expect := func(want int64) {
		t.Helper()
		if got := r.manager.Status().Dirty; got != want {
			t.Errorf("%d changes are counted, want %d", got, want)
		}
	}
	c.expect("set a 1\nincr b\nget a", "+OK :1 $1 1")
	expect(2)
	c.expect("set a 1\nset b 1\nchanges", "+OK +OK :4")
	c.expect("multi\nset a 1\nchanges\nexec", "+OK +QUEUED +QUEUED *2 +OK :5")
	c.expect("flush", "+OK")
	expect(7)
}

func TestChangedTurns(t *testing.T) {
	r := newRigOn(t, vfs.NewMem())
	c := r.connect()
	for _, x := range []struct {
		requests string
		want     bool
	}{
		{"get a", false}, {"get a\nset a 1\nget a", true}, {"size", false}, {"multi\nset a 1", false}, {"exec", true},
	} {
		c.do(x.requests)
		if c.Changed() != x.want {
			t.Errorf("%q: Changed is %v", x.requests, c.Changed())
		}
	}
}
