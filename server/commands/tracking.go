package commands

import (
	"slices"
	"strings"

	"github.com/larderkv/larder/server/engine"
)

// CLIENT TRACKING and its relatives: which keys a client keeps copies of, so that it can be told
// when they change. How stands in engine/tracking.go.

func trackingCommands() []engine.Spec {
	const (
		cat = engine.CatConnection
		own = engine.NoScript | engine.Loading | engine.Stale | engine.KeepsCaching
	)
	return []engine.Spec{
		{Name: "tracking", Handler: cmdClientTracking, Arity: -3, Flags: own | engine.OwnLocks, Group: "connection", Categories: cat, Since: "6.0.0",
			Syntax:     "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
			Summary:    "Switches messages about keys that change to this connection on or off.",
			Complexity: "O(N log N) where N is the number of prefixes"},
		{Name: "caching", Handler: cmdClientCaching, Arity: 3, Flags: own, Group: "connection", Categories: cat, Since: "6.0.0",
			Syntax: "<YES | NO>", Summary: "Says whether the keys of the next command are tracked.",
			Complexity: "O(1)"},
		{Name: "trackinginfo", Handler: cmdClientTrackinginfo, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "6.2.0",
			Summary: "Returns how this connection tracks keys.", Complexity: "O(1)"},
		{Name: "getredir", Handler: cmdClientGetredir, Arity: 2, Flags: own, Group: "connection", Categories: cat, Since: "6.0.0",
			Summary: "Returns the connection that gets the messages about keys that change.", Complexity: "O(1)"},
	}
}

// cmdClientTracking finds faults in Redis' order: those of options as they come, then those of what
// they ask for together.
func cmdClientTracking(c *engine.Ctx) error {
	a := c.Parse(3)
	o, err := parseTracking(c, a)
	if err != nil {
		return err
	}
	switch a = c.Parse(2); {
	case a.Match("ON"):
		if err := checkTracking(c.Session, &o); err != nil {
			return err
		}
		c.Track(o)
	case a.Match("OFF"):
		c.StopTracking()
	default:
		return engine.ErrSyntax
	}
	c.Out.OK()
	return nil
}

func parseTracking(c *engine.Ctx, a *engine.Args) (o engine.TrackingOptions, err error) {
	for !a.Done() {
		switch {
		case a.MatchValue("REDIRECT"):
			if o.Redirect != nil {
				return o, engine.ErrRedirectTwice
			}
			id := a.Int64()
			if a.Err() == nil {
				o.Redirect = c.Kernel.Clients.ByID(uint64(id))
			}
			if a.Err() == nil && o.Redirect == nil {
				return o, engine.ErrRedirectClient
			}
		case a.Match("BCAST"):
			o.Broadcast = true
		case a.Match("OPTIN"):
			o.OptIn = true
		case a.Match("OPTOUT"):
			o.OptOut = true
		case a.Match("NOLOOP"):
			o.NoLoop = true
		case a.MatchValue("PREFIX"):
			o.Prefixes = append(o.Prefixes, string(a.Next()))
		default:
			a.Syntax()
		}
	}
	return o, a.Err()
}

// checkTracking refuses options that contradict each other, or what the client has asked for before.
func checkTracking(s *engine.Session, o *engine.TrackingOptions) error {
	old, _, tracks := s.Tracking()
	switch {
	case !o.Broadcast && len(o.Prefixes) > 0:
		return engine.ErrPrefixMode
	case tracks && old.Broadcast != o.Broadcast:
		return engine.ErrSwitchBroadcast
	case o.Broadcast && (o.OptIn || o.OptOut):
		return engine.ErrOptBroadcast
	case o.OptIn && o.OptOut:
		return engine.ErrOptBoth
	case o.OptIn && old.OptOut, o.OptOut && old.OptIn:
		return engine.ErrSwitchOpt
	}
	if err := checkPrefixes(o.Prefixes, old.Prefixes); err != nil {
		return err
	}
	if o.Broadcast && len(o.Prefixes) == 0 {
		o.Prefixes = []string{""}
	}
	return nil
}

// checkPrefixes refuses prefixes of which one begins with another, or with one that the client has.
// It names the same two as Redis, which compares each with each; a request may hold so many that
// nobody would wait for that.
func checkPrefixes(prefixes, old []string) error {
	i := firstOverlap(prefixes, old)
	if i < 0 {
		return nil
	}
	p := prefixes[i]
	overlaps := func(q string) bool { return strings.HasPrefix(p, q) || strings.HasPrefix(q, p) }
	if j := slices.IndexFunc(old, overlaps); j >= 0 {
		return engine.Errf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", []byte(p), []byte(old[j]))
	}
	j := i + 1 + slices.IndexFunc(prefixes[i+1:], overlaps)
	return engine.Errf("ERR Prefix '%s' overlaps with another provided prefix '%s'. Prefixes for a single client must not overlap.", []byte(p), []byte(prefixes[j]))
}

// firstOverlap is the index of the first prefix that overlaps with any other, -1 if none does. In
// order, whatever begins with a string stands right behind it.
func firstOverlap(prefixes, old []string) int {
	all := slices.Concat(prefixes, old)
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(all[a], all[b]) })
	first := len(prefixes)
	for k, shortest := 1, 0; k < len(order); k++ {
		if !strings.HasPrefix(all[order[k]], all[order[shortest]]) {
			shortest = k
			continue
		}
		first = min(first, order[k], order[shortest])
	}
	if first == len(prefixes) {
		return -1
	}
	return first
}

func cmdClientCaching(c *engine.Ctx) error {
	o, _, ok := c.Session.Tracking()
	switch a := c.Parse(2); {
	case !ok:
		return engine.ErrCachingMode
	case a.Match("YES"):
		if !o.OptIn {
			return engine.ErrCachingYes
		}
	case a.Match("NO"):
		if !o.OptOut {
			return engine.ErrCachingNo
		}
	default:
		return engine.ErrSyntax
	}
	c.SetCaching()
	c.Out.OK()
	return nil
}

func cmdClientTrackinginfo(c *engine.Ctx) error {
	o, broken, ok := c.Session.Tracking()
	var flags []string
	add := func(on bool, flag string) {
		if on {
			flags = append(flags, flag)
		}
	}
	add(ok, "on")
	add(!ok, "off")
	add(o.Broadcast, "bcast")
	add(o.OptIn, "optin")
	add(o.OptIn && c.Session.Caching(), "caching-yes")
	add(o.OptOut, "optout")
	add(o.OptOut && c.Session.Caching(), "caching-no")
	add(o.NoLoop, "noloop")
	add(broken, "broken_redirect")
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, f := range flags {
		c.Out.BulkString(f)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(c.Session.Redirect())
	c.Out.BulkString("prefixes")
	c.Out.Array(len(o.Prefixes))
	for _, p := range o.Prefixes {
		c.Out.BulkString(p)
	}
	return nil
}

func cmdClientGetredir(c *engine.Ctx) error {
	c.Out.Int(c.Session.Redirect())
	return nil
}
