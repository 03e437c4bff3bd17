package acl

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/larderkv/larder/store/lex"
	quoting "github.com/larderkv/larder/words"
)

// Rules, as ACL SETUSER, redis.conf and aclfiles have them. The order of the cases is that of Redis'
// ACLSetUser and ACLSetSelector, because it decides what a rule is that two of them could read.

// mergeSelectors joins the rules of selectors that were cut at blanks: "(+get", "~a*)".
func mergeSelectors(rules []string) (merged []string, err error) {
	open := -1
	var text string
	for i, rule := range rules {
		switch {
		case strings.HasPrefix(rule, "(") && !strings.HasSuffix(rule, ")"): // what was open is forgotten, as in Redis
			open, text = i, rule
		case open >= 0:
			if text += " " + rule; strings.HasSuffix(rule, ")") {
				merged, open = append(merged, text), -1
			}
		default:
			merged = append(merged, rule)
		}
	}
	if open >= 0 {
		return nil, &UnmatchedError{rules[open]}
	}
	return merged, nil
}

// applyAll applies rules to a user nobody else can see yet.
func (u *User) applyAll(rules []string, t *Commands, allChannels bool) error {
	merged, err := mergeSelectors(rules)
	if err != nil {
		return err
	}
	for _, rule := range merged {
		if err := u.apply(rule, t, allChannels); err != nil {
			return &ModifierError{rule, err}
		}
	}
	u.derive()
	return nil
}

// apply applies one rule. allChannels is acl-pubsub-default.
func (u *User) apply(rule string, t *Commands, allChannels bool) error {
	if rule == "" {
		return nil
	}
	switch strings.ToLower(rule) {
	case "on":
		u.on = true
		return nil
	case "off":
		u.on = false
		return nil
	case "nopass":
		u.noPass, u.passwords = true, nil
		return nil
	case "resetpass":
		u.noPass, u.passwords = false, nil
		return nil
	case "skip-sanitize-payload":
		u.skipSanitize = true
		return nil
	case "sanitize-payload":
		u.skipSanitize = false
		return nil
	case "clearselectors":
		u.selectors = u.selectors[:1]
		return nil
	case "reset":
		*u = *newUser(u.name, t, allChannels)
		return nil
	}
	switch rule[0] {
	case '>', '#', '<', '!':
		return u.applyPassword(rule)
	case '(':
		if strings.HasSuffix(rule, ")") && len(rule) > 1 {
			return u.addSelector(rule[1:len(rule)-1], t, allChannels)
		}
	}
	return u.selectors[0].apply(rule, t)
}

// applyPassword adds a password (> or, as a digest, #) or removes one (< or !).
func (u *User) applyPassword(rule string) error {
	var d digest
	if rule[0] == '>' || rule[0] == '<' {
		d = sha256.Sum256([]byte(rule[1:]))
	} else {
		var ok bool
		if d, ok = parseDigest(rule[1:]); !ok {
			return errDigest
		}
	}
	at := slices.Index(u.passwords, d)
	if rule[0] == '<' || rule[0] == '!' {
		if at < 0 {
			return errPassword
		}
		u.passwords = slices.Delete(u.passwords, at, at+1)
		return nil
	}
	u.noPass = false
	if at < 0 {
		u.passwords = append(u.passwords, d)
	}
	return nil
}

// addSelector adds a selector. As in Redis one whose quotes do not match has no rules.
func (u *User) addSelector(text string, t *Commands, allChannels bool) error {
	s := newSelector(t, allChannels)
	rules, ok := quoting.Split(nil, []byte(text))
	for _, rule := range rules {
		if !ok {
			break
		}
		if err := s.apply(string(rule), t); err != nil {
			return err
		}
	}
	u.selectors = append(u.selectors, s)
	return nil
}

// apply applies a rule of commands, keys or channels.
func (s *selector) apply(rule string, t *Commands) error {
	switch strings.ToLower(rule) {
	case "":
		return errSyntax
	case "allkeys", "~*":
		s.allKeys, s.keys = true, nil
		return nil
	case "resetkeys":
		s.allKeys, s.keys = false, nil
		return nil
	case "allchannels", "&*":
		s.allChannels, s.channels = true, nil
		return nil
	case "resetchannels":
		s.allChannels, s.channels = false, nil
		return nil
	case "allcommands", "+@all":
		s.resetCommands(true)
		return nil
	case "nocommands", "-@all":
		s.resetCommands(false)
		return nil
	}
	switch rule[0] {
	case '~', '%':
		return s.addKeys(rule)
	case '&':
		return s.addChannels(rule[1:])
	case '+', '-':
		return s.applyCommand(rule[1:], rule[0] == '+', t)
	}
	return errSyntax
}

