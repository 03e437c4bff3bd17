package acl

import (
	"errors"
	"fmt"
	"strings"
)

// RuleError is what is wrong with a rule, in Redis' words.
type RuleError string

func (e RuleError) Error() string { return string(e) }

// What can be wrong with a rule.
const (
	errUnknown  RuleError = "Unknown command or category name in ACL"
	errSyntax   RuleError = "Syntax error"
	errAllKeys  RuleError = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
	errAllChans RuleError = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
	errPassword RuleError = "The password you are trying to remove from the user does not exist"
	errDigest   RuleError = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
	errFirstArg RuleError = "Allowing first-arg of a subcommand is not supported"

	// ErrDuplicate is a second line for one user in a configuration file.
	ErrDuplicate RuleError = "Duplicate user found. A user can only be defined once in config files"
	// ErrName is a name that could not stand in a file.
	ErrName RuleError = "Usernames can't contain spaces or null characters"
	// ErrDeleteDefault is an attempt to delete the user that every server has.
	ErrDeleteDefault RuleError = "The 'default' user cannot be removed"
)

// ModifierError is a rule that cannot be applied.
type ModifierError struct {
	Rule string
	Err  error
}

func (e *ModifierError) Error() string {
	return fmt.Sprintf("Error in ACL SETUSER modifier '%s': %v", e.Rule, e.Err)
}

func (e *ModifierError) Unwrap() error { return e.Err }

// WithoutPassword is an error as the log may show it. The client that has sent a rule gets all of it.
func WithoutPassword(err error) error {
	var e *ModifierError
	if !errors.As(err, &e) || e.Rule == "" || !strings.Contains("<>#!", e.Rule[:1]) {
		return err
	}
	return &ModifierError{e.Rule[:1] + "(hidden)", e.Err}
}

// UnmatchedError is a selector that does not end. Rule is where it begins.
type UnmatchedError struct{ Rule string }

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("Unmatched parenthesis in acl selector starting at '%s'.", e.Rule)
}
