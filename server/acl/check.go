package acl

// Denial is what stands against a request.
type Denial uint8

// The reasons for a refusal. Later ones are nearer to being allowed, in the order in which a user's
// selectors are compared.
const (
	Allowed Denial = iota
	DeniedCommand
	DeniedKey
	DeniedAuth // a login that failed; no request is refused so
	DeniedChannel
	Denials int = iota
)

// String is the word that ACL LOG has for the reason.
func (d Denial) String() string {
	return [Denials]string{"allowed", "command", "key", "auth", "channel"}[d]
}

// Key is a key of a request.
type Key struct {
	Index int // of its argument
	Need  Access
}

// Channels are the channels of a request: its arguments from From up to and without To.
type Channels struct {
	From, To int
	Patterns bool // they are patterns
}

// Request is what is asked for.
type Request struct {
	Command  int
	Open     bool // to everybody, as far as the command goes: AUTH
	Args     [][]byte
	Keys     []Key
	Channels Channels
}

// Check judges a request. If it is refused for a key or a channel, index is that of the argument. It
// does not allocate.
func (u *User) Check(r *Request) (why Denial, index int) {
	if u.free {
		return Allowed, 0
	}
	for _, s := range u.selectors {
		d, at := s.allows(r)
		if d == Allowed {
			return Allowed, 0
		}
		// As in Redis the refusal that came furthest is told.
		if d > why || d == why && at > index {
			why, index = d, at
		}
	}
	return why, index
}

// CheckAnyKey reports whether the selector that allows the request allows all keys, for a request
// that reads keys whose names are not among its arguments.
func (u *User) CheckAnyKey(r *Request, need Access) bool {
	for _, s := range u.selectors {
		if d, _ := s.allows(r); d == Allowed && s.allowsAnyKey(need) {
			return true
		}
	}
	return false
}

// CheckKey is CheckAnyKey for one key, whose name is not among the arguments either.
func (u *User) CheckKey(r *Request, key []byte, need Access) bool {
	if u.free {
		return true
	}
	for _, s := range u.selectors {
		if d, _ := s.allows(r); d == Allowed && (s.allKeys || s.allowsKey(key, need)) {
			return true
		}
	}
	return false
}
