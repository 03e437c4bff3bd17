// Users: which rights a session has, and what becomes of it when they change (server/acl says what
// rights are).
//
// A session points at the record of its user, in which the user's rights may change at any time, on
// any loop. Two things about that need care, because what changes them and what depends on them run
// at the same moment on different loops:
//
//   - A session that logs in while its user is being deleted: it first points at the record and then
//     asks whether it is gone; who deletes marks the record first and then looks for sessions. One of
//     the two sees the other.
//   - A session that subscribes while its user loses a channel: it subscribes first and then asks
//     whether it may (Ctx.Subscribe); who takes the right away looks for subscribers afterwards.
//
// Sessions that have to go are killed before the command that has taken their rights is answered.

package engine

import (
	"fmt"
	"math"
	"strings"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/pubsub"
	quoting "github.com/larderkv/larder/words"
)

// User is the present state of the user whose rights the session has. Safe from any goroutine.
func (s *Session) User() *acl.User { return s.user.Load().User() }

// Of reports whether the session has the rights of the user with this record. Safe from any goroutine.
func (s *Session) Of(r *acl.Record) bool { return s.user.Load() == r }

// forRules is the table as rules see it.
func (t *Table) forRules() *acl.Commands {
	list := make([]acl.Command, t.Len())
	t.Each(func(s *Spec) {
		c := acl.Command{Name: s.full, Parent: -1, Categories: uint64(s.ACL())}
		if s.parent != nil {
			c.Parent = s.parent.index
		}
		if s.Flags&Hidden != 0 {
			c.Name = ""
		}
		list[s.index] = c
	})
	return acl.NewCommands(list, categoryNames[:])
}

// userLines applies the lines of redis.conf that define users. It is a config.UserJudge.
type userLines struct {
	users *acl.Users
	seen  map[string]bool
}

// NewUserJudge judges such lines by the commands of a table.
func NewUserJudge(t *Table) config.UserJudge { return newUserLines(acl.NewUsers(t.forRules())) }

func newUserLines(users *acl.Users) *userLines { return &userLines{users, map[string]bool{}} }

// JudgeUserFile says what a start would find wrong with the users in the aclfile.
func JudgeUserFile(t *Table, v *config.Values) error {
	if v.ACLFile == "" {
		return nil
	}
	users := acl.NewUsers(t.forRules())
	read, err := users.LoadFile(v.Path(v.ACLFile))
	if err != nil {
		return err
	}
	users.Replace(read)
	return endUserFile(users, v)
}

// endUserFile is End for users that were read from an aclfile, which always defines the default one.
func endUserFile(users *acl.Users, v *config.Values) error {
	return (&userLines{users, map[string]bool{acl.DefaultName: true}}).End(v)
}

// Judge applies a line.
func (u *userLines) Judge(l config.UserLine) error {
	if u.seen[l.Name] {
		return l.Fault(acl.ErrDuplicate)
	}
	u.seen[l.Name] = true
	rules := l.Rules
	if l.Name == acl.DefaultName {
		rules = append([]string{"reset"}, rules...)
	}
	if _, err := u.users.Set(l.Name, rules); err != nil {
		return l.Fault(acl.WithoutPassword(err))
	}
	return nil
}

// End looks at the users that have come of it.
func (u *userLines) End(v *config.Values) error {
	if v.RequirePass != "" && u.seen[acl.DefaultName] && u.users.Default().User().Open() {
		return errNobodyAsked
	}
	return nil
}

// openUsers makes the users that the configuration says, and follows its changes.
func (k *Kernel) openUsers() error {
	v := k.Config.Values()
	k.Users = acl.NewUsers(k.Table.forRules())
	k.Users.SetAllChannels(v.ACLAllChannels())
	k.Users.SetDefaultPassword(v.RequirePass)
	lines := newUserLines(k.Users)
	for _, l := range k.Config.UserLines() {
		if err := lines.Judge(l); err != nil {
			return err
		}
	}
	end := lines.End
	if v.ACLFile != "" {
		if err := k.LoadUsers(); err != nil {
			return fmt.Errorf("aclfile: %w", err)
		}
		end = func(v *config.Values) error { return endUserFile(k.Users, v) }
	}
	if err := end(v); err != nil {
		return err
	}
	k.followUsers()
	return nil
}

func (k *Kernel) followUsers() {
	k.Config.OnChange("requirepass", func(v *config.Values) { k.Users.SetDefaultPassword(v.RequirePass) })
	k.Config.OnChange("acl-pubsub-default", func(v *config.Values) { k.Users.SetAllChannels(v.ACLAllChannels()) })
	k.Config.OnChange("acllog-max-len", func(v *config.Values) { k.Refusals.Trim(logLength(v)) })
	k.Config.SetUserTexts(func() (texts []config.UserText) {
		v := k.Config.Values()
		if v.ACLFile != "" {
			return nil
		}
		for _, u := range k.Users.All() {
			needed := u.Name() != acl.DefaultName || u.SaysMore(v.RequirePass, k.Users)
			texts = append(texts, config.UserText{Line: fileLine(u), Needed: needed})
		}
		return texts
	})
}

