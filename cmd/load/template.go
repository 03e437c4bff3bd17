package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/words"
)

// A template is a command with holes:
//
//	{key}      the number of the request's key, of twelve digits
//	{any}      that of another key, drawn anew each time
//	{value}    bytes that do not compress, as many as the key's value has
//	{rand:N}   a number below N
//	{seq}      a number that grows by one with each request of the client
//	{ttl}      a time to live in seconds, at least 1
//	{ttl_ms}   the same in milliseconds
//	{prefix}   what all keys begin with
type template struct {
	head []byte // the array's header
	args []argument
}

// argument is one argument of a command.
type argument struct {
	fixed []byte // the whole bulk string, if it has no hole
	parts []part
}

// part is text, or a hole.
type part struct {
	text string
	hole hole
	most int // of holeRandom
}

type hole uint8

const (
	holeNone hole = iota
	holeKey
	holeAny
	holeValue
	holeRandom
	holeSequence
	holeSeconds
	holeMilliseconds
)

// named is the hole of that name, if it is one without a parameter.
func named(name string) (hole, bool) {
	switch name {
	case "key":
		return holeKey, true
	case "any":
		return holeAny, true
	case "value":
		return holeValue, true
	case "seq":
		return holeSequence, true
	case "ttl":
		return holeSeconds, true
	case "ttl_ms":
		return holeMilliseconds, true
	}
	return holeNone, false
}

// compile reads a command, whose words are quoted as in redis-cli.
func compile(command, prefix string) (*template, error) {
	split, ok := words.Split(nil, []byte(command))
	if !ok {
		return nil, fmt.Errorf("%s: a quote is not closed", command)
	}
	if len(split) == 0 {
		return nil, fmt.Errorf("%q is no command", command)
	}
	t := &template{head: appendNumber(nil, '*', len(split))}
	for _, word := range split {
		parts, err := cut(string(word), prefix)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		a := argument{parts: parts}
		if len(parts) == 0 || len(parts) == 1 && parts[0].hole == holeNone {
			var text string
			if len(parts) == 1 {
				text = parts[0].text
			}
			a = argument{fixed: appendBulk(nil, text)}
		}
		t.args = append(t.args, a)
	}
	return t, nil
}

// cut finds the holes of a word. A brace that opens none of them is text, as in JSON.
func cut(word, prefix string) (parts []part, err error) {
	text := ""
	for word != "" {
		open := strings.IndexByte(word, '{')
		end := strings.IndexByte(word, '}')
		if open < 0 || end < open {
			text += word
			break
		}
		name := word[open+1 : end]
		most, random := strings.CutPrefix(name, "rand:")
		h, known := named(name)
		p := part{hole: h}
		switch {
		case name == "prefix":
			text += word[:open] + prefix
			word = word[end+1:]
			continue
		case random:
			p.hole = holeRandom
			if p.most, err = strconv.Atoi(most); err != nil || p.most < 1 {
				return nil, fmt.Errorf("{%s} takes a number from 1 on, as in {rand:100}", name)
			}
		case !known:
			text += word[:open+1]
			word = word[open+1:]
			continue
		}
		if text += word[:open]; text != "" {
			parts = append(parts, part{text: text})
		}
		text, word = "", word[end+1:]
		parts = append(parts, p)
	}
	if text != "" {
		parts = append(parts, part{text: text})
	}
	return parts, nil
}

// needsTTL reports whether a time to live is to be filled in.
func (t *template) needsTTL() bool {
	for _, a := range t.args {
		for _, p := range a.parts {
			if p.hole == holeSeconds || p.hole == holeMilliseconds {
				return true
			}
		}
	}
	return false
}

// append appends the request, with the holes filled from s for a key.
func (t *template) append(b []byte, s *source, key int) []byte {
	b = append(b, t.head...)
	for i := range t.args {
		a := &t.args[i]
		switch {
		case a.fixed != nil:
			b = append(b, a.fixed...)
		case len(a.parts) == 1 && a.parts[0].hole == holeValue:
			b = appendBulk(b, s.value(key))
		default:
			s.scratch = s.scratch[:0]
			for j := range a.parts {
				s.scratch = a.parts[j].append(s.scratch, s, key)
			}
			b = appendBulk(b, s.scratch)
		}
	}
	return b
}

func (p *part) append(b []byte, s *source, key int) []byte {
	switch p.hole {
	case holeKey:
		return appendDigits(b, key)
	case holeAny:
		return appendDigits(b, s.draw())
	case holeValue:
		return append(b, s.value(key)...)
	case holeRandom:
		return strconv.AppendInt(b, int64(s.rnd.IntN(p.most)), 10)
	case holeSequence:
		s.sequence++
		return strconv.AppendInt(b, s.sequence, 10)
	case holeSeconds:
		return strconv.AppendInt(b, int64((s.ttl()+time.Second-1)/time.Second), 10)
	case holeMilliseconds:
		return strconv.AppendInt(b, int64(s.ttl()/time.Millisecond), 10)
	}
	return append(b, p.text...)
}

// appendDigits appends the twelve digits of i, as redis-benchmark does.
func appendDigits(b []byte, i int) []byte {
	b = append(b, "000000000000"...)
	for at := len(b) - 1; i > 0; at, i = at-1, i/10 {
		b[at] = byte('0' + i%10)
	}
	return b
}

func appendNumber(b []byte, mark byte, n int) []byte {
	return append(strconv.AppendInt(append(b, mark), int64(n), 10), "\r\n"...)
}

func appendBulk[T string | []byte](b []byte, s T) []byte {
	return append(append(appendNumber(b, '$', len(s)), s...), "\r\n"...)
}
