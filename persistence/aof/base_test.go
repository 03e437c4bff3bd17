package aof

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

// TestEveryTypeHasACommand: a base can hold every type.
func TestEveryTypeHasACommand(t *testing.T) {
	for typ, row := range baseRows {
		if row.command == "" || row.words == 0 || row.element == nil || row.whole != (store.Type(typ) == store.TypeString) {
			t.Errorf("type %d (%s) has no complete row", typ, store.Type(typ))
		}
	}
}

// TestBaseEncoder writes a store as commands and reads them back.
func TestBaseEncoder(t *testing.T) {
	s := newStore(t)
	view := func(db int) *store.View { return &store.View{Store: s, DB: db} }
	key := func(name string) store.Key { return s.Key([]byte(name)) }
	var want []string
	v := view(0)
	v.SetString(key("text"), []byte("a\r\nb"), 0)
	want = append(want, "0 SET text a\r\nb")
	v.SetString(key("number"), []byte("12"), 1_900_000_000_123)
	want = append(want, "0 SET number 12", "0 PEXPIREAT number 1900000000123")
	v = view(9)
	add := func(name string, n int) {
		var members [][]byte
		for i := range n {
			members = append(members, []byte(fmt.Sprintf("m%d", i)))
			want = append(want, fmt.Sprintf("9 SADD %s m%d", name, i))
		}
		if _, err := v.AddMembers(key(name), members); err != nil {
			t.Fatal(err)
		}
	}
	add("packed", 3)
	add("full", 64)
	add("table", 1000)
	if _, err := v.AddMembers(key("integers"), [][]byte{[]byte("-5"), []byte("70000")}); err != nil {
		t.Fatal(err)
	}
	want = append(want, "9 SADD integers -5", "9 SADD integers 70000")
	fields := func(name string, n int) {
		var pairs [][]byte
		for i := range n {
			pairs = append(pairs, []byte(fmt.Sprintf("f%d", i)), []byte(fmt.Sprintf("v%d", i)))
			want = append(want, fmt.Sprintf("9 HMSET %s f%d v%d", name, i, i))
		}
		if _, err := v.SetFields(key(name), pairs); err != nil {
			t.Fatal(err)
		}
	}
	fields("hash", 65)
	fields("large", 900)
	for name, n := range map[string]int{"list": 65, "longlist": 3000} {
		var elements [][]byte
		for i := range n {
			elements = append(elements, fmt.Appendf(nil, "e%d", i%7))
			want = append(want, fmt.Sprintf("9 RPUSH %s e%d", name, i%7))
		}
		if _, err := v.AppendElements(key(name), elements); err != nil {
			t.Fatal(err)
		}
	}
	for name, n := range map[string]int{"zset": 65, "largezset": 900} {
		var pairs [][]byte
		for i := range n {
			score := float64(i) / 10
			if i == 0 {
				score = math.Inf(-1)
			}
			pairs = append(pairs, fmt.Appendf(nil, "m%d", i), binary.LittleEndian.AppendUint64(nil, math.Float64bits(score)))
			want = append(want, fmt.Sprintf("9 ZADD %s %s m%d", name, strings.ToLower(fmt.Sprintf("%.17g", score)), i))
		}
		if _, err := v.AddScored(key(name), pairs); err != nil {
			t.Fatal(err)
		}
	}
	v.SetExpire(key("large"), 1_900_000_000_000)
	want = append(want, "9 PEXPIREAT large 1900000000000")

	var out bytes.Buffer
	e := NewBaseEncoder(&out)
	must(t, e.Timestamp(1_800_000_000))
	s.LockAll()
	snap, err := s.CutLocked(0)
	s.UnlockAll()
	must(t, err)
	must(t, snap.Run(e))
	must(t, e.Close())
	if !strings.HasPrefix(out.String(), "#TS:1800000000\r\n*2\r\n$6\r\nSELECT\r\n") {
		t.Errorf("it begins with %.60q", out.String())
	}
	got := singly(t, readText(out.String()))
	for _, list := range [][]string{got, want} {
		slices.SortStableFunc(list, func(a, b string) int { return strings.Compare(unordered(a), unordered(b)) })
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d commands, want %d", len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%q, want %q", got[i], want[i])
			}
		}
	}
}

// TestBaseEncoderLargeElements adds elements whose bytes would be much if 64 of them were
// collected: what waits stays within one buffer, however large an element is, and the commands hold
// all of them.
func TestBaseEncoderLargeElements(t *testing.T) {
	for _, typ := range []store.Type{store.TypeHash, store.TypeSet} {
		var out bytes.Buffer
		e := NewBaseEncoder(&out)
		must(t, e.Begin(&store.SnapshotKey{Name: []byte("k"), Type: typ}, 70))
		var want []string
		for i := range 70 {
			size := []int{1, 100 << 10, 200 << 10, 1 << 20}[i%4]
			item := fmt.Sprintf("%d-%s", i, strings.Repeat("x", size))
			if typ == store.TypeHash {
				want = append(want, "0 HMSET k "+item+" v"+item)
				must(t, e.Element([]byte(item), []byte("v"+item), 0))
			} else {
				want = append(want, "0 SADD k "+item)
				must(t, e.Element([]byte(item), nil, 0))
			}
			if waiting := len(e.items); waiting > baseBuffer+100*itemsPerCommand {
				t.Fatalf("%v: %d bytes wait after element %d", typ, waiting, i)
			}
		}
		must(t, e.End())
		must(t, e.Close())
		if got := singly(t, readText(out.String())); !slices.Equal(got, want) {
			t.Errorf("%v: %d elements come back other than they went in, want %d", typ, len(got), len(want))
		}
	}
}

// unordered is what decides where a command may stand: those of a list are in its order.
func unordered(command string) string {
	if words := strings.SplitN(command, " ", 4); words[1] == "RPUSH" {
		return strings.Join(words[:3], " ")
	}
	return command
}

// singly takes commands of several elements apart, and puts the database in front.
func singly(t *testing.T, r replayed) (all []string) {
	t.Helper()
	must(t, r.err)
	db := "-"
	for _, c := range r.commands {
		words := strings.Split(c, " ")
		step := len(words) - 2
		switch words[0] {
		case "SELECT":
			db = words[1]
			continue
		case "SADD", "RPUSH":
			step = 1
		case "HMSET", "ZADD":
			step = 2
		}
		if n := (len(words) - 2) / step; n > itemsPerCommand {
			t.Errorf("%s %s has %d elements", words[0], words[1], n)
		}
		for items := range slices.Chunk(words[2:], step) {
			all = append(all, strings.Join(append([]string{db, words[0], words[1]}, items...), " "))
		}
	}
	return all
}

func newStore(t *testing.T) *store.Store {
	s, err := store.Open(store.Options{Shards: 1})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}
