package interop

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// folders are data folders that a server left: with a snapshot, and with a log of a base and an
// incremental file.
type folders struct{ snapshot, log string }

const (
	baseName     = "appendonlydir/appendonly.aof.1.base.rdb"
	incrName     = "appendonlydir/appendonly.aof.1.incr.aof"
	manifestName = "appendonlydir/appendonly.aof.manifest"
)

func makeFolders(t *testing.T) folders {
	t.Helper()
	work := func(s *harness.Server) {
		c := s.Dial(t)
		for _, name := range []string{"a", "b", "c"} {
			c.MustOK("SET", "key:"+name, strings.Repeat(name, 30))
			c.Do("HSET", "hash:"+name, "f", "v")
		}
	}
	s := harness.StartSubject(t)
	work(s)
	s.Dial(t).MustOK("SAVE")
	s.Kill(t)
	l := harness.StartSubject(t, "appendonly yes")
	work(l)
	if code := l.Terminate(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return folders{s.Dir, l.Dir}
}

// change rewrites a file of the folder.
func change(name string, edit func(content []byte) []byte) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, edit(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func replace(name, with string) func(t *testing.T, dir string) {
	return change(name, func([]byte) []byte { return []byte(with) })
}

func cutEnd(name string, n int) func(t *testing.T, dir string) {
	return change(name, func(content []byte) []byte { return content[:len(content)-n] })
}

// spoil overwrites the byte at a place given as a share of the length, in per cent.
func spoil(name string, percent int, with byte) func(t *testing.T, dir string) {
	return change(name, func(content []byte) []byte {
		content[len(content)*percent/100] = with
		return content
	})
}

// spoilCommand makes a command in the middle of the log begin with another byte.
func spoilCommand(t *testing.T, dir string) {
	t.Helper()
	change(incrName, func(content []byte) []byte {
		at := bytes.LastIndex(content[:len(content)*2/3], []byte("\r\n*"))
		if at < 0 {
			t.Fatalf("no command in %q", content)
		}
		content[at+2] = '!'
		return content
	})(t, dir)
}

// asFolder puts a folder where a file should be: it can be opened, and not read, by anybody.
func asFolder(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// asLoop puts a link to itself where a file should be: what not even root can open.
func asLoop(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Base(path), path); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusesFiles(t *testing.T) {
	made := makeFolders(t)
	for _, test := range []struct {
		name   string
		log    bool
		damage func(t *testing.T, dir string)
		params []string
		says   []string // larder's words
	}{
		{"snapshot of another kind", false, replace("dump.rdb", "PK\x03\x04 this is no snapshot at all"), nil, []string{"dump.rdb"}},
		{"empty snapshot", false, replace("dump.rdb", ""), nil, []string{"dump.rdb"}},
		{"snapshot of a few bytes", false, replace("dump.rdb", "REDI"), nil, []string{"dump.rdb"}},
		{"snapshot of a later version", false, replace("dump.rdb", "REDIS9999\xff\x00\x00\x00\x00\x00\x00\x00\x00"), nil, []string{"dump.rdb", "9999"}},
		{"snapshot without its end", false, cutEnd("dump.rdb", 20), nil, []string{"dump.rdb"}},
		{"snapshot with a wrong checksum", false, cutAndAppend("dump.rdb", 8, "12345678"), nil, []string{"dump.rdb", "checksum"}},
		{"snapshot with a spoilt middle", false, spoil("dump.rdb", 60, 0xbf), nil, []string{"dump.rdb"}},
		{"snapshot that is a folder", false, asFolder("dump.rdb"), nil, []string{"dump.rdb"}},
		{"snapshot that cannot be opened", false, asLoop("dump.rdb"), nil, []string{"dump.rdb"}},

		{"base of another kind", true, replace(baseName, "GIF89a, not a base file"), nil, []string{".base.rdb"}},
		{"base without its end", true, cutEnd(baseName, 12), nil, []string{".base.rdb"}},
		{"missing base", true, remove(baseName), nil, []string{".base.rdb"}},
		{"base that is a folder", true, asFolder(baseName), nil, []string{".base.rdb"}},
		{"incremental file of another kind", true, replace(incrName, "GIF89a, not a log\r\n"), nil, []string{".incr.aof"}},
		{"missing incremental file", true, remove(incrName), nil, []string{".incr.aof"}},
		{"incremental file that cannot be opened", true, asLoop(incrName), nil, []string{".incr.aof"}},
		{"incremental file with a spoilt middle", true, spoilCommand, nil, []string{".incr.aof", "larder check aof"}},
		{
			"incremental file without its end, when it must be whole", true, cutEnd(incrName, 5), []string{"aof-load-truncated no"},
			[]string{".incr.aof", "larder check aof"},
		},
		{
			"unknown command in the log", true, replace(incrName, "*1\r\n$6\r\nNOSUCH\r\n"), nil, []string{".incr.aof", "NOSUCH"},
		},
		{"empty manifest", true, replace(manifestName, ""), nil, []string{".manifest"}},
		{"manifest of another kind", true, replace(manifestName, "this is no manifest\n"), nil, []string{".manifest"}},
		{"manifest with a wrong type", true, replace(manifestName, "file appendonly.aof.1.base.rdb seq 1 type x\n"), nil, []string{".manifest"}},
		{"manifest that leaves the folder", true, replace(manifestName, "file ../dump.rdb seq 1 type b\n"), nil, []string{".manifest"}},
		{
			"manifest naming a missing file", true,
			replace(manifestName, "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.7.incr.aof seq 7 type i\n"), nil,
			[]string{"appendonly.aof.7.incr.aof"},
		},
		{"manifest that is a folder", true, asFolder(manifestName), nil, []string{".manifest"}},
		{"a file where the log's folder should be", false, makeFile("appendonlydir"), []string{"appendonly yes"}, []string{"appendonlydir"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "manifest that is a folder" && !harness.SubjectIsLarder() {
				return // Redis takes it for an empty manifest, and writes a new one
			}
			dir := harness.CopyFolder(t, made.snapshot)
			params := append([]string{"dir " + dir}, test.params...)
			if test.log {
				dir = harness.CopyFolder(t, made.log)
				params = append([]string{"appendonly yes", "dir " + dir}, test.params...)
			}
			test.damage(t, dir)
			before := harness.FolderState(t, dir)
			said := harness.Refusal(t, params...)
			if after := harness.FolderState(t, dir); !maps.Equal(before, after) {
				t.Errorf("the folder was touched:\n  before %v\n  after  %v", before, after)
			}
			if !harness.SubjectIsLarder() {
				return
			}
			for _, word := range test.says {
				if !strings.Contains(said, word) {
					t.Errorf("does not say %q: %s", word, said)
				}
			}
		})
	}
}

func cutAndAppend(name string, n int, tail string) func(t *testing.T, dir string) {
	return change(name, func(content []byte) []byte { return append(content[:len(content)-n], tail...) })
}

func makeFile(name string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("a file\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefusesFolders: a folder in which nothing can be written, and one that is not there.
func TestRefusesFolders(t *testing.T) {
	for _, dir := range []string{"/proc/self/task", filepath.Join(t.TempDir(), "missing")} {
		if said := harness.Refusal(t, "appendonly yes", "dir "+dir); harness.SubjectIsLarder() && !strings.Contains(said, dir) {
			t.Errorf("does not say %s: %s", dir, said)
		}
	}
}

// TestTornTailIsCut: with aof-load-truncated yes, the default, the whole commands are loaded and
// the rest is cut off the last file; a transaction that is not complete goes as a whole.
func TestTornTailIsCut(t *testing.T) {
	made := makeFolders(t)
	whole, err := os.ReadFile(filepath.Join(made.log, incrName))
	if err != nil {
		t.Fatal(err)
	}
	for _, tail := range []string{
		"*", "*3\r\n", "*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$9\r\nabc", "*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$3\r\nabc\r",
		"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$1\r\nv\r\n",
	} {
		dir := harness.CopyFolder(t, made.log)
		change(incrName, func(content []byte) []byte { return append(content, tail...) })(t, dir)
		s := harness.StartSubject(t, "appendonly yes", "dir "+dir)
		c := s.Dial(t)
		if r := c.Do("DBSIZE"); r.Raw != ":6\r\n" {
			t.Errorf("%q: DBSIZE: %v", tail, r)
		}
		content, err := os.ReadFile(filepath.Join(dir, incrName))
		if err != nil || !bytes.Equal(content, whole) {
			t.Errorf("%q: %d bytes are left of %d, %v", tail, len(content), len(whole), err)
		}
		c.MustOK("SET", "after", "v")
		s.Kill(t)
		if r := s.Restart(t).Dial(t).Do("DBSIZE"); r.Raw != ":7\r\n" {
			t.Errorf("%q: DBSIZE after one more restart: %v", tail, r)
		}
	}
}

// TestUnknownTypes: files of Redis with types that larder does not have are refused with the key's
// name and type, and with rdb-skip-unknown-types yes the rest is loaded.
func TestUnknownTypes(t *testing.T) {
	redis := harness.StartRedis(t, "appendonly yes")
	fill(t, redis, []call{
		{0, []string{"SET", "text", "v"}},
		{0, []string{"RPUSH", "the:list", "a", "b", "c"}},
		{0, []string{"ZADD", "the:zset", "1.5", "a", "2", "b"}},
		{0, []string{"XADD", "the:stream", "1-1", "f", "v"}},
		{3, []string{"HSET", "hash", "f", "v"}},
		{3, []string{"XADD", "expires", "1-1", "f", "v"}},
		{3, []string{"PEXPIREAT", "expires", "4102444800000"}},
		{3, []string{"SADD", "set", "1", "2"}},
	})
	for range 500 {
		fill(t, redis, []call{{5, []string{"XADD", "long", "*", "f", strings.Repeat("value ", 100)}}})
	}
	fill(t, redis, []call{{5, []string{"GEOADD", "geo", "13.3", "38.1", "Palermo"}}, {5, []string{"PFADD", "hll", "a", "b"}}})
	c := redis.Dial(t)
	c.MustOK("SAVE")
	c.BackgroundWork("BGREWRITEAOF")
	want := map[harness.Key]harness.Value{}
	for _, k := range []harness.Key{
		{DB: 0, Name: "text"}, {DB: 0, Name: "the:list"}, {DB: 0, Name: "the:zset"}, {DB: 3, Name: "hash"}, {DB: 3, Name: "set"},
		{DB: 5, Name: "geo"}, {DB: 5, Name: "hll"},
	} {
		want[k] = harness.Value{}
	}
	redis.Kill(t)
	if !harness.SubjectIsLarder() {
		return // it has these types
	}
	for _, params := range [][]string{nil, {"appendonly yes"}} {
		dir := harness.CopyFolder(t, redis.Dir)
		before := harness.FolderState(t, dir)
		said := harness.Refusal(t, append(params, "dir "+dir)...)
		named := false
		for _, name := range []string{"the:stream", "expires", "long"} {
			named = named || strings.Contains(said, name) && strings.Contains(said, "stream")
		}
		if !named || !strings.Contains(said, "rdb-skip-unknown-types") {
			t.Errorf("should name a key, its type, and the parameter that leaves it out: %s", said)
		}
		if after := harness.FolderState(t, dir); !maps.Equal(before, after) {
			t.Errorf("the folder was touched:\n  before %v\n  after  %v", before, after)
		}
		s := harness.StartSubject(t, append(params, "rdb-skip-unknown-types yes", "dir "+dir)...)
		got := harness.Contents(t, s)
		for k := range want {
			if _, ok := got[k]; !ok {
				t.Errorf("%v is missing", k)
			}
		}
		if len(got) != len(want) {
			t.Errorf("loaded: %v", got)
		}
		if log := s.Log(); !strings.Contains(log, "count=3") || !strings.Contains(log, "replaces the file") {
			t.Errorf("the log should tell that 3 keys were left out, and will be lost:\n%s", log)
		}
	}
}

// TestUnknownCommandsInTheLog: a log of Redis with commands that larder does not have is refused,
// not replayed in part.
func TestUnknownCommandsInTheLog(t *testing.T) {
	redis := harness.StartRedis(t, "appendonly yes")
	fill(t, redis, []call{{0, []string{"SET", "text", "v"}}, {0, []string{"XADD", "the:stream", "1-1", "f", "v"}}, {0, []string{"SET", "more", "v"}}})
	redis.Kill(t)
	if !harness.SubjectIsLarder() {
		return
	}
	before := harness.FolderState(t, redis.Dir)
	if said := harness.Refusal(t, "appendonly yes", "dir "+redis.Dir); !strings.Contains(strings.ToUpper(said), "XADD") {
		t.Errorf("should name the command: %s", said)
	}
	if after := harness.FolderState(t, redis.Dir); !maps.Equal(before, after) {
		t.Errorf("the folder was touched:\n  before %v\n  after  %v", before, after)
	}
}

// TestTwoServersOnOneFolder: the second one refuses to start, and the first one is not disturbed.
// After a kill the folder is free again. Redis has no such lock.
func TestTwoServersOnOneFolder(t *testing.T) {
	if !harness.SubjectIsLarder() {
		return
	}
	for _, params := range [][]string{{"appendonly yes"}, {"save 3600 1"}} {
		s := harness.StartSubject(t, params...)
		c := s.Dial(t)
		c.MustOK("SET", "k", "v")
		c.MustOK("SAVE")
		before := harness.FolderState(t, s.Dir)
		for _, second := range [][]string{{"appendonly yes"}, {"save 3600 1"}, params} {
			if said := harness.Refusal(t, append(second, "dir "+s.Dir)...); !strings.Contains(said, s.Dir) {
				t.Errorf("does not say %s: %s", s.Dir, said)
			}
		}
		if after := harness.FolderState(t, s.Dir); !maps.Equal(before, after) {
			t.Errorf("the folder was touched:\n  before %v\n  after  %v", before, after)
		}
		c.MustOK("SET", "k", "v2")
		c.MustOK("SAVE")
		s.Kill(t)
		if r := s.Restart(t).Dial(t).Do("GET", "k"); r.Text != "v2" {
			t.Errorf("after the kill: %v", r)
		}
	}
}
