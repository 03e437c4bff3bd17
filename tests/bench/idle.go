//go:build linux

package main

import (
	"fmt"
	"net"
)

// connectionsFigure opens n connections, sends PING over each, and gives what the server's resident
// memory grew by, per connection. The kernel's own buffers are in neither server's RSS. Redis keeps
// a query buffer for two seconds after its last use; waiting for RSS to settle waits for that too.
func (b *bench) connectionsFigure(name string, n int) figure {
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
			for range n {
				c, err := dial(s.addr)
				if err != nil {
					return nil, err
				}
				conns = append(conns, c)
				if _, err := c.do("PING"); err != nil {
					return nil, err
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
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // at worst it lingers
	}
	c.close()
}
