package load

import (
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"time"
)

// The open loop is one thread that never sleeps: it looks at the clock, sends what is due, and polls
// the connections. Timers of Go's runtime and its scheduler would add more to the tail of latencies
// than servers do. So it takes one processor for itself; a server on the same machine needs another
// one. Its system calls, which never wait, go past the runtime, whose monitor thread would look after
// it every 20 us, for 3 % of the server's processor (sockets_linux.go).

// Open is an open loop. Flows and their connections are added before it runs.
type Open struct {
	flows []*Flow
	links links
	conns []*openConn          // by index of links
	clock func() time.Duration // of tests; nil: the time since the start
	now   func() time.Duration // of the run
	// Kept is of the requests of the last run.
	Kept Kept
	// Drain is how long after the end requests that were due before it are still sent, and replies
	// waited for.
	Drain time.Duration
	buf   [64 << 10]byte
}

// NewOpen makes a loop without flows.
func NewOpen() *Open {
	return &Open{links: &sockets{}, Drain: 10 * time.Second}
}

// Flow is a sequence of requests at a fixed rate, dealt out to its connections in turn.
type Flow struct {
	period float64 // nanoseconds between the moments at which two requests are due
	sent   int64
	next   time.Duration // when the next request is due, from the start
	conns  []*openConn
	turn   int
}

// openConn is a connection with requests in flight.
type openConn struct {
	stream     Stream
	link       int
	out        []byte          // not yet accepted by the system
	due        []time.Duration // ring, of a power of two: when the requests in flight were due
	head, tail uint
}

const (
	// Endless is the length of a run that only over ends.
	Endless = 1 << 61 * time.Nanosecond
	// MostInFlight is how many requests of one connection may be unanswered. More means that the
	// server does not keep up; what is due then waits.
	MostInFlight = 1 << 15
	// LateAfter is how long after it was due a request counts as sent late.
	LateAfter = time.Millisecond

	firstRing = 64
)

// Kept says how far an open loop kept to its rate.
type Kept struct {
	Sent       int64 // requests
	Late       int64 // of these, sent more than LateAfter after they were due
	Unsent     int64 // were due before the end, and never sent: all connections were full for too long
	Unanswered int64 // were sent, and not answered when the loop gave up on them
}

// errDropped: the server ended a connection.
var errDropped = errors.New("the server closed a connection")

// Flow adds a flow; the rate is per second.
func (o *Open) Flow(rate float64) *Flow {
	f := &Flow{period: float64(time.Second) / rate}
	o.flows = append(o.flows, f)
	return f
}

// Connect gives a flow one more connection, which must have nothing under way. The loop takes it
// over, whatever is returned; Close ends it.
func (o *Open) Connect(f *Flow, conn net.Conn, s Stream) error {
	i, err := o.links.add(conn)
	if err != nil {
		return err
	}
	c := &openConn{stream: s, link: i, due: make([]time.Duration, firstRing)}
	o.conns = append(o.conns, c)
	f.conns = append(f.conns, c)
	return nil
}

// Close drops all connections.
func (o *Open) Close() { o.links.close() }

// Run keeps all flows going for the time of length, or until over says so of the time since the start
// if that is earlier, and then waits for the last replies; what is missing then is not an error. It
// wants at least one connection in each flow. over is asked at each turn of the loop, so it must be
// cheap. A loop can run again: it starts anew, over the same connections.
func (o *Open) Run(length time.Duration, over func(now time.Duration) bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	o.now = func() time.Duration { return time.Since(start) }
	if o.clock != nil {
		o.now = o.clock
	}
	o.Kept = Kept{}
	for _, f := range o.flows {
		f.sent, f.next = 0, 0
	}
	kept, end := &o.Kept, min(length, Endless)
	for {
		now := o.now()
		if now < end && over(now) {
			end = now
		}
		if now >= end {
			kept.Unsent, kept.Unanswered = o.overdue(end), o.inFlight()
			if kept.Unsent+kept.Unanswered == 0 || now >= end+o.Drain {
				return nil
			}
		}
		for _, f := range o.flows {
			for f.next <= now && f.next < end && f.room() {
				if err := o.send(f, now); err != nil {
					kept.Unanswered = o.inFlight()
					return err
				}
			}
		}
		if err := o.receive(); err != nil {
			kept.Unanswered = o.inFlight()
			return err
		}
	}
}

