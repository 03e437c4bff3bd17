// Looking ahead in a pipeline.
//
// A session that finds more requests behind the one it is about to run parses up
// to lookWindow of them first and lets the store prefetch what their keys need
// (store/prefetch.go), so that the waits for memory of many commands overlap.
// That is a hint: the requests are then admitted and run one after the other as
// if they had been parsed one after the other. Whatever one of them does to the
// session (SELECT, MULTI, RESET) at worst wastes a prefetch. What it can change
// about parsing is the limits of unauthenticated clients, so those do not look
// ahead, and a client that loses its login parses the rest again.
//
// Clients that do not pipeline are helped in the same way where many of them are
// ready at once: the loop reads from all of them, lets each session preview its
// input (Preview, Warm), and only then gives them their turns. What the preview
// has parsed is the first request of the turn.

package engine

import "github.com/larderkv/larder/store"

const (
	// lookWindow is how many requests are parsed before the first of them runs:
	// enough for the waits to overlap, few enough for what was prefetched to
	// stay in the first-level cache (four lines for each).
	lookWindow = 16
	// lookArgs is the most arguments a request may have to be looked at ahead.
	lookArgs = 64
)

// lookahead is the requests that were parsed and have not run yet.
type lookahead struct {
	requests [lookWindow]request
	n, next  int
	args     [][]byte // the requests' arguments, one behind the other
	keys     []store.Key
	elements [][]byte // by key: the field or member that the request is about, or nil
	nested   bool     // some element is not nil

	most, mostArgs int // requests and arguments of the batch's longest look
}

type request struct {
	args  [][]byte
	size  int
	row   *Spec // nil: unknown command
	key   store.Key
	keyed bool // key is the row's one key
}

// drop forgets the requests that have not run.
func (l *lookahead) drop() { l.n, l.next = 0, 0 }

// letGo drops every reference to the client's bytes. No request has more than one key or element.
func (l *lookahead) letGo() {
	l.drop()
	clear(l.requests[:l.most])
	clear(l.args[:l.mostArgs])
	clear(l.keys[:min(l.most, cap(l.keys))])
	clear(l.elements[:min(l.most, cap(l.elements))])
	l.args, l.keys, l.elements = l.args[:0], l.keys[:0], l.elements[:0]
	l.most, l.mostArgs = 0, 0
}

// nextRequest puts the first request of buf into c, nil arguments if there is no
// complete one, and returns how many bytes it takes.
func (s *Session) nextRequest(c *Ctx, buf []byte) (size int, err error) {
	l := &c.ahead
	if s.authRequired() {
		l.drop()
	}
	if l.next < l.n {
		return c.use(&l.requests[l.next]), nil
	}
	if s.preview.size > 0 {
		r := s.preview
		s.preview = request{}
		c.Args, c.row, c.key, c.keyed, size = r.args, r.row, r.key, r.keyed, r.size
	} else {
		s.limits.Authenticated = !s.authRequired()
		c.row, c.keyed = nil, false
		c.Args, size, err = s.parser.Next(buf, &s.limits)
	}
	if err != nil || c.Args == nil || size == len(buf) || !s.limits.Authenticated || len(c.Args) > lookArgs {
		return size, err
	}
	s.lookAhead(c, buf, size)
	return c.use(&l.requests[0]), nil
}

// Preview looks at the input of the session's next turn and begins to prefetch
// the first request's key. See netloop.Previewer.
func (s *Session) Preview(in []byte) {
	if s.authRequired() || s.wait.Load() != nil {
		return
	}
	s.limits.Authenticated = true
	args, size := s.parser.Ahead(in, &s.limits)
	if size == 0 {
		return
	}
	s.preview = s.look(args, size)
	if s.preview.keyed {
		s.kernel.Store.PrefetchBucket(s.db, &s.preview.key)
	}
}

// Warm goes on where Preview began.
func (s *Session) Warm() {
	if s.preview.keyed {
		s.kernel.Store.PrefetchRecord(s.db, &s.preview.key)
	}
}

// look finds out what can be known of a request before it runs.
func (s *Session) look(args [][]byte, size int) request {
	r := request{args: args, size: size, row: s.kernel.Table.Resolve(args)}
	if r.row != nil && r.row.lockKind == lockOne && r.row.keyPos < len(args) {
		r.key, r.keyed = s.kernel.Store.Key(args[r.row.keyPos]), true
	}
	return r
}

// use makes a request that was parsed ahead the one that runs.
func (c *Ctx) use(r *request) (size int) {
	c.ahead.next++
	c.Args, c.row, c.key, c.keyed = r.args, r.row, r.key, r.keyed
	return r.size
}

// lookAhead collects the request in c, which takes size bytes of buf, and those
// behind it, and prefetches their keys.
func (s *Session) lookAhead(c *Ctx, buf []byte, size int) {
	l := &c.ahead
	l.drop()
	l.args, l.keys, l.elements, l.nested = l.args[:0], l.keys[:0], l.elements[:0], false
	r := request{args: c.Args, size: size, row: c.row, key: c.key, keyed: c.keyed}
	if r.row == nil { // no Preview has looked at it
		r = s.look(c.Args, size)
	}
	for {
		l.remember(&r)
		buf = buf[r.size:]
		if l.n == lookWindow {
			break
		}
		args, size := s.parser.Ahead(buf, &s.limits)
		if size == 0 || len(args) > lookArgs {
			break
		}
		r = s.look(args, size)
	}
	l.most, l.mostArgs = max(l.most, l.n), max(l.mostArgs, len(l.args))
	if l.n > 1 {
		elements := l.elements
		if !l.nested {
			elements = nil
		}
		s.kernel.Store.Prefetch(s.db, l.keys, elements)
	}
}

// remember keeps a request whose arguments are the parser's until its next.
func (l *lookahead) remember(from *request) {
	start := len(l.args)
	l.args = append(l.args, from.args...)
	r := &l.requests[l.n]
	*r = *from
	r.args = l.args[start:len(l.args):len(l.args)]
	l.n++
	if r.keyed {
		l.keys = append(l.keys, r.key)
		var element []byte
		if i := r.row.Element; i > 0 && i < len(r.args) {
			element, l.nested = r.args[i], true
		}
		l.elements = append(l.elements, element)
	}
}
