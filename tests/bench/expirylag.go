//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/larderkv/larder/cmd/load"
)

// How long after its time a key goes: a subscriber of the events of expired keys compares the time
// at which each comes with that of its key.

const (
	lagLead = 10 * time.Second // from the start of loading to the first key's time
	lagWait = 10 * time.Second // for events after the last key's time
)

// expiryLagFigure loads n keys whose times are spread evenly over a span. It gives the median lag of
// their events, the 99th percentile and the largest in milliseconds, the keys whose event has not
// come lagWait after the last key's time, and the server's processor seconds meanwhile. A key whose
// event has not come counts as one whose event comes then.
func (b *bench) expiryLagFigure(name string, n int, span time.Duration) figure {
	return figure{
		name: name, fresh: true, memory: spaceNeeded, cores: 2, most: 2,
		flags: []string{"--notify-keyspace-events", "Ex"},
		trial: func(s *server) ([]float64, error) {
			events, err := subscribeExpired(s)
			if err != nil {
				return nil, err
			}
			defer events.conn.Close()
			first := time.Now().Add(lagLead)
			times := make([]time.Time, n)
			for i := range times {
				times[i] = first.Add(time.Duration(load.Uniform(i) * float64(span))).Truncate(time.Millisecond)
			}
			if err := s.fill(n, fillExpiringEach(times)); err != nil {
				return nil, err
			}
			if time.Now().After(first) {
				return nil, fmt.Errorf("loading %d keys took longer than %v", n, lagLead)
			}
			before, err := s.cpu()
			if err != nil {
				return nil, err
			}
			lags, missing, err := events.lags(times, first.Add(span+lagWait))
			if err != nil {
				return nil, err
			}
			after, err := s.cpu()
			return []float64{lags[n/2], lags[n*99/100], lags[n-1], float64(missing), (after - before).Seconds()}, err
		},
	}
}

// fillExpiringEach makes keys that expire each at its time.
func fillExpiringEach(times []time.Time) request {
	return func(b []byte, i int) []byte { return fillExpiringAt(times[i])(b, i) }
}

// expiredEvents is a connection that has subscribed to the events of expired keys.
type expiredEvents struct {
	conn net.Conn
	r    *bufio.Reader
}

func subscribeExpired(s *server) (*expiredEvents, error) {
	conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
	if err != nil {
		return nil, err
	}
	e := &expiredEvents{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
	if _, err = conn.Write(appendRequest(nil, "SUBSCRIBE", "__keyevent@0__:expired")); err == nil {
		_, err = e.next() // "subscribe", the channel, and a number, which has no second line
	}
	if err != nil {
		_ = conn.Close() // err is what is wrong
		return nil, err
	}
	return e, nil
}

// next reads an array of three elements and returns the last line of it.
func (e *expiredEvents) next() (last []byte, err error) {
	for lines := 6; lines > 0; lines-- { // after the array's own, two for each bulk
		if last, err = e.r.ReadSlice('\n'); err != nil {
			return nil, err
		}
		if last[0] == '-' {
			return nil, errors.New(string(last))
		}
	}
	if last[0] == ':' {
		return last, nil
	}
	last, err = e.r.ReadSlice('\n')
	return last, err
}

// lags reads events until all have come or the end of waiting, and returns their lags in
// milliseconds, sorted, and how many have not come.
func (e *expiredEvents) lags(times []time.Time, end time.Time) (lags []float64, missing int, err error) {
	if err := e.conn.SetReadDeadline(end); err != nil {
		return nil, 0, err
	}
	seen := make([]bool, len(times))
	for len(lags) < len(times) {
		line, err := e.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("after %d events: %w", len(lags), err)
		}
		now := time.Now()
		i, err := eventKey(line, len(times))
		if err != nil {
			return nil, 0, err
		}
		if seen[i] {
			return nil, 0, fmt.Errorf("key %d expires twice", i)
		}
		seen[i] = true
		lags = append(lags, float64(now.Sub(times[i]))/float64(time.Millisecond))
	}
	for i := range seen {
		if !seen[i] {
			missing++
			lags = append(lags, float64(end.Sub(times[i]))/float64(time.Millisecond))
		}
	}
	slices.Sort(lags)
	return lags, missing, nil
}

// eventKey is the number in the line "key:000000000123\r\n", below n.
func eventKey(line []byte, n int) (int, error) {
	if len(line) != len("key:000000000000\r\n") {
		return 0, fmt.Errorf("an event of the key %q: %w", line, io.ErrUnexpectedEOF)
	}
	i, err := strconv.Atoi(string(line[4:16]))
	if err == nil && i >= n {
		err = fmt.Errorf("an event of the key %q, which was not set", line)
	}
	return i, err
}
