package storm

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/larderkv/larder/tests/harness"
)

// Requests, made from what the server says of its own commands (COMMAND DOCS). Values are chosen so
// that they often meet: few keys, of all types, few members, and the numbers at which things turn.

// command is one that clients send: a name, or two for a subcommand, and the grammar of the rest.
type command struct {
	words []string
	args  []argument
}

// argument is one of COMMAND DOCS.
type argument struct {
	kind, token                       string
	optional, multiple, multipleToken bool
	args                              []argument
}

// spared are commands that the storm leaves out, each with its reason.
var spared = map[string]string{
	"shutdown":       "would end the server",
	"client|kill":    "would disconnect the client that behaves",
	"client|pause":   "would hold it up for as long as a random number says",
	"config|set":     "would change what the test counts on: limits, password, clients",
	"config|rewrite": "writes a file, once for all",
	"migrate":        "would speak to whoever listens at a random address",
	"acl|setuser":    "would take away the rights of the client that behaves",
	"acl|deluser":    "likewise",
	"acl|load":       "likewise",
	"replicaof":      "would follow whoever listens at a random address",
	"slaveof":        "likewise",
	"failover":       "likewise",
	"module|load":    "runs a file",
	"module|loadex":  "likewise",
	"debug":          "is for tests that know what they do",
}

// commands reads all of them.
func commands(t *testing.T, s *harness.Server) []command {
	t.Helper()
	c := s.Dial(t)
	defer func() { _ = c.Close() }() // all has been read
	docs := c.Do("COMMAND", "DOCS")
	var all []command
	var add func(name string, doc harness.Reply)
	add = func(name string, doc harness.Reply) {
		if spared[name] != "" {
			return
		}
		fields := doc.Fields()
		if subs, ok := fields["subcommands"]; ok {
			for i := 0; i+1 < len(subs.Elems); i += 2 {
				add(subs.Elems[i].Text, subs.Elems[i+1])
			}
			return
		}
		all = append(all, command{strings.Split(strings.ToUpper(name), "|"), arguments(fields["arguments"])})
	}
	for i := 0; i+1 < len(docs.Elems); i += 2 {
		add(docs.Elems[i].Text, docs.Elems[i+1])
	}
	if len(all) < 150 {
		t.Fatalf("COMMAND DOCS has only %d commands", len(all))
	}
	return all
}

func arguments(r harness.Reply) (all []argument) {
	for _, e := range r.Elems {
		fields := e.Fields()
		a := argument{kind: fields["type"].Text, token: fields["token"].Text, args: arguments(fields["arguments"])}
		for _, flag := range fields["flags"].Elems {
			a.optional = a.optional || flag.Text == "optional"
			a.multiple = a.multiple || flag.Text == "multiple"
			a.multipleToken = a.multipleToken || flag.Text == "multiple_token"
		}
		all = append(all, a)
	}
	return all
}

// poet makes requests.
type poet struct {
	rnd      *rand.Rand
	commands []command
}

func (p *poet) one(from ...string) string { return from[p.rnd.IntN(len(from))] }

// request is a command of any kind; one in ten is spoilt.
func (p *poet) request() []string {
	c := p.commands[p.rnd.IntN(len(p.commands))]
	words := p.grow(append([]string{}, c.words...), c.args)
	switch p.rnd.IntN(30) {
	case 0:
		words = words[:1+p.rnd.IntN(len(words))]
	case 1:
		words = append(words, p.value("string"))
	case 2:
		if i := p.rnd.IntN(len(words)); i >= len(c.words) { // the name decides whether it is spared
			words[i] = p.value("string")
		}
	}
	return words
}

// grow adds arguments by their grammar.
func (p *poet) grow(words []string, args []argument) []string {
	for _, a := range args {
		if a.optional && p.rnd.IntN(3) > 0 {
			continue
		}
		times := 1
		if a.multiple {
			times += p.rnd.IntN(4)
		}
		for i := range times {
			if a.token != "" && (i == 0 || a.multipleToken) {
				words = append(words, a.token)
			}
			words = p.growOne(words, a)
		}
	}
	return words
}

func (p *poet) growOne(words []string, a argument) []string {
	switch a.kind {
	case "pure-token":
		return words
	case "oneof":
		return p.grow(words, a.args[p.rnd.IntN(len(a.args)):][:1])
	case "block":
		return p.grow(words, a.args)
	}
	return append(words, p.value(a.kind))
}

// value is an argument of a type.
func (p *poet) value(kind string) string {
	switch kind {
	case "key":
		return "k" + strconv.Itoa(p.rnd.IntN(40))
	case "integer", "unix-time":
		return p.one("0", "1", "2", "3", "10", "100", "-1", "-2", "1000000", strconv.Itoa(math.MaxInt64),
			strconv.Itoa(math.MinInt64), "4294967296", "x")
	case "double":
		return p.one("0", "0.5", "1", "-1.5", "1e300", "inf", "-inf", "nan", "3.0e2x", "0.01")
	case "pattern":
		return p.one("*", "k*", "k[0-9]", "?1", "[", `\`, strings.Repeat("*a", 50), "nothing")
	}
	switch p.rnd.IntN(40) {
	case 0:
		return strings.Repeat("x", p.rnd.IntN(200_000))
	case 1:
		return "\x00\xff\r\n$-1"
	case 2, 3, 4, 5:
		return p.one(scripts...)
	case 6, 7, 8:
		return p.value("integer")
	case 9, 10:
		return p.one("(1", "[a", "-", "+", "0-0", "$", ">", "1-1", "0")
	case 11, 12:
		return p.value("key")
	}
	return p.one("a", "b", "c", "d", "f1", "f2", "lib", "fun", "default", "")
}

// scripts are for EVAL, FUNCTION LOAD and wherever else a string is asked for.
var scripts = []string{
	"return redis.call('GET', KEYS[1])",
	"return redis.call(unpack(ARGV))",
	"return redis.pcall('LPUSH', KEYS[1], unpack(ARGV))",
	"local t = {} for i = 1, 2e5 do t[i] = i end return #t",
	"local s = 'x' for i = 1, 40 do s = s .. s end return s",
	"for i = 1, 1e6 do end return redis.call('SET', 'k' .. math.random(40), 'v')",
	"return redis.call('KEYS', '*')",
	"while true do end",
	"local function f() return f() + 1 end return f()",
	"return cjson.decode(ARGV[1])",
	"return string.rep('ab', 1e5):gsub('a', '%0%0')",
	"error({})",
	"return {1, {2, {3, {4, 'five', false, 3.5}}}}",
	"syntax error here",
	"#!lua name=lib\nredis.register_function('fun', function(keys, args) return #keys end)",
	"#!lua name=lib2\nlocal n = {} redis.register_function{function_name='fun2', callback=function(k) n[#n + 1] = k return #n end, flags={'no-writes'}}",
}

// broken are requests that are none: each ends what its connection may say.
var broken = []string{
	"*-10\r\n", "*1000000000\r\n", "*9223372036854775807\r\n", "*1\r\n$-2\r\n", "*1\r\n$2000000000\r\n",
	"*2\r\n$3\r\nGET\r\n:1\r\n",
	"*1\r\n$4\r\nPINGxx", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"\"unbalanced quotes\r\n", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\nshort", "*\r\n", "$5\r\nhello\r\n",
	"\x00\x00\x00\r\n", "*1\n$4\nPING\n",
	"*100\r\n*100\r\n*100\r\n", "%1\r\n+a\r\n+b\r\n", ">1\r\n+x\r\n", "*1\r\n$0\r\n\r\n",
}
