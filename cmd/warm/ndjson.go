package warm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/larderkv/larder/store"
)

// ndjson has a key per line: {"key": bytes, "type": name, "value": ..., "ttl_ms": number}.
type ndjson struct {
	*input
	number int64 // of the line
	items  [][]byte
	names  map[string]int // of a collection, with where they stand
}

// typeNames are those of TYPE.
var typeNames = [...]string{
	store.TypeString: "string", store.TypeList: "list",
	store.TypeSet: "set", store.TypeHash: "hash", store.TypeZset: "zset",
}

func typeOf(name []byte) (store.Type, error) {
	for typ, n := range typeNames {
		if string(name) == n {
			return store.Type(typ), nil
		}
	}
	return 0, fmt.Errorf("the type %q is none of string, list, set, hash and zset", clip(string(name)))
}

func (n *ndjson) next(r *record) error {
	for {
		line, err := n.line()
		n.number++
		switch {
		case errors.Is(err, errTooLong):
			return n.bad(err)
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case len(bytes.TrimSpace(line)) == 0 && err != nil:
			return io.EOF
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		*r = record{end: n.at, line: n.number, items: n.items[:0]}
		if err := n.parse(r, line); err != nil {
			return n.bad(err)
		}
		n.items = r.items
		return nil
	}
}

func (n *ndjson) bad(err error) error {
	return &badRecord{fmt.Sprintf("line %d", n.number), "broken line: " + err.Error()}
}

// parse takes a line apart. The value is read last, since the type may stand behind it.
func (n *ndjson) parse(r *record, line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("it is not UTF-8: give bytes as base64")
	}
	s := scanner{b: line}
	var seen struct{ key, typ, value, ttl bool }
	value := 0
	s.sequence('{', '}', func() {
		name := string(s.str())
		s.expect(':')
		again := false
		switch name {
		case "key":
			again, seen.key = seen.key, true
			r.key = s.bytes()
		case "type":
			again, seen.typ = seen.typ, true
			if typ, err := typeOf(s.str()); err != nil {
				s.fail("%w", err)
			} else {
				r.typ = typ
			}
		case "value":
			again, seen.value = seen.value, true
			s.peek()
			value = s.i
			s.skip(deepest)
		case "ttl_ms":
			again, seen.ttl = seen.ttl, true
			r.ttl = s.lifetime()
		default:
			s.fail("%q is none of key, type, value and ttl_ms", clip(name))
		}
		if again {
			s.fail("%q stands there twice", name)
		}
	})
	if s.err == nil && s.peek() != 0 {
		s.unexpected("the end of the line")
	}
	if s.err == nil && (!seen.key || !seen.value) {
		s.fail("key or value is missing")
	}
	if s.err != nil {
		return s.err
	}
	v := scanner{b: line, i: value}
	if v.value(r); v.err != nil {
		return v.err
	}
	return n.distinct(r)
}

// lifetime reads milliseconds, or null.
func (s *scanner) lifetime() int64 {
	if s.peek() == 'n' {
		s.skip(1)
		return 0
	}
	ttl, err := strconv.ParseInt(string(s.number()), 10, 64)
	if s.err == nil && (err != nil || ttl <= 0 || ttl > longestTTL) {
		s.fail("ttl_ms is no number of milliseconds above 0")
	}
	return ttl
}

// longestTTL is ten thousand years: servers refuse times that pass 64 bits.
const longestTTL = 10_000 * 365 * 24 * 3600 * 1000

// distinct leaves one of each name, of a hash and a sorted set the last, as the commands for them
// would.
func (n *ndjson) distinct(r *record) error {
	stride := 1
	switch r.typ {
	case store.TypeString:
		return nil
	case store.TypeHash, store.TypeZset:
		stride = 2
	}
	if len(r.items) == 0 {
		return errors.New("the collection is empty")
	}
	if r.typ == store.TypeList || len(r.items) == stride {
		return nil
	}
	if n.names == nil || len(n.names) > 1<<16 {
		n.names = map[string]int{}
	}
	clear(n.names)
	kept := r.items[:0]
	for i := 0; i < len(r.items); i += stride {
		if at, again := n.names[string(r.items[i])]; again {
			kept[at+stride-1] = r.items[i+stride-1]
			continue
		}
		n.names[string(r.items[i])] = len(kept)
		kept = append(kept, r.items[i:i+stride]...)
	}
	r.items = kept
	return nil
}
