package vfs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// outcomes lets prepare work on a new file system, crashes it often, and counts what describe says
// of what is left.
func outcomes(t *testing.T, prepare func(m *Mem), describe func(m *Mem) string) map[string]int {
	t.Helper()
	rng := randtest.New(t)
	seen := map[string]int{}
	for range 2000 {
		m := NewMem()
		prepare(m)
		seen[describe(m.Crash(rng))]++
	}
	return seen
}

// wantOutcomes fails unless exactly these outcomes were seen.
func wantOutcomes(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("after a crash: %q\nwant: %q", got, want)
	}
}

// state names the files of the root and their content, shortened.
func state(t *testing.T) func(m *Mem) string {
	return func(m *Mem) string {
		var parts []string
		var visit func(dir string)
		visit = func(dir string) {
			list, err := m.ReadDir(dir)
			must(t, err)
			for _, e := range list {
				path := dir + e.Name()
				if e.IsDir() {
					visit(path + "/")
					continue
				}
				s, _ := content(t, m, path)
				parts = append(parts, path+"="+strings.ReplaceAll(s, "\x00", "0"))
			}
		}
		visit("/")
		return strings.Join(parts, " ")
	}
}

// putSynced makes a file and its name durable.
func putSynced(t *testing.T, m *Mem, name, content string) {
	t.Helper()
	f := open(t, m, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	mustWrite(t, f, content)
	must(t, f.Sync())
	must(t, f.Close())
	must(t, m.SyncDir(name[:strings.LastIndexByte(name, '/')+1]))
}

func TestSyncedSurvives(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) { putSynced(t, m, "/a", "A") }, state(t)), "/a=A")
}

func TestNameNeedsSyncDir(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		f := open(t, m, "/a", os.O_WRONLY|os.O_CREATE)
		mustWrite(t, f, "A")
		must(t, f.Sync())
	}, state(t)), "", "/a=A")
}

func TestContentNeedsSync(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		put(t, m, "/a", "A")
		must(t, m.SyncDir("/"))
	}, state(t)), "/a=", "/a=0", "/a=A")
}

func TestFolderNeedsSyncOfBoth(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		must(t, m.Mkdir("/d", 0o755))
		putSynced(t, m, "/d/a", "A")
		must(t, m.SyncDir("/"))
	}, state(t)), "/d/a=A")
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		must(t, m.Mkdir("/d", 0o755))
		putSynced(t, m, "/d/a", "A")
	}, state(t)), "", "/d/a=A")
}

func TestRenameHappensOrNot(t *testing.T) {
	replace := func(m *Mem) {
		putSynced(t, m, "/a", "old")
		putSynced(t, m, "/tmp", "new")
		must(t, m.Rename("/tmp", "/a"))
	}
	wantOutcomes(t, outcomes(t, replace, state(t)), "/a=new", "/a=old /tmp=new")
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		replace(m)
		must(t, m.SyncDir("/"))
	}, state(t)), "/a=new")
}

func TestRenameOfUnsyncedFileTears(t *testing.T) {
	seen := outcomes(t, func(m *Mem) {
		putSynced(t, m, "/a", "old")
		put(t, m, "/tmp", "new")
		must(t, m.Rename("/tmp", "/a"))
		must(t, m.SyncDir("/"))
	}, state(t))
	wantOutcomes(t, seen, "/a=", "/a=000", "/a=new")
}

func TestMoveBetweenFoldersNeverLoses(t *testing.T) {
	move := func(m *Mem) {
		must(t, m.Mkdir("/d", 0o755))
		must(t, m.SyncDir("/"))
		putSynced(t, m, "/a", "A")
		must(t, m.Rename("/a", "/d/a"))
	}
	wantOutcomes(t, outcomes(t, move, state(t)), "/a=A", "/d/a=A", "/a=A /d/a=A")
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		move(m)
		must(t, m.SyncDir("/d"))
	}, state(t)), "/d/a=A", "/a=A /d/a=A")
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		move(m)
		must(t, m.SyncDir("/"))
	}, state(t)), "/d/a=A")
}

func TestRemovedMayReturn(t *testing.T) {
	remove := func(m *Mem) {
		putSynced(t, m, "/a", "A")
		must(t, m.Remove("/a"))
	}
	wantOutcomes(t, outcomes(t, remove, state(t)), "", "/a=A")
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		remove(m)
		must(t, m.SyncDir("/"))
	}, state(t)), "")
}

// TestNamesKeepTheirOrder: of changes to one name a crash leaves a beginning.
func TestNamesKeepTheirOrder(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		for _, s := range []string{"1", "2", "3"} {
			f := open(t, m, "/tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
			mustWrite(t, f, s)
			must(t, f.Sync())
			must(t, m.Rename("/tmp", "/a"))
		}
	}, state(t)), "", "/tmp=1", "/a=1", "/a=1 /tmp=2", "/a=2", "/a=2 /tmp=3", "/a=3")
}

