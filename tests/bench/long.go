//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// Long commands: what asks for a million keys or elements at once. What counts is the longest PING
// of another client meanwhile. The client that asks reads as fast as it can.

const (
	longAsks = 3 // of the same in one trial
	pong     = "+PONG\r\n"
)

// ask sends a command of any reply and waits for the end of it, which a PING behind it marks.
func (c *client) ask(args ...string) error {
	if err := c.conn.SetDeadline(time.Now().Add(replyWithin)); err != nil {
		return err
	}
	c.buf = appendRequest(appendRequest(c.buf[:0], args...), "PING")
	if _, err := c.conn.Write(c.buf); err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	tail, first := "", true
	for tail != pong {
		n, err := c.r.Read(block)
		if err != nil {
			return err
		}
		if first && block[0] == '-' {
			return fmt.Errorf("%s: %s", args[0], block[:n])
		}
		first = false
		tail += string(block[max(0, n-len(pong)):n])
		tail = tail[max(0, len(tail)-len(pong)):]
	}
	return nil
}

// longCommand is what asks for everything that a server holds.
type longCommand struct {
	name  string
	args  []string
	keeps bool // its longest PING is to be below Redis'
}

// longFigure gives the processor time of one such command in milliseconds, and the longest PING of
// another client.
func longFigure(l longCommand, prepare func(*server) error) figure {
	return figure{name: "long-" + l.name, prepare: prepare, most: 3, cores: 2,
		trial: asking(func(s *server, c *client) ([]float64, error) {
			p, err := startPinger(s, []string{"PING"})
			if err != nil {
				return nil, err
			}
			time.Sleep(quietBefore)
			used, err := s.cpuOf(func() error {
				for range longAsks {
					if err := c.ask(l.args...); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			worst, err := p.stop()
			return []float64{float64(used) / float64(longAsks) / float64(time.Millisecond), worst}, err
		})}
}

// longFigures are the commands by what they walk over.
func (b *bench) longFigures() []figure {
	n := b.size(bigElements, 100_000)
	all := fmt.Sprint(10 * n)
	var out []figure
	add := func(over string, prepare func(*server) error, commands ...longCommand) {
		for _, l := range commands {
			f := longFigure(l, prepare)
			what := strings.Join(l.args, " ") + " of 1M " + over
			f.measures = []measure{{what: what + ": processor time", unit: "ms"}, {what: "the same: longest PING of others", unit: "ms"}}
			if l.keeps {
				f.measures[1].bars = []bar{belowRedis}
			}
			out = append(out, f)
		}
	}
	add("keys", func(s *server) error { return s.fillKeys(n, fillStrings) },
		longCommand{"KEYS", []string{"KEYS", "*"}, true}, longCommand{"KEYS-none", []string{"KEYS", "*none*"}, false},
		longCommand{"SCAN", []string{"SCAN", "0", "COUNT", all}, false})
	add("members", bigSet.fillTo(n),
		longCommand{"SMEMBERS", []string{"SMEMBERS", bigKey}, true}, longCommand{"SSCAN", []string{"SSCAN", bigKey, "0", "COUNT", all}, false},
		longCommand{"SSCAN-none", []string{"SSCAN", bigKey, "0", "COUNT", all, "MATCH", "*none*"}, false},
		longCommand{"SUNION", []string{"SUNION", bigKey, bigKey}, false}, longCommand{"SINTER", []string{"SINTER", bigKey, bigKey}, false},
		longCommand{"SDIFF", []string{"SDIFF", bigKey, "nothing"}, false}, longCommand{"SRANDMEMBER", []string{"SRANDMEMBER", bigKey, fmt.Sprint(-n)}, false})
	add("fields", bigHash.fillTo(n),
		longCommand{"HGETALL", []string{"HGETALL", bigKey}, false}, longCommand{"HKEYS", []string{"HKEYS", bigKey}, false},
		longCommand{"HSCAN", []string{"HSCAN", bigKey, "0", "COUNT", all}, false}, longCommand{"HRANDFIELD", []string{"HRANDFIELD", bigKey, fmt.Sprint(-n)}, false})
	add("elements", bigList.fillTo(n), longCommand{"LRANGE", []string{"LRANGE", bigKey, "0", "-1"}, false})
	add("members", bigZset.fillTo(n),
		longCommand{"ZRANGE", []string{"ZRANGE", bigKey, "0", "-1"}, false}, longCommand{"ZSCAN", []string{"ZSCAN", bigKey, "0", "COUNT", all}, false},
		longCommand{"ZUNION", []string{"ZUNION", "2", bigKey, bigKey}, false}, longCommand{"ZRANDMEMBER", []string{"ZRANDMEMBER", bigKey, fmt.Sprint(-n)}, false})
	return out
}
