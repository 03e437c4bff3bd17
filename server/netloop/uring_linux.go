package netloop

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uring is the part of a loop that has the kernel send to many connections with one system call,
// see "Sending together" in the package's comment. It belongs to the loop, and not to its thread: no
// request is under way between two calls of submit, so that it may be used from any.
//
// The two rings are memory that is shared with the kernel. It reads submissions, and writes
// completions, within submit alone.
type uring struct {
	fd     int
	rings  []byte // the mapping that both rings' indexes and the completions lie in
	memory []byte // the mapping of sqes

	sqHead, sqTail *atomic.Uint32
	sqMask         uint32
	sqes           []submission
	queued         uint32 // submissions since the last submit

	cqHead, cqTail *atomic.Uint32
	cqMask         uint32
	cqes           []completion
}

// submission is struct io_uring_sqe, and completion struct io_uring_cqe, of linux/io_uring.h.
type submission struct {
	opcode   uint8
	flags    uint8
	priority uint16
	fd       int32
	offset   uint64
	address  uint64
	length   uint32
	opFlags  uint32
	data     uint64
	_        [3]uint64
}

type completion struct {
	data   uint64
	result int32 // bytes, or a negative errno
	flags  uint32
}

// uringParams is struct io_uring_params.
type uringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wqFD uint32
	_                                                      [3]uint32

	sq struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

const (
	uringEntries   = 256 // submissions of one system call
	uringSend      = 26  // IORING_OP_SEND
	uringGetEvents = 1   // IORING_ENTER_GETEVENTS
	uringOneMap    = 1   // IORING_FEAT_SINGLE_MMAP
	uringSQEs      = 0x10000000

	// notSent stands for the result of a send that the kernel has not been given.
	notSent = math.MinInt32
)

// newURing returns an error where the kernel has no io_uring, or none that sends at once, and where
// it refuses: containers often have it do so.
func newURing() (*uring, error) {
	var p uringParams
	fd, _, errno := syscall.RawSyscall(unix.SYS_IO_URING_SETUP, uringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	u := &uring{fd: int(fd)}
	if err := u.mapRings(&p); err != nil {
		return nil, errors.Join(err, u.close())
	}
	if err := u.probe(); err != nil {
		return nil, errors.Join(err, u.close())
	}
	return u, nil
}

func (u *uring) mapRings(p *uringParams) (err error) {
	if p.features&uringOneMap == 0 {
		return errors.New("io_uring is too old")
	}
	const access, shared = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.sq.array+p.sqEntries*uint32(unsafe.Sizeof(uint32(0))),
		p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(completion{})))
	if u.rings, err = unix.Mmap(u.fd, 0, int(size), access, shared); err != nil {
		return fmt.Errorf("mapping io_uring: %w", err)
	}
	if u.memory, err = unix.Mmap(u.fd, uringSQEs, int(p.sqEntries)*int(unsafe.Sizeof(submission{})), access, shared); err != nil {
		return fmt.Errorf("mapping io_uring: %w", err)
	}
	word := func(at uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&u.rings[at])) }
	u.sqHead, u.sqTail, u.sqMask = word(p.sq.head), word(p.sq.tail), word(p.sq.mask).Load()
	u.cqHead, u.cqTail, u.cqMask = word(p.cq.head), word(p.cq.tail), word(p.cq.mask).Load()
	u.sqes = unsafe.Slice((*submission)(unsafe.Pointer(&u.memory[0])), p.sqEntries)
	u.cqes = unsafe.Slice((*completion)(unsafe.Pointer(&u.rings[p.cq.cqes])), p.cqEntries)
	for i := range p.sqEntries { // places of the submission ring are used for submissions in order
		word(p.sq.array + i*uint32(unsafe.Sizeof(i))).Store(i)
	}
	return nil
}

