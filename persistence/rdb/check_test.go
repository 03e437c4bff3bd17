package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	b, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var read, keys int64
	rep, err := Check(bytes.NewReader(b), int64(len(b)), CheckOptions{
		Now:      4102444800124,
		Info:     func(offset int64, line string) { lines = append(lines, fmt.Sprintf("[offset %d] %s", offset, line)) },
		Progress: func(r, k int64) { read, keys = r, k },
	})
	if err != nil || rep.Version != 10 || rep.Keys != 24 || rep.Expires != 1 || rep.AlreadyExpired != 1 || rep.Libraries != 1 || rep.Foreign != 0 ||
		rep.Bytes != int64(len(b)) || !rep.Checksum || rep.Doing != "" {
		t.Errorf("%+v, %v", rep, err)
	}
	if read != int64(len(b)) || keys != 24 {
		t.Errorf("progress ended at %d bytes, %d keys", read, keys)
	}
	if i := slices.Index(rep.Aux, Aux{"redis-ver", "7.0.15"}); i != 0 || len(rep.Aux) != 5 {
		t.Error(rep.Aux)
	}
	var types []string
	var sum, bytesSum int64
	for _, typ := range rep.Types {
		types = append(types, fmt.Sprintf("%s, %s: %d keys, %d elements, known %v", typ.Type, typ.Encoding, typ.Keys, typ.Elements, typ.Known))
		sum += typ.Keys
		bytesSum += typ.Bytes
	}
	want := []string{
		"string, string: 11 keys, 0 elements, known true",
		"set, intset: 3 keys, 9 elements, known true",
		"hash, hashtable: 2 keys, 601 elements, known true",
		"list, quicklist: 2 keys, 2004 elements, known true",
		"set, hashtable: 2 keys, 303 elements, known true",
		"hash, listpack: 1 keys, 4 elements, known true",
		"stream, stream v2: 1 keys, 149 elements, known false",
		"zset, listpack: 1 keys, 3 elements, known true",
		"zset, skiplist: 1 keys, 200 elements, known true",
	}
	if !slices.Equal(types, want) {
		t.Errorf("types\n%s\nwant\n%s", strings.Join(types, "\n"), strings.Join(want, "\n"))
	}
	if sum != rep.Keys || bytesSum > rep.Bytes || bytesSum < rep.Bytes*9/10 {
		t.Errorf("%d keys, %d of %d bytes", sum, bytesSum, rep.Bytes)
	}
	if l := rep.LargestElements; len(l) != 10 || string(l[0].Key) != "list:long" || l[0].Elements != 2001 || string(l[1].Key) != "hash:table" {
		t.Errorf("%+v", l)
	}
	if l := rep.LargestBytes; len(l) != 10 || string(l[0].Key) != "list:long" || !slices.IsSortedFunc(l, func(a, b KeyReport) int { return int(b.Bytes - a.Bytes) }) {
		t.Errorf("%+v", l)
	}
	if lines[0] != "[offset 9] AUX FIELD redis-ver = '7.0.15'" || !strings.HasSuffix(lines[len(lines)-1], "Selecting DB ID 9") {
		t.Errorf("%q", lines)
	}
}

// What was being read when a file turned out to be damaged.
func TestReportOfDamage(t *testing.T) {
	good := []any{op(typeString), "good", "v"}
	tests := []struct {
		name            string
		parts           []any
		cut             int // bytes at the end that are missing, beside end mark and checksum
		doing, key, typ string
	}{
		{"string", []any{op(typeString), "bad", "value"}, 2, "read-object-value", "bad", "0 (string, string)"},
		{"name", []any{op(typeString), "bad"}, 1, "read-key", "", ""},
		{"list", []any{op(typeList), "bad", 2, "a", "b"}, 1, "read-object-value", "bad", "1 (list, linked list)"},
		{"listpack", []any{op(typeHashListpack), "bad", "\x08\x00\x00\x00\x01\x00\xF9\xFF"}, 0, "read-object-value", "bad", "16 (hash, listpack)"},
		{"function", []any{op(opFunction), "code"}, 1, "read-functions", "", ""},
		{"module", []any{op(opModuleAux), 1, 2, 2, 9}, 0, "read-module-aux", "", ""},
		{"opcode", []any{op(200), "x"}, 0, "read-type", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := file(12, append(good, test.parts...)...)
			if test.cut > 0 {
				b = b[:len(b)-9-test.cut]
			}
			rep, err := check(b)
			var c *CorruptError
			if !errors.As(err, &c) || c.Offset < int64(headSize+len(assemble(nil, good))) {
				t.Errorf("%v", err)
			}
			if rep.Keys != 1 || rep.Doing != test.doing || string(rep.Key) != test.key || rep.KeyType != test.typ {
				t.Errorf("%d keys, while doing %s, key %q, type %s", rep.Keys, rep.Doing, rep.Key, rep.KeyType)
			}
		})
	}
	b := file(10, good...)
	b[len(b)-1] ^= 1
	if rep, err := check(b); err == nil || rep.Doing != "check-sum" || rep.Keys != 1 {
		t.Errorf("%+v, %v", rep, err)
	}
}
