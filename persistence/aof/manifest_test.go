package aof

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/persistence/vfs"
	"github.com/larderkv/larder/tests/randtest"
)

func TestParseManifest(t *testing.T) {
	m, err := parseManifest([]byte("# a comment\n\t file \"a \\\"b\\x41.base.rdb\" SEQ 7 type base\r\n" +
		"type h seq 3 file old.aof\nfile 'x.1.incr.aof' seq 1 type i later yes\nfile x.5.incr.aof seq 5x type incr\n"))
	must(t, err)
	if m.Base != (File{"a \"bA.base.rdb", 7}) || len(m.History) != 1 || m.History[0] != (File{"old.aof", 3}) {
		t.Fatalf("%+v", m)
	}
	if got := strings.Join(m.Files(), "|"); got != "a \"bA.base.rdb|x.1.incr.aof|x.5.incr.aof" || m.lastIncremental() != 5 {
		t.Fatalf("%q", got)
	}
	if m, err := parseManifest([]byte("# nothing\n")); err != nil || !m.Empty() {
		t.Fatalf("%+v, %v", m, err)
	}
}

// TestBadManifests has Redis' words; the real server is asked in tests/persistence.
func TestBadManifests(t *testing.T) {
	base := "file a seq 1 type b\n"
	for text, want := range map[string]string{
		"":                                     "Found an empty AOF manifest",
		"\n":                                   badFormat,
		base + "\n":                            badFormat,
		"file a seq 1 type b":                  "The AOF manifest file contains too long line",
		strings.Repeat("x", 1023) + "\n":       badFormat,
		strings.Repeat("x", 1024) + "\n":       "The AOF manifest file contains too long line",
		"file a seq 1 \x00 type b\n":           "The AOF manifest file contains too long line",
		"#" + strings.Repeat("x", 1100) + "\n": badFormat,
		"file a seq 1\n":                       badFormat,
		"file a seq 1 type\n":                  badFormat,
		"file a seq 0 type b\n":                badFormat,
		"file a seq x type b\n":                badFormat,
		"file \"\" seq 1 type b\n":             badFormat,
		"file a seq 1 type \"\"\n":             badFormat,
		"file \"a seq 1 type b\n":              badFormat,
		"name a seq 1 type b\n":                badFormat,
		"file ../a seq 1 type b\n":             "File can't be a path, just a filename",
		"file \"a\\\\b\" seq 1 type b\n":       "File can't be a path, just a filename",
		"file a seq 1 type x\n":                "Unknown AOF file type",
		base + base:                            "Found duplicate base file information",
		"file a seq 2 type i\n" + base + "file b seq 2 type i\n": "Found a non-monotonic sequence number",
		"file a seq -1 type i\n":                                 "Found a non-monotonic sequence number",
	} {
		_, err := parseManifest([]byte(text))
		var bad *ManifestError
		if !errors.As(err, &bad) || bad.Reason != want {
			t.Errorf("%.50q: %v, want %s", text, err, want)
		}
	}
	_, err := parseManifest([]byte(base + "# x\n" + " file  x \n"))
	if err == nil || !strings.Contains(err.Error(), badFormat+" at line 3: 'file  x'") {
		t.Errorf("%v", err)
	}
}

func TestAtoll(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "-": 0, "+7": 7, " \t12ab": 12, "-3": -3, "1-2": 1, "99999999999999999999": 1<<63 - 1, "x1": 0} {
		if got := atoll(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}

func TestManifestRoundTrip(t *testing.T) {
	for _, name := range []string{"appendonly.aof", "my log", "it's", `q"uote`, "new\nline", "ütf", "\x01\x7f\xff", "a\tb"} {
		m := &Manifest{Base: File{name + ".1.base.rdb", 1}, Incremental: []File{{name + ".1.incr.aof", 1}, {name + ".2.incr.aof", 2}},
			History: []File{{name, 1}}}
		got, err := parseManifest(m.append(nil))
		must(t, err)
		if string(got.append(nil)) != string(m.append(nil)) || got.Base != m.Base {
			t.Errorf("%q became %+v", name, got)
		}
	}
	if got := string((&Manifest{Base: File{"a b.1.base.rdb", 1}}).append(nil)); got != "file \"a b.1.base.rdb\" seq 1 type b\n" {
		t.Errorf("%q", got)
	}
}

// TestManifestUnquoted: Redis quotes no apostrophes.
func TestManifestUnquoted(t *testing.T) {
	for _, name := range []string{"it's.aof", "'it's'.aof", "'quoted'.aof"} {
		m, err := parseManifest([]byte("file " + name + ".2.base.rdb seq 2 type b\nfile " + name + ".2.incr.aof seq 2 type i\n"))
		if err != nil || m.Base.Name != name+".2.base.rdb" || len(m.Incremental) != 1 || m.Incremental[0].Name != name+".2.incr.aof" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	for _, line := range []string{`file "it's seq 1 type b`, `file it's"x" seq 1 type b`, "file it's seq 1", "file its seq 1' type b", "file' its seq 1 type b"} {
		if m, err := parseManifest([]byte(line + "\n")); err == nil {
			t.Errorf("%s: %+v", line, m)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("file a.1.base.rdb seq 1 type b\nfile \"a \\x41\" seq 1 type i\n"))
	f.Add([]byte("file it's seq 1 type b\n"))
	f.Add([]byte("# x\nfile 'a' seq -1 type h\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			if !errors.As(err, new(*ManifestError)) {
				t.Fatal(err)
			}
			return
		}
		for _, name := range m.Files() {
			if strings.ContainsAny(name, "/\x00") || name == "" {
				t.Fatalf("a file is named %q", name)
			}
		}
		if m.Empty() && len(m.History) == 0 {
			return
		}
		again, err := parseManifest(m.append(nil))
		if err != nil {
			if longLines(m.append(nil)) {
				return // escapes are longer than what they stand for
			}
			t.Fatalf("what was written cannot be read: %v\n%q", err, m.append(nil))
		}
		if string(again.append(nil)) != string(m.append(nil)) {
			t.Fatalf("%q became %q", m.append(nil), again.append(nil))
		}
	})
}

func longLines(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if len(line) > maxManifestLine {
			return true
		}
	}
	return false
}

