package acl

import (
	"bytes"
	"slices"
	"strings"

	"github.com/larderkv/larder/store/lex"
	quoting "github.com/larderkv/larder/words"
)

// Access is what a command does to a key, or what a pattern allows.
type Access uint8

// What can be done to keys. A key that a command only asks the existence of needs neither.
const (
	Read Access = 1 << iota
	Write
)

// keyPattern allows something to be done to the keys that match.
type keyPattern struct {
	text    string
	access  Access
	matches *lex.Pattern
}

// channelPattern allows channels that match, and the pattern that is equal to it.
type channelPattern struct {
	text    string
	matches *lex.Pattern
}

// selector is one set of rights. While rules are applied to it nobody else sees it; then it does not
// change any more.
type selector struct {
	commands    bits
	allCommands bool             // whatever the bits say of commands that come later
	future      bool             // the rules of commands begin with +@all
	rules       []string         // of commands, since +@all or -@all: "+get", "-@write"
	first       map[int][]string // first arguments by which commands are allowed that are not in the set

	allKeys     bool
	keys        []keyPattern
	allChannels bool
	channels    []channelPattern
}

// newSelector is a selector without rights, but for channels if all are to be had by default.
func newSelector(t *Commands, allChannels bool) *selector {
	return &selector{commands: make(bits, words(len(t.list))), allChannels: allChannels}
}

func (s *selector) clone() *selector {
	c := *s
	c.commands = slices.Clone(s.commands)
	c.rules = slices.Clone(s.rules)
	c.keys = slices.Clone(s.keys)
	c.channels = slices.Clone(s.channels)
	c.first = nil
	for command, args := range s.first {
		c.addFirst(command, args...)
	}
	return &c
}

// addFirst allows a command by the first arguments given.
func (s *selector) addFirst(command int, args ...string) {
	if s.first == nil {
		s.first = make(map[int][]string)
	}
	for _, arg := range args {
		known := func(a string) bool { return strings.EqualFold(a, arg) }
		if !slices.ContainsFunc(s.first[command], known) {
			s.first[command] = append(s.first[command], arg)
		}
	}
}

// free reports whether the selector allows everything.
func (s *selector) free() bool { return s.allCommands && s.allKeys && s.allChannels }

// allows is the verdict of one selector.
func (s *selector) allows(r *Request) (Denial, int) {
	if !s.allCommands && !r.Open && !s.commands.has(r.Command) && !s.allowsFirst(r) {
		return DeniedCommand, 0
	}
	if !s.allKeys {
		for _, k := range r.Keys {
			if !s.allowsKey(r.Args[k.Index], k.Need) {
				return DeniedKey, k.Index
			}
		}
	}
	if !s.allChannels {
		for i := r.Channels.From; i < r.Channels.To; i++ {
			if !s.allowsChannel(r.Args[i], r.Channels.Patterns) {
				return DeniedChannel, i
			}
		}
	}
	return Allowed, 0
}

// allowsFirst reports whether a command is allowed by its first argument. It is compared as a C
// string.
func (s *selector) allowsFirst(r *Request) bool {
	if s.first == nil || len(r.Args) < 2 {
		return false
	}
	arg, _, _ := bytes.Cut(r.Args[1], []byte{0})
	for _, allowed := range s.first[r.Command] {
		if len(arg) == len(allowed) && strings.EqualFold(string(arg), allowed) {
			return true
		}
	}
	return false
}

// match is Redis' stringmatchlen: unlike in KEYS, a star alone does not match what is empty.
func match(p *lex.Pattern, s []byte) bool { return p.Match(s) && (len(s) > 0 || !p.All()) }

func (s *selector) allowsKey(key []byte, need Access) bool {
	for i := range s.keys {
		if p := &s.keys[i]; p.access&need == need && match(p.matches, key) {
			return true
		}
	}
	return false
}

// allowsAnyKey reports whether the selector allows something to be done to all keys.
func (s *selector) allowsAnyKey(need Access) bool {
	return s.allKeys || slices.ContainsFunc(s.keys, func(p keyPattern) bool {
		return p.access&need == need && p.text == "*"
	})
}

// allowsChannel judges a channel, or a pattern of channels, which has to be allowed literally: what
// it would match is not known.
func (s *selector) allowsChannel(name []byte, pattern bool) bool {
	for i := range s.channels {
		p := &s.channels[i]
		if pattern && string(name) == p.text || !pattern && match(p.matches, name) {
			return true
		}
	}
	return false
}

// commandRules prints the rules of commands.
func (s *selector) commandRules() []string {
	base := "-@all"
	if s.future {
		base = "+@all"
	}
	return append([]string{base}, s.rules...)
}

// keyRules prints the rules of keys.
func (s *selector) keyRules() []string {
	if s.allKeys {
		return []string{"~*"}
	}
	texts := make([]string, len(s.keys))
	for i, p := range s.keys {
		mark := "~"
		switch p.access {
		case Read:
			mark = "%R~"
		case Write:
			mark = "%W~"
		}
		texts[i] = mark + p.text
	}
	return texts
}

// channelRules prints the patterns of channels.
func (s *selector) channelRules() []string {
	if s.allChannels {
		return []string{"&*"}
	}
	texts := make([]string, len(s.channels))
	for i, p := range s.channels {
		texts[i] = "&" + p.text
	}
	return texts
}

// describe prints rules that make an equal selector of one without rights.
func (s *selector) describe() []string {
	parts := s.keyRules()
	for i, p := range s.keys {
		if parts[i] == "~*" { // which as a rule takes no other beside it, and allows the empty key
			parts[i] = "%RW~" + p.text
		}
	}
	if !s.allChannels {
		parts = append(parts, "resetchannels")
	}
	return append(append(parts, s.channelRules()...), s.commandRules()...)
}

// enclose prints rules as a selector, in parentheses. Its words are read by the rules of quoting, after
// a first look has taken any that ends with a parenthesis for the last one.
func enclose(rules []string) string {
	for i, rule := range rules {
		if strings.ContainsAny(rule, `"'`) || strings.HasSuffix(rule, ")") {
			rules[i] = string(quoting.AppendQuoted(nil, rule))
		}
	}
	return "(" + strings.Join(rules, " ") + ")"
}
