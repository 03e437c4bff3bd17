package rdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hdt3213/rdb/parser"

	"github.com/larderkv/larder/store"
)

// parsed describes what an independent reader finds in a file, as contents does;
// only types that larder has.
func parsed(t *testing.T, file []byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := parser.NewDecoder(bytes.NewReader(file)).Parse(func(o parser.RedisObject) bool {
		var items []string
		what := ""
		switch o := o.(type) {
		case *parser.StringObject:
			what = fmt.Sprintf("string %q", o.Value)
		case *parser.HashObject:
			for f, v := range o.Hash {
				items = append(items, fmt.Sprintf("%q %q", f, v))
				if at := o.FieldExpirations[f]; at > 0 {
					items[len(items)-1] += fmt.Sprintf(" until %d", at)
				}
			}
			what = "hash "
		case *parser.SetObject:
			for _, m := range o.Members {
				items = append(items, fmt.Sprintf("%q %q", m, ""))
			}
			what = "set "
		case *parser.ListObject:
			for _, e := range o.Values {
				items = append(items, fmt.Sprintf("%q", e))
			}
			what = "list "
		case *parser.ZSetObject:
			for _, e := range o.Entries {
				items = append(items, fmt.Sprintf("%q %v", e.Member, e.Score+0))
			}
			what = "zset "
		default:
			return true
		}
		expire := int64(0)
		if at := o.GetExpiration(); at != nil {
			expire = at.UnixMilli()
		}
		if what != "list " {
			slices.Sort(items)
		}
		all[fmt.Sprintf("%d/%s", o.GetDBIndex(), o.GetKey())] = fmt.Sprintf("%s%s until %d", what, strings.Join(items, ", "), expire)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What larder writes, others read.
func TestIndependentReader(t *testing.T) {
	s := mixed(t, 1000)
	want := contents(t, s)
	for _, o := range []Options{{}, {Compress: true}, {Checksum: true, Access: true}} {
		o.Aux = []Aux{{"redis-ver", "7.4.0"}, {"redis-bits", "64"}}
		compare(t, parsed(t, save(t, s, o)), want)
	}
}

// TestFieldTimes: others read the elements of hashes and sets with times to live, and larder their times.
func TestFieldTimes(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1000}
	s.LockAll()
	for i, times := range [][]int64{{5000, 0}, {1 << 45, 70_000, 5000}, {2000, 0, 0, 9_000_000}} {
		k := s.Key(fmt.Append(nil, "hash", i))
		for j, at := range times {
			field := fmt.Append(nil, "field", j)
			if _, err := v.SetFields(k, [][]byte{field, []byte("value")}); err != nil {
				t.Fatal(err)
			}
			h, _, err := v.WriteHash(k)
			if err != nil {
				t.Fatal(err)
			}
			h.Expire(field, at)
		}
	}
	for i, n := range []int64{3, 5000, 100_000} { // the last one in pieces
		k := s.Key(fmt.Append(nil, "set", i))
		for j := range n {
			member := fmt.Append(nil, "a member that is as long as it takes, number ", j)
			if _, err := v.AddMembers(k, [][]byte{member}); err != nil {
				t.Fatal(err)
			}
			if m, _, err := v.WriteSet(k); err != nil {
				t.Fatal(err)
			} else if j%3 > 0 {
				m.Expire(member, 2000+j*j)
			}
		}
	}
	s.UnlockAll()
	want := contents(t, s)
	b := save(t, s, Options{})
	again := open(t)
	if _, err := load(b, again, LoadOptions{Now: 1000}); err != nil {
		t.Fatal(err)
	}
	compare(t, contents(t, again), want)
	timed := regexp.MustCompile(` until [1-9]\d*`)
	late := open(t)
	if _, err := load(b, late, LoadOptions{Now: 1 << 44}); err != nil {
		t.Fatal(err)
	}
	for name, value := range contents(t, late) {
		if strings.HasPrefix(value, "set ") && (timed.MatchString(value) || !strings.Contains(value, "number 0")) {
			t.Errorf("%s has members whose time has come, or lacks others: %.200s", name, value)
		}
	}
	for name, value := range want {
		if strings.HasPrefix(value, "set ") { // others know no times of members
			want[name] = timed.ReplaceAllString(value, "")
		}
	}
	compare(t, parsed(t, b), want)
}

// What Redis wrote in the course of its history is read as by others: the sample
// files of that reader's own tests, most of them of versions that are too old for
// larder but made of the same encodings. They get a newer version's number, and a
// checksum of 0 if they had none.
func TestOldFiles(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hdt3213/rdb").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "cases", "*.rdb"))
	if err != nil || len(names) < 30 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(b, []byte(magic)) {
				t.Skip("not a file of Redis'")
			}
			want := parsed(t, b)
			switch version := string(b[len(magic):headSize]); {
			case version < "0005":
				b = binary.LittleEndian.AppendUint64(b, 0)
				fallthrough
			case version < "0006":
				clear(b[len(b)-8:])
				copy(b[len(magic):], "0006")
			}
			s := open(t)
			if _, err := load(b, s, LoadOptions{Clock: 1, SkipUnknownTypes: true}); err != nil {
				t.Fatal(err)
			}
			compare(t, contents(t, s), want)
		})
	}
}
