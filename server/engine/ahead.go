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
	elements [][]byte // see nested

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
	if size = s.preview.size; size > 0 {
		c.Args, c.looked = s.preview.args, &s.preview
		s.preview.args, s.preview.size = nil, 0
	} else {
		s.limits.Authenticated = !s.authRequired()
		c.looked = nil
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
	s.look(&s.preview, args, size)
	if s.preview.keyed {
		s.kernel.Store.PrefetchBucket(s.db, &s.preview.key)
	}
}

// Warm goes on where Preview began.
func (s *Session) Warm() {
	if s.preview.size > 0 && s.preview.keyed {
		s.kernel.Store.PrefetchRecord(s.db, &s.preview.key)
	}
}

// look finds out what can be known of a request before it runs, and notes it in r.
func (s *Session) look(r *request, args [][]byte, size int) {
	row := s.kernel.Table.Resolve(args)
	r.args, r.size, r.row = args, size, row
	r.keyed = row != nil && row.lockKind == lockOne && row.keyPos < len(args)
	if r.keyed {
		r.key = s.kernel.Store.Key(args[row.keyPos])
	}
}

// use makes a request that was parsed ahead the one that runs.
func (c *Ctx) use(r *request) (size int) {
	c.ahead.next++
	c.Args, c.looked = r.args, r
	return r.size
}

// lookAhead collects the request in c, which takes size bytes of buf, and those
// behind it, and prefetches their keys.
func (s *Session) lookAhead(c *Ctx, buf []byte, size int) {
	l := &c.ahead
	l.drop()
	l.args, l.keys = append(l.args[:0], c.Args...), l.keys[:0] // the parser's arguments, until its next
	s.lookAt(l, 0, size, c.looked)
	for l.n < lookWindow {
		buf = buf[size:]
		start := len(l.args)
		l.args, size = s.parser.AppendAhead(l.args, buf, &s.limits)
		l.mostArgs = max(l.mostArgs, len(l.args))
		if size == 0 || len(l.args)-start > lookArgs {
			break
		}
		s.lookAt(l, start, size, nil)
	}
	l.most, l.mostArgs = max(l.most, l.n), max(l.mostArgs, len(l.args))
	if l.n > 1 {
		s.kernel.Store.Prefetch(s.db, l.keys, l.nested())
	}
}

// lookAt looks at the request whose arguments are l.args[start:]. preview is nil or what is known of
// it already.
func (s *Session) lookAt(l *lookahead, start, size int, preview *request) {
	r, args := &l.requests[l.n], l.args[start:len(l.args):len(l.args)]
	l.n++
	if preview != nil {
		*r = *preview
		r.args, r.size = args, size
	} else {
		s.look(r, args, size)
	}
	if r.keyed {
		l.keys = append(l.keys, r.key)
	}
}

// nested returns by key the field or member that the request is about, or nil. It returns nil if no
// request is about any.
func (l *lookahead) nested() [][]byte {
	some := false
	for i := range l.requests[:l.n] {
		some = some || l.requests[i].keyed && l.requests[i].row.Element > 0
	}
	if !some {
		return nil
	}
	l.elements = l.elements[:0]
	for i := range l.requests[:l.n] {
		if r := &l.requests[i]; r.keyed {
			var element []byte
			if at := r.row.Element; at > 0 && at < len(r.args) {
				element = r.args[at]
			}
			l.elements = append(l.elements, element)
		}
	}
	return l.elements
}
