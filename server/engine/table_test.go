package engine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/larderkv/larder/store"
)

func nop(*Ctx) error { return nil }

func mustTable(t testing.TB, specs ...Spec) *Table {
	t.Helper()
	table, err := NewTable(specs)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func words(line string) [][]byte {
	var args [][]byte
	for _, w := range strings.Split(line, " ") {
		args = append(args, []byte(w))
	}
	return args
}

func TestLookup(t *testing.T) {
	table := mustTable(t,
		Spec{Name: "get", Arity: 2, Handler: nop, Keys: []KeySpec{Key(1, RO|Access)}},
		Spec{Name: "host:", Arity: -1, Handler: nop},
		Spec{Name: "client", Arity: -2, Subcommands: []Spec{
			{Name: "id", Arity: 2, Handler: nop}, {Name: "no-evict", Arity: 3, Handler: nop},
		}},
	)
	for _, c := range []struct{ request, want string }{
		{"get", "get"}, {"GeT", "get"}, {"GETT", ""}, {"", ""}, {"HOST:", "host:"}, {"hostZ", ""},
		{"client", "client"}, {"CLIENT ID", "client|id"}, {"client No-Evict on", "client|no-evict"},
		{"client nope", ""}, {"client\x00", ""},
	} {
		got := ""
		if s := table.Resolve(words(c.request)); s != nil {
			got = s.FullName()
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.request, got, c.want)
		}
	}
	seen := make(map[int]string)
	table.Each(func(s *Spec) {
		if other, dup := seen[s.Index()]; dup {
			t.Errorf("%q and %q share index %d", s.FullName(), other, s.Index())
		}
		seen[s.Index()] = s.FullName()
	})
	if len(seen) != table.Len() || table.Len() != 5 {
		t.Errorf("%d rows seen, Len says %d, want 5", len(seen), table.Len())
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table := mustTable(t, Spec{Name: "get", Arity: 2, Handler: nop})
	args := words("GET k")
	if n := testing.AllocsPerRun(100, func() { table.Resolve(args) }); n != 0 {
		t.Errorf("%v allocations per lookup", n)
	}
}

func TestBrokenRows(t *testing.T) {
	for name, specs := range map[string][]Spec{
		"twice":       {{Name: "a", Arity: 1, Handler: nop}, {Name: "a", Arity: 1, Handler: nop}},
		"no arity":    {{Name: "a", Handler: nop}},
		"no handler":  {{Name: "a", Arity: 1}},
		"upper case":  {{Name: "A", Arity: 1, Handler: nop}},
		"key missing": {{Name: "a", Arity: -1, Handler: nop, Keys: []KeySpec{Key(1, RO)}}},
		"both kinds":  {{Name: "a", Arity: 1, Handler: nop, Flags: Write | ReadOnly}},
		"no lock":     {{Name: "a", Arity: 1, Handler: nop, Flags: Write}},
		"syntax":      {{Name: "a", Arity: 1, Handler: nop, Syntax: "[key"}},

		"no lock but of what is no key": {{Name: "a", Arity: 2, Handler: nop, Flags: Write, Keys: []KeySpec{Key(1, NotKey)}}},
		"two fates of a key":            {{Name: "a", Arity: 2, Handler: nop, Keys: []KeySpec{Key(1, RO|RM)}}},
		"no fate of a key":              {{Name: "a", Arity: 2, Handler: nop, Keys: []KeySpec{Key(1, Access)}}},
		"variable without a function":   {{Name: "a", Arity: 2, Handler: nop, Keys: []KeySpec{Key(1, RW|VariableFlags)}}},
		"function without variable": {{Name: "a", Arity: 2, Handler: nop, Keys: []KeySpec{
			Key(1, RW).Depending(func([][]byte) KeyFlags { return RO }),
		}}},
		"other keys than the specs have": {{Name: "a", Arity: 3, Handler: nop, Keys: []KeySpec{Key(1, RW)}, KeysAt: secondToo}},
		"keys without specs":             {{Name: "a", Arity: 3, Handler: nop, KeysAt: secondToo}},
		"keys that nothing finds":        {{Name: "a", Arity: 3, Handler: nop, Keys: []KeySpec{Key(1, RW), UnknownKeys(RO, "")}}},
		"an element without a key":       {{Name: "a", Arity: 3, Handler: nop, Element: 2}},
		"an element of two keys":         {{Name: "a", Arity: 4, Handler: nop, Keys: []KeySpec{Key(1, RO), Key(2, RO)}, Element: 3}},
		"the key as an element":          {{Name: "a", Arity: 3, Handler: nop, Keys: []KeySpec{Key(1, RO)}, Element: 1}},
		"an element that may be missing": {{Name: "a", Arity: -2, Handler: nop, Keys: []KeySpec{Key(1, RO)}, Element: 2}},
	} {
		if _, err := NewTable(specs); err == nil || !strings.HasPrefix(err.Error(), "BUG: ") {
			t.Errorf("%s: got error %v, want a BUG", name, err)
		}
	}
}

func secondToo([][]byte) []KeyAt { return []KeyAt{{1, RO}, {2, RO}} }

func strays(args [][]byte) bool { return len(args) > 2 }

// TestLocksFollowTheKeys: what is locked for a request is what COMMAND GETKEYS says of it.
func TestLocksFollowTheKeys(t *testing.T) {
	st, err := store.Open(store.Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, c := range map[string]struct {
		row  Spec
		lock lockKind
		keys string
	}{
		"one key":                 {Spec{Keys: []KeySpec{Key(1, RO)}}, lockOne, "x"},
		"a function for them":     {Spec{Keys: []KeySpec{Key(1, RO|Incomplete)}, KeysAt: secondToo}, lockKeys, "x y"},
		"keys that no rule finds": {Spec{Keys: []KeySpec{Key(1, RO), UnknownKeys(OW, "")}, KeysAt: secondToo}, lockKeys, "x y"},
		"keys besides":            {Spec{Keys: []KeySpec{Key(1, RO), UnknownKeys(RO, "")}, Strays: strays}, lockStray, "x"},
		"what is no key":          {Spec{Keys: []KeySpec{Key(1, NotKey)}}, lockNone, ""},
		"one key, one no key":     {Spec{Keys: []KeySpec{Key(1, NotKey), Key(2, RW)}}, lockKeys, "y"},
		"one no key, then all":    {Spec{Keys: []KeySpec{Key(1, NotKey)}, Flags: AllShards}, lockAll, ""},
	} {
		c.row.Name, c.row.Arity, c.row.Handler = "a", 3, nop
		s := mustTable(t, c.row).Rows()[0]
		args := words("a x y")
		var found, locked []string
		for _, k := range s.FindKeys(args) {
			found = append(found, string(args[k.Index]))
		}
		for _, k := range s.appendKeys(nil, st, args) {
			locked = append(locked, string(k.Name))
		}
		if got := strings.Join(found, " "); s.lockKind != c.lock || got != c.keys || strings.Join(locked, " ") != got {
			t.Errorf("%s: lock kind %d, want %d; keys %q, locked %q, want %q", name, s.lockKind, c.lock, found, locked, c.keys)
		}
	}
}

func TestKeys(t *testing.T) {
	type want struct {
		Keys              string
		First, Last, Step int
		Movable           bool
	}
	for _, c := range []struct {
		name    string
		arity   int
		specs   []KeySpec
		request string
		want    want
	}{
		{"one", 2, []KeySpec{Key(1, RO)}, "c a", want{"a", 1, 1, 1, false}},
		{"all", -2, []KeySpec{KeyRange(1, -1, 1, RM)}, "c a b c", want{"a b c", 1, -1, 1, false}},
		{"pairs", -3, []KeySpec{KeyRange(1, -1, 2, OW)}, "c a 1 b 2", want{"a b", 1, -1, 2, false}},
		{"odd pairs", -3, []KeySpec{KeyRange(1, -1, 2, OW)}, "c a 1 b", want{"a b", 1, -1, 2, false}},
		{"two", 3, []KeySpec{Key(1, RW), Key(2, OW)}, "c a b", want{"a b", 1, 2, 1, false}},
		{"store", -3, []KeySpec{Key(1, OW), KeyRange(2, -1, 1, RO)}, "c d a b", want{"d a b", 1, -1, 1, false}},
		{"count", -3, []KeySpec{NumKeys(1, RO)}, "c 2 a b LIMIT 1", want{Keys: "a b", Movable: true}},
		{"count zero", -3, []KeySpec{NumKeys(1, RO)}, "c 0 a", want{Movable: true}},
		{"count negative", -3, []KeySpec{NumKeys(1, RO)}, "c -1 a", want{Movable: true}},
		{"count too large", -3, []KeySpec{NumKeys(1, RO)}, "c 9223372036854775807 a", want{Movable: true}},
		{"count with a tail", -3, []KeySpec{NumKeys(1, RO)}, "c +1x a b", want{Keys: "a", Movable: true}},
		{"count no number", -3, []KeySpec{NumKeys(1, RO)}, "c x a", want{Movable: true}},
	} {
		table := mustTable(t, Spec{Name: "c", Arity: c.arity, Handler: nop, Keys: c.specs})
		s, args := table.Rows()[0], words(c.request)
		var keys []string
		for _, k := range s.FindKeys(args) {
			keys = append(keys, string(args[k.Index]))
		}
		got := want{Keys: strings.Join(keys, " "), Movable: s.Flags&MovableKeys != 0}
		got.First, got.Last, got.Step = s.LegacyRange()
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	table := mustTable(t, Spec{Name: "client", Arity: -2, Subcommands: []Spec{{Name: "id", Arity: 2, Handler: nop}}})
	long := strings.Repeat("x", 200)
	for _, c := range []struct{ request, want string }{
		{"foo", "ERR unknown command 'foo', with args beginning with: "},
		{"foo a b", "ERR unknown command 'foo', with args beginning with: 'a' 'b' "},
		{"f\x00oo a\x00b", "ERR unknown command 'f', with args beginning with: 'a' "},
		{long + " " + long + " b", "ERR unknown command '" + long[:128] + "', with args beginning with: '" + long[:128] + "' "},
		{"foo " + long[:120] + " bbbbbbbbb c", "ERR unknown command 'foo', with args beginning with: '" + long[:120] + "' 'bbbbb' "},
		{"Client nope x", "ERR unknown subcommand 'nope'. Try CLIENT HELP."},
	} {
		if got := table.errUnknown(words(c.request)); string(got) != c.want {
			t.Errorf("%q:\n got %q\nwant %q", c.request, got, c.want)
		}
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// TestEqualFold compares with the rule byte by byte, for words of every length and bytes that differ
// from letters by the bit of the case alone.
func TestEqualFold(t *testing.T) {
	const word = "cache.get|WAIT_9@[`{"
	for n := range len(word) + 1 {
		for i := range n {
			for c := range 256 {
				b := []byte(word[:n])
				b[i] = byte(c)
				want := lower(byte(c)) == lower(word[i])
				if got := equalFold(b, word[:n]); got != want {
					t.Errorf("%q, %q: %v", b, word[:n], got)
				}
				if want && endsOf(b).hash() != endsOf([]byte(word[:n])).hash() {
					t.Errorf("%q and %q hash differently", b, word[:n])
				}
				s := Spec{Name: word[:n]}
				s.deriveEnds()
				if got := s.isCalled(b, endsOf(b)); got != want {
					t.Errorf("%q is called %q: %v", s.Name, b, got)
				}
			}
		}
	}
}
