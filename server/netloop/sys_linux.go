package netloop

import (
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/protocol/chain"
)

// The calls of the hot path go to the kernel without telling the scheduler (RawSyscall): they do
// not block, or not for long, and telling it costs more than some of them take. Only the wait of an
// idle loop uses the form that gives the processor up.

// receive reads from a socket into b, which is not empty. recv and send cost a few per cent less
// than read and write, which pass through the file layer, and send need not raise SIGPIPE.
func receive(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			0, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// send writes b, which is not empty, to a socket.
func send(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_NOSIGNAL, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}

// vector is the scratch memory of a loop's sends of several pieces.
type vector struct {
	pieces [sendPieces][]byte
	iov    [sendPieces]unix.Iovec
	msg    unix.Msghdr
}

// send writes the beginning of out, which may be empty, and of more to a socket. offered is how
// much of them that was.
func (v *vector) send(fd int, out []byte, more *chain.Chain) (n, offered int, errno syscall.Errno) {
	list := v.pieces[:0]
	if len(out) > 0 {
		list = append(list, out)
	}
	list = more.Pieces(list, sendMost)
	for i, p := range list {
		v.iov[i].Base = &p[0]
		v.iov[i].SetLen(len(p))
		offered += len(p)
	}
	v.msg.Iov = &v.iov[0]
	v.msg.SetIovlen(len(list))
	defer clear(v.pieces[:len(list)])
	for {
		sent, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msg)), unix.MSG_NOSIGNAL)
		if errno != syscall.EINTR {
			return int(sent), offered, errno
		}
	}
}

// ring makes an eventfd readable.
func ring(fd int) {
	one := [8]byte{0: 1}
	_, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one[0])), uintptr(len(one)))
	if errno != 0 {
		panic("BUG: eventfd: " + errno.Error())
	}
}

// silence makes an eventfd that has been rung unreadable.
func silence(fd int) {
	var count [8]byte
	_, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&count[0])), uintptr(len(count)))
	if errno != 0 {
		panic("BUG: eventfd: " + errno.Error())
	}
}

// pollHeld waits like pollWait, but keeps the processor (the scheduler's P): for short waits, see
// loop.poll.
func pollHeld(ep int, events []unix.EpollEvent, timeout time.Duration) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(timeout.Milliseconds()), 0, 0)
	return pollResult(n, errno)
}

// pollWait waits until something is ready or the time is up.
func pollWait(ep int, events []unix.EpollEvent, timeout time.Duration) int {
	n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(timeout.Milliseconds()), 0, 0)
	return pollResult(n, errno)
}

func pollResult(n uintptr, errno syscall.Errno) int {
	switch errno {
	case 0:
		return int(n)
	case syscall.EINTR:
		return 0
	}
	panic("BUG: epoll_wait: " + errno.Error())
}

// control changes which events of a descriptor the kernel reports.
func control(ep, op, fd int, interest uint32) error {
	return unix.EpollCtl(ep, op, fd, &unix.EpollEvent{Events: interest, Fd: int32(fd)})
}

// duplicate returns a descriptor of nc's socket that the Go runtime knows nothing of. It stays
// non-blocking.
func duplicate(nc net.Conn) (int, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return -1, errNotMine
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	return fd, dupErr
}

// setKeepAlive is Redis' anetKeepAlive: first probe after d, three more at a third of it; zero
// turns probing off.
func setKeepAlive(fd int, d time.Duration) error {
	if d <= 0 {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	idle := max(1, int(d/time.Second))
	for _, o := range [...]struct{ level, option, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, idle/3)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.option, o.value); err != nil {
			return err
		}
	}
	return nil
}

// farewell closes a socket whose client may still be sending. Closing with unread input makes the
// kernel send a reset, which can overtake the last reply; so it ends its own side first and takes
// in what has already arrived.
func farewell(fd int) error {
	err := unix.Shutdown(fd, unix.SHUT_WR)
	var scratch [16 << 10]byte // not the loop's read buffer: another connection's input may be in it
	for range lastReads {
		if n, errno := receive(fd, scratch[:]); n <= 0 || errno != 0 {
			break
		}
	}
	if closeErr := unix.Close(fd); closeErr != nil {
		return closeErr
	}
	if err == unix.ENOTCONN { // the client was faster
		return nil
	}
	return err
}
