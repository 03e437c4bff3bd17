package acl

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
	quoting "github.com/larderkv/larder/words"
)

// commands is a small table: get and set, a container with two subcommands, and one that no rule can
// name.
func commands() *Commands {
	return NewCommands([]Command{
		{"get", -1, 1 | 4}, {"set", -1, 2 | 4}, {"config", -1, 8}, {"config|get", 2, 8 | 16}, {"config|set", 2, 8 | 16}, {"", -1, 4}, {"select", -1, 4},
	}, []string{"read", "write", "fast", "slow", "admin"})
}

func mustSet(t *testing.T, u *Users, name, rules string) *User {
	t.Helper()
	change, err := u.Set(name, strings.Fields(rules))
	if err != nil {
		t.Fatalf("%s: %v", rules, err)
	}
	return change.Record.User()
}

// TestCommandRules: which commands rules allow, and how they are printed.
func TestCommandRules(t *testing.T) {
	for _, test := range []struct{ rules, printed, allowed string }{
		{"", "-@all", ""},
		{"+get", "-@all +get", "get"},
		{"+GET -get", "-@all -get", ""},
		{"+@all", "+@all", "get set config config|get config|set select"},
		{"+@all -config", "+@all -config", "get set select"},
		{"+@all -config +config|get", "+@all -config +config|get", "get set config|get select"},
		{"+config|get +config|set -config", "-@all -config", ""},
		{"+config|get +config", "-@all +config", "config config|get config|set"},
		{"+@read +@write -set", "-@all +@read +@write -set", "get"},
		{"+@read -@read +@READ", "-@all +@read", "get"},
		{"+@slow -@admin", "-@all +@slow -@admin", "config"},
		{"+@admin", "-@all +@admin", "config|get config|set"},
		{"+get +set nocommands +select", "-@all +select", "select"},
		{"-@all +get allcommands -get", "+@all -get", "set config config|get config|set select"},
		{"+select|0 +select|1", "-@all +select|0 +select|1", ""},
		{"+select|0 +select", "-@all +select", "select"},
		// Commands that larder lacks.
		{"+get +XADD -xgroup|help +xgroup|create -geoadd", "-@all +get +xadd -xgroup|help +xgroup|create -geoadd",
			"get"},
		{"+xgroup|create +cluster +xadd -xgroup -xadd +script|debug", "-@all +cluster -xgroup -xadd +script|debug", ""},
		{"+@all -xadd", "+@all -xadd", "get set config config|get config|set select"},
	} {
		users := NewUsers(commands())
		u := mustSet(t, users, "u", test.rules+" ~* &*")
		if got := u.Rights()[0].Commands; got != test.printed {
			t.Errorf("%s: printed as %q, want %q", test.rules, got, test.printed)
		}
		var allowed []string
		for i, c := range users.commands.list {
			if why, _ := u.Check(&Request{Command: i, Args: [][]byte{[]byte("x")}}); why == Allowed && c.Name != "" {
				allowed = append(allowed, c.Name)
			}
		}
		if got := strings.Join(allowed, " "); got != test.allowed {
			t.Errorf("%s: allows %q, want %q", test.rules, got, test.allowed)
		}
	}
}

// TestFirstArguments: a command may be allowed by its first argument.
func TestFirstArguments(t *testing.T) {
	u := mustSet(t, NewUsers(commands()), "u", "+select|0 +select|Max ~* &*")
	for arg, want := range map[string]Denial{"0": Allowed, "MAX": Allowed, "1": DeniedCommand, "00": DeniedCommand, "0\x00x": Allowed} {
		if why, _ := u.Check(&Request{Command: 6, Args: [][]byte{[]byte("select"), []byte(arg)}}); why != want {
			t.Errorf("%q: %v, want %v", arg, why, want)
		}
	}
}

