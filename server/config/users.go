package config

// Users in redis.conf. What rules mean depends on the command table, which this package does not know:
// it passes the lines on, and gets back those that a rewrite is to write.

// UserLine is a line that defines a user.
type UserLine struct {
	Name        string
	Rules       []string
	where, line string
}

// UserLines are the lines of the files and flags, in their order.
func (c *Config) UserLines() []UserLine { return c.users }

// Fault says where a line is that cannot be applied.
func (l *UserLine) Fault(err error) error {
	return &LoadError{Where: l.where, Line: l.line, Problem: err.Error()}
}

// UserJudge says of lines of users what a start would say of them.
type UserJudge interface {
	// Judge is told of one line after the other, and returns what is wrong with it.
	Judge(l UserLine) error
	// End returns what is wrong with all of them together. v is what is in force in the end.
	End(v *Values) error
}

// usersTwice refuses users in two places, lest somebody be let in by what was not meant to count.
func (l *loader) usersTwice() error {
	if len(l.config.users) == 0 || l.values.ACLFile == "" {
		return nil
	}
	last := l.config.users[len(l.config.users)-1]
	return last.Fault(problem("users are defined both by user lines and by an aclfile: have either, not both"))
}

// UserText is a line for a rewrite. One that is not Needed is only written in the place of another.
type UserText struct {
	Line   string
	Needed bool
}

// SetUserTexts says whom a rewrite asks for the users. texts must not call anything of c but Values.
func (c *Config) SetUserTexts(texts func() []UserText) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = texts
}

// ACLAllChannels reports whether new users may hear all channels.
func (v *Values) ACLAllChannels() bool { return v.ACLPubSubDefault == "allchannels" }
