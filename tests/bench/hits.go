//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/load"
	"github.com/larderkv/larder/eviction"
)

// The hit ratio of a cache with a cap, seen by a client that uses it as a cache: GET, and on a miss
// SET.
//
// Both servers get the same maxmemory, a tenth of the bytes of all keys and values that the client
// may ask for. What a server needs besides (its own memory, tables, headers of entries, fragments)
// comes out of the same cap, so keys that take less of it are in the ratio as much as the choice of
// victims is. Both are asked for the same keys in the same order.
//
// Both are asked at the same rate. LRU clocks of both count seconds, and a cache of this size is
// replaced within one or two: at full speed the faster server would see more of a cache's life
// within a second, and choose more blindly for it.

const (
	zipfExponent = 0.9
	hitConns     = 4
	hitPipeline  = 50      // GETs of a connection under way
	hitRate      = 200_000 // GETs per second of all connections
	hitSeed      = 50_000
	capShare     = 10 // 1/10 of the data is the cap
)

// sized is a population of keys 0..n-1, each with a value whose size is a function of its key.
type sized struct {
	n    int
	size func(i int) int
}

// bytes is the size of all keys with their values.
func (p sized) bytes() (sum int64) {
	for i := range p.n {
		sum += int64(keySize + p.size(i))
	}
	return sum
}

func alwaysBytes(size int) func(int) int { return func(int) int { return size } }

// mixedSize draws from a log-normal distribution, cut off at both ends: values of caches have a
// median of 224 bytes and a long tail (Yang, Yue, Rashmi: "A large-scale analysis of hundreds of
// in-memory key-value cache clusters at Twitter", 2021).
func mixedSize(i int) int {
	return load.LogNormal(i, 224, 1.2, 16, 4*kilobyte)
}

// policyPair is the maxmemory-policy of either server, by side.
type policyPair [2]string

func (p policyPair) apply(s *server) error {
	return s.once("CONFIG", "SET", "maxmemory-policy", p[s.side])
}

// bothPolicies gives both servers the same one.
func bothPolicies(name string) policyPair { return policyPair{name, name} }

// adaptivePolicies is larder's own policy beside the one of Redis' that is best at popularity which
// does not change.
func adaptivePolicies() policyPair {
	names := eviction.Names()
	return policyPair{names[len(names)-1], "allkeys-lfu"}
}

// name is the short one of larder's policy.
func (p policyPair) name() string { return strings.TrimPrefix(p[larderSide], "allkeys-") }

// what names the policy, or both if they differ.
func (p policyPair) what() string {
	if p[larderSide] == p[redisSide] {
		return p[larderSide]
	}
	return p[larderSide] + ", Redis " + p[redisSide]
}

// capFlags set maxmemory, in bytes.
func capFlags(limit int64) []string {
	return []string{"--maxmemory", strconv.FormatInt(limit, 10)}
}

// hitFigure asks for warm keys, then for measured ones: hits in per cent of the latter, keys that
// are there at the end, GETs per second.
func (b *bench) hitFigure(name string, keys sized, limit int64, p policyPair, warm, measured int) figure {
	return figure{
		name: name, fresh: true, most: 1, memory: 4 * limit, flags: capFlags(limit),
		prepare: p.apply,
		trial: asking(func(s *server, c *client) ([]float64, error) {
			users, err := newCacheUsers(s, keys)
			if err != nil {
				return nil, err
			}
			defer users.close()
			if _, err := users.run(warm); err != nil {
				return nil, err
			}
			before, err := c.evictedKeys()
			if err != nil {
				return nil, err
			}
			began := time.Now()
			hits, err := users.run(measured)
			if err != nil {
				return nil, err
			}
			took := time.Since(began)
			if err := c.mustEvict(before); err != nil {
				return nil, err
			}
			left, err := c.integer("DBSIZE")
			return []float64{100 * float64(hits) / float64(measured), float64(left), float64(measured) / took.Seconds()}, err
		}),
	}
}