// TestKeysAndChannels: every key and channel has to be allowed by one selector.
func TestKeysAndChannels(t *testing.T) {
	u := mustSet(t, NewUsers(commands()), "u", "+@all ~a* %R~b* %W~c* %R~d %W~d &ch* (+get ~x ~y)")
	ask := func(command int, keys ...string) *Request {
		r := &Request{Command: command, Args: [][]byte{[]byte("name")}}
		for _, k := range keys {
			need := map[byte]Access{'r': Read, 'w': Write, '+': Read | Write, '0': 0}[k[0]]
			r.Args = append(r.Args, []byte(k[1:]))
			r.Keys = append(r.Keys, Key{len(r.Args) - 1, need})
		}
		return r
	}
	for _, test := range []struct {
		r    *Request
		want Denial
		at   int
	}{
		{ask(1, "+a1", "rb1", "wc1", "+d"), Allowed, 0},
		{ask(1, "0b", "0c", "0d"), Allowed, 0},
		{ask(1, "+a1", "wb1"), DeniedKey, 2},
		{ask(1, "rc1"), DeniedKey, 1},
		{ask(1, "0none"), DeniedKey, 1},
		{ask(0, "rx", "+y"), Allowed, 0},
		{ask(1, "rx"), DeniedKey, 1},
		{ask(0, "rx", "ra1"), DeniedKey, 2},
		{&Request{Command: 1, Args: [][]byte{nil, []byte("ch1"), []byte("other")}, Channels: Channels{From: 1, To: 3}}, DeniedChannel, 2},
		{&Request{Command: 1, Args: [][]byte{nil, []byte("ch1")}, Channels: Channels{From: 1, To: 2}}, Allowed, 0},
		{&Request{Command: 1, Args: [][]byte{nil, []byte("ch1")}, Channels: Channels{From: 1, To: 2, Patterns: true}}, DeniedChannel, 1},
		{&Request{Command: 1, Args: [][]byte{nil, []byte("ch*")}, Channels: Channels{From: 1, To: 2, Patterns: true}}, Allowed, 0},
	} {
		if why, at := u.Check(test.r); why != test.want || at != test.at {
			t.Errorf("%q: %v at %d, want %v at %d", test.r.Args, why, at, test.want, test.at)
		}
	}
	if n := testing.AllocsPerRun(100, func() { u.Check(ask0) }); n != 0 {
		t.Errorf("a check allocates %v times", n)
	}
}

var ask0 = &Request{Command: 0, Args: [][]byte{nil, []byte("a1"), []byte("nope")}, Keys: []Key{{1, Read}, {2, Read}}}

// TestRulesRoundTrip: what is printed makes an equal user, of a new one and after reset.
func TestRulesRoundTrip(t *testing.T) {
	for _, rules := range []string{
		"", "on nopass +@all ~* &*", "on >a >b +get ~a %R~b %W~c &x &y", "+select|0 -get skip-sanitize-payload", "(+get ~a) (-@all +@read &* ~*) ~ %RW",
		"on >a <a", "+@all -@admin +config|get (+set %R~x %W~x)", "~* &x (resetchannels +@all -set)",
	} {
		users := NewUsers(commands())
		line := mustSet(t, users, "u", rules).Line()
		if again := mustSet(t, users, "u", strings.TrimPrefix(line, "user u ")+" reset "+strings.TrimPrefix(line, "user u ")).Line(); again != line {
			t.Errorf("%s:\n%s\n%s", rules, line, again)
		}
	}
}

