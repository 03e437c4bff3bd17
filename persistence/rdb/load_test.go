package rdb

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/eviction"
	"github.com/larderkv/larder/store"
)

// Every form of every type that larder has, assembled by hand from the format's description.
func TestEncodings(t *testing.T) {
	long := strings.Repeat("long", 20)
	longer := strings.Repeat("z", 20000)
	hash := fmt.Sprintf("hash %q %q, %q %q, %q %q", "a", "1", "b", long, "c", "-70000")
	items := []string{"a", "1", "b", long, "c", "-70000"}
	numbers := []string{"0", "12", "13", "127", "128", "-1", "-128", "-129", "4095", "4096", "-4096", "-4097", "32767",
		"32768", "-32768", "-32769", "8388607", "8388608", "-8388608", "-8388609", "2147483647", "2147483648",
		"-2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808"}
	var fields []string
	for i, n := range numbers {
		fields = append(fields, fmt.Sprint("f", i), n)
	}
	var numberPairs []string
	for i, n := range numbers {
		numberPairs = append(numberPairs, fmt.Sprintf("%q %q", fmt.Sprint("f", i), n))
	}
	slices.Sort(numberPairs)
	numberHash := "hash " + strings.Join(numberPairs, ", ")
	var quoted []string
	for _, n := range numbers {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	numberList := strings.Join(quoted, ", ")
	scores := []string{"a", "-inf", "b", "-1.5", "c", "0", "d", "0.10000000000000001", "e", "3", "f", "9223372036854775807", "7", "inf"}
	scoresWant := `zset "7" +Inf, "a" -Inf, "b" -1.5, "c" 0, "d" 0.1, "e" 3, "f" 9.223372036854776e+18`
	bits := math.Float64bits
	tests := []struct {
		name  string
		parts []any
		want  string
	}{
		{"string", []any{op(typeString), "k", "v"}, `string "v"`},
		{"empty string", []any{op(typeString), "k", ""}, `string ""`},
		{"string of 8 bits", []any{op(typeString), "k", []byte{0xC0, 0xFF}}, `string "-1"`},
		{"string of 16 bits", []any{op(typeString), "k", []byte{0xC1, 0x00, 0x80}}, `string "-32768"`},
		{"string of 32 bits", []any{op(typeString), "k", []byte{0xC2, 1, 0, 0, 1}}, `string "16777217"`},
		{"compressed string", []any{op(typeString), "k", lzfString(long)}, fmt.Sprintf("string %q", long)},
		{"length of 32 bits", []any{op(typeString), "k", []byte{0x80, 0, 0, 0, 2, 'a', 'b'}}, `string "ab"`},
		{"length of 64 bits", []any{op(typeString), "k", []byte{0x81, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b'}}, `string "ab"`},
		{"set", []any{op(typeSet), "k", 2, "x", []byte{0xC0, 7}}, `set "7" "", "x" ""`},
		{"intset of 16", []any{op(typeSetIntset), "k", intset(2, -5, 3)}, `set "-5" "", "3" ""`},
		{"intset of 32", []any{op(typeSetIntset), "k", intset(4, -5, 70000)}, `set "-5" "", "70000" ""`},
		{"intset of 64", []any{op(typeSetIntset), "k", intset(8, math.MinInt64, 3)}, `set "-9223372036854775808" "", "3" ""`},
		{"set as listpack", []any{op(typeSetListpack), "k", listpack("x", "7")}, `set "7" "", "x" ""`},
		{"hash", []any{op(typeHash), "k", 3, "a", "1", "b", long, "c", "-70000"}, hash},
		{"hash as zipmap", []any{op(typeHashZipmap), "k", zipmap(0, items...)}, hash},
		{"hash as zipmap with gaps", []any{op(typeHashZipmap), "k", zipmap(3, items...)}, hash},
		{"hash as zipmap, long value", []any{op(typeHashZipmap), "k", zipmap(1, "f", longer)}, fmt.Sprintf("hash %q %q", "f", longer)},
		{"hash as ziplist", []any{op(typeHashZiplist), "k", ziplist(items...)}, hash},
		{"hash as ziplist, long values", []any{op(typeHashZiplist), "k", ziplist("f", longer, "g", long+long+long+long)},
			fmt.Sprintf("hash %q %q, %q %q", "f", longer, "g", long+long+long+long)},
		{"hash as ziplist of numbers", []any{op(typeHashZiplist), "k", ziplist(fields...)}, numberHash},
		{"hash as listpack", []any{op(typeHashListpack), "k", listpack(items...)}, hash},
		{"hash as listpack, compressed", []any{op(typeHashListpack), "k", lzfString(listpack(items...))}, hash},
		{"hash as listpack of numbers", []any{op(typeHashListpack), "k", listpack(fields...)}, numberHash},
		{"hash as listpack, long values", []any{op(typeHashListpack), "k", listpack("f", longer, "g", strings.Repeat("y", 5000))},
			fmt.Sprintf("hash %q %q, %q %q", "f", longer, "g", strings.Repeat("y", 5000))},
		{"hash without field TTLs, preview", []any{op(typeHashTTLPreGA), "k", 2, 0, "a", "1", 0, "b", "2"}, `hash "a" "1", "b" "2"`},
		{"hash with an expired field, preview", []any{op(typeHashTTLPreGA), "k", 2, 500, "a", "1", 0, "b", "2"}, `hash "b" "2"`},
		{"hash with an expired field", []any{op(typeHashTTL), "k", uint64(500), 2, 1, "a", "1", 0, "b", "2"}, `hash "b" "2"`},
		{"listpack with an expired field, preview", []any{op(typeHashPackTTLPreGA), "k", listpack("a", "1", "500", "b", "2", "0")}, `hash "b" "2"`},
		{"listpack with an expired field", []any{op(typeHashPackTTL), "k", uint64(500), listpack("a", "1", "500", "b", "2", "0")}, `hash "b" "2"`},
		{"hash with field TTLs", []any{op(typeHashTTL), "k", uint64(5000), 3, 1, "a", "1", 0, "b", "2", 7, "c", "3"},
			`hash "a" "1" until 5000, "b" "2", "c" "3" until 5006`},
		{"listpack with field TTLs", []any{op(typeHashPackTTL), "k", uint64(5000), listpack("a", "1", "5000", "b", "2", "0")}, `hash "a" "1" until 5000, "b" "2"`},
		{"hash with field TTLs, preview", []any{op(typeHashTTLPreGA), "k", 1, 5000, "a", "1"}, `hash "a" "1" until 5000`},
		{"listpack with field TTLs, preview", []any{op(typeHashPackTTLPreGA), "k", listpack("a", "1", "5000")}, `hash "a" "1" until 5000`},
		{"list", []any{op(typeList), "k", 4, "b", "a", []byte{0xC0, 7}, ""}, `list "b", "a", "7", ""`},
		{"list as ziplist", []any{op(typeListZiplist), "k", ziplist("b", "a", "b", "-70000", "")}, `list "b", "a", "b", "-70000", ""`},
		{"list of ziplists", []any{op(typeListQuicklist), "k", 3, ziplist("b", "a"), lzfString(ziplist(long, long)), ziplist("7")},
			fmt.Sprintf("list %q, %q, %q, %q, %q", "b", "a", long, long, "7")},
		{"list of ziplists, some empty", []any{op(typeListQuicklist), "k", 3, ziplist(), ziplist("b"), ziplist()}, `list "b"`},
		{"list of nodes", []any{op(typeListQuicklist2), "k", 4, 2, listpack("b", "a", "b"), 1, longer, 2, listpack(numbers...), 1, []byte{0xC0, 7}},
			fmt.Sprintf("list %q, %q, %q, %q, %s, %q", "b", "a", "b", longer, numberList, "7")},
		{"list of nodes, some empty", []any{op(typeListQuicklist2), "k", 3, 2, listpack(), 2, listpack(""), 2, listpack()}, `list ""`},
		{"sorted set", []any{op(typeZset2), "k", 4, "b", bits(1.5), "a", bits(math.Inf(-1)), []byte{0xC0, 7}, bits(3), "", bits(math.Inf(1))},
			`zset "" +Inf, "7" 3, "a" -Inf, "b" 1.5`},
		{"sorted set, scores in text", []any{op(typeZset), "k", 6, "b", byte(3), []byte("1.5"), "a", byte(255), "c", byte(254),
			"d", byte(2), []byte("-7"), "e", byte(6), []byte("1e+100"), "f", byte(19), []byte("0.10000000000000001")},
			`zset "a" -Inf, "b" 1.5, "c" +Inf, "d" -7, "e" 1e+100, "f" 0.1`},
		{"sorted set as ziplist", []any{op(typeZsetZiplist), "k", ziplist(scores...)}, scoresWant},
		{"sorted set as listpack", []any{op(typeZsetListpack), "k", listpack(scores...)}, scoresWant},
		{"sorted set as listpack, out of order", []any{op(typeZsetListpack), "k", listpack("z", "2", "a", "1", "b", "2")}, `zset "a" 1, "b" 2, "z" 2`},
		{"name as integer", []any{op(typeString), []byte{0xC1, 0x2C, 0x01}, "v"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			sum, err := load(file(12, test.parts...), s, LoadOptions{Now: 1000})
			if err != nil || sum.Keys != 1 || sum.Version != 12 || !sum.Checksum {
				t.Fatalf("%+v, %v", sum, err)
			}
			want := map[string]string{"0/k": test.want + " until 0"}
			if test.want == "" {
				want = map[string]string{"0/300": `string "v" until 0`}
			}
			compare(t, contents(t, s), want)
		})
	}
}

// What stands beside the keys: databases, times, hints, origin.
func TestOpcodes(t *testing.T) {
	day := uint64(86400_000)
	b := file(11,
		op(opAux), "redis-ver", "7.4.0", op(opAux), "ctime", []byte{0xC2, 1, 0, 0, 1},
		op(opSelectDB), 3, op(opResizeDB), 5, 2, op(opSlotInfo), 1, 2, 3,
		op(opExpireMs), 5*day, op(typeString), "ms", "v",
		op(opExpire), []byte{0, 0, 0, 1}, op(typeString), "s", "v",
		op(opExpireMs), 2*day, op(typeString), "gone", "v",
		op(opExpireMs), 5*day, op(typeHash), "h", 1, "f", "v",
		op(opIdle), 1000, op(typeString), "idle", "v",
		op(opSelectDB), 15, op(typeString), "other", "v",
		op(opExpireMs), uint64(math.MaxUint64), op(typeString), "never", "v",
	)
	s := open(t)
	var ticks int
	now := int64(3 * day)
	sum, err := load(b, s, LoadOptions{Now: now, Progress: func(read, keys int64) { ticks++ }})
	if err != nil || sum.Keys != 6 || sum.Expired != 1 || sum.Bytes != int64(len(b)) || ticks == 0 {
		t.Fatalf("%+v, %v, %d calls", sum, err, ticks)
	}
	if want := map[string]string{"redis-ver": "7.4.0", "ctime": "16777217"}; !maps.Equal(sum.Aux, want) {
		t.Errorf("aux %v", sum.Aux)
	}
	compare(t, contents(t, s), map[string]string{
		"3/ms":     `string "v" until 432000000`,
		"3/s":      `string "v" until 16777216000`,
		"3/h":      `hash "f" "v" until 432000000`,
		"3/idle":   `string "v" until 0`,
		"15/other": `string "v" until 0`,
		"15/never": `string "v" until 0`,
	})
	v := &store.View{Store: s, DB: 3, Now: now}
	s.LockAll()
	e, _ := v.Peek(s.Key([]byte("idle")))
	if idle := e.IdleSeconds(v); idle != 1000 {
		t.Errorf("idle for %d s, want 1000", idle)
	}
	s.UnlockAll()

	// Without Now nothing is left out.
	s = open(t)
	if sum, err := load(b, s, LoadOptions{Clock: now}); err != nil || sum.Keys != 7 || sum.Expired != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
}

func TestAccessCounter(t *testing.T) {
	lfu := eviction.NewMeter(eviction.Policy{Rule: eviction.LFU}, eviction.Params{LogFactor: 10})
	s, err := store.Open(store.Options{Meter: lfu})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := load(file(10, op(opFreq), byte(77), op(typeString), "k", "v"), s, LoadOptions{Clock: 1e12}); err != nil {
		t.Fatal(err)
	}
	s.LockAll()
	v := &store.View{Store: s, Now: 1e12}
	e, _ := v.Peek(s.Key([]byte("k")))
	if f := e.Frequency(v); f != 77 {
		t.Errorf("access counter is %d, want 77", f)
	}
	s.UnlockAll()
	// And back into a file, when it asks for it.
	if b := save(t, s, Options{Access: true}); !strings.Contains(string(b), "\xf9\x4d\x00\x01k\x01v") {
		t.Errorf("no access counter in %q", b)
	}
	if b := save(t, s, Options{}); strings.Contains(string(b), "\xf9") {
		t.Errorf("an access counter in %q", b)
	}
}

// foreignValues are values of the types that larder does not have, one of each
// form, and the name under which they are counted.
func foreignValues() map[string][]any {
	id := strings.Repeat("i", 16)
	ms := make([]byte, 8)
	group := func(entriesRead []any, active []byte) []any {
		g := append([]any{"group", 5, 6}, entriesRead...)
		g = append(g, 1, []byte(id), ms, 1) // one pending entry
		g = append(g, 1, "alice", ms, active, 1, []byte(id))
		return g
	}
	stream := func(typ int, ids []any, g []any) []any {
		v := []any{op(typ), "k", 1, id, listpack("x"), 1, 5, 6}
		return append(append(append(v, ids...), 1), g...)
	}
	ids := []any{1, 2, 3, 4, 9}
	module := []byte{0x81, 0, 0, 0, 0, 0, 0, 0, 1}
	return map[string][]any{
		"stream/1":               stream(typeStream, nil, group(nil, nil)),
		"stream/2":               stream(typeStream2, ids, group([]any{7}, nil)),
		"stream/3":               stream(typeStream3, ids, group([]any{7}, ms)),
		"AAAAAAAAA/module":       {op(typeModule2), "k", module, 1, 70000, 2, 5, 3, []byte("floa"), 4, ms, 5, "text", 0},
		"AAAAAAAAA/module aux":   {op(opModuleAux), module, 2, 2, 5, "text", 0},
		"function/library":       {op(opFunction), "#!lua name=x"},
		"function/preview":       {op(opFunctionPreGA), "f", "LUA", 1, "described", "code"},
		"function/preview, bare": {op(opFunctionPreGA), "f", "LUA", 0, "code"},
	}
}

func TestUnknownTypes(t *testing.T) {
	for name, parts := range foreignValues() {
		t.Run(name, func(t *testing.T) {
			typ, _, _ := strings.Cut(name, "/")
			before := []any{op(opSelectDB), 2, op(typeString), "before", "v"}
			b := file(12, append(append(before, parts...), op(typeString), "after", "v")...)

			s := open(t)
			_, err := load(b, s, LoadOptions{Now: 1000})
			var u *UnknownTypeError
			if !errors.As(err, &u) || u.Type != typ || u.Key != nil && u.DB != 2 || u.Offset != int64(headSize+len(assemble(nil, before))) {
				t.Fatalf("%#v, %v", u, err)
			}
			if isKey := parts[0].(byte) < numTypes; isKey && string(u.Key) != "k" || !isKey && u.Key != nil {
				t.Errorf("the key is %q", u.Key)
			}

			s = open(t)
			sum, err := load(b, s, LoadOptions{Now: 1000, SkipUnknownTypes: true})
			if err != nil || sum.Keys != 2 || sum.Skipped != 1 || sum.Types[typ] != 1 {
				t.Fatalf("%+v, %v", sum, err)
			}
			compare(t, contents(t, s), map[string]string{
				"2/before": `string "v" until 0`, "2/after": `string "v" until 0`,
			})
			if rep, err := check(b); err != nil || rep.Keys+rep.Libraries+rep.Foreign != 3 {
				t.Errorf("check: %+v, %v", rep, err)
			}
		})
	}
}

// Files that are refused, and what is said of them.
func TestRefused(t *testing.T) {
	tests := []struct {
		name   string
		file   []byte
		reason string
	}{
		{"nothing", nil, "unexpected end of file"},
		{"another kind of file", []byte("#!/bin/sh\necho hello"), "not an RDB file: wrong signature"},
		{"an end of a file of Valkey's", []byte("VALKEY080\xfa\x0avalkey-ver\x059.1.2"), "unexpected end of file"},
		{"too old for Valkey", []byte("VALKEY079................"), "Can't handle RDB format version 79 of Valkey"},
		{"too new for Valkey", []byte("VALKEY081................"), "Can't handle RDB format version 81 of Valkey"},
		{"version of Valkey's", []byte("REDIS0080................"), "Can't handle RDB format version 80 of Redis"},
		{"no version", []byte("REDISxxxx................"), "not an RDB file: the version is no number"},
		{"too old", file(5), "Can't handle RDB format version 5 of Redis"},
		{"too new", file(13), "Can't handle RDB format version 13 of Redis"},
		{"wrong checksum", append(file(10)[:10], "\x01\x00\x00\x00\x00\x00\x00\x00"...), "wrong checksum"},
		{"key twice", file(10, op(typeString), "k", "v", op(typeHash), "k", 1, "f", "v"), `duplicate key "k" in database 0`},
		{"string twice", file(10, op(typeString), "k", "v", op(typeString), "k", "v"), `duplicate key "k" in database 0`},
		{"intset twice", file(10, op(typeString), "k", "v", op(typeSetIntset), "k", intset(2, 1)), `duplicate key "k" in database 0`},
		{"field twice", file(10, op(typeHash), "k", 2, "f", "v", "f", "v"), `duplicate field in hash "k" in database 0`},
		{"field twice in a listpack", file(10, op(typeHashListpack), "k", listpack("f", "v", "f", "v")), `duplicate field in hash "k" in database 0`},
		{"member twice", file(10, op(typeSet), "k", 2, "f", "f"), `duplicate member in set "k" in database 0`},
		{"member of a sorted set twice", file(10, op(typeZset2), "k", 2, "m", uint64(0), "m", uint64(0)), `duplicate member in sorted set "k" in database 0`},
		{"member of an old sorted set twice", file(10, op(typeZset), "k", 2, "m", byte(254), "m", byte(255)), "duplicate member in sorted set"},
		{"member twice in a listpack", file(10, op(typeZsetListpack), "k", listpack("m", "1", "n", "2", "m", "3")), "duplicate member in sorted set"},
		{"member twice in a ziplist", file(10, op(typeZsetZiplist), "k", ziplist("m", "1", "m", "1")), "duplicate member in sorted set"},
		{"list twice", file(10, op(typeString), "k", "v", op(typeList), "k", 1, "v"), `duplicate key "k" in database 0`},
		{"sorted set twice", file(10, op(typeZset2), "k", 1, "m", uint64(0), op(typeZset2), "k", 1, "m", uint64(0)), `duplicate key "k" in database 0`},
		{"database out of range", file(10, op(opSelectDB), 16), "more databases: it selects number 16, which takes databases 17 or more"},
		{"unknown type", file(10, op(60), "k", "v"), `unknown RDB encoding type 60 of key "k" in database 0, in a file of Redis, RDB version 10`},
		{"module preview", file(10, op(typeModulePreGA), "k", "v"), "unknown RDB encoding type 6"},
		{"form of a length", file(10, op(typeString), "k", []byte{0x82, 1, 2, 3}), "unknown form of a length"},
		{"form of a string", file(10, op(typeString), "k", []byte{0xC4, 1, 2, 3}), "unknown form of a string"},
		{"string for a number", file(10, op(typeSet), "k", []byte{0xC0, 1}), "a string stands where a number is expected"},
		{"odd listpack", file(10, op(typeHashListpack), "k", listpack("a", "b", "c")), "a field without a value"},
		{"odd listpack of scores", file(10, op(typeZsetListpack), "k", listpack("a", "1", "c")), "a member without a score"},
		{"odd ziplist of scores", file(10, op(typeZsetZiplist), "k", ziplist("a")), "a member without a score"},
		{"score is text", file(10, op(typeZsetListpack), "k", listpack("a", "b")), "a malformed score"},
		{"score is not a number", file(10, op(typeZsetListpack), "k", listpack("a", "nan")), "a malformed score"},
		{"score of NaN bits", file(10, op(typeZset2), "k", 1, "m", math.Float64bits(math.NaN())), "a score that is not a number"},
		{"score of NaN in text", file(10, op(typeZset), "k", 1, "m", byte(253)), "a score that is not a number"},
		{"old score is text", file(10, op(typeZset), "k", 1, "m", byte(3), []byte("abc")), "a malformed score"},
		{"old score is empty", file(10, op(typeZset), "k", 1, "m", byte(0)), "a malformed score"},
		{"kind of a node", file(10, op(typeListQuicklist2), "k", 1, 3, "x"), "a node of an unknown kind"},
		{"empty plain node", file(10, op(typeListQuicklist2), "k", 1, 1, ""), "a node without a content"},
		{"packed node of text", file(10, op(typeListQuicklist2), "k", 1, 2, "abcdefgh"), "listpack has a wrong length"},
		{"empty string as a node", file(10, op(typeListQuicklist), "k", 1, ""), "ziplist has a wrong length"},
		{"listpack as a ziplist", file(10, op(typeListQuicklist), "k", 1, listpack("abcdefgh")), "ziplist has"},
		{"unsorted intset", file(10, op(typeSetIntset), "k", intset(2, 3, 2)), "intset is not in order"},
		{"double intset", file(10, op(typeSetIntset), "k", intset(2, 3, 3)), "intset is not in order"},
		{"intset of 3 bytes", file(10, op(typeSetIntset), "k", intset(3, 3)), "intset has a bad width"},
		{"TTL without field", file(12, op(typeHashPackTTL), "k", uint64(0), listpack("a", "1")), "a field without a TTL"},
		{"TTL is text", file(12, op(typeHashPackTTL), "k", uint64(0), listpack("a", "1", "x")), "malformed TTL"},
		{"TTL out of range", file(12, op(typeHashTTL), "k", uint64(math.MaxUint64), 1, 1, "a", "b"), "expiry time out of range"},
		{"malformed compression", file(10, op(typeString), "k", []byte{0xC3, 2, 20, 0x40, 0}), "malformed compressed string"},
		{"compression too good", file(10, op(typeString), "k", []byte{0xC3, 2, 0x80, 0, 1, 0, 0, 0x40, 0}), "longer than it can be"},
		{"module part", file(10, op(typeModule2), "k", 1, 9), "unknown part of a module's value"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(test.file, open(t), LoadOptions{Now: 1000, SkipUnknownTypes: true})
			var c *CorruptError
			if !errors.As(err, &c) || !strings.Contains(c.Reason, test.reason) || c.Offset > int64(len(test.file)) {
				t.Errorf("%v, want %q", err, test.reason)
			}
			if strings.Contains(test.name, "twice") || strings.Contains(test.name, "database") {
				return // redis-check-rdb does not look for these either, but for fields and members
			}
			if _, err := check(test.file); !errors.As(err, &c) || !strings.Contains(c.Reason, test.reason) {
				t.Errorf("check: %v, want %q", err, test.reason)
			}
		})
	}
}

// Collections with nothing in them are left out, as Redis does.
func TestEmpty(t *testing.T) {
	b := file(12,
		op(typeSet), "a", 0, op(typeHash), "b", 0, op(typeSetIntset), "c", intset(2), op(typeHashListpack), "d", listpack(),
		op(typeHashZiplist), "e", ziplist(), op(typeHashZipmap), "f", zipmap(0), op(typeSetListpack), "g", listpack(),
		op(typeHashTTL), "h", uint64(0), 0, op(typeList), "i", 0, op(typeListZiplist), "j", ziplist(), op(typeListQuicklist), "k", 0,
		op(typeListQuicklist), "l", 2, ziplist(), ziplist(), op(typeListQuicklist2), "m", 0, op(typeListQuicklist2), "n", 1, 2, listpack(),
		op(typeZset), "o", 0, op(typeZset2), "p", 0, op(typeZsetListpack), "q", listpack(), op(typeZsetZiplist), "r", ziplist(),
		op(typeString), "full", "")
	s := open(t)
	if sum, err := load(b, s, LoadOptions{Now: 1000}); err != nil || sum.Keys != 1 || sum.Empty != 18 {
		t.Fatalf("%+v, %v", sum, err)
	}
	compare(t, contents(t, s), map[string]string{"0/full": `string "" until 0`})
	// A hash whose fields have all expired has expired.
	b = file(12, op(typeHashTTL), "h", uint64(500), 1, 1, "f", "v")
	if sum, err := load(b, open(t), LoadOptions{Now: 1000}); err != nil || sum.Keys != 0 || sum.Expired != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
}

// What follows the end mark is somebody else's: the commands of a log.
func TestStopsAtTheEndMark(t *testing.T) {
	b := file(10, op(typeString), "k", "v")
	n := len(b)
	sum, err := load(append(b, strings.Repeat("*1\r\n$4\r\nPING\r\n", 100)...), open(t), LoadOptions{Clock: 1})
	if err != nil || sum.Bytes != int64(n) || !sum.Checksum {
		t.Fatalf("%+v, %v", sum, err)
	}
}

// faulty is a disk that cannot be read beyond a point.
type faulty struct {
	data []byte
	err  error
}

func (f *faulty) Read(p []byte) (int, error) {
	if len(f.data) == 0 {
		return 0, f.err
	}
	n := copy(p[:min(len(p), 10)], f.data)
	f.data = f.data[n:]
	return n, nil
}

func TestFailedReads(t *testing.T) {
	b := file(10, op(typeString), "k", strings.Repeat("v", 100))
	s := open(t)
	if _, err := Load(&faulty{b, io.EOF}, int64(len(b)), s, LoadOptions{Clock: 1}); err != nil {
		t.Fatal(err)
	}
	empty(s)
	broken := errors.New("broken")
	for n := range b {
		for _, fn := range []func(io.Reader) error{
			func(r io.Reader) error { _, err := Check(r, int64(len(b)), CheckOptions{}); return err },
			func(r io.Reader) error {
				defer empty(s)
				_, err := Load(r, int64(len(b)), s, LoadOptions{Clock: 1})
				return err
			},
		} {
			if err := fn(&faulty{b[:n], broken}); !errors.Is(err, broken) || !strings.Contains(err.Error(), fmt.Sprintf("offset %d:", n)) {
				t.Fatalf("a disk that fails at %d: %v", n, err)
			}
			// A file that is shorter than it was when its size was asked for.
			if err := fn(&faulty{b[:n], io.EOF}); !expected(err, n) {
				t.Fatalf("a file that ends at %d: %v", n, err)
			}
		}
	}
}
