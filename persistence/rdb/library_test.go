package rdb

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// sources are of libraries that take every form of a string: plain, compressed, longer than a block
// of a file, and one that reads as an integer.
func sources() []string {
	return []string{
		"#!lua name=one\nredis.register_function('one', print)",
		"#!lua name=two\n" + strings.Repeat("-- padding\n", 1000),
		"#!lua name=big\n" + strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz~", 3*blockSize/37),
		"12345", "",
	}
}

func TestLibrariesOfAFile(t *testing.T) {
	for _, compress := range []bool{true, false} {
		s := open(t)
		b := save(t, s, Options{Compress: compress, Checksum: true, Libraries: sources()})
		var got []string
		sum, err := load(b, s, LoadOptions{Library: func(source string) error {
			got = append(got, source)
			return nil
		}})
		if err != nil || !slices.Equal(got, sources()) || sum.Libraries != int64(len(got)) {
			t.Errorf("%d libraries, %v", len(got), err)
		}
		if rep, err := check(b); err != nil || rep.Libraries != int64(len(got)) {
			t.Errorf("check: %+v, %v", rep, err)
		}
	}
}

// A library that cannot be loaded ends the load, also where unknown types are left out.
func TestLibraryThatIsRefused(t *testing.T) {
	bad := errors.New("no name")
	b := file(10, op(opSelectDB), 0, op(typeString), "k", "v", op(opFunction), "good", op(opFunction), "bad")
	_, err := load(b, open(t), LoadOptions{SkipUnknownTypes: true, Library: func(source string) error {
		if source == "bad" {
			return bad
		}
		return nil
	}})
	var l *LibraryError
	if !errors.As(err, &l) || l.Offset != int64(bytes.Index(b, []byte("\xf5\x03bad"))) || !errors.Is(err, bad) {
		t.Error(err)
	}
}

func TestPayloadOfLibraries(t *testing.T) {
	collect := func(payload []byte) (got []string, err error) {
		if err := CheckPayload(payload); err != nil {
			return nil, err
		}
		err = EachLibrary(payload, func(source string) error {
			got = append(got, source)
			return nil
		})
		return got, err
	}
	for _, compress := range []bool{true, false} {
		prefix := []byte("prefix")
		payload := AppendLibraries(prefix, sources(), compress)[len(prefix):]
		got, err := collect(payload)
		if err != nil || !slices.Equal(got, sources()) {
			t.Errorf("%d libraries, %v", len(got), err)
		}
		payload[3] ^= 1
		if _, err := collect(payload); !errors.Is(err, ErrPayload) {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		parts []any
		want  error
		n     int
	}{
		{nil, nil, 0},
		{[]any{op(opFunction), "a", op(opFunctionPreGA), "f"}, ErrOldLibrary, 1},
		{[]any{op(opFunction), "a", op(typeString), "k", "v"}, ErrNotLibrary, 1},
		{[]any{op(opFunction), "a", op(opFunction)}, ErrBadFormat, 1},
		{[]any{op(opFunction), 200, "short"}, ErrBadFormat, 0},
		{[]any{op(opFunction), byte(0xFF)}, ErrBadFormat, 0},
	} {
		if got, err := collect(appendFooter(assemble(nil, test.parts), 0, Version)); !errors.Is(err, test.want) || len(got) != test.n {
			t.Errorf("%v: %q, %v", test.parts, got, err)
		}
	}
	stop := errors.New("stop")
	if err := EachLibrary(AppendLibraries(nil, sources(), true), func(string) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}
