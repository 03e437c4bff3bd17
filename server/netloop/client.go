package netloop

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// client is what both drivers know of a connection: who it is, and the sizes that others may ask
// for. The addresses are kept as numbers, the smaller form, and printed on demand.
type client struct {
	id      uint64
	created int64 // unix nanoseconds
	fd      int
	remote  netip.AddrPort
	local   netip.AddrPort
	path    string // of a Unix socket, shared by its connections
	class   atomic.Uint32
	sizes   struct {
		query, queryFree, output, unasked, pushed, memory, away, read, written, waiting atomic.Int64
	}
}

func (c *client) init(id uint64, nc net.Conn, fd int) {
	c.id, c.created, c.fd = id, time.Now().UnixNano(), fd
	if local, ok := nc.LocalAddr().(*net.UnixAddr); ok {
		c.path = local.Name
		return
	}
	c.remote, c.local = addrPort(nc.RemoteAddr()), addrPort(nc.LocalAddr())
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func (c *client) Class() Class     { return Class(c.class.Load()) }
func (c *client) SetClass(k Class) { c.class.Store(uint32(k)) }

func (c *client) ID() uint64         { return c.id }
func (c *client) FD() int            { return c.fd }
func (c *client) Created() time.Time { return time.Unix(0, c.created) }
func (c *client) Unix() bool         { return !c.local.IsValid() }
func (c *client) RemoteAddr() string { return c.addr(c.remote) }
func (c *client) LocalAddr() string  { return c.addr(c.local) }

func (c *client) addr(a netip.AddrPort) string {
	if c.Unix() {
		return c.path + ":0"
	}
	return a.String()
}

// sizesWith is Conn.Sizes of a connection that takes own bytes by itself.
func (c *client) sizesWith(own int) Sizes {
	z := Sizes{
		QueryBuf:  c.sizes.query.Load(),
		QueryFree: c.sizes.queryFree.Load(),
		Output:    c.owed(),
		Messages:  c.sizes.unasked.Load() + c.sizes.pushed.Load(),
		Memory:    c.sizes.memory.Load() + c.sizes.away.Load() + c.sizes.pushed.Load(),
		Waiting:   c.sizes.waiting.Load(),
		Read:      c.sizes.read.Load(),
		Written:   c.sizes.written.Load(),
	}
	z.OutputFree = max(0, z.Memory-int64(own)-z.QueryBuf-z.QueryFree-z.Output)
	return z
}

// owed is the output that the client has not taken, in bytes: that of its own turns and what others
// have pushed.
func (c *client) owed() int64 {
	return c.sizes.output.Load() + c.sizes.away.Load() + c.sizes.pushed.Load()
}

// pushEntry is what a message in a connection's queue takes beside its bytes, in bytes.
const pushEntry = 32

// overflows reports whether n bytes more of messages would pass a limit.
func (c *client) overflows(lim *Limits, n int) bool {
	pushed := c.sizes.pushed.Load() + int64(n)
	return lim.OutputHard > 0 && c.owed()+int64(n) > lim.OutputHard ||
		lim.UnaskedHard > 0 && pushed > lim.UnaskedHard
}

// noted is what the session's account has of the messages that wait to be sent, in bytes. It
// follows in steps, so that those that leave at once cost the account nothing.
type noted int64

const notedStep = 64 << 10

// grow returns by how much the account is to grow when so many bytes wait.
func (n *noted) grow(waiting int64) int64 {
	delta := waiting - int64(*n)
	if delta < notedStep {
		return 0
	}
	*n += noted(delta)
	return delta
}

// clear returns by how much the account is to shrink when nothing waits any more.
func (n *noted) clear() int64 {
	was := *n
	*n = 0
	return int64(was)
}

// tell tells the session by how much the connection's memory has changed.
func (c *client) tell(s Session, delta int64) {
	if sizer, ok := s.(Sizer); ok && delta != 0 {
		sizer.Sized(delta)
	}
}

// setSizes publishes the buffers' sizes: rest bytes of a query buffer with room for query, and
// unsent bytes of output. In all the connection takes memory bytes; if that is new, the session is
// told. They rarely change, and looking is cheaper than storing.
func (c *client) setSizes(s Session, rest, query, unsent, memory int) {
	setIfNew(&c.sizes.query, rest)
	setIfNew(&c.sizes.queryFree, query-rest)
	setIfNew(&c.sizes.output, unsent)
	if delta := int64(memory) - c.sizes.memory.Load(); delta != 0 {
		c.sizes.memory.Store(int64(memory))
		c.tell(s, delta)
	}
}

// clearSizes is for the end: the connection takes nothing any more, and its session hears of
// nothing any more.
func (c *client) clearSizes() {
	c.sizes.query.Store(0)
	c.sizes.queryFree.Store(0)
	c.sizes.output.Store(0)
	c.sizes.unasked.Store(0)
	c.sizes.waiting.Store(0)
	c.sizes.memory.Store(0)
}

func setIfNew(a *atomic.Int64, n int) {
	if a.Load() != int64(n) {
		a.Store(int64(n))
	}
}
