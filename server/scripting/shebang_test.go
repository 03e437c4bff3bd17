package scripting

import (
	"slices"
	"testing"

	"github.com/larderkv/larder/server/engine"
)

// What redis-server 7.0.15 says of first lines.
func TestParseScript(t *testing.T) {
	for _, test := range []struct {
		source string
		flags  engine.ScriptFlags
		code   string
		err    string
	}{
		{"return 1", engine.NoShebang, "return 1", ""},
		{"  #!lua\nreturn 1", engine.NoShebang, "  #!lua\nreturn 1", ""},
		{"#\nreturn 1", engine.NoShebang, "#\nreturn 1", ""},
		{"#!lua\nreturn 1", 0, "\nreturn 1", ""},
		{"#!\"lua\" flags=\nx", 0, "\nx", ""},
		{"#!lua flags=no-writes,allow-oom flags=no-cluster\nx",
			engine.NoWrites | engine.AllowOOM | engine.NoCluster, "\nx", ""},
		{"#!lua \"flags=allow-stale\"\r\nx\ny", engine.AllowStale, "\nx\ny", ""},
		{"#!", 0, "", "ERR Invalid script shebang"},
		{"#!lua\x00\nx", 0, "", "ERR Invalid script shebang"},
		{"#!\nx", 0, "", "ERR Unexpected engine in script shebang: #!"},
		{"#! lua\nx", 0, "", "ERR Unexpected engine in script shebang: #!"},
		{"#!LUA\nx", 0, "", "ERR Unexpected engine in script shebang: #!LUA"},
		{"#!lua \"flags=x\nx", 0, "", "ERR Invalid engine in script shebang"},
		{"#!lua name=a\nx", 0, "", "ERR Unknown lua shebang option: name=a"},
		{"#!lua Flags=no-writes\nx", 0, "", "ERR Unknown lua shebang option: Flags=no-writes"},
		{"#!lua flags=,\nx", 0, "", "ERR Unexpected flag in script shebang: "},
		{"#!lua flags=No-writes\nx", 0, "", "ERR Unexpected flag in script shebang: No-writes"},
		{"#!lua flags=\"a\\x00b\"\nx", 0, "", "ERR Unexpected flag in script shebang: a"},
	} {
		flags, code, err := ParseScript(test.source)
		if said := text(err); flags != test.flags && err == nil || code != test.code || said != test.err {
			t.Errorf("%q: flags %b, code %q, %s", test.source, flags, code, said)
		}
	}
}

func TestParseLibrary(t *testing.T) {
	const badName = "ERR Library names can only contain letters, numbers, or underscores(_) " +
		"and must be at least one character long"
	for _, test := range []struct{ source, name, err string }{
		{"#!lua name=a\ncode", "a", ""},
		{"#!LUA NAME=A_9\r\ncode", "A_9", ""},
		{"#!l\"ua\" \"name=a\"\ncode", "a", ""},
		{"", "", "ERR Missing library metadata"},
		{"#", "", "ERR Missing library metadata"},
		{"#!", "", "ERR Invalid library metadata"},
		{"#!lua name=a\x00\ncode", "", "ERR Invalid library metadata"},
		{"#!lua \"name=a\ncode", "", "ERR Invalid library metadata"},
		{"#!\ncode", "", "ERR Library name was not given"},
		{"#!lua\ncode", "", "ERR Library name was not given"},
		{"#! lua\ncode", "", "ERR Invalid metadata value given: lua"},
		{"#!lua name=a x\ncode", "", "ERR Invalid metadata value given: x"},
		{"#!lua name=a name=b\ncode", "", "ERR Invalid metadata value, name argument was given multiple times"},
		{"#!lua name=\ncode", "", badName},
		{"#!lua name=a-b\ncode", "", badName},
		{"#!js name=a-b\ncode", "", badName},
		{"#!lua name=\"a\\x00b\"\ncode", "", badName},
		{"#!js name=a\ncode", "", "ERR Engine 'js' not found"},
	} {
		name, code, err := parseLibrary(test.source)
		said := text(err)
		if name != test.name || said != test.err || err == nil && code != "\ncode" {
			t.Errorf("%q: name %q, code %q, %s", test.source, name, code, said)
		}
	}
}

func TestFlagNames(t *testing.T) {
	got := (engine.NoWrites | engine.AllowCrossSlotKeys | engine.NoShebang).Names()
	if !slices.Equal(got, []string{"no-writes", "allow-cross-slot-keys"}) {
		t.Error(got)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
