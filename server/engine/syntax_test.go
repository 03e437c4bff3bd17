package engine

import (
	"fmt"
	"strings"
	"testing"
)

// show prints an argument tree in one line: name:type, with token=, ? for
// optional, * for multiple, ** for a repeated token.
func show(args []Arg) string {
	var parts []string
	for _, a := range args {
		s := a.Name + ":" + a.Type
		if a.Token != "" {
			s = a.Token + "=" + s
		}
		if len(a.Args) > 0 {
			s += "(" + show(a.Args) + ")"
		}
		if a.Optional {
			s += "?"
		}
		if a.Multiple {
			s += "*"
		}
		if a.MultipleToken {
			s += "*"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func TestParseSyntax(t *testing.T) {
	for syntax, want := range map[string]string{
		"":                                    "",
		"key":                                 "key:key",
		"key increment=double":                "key:key increment:double",
		"key [key ...]":                       "key:key*",
		"key value [key value ...]":           "key-value:block(key:key value:string)*",
		"[section [section ...]]":             "section:string?*",
		"numkeys key [key ...] [LIMIT limit]": "numkeys:integer key:key* LIMIT=limit:integer?",
		"<ON | OFF>":                          "on-or-off:oneof(ON=on:pure-token OFF=off:pure-token)",
		"[NX | XX] [GET]":                     "nx-or-xx:oneof(NX=nx:pure-token XX=xx:pure-token)? GET=get:pure-token?",
		"[AUTH username password]":            "AUTH=auth:block(username:string password:string)?",
		"[ID client-id [client-id ...]]":      "ID=id:block(client-id:integer*)?",
		"[PREFIX prefix [PREFIX prefix ...]]": "PREFIX=prefix:string?**",
		"[TYPE <NORMAL | PUBSUB>]":            "TYPE=normal-or-pubsub:oneof(NORMAL=normal:pure-token PUBSUB=pubsub:pure-token)?",
		"[protover [AUTH user password]]":     "protover-auth:block(protover:integer AUTH=auth:block(user:string password:string)?)?",
		"[EX seconds | PXAT unix-time-milliseconds | KEEPTTL]": "seconds-or-unix-time-milliseconds-or-keepttl:oneof(" +
			"EX=seconds:integer PXAT=unix-time-milliseconds:unix-time KEEPTTL=keepttl:pure-token)?",
	} {
		args, err := ParseSyntax(syntax)
		if got := show(args); err != nil || got != want {
			t.Errorf("%s\n got %s, %v\nwant %s", syntax, got, err, want)
		}
	}
	for _, bad := range []string{"[key", "key]", "<a | >", "[...]", "a [b ...]", "|", "[ | a]", "a > b", "A <B c>", "A <b"} {
		if args, err := ParseSyntax(bad); err == nil {
			t.Errorf("%s: got %s and no error", bad, show(args))
		}
	}
}

func ExampleParseSyntax() {
	args, err := ParseSyntax("key [count [WITHVALUES]]")
	fmt.Println(show(args), err)
	// Output: key:key count-withvalues:block(count:integer WITHVALUES=withvalues:pure-token?)? <nil>
}
