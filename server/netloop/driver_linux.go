package netloop

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// loops is the driver for sockets with a descriptor.
type loops struct {
	server *Server
	all    atomic.Pointer[[]*loop] // those that run, the leaving ones last; replaced under mu, never changed
	free   atomic.Int32            // processors beyond one for each loop, see loop.poll
	ended  chan struct{}

	mu      sync.Mutex // before the mutex of any loop's notices
	wanted  int        // under mu: the loops that take connections are the first wanted of all
	running int        // under mu: how many have not ended
	next    int        // under mu: where the search for the least loaded loop begins
	ending  bool       // under mu: the loops have been asked to drain or to stop
	past    Stats      // under mu: traffic of loops that have left
}

func newLoops(s *Server, n int) (driver, error) {
	d := &loops{server: s, ended: make(chan struct{})}
	d.all.Store(new([]*loop))
	if err := d.resize(n); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *loops) adopt(nc net.Conn) error {
	socket := socketOf(nc)
	fd, err := duplicate(socket)
	if err != nil {
		return err
	}
	c := &conn{}
	c.init(d.server.ids.Add(1), socket, fd)
	// Go's copy goes, and with it the runtime's own poller's interest in the socket.
	if err := socket.Close(); err != nil {
		d.server.log.Debug("closing Go's copy of a connection", "error", err)
	}
	if !c.Unix() {
		if err := setKeepAlive(fd, d.server.opts.Limits(c.Class()).KeepAlive); err != nil {
			d.server.log.Debug("setting TCP keepalive", "error", err) // the client is gone already
		}
	}
	if conn, ok := nc.(*tls.Conn); ok {
		c.secure = newSecure(c, conn)
	}
	d.assign(c)
	if !c.post(noticeNew) {
		return errors.Join(net.ErrClosed, unix.Close(fd))
	}
	return nil
}

// assign gives a new connection to the loop with the fewest of them. That one stays until it has got it.
func (d *loops) assign(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.leastLocked((*loop).connections)
	l.load.Add(1)
	c.loop = l
	c.home.Store(l)
}

// leastLocked returns the loop of which number is the smallest, taking turns among equals.
func (d *loops) leastLocked(number func(*loop) int) *loop {
	all := (*d.all.Load())[:d.wanted]
	d.next++
	best := all[d.next%len(all)]
	for i := 1; i < len(all); i++ {
		if l := all[(d.next+i)%len(all)]; number(l) < number(best) {
			best = l
		}
	}
	return best
}

func (d *loops) drain() { d.end(true) }
func (d *loops) stop()  { d.end(false) }

// end asks every loop to drain, or else to stop. No connection moves after that.
func (d *loops) end(drain bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ending = true
	for _, l := range *d.all.Load() {
		l.notices.order(orders{drain: drain, stop: !drain})
	}
}

// leave takes a loop that has no connections out of the list. It reports false if the loop is to stay.
func (d *loops) leave(l *loop) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ending || !l.leaving.Load() || l.load.Load() > 0 {
		return false
	}
	l.publish()
	l.traffic.addTo(&d.past)
	all := slices.Clone(*d.all.Load())
	all = slices.DeleteFunc(all, func(other *loop) bool { return other == l })
	d.all.Store(&all)
	return true
}

// over notes that a loop has ended.
func (d *loops) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	d.countFree()
	if d.ending && d.running == 0 {
		close(d.ended)
	}
}

func (d *loops) flush() {
	for _, l := range *d.all.Load() {
		l.notices.flush()
	}
}

func (d *loops) done() <-chan struct{} { return d.ended }

func (d *loops) loopStats() []LoopStats {
	loops := *d.all.Load()
	all := make([]LoopStats, len(loops))
	for i, l := range loops {
		t := &l.traffic
		all[i] = LoopStats{int64(l.load.Load()), t.in.Load(), t.out.Load(), t.reads.Load(), t.writes.Load()}
	}
	return all
}

func (d *loops) addTo(st *Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st.Loops = d.wanted
	st.BytesIn += d.past.BytesIn
	st.BytesOut += d.past.BytesOut
	st.Reads += d.past.Reads
	st.Writes += d.past.Writes
	for _, l := range *d.all.Load() {
		l.traffic.addTo(st)
		if l.uring != nil {
			st.Rings++
		}
	}
}
