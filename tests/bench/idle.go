//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"net"
)

// connectionsFigure opens n connections by dial, sends PING over each and what then says (nil: nothing),
// and gives what the server's resident memory grew by, per connection. The kernel's own buffers are in
// neither server's RSS. Redis keeps a query buffer for two seconds after its last use; waiting for RSS
// to settle waits for that too.
func (b *bench) connectionsFigure(name string, n int, dial func(*server) (*client, error),
	then func(c *client, i int) error) figure {
	return figure{
		name: name, fresh: true, files: uint64(n + n/2 + 1000),
		flags: []string{"--maxclients", fmt.Sprint(n + n/2)},
		trial: func(s *server) ([]float64, error) {
			before, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			var conns []*client
			defer func() {
				for _, c := range conns {
					dropNow(c)
				}
			}()
			for i := range n {
				c, err := dial(s)
				if err != nil {
					return nil, err
				}
				conns = append(conns, c)
				if _, err := c.do("PING"); err != nil {
					return nil, err
				}
				if then != nil {
					if err := then(c, i); err != nil {
						return nil, err
					}
				}
			}
			after, err := s.settledRSS()
			if err != nil {
				return nil, err
			}
			return []float64{perKey(after-before, n)}, nil
		},
	}
}

// dropNow closes by reset, so that thousands of connections do not linger in TIME_WAIT and run the
// next trial out of ports.
func dropNow(c *client) {
	conn := c.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // at worst it lingers
	}
	_ = conn.Close() // nothing was written that could still be lost
}
