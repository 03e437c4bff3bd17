package interop

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hdt3213/rdb/model"
	"github.com/hdt3213/rdb/parser"

	"github.com/larderkv/larder/tests/harness"
	"github.com/larderkv/larder/tests/randtest"
)

// forms are the settings that change what an RDB file looks like, or what is in memory before it is
// written.
var forms = []struct {
	name   string
	params []string
}{
	{"defaults", nil},
	{"plain", []string{"rdbcompression no", "rdbchecksum no"}},
	{"everything small", []string{
		"hash-max-listpack-entries 4000", "hash-max-listpack-value 100000", "set-max-intset-entries 4000",
		"list-max-listpack-size -5", "zset-max-listpack-entries 4000", "zset-max-listpack-value 100000",
	}},
	{"everything big", []string{
		"hash-max-listpack-entries 0", "set-max-intset-entries 0",
		"list-max-listpack-size 3", "list-compress-depth 1", "zset-max-listpack-entries 0",
	}},
	{"LFU", []string{"maxmemory 10gb", "maxmemory-policy allkeys-lfu"}},
}

// TestSnapshotTravels: what one server saves, the other one loads, key by key.
func TestSnapshotTravels(t *testing.T) {
	seed := randtest.Seed(t)
	for _, d := range directions {
		for i, form := range forms {
			if d.name == "to itself" && i > 0 {
				continue
			}
			t.Run(d.name+"/"+form.name, func(t *testing.T) {
				set := newDataset(rand.New(rand.NewPCG(seed, 0)), form.params == nil)
				from := d.from(t, form.params...)
				fill(t, from, set.calls)
				c := from.Dial(t)
				c.MustOK("SAVE")
				checkRDB(t, from)
				want := settled(t, from)
				dir := harness.CopyFolder(t, from.Dir)
				to := d.to(t, "dir "+dir)
				harness.SameContents(t, "loaded after the short-lived keys' time", want, harness.Contents(t, to))

				// A file that another server wrote is loaded, changed and saved again; keys that do
				// not expire meanwhile.
				back := to.Dial(t)
				back.MustOK("SET", "changed", "1")
				back.BackgroundWork("BGSAVE")
				checkRDB(t, to)
				harness.SameContents(t, "saved once more", harness.Contents(t, to), harness.Contents(t, d.from(t, append(form.params, "dir "+harness.CopyFolder(t, dir))...)))
			})
		}
	}
}

// TestExpiredKeysAreNotLoaded: keys that a file holds alive are dropped when their time has come
// before it is loaded, and the others keep the millisecond they had.
func TestExpiredKeysAreNotLoaded(t *testing.T) {
	for _, d := range directions {
		t.Run(d.name, func(t *testing.T) {
			from := d.from(t)
			fill(t, from, []call{
				{0, []string{"SET", "short", "v", "PX", "400"}},
				{0, []string{"SET", "long", "v", "PXAT", strconv.Itoa(farFuture + 123)}},
				{0, []string{"SET", "ever", "v"}},
			})
			from.Dial(t).MustOK("SAVE")
			content, err := os.ReadFile(filepath.Join(from.Dir, "dump.rdb"))
			if err != nil || !bytes.Contains(content, []byte("short")) {
				t.Fatalf("the file should still hold the key that is about to expire: %v", err)
			}
			want := settled(t, from)
			to := d.to(t, "dir "+harness.CopyFolder(t, from.Dir))
			c := to.Dial(t)
			if r := c.Do("DBSIZE"); r.Raw != ":2\r\n" {
				t.Errorf("DBSIZE right after the load: %v", r)
			}
			harness.SameContents(t, "after the load", want, harness.Contents(t, to))
		})
	}
}