func (c *client) evictedKeys() (int64, error) {
	info, err := c.do("INFO", "stats")
	if err != nil {
		return 0, err
	}
	return parseInfo(info, "evicted_keys")
}

// mustEvict makes sure that keys were evicted since there had been so many.
func (c *client) mustEvict(since int64) error {
	now, err := c.evictedKeys()
	if err == nil && now == since {
		err = errors.New("no key was evicted: the figure would say nothing")
	}
	return err
}

// cacheUsers are the connections of a client that uses the server as a cache.
type cacheUsers []*cacheUser

// cacheUser is one of them.
type cacheUser struct {
	conn   io.ReadWriteCloser
	r      *bufio.Reader
	keys   sized
	ranks  *load.Zipf
	buf    []byte
	asked  []int
	missed []int // of the last batch; they are stored with the next one
}

func newCacheUsers(s *server, keys sized) (cacheUsers, error) {
	var all cacheUsers
	for i := range hitConns {
		conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(2 * loadWithin))
		}
		if err != nil {
			all.close()
			return nil, err
		}
		rnd := rand.New(rand.NewPCG(hitSeed, uint64(i)))
		all = append(all, &cacheUser{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), keys: keys,
			ranks: load.NewZipf(rnd, keys.n, zipfExponent)})
	}
	return all, nil
}

func (all cacheUsers) close() {
	for _, u := range all {
		_ = u.conn.Close() // everything asked for was answered, or an error is known
	}
}

// run asks for n keys in all, n rounded down to whole batches of all connections, and returns how
// many were there.
func (all cacheUsers) run(n int) (hits int, err error) {
	type outcome struct {
		hits int
		err  error
	}
	ended := make(chan outcome)
	began := time.Now()
	for _, u := range all {
		go func() {
			var o outcome
			const every = time.Second * hitConns * hitPipeline / hitRate
			for i := range n / len(all) / hitPipeline {
				time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
				var got int
				if got, o.err = u.batch(); o.err != nil {
					break
				}
				o.hits += got
			}
			ended <- o
		}()
	}
	for range all {
		o := <-ended
		hits += o.hits
		err = errors.Join(err, o.err)
	}
	return hits, err
}

// batch stores what was missing last time, asks for the next keys and counts the hits.
func (u *cacheUser) batch() (hits int, err error) {
	u.buf = u.buf[:0]
	stored := len(u.missed)
	for _, i := range u.missed {
		u.buf = appendValue(u.buf, i, noiseAt(i, u.keys.size(i)), nil)
	}
	u.missed, u.asked = u.missed[:0], u.asked[:0]
	for range hitPipeline {
		i := load.Scatter(u.ranks.Next(), u.keys.n)
		u.asked = append(u.asked, i)
		u.buf = appendNamed(append(u.buf, "*2\r\n$3\r\nGET\r\n"...), "key:", i)
	}
	if _, err := u.conn.Write(u.buf); err != nil {
		return 0, err
	}
	for range stored {
		line, err := u.r.ReadSlice('\n')
		if err != nil || string(line) != "+OK\r\n" {
			return 0, fmt.Errorf("reply to SET: %.80q, %w", line, errors.Join(err, errors.New("it should be OK")))
		}
	}
	for _, i := range u.asked {
		found, err := readValue(u.r, u.keys.size(i))
		if err != nil {
			return 0, err
		}
		if found {
			hits++
		} else {
			u.missed = append(u.missed, i)
		}
	}
	return hits, nil
}

// readValue reads the reply to GET: nothing, or a value that must be of this size.
func readValue(r *bufio.Reader, size int) (found bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	text, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\r\n")), []byte("$"))
	n, err := strconv.Atoi(string(text))
	if !ok || err != nil || n != size && n != -1 {
		return false, fmt.Errorf("reply to GET: %.80q, expected a value of %d bytes or none", line, size)
	}
	if n < 0 {
		return false, nil
	}
	_, err = r.Discard(n + len("\r\n"))
	return true, err
}
