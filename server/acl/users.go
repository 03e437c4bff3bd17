package acl

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Record is a user whose rights may change: what sessions point at.
type Record struct {
	now  atomic.Pointer[User]
	gone atomic.Bool
}

// User is the user's present state.
func (r *Record) User() *User { return r.now.Load() }

// Gone reports whether the user has been deleted. Its sessions are to end.
func (r *Record) Gone() bool { return r.gone.Load() }

// Users is the users of a server, of whom there is always the default one.
type Users struct {
	commands    *Commands
	defaultUser *Record
	allChannels atomic.Bool // acl-pubsub-default

	mu     sync.Mutex         // orders changes, and protects byName
	byName map[string]*Record // records only go when their user is deleted
}

// NewUsers makes the default user, who may do everything and needs no password.
func NewUsers(commands *Commands) *Users {
	u := &Users{commands: commands, defaultUser: &Record{}}
	u.defaultUser.now.Store(newDefault(commands))
	u.byName = map[string]*Record{DefaultName: u.defaultUser}
	return u
}

// SetAllChannels says whether users made from now on may hear all channels.
func (u *Users) SetAllChannels(all bool) { u.allChannels.Store(all) }

// Default is the default user.
func (u *Users) Default() *Record { return u.defaultUser }

// Unlimited is a user who may do everything, and is not one of the users: the server itself, or who
// administers it. name is only for others to read.
func (u *Users) Unlimited(name string) *Record {
	r := &Record{}
	user := newDefault(u.commands)
	user.name = name
	r.now.Store(user)
	return r
}

// Find finds a user by name, nil if there is none.
func (u *Users) Find(name string) *Record {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.byName[name]
}

// All lists the users by name.
func (u *Users) All() []*User {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*User, 0, len(u.byName))
	for _, r := range u.byName {
		all = append(all, r.User())
	}
	slices.SortFunc(all, func(a, b *User) int { return cmp.Compare(a.name, b.name) })
	return all
}

// Authenticate returns the user of a name and a password, nil if there is none.
func (u *Users) Authenticate(name, password []byte) *Record {
	r := u.Find(string(name))
	var user *User
	if r != nil {
		user = r.User()
	}
	if !user.accepts(password) {
		return nil
	}
	return r
}

// Change is what has happened to a user.
type Change struct {
	Record *Record
	Old    *User
}

// Set applies rules to a user, who is made if there is none. If one of them cannot be applied,
// nothing changes.
func (u *Users) Set(name string, rules []string) (Change, error) {
	if hasSpaces(name) {
		return Change{}, ErrName
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.allChannels.Load()
	r, known := u.byName[name]
	if !known {
		r = &Record{}
		r.now.Store(newUser(name, u.commands, all))
	}
	old := r.User()
	user := old.clone()
	if err := user.applyAll(rules, u.commands, all); err != nil {
		return Change{}, err
	}
	r.now.Store(user)
	u.byName[name] = r
	return Change{r, old}, nil
}

// SetDefaultPassword gives the default user one password, and none if it is "": what requirepass
// means.
func (u *Users) SetDefaultPassword(password string) {
	rule := ">" + password
	if password == "" {
		rule = "nopass"
	}
	if _, err := u.Set(DefaultName, []string{"resetpass", rule}); err != nil {
		panic("BUG: " + err.Error())
	}
}

// SaysMore reports whether the default user is another than one who may do everything with this
// password, or without any if it is "".
func (u *User) SaysMore(password string, users *Users) bool {
	plain := NewUsers(users.commands)
	plain.SetDefaultPassword(password)
	return u.Rules() != plain.Default().User().Rules()
}

// Delete deletes a user. It returns nil if there is none.
func (u *Users) Delete(name string) *Record {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.byName[name]
	if r == nil || r == u.defaultUser {
		return nil
	}
	delete(u.byName, name)
	u.end(r)
	return r
}

// end takes all rights from a user and says that it is deleted. The caller holds mu.
func (u *Users) end(r *Record) {
	r.now.Store(newUser(r.User().name, u.commands, false))
	r.gone.Store(true)
}

// Replace puts users in the place of all there are. Who is there by the same name before and after
// stays logged in. Without a default user among them it becomes what it is at the start.
func (u *Users) Replace(users []*User) (changed []Change) {
	next := map[string]*User{DefaultName: newDefault(u.commands)}
	for _, user := range users {
		next[user.name] = user
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, r := range u.byName {
		changed = append(changed, Change{r, r.User()})
		if next[name] == nil {
			delete(u.byName, name)
			u.end(r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		r := u.byName[name]
		if r == nil {
			r = &Record{}
			u.byName[name] = r
		}
		r.now.Store(next[name])
	}
	return changed
}

// Hears reports whether a session of the user may keep its subscription to a channel or a pattern.
func (c *Change) Hears(name []byte, pattern bool) bool { return c.Record.User().Hears(name, pattern) }

// Deafens reports whether there may be subscriptions that the user has lost the right to.
func (c *Change) Deafens() bool { return c.Record.Gone() || !c.Record.User().hearsNoLess(c.Old) }
