package acl

import (
	"encoding/hex"
	"slices"
	"strings"
)

// DefaultName is the user of a connection that has not logged in, who cannot be deleted.
const DefaultName = "default"

// User is one state of a user. It does not change.
type User struct {
	name         string
	on           bool
	noPass       bool // any password is right
	skipSanitize bool
	passwords    []digest
	selectors    []*selector // the root is the first

	free        bool // may do everything
	namesKeys   bool // rules of keys have to be asked
	allChannels bool // some selector allows all
}

// newUser is a user who may do nothing and cannot log in.
func newUser(name string, t *Commands, allChannels bool) *User {
	u := &User{name: name, selectors: []*selector{newSelector(t, allChannels)}}
	u.derive()
	return u
}

// newDefault is the default user as long as no rule says otherwise: who may do everything.
func newDefault(t *Commands) *User {
	u := newUser(DefaultName, t, true)
	for _, rule := range []string{"+@all", "~*", "on", "nopass"} {
		if err := u.apply(rule, t, true); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	u.derive()
	return u
}

// clone makes a user to apply rules to.
func (u *User) clone() *User {
	c := *u
	c.passwords = slices.Clone(u.passwords)
	c.selectors = make([]*selector, len(u.selectors))
	for i, s := range u.selectors {
		c.selectors[i] = s.clone()
	}
	return &c
}

// derive computes what commands ask.
func (u *User) derive() {
	any := func(ok func(*selector) bool) bool { return slices.ContainsFunc(u.selectors, ok) }
	u.free = any((*selector).free)
	u.namesKeys = any(func(s *selector) bool { return !s.allKeys })
	u.allChannels = any(func(s *selector) bool { return s.allChannels })
}

// Name is the user's name.
func (u *User) Name() string { return u.name }

// Free reports whether the user may do everything.
func (u *User) Free() bool { return u.free }

// NamesKeys reports whether a request's keys matter to Check.
func (u *User) NamesKeys() bool { return u.namesKeys }

// On reports whether the user can log in.
func (u *User) On() bool { return u.on }

// NoPass reports whether any password is right.
func (u *User) NoPass() bool { return u.noPass }

// Open reports whether the user needs no password.
func (u *User) Open() bool { return u.on && u.noPass }

// Hears reports whether the user may have subscribed to a channel or to a pattern of channels: whether
// any selector allows that.
func (u *User) Hears(name []byte, pattern bool) bool {
	allows := func(s *selector) bool { return s.allowsChannel(name, pattern) }
	return u.allChannels || slices.ContainsFunc(u.selectors, allows)
}

// hearsNoLess reports whether every channel rule of old is one of u's as well.
func (u *User) hearsNoLess(old *User) bool {
	if u.allChannels {
		return true
	}
	heard := map[string]bool{}
	for _, s := range u.selectors {
		for _, p := range s.channels {
			heard[p.text] = true
		}
	}
	for _, s := range old.selectors {
		if s.allChannels || slices.ContainsFunc(s.channels, func(p channelPattern) bool { return !heard[p.text] }) {
			return false
		}
	}
	return true
}

// Flags are the words of what is no right and no password, as ACL GETUSER has them.
func (u *User) Flags() []string {
	flags := []string{"off"}
	if u.on {
		flags[0] = "on"
	}
	if u.noPass {
		flags = append(flags, "nopass")
	}
	if u.skipSanitize {
		return append(flags, "skip-sanitize-payload")
	}
	return append(flags, "sanitize-payload")
}

// Passwords are the digests of the passwords, in hexadecimal.
func (u *User) Passwords() []string {
	texts := make([]string, len(u.passwords))
	for i := range u.passwords {
		texts[i] = hex.EncodeToString(u.passwords[i][:])
	}
	return texts
}

// Rights are the rules of a selector.
type Rights struct{ Commands, Keys, Channels string }

// Rights are those of all selectors, of which the first is the root.
func (u *User) Rights() []Rights {
	all := make([]Rights, len(u.selectors))
	for i, s := range u.selectors {
		all[i] = Rights{
			Commands: strings.Join(s.commandRules(), " "),
			Keys:     strings.Join(s.keyRules(), " "),
			Channels: strings.Join(s.channelRules(), " "),
		}
	}
	return all
}

// Rules prints the user as rules that make an equal one of a new user.
func (u *User) Rules() string {
	parts := u.Flags()
	for _, p := range u.Passwords() {
		parts = append(parts, "#"+p)
	}
	parts = append(parts, u.selectors[0].describe()...)
	for _, s := range u.selectors[1:] {
		parts = append(parts, enclose(s.describe()))
	}
	return strings.Join(parts, " ")
}

// Line is the user as a line of redis.conf or of an aclfile.
func (u *User) Line() string { return "user " + u.name + " " + u.Rules() }