func TestSectorsAreIndependent(t *testing.T) {
	old, fresh := strings.Repeat("o", 3*sectorSize), strings.Repeat("n", 4*sectorSize)
	seen := outcomes(t, func(m *Mem) {
		putSynced(t, m, "/a", old)
		f := open(t, m, "/a", os.O_WRONLY)
		mustWrite(t, f, fresh)
	}, func(m *Mem) string {
		s, _ := content(t, m, "/a")
		if len(s) != len(old) && len(s) != len(fresh) {
			t.Fatalf("length %d", len(s))
		}
		shape := ""
		for sector := range slices.Chunk([]byte(s), sectorSize) {
			if strings.Trim(string(sector), string(sector[0])) != "" {
				t.Fatalf("a sector is torn: %q", sector)
			}
			shape += string(sector[0])
		}
		return strings.ReplaceAll(shape, "\x00", "0")
	})
	var want []string
	for i := range 8 {
		shape := []byte("ooo")
		for bit := range 3 {
			if i>>bit&1 == 1 {
				shape[bit] = 'n'
			}
		}
		want = append(want, string(shape), string(shape)+"n", string(shape)+"0")
	}
	wantOutcomes(t, seen, want...)
}

// TestTruncationIsPending: a shortened file may come back longer, with what was there between.
func TestTruncationIsPending(t *testing.T) {
	wantOutcomes(t, outcomes(t, func(m *Mem) {
		putSynced(t, m, "/a", "12")
		f := open(t, m, "/a", os.O_WRONLY|os.O_APPEND)
		must(t, f.Truncate(1))
		mustWrite(t, f, "345")
		must(t, f.Truncate(2))
	}, state(t)), "/a=12", "/a=1", "/a=1345", "/a=13", "/a=1000", "/a=1200", "/a=1300", "/a=10")
}

func TestFailedSyncLosesForGood(t *testing.T) {
	lose := func(m *Mem, again bool) {
		putSynced(t, m, "/a", "A")
		faulty := NewFaulty(m)
		f := open(t, faulty, "/a", os.O_WRONLY|os.O_APPEND)
		mustWrite(t, f, "B")
		faulty.Fail(OpSync, 0, 1, os.ErrDeadlineExceeded)
		if err := f.Sync(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Sync: %v", err)
		}
		wantContent(t, m, "/a", "AB")
		if again {
			must(t, f.Truncate(1))
			mustWrite(t, f, "B")
		}
		must(t, f.Sync())
	}
	losing := NewMem()
	lost := false
	for range 100 {
		lose(losing, false)
		s, _ := content(t, losing.Crash(randtest.New(t)), "/a")
		lost = lost || s != "AB"
		losing.crashed = false
	}
	if !lost {
		t.Error("a second sync always saves what a failed one has lost")
	}
	wantOutcomes(t, outcomes(t, func(m *Mem) { lose(m, true) }, state(t)), "/a=AB")
}

func TestCrashAtStopsTheWorld(t *testing.T) {
	script := func(m *Mem) error {
		f, err := m.OpenFile("/a", os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write([]byte("A"))
		return errors.Join(err, f.Truncate(0), f.Sync(), m.Mkdir("/d", 0o755), m.Rename("/a", "/b"), m.Remove("/d"), m.SyncDir("/"))
	}
	m := NewMem()
	must(t, script(m))
	const calls = 8
	if m.Calls() != calls {
		t.Fatalf("%d calls were counted, want %d", m.Calls(), calls)
	}
	for n := range int64(calls) {
		m := NewMem()
		m.CrashAt(n + 1)
		if err := script(m); !errors.Is(err, ErrCrashed) {
			t.Fatalf("crash at call %d: %v", n+1, err)
		}
		_, statErr := m.Stat("/")
		_, lockErr := m.Lock("/")
		if !m.Crashed() || !errors.Is(statErr, ErrCrashed) || !errors.Is(lockErr, ErrCrashed) {
			t.Fatalf("the world goes on: %v, %v", statErr, lockErr)
		}
		after := m.Crash(randtest.New(t))
		if after.Calls() != 0 || after.Crashed() {
			t.Fatal("the next world is not new")
		}
		must(t, after.SyncDir("/"))
	}
}

// TestCrashAnywhere checks the model's promises over random work: what was synced is there, sector
// by sector unless it was written again, and a name that was synced is.
func TestCrashAnywhere(t *testing.T) {
	rng := randtest.New(t)
	for range 300 {
		m := NewMem()
		synced, named := map[string]string{}, map[string]bool{}
		for step := range rng.IntN(40) {
			name := fmt.Sprintf("/%c", 'a'+rng.IntN(3))
			switch rng.IntN(3) {
			case 0:
				f := open(t, m, name, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
				mustWrite(t, f, strings.Repeat(string(rune('A'+step%26)), rng.IntN(900)))
				must(t, f.Close())
			case 1:
				f := open(t, m, name, os.O_RDWR|os.O_CREATE)
				must(t, f.Sync())
				must(t, f.Close())
				synced[name], _ = content(t, m, name)
			default:
				must(t, m.SyncDir("/"))
				list, err := m.ReadDir("/")
				must(t, err)
				for _, e := range list {
					named["/"+e.Name()] = true
				}
			}
		}
		after := m.Crash(rng)
		for name := range named {
			if s, ok := content(t, after, name); !ok || !strings.HasPrefix(s, synced[name]) {
				t.Fatalf("%s: exists %v, holds %q, synced was %q", name, ok, s, synced[name])
			}
		}
	}
}