// probe sends to a socket that nobody reads until it is full, and reports whether each send was over
// when the system call returned.
func (u *uring) probe() (err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("probing io_uring: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(pair[0]), unix.Close(pair[1])) }()
	b := make([]byte, 64<<10)
	for result := int32(1); result > 0; {
		u.queue(pair[0], b, 0)
		result = notSent
		if _, err := u.give(); err != nil {
			return err
		}
		if c, ok := u.take(); ok {
			result = c.result
		}
		if result == notSent || result < 0 && result != -int32(unix.EAGAIN) {
			return fmt.Errorf("io_uring does not send at once (%d)", result)
		}
	}
	return nil
}

func (u *uring) close() error {
	var errs []error
	for _, m := range [...][]byte{u.memory, u.rings} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	return errors.Join(append(errs, unix.Close(u.fd))...)
}

func (u *uring) full() bool { return u.queued == uint32(len(u.sqes)) }

// queue has the next submit send b, which is not empty and stays as it is until then. data comes
// back with the result.
func (u *uring) queue(fd int, b []byte, data int) {
	u.sqes[(u.sqTail.Load()+u.queued)&u.sqMask] = submission{
		opcode:  uringSend,
		fd:      int32(fd),
		address: uint64(uintptr(unsafe.Pointer(&b[0]))),
		length:  uint32(len(b)),
		opFlags: unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT,
		data:    uint64(data),
	}
	u.queued++
}

// submit has the kernel send what is queued, in order, and returns when each is sent, or has failed:
// take has the results. A kernel that is short of memory may leave the last ones out: they have none.
func (u *uring) submit() {
	given, err := u.give()
	// All have MSG_DONTWAIT, so that none is under way any more. Should a kernel see that differently, its
	// buffer must not be used again before its completion.
	for err == nil && u.done() < given {
		err = u.enter(0, uintptr(given-u.done()), uringGetEvents)
	}
	if err != nil { // where the kernel refuses the call the probe has found out
		panic("BUG: " + err.Error())
	}
}

// give has the kernel send what is queued, and returns how much of that it has been given.
func (u *uring) give() (given uint32, err error) {
	queued := u.queued
	u.queued = 0
	head := u.sqHead.Load()
	u.sqTail.Store(head + queued)
	err = u.enter(queued, 0, 0)
	given = u.sqHead.Load() - head
	u.sqTail.Store(head + given) // takes back what was left out
	return given, err
}

// done is how many results there are.
func (u *uring) done() uint32 { return u.cqTail.Load() - u.cqHead.Load() }

func (u *uring) enter(submit uint32, complete, flags uintptr) error {
	_, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), uintptr(submit), complete, flags, 0, 0)
	switch errno {
	case 0, syscall.EINTR, syscall.EAGAIN, syscall.EBUSY, syscall.ENOMEM:
		return nil
	}
	return fmt.Errorf("io_uring_enter: %w", errno)
}

// take returns the next result.
func (u *uring) take() (c completion, ok bool) {
	head := u.cqHead.Load()
	if head == u.cqTail.Load() {
		return completion{}, false
	}
	c = u.cqes[head&u.cqMask]
	u.cqHead.Store(head + 1)
	return c, true
}

// sendAhead has the kernel take the output of those turns that have nothing in front of or behind it,
// with as few system calls as there can be. What became of it stands in the turns: conn.write looks
// there in place of a system call of its own.
func (l *loop) sendAhead() {
	for i := range l.turns {
		t := &l.turns[i]
		if len(t.out) == 0 || t.cut || t.next == CloseNow || i == len(l.turns)-1 && l.more.Len() > 0 || !t.c.mayBeAhead() {
			continue
		}
		t.c.ahead = true
		t.sent = notSent
		l.uring.queue(t.c.fd, t.out, i)
		if l.uring.full() {
			l.submit()
		}
	}
	if l.uring.queued > 0 {
		l.submit()
	}
}

// mayBeAhead reports whether a send is all that the output of the connection's next turn needs. One
// of several turns has to see first what became of those before it.
func (c *conn) mayBeAhead() bool {
	return !c.ahead && !c.closed && c.secure == nil && c.unsent() == 0
}

// submit sends what is queued of the turns' output.
func (l *loop) submit() {
	l.uring.submit()
	for c, ok := l.uring.take(); ok; c, ok = l.uring.take() {
		l.turns[c.data].sent = c.result
	}
}

// takeAhead returns what became of the output of c's turn, which was sent ahead; ok is false if the
// kernel has not been given it.
func (c *conn) takeAhead() (n int, errno syscall.Errno, ok bool) {
	c.ahead = false
	switch result := c.loop.sent; {
	case result == notSent, result == -int32(syscall.EINTR):
		return 0, 0, false
	case result < 0:
		return 0, syscall.Errno(-result), true
	default:
		return int(result), 0, true
	}
}

// ProbeURing returns why event loops cannot send through io_uring here, nil if they can.
func ProbeURing() error {
	u, err := newURing()
	if err != nil {
		return err
	}
	return u.close()
}