func (s *selector) resetCommands(all bool) {
	s.allCommands, s.future, s.rules, s.first = all, all, nil, nil
	s.commands.fill(0)
	if all {
		s.commands.fill(^uint64(0))
	}
}

// addKeys adds a key pattern: ~pattern, or %RW~pattern with one or both of the letters. Redis takes
// letters without the ~ behind them for an empty pattern, which allows the empty key.
func (s *selector) addKeys(rule string) error {
	if s.allKeys {
		return errAllKeys
	}
	access, text := Read|Write, rule[1:]
	if rule[0] == '%' {
		letters, pattern, _ := strings.Cut(text, "~")
		switch strings.ToUpper(letters) {
		case "R":
			access = Read
		case "W":
			access = Write
		case "RW", "WR":
		default:
			return errSyntax
		}
		text = pattern
	}
	if hasSpaces(text) {
		return errSyntax
	}
	for i := range s.keys {
		if s.keys[i].text == text {
			s.keys[i].access |= access
			return nil
		}
	}
	s.keys = append(s.keys, keyPattern{text, access, lex.Compile([]byte(text), false)})
	return nil
}

func (s *selector) addChannels(text string) error {
	switch {
	case s.allChannels:
		return errAllChans
	case hasSpaces(text):
		return errSyntax
	case slices.ContainsFunc(s.channels, func(p channelPattern) bool { return p.text == text }):
		return nil
	}
	s.channels = append(s.channels, channelPattern{text, lex.Compile([]byte(text), false)})
	return nil
}

// hasSpaces reports whether a text has what would end it in a file.
func hasSpaces(text string) bool { return strings.ContainsAny(text, " \t\n\v\f\r\x00") }

// applyCommand adds or takes away a command, a subcommand, a category or a first argument.
func (s *selector) applyCommand(name string, allow bool, t *Commands) error {
	if category, ok := strings.CutPrefix(name, "@"); ok {
		bit, ok := t.category(category)
		if !ok {
			return errUnknown
		}
		s.addRule(name, allow)
		for i := range t.list {
			if t.list[i].Categories&bit != 0 {
				s.change(i, allow, t)
			}
		}
		return nil
	}
	if t.lacks(name) {
		s.addRule(name, allow)
		return nil
	}
	if at := strings.LastIndexByte(name, '|'); at >= 0 && allow {
		if command, ok := t.find(name[:at]); ok && len(t.subs[command]) == 0 || !ok {
			return s.applyFirst(name, name[:at], name[at+1:], t)
		} else if name[at+1:] == "" {
			return errSyntax
		}
	}
	command, ok := t.find(name)
	if !ok {
		return errUnknown
	}
	s.change(command, allow, t)
	s.addRule(t.list[command].Name, allow)
	return nil
}

// applyFirst allows a command that is no container by its first argument. One with a blank or the end
// of a line, which Redis takes, would be read as rules or users of its own from an aclfile.
func (s *selector) applyFirst(rule, name, arg string, t *Commands) error {
	command, ok := t.find(name)
	switch {
	case !ok:
		return errUnknown
	case t.list[command].Parent >= 0:
		return errFirstArg
	case arg == "" || hasSpaces(arg):
		return errSyntax
	}
	s.addFirst(command, arg)
	s.addRule(rule, true)
	return nil
}

// change adds or takes away a command with its subcommands.
func (s *selector) change(command int, allow bool, t *Commands) {
	s.commands.set(command, allow)
	delete(s.first, command)
	for _, sub := range t.subs[command] {
		s.commands.set(sub, allow)
	}
	s.allCommands = s.allCommands && allow
}

// addRule adds a rule of commands in place of those that it makes void: earlier ones of the same
// command or category, and of the command's subcommands and first arguments.
func (s *selector) addRule(name string, allow bool) {
	name = strings.ToLower(name)
	under := name + "|"
	s.rules = slices.DeleteFunc(s.rules, func(rule string) bool {
		return rule[1:] == name || strings.HasPrefix(rule[1:], under)
	})
	sign := "-"
	if allow {
		sign = "+"
	}
	s.rules = append(s.rules, sign+name)
}
