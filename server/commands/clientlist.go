package commands

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larderkv/larder/server/acl"
	"github.com/larderkv/larder/server/engine"
)

// CLIENT LIST and CLIENT KILL, and the words by which they name clients.

func cmdClientList(c *engine.Ctx) error {
	c.Publish()
	a := c.Parse(2)
	sessions := c.Kernel.Clients.All()
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 4 && a.Match("TYPE"):
		t, err := clientType(a.Next())
		if err != nil {
			return err
		}
		sessions = slices.DeleteFunc(sessions, func(s *engine.Session) bool { return kindOf(s) != t })
	case len(c.Args) > 3 && a.Match("ID"):
		byID := make(map[int64]*engine.Session, len(sessions))
		for _, s := range sessions {
			byID[int64(s.ID())] = s
		}
		sessions = nil
		for !a.Done() {
			s := byID[a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrClientID))]
			if s != nil {
				sessions = append(sessions, s)
			}
		}
	default:
		a.Syntax()
	}
	if err := a.Err(); err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range sessions {
		b.WriteString(s.Info().String() + "\n")
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

// The types of clients that Redis knows. None of larder's is a replica or a master.
type clientKind uint8

const (
	typeNormal clientKind = iota
	typeReplica
	typePubSub
	typeMaster
)

// kindOf is the type of a client.
func kindOf(s *engine.Session) clientKind {
	if s.Subscribed() {
		return typePubSub
	}
	return typeNormal
}

func clientType(name []byte) (clientKind, error) {
	switch strings.ToLower(string(name)) {
	case "normal":
		return typeNormal, nil
	case "slave", "replica":
		return typeReplica, nil
	case "pubsub":
		return typePubSub, nil
	case "master":
		return typeMaster, nil
	}
	return 0, engine.Errf("ERR Unknown client type '%s'", name)
}

// killFilter says which clients CLIENT KILL means. All conditions must hold.
type killFilter struct {
	id          int64 // 0: any
	addr, laddr []byte
	typed       bool // clients of one type alone are meant
	kind        clientKind
	maxAge      int64
	user        *acl.Record // nil: any
	skipMe      bool
}

func parseKillFilter(a *engine.Args, users *acl.Users) (killFilter, error) {
	f := killFilter{skipMe: true}
	for !a.Done() {
		switch {
		case a.MatchValue("ID"):
			f.id = a.IntRange(1, math.MaxInt64, string(engine.ErrClientIDLow))
		case a.MatchValue("MAXAGE"):
			f.maxAge = a.IntRange(math.MinInt64, math.MaxInt64, string(engine.ErrMaxAge))
			if f.maxAge <= 0 {
				a.Fail(engine.ErrMaxAgeLow)
			}
		case a.MatchValue("TYPE"):
			t, err := clientType(a.Next())
			if err != nil {
				return f, err
			}
			f.typed, f.kind = true, t
		case a.MatchValue("ADDR"):
			f.addr = a.Next()
		case a.MatchValue("LADDR"):
			f.laddr = a.Next()
		case a.MatchValue("USER"):
			user := a.Next()
			if f.user = users.Find(string(user)); f.user == nil {
				return f, engine.Errf("ERR No such user '%s'", user)
			}
		case a.MatchValue("SKIPME"):
			f.skipMe = a.Match("YES")
			if !f.skipMe && !a.Match("NO") {
				a.Syntax()
			}
		default:
			a.Syntax()
		}
	}
	return f, a.Err()
}

func (f *killFilter) matches(s *engine.Session, self *engine.Session, now time.Time) bool {
	switch conn := s.Conn(); {
	case f.addr != nil && conn.RemoteAddr() != string(f.addr),
		f.laddr != nil && conn.LocalAddr() != string(f.laddr),
		f.typed && kindOf(s) != f.kind,
		f.id != 0 && int64(s.ID()) != f.id,
		f.skipMe && s == self,
		f.user != nil && !s.Of(f.user),
		f.maxAge != 0 && int64(now.Sub(conn.Created())/time.Second) < f.maxAge:
		return false
	}
	return true
}

func cmdClientKill(c *engine.Ctx) error {
	f := killFilter{}
	byAddr := len(c.Args) == 3
	if byAddr {
		f.addr = c.Args[2]
	} else {
		var err error
		if f, err = parseKillFilter(c.Parse(2), c.Kernel.Users); err != nil {
			return err
		}
	}
	killed, now := 0, c.Kernel.Now()
	for _, s := range c.Kernel.Clients.All() {
		if !f.matches(s, c.Session, now) {
			continue
		}
		killed++
		if s == c.Session {
			s.CloseAfterReply()
		} else {
			s.Kill()
		}
	}
	switch {
	case !byAddr:
		c.Out.Int(int64(killed))
	case killed == 0:
		return engine.ErrNoSuchClient
	default:
		c.Out.OK()
	}
	return nil
}
