package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

// valkeyFile is file for version 80, Valkey's first of its own.
func valkeyFile(parts ...any) []byte {
	b := append(assemble([]byte("VALKEY080"), parts), opEOF)
	return binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
}

func TestValkeyFiles(t *testing.T) {
	const never = ^uint64(0)
	version := []any{op(opAux), "valkey-ver", "9.0.0"}
	load := func(o LoadOptions, parts ...any) (Summary, map[string]string, error) {
		s := open(t)
		sum, err := load(valkeyFile(slices.Concat(version, parts)...), s, o)
		return sum, contents(t, s), err
	}
	_, got, err := load(LoadOptions{Now: 1000},
		op(opSlotImport), strings.Repeat("j", 40), 2, 0, 100, 16000, 16383, op(opSlotInfo), 5, 1, 0,
		op(valkeyHashTTL), "kept", 2, "a", "1", never, "b", "2", never,
		op(valkeyHashTTL), "one is over", 2, "a", "1", uint64(1000), "b", "2", never,
		op(valkeyHashTTL), "at the epoch", 2, "a", "1", uint64(0), "b", "2", never,
		op(valkeyHashTTL), "all are over", 1, "a", "1", uint64(1),
		op(valkeyHashTTL), "nothing", 0,
	)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, map[string]string{
		"0/kept": `hash "a" "1", "b" "2" until 0`, "0/one is over": `hash "b" "2" until 0`, "0/at the epoch": `hash "b" "2" until 0`,
	})

	living := []any{op(valkeyHashTTL), "h", 2, "a", "1", uint64(5000), "b", "2", never, op(typeString), "s", "v"}
	for _, now := range []int64{0, 1000} {
		sum, got, err := load(LoadOptions{Now: now}, living...)
		if err != nil || sum.Keys != 2 {
			t.Errorf("%+v, %v", sum, err)
		}
		compare(t, got, map[string]string{"0/h": `hash "a" "1" until 5000, "b" "2" until 0`, "0/s": `string "v" until 0`})
	}
	for number := 23; number < opSlotImport; number++ {
		want := fmt.Sprintf(`unknown RDB encoding type %d of key "k" in database 0, in a file of Valkey 9.0.0, RDB version 80 (`, number)
		b := valkeyFile(slices.Concat(version, []any{op(number), "k", "v"})...)
		if _, err := check(b); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, bad := range [][]any{
		{op(valkeyHashTTL), "h", 1, "a", "1", never - 1}, {op(valkeyHashTTL), "h", 1, "a", "1"}, {op(opSlotImport), "j", 1, 0},
	} {
		if _, _, err := load(LoadOptions{SkipUnknownTypes: true}, bad...); !isCorrupt(err) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestForeignNumbers: what other families' numbers mean nobody knows in a file of Redis'. The text
// names the key where there may be one, whoever wrote the file, and does not believe what is no
// version.
func TestForeignNumbers(t *testing.T) {
	long := strings.Repeat("k", 200)
	for _, test := range []struct {
		parts []any
		want  string
	}{
		{[]any{op(numTypes), "k", "v"}, `26 of key "k" in database 0, in a file of Redis, RDB version 12`},
		{[]any{op(opSelectDB), 3, op(opAux), "redis-ver", "8.9.1", op(64), "a\n", "v"}, `64 of key "a\n" in database 3, in a file of Redis 8.9.1, RDB version 12`},
		{[]any{op(opAux), auxTimestamp, "17", op(64), "cron", "v"}, `64 of key "cron" in database 0, in a file of KeyDB, RDB version 12`},
		{[]any{op(opAux), "redis-ver", "\x1b[31m", op(60), long, "v"}, `60, in a file of Redis, RDB version 12`},
		{[]any{op(opSlotImport), "j", 0}, `243, in a file of Redis, RDB version 12`},
		{[]any{op(60)}, `60, in a file of Redis, RDB version 12`},
	} {
		want := "unknown RDB encoding type " + test.want + " (offset "
		if _, err := load(file(12, test.parts...), open(t), LoadOptions{SkipUnknownTypes: true}); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := check(file(12, test.parts...)); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("check: %v, want %s", err, want)
		}
	}
}

// keydbFile is what an active replica of KeyDB writes: a time stamp in front of each key, and
// members of three keys, one of them long, that expire by themselves.
func keydbFile() (b []byte, untouched map[string]string) {
	parts := []any{op(opAux), "redis-ver", "6.3.4", op(opAux), "repl-masters", ""}
	untouched = map[string]string{}
	put := func(name string, key ...any) {
		parts = append(parts, op(opExpireMs), uint64(5000), op(opAux), auxTimestamp, "1766000000000")
		parts = append(parts, append([]any{key[0], name}, key[1:]...)...)
	}
	expire := func(members ...string) {
		for _, m := range members {
			parts = append(parts, op(opAux), auxMember, m, op(opAux), auxMemberExpiry, "4102444800000")
		}
	}
	many := []any{op(typeSet), 30_000}
	for i := range 30_000 {
		many = append(many, fmt.Sprintf("member %d", i))
	}
	for i := range 2000 { // several blocks
		name := fmt.Sprintf("text %d", i)
		put(name, op(typeString), strings.Repeat("v", 300))
		untouched["0/"+name] = fmt.Sprintf("string %q until 5000", strings.Repeat("v", 300))
		switch i {
		case 500:
			put("set", op(typeSet), 2, "a", "b")
			expire("a", "b")
		case 501:
			put("many", many...)
			expire("member 7")
		case 502:
			put("sorted", op(typeZset2), 1, "m", uint64(0))
			expire("m")
		}
	}
	return file(9, parts...), untouched
}

func TestKeyDBFiles(t *testing.T) {
	b, want := keydbFile()
	var u *UnknownTypeError
	_, err := load(b, open(t), LoadOptions{Now: 1})
	const said = `key "set" in database 0 is a set with member TTLs, which is not supported (type 2 in a file of KeyDB 6.3.4, RDB version 9, offset `
	if !errors.As(err, &u) || !strings.HasPrefix(u.Error(), said) {
		t.Errorf("%v, want %s", err, said)
	}
	s := open(t)
	sum, err := load(b, s, LoadOptions{Now: 1, SkipUnknownTypes: true})
	skipped := map[string]int64{"set with member TTLs": 2, "zset with member TTLs": 1}
	if err != nil || sum.Keys != int64(len(want)) || sum.Skipped != 3 || !maps.Equal(sum.Types, skipped) || sum.Aux[auxTimestamp] != "" {
		t.Errorf("%+v, %v", sum, err)
	}
	compare(t, contents(t, s), want)
	rep, err := check(b)
	if err != nil || rep.Unfit != 3 || rep.Keys != int64(len(want))+3 || len(rep.Aux) != 2 || rep.Origin != "KeyDB 6.3.4, RDB version 9" {
		t.Errorf("check: %+v, %v", rep, err)
	}
	// Of keys that have expired, or of none, nothing is said.
	sum, err = load(b, open(t), LoadOptions{Now: 5000})
	if err != nil || sum.Keys != 0 || sum.Expired != int64(len(want))+3 {
		t.Errorf("after their time: %+v, %v", sum, err)
	}
	if _, err = load(file(9, op(opAux), auxMember, "m", op(typeString), "k", "v"), open(t), LoadOptions{}); err != nil {
		t.Errorf("a member of no key: %v", err)
	}
}

// TestValkeyPayload: RESTORE takes what Valkey 9's MIGRATE sends.
func TestValkeyPayload(t *testing.T) {
	payload := func(version uint16, parts ...any) []byte {
		b := binary.LittleEndian.AppendUint16(assemble(nil, parts), version)
		return binary.LittleEndian.AppendUint64(b, updateCRC(0, b))
	}
	s := open(t)
	for _, test := range []struct {
		payload []byte
		check   error
		decode  bool
	}{
		{payload(80, op(typeString), "v"), nil, true},
		{payload(80, op(valkeyHashTTL), 1, "f", "v", ^uint64(0)), nil, true},
		{payload(80, op(valkeyHashTTL), 1, "f", "v", uint64(5000)), nil, true},
		{payload(80, op(typeHashTTL), uint64(0), 1, 0, "f", "v"), nil, false},
		{payload(12, op(typeHashTTL), uint64(0), 1, 0, "f", "v"), nil, true},
		{payload(12, op(typeHashTTLValkey), 1, "f", "v", ^uint64(0)), nil, false},
		{payload(13, op(typeString), "v"), ErrPayload, false},
		{payload(79, op(typeString), "v"), ErrPayload, false},
		{payload(81, op(typeString), "v"), ErrPayload, false},
	} {
		if err := CheckPayload(test.payload); !errors.Is(err, test.check) {
			t.Errorf("%x: %v, want %v", test.payload, err, test.check)
		}
		v := &store.View{Store: s, Now: 1000}
		if _, err := Decode(v, s.Key([]byte("k")), test.payload); (err == nil) != test.decode {
			t.Errorf("%x: %v", test.payload, err)
		}
	}
}
