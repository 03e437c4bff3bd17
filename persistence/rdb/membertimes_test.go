package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
)

// uvarints is the times of members as files have them.
func uvarints(times ...uint64) string {
	var b []byte
	for _, n := range times {
		b = binary.AppendUvarint(b, n)
	}
	return string(b)
}

// TestTimesOfMembersInFiles: what stands around a set with times is read as it is written, in however many
// parts; what is not as any server writes it is an error, and the set is not there without its times.
func TestTimesOfMembersInFiles(t *testing.T) {
	set := []any{op(typeSet), "k", 3, "a", "b", "c"}
	dated, times := func(first string) []any { return []any{op(opAux), auxDated, first} }, func(b string) []any { return []any{op(opAux), auxTimes, b} }
	join := func(parts ...[]any) (all []any) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return append(all, op(typeString), "end", "x")
	}
	good := uvarints(1, 0, 301)
	for name, test := range map[string]struct {
		parts []any
		want  string // of the set; "" that the file is refused
	}{
		"as written":              {join(dated("5000"), set, times(good)), `set "a" "" until 5000, "b" "", "c" "" until 5300`},
		"in two parts":            {join(dated("5000"), set, times(good[:1]), times(good[1:])), `set "a" "" until 5000, "b" "", "c" "" until 5300`},
		"cut within a number":     {join(dated("5000"), set, times(good[:3]), times(good[3:])), `set "a" "" until 5000, "b" "", "c" "" until 5300`},
		"some have expired":       {join(dated("900"), set, times(uvarints(1, 0, 301))), `set "b" "", "c" "" until 1200`},
		"times without a set":     {join(set, times(good)), `set "a" "", "b" "", "c" ""`},
		"of a string":             {join(set, dated("5000"), []any{op(typeString), "s", "v"}, times(good)), `set "a" "", "b" "", "c" ""`},
		"no times":                {join(dated("5000"), set), ""},
		"too few":                 {join(dated("5000"), set, times(uvarints(1, 0))), ""},
		"too many":                {join(dated("5000"), set, times(uvarints(1, 0, 301, 1))), ""},
		"empty":                   {join(dated("5000"), set, times("")), ""},
		"ends in a number":        {join(dated("5000"), set, times(uvarints(1, 0)+"\x80")), ""},
		"a number of 11 bytes":    {join(dated("5000"), set, times(uvarints(1, 0)+strings.Repeat("\xff", 10)+"\x01")), ""},
		"beyond the end of time":  {join(dated("5000"), set, times(uvarints(1, 0, math.MaxInt64))), ""},
		"larger than an int64":    {join(dated("5000"), set, times(uvarints(1, 0, math.MaxUint64))), ""},
		"first time not a number": {join(dated("soon"), set, times(good)), ""},
		"first time 0":            {join(dated("0"), set, times(good)), ""},
		"first time below 0":      {join(dated("-5"), set, times(good)), ""},
		"first time too large":    {join(dated("9223372036854775808"), set, times(good)), ""},
		"first time empty":        {join(dated(""), set, times(good)), ""},
		"last possible first":     {join(dated("9223372036854775807"), set, times(uvarints(0, 0, 2))), ""},
		"a set that ends early":   {[]any{op(opAux), auxDated, "5000", op(typeSet), "k", 9, "a", "b", op(opAux), auxTimes, good}, ""},
	} {
		s := open(t)
		_, err := load(file(12, test.parts...), s, LoadOptions{Now: 1000})
		got := contents(t, s)["0/k"]
		switch {
		case test.want == "":
			if err == nil || got != "" {
				t.Errorf("%s: %v, %s", name, err, got)
			}
		case err != nil || got != test.want+" until 0":
			t.Errorf("%s: %v, %s", name, err, got)
		}
		if _, bad := check(file(12, test.parts...)); test.want != "" && bad != nil {
			t.Errorf("%s: the check says %v", name, bad)
		}
	}
	whole := file(12, join(dated("5000"), set, times(good))...)
	for n, s := 0, open(t); n < len(whole)-9; n++ { // within it, each beginning is a torn file
		s.FlushLocked(0, 1000)
		if _, err := load(whole[:n], s, LoadOptions{Now: 1000}); err == nil {
			t.Fatalf("the first %d bytes are loaded", n)
		}
	}
}

// TestTimesOfMembersInPayloads: RESTORE refuses what no DUMP has made, and changes nothing then.
func TestTimesOfMembersInPayloads(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1000}
	s.LockAll()
	defer s.UnlockAll()
	k := s.Key([]byte("restored"))
	first := func(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }
	set := assemble(nil, []any{op(typeSet), 3, "a", "b", "c"})
	payload := func(value []byte, tail string) []byte { return footer(Version, append(bytes.Clone(value), tail...)...) }
	good := trailerMagic + first(5000) + uvarints(1, 0, 301)
	if err := restorePayload(v, k, payload(set, good)); err != nil {
		t.Fatal(err)
	}
	e, _ := v.Peek(k)
	if got := describe(t, &e); got != `set "a" "" until 5000, "b" "", "c" "" until 5300` {
		t.Errorf("restored as %s", got)
	}
	v.Delete(k)
	bad := map[string]string{
		"too few": trailerMagic + first(5000) + uvarints(1, 0), "too many": good + "\x00", "a torn number": good + "\x80",
		"first time 0": trailerMagic + first(0) + uvarints(1, 0, 301), "below 0": trailerMagic + first(1<<63) + uvarints(1, 0, 301),
		"beyond the end": trailerMagic + first(5000) + uvarints(1, 0, math.MaxInt64), "no first time": trailerMagic + "1234567",
		"no times": trailerMagic + first(5000),
	}
	for n := len(trailerMagic); n < len(good); n++ {
		bad["cut at "+string(rune('a'+n-len(trailerMagic)))] = good[:n]
	}
	for name, tail := range bad {
		if err := restorePayload(v, k, payload(set, tail)); !errors.Is(err, ErrBadFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if e, there := v.Peek(k); there {
			t.Errorf("%s: there is %s", name, describe(t, &e))
		}
	}
	// A long set is read in pieces.
	parts, times := []any{op(typeSet), 5000}, make([]uint64, 5000)
	for i := range times {
		parts = append(parts, "member:"+string(binary.BigEndian.AppendUint32(nil, uint32(i))))
		times[i] = uint64(i % 3)
	}
	long, tail := assemble(nil, parts), trailerMagic+first(5000)+uvarints(times...)
	for name, p := range map[string][]byte{
		"too few": payload(long, tail[:len(tail)-1]), "too many": payload(long, tail+"\x00"),
		"members too few": payload(append(assemble(nil, []any{op(typeSet), 5001}), long[3:]...), tail),
	} {
		err := restorePayload(v, k, p)
		if e, there := v.Peek(k); err == nil || there {
			t.Errorf("a long set with %s: %v, there is %.200s", name, err, describe(t, &e))
		}
	}
	if err := restorePayload(v, k, payload(long, tail)); err != nil {
		t.Error(err)
	}
	v.Delete(k)
	// What stands behind another value is passed over, as by Redis.
	for want, value := range map[string][]any{`string "v"`: {op(typeString), "v"}, `hash "f" "v"`: {op(typeHash), 1, "f", "v"}} {
		err := restorePayload(v, k, payload(assemble(nil, value), good))
		if e, there := v.Peek(k); err != nil || !there || describe(t, &e) != want {
			t.Errorf("times behind %s: %v", want, err)
		}
		v.Delete(k)
	}
}
