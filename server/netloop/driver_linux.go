package netloop

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// loops is the driver for sockets with a descriptor.
type loops struct {
	server *Server
	all    []*loop
	next   atomic.Uint32 // where the search for the least loaded loop begins
	ended  chan struct{}
}

func newLoops(s *Server, n int) (driver, error) {
	d := &loops{server: s, ended: make(chan struct{})}
	for range n {
		l, err := newLoop(s, n)
		if err != nil {
			return nil, errors.Join(err, d.abandon())
		}
		d.all = append(d.all, l)
	}
	for _, l := range d.all {
		go l.run()
	}
	go func() {
		for _, l := range d.all {
			<-l.done
		}
		close(d.ended)
	}()
	return d, nil
}

// abandon closes loops that have not been started.
func (d *loops) abandon() error {
	var errs []error
	for _, l := range d.all {
		errs = append(errs, l.release())
	}
	return errors.Join(errs...)
}

func (d *loops) adopt(nc net.Conn) error {
	socket := socketOf(nc)
	fd, err := duplicate(socket)
	if err != nil {
		return err
	}
	c := &conn{loop: d.pick()}
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
	c.loop.load.Add(1)
	if !c.loop.notices.post(c, noticeNew) {
		return errors.Join(net.ErrClosed, unix.Close(fd))
	}
	return nil
}

// pick returns the loop with the fewest connections, taking turns among equals.
func (d *loops) pick() *loop {
	n := uint32(len(d.all))
	start := d.next.Add(1)
	best := d.all[start%n]
	for i := uint32(1); i < n; i++ {
		if l := d.all[(start+i)%n]; l.load.Load() < best.load.Load() {
			best = l
		}
	}
	return best
}

func (d *loops) drain() { d.order(true) }
func (d *loops) stop()  { d.order(false) }

// order asks every loop to drain, or else to stop.
func (d *loops) order(drain bool) {
	for _, l := range d.all {
		l.notices.order(drain)
	}
}

func (d *loops) flush() {
	for _, l := range d.all {
		l.notices.flush()
	}
}

func (d *loops) done() <-chan struct{} { return d.ended }

func (d *loops) loopStats() []LoopStats {
	all := make([]LoopStats, len(d.all))
	for i, l := range d.all {
		t := &l.traffic
		all[i] = LoopStats{int64(l.load.Load()), t.in.Load(), t.out.Load(), t.reads.Load(), t.writes.Load()}
	}
	return all
}

func (d *loops) addTo(st *Stats) {
	for _, l := range d.all {
		l.traffic.addTo(st)
	}
}