// overdue counts the requests that were due before the end and have not been sent.
func (o *Open) overdue(end time.Duration) (n int64) {
	for _, f := range o.flows {
		n += max(0, int64(math.Ceil(float64(end)/f.period))-f.sent)
	}
	return n
}

func (o *Open) inFlight() (n int64) {
	for _, c := range o.conns {
		n += int64(c.tail - c.head)
	}
	return n
}

// room finds the next connection that can take a request.
func (f *Flow) room() bool {
	for range f.conns {
		c := f.conns[f.turn]
		if c.tail-c.head < MostInFlight {
			return true
		}
		f.turn = (f.turn + 1) % len(f.conns)
	}
	return false
}

// send puts the next request on its way, each in a write of its own.
func (o *Open) send(f *Flow, now time.Duration) error {
	c := f.conns[f.turn]
	f.turn = (f.turn + 1) % len(f.conns)
	o.Kept.Sent++
	if now-f.next > LateAfter {
		o.Kept.Late++
	}
	c.push(f.next)
	f.sent++
	f.next = time.Duration(float64(f.sent) * f.period)
	c.out = c.stream.Next(c.out)
	return o.flush(c)
}

// push notes when a request in flight was due.
func (c *openConn) push(due time.Duration) {
	size := uint(len(c.due))
	if c.tail-c.head == size {
		larger := make([]time.Duration, 2*size)
		for i := c.head; i != c.tail; i++ {
			larger[i%(2*size)] = c.due[i%size]
		}
		c.due, size = larger, 2*size
	}
	c.due[c.tail&(size-1)] = due
	c.tail++
}

// flush gives the system what it takes of the requests. Of a connection that is lost, the replies that
// came before are taken first: they may be there since the last look.
func (o *Open) flush(c *openConn) error {
	if len(c.out) == 0 {
		return nil
	}
	n, err := o.links.write(c.link, c.out)
	if err != nil {
		_ = o.take(c) // it is lost either way
		return fmt.Errorf("write: %w", err)
	}
	c.out = append(c.out[:0], c.out[n:]...)
	return nil
}

// receive takes the replies that are there and tries again to send what the system refused.
func (o *Open) receive() error {
	if err := o.links.poll(); err != nil {
		return fmt.Errorf("poll: %w", err)
	}
	for _, c := range o.conns {
		if err := o.flush(c); err != nil {
			return err
		}
		if !o.links.ready(c.link) {
			continue
		}
		if err := o.take(c); err != nil {
			return err
		}
	}
	return nil
}

// take takes the replies that are there on a connection.
func (o *Open) take(c *openConn) error {
	for more := true; more; {
		var n int
		var err error
		if n, more, err = o.links.read(c.link, o.buf[:]); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n == 0 {
			break
		}
		if err := c.took(o.buf[:n], o.now()); err != nil {
			return err
		}
	}
	return nil
}

// took accounts for bytes of replies that were read at the time now.
func (c *openConn) took(b []byte, now time.Duration) error {
	for len(b) > 0 {
		if c.head == c.tail {
			return fmt.Errorf("%w: %.40q", errUnasked, b)
		}
		n, whole, err := c.stream.Reply(b)
		if err != nil {
			return err
		}
		if b = b[n:]; whole {
			c.stream.Took(now - c.due[c.head&uint(len(c.due)-1)])
			c.head++
		}
	}
	return nil
}

// links are connections that never make anybody wait. They are known by their numbers, from 0 on.
type links interface {
	add(conn net.Conn) (int, error)
	poll() error                                        // looks which ones have something to read
	ready(i int) bool                                   // did i, when they were last polled
	read(i int, b []byte) (n int, more bool, err error) // n is 0 if there is nothing; more: there may be
	write(i int, b []byte) (n int, err error)           // n is less than len(b) if i takes no more now
	close()
}
