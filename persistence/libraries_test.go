package persistence

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
)

// libraries are sources that nobody runs. One that says bad is refused.
type libraries struct{ sources []string }

// LoadSource implements Libraries.
func (l *libraries) LoadSource(source string) error {
	if source == "bad" {
		return errors.New("it says so")
	}
	l.sources = append(l.sources, source)
	return nil
}

// Sources implements Libraries.
func (l *libraries) Sources() []string { return slices.Clone(l.sources) }

// libraryRig is a rig with libraries.
func libraryRig(t *testing.T, args ...string) *rig {
	t.Helper()
	r := rigOn(t, vfs.NewMem(), newClock(), args...)
	r.libs = &libraries{}
	must(t, r.open())
	return r
}

func (r *rig) wantLibraries(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.libs.sources, want) {
		r.t.Fatalf("the libraries are %q, want %q", r.libs.sources, want)
	}
}

// What is saved is what there was at the cut, however late it is written.
func TestSaveHoldsLibrariesOfTheCut(t *testing.T) {
	for _, args := range [][]string{nil, {"--appendonly", "yes"}, {"--appendonly", "yes", "--aof-use-rdb-preamble", "no"}} {
		r := libraryRig(t, args...)
		r.libs.sources = []string{"one", "two\r\n"}
		r.do(0, "SET", "k", "v")
		r.disk.stall()
		begin := func() error {
			_, err := r.background(false)
			return err
		}
		if args != nil {
			begin = func() error {
				_, err := r.m.Rewrite()
				return err
			}
		}
		must(t, begin())
		<-r.disk.held
		r.libs.sources = []string{"three"}
		r.disk.release()
		r.wait()
		must(t, r.restart())
		r.wantLibraries("one", "two\r\n")
		r.holds(model{"0 k": {text: "v"}})
	}
}

// The final save has them, too.
func TestFinalSaveHoldsLibraries(t *testing.T) {
	r := libraryRig(t)
	r.libs.sources = []string{"one"}
	must(t, r.m.PrepareShutdown(ShutdownMode{Save: true}))
	must(t, r.restart())
	r.wantLibraries("one")
}

// A library that cannot be loaded stops the start, and so does any on a server without libraries.
func TestLibraryIsRefused(t *testing.T) {
	r := libraryRig(t)
	r.libs.sources = []string{"bad"}
	must(t, r.bgsave())
	if err := r.restart(); err == nil || !strings.Contains(err.Error(), dumpFile+": a library of functions cannot be loaded: it says so (offset ") {
		t.Error(err)
	}
	r.libs = nil
	if err := r.restart(); err == nil || !strings.Contains(err.Error(), "function beside the keys is not supported") {
		t.Error(err)
	}
}