// TestSetIsAllOrNothing: a rule that cannot be applied leaves the user as it was, and makes none.
func TestSetIsAllOrNothing(t *testing.T) {
	users := NewUsers(commands())
	before := mustSet(t, users, "u", "on >a +get ~a")
	for rules, want := range map[string]error{
		"+set nope": errSyntax, "+nope": errUnknown, "-@nope": errUnknown, "~b ~* ~c": errAllKeys, "&* &c": errAllChans, "<b": errPassword, "#12": errDigest,
		"+config|get|x": errFirstArg, "off (+nope)": errUnknown, "%~a": errSyntax, "%": errSyntax, "%RR~a": errSyntax,
		"+get|": errSyntax, "+xgroup|": errUnknown,
	} {
		var at *ModifierError
		if _, err := users.Set("u", strings.Fields(rules)); !errors.Is(err, want) || !errors.As(err, &at) {
			t.Errorf("%s: %v, want %v", rules, err, want)
		}
		if _, err := users.Set("new", strings.Fields(rules)); err == nil || users.Find("new") != nil {
			t.Errorf("%s: %v, and a user was made", rules, err)
		}
	}
	var open *UnmatchedError
	if _, err := users.Set("u", []string{"on", "(+get", "~a"}); !errors.As(err, &open) || open.Rule != "(+get" {
		t.Error(err)
	}
	if _, err := users.Set("a b", nil); !errors.Is(err, ErrName) {
		t.Error(err)
	}
	if users.Find("u").User() != before {
		t.Error("the user has changed")
	}
}

// TestAuthenticate: who gets in by which password.
func TestAuthenticate(t *testing.T) {
	users := NewUsers(commands())
	mustSet(t, users, "one", "on >a >b")
	mustSet(t, users, "off", "off >a")
	mustSet(t, users, "any", "on nopass")
	mustSet(t, users, "none", "on")
	for _, test := range []struct {
		name, password string
		ok             bool
	}{
		{"one", "a", true}, {"one", "b", true}, {"one", "c", false}, {"one", "", false}, {"off", "a", false}, {"any", "x", true}, {"none", "", false},
		{"none", "x", false}, {"nobody", "a", false}, {"", "", false}, {"default", "x", true},
	} {
		if got := users.Authenticate([]byte(test.name), []byte(test.password)) != nil; got != test.ok {
			t.Errorf("%q %q: %v", test.name, test.password, got)
		}
	}
	users.SetDefaultPassword("pw")
	if users.Authenticate([]byte("default"), []byte("x")) != nil || users.Authenticate([]byte("default"), []byte("pw")) == nil {
		t.Error("requirepass does not hold")
	}
}