// fileLine is a user as a line of redis.conf, where quotes and what is not printable have to be quoted.
func fileLine(u *acl.User) string {
	line := strings.Split(u.Line(), " ")
	for i, word := range line {
		odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\'' || r == '\\' }
		if word == "" || strings.ContainsFunc(word, odd) { // there may be a user without a name
			line[i] = string(quoting.AppendQuoted(nil, word))
		}
	}
	return strings.Join(line, " ")
}

// logLength is how many entries ACL LOG may have.
func logLength(v *config.Values) int { return int(min(v.ACLLogMaxLen, math.MaxInt32)) }

// Login gives the session the rights of a user, if the password is right. What fails is in ACL LOG.
func (c *Ctx) Login(name, password []byte) error {
	s := c.Session
	if r := c.Kernel.Users.Authenticate(name, password); r != nil {
		before := s.user.Load()
		s.user.Store(r)
		if !r.Gone() {
			s.authenticated = true
			return nil
		}
		s.user.Store(before)
	}
	c.noteRefusal(acl.DeniedAuth, string(c.Args[0]), acl.Excerpt(name), c.Spec)
	return ErrWrongPass
}

// logout gives the session the rights of a new connection.
func (s *Session) logout() {
	r := s.kernel.Users.Default()
	s.user.Store(r)
	s.authenticated = r.User().Open()
}

// recognize gives a new session the rights of the user that the client's certificate names. Without
// such a user, or if it is off, the session stays as it is: that of the default user, or of nobody
// yet. The session is among the clients already, or who deletes the user would not find it.
func (s *Session) recognize(v *config.Values) {
	if v.TLSClientsUser != config.UserCN {
		return
	}
	name := s.conn.CertifiedName()
	if name == "" {
		return
	}
	r := s.kernel.Users.Find(name)
	if r != nil && r.User().On() {
		s.user.Store(r)
		s.authenticated = true
		if !r.Gone() {
			return
		}
		s.logout()
	}
	s.kernel.Log.Debug("a certificate names no user who is on", "id", s.conn.ID(), "name", name)
}

// SetUser applies rules to a user, who is made if there is none.
func (c *Ctx) SetUser(name string, rules []string) error {
	change, err := c.Kernel.Users.Set(name, rules)
	if err == nil {
		c.settleUsers([]acl.Change{change})
	}
	return err
}

// DeleteUser deletes a user and disconnects its sessions. It reports whether there was one.
func (c *Ctx) DeleteUser(name string) bool {
	r := c.Kernel.Users.Delete(name)
	if r == nil {
		return false
	}
	c.settleUsers([]acl.Change{{Record: r, Old: r.User()}})
	return true
}

// LoadUsers replaces all users by those of the aclfile.
func (k *Kernel) LoadUsers() error {
	_, err := k.loadUsers()
	return err
}

func (k *Kernel) loadUsers() ([]acl.Change, error) {
	v := k.Config.Values()
	users, err := k.Users.LoadFile(v.Path(v.ACLFile))
	if err != nil {
		return nil, err
	}
	return k.Users.Replace(users), nil
}

// LoadUsers is ACL LOAD.
func (c *Ctx) LoadUsers() error {
	changes, err := c.Kernel.loadUsers()
	if err != nil {
		return err
	}
	c.settleUsers(changes)
	return nil
}

// settleUsers disconnects the sessions of users who have been deleted, and those that have subscribed
// to what their user may not hear any more.
func (c *Ctx) settleUsers(changes []acl.Change) {
	k := c.Kernel
	gone, deaf := map[*acl.Record]bool{}, map[*acl.Record]bool{}
	for i := range changes {
		switch change := &changes[i]; {
		case change.Record.Gone():
			gone[change.Record] = true
		case change.Deafens():
			deaf[change.Record] = true
		}
	}
	if len(gone) > 0 {
		for _, s := range k.Clients.where(func(s *Session) bool { return gone[s.user.Load()] }) {
			c.disconnect(s)
		}
	}
	if len(deaf) > 0 && k.PubSub.Members() > 0 {
		for s := range k.listenersWithout(deaf) {
			c.disconnect(s)
		}
	}
}

// listenersWithout finds the sessions of some users that have subscribed to what these may not hear.
func (k *Kernel) listenersWithout(of map[*acl.Record]bool) map[*Session]bool {
	found := map[*Session]bool{}
	for kind := range pubsub.Kind(pubsub.Kinds) {
		refused := func(name []byte) bool {
			for r := range of {
				if !r.User().Hears(name, kind == pubsub.Patterns) {
					return true
				}
			}
			return false
		}
		k.PubSub.Each(kind, refused, func(name []byte, s *Session) {
			if r := s.user.Load(); of[r] && !r.User().Hears(name, kind == pubsub.Patterns) {
				found[s] = true
			}
		})
	}
	return found
}

// disconnect ends a session, c's own after its reply.
func (c *Ctx) disconnect(s *Session) {
	if s == c.Session {
		s.CloseAfterReply()
	} else {
		s.Kill()
	}
}
