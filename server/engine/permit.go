// Permission: may the session's user do what a request asks for?
//
// Asked when a client's request is admitted (admit.go), for each command of a transaction again when
// it runs, and for each command of a script (inner.go). What waits for a key is admitted again when it
// is tried again, so that it is refused if its user has lost the right meanwhile.
//
// What stands for a request are the row's index, the keys as FindKeys has them with what the row's key
// specs say of them, and the arguments that the row names as channels. SORT, which reads keys whose
// names it makes, asks MayReadAnyKey on top, and RM, which deletes those that it finds, MayWriteKey.

package engine

import "github.com/larderkv/larder/server/acl"

// ChannelArgs says which arguments of a request are channels that it publishes or subscribes to:
// those from First to Last, which is -1 for the end. The zero value is none.
type ChannelArgs struct {
	First, Last int
	Patterns    bool // they are patterns of channels
}

// of finds them in a request.
func (a ChannelArgs) of(args [][]byte) acl.Channels {
	if a.First == 0 {
		return acl.Channels{}
	}
	to := a.Last + 1
	if a.Last < 0 {
		to += len(args)
	}
	return acl.Channels{From: a.First, To: to, Patterns: a.Patterns}
}

// access is what has to be allowed for what the flags say of a key. A key of which only the existence
// matters needs no more than any pattern that it matches.
func (f KeyFlags) access() (need acl.Access) {
	if f&Access != 0 {
		need |= acl.Read
	}
	if f&(Update|Insert|Delete) != 0 {
		need |= acl.Write
	}
	return need
}

// Judge asks whether a user may make a request. If it may not for a key or
// a channel, index is that of the argument.
func (c *Ctx) Judge(u *acl.User, s *Spec, args [][]byte) (why acl.Denial, index int) {
	if u.Free() {
		return acl.Allowed, 0
	}
	why, index = u.Check(c.asked(u, s, args))
	c.question.Args = nil
	return why, index
}

// asked puts a request as users' rules see it into scratch memory.
func (c *Ctx) asked(u *acl.User, s *Spec, args [][]byte) *acl.Request {
	q := &c.question
	q.Command, q.Open, q.Args, q.Keys = s.index, s.Flags&NoAuth != 0, args, q.Keys[:0]
	q.Channels = acl.Channels{}
	if !s.Fits(len(args)) { // a script asks about less than a request
		return q
	}
	q.Channels = s.Channels.of(args)
	switch {
	case !u.NamesKeys():
	case s.lockKind == lockOne && s.Keys[0].FlagsOf == nil:
		q.Keys = append(q.Keys, acl.Key{Index: s.keyPos, Need: s.Keys[0].Flags.access()})
	default:
		for _, k := range s.FindKeys(args) {
			q.Keys = append(q.Keys, acl.Key{Index: k.Index, Need: k.Flags.access()})
		}
	}
	return q
}

// denied reports what stands against the request in c, and whose user it is. ACL LOG has a denial
// then.
func (c *Ctx) denied(s *Spec) (u *acl.User, why acl.Denial) {
	u = c.Session.User()
	if u.Free() {
		return u, acl.Allowed
	}
	why, index := c.Judge(u, s, c.Args)
	if why == acl.Allowed {
		return u, why
	}
	object := s.full
	if why != acl.DeniedCommand {
		object = acl.Excerpt(c.Args[index])
	}
	c.noteRefusal(why, object, u.Name(), s)
	return u, why
}

// forbidden returns the reply to the request in c if the session's user may not make it, "" if it may.
func (c *Ctx) forbidden(s *Spec) Error {
	if u, why := c.denied(s); why != acl.Allowed {
		return errNoPermission(u.Name(), s, why)
	}
	return ""
}

// forbiddenQueued is forbidden for a queued request when it is its turn.
func (c *Ctx) forbiddenQueued(q *kept) Error {
	c.Args = q.args
	if _, why := c.denied(q.spec); why != acl.Allowed {
		return errNoLongerAllowed(why)
	}
	return ""
}

// forbiddenInner is forbidden for a command of a script.
func (c *Ctx) forbiddenInner(s *Spec) Error {
	if u, why := c.denied(s); why != acl.Allowed {
		return errInnerDenied(u.Name(), s, why)
	}
	return ""
}

// noteRefusal puts a refusal, or a login that failed, into ACL LOG.
func (c *Ctx) noteRefusal(why acl.Denial, object, username string, s *Spec) {
	k, now := c.Kernel, c.Kernel.clock()
	c.Session.publish(s, now.UnixMilli())
	k.Refusals.Add(acl.Entry{
		Why: why, Where: c.where(), Object: object, Username: username,
		Client: acl.Excerpt(c.Session.Info().String()), Updated: now,
	}, logLength(k.Config.Values()))
}

// where is the place of the request in c, for ACL LOG.
func (c *Ctx) where() acl.Context {
	switch {
	case c.frame.script:
		return acl.InScript
	case c.frame.kept || c.Session.Queuing():
		return acl.InMulti
	}
	return acl.TopLevel
}

// MayRun reports whether the session's user may make a request.
func (c *Ctx) MayRun(s *Spec, args [][]byte) bool {
	why, _ := c.Judge(c.Session.User(), s, args)
	return why == acl.Allowed
}

// MayReadAnyKey reports whether the running command may read keys that are not among its arguments.
func (c *Ctx) MayReadAnyKey() bool {
	u := c.Session.User()
	if u.Free() {
		return true
	}
	ok := u.CheckAnyKey(c.asked(u, c.Spec, c.Args), acl.Read)
	c.question.Args = nil
	return ok
}

// MayWriteKey reports whether the running command may write a key that is not among its arguments.
func (c *Ctx) MayWriteKey(name []byte) bool {
	u := c.Session.User()
	if u.Free() {
		return true
	}
	ok := u.CheckKey(c.asked(u, c.Spec, c.Args), name, acl.Write)
	c.question.Args = nil
	return ok
}
