package acl

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/larderkv/larder/server/config"
)

// An aclfile has one user on each line, "user NAME RULE...", blanks between the words, no quotes and
// no comments. It is read as a whole or not at all.

// LoadFile reads an aclfile. The error is one text with all mistakes, as Redis has it: what is wrong
// with commands is told in full, of anything else only the first of a line, because it might tell
// passwords.
func (u *Users) LoadFile(name string) ([]*User, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		// Redis' text, capital letter included.
		return nil, fmt.Errorf("Error loading ACLs, opening file '%s': %s", name, config.SystemText(err))
	}
	var users []*User
	var mistakes strings.Builder
	seen := map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.Trim(line, " \t\r\n")
		if line == "" {
			continue
		}
		at := fmt.Sprintf("%s:%d", name, i+1)
		words := strings.Split(line, " ")
		switch {
		case words[0] != "user" || len(words) < 2:
			fmt.Fprintf(&mistakes, "%s should start with user keyword followed by the username. ", at)
		case hasSpaces(words[1]):
			fmt.Fprintf(&mistakes, "'%s: username '%s' contains invalid characters. ", at, words[1])
		case seen[words[1]]:
			fmt.Fprintf(&mistakes, "WARNING: Duplicate user '%s' found on line %d. ", words[1], i+1)
		default:
			seen[words[1]] = true
			user := newUser(words[1], u.commands, u.allChannels.Load())
			u.applyLine(user, words[2:], at, &mistakes)
			users = append(users, user)
		}
	}
	if mistakes.Len() > 0 {
		return nil, errors.New(mistakes.String() +
			"WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
	}
	return users, nil
}

// applyLine applies the rules of a line.
func (u *Users) applyLine(user *User, rules []string, at string, mistakes *strings.Builder) {
	merged, err := mergeSelectors(rules)
	if err != nil {
		fmt.Fprintf(mistakes, "%s: Unmatched parenthesis in selector definition.", at)
		return
	}
	told := false
	for _, rule := range merged {
		rule = strings.Trim(rule, "\t\r\n")
		switch err := user.apply(rule, u.commands, u.allChannels.Load()); {
		case err == nil:
		case errors.Is(err, errUnknown):
			fmt.Fprintf(mistakes, "%s: Error in applying operation '%s': %v. ", at, rule, err)
		case !told:
			told = true
			fmt.Fprintf(mistakes, "%s: %v. ", at, err)
		}
	}
	user.derive()
}

// SaveFile writes all users into an aclfile so that, whatever happens, the old file or the new one is
// there.
func (u *Users) SaveFile(name string) error {
	var b strings.Builder
	for _, user := range u.All() {
		b.WriteString(user.Line())
		b.WriteByte('\n')
	}
	return config.ReplaceFile(name, b.String(), modeOf(name))
}

// modeOf is the mode that a file of passwords is to have: the one it has, or nobody else's to read.
func modeOf(name string) os.FileMode {
	if info, err := os.Stat(name); err == nil {
		return info.Mode().Perm()
	}
	return 0o600
}
