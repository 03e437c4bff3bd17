// The syntax line of a row, read into the argument tree of COMMAND DOCS.
//
// redis.io prints a command's arguments as
//
//	key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]
//	numkeys key [key ...] [LIMIT limit]
//	<ON | OFF | SKIP>
//
// A word in capitals is a token, any other the name of a value; brackets hold
// what is optional, angles group, bars separate alternatives, and "[x ...]" after
// an x says that x may be repeated. A token takes the values that follow it in
// its group. Types of values are not in redis.io's lines; they follow from the
// names, which it uses consistently. Where they do not, the row writes
// "name=type".

package engine

import (
	"fmt"
	"strings"
)

// Arg is one argument, with the fields COMMAND DOCS prints.
type Arg struct {
	Name          string
	Type          string // string, integer, double, key, pattern, unix-time, pure-token, oneof, block
	Token         string
	Optional      bool
	Multiple      bool
	MultipleToken bool
	Args          []Arg // of a oneof or a block
}

// ParseSyntax reads a syntax line.
func ParseSyntax(syntax string) ([]Arg, error) {
	p := &syntaxParser{words: splitSyntax(syntax)}
	args, err := p.sequence()
	if err != nil {
		return nil, fmt.Errorf("syntax %q: %w", syntax, err)
	}
	if p.pos < len(p.words) {
		return nil, fmt.Errorf("syntax %q: unexpected %q", syntax, p.words[p.pos])
	}
	return args, nil
}

// splitSyntax cuts a line into words and the marks [ ] < > | each on its own.
func splitSyntax(s string) []string {
	for _, mark := range []string{"[", "]", "<", ">", "|"} {
		s = strings.ReplaceAll(s, mark, " "+mark+" ")
	}
	return strings.Fields(s)
}

type syntaxParser struct {
	words []string
	pos   int
}

func (p *syntaxParser) peek() string {
	if p.pos == len(p.words) {
		return ""
	}
	return p.words[p.pos]
}

// sequence reads arguments up to a closing mark, a bar or the end.
func (p *syntaxParser) sequence() ([]Arg, error) {
	var args []Arg
	for {
		switch w := p.peek(); {
		case w == "" || w == "]" || w == ">" || w == "|" || w == "...":
			return args, nil
		case w == "[" || w == "<":
			next, err := p.group(args)
			if err != nil {
				return nil, err
			}
			args = next
		case isToken(w):
			p.pos++
			next, err := p.token(w)
			if err != nil {
				return nil, err
			}
			args = append(args, next)
		default:
			p.pos++
			args = append(args, value(w))
		}
	}
}

// token reads the values that belong to a token: names, or one choice in angles.
func (p *syntaxParser) token(token string) (Arg, error) {
	if p.peek() == "<" {
		choice, err := p.group(nil)
		if err != nil {
			return Arg{}, err
		}
		if len(choice) != 1 || choice[0].Token != "" {
			return Arg{}, fmt.Errorf("%q is followed by no choice", token)
		}
		choice[0].Token = token
		return choice[0], nil
	}
	var values []Arg
	for w := p.peek(); w != "" && !isMark(w) && !isToken(w); w = p.peek() {
		p.pos++
		values = append(values, value(w))
	}
	switch len(values) {
	case 0:
		return Arg{Name: strings.ToLower(token), Type: "pure-token", Token: token}, nil
	case 1:
		values[0].Token = token
		return values[0], nil
	}
	return Arg{Name: strings.ToLower(token), Type: "block", Token: token, Args: values}, nil
}

// group reads "[...]" or "<...>" and appends it to the arguments before it, or
// marks those as repeatable where the group says so.
func (p *syntaxParser) group(before []Arg) ([]Arg, error) {
	open := p.words[p.pos]
	p.pos++
	var alternatives [][]Arg
	for {
		seq, err := p.sequence()
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, seq)
		if p.peek() != "|" {
			break
		}
		p.pos++
	}
	repeat := p.peek() == "..."
	if repeat {
		p.pos++
	}
	closing := map[string]string{"[": "]", "<": ">"}[open]
	if p.peek() != closing {
		return nil, fmt.Errorf("%q is not closed", open)
	}
	p.pos++
	if repeat && len(alternatives) == 1 {
		return repeated(before, alternatives[0])
	}
	arg, err := combine(alternatives)
	if err != nil {
		return nil, err
	}
	arg.Optional = arg.Optional || open == "["
	arg.Multiple = arg.Multiple || repeat
	return append(before, arg), nil
}

// repeated marks the last len(again) arguments as repeatable.
func repeated(before, again []Arg) ([]Arg, error) {
	n := len(before) - len(again)
	if n < 0 || len(again) == 0 {
		return nil, fmt.Errorf("nothing to repeat")
	}
	if block := before[len(before)-1]; block.Token != "" && len(again) < len(block.Args) { // the last values of a token
		var err error
		block.Args, err = repeated(block.Args, again)
		return append(before[:len(before)-1:len(before)-1], block), err
	}
	for i := range again {
		if again[i].Name != before[n+i].Name {
			return nil, fmt.Errorf("%q repeats %q", again[i].Name, before[n+i].Name)
		}
	}
	last := before[n]
	switch {
	case len(again) > 1:
		last = Arg{Name: blockName(again), Type: "block", Multiple: true, Args: append([]Arg(nil), before[n:]...)}
	case last.Token != "" && again[0].Token == "": // the token stands once, before all values
		token := last.Token
		last.Token, last.Multiple = "", true
		last = Arg{Name: strings.ToLower(token), Type: "block", Token: token, Args: []Arg{last}}
	default:
		last.Multiple, last.MultipleToken = true, last.Token != ""
	}
	return append(before[:n:n], last), nil
}

// combine makes one argument of the alternatives in a group.
func combine(alternatives [][]Arg) (Arg, error) {
	var choices []Arg
	for _, seq := range alternatives {
		switch len(seq) {
		case 0:
			return Arg{}, fmt.Errorf("an alternative is empty")
		case 1:
			choices = append(choices, seq[0])
		default:
			choices = append(choices, Arg{Name: blockName(seq), Type: "block", Args: seq})
		}
	}
	if len(choices) == 1 {
		return choices[0], nil
	}
	names := make([]string, len(choices))
	for i := range choices {
		names[i] = choices[i].Name
	}
	return Arg{Name: strings.Join(names, "-or-"), Type: "oneof", Args: choices}, nil
}

func blockName(args []Arg) string {
	names := make([]string, len(args))
	for i := range args {
		names[i] = args[i].Name
	}
	return strings.Join(names, "-")
}

func isMark(w string) bool { return len(w) == 1 && strings.ContainsAny(w, "[]<>|") || w == "..." }

// isToken tells a token from a name: it has a capital letter or none at all.
func isToken(w string) bool { return strings.ToUpper(w) == w }

func value(word string) Arg {
	name, typ, given := strings.Cut(word, "=")
	if !given {
		typ = valueType(name)
	}
	return Arg{Name: name, Type: typ}
}

// valueType derives the type of a value from its name.
func valueType(name string) string {
	switch name {
	case "key", "key1", "key2", "newkey", "source", "destination":
		return "key"
	case "pattern":
		return "pattern"
	case "numkeys", "count", "seconds", "milliseconds", "limit", "offset", "start", "end", "stop", "index",
		"index1", "index2", "cursor", "db", "destination-db", "decrement", "min-match-len", "len", "protover",
		"client-id", "maxage", "samples", "increment":
		return "integer"
	}
	if strings.HasPrefix(name, "unix-time") {
		return "unix-time"
	}
	return "string"
}
