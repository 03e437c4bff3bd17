package harness

import (
	byteorder "encoding/binary"
	"errors"
	"strconv"
	"syscall"
)

// listening are the ports of the TCP sockets of IPv4 that listen, by their inodes. The kernel is asked for these
// alone: /proc/net/tcp goes through all that there are and have been of late, which takes it 10 to 20 ms while tests
// run.
func listening() (ports map[string]int, err error) {
	const (
		diag       = 4 // NETLINK_SOCK_DIAG
		byFamily   = 20
		listen     = 1 << 10
		askSize    = 56
		answerSize = 72
	)
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, diag)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }()
	ask := make([]byte, syscall.NLMSG_HDRLEN+askSize) // struct nlmsghdr, struct inet_diag_req_v2
	order := byteorder.NativeEndian
	order.PutUint32(ask, uint32(len(ask)))
	order.PutUint16(ask[4:], byFamily)
	order.PutUint16(ask[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	ask[16], ask[17] = syscall.AF_INET, syscall.IPPROTO_TCP
	order.PutUint32(ask[20:], listen)
	if err := syscall.Sendto(fd, ask, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, err
	}
	ports = map[string]int{}
	answer := make([]byte, 64<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, answer, 0)
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(answer[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == syscall.NLMSG_DONE:
				return ports, nil
			case m.Header.Type != byFamily || len(m.Data) < answerSize:
				return nil, errors.New("no sockets in the answer")
			}
			// struct inet_diag_msg
			ports[strconv.FormatUint(uint64(order.Uint32(m.Data[68:])), 10)] = int(byteorder.BigEndian.Uint16(m.Data[4:]))
		}
	}
}
