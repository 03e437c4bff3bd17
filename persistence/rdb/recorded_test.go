package rdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

// The files in testdata were written by a redis-server 7.0.15 under the direction
// of testdata/record.py, which makes them anew.

// recordedDump is a line of dumps.jsonl: items in the order in which they were
// given to SET, HSET, SADD or RPUSH, of sorted sets member and score, and what DUMP
// answered.
type recordedDump struct {
	Type  string
	Items [][]byte
	Dump  []byte
}

func recordedDumps(t testing.TB) (all []recordedDump) {
	t.Helper()
	f, err := os.Open("testdata/dumps.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var d recordedDump
		if err := json.Unmarshal(in.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	if err := in.Err(); err != nil || len(all) < 100 {
		t.Fatal(len(all), err)
	}
	return all
}

// put makes a key of a recorded value.
func (d *recordedDump) put(t testing.TB, v *store.View, k store.Key) {
	t.Helper()
	var err error
	switch d.Type {
	case "string":
		v.SetString(k, d.Items[0], 0)
	case "hash":
		_, err = v.SetFields(k, d.Items)
	case "set":
		_, err = v.AddMembers(k, d.Items)
	case "list":
		_, err = v.AppendElements(k, d.Items)
	case "zset":
		_, err = v.AddScored(k, scored(t, d.Items))
	default:
		t.Fatal(d.Type)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// scored turns pairs of a member and a score in text into those that the store takes.
func scored(t testing.TB, texts [][]byte) (pairs [][]byte) {
	t.Helper()
	for i := 0; i < len(texts); i += 2 {
		score, ok := lex.ParseFloat(texts[i+1])
		if !ok {
			t.Fatalf("%q is no score", texts[i+1])
		}
		pairs = append(pairs, texts[i], binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)))
	}
	return pairs
}

// describe prints what a key holds, independently of its encoding. Zeros have no sign, since
// a listpack keeps none.
func describe(t testing.TB, e *store.Entry) string {
	t.Helper()
	var items []string
	v := e.Content()
	if v.Type() == store.TypeString && v.Len() > 1<<16 {
		return fmt.Sprintf("string of %d bytes, checksum %x", v.Len(), updateCRC(0, v.Text()))
	}
	if v.Type() == store.TypeString {
		return fmt.Sprintf("string %q", v.Text())
	}
	v.EachDated(func(item, value []byte, expire int64) bool {
		switch v.Type() {
		case store.TypeList:
			items = append(items, fmt.Sprintf("%q", item))
		case store.TypeZset:
			items = append(items, fmt.Sprintf("%q %v", item, math.Float64frombits(binary.LittleEndian.Uint64(value))+0))
		default:
			items = append(items, fmt.Sprintf("%q %q", item, value))
		}
		if expire != 0 {
			items[len(items)-1] += fmt.Sprintf(" until %d", expire)
		}
		return true
	})
	if v.Type() != store.TypeList {
		slices.Sort(items)
	}
	return fmt.Sprint(v.Type(), " ", strings.Join(items, ", "))
}

// contents describes every key of a store.
func contents(t testing.TB, s *store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	s.LockAll()
	defer s.UnlockAll()
	for db := range s.Databases() {
		v := store.View{Store: s, DB: db, Held: true}
		for cursor := uint64(0); ; {
			cursor = v.Scan(cursor, 100, func(e *store.Entry, name []byte) {
				all[fmt.Sprintf("%d/%s", db, name)] = fmt.Sprintf("%s until %d", describe(t, e), e.ExpireAt())
			})
			if cursor == 0 {
				break
			}
		}
	}
	return all
}

// DUMP gives the bytes that Redis gives, and RESTORE takes Redis' bytes.
func TestDumpsAreThoseOfRedis(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1}
	a, b := s.Key([]byte("a")), s.Key([]byte("b"))
	var dumper Dumper
	s.LockAll()
	defer s.UnlockAll()
	for _, d := range recordedDumps(t) {
		d.put(t, v, a)
		e, _ := v.Peek(a)
		value := e.Content()
		got := dumper.Dump([]byte("before"), &value, true)[len("before"):]
		if !bytes.Equal(got, d.Dump) {
			t.Errorf("DUMP of %s is %q, Redis' is %q", d.Type, got, d.Dump)
		}
		if err := CheckPayload(d.Dump); err != nil {
			t.Fatalf("%q: %v", d.Dump, err)
		}
		for _, payload := range [][]byte{d.Dump, dumper.Dump(nil, &value, false)} {
			v.Dirty = 0
			if err := restorePayload(v, b, payload); err != nil || v.Dirty != 1 {
				t.Fatalf("%q: %v, %d changes", payload, err, v.Dirty)
			}
			r, _ := v.Peek(b)
			if describe(t, &r) != describe(t, &e) || r.Encoding() != e.Encoding() {
				t.Errorf("restored %s %s, want %s %s", r.Encoding(), describe(t, &r), e.Encoding(), describe(t, &e))
			}
			v.Delete(b)
		}
		v.Delete(a)
	}
}

// redisFile is what redis.rdb holds of types that larder has.
func redisFile() map[string]string {
	pairs := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("%q %q", fmt.Sprint("f", i), fmt.Sprint("v", i)))
		}
		slices.Sort(list)
		return strings.Join(list, ", ")
	}
	members := func(list ...string) string {
		for i := range list {
			list[i] = fmt.Sprintf("%q %q", list[i], "")
		}
		slices.Sort(list)
		return strings.Join(list, ", ")
	}
	var long, thirds []string
	for i := range 2000 {
		long = append(long, fmt.Sprintf("%q", fmt.Sprint("item ", i)))
	}
	long = append(long, fmt.Sprintf("%q", strings.Repeat("x", 9000)))
	for i := range 200 {
		thirds = append(thirds, fmt.Sprintf("%q %v", fmt.Sprint("z", i), float64(i)/3))
	}
	slices.Sort(thirds)
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint("m", i))
	}
	var all256 []byte
	for i := range 256 {
		all256 = append(all256, byte(i))
	}
	want := map[string]string{
		"0/string:0":                    `string ""`,
		"0/string:1":                    `string "hello"`,
		"0/string:2":                    `string "12"`,
		"0/string:3":                    `string "-70000"`,
		"0/string:4":                    `string "12345678901"`,
		"0/string:5":                    fmt.Sprintf("string %q", strings.Repeat("abc", 200)),
		"0/string:6":                    fmt.Sprintf("string %q", all256),
		"0/123456":                      `string "integer name"`,
		"0/" + strings.Repeat("n", 100): `string "compressed name"`,
		"0/hash:pack":                   `hash "big" "1099511627776", "empty" "", "field" "value", "n" "1"`,
		"0/hash:table":                  "hash " + pairs(600),
		"0/hash:long":                   fmt.Sprintf("hash %q %q", "f", strings.Repeat("v", 65)),
		"0/set:16":                      "set " + members("1", "-2", "300"),
		"0/set:32":                      "set " + members("1", "-2", "70000"),
		"0/set:64":                      "set " + members("1", "-2", "1099511627776"),
		"0/set:text":                    "set " + members("a", "b", "77"),
		"0/set:table":                   "set " + members(many...),
		"0/list":                        `list "a", "b", "3"`,
		"0/list:long":                   "list " + strings.Join(long, ", "),
		"0/zset":                        `zset "a" 1, "b" 2.5, "c" -Inf`,
		"0/zset:table":                  "zset " + strings.Join(thirds, ", "),
		"9/elsewhere":                   `string "yes"`,
	}
	for k := range want {
		want[k] += " until 0"
	}
	want["0/expires"] = `string "later" until 4102444800123`
	return want
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k := range want {
		if got[k] != want[k] {
			t.Errorf("%s is %.300s, want %.300s", k, got[k], want[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s = %.300s is one too many", k, got[k])
		}
	}
}

func TestLoadsAFileOfRedis(t *testing.T) {
	file, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t)
	sum, err := load(file, s, LoadOptions{Clock: 1, SkipUnknownTypes: true})
	if err != nil || !sum.Checksum || sum.Keys != 23 || sum.Skipped != 2 || sum.Aux["redis-ver"] != "7.0.15" {
		t.Fatalf("%+v, %v", sum, err)
	}
	if want := map[string]int64{"stream": 1, "function": 1}; !maps.Equal(sum.Types, want) {
		t.Errorf("skipped %v, want %v", sum.Types, want)
	}
	compare(t, contents(t, s), redisFile())

	// What larder makes of it and writes is the same again.
	again := open(t)
	if _, err := load(save(t, s, Options{Compress: true, Checksum: true}), again, LoadOptions{Clock: 1}); err != nil {
		t.Fatal(err)
	}
	compare(t, contents(t, again), redisFile())
}

func TestUnknownTypesFailTheLoad(t *testing.T) {
	file, err := os.ReadFile("testdata/redis.rdb")
	if err != nil {
		t.Fatal(err)
	}
	_, err = load(file, open(t), LoadOptions{Clock: 1})
	var u *UnknownTypeError
	if !errors.As(err, &u) || u.Type != "function" || u.Key != nil {
		t.Fatal(err)
	}
}

// restorePayload is RESTORE without the command.
func restorePayload(v *store.View, k store.Key, payload []byte) error {
	d, err := Decode(v, k, payload)
	if err != nil {
		return err
	}
	return d.Store()
}
