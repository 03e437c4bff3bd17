// Moving: connections that go from one loop to another. See "Moving" in the package's comment.

package netloop

import (
	"errors"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	roundMoves = 64   // connections that a loop gives away in a round: some 200 us
	roundLooks = 1024 // places of its table that it looks at for them
	tickMoves  = 256  // connections that it gives away in a second because others have fewer
	sample     = 256  // connections that it looks at in a second, to see how many are active
)

// giving is what a loop is still to give to others.
type giving struct {
	kind giftKind
	n    int // so many connections
	left int // places of the table that have not been looked at for them
}

// giftKind is which connections move.
type giftKind uint8

const (
	giveAny giftKind = iota
	giveActive
	giveIdle
)

func (l *loop) connections() int { return int(l.load.Load()) }
func (l *loop) activeOnes() int  { return int(l.active.Load()) }

// resize starts loops, or has those that are too many give their connections to the others and end,
// which they do when they come to it.
func (d *loops) resize(n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending || n == d.wanted {
		return nil
	}
	old := *d.all.Load()
	all := slices.Clone(old)
	for len(all) < n { // those that were about to leave stay
		l, err := newLoop(d, unusedNumber(all))
		if err != nil {
			return errors.Join(err, abandon(all[len(old):]))
		}
		all = append(all, l)
	}
	for i, l := range all {
		l.leaving.Store(i >= n)
	}
	d.wanted, d.running = n, d.running+len(all)-len(old)
	d.all.Store(&all)
	d.countFree()
	for _, l := range all[len(old):] {
		go l.run()
	}
	for _, l := range old {
		l.notices.order(orders{spread: true})
	}
	return nil
}

// unusedNumber is the smallest number that none of the loops has.
func unusedNumber(all []*loop) int {
	n := 0
	for slices.ContainsFunc(all, func(l *loop) bool { return l.number == n }) {
		n++
	}
	return n
}

// abandon closes loops that have not been started.
func abandon(made []*loop) error {
	var errs []error
	for _, l := range made {
		errs = append(errs, l.release())
	}
	return errors.Join(errs...)
}

// countFree looks how many processors there are beside those of the loops. The runtime follows the quota
// of the control group, so that may change at any time.
func (d *loops) countFree() {
	free := int32(runtime.GOMAXPROCS(0) - len(*d.all.Load()))
	if d.free.Load() != free {
		d.free.Store(free)
	}
}

// surplus is how many connections the loop has beyond its share, by a number that all loops have: 0 if
// it is beyond it by no more than a part of the share, or by one connection.
func (l *loop) surplus(number func(*loop) int, part float64) int {
	d := l.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	sum := 0
	for _, other := range *d.all.Load() {
		sum += number(other)
	}
	share := float64(sum) / float64(d.wanted)
	if more := float64(number(l)) - share; more > max(1, part*share) {
		return int(more)
	}
	return 0
}

// spread has the loop give away all connections if it is to leave, or else what it has beyond its share.
func (l *loop) spread() {
	if l.leaving.Load() {
		l.give(giveAny, l.live)
	} else {
		l.give(giveAny, l.surplus((*loop).connections, 0))
	}
}

// balance is for once a second. It gives connections to loops that have fewer: first active ones, if
// those are spread unevenly, since they are what a loop's time goes to. Idle ones cost memory and a
// look now and then, wherever they are, but may become active all together. As many of either kind
// move as are beyond the loop's share, not one by one, so two loops never exchange connections.
func (l *loop) balance() {
	d := l.driver
	d.countFree()
	if len(*d.all.Load()) == 1 {
		return
	}
	l.active.Store(int32(l.countActive()))
	if l.leaving.Load() {
		l.spread()
		return
	}
	if n := l.surplus((*loop).activeOnes, 1.0/4); n > 0 {
		l.give(giveActive, min(n, tickMoves))
	} else if n := l.surplus((*loop).connections, 1.0/8); n > 0 {
		l.give(giveIdle, min(n, tickMoves))
	}
}

// countActive estimates how many connections are active, by a look at some of them.
func (l *loop) countActive() int {
	seen, active := 0, 0
	for range min(len(l.conns), roundLooks) {
		if c := l.nextConn(); c != nil {
			seen++
			if l.isActive(c) {
				active++
			}
			if seen == sample {
				break
			}
		}
	}
	if seen == 0 {
		return 0
	}
	return active * l.live / seen
}

// nextConn goes on through the table of connections, in a circle. It returns nil for an empty place.
func (l *loop) nextConn() *conn {
	l.looked++
	if l.looked >= len(l.conns) {
		l.looked = 0
	}
	return l.conns[l.looked]
}