func TestFind(t *testing.T) {
	const base, incr = "file log.aof seq 1 type b\n", "file log.aof.1.incr.aof seq 1 type i\n"
	for name, tc := range map[string]struct {
		manifest string // "-": none
		folder   bool   // a file log.aof is in the folder
		single   bool   // and in the server's
		want     string // the files
	}{
		"nothing":             {manifest: "-", want: "none"},
		"single":              {manifest: "-", single: true, want: "/log.aof"},
		"manifest":            {manifest: base + incr, single: true, folder: true, want: "/d/log.aof /d/log.aof.1.incr.aof"},
		"empty manifest":      {manifest: "#\n", single: true, want: "/log.aof"},
		"empty, no single":    {manifest: "#\n", want: ""},
		"interrupted":         {manifest: base, single: true, want: "/log.aof"},
		"not interrupted":     {manifest: base, single: true, folder: true, want: "/d/log.aof"},
		"another base":        {manifest: strings.Replace(base, "log", "other", 1), single: true, want: "/d/other.aof"},
		"more than the base":  {manifest: base + incr, single: true, want: "/d/log.aof /d/log.aof.1.incr.aof"},
		"adopted, but gone":   {manifest: base, want: "/d/log.aof"},
		"manifest, no single": {manifest: base, folder: true, want: "/d/log.aof"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			must(t, mem.Mkdir("/d", 0o755))
			if tc.manifest != "-" {
				must(t, writeFile(mem, "/d/log.aof.manifest", []byte(tc.manifest)))
			}
			if tc.folder {
				must(t, writeFile(mem, "/d/log.aof", nil))
			}
			if tc.single {
				must(t, writeFile(mem, "/log.aof", []byte("text")))
			}
			m, err := Find(mem, "/", "/d", "log.aof")
			if tc.want == "none" {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				return
			}
			must(t, err)
			if got := strings.Join(m.Paths(), " "); got != tc.want {
				t.Fatalf("found %s, want %s", got, tc.want)
			}
		})
	}
}

// TestAdoptAtEveryCall stops the world at each call of the move of a single file into the folder.
func TestAdoptAtEveryCall(t *testing.T) {
	rng := randtest.New(t)
	for n := int64(0); ; n++ {
		mem := vfs.NewMem()
		must(t, writeFile(mem, "/"+testPrefix, []byte("text")))
		must(t, mem.SyncDir("/"))
		mem.CrashAt(mem.Calls() + n)
		m, err := Find(mem, "/", "/d", testPrefix)
		if err == nil {
			err = m.Adopt(mem, testPrefix)
		}
		if n > 0 && err == nil {
			return
		}
		if n == 0 {
			must(t, err)
		}
		for range 20 {
			after := mem.Crash(rng)
			m, err := Find(after, "/", "/d", testPrefix)
			must(t, err)
			must(t, m.Adopt(after, testPrefix))
			if size, err := m.Size(after); err != nil || size != 4 || m.Paths()[0] != filepath.Join("/d", testPrefix) {
				t.Fatalf("call %d: %v of %d bytes, %v", n, m.Paths(), size, err)
			}
			must(t, m.Adopt(after, testPrefix))
			if _, err := after.Stat("/" + testPrefix); !errors.Is(err, fs.ErrNotExist) && n == 0 {
				t.Fatalf("the single file is still there: %v", err)
			}
		}
	}
}

func TestManifestNamesMissingFile(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a.manifest"), []byte("file a.1.base.rdb seq 1 type b\n"), 0o644))
	m, err := ReadManifest(vfs.OS(), dir, "a")
	must(t, err)
	if _, err := m.Size(vfs.OS()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "a.1.base.rdb") {
		t.Errorf("%v", err)
	}
	x := newFixtureOff(vfs.OS(), dir)
	if err := x.Start(m); !errors.Is(err, fs.ErrNotExist) || x.On() {
		t.Errorf("Start: %v", err)
	}
}
