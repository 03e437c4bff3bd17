package aof

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
)

// checkFolder is a log of a base and two incremental files.
func checkFolder(t *testing.T, base, first, second string) *vfs.Mem {
	mem := vfs.NewMem()
	for name, text := range map[string]string{"l.manifest": "file l.1.base.rdb seq 1 type b\nfile l.1.incr.aof seq 1 type i\nfile l.2.incr.aof seq 2 type i\n",
		"l.1.base.rdb": base, "l.1.incr.aof": first, "l.2.incr.aof": second} {
		must(t, writeFile(mem, "/"+name, []byte(text)))
	}
	return mem
}

const fakeRDB = "REDIS-four"

var errBadRDB = errors.New("bad rdb")

// checkRDB takes what begins with fakeRDB for an RDB file.
func checkRDB(r io.Reader, _ int64) (int64, error) {
	text, err := io.ReadAll(r)
	if err == nil && !strings.HasPrefix(string(text), fakeRDB) {
		err = errBadRDB
	}
	return int64(len(fakeRDB)), err
}

func TestCheckGood(t *testing.T) {
	set, del := command("set", "a", "1"), command("DEL", "a")
	mem := checkFolder(t, fakeRDB+set, set+command("MULTI")+del+command("EXEC"), set+del)
	var last, total int64
	rep, err := Check(mem, "/l.manifest", CheckOptions{RDB: checkRDB, Progress: func(read, all int64) {
		if read < last {
			t.Errorf("progress goes back from %d to %d", last, read)
		}
		last, total = read, all
	}})
	must(t, err)
	if !rep.MultiPart || len(rep.Files) != 3 || rep.Counts["SET"] != 3 || rep.Counts["DEL"] != 2 {
		t.Fatalf("%+v", rep)
	}
	if last != total || total == 0 {
		t.Errorf("progress ends at %d of %d", last, total)
	}
	want := []FileReport{
		{Name: "l.1.base.rdb", Kind: BaseFile, RDB: true, Size: int64(len(fakeRDB + set)), Valid: int64(len(fakeRDB + set)), Lines: 8, Commands: 1},
		{Name: "l.1.incr.aof", Kind: IncrementalFile, Size: 84, Valid: 84, Lines: 8 + 3 + 5 + 3, Commands: 4},
		{Name: "l.2.incr.aof", Kind: IncrementalFile, Size: 49, Valid: 49, Lines: 8 + 5, Commands: 2},
	}
	for i := range want {
		want[i].Size, want[i].Valid = rep.Files[i].Size, rep.Files[i].Size
		if rep.Files[i] != want[i] {
			t.Errorf("%+v, want %+v", rep.Files[i], want[i])
		}
	}
	rep, err = Check(mem, "/l.2.incr.aof", CheckOptions{})
	if err != nil || rep.MultiPart || len(rep.Files) != 1 || rep.Files[0].Kind != SingleFile {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func TestCheckBad(t *testing.T) {
	set := command("set", "a", "1")
	for name, tc := range map[string]struct {
		base, first, second string
		fix                 bool
		want                error  // besides: a *CorruptError or *TornError in the report
		left                string // of the last file
	}{
		"torn":                  {second: set + "*3\r\n", want: &TornError{}, left: set + "*3\r\n"},
		"torn, fixed":           {second: set + "*3\r\n", fix: true, left: set},
		"corrupt, fixed":        {second: set + "xxx" + set, fix: true, left: set},
		"transaction, fixed":    {second: set + command("MULTI") + set, fix: true, left: set},
		"torn in the middle":    {first: set + "*3\r\n", second: set, fix: true, want: ErrNotLast, left: set},
		"torn before an empty":  {first: set + "*3\r\n", fix: true},
		"corrupt in the middle": {first: "x", second: set, want: &CorruptError{}, left: set},
		"torn base":             {base: fakeRDB + "*", second: set, fix: true, want: ErrNotLast, left: set},
		"torn base, empty next": {base: "*3\r\n", fix: true, want: ErrNotLast, left: ""},
		"base of Valkey's":      {base: "VALKEY080", second: set, fix: true, want: errBadRDB, left: set},
	} {
		t.Run(name, func(t *testing.T) {
			mem := checkFolder(t, tc.base, tc.first, tc.second)
			rep, err := Check(mem, "/l.manifest", CheckOptions{RDB: checkRDB, Fix: tc.fix})
			switch want := tc.want.(type) {
			case nil:
				must(t, err)
				if !rep.Files[len(rep.Files)-1].Cut && tc.second != "" {
					t.Errorf("it was not cut: %+v", rep)
				}
				if _, err := Check(mem, "/l.manifest", CheckOptions{RDB: checkRDB}); err != nil {
					t.Errorf("after the repair: %v", err)
				}
			case *TornError:
				if !errors.As(err, &want) {
					t.Errorf("%v", err)
				}
			case *CorruptError:
				if !errors.As(err, &want) {
					t.Errorf("%v", err)
				}
			default:
				if !errors.Is(err, tc.want) {
					t.Errorf("%v, want %v", err, tc.want)
				}
			}
			f := newFixtureFiles(t, mem)
			f.wantFile("l.2.incr.aof", tc.left)
		})
	}
}

func newFixtureFiles(t *testing.T, fsys vfs.FS) *fixture { return &fixture{t: t, fs: fsys, dir: "/"} }

func TestCheckAsksBeforeItCuts(t *testing.T) {
	torn := command("set", "a", "1") + "*3\r\n"
	mem := checkFolder(t, "", "", torn)
	_, err := Check(mem, "/l.manifest", CheckOptions{Fix: true, Confirm: func(file string, size, valid int64) bool {
		if file != "l.2.incr.aof" || size != int64(len(torn)) || valid != size-4 {
			t.Errorf("asked about %s, %d, %d", file, size, valid)
		}
		return false
	}})
	if !errors.Is(err, ErrNotConfirmed) {
		t.Errorf("%v", err)
	}
	newFixtureFiles(t, mem).wantFile("l.2.incr.aof", torn)
}

func TestTruncateToTimestamp(t *testing.T) {
	set := command("set", "a", "1")
	old, late := "#TS:100\r\n"+set, "#TS:200\r\n"+set
	for name, tc := range map[string]struct {
		first, second string
		want          error
		left          string
	}{
		"cut":                {first: old, second: old + late + late, left: old},
		"nothing to cut":     {first: old, second: old, left: old},
		"not the last":       {first: old + late, second: late, want: ErrNotLast, left: late},
		"nothing before":     {first: old, second: late, want: ErrNothingBefore, left: late},
		"in a transaction":   {second: old + command("MULTI") + set + late + command("EXEC"), left: old},
		"torn, not repaired": {second: old + "*", want: &TornError{}, left: old + "*"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := checkFolder(t, "", tc.first, tc.second)
			_, err := Check(mem, "/l.manifest", CheckOptions{TruncateTo: 150})
			if torn := (*TornError)(nil); errors.As(tc.want, &torn) {
				if !errors.As(err, &torn) {
					t.Errorf("%v", err)
				}
			} else if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			newFixtureFiles(t, mem).wantFile("l.2.incr.aof", tc.left)
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	mem := checkFolder(t, "REDIS-bad", "", "")
	if _, err := Check(mem, "/l.manifest", CheckOptions{RDB: checkRDB}); err == nil || !strings.Contains(err.Error(), "l.1.base.rdb: bad rdb") {
		t.Errorf("%v", err)
	}
	must(t, writeFile(mem, "/bad", []byte("file x\n")))
	if _, err := Check(mem, "/bad", CheckOptions{}); !errors.As(err, new(*ManifestError)) {
		t.Errorf("%v", err)
	}
	must(t, mem.Remove("/l.1.incr.aof"))
	if _, err := Check(mem, "/l.manifest", CheckOptions{}); err == nil || !strings.Contains(err.Error(), "l.1.incr.aof") {
		t.Errorf("%v", err)
	}
}