// isActive reports whether something has gone through a connection within a second or two.
func (l *loop) isActive(c *conn) bool {
	return l.now.UnixNano()-c.active < int64(tickInterval)
}

// give begins to give n connections away.
func (l *loop) give(kind giftKind, n int) {
	l.giving = giving{}
	if n > 0 {
		l.giving = giving{kind: kind, n: n, left: len(l.conns)}
	}
}

// giveSome gives some connections away. It is called at the end of a round, when none of them has a
// turn under way, in any of the lists of the round.
func (l *loop) giveSome() {
	g := &l.giving
	for range roundLooks {
		if g.left == 0 || g.n == 0 || len(l.movers) == roundMoves {
			break
		}
		g.left--
		// A batch that another goroutine executes comes back to this loop.
		if c := l.nextConn(); c != nil && c.away == nil && (g.kind == giveAny || l.isActive(c) == (g.kind == giveActive)) {
			c.moving = true
			l.movers = append(l.movers, c)
			g.n--
		}
	}
	if g.n == 0 {
		g.left = 0
	}
	if len(l.movers) > 0 {
		l.move(l.movers, g.kind)
		clear(l.movers)
		l.movers = l.movers[:0]
	}
}

// move gives connections to other loops, one by one to that which has the fewest. Those for which this
// loop is as good stay.
func (l *loop) move(conns []*conn, kind giftKind) {
	d := l.driver
	number := (*loop).connections
	if kind == giveActive {
		number = (*loop).activeOnes
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var targets [roundMoves]*loop
	for i, c := range conns {
		target := d.leastLocked(number)
		better := l.leaving.Load() || number(target)+1 < number(l)
		if c.moving = better && !d.ending && l.drop(c); !c.moving {
			continue
		}
		targets[i] = target
		target.load.Add(1)
		if kind == giveActive {
			target.active.Add(1)
			l.active.Add(-1)
		}
	}
	l.letGo(conns, &targets)
	for i, c := range conns {
		if targets[i] != nil {
			targets[i].notices.receive(c)
		}
	}
}

// drop forgets a connection, but for the lists that it may be in. It returns false, and the connection
// stays, if the kernel would go on reporting its events.
func (l *loop) drop(c *conn) bool {
	if err := control(l.ep, unix.EPOLL_CTL_DEL, c.fd, 0); err != nil {
		l.server.log.Warn("cannot move a connection", "error", err)
		return false
	}
	l.conns[c.fd] = nil
	l.live--
	if c.roomAsked {
		l.owing--
	}
	l.load.Add(-1)
	return true
}

// letGo takes those that move out of the loop's lists, and says who has them now. What these lists say
// of them is said by their own fields as well. From then on who wants something of one goes to its new
// loop: to do all of it under the mutex leaves no moment in which it gets into a list again.
func (l *loop) letGo(conns []*conn, targets *[roundMoves]*loop) {
	moves := func(c *conn) bool { return c.moving }
	l.again = slices.DeleteFunc(l.again, moves)
	n, p := &l.notices, &l.pushes
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = slices.DeleteFunc(n.waiting, moves)
	n.pushes = slices.DeleteFunc(n.pushes, moves)
	p.conns = p.conns[:p.at+len(slices.DeleteFunc(p.conns[p.at:], moves))]
	for i, c := range conns {
		if !c.moving {
			continue
		}
		c.moving, c.inAgain, c.pushing, c.loop = false, false, false, nil
		c.notices |= noticeMoved
		c.home.Store(targets[i])
	}
}

// receive puts a connection that another loop has let go into the list of those with a notice. Until
// then nobody does, since there is a notice already.
func (n *notices) receive(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, c)
	n.announceLocked()
}

// arrive goes on with a connection that another loop has given to its new one.
func (c *conn) arrive() {
	c.loop = c.home.Load()
	if m, ok := c.session.(Mover); ok {
		m.Moved()
	}
	// An event that came in between is reported again to an epoll set that the socket joins.
	if c.loop.enter(c) && c.messagesFirst() {
		c.watch()
	}
}

// Loop is Conn.Loop.
func (c *conn) Loop() int { return c.home.Load().number }

// lockNotices locks the notices of the loop that the connection is with.
func (c *conn) lockNotices() *notices {
	for {
		l := c.home.Load()
		l.notices.mu.Lock()
		if c.home.Load() == l {
			return &l.notices
		}
		l.notices.mu.Unlock()
	}
}