// TestFile: what is saved is loaded, and one mistake keeps all out.
func TestFile(t *testing.T) {
	users, name := NewUsers(commands()), filepath.Join(t.TempDir(), "users.acl")
	mustSet(t, users, "alice", "on >a +get ~a* (+set ~b)")
	mustSet(t, users, "default", "off")
	record := users.Find("alice")
	if err := users.SaveFile(name); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	want := lines(users)
	mustSet(t, users, "bob", "on")
	mustSet(t, users, "alice", "reset")
	bob := users.Find("bob")
	loaded, err := users.LoadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	users.Replace(loaded)
	if got := lines(users); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if users.Find("alice") != record || !bob.Gone() || record.Gone() {
		t.Error("who is there before and after has not stayed the same")
	}
	broken := "user a on\nuser a off\nnobody\nuser b +nope ~* ~x\nuser c (+get\n"
	if err := os.WriteFile(name, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = users.LoadFile(name)
	for _, part := range []string{
		"WARNING: Duplicate user 'a' found on line 2. ", ":3 should start with user keyword", ":4: Error in applying operation '+nope': Unknown",
		":4: Adding a pattern after", ":5: Unmatched parenthesis in selector definition.WARNING: ACL errors detected",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
}

// TestFileSaysAll: whatever users are like, an aclfile says it, and no rule says anything of others.
func TestFileSaysAll(t *testing.T) {
	rnd, name := randtest.New(t), filepath.Join(t.TempDir(), "users.acl")
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	odd := func() string {
		return pick("", "*", "a", "(a", "a)", `"`, "'a'", `a"b`, `\`, "\xff\x01", "#", "a b", "a\nuser evil on",
			"a\x00")
	}
	rule := func() string {
		return pick("~", "%R~", "%W~", "%RW~", "&", "+get|", "+select|", ">", "") + odd() + pick("", "", "x", ")")
	}
	made := 0
	for range 150 {
		users := NewUsers(commands())
		for range 20 {
			rules := []string{pick("on", "off"), rule(), rule()}
			for range rnd.IntN(3) {
				inner := string(quoting.AppendQuoted([]byte{'('}, rule())) + " " +
					string(quoting.AppendQuoted(nil, rule()))
				rules = append(rules, inner+" +get)", pick("resetkeys", "%RW~*", "-get", "clearselectors"))
			}
			_, _ = users.Set(odd()+pick("", "x"), rules) // those that cannot be are of no interest
		}
		want := users.All()
		made += len(want) - 1
		if err := users.SaveFile(name); err != nil {
			t.Fatal(err)
		}
		loaded, err := users.LoadFile(name)
		if err != nil {
			t.Fatalf("%v\n%s", err, lines(users))
		}
		users.Replace(loaded)
		got := users.All()
		same := func(a, b *User) bool {
			return a.name == b.name && a.Line() == b.Line() && slices.Equal(a.Rights(), b.Rights())
		}
		if !slices.EqualFunc(got, want, same) {
			t.Fatalf("%s\nof %d users", lines(users), len(want))
		}
	}
	if made < 500 {
		t.Errorf("%d users only", made)
	}
}

func lines(u *Users) string {
	var all []string
	for _, user := range u.All() {
		all = append(all, user.Line())
	}
	return strings.Join(all, "\n")
}

// TestLog: like refusals that come close after another are one entry.
func TestLog(t *testing.T) {
	var l Log
	at := time.UnixMilli(1_700_000_000_000)
	add := func(object string, after time.Duration, most int) {
		at = at.Add(after)
		l.Add(Entry{Why: DeniedKey, Object: object, Username: "u", Updated: at, Client: object + at.String()}, most)
	}
	add("a", 0, 3)
	add("b", time.Second, 3)
	add("a", time.Minute-time.Second, 3)
	got := l.Latest(10)
	if len(got) != 2 || got[0].Object != "a" || got[0].Count != 2 || got[0].ID != 0 || got[0].Client != "a"+at.String() || got[0].Created == got[0].Updated {
		t.Errorf("%+v", got[0])
	}
	add("b", time.Minute, 3)
	add("c", 0, 3)
	if got := l.Latest(10); len(got) != 3 || got[0].Object != "c" || got[1].Object != "b" || got[1].Count != 1 || got[2].Object != "a" {
		t.Errorf("%d entries", len(got))
	}
	l.Trim(1)
	add("d", 0, 0)
	if got := l.Latest(10); len(got) != 1 || l.Count(DeniedKey) != 6 {
		t.Errorf("%d entries, %d refusals", len(got), l.Count(DeniedKey))
	}
	if l.Reset(); len(l.Latest(10)) != 0 {
		t.Error("the log is not empty")
	}
}

// TestChangesBesideReaders: users change, go and come while others ask and log in. It is for the race
// detector; what a reader sees must be one of the two states that are published.
func TestChangesBesideReaders(t *testing.T) {
	users := NewUsers(commands())
	mustSet(t, users, "u", "on >a +get ~a")
	record := users.Find("u")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 2000 {
				u := record.User()
				r := &Request{Command: 0, Args: [][]byte{nil, []byte("a")}, Keys: []Key{{1, Read}}}
				if why, _ := u.Check(r); why != Allowed && u.On() {
					t.Error("half of a change was seen")
				}
				users.Authenticate([]byte("u"), []byte("a"))
				users.All()
			}
		})
	}
	for range 1000 {
		for _, rules := range []string{"off -get resetkeys", "on +get ~a"} {
			if _, err := users.Set("u", strings.Fields(rules)); err != nil {
				t.Error(err)
			}
		}
		mustSet(t, users, "other", "on")
		users.Delete("other")
	}
	wg.Wait()
}