// checkRDB holds a server's dump.rdb against redis-check-rdb and against the version that Redis 7.0
// still reads; nothing else may be left of the save.
func checkRDB(t *testing.T, s *harness.Server) {
	t.Helper()
	file := filepath.Join(s.Dir, "dump.rdb")
	out, err := exec.CommandContext(t.Context(), harness.Tool(t, "redis-check-rdb", harness.InstallRedis), file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("RDB looks OK")) {
		t.Errorf("redis-check-rdb: %v\n%s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(content, []byte("REDIS0010")) {
		t.Errorf("the file begins with %q: Redis 7.0 reads REDIS0010", content[:min(9, len(content))])
	}
	if names, err := filepath.Glob(filepath.Join(s.Dir, "temp-*")); err != nil || len(names) > 0 {
		t.Errorf("temporary files are left: %v, %v", names, err)
	}
}

// TestSecondReader: a reader that is neither Redis' nor larder's finds every key in the file, with
// its database, value and time of expiry, and the auxiliary fields that Redis writes.
func TestSecondReader(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			set := newDataset(rand.New(rand.NewPCG(randtest.Seed(t), 0)), form.params == nil)
			s := harness.StartSubject(t, form.params...)
			fill(t, s, set.calls)
			want := settled(t, s)
			s.Dial(t).MustOK("SAVE")
			got, aux := readRDB(t, filepath.Join(s.Dir, "dump.rdb"))
			for key, v := range got { // a file may hold what has expired and is not removed yet
				if _, ok := want[key]; !ok && v.ExpireAt >= 0 && v.ExpireAt < time.Now().UnixMilli() {
					delete(got, key)
				}
			}
			harness.SameContents(t, "in the file", want, got)
			for _, name := range []string{"redis-ver", "redis-bits", "ctime", "used-mem", "aof-base"} {
				if aux[name] == "" {
					t.Errorf("the auxiliary field %s is missing: %v", name, aux)
				}
			}
		})
	}
}

// readRDB reads a file with the independent reader, into the form that harness.Contents has.
func readRDB(t *testing.T, file string) (keys map[harness.Key]harness.Value, aux map[string]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	keys, aux = map[harness.Key]harness.Value{}, map[string]string{}
	sizes := map[int]int{}
	err = parser.NewDecoder(f).WithSpecialOpCode().Parse(func(o parser.RedisObject) bool {
		v := harness.Value{Type: o.GetType(), ExpireAt: -1}
		if at := o.GetExpiration(); at != nil {
			v.ExpireAt = at.UnixMilli()
		}
		switch o := o.(type) {
		case *parser.AuxObject:
			aux[o.Key] = o.Value
			return true
		case *parser.DBSizeObject:
			sizes[o.DB] = int(o.KeyCount)
			return true
		case *parser.StringObject:
			v.Data = string(o.Value)
		case *parser.HashObject:
			var lines []string
			for field, value := range o.Hash {
				lines = append(lines, strconv.Quote(field)+" "+strconv.Quote(string(value)))
			}
			slices.Sort(lines)
			v.Data = strings.Join(lines, "\n")
		case *parser.SetObject:
			var lines []string
			for _, member := range o.Members {
				lines = append(lines, strconv.Quote(string(member)))
			}
			slices.Sort(lines)
			v.Data = strings.Join(lines, "\n")
		case *parser.ListObject:
			var lines []string
			for _, element := range o.Values {
				lines = append(lines, strconv.Quote(string(element)))
			}
			v.Data = strings.Join(lines, "\n")
		case *parser.ZSetObject:
			slices.SortFunc(o.Entries, func(a, b *model.ZSetEntry) int {
				return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.Member, b.Member))
			})
			var lines []string
			for _, e := range o.Entries {
				lines = append(lines, strconv.Quote(e.Member)+" "+harness.SameScore(strconv.FormatFloat(e.Score, 'g', -1, 64)))
			}
			v.Data = strings.Join(lines, "\n")
		default:
			t.Errorf("%q is a %s", o.GetKey(), o.GetType())
		}
		key := harness.Key{DB: o.GetDBIndex(), Name: o.GetKey()}
		if _, twice := keys[key]; twice {
			t.Errorf("%v is in the file twice", key)
		}
		keys[key] = v
		sizes[key.DB]--
		return true
	})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for db, left := range sizes {
		if left != 0 {
			t.Errorf("db%d: RESIZEDB announces %d keys more than follow", db, left)
		}
	}
	return keys, aux
}
