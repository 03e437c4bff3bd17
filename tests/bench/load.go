//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/tidwall/redcon"

	"github.com/larderkv/larder/cmd/load"
)

// Filling a server: requests are generated on the fly and pipelined over one connection. Keys look like those of
// redis-benchmark, a prefix and twelve digits, so that its random keys hit what was loaded.

// loadWithin bounds one filling.
const loadWithin = 3 * time.Minute

// request appends the i-th request of a filling; its reply must be one line.
type request func(b []byte, i int) []byte

// value is what is stored; longer ones are needed nowhere.
var value = bytes.Repeat([]byte("larder holds it. "), 64)

// appendNamed appends prefix and the twelve digits of i as one argument.
func appendNamed(b []byte, prefix string, i int) []byte {
	const digits = 12
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(prefix)+digits), 10)
	b = append(b, "\r\n"...)
	b = append(b, prefix...)
	b = append(b, "000000000000"...)
	for at := len(b) - 1; i > 0; at, i = at-1, i/10 {
		b[at] = byte('0' + i%10)
	}
	return append(b, "\r\n"...)
}

// appendSet appends SET of a key of 16 bytes.
func appendSet(b []byte, i, valueSize int) []byte {
	b = append(b, "*3\r\n$3\r\nSET\r\n"...)
	b = appendNamed(b, "key:", i)
	return redcon.AppendBulk(b, value[:valueSize])
}

// noise is bytes that do not compress; values are pieces of it.
var noise = load.NewNoise(0)

// noiseAt returns the size bytes of noise of the i-th value.
func noiseAt(i, size int) []byte { return noise.At(i, size) }

// appendValue appends SET of a key of 16 bytes and a value in two parts.
func appendValue(b []byte, i int, first, second []byte) []byte {
	b = append(b, "*3\r\n$3\r\nSET\r\n"...)
	b = appendNamed(b, "key:", i)
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(first)+len(second)), 10)
	b = append(b, "\r\n"...)
	b = append(b, first...)
	b = append(b, second...)
	return append(b, "\r\n"...)
}

func fillStrings(b []byte, i int) []byte { return appendSet(b, i, 64) }

func fillExpiring(b []byte, i int) []byte {
	b = append(b, "*5\r\n$3\r\nSET\r\n"...)
	b = appendNamed(b, "key:", i)
	b = redcon.AppendBulk(b, value[:64])
	return append(b, "$2\r\nEX\r\n$5\r\n36000\r\n"...)
}

func fillHashes(b []byte, i int) []byte {
	b = append(b, "*22\r\n$4\r\nHSET\r\n"...)
	b = appendNamed(b, "hash:", i)
	for f := range 10 {
		b = append(b, "$7\r\nfield:"...)
		b = append(b, byte('0'+f), '\r', '\n')
		b = redcon.AppendBulk(b, value[:10])
	}
	return b
}

func fillSets(b []byte, i int) []byte {
	b = append(b, "*12\r\n$4\r\nSADD\r\n"...)
	b = appendNamed(b, "set:", i)
	for m := range 10 {
		b = append(b, "$8\r\nmember:"...)
		b = append(b, byte('0'+m), '\r', '\n')
	}
	return b
}

// fillSmallHashes makes what a session or a user looks like in a cache.
func fillSmallHashes(b []byte, i int) []byte {
	b = append(b, "*12\r\n$4\r\nHSET\r\n"...)
	b = appendNamed(b, "user:", i)
	b = append(b, "$4\r\nname\r\n"...)
	b = redcon.AppendBulk(b, value[i%5:i%5+8])
	b = append(b, "$5\r\nemail\r\n"...)
	b = redcon.AppendBulk(b, value[i%7:i%7+12])
	b = append(b, "$3\r\nage\r\n"...)
	b = redcon.AppendBulkInt(b, int64(i%90+10))
	b = append(b, "$4\r\ncity\r\n"...)
	b = redcon.AppendBulk(b, value[i%3:i%3+7])
	b = append(b, "$4\r\nseen\r\n"...)
	return redcon.AppendBulkInt(b, int64(1_700_000_000+i))
}

// fillSmallSets adds members that are no integers: a set of integers is another encoding in both
// servers.
func fillSmallSets(b []byte, i int) []byte {
	b = append(b, "*7\r\n$4\r\nSADD\r\n"...)
	b = appendNamed(b, "tags:", i)
	for m := range 5 {
		b = appendElement(b, "tag:", i, m)
	}
	return b
}

// appendElement appends element m of key i: eight bytes, of which the first four are kind.
func appendElement(b []byte, kind string, i, m int) []byte {
	b = append(append(b, "$8\r\n"...), kind...)
	return append(b, byte('a'+m), byte('a'+i%23), byte('a'+i%19), byte('a'+i%17), '\r', '\n')
}

// fill sends n requests and returns when the last one is answered.
func (s *server) fill(n int, next request) error {
	conn, err := net.DialTimeout("tcp", s.addr, replyWithin)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(loadWithin)); err != nil {
		return err
	}
	return load.Fill(conn, n, next)
}

// fillKeys is fill for requests that make one key each, checked by DBSIZE.
func (s *server) fillKeys(n int, next request) error {
	if err := s.fill(n, next); err != nil {
		return err
	}
	c, err := dial(s.addr)
	if err != nil {
		return err
	}
	defer c.close()
	got, err := c.integer("DBSIZE")
	if err == nil && got != int64(n) {
		err = fmt.Errorf("DBSIZE is %d after loading %d keys", got, n)
	}
	return err
}

// stream returns a file with n SETs for redis-cli --pipe, written at the first call.
func (b *bench) stream(n int) (path string, err error) {
	if path, ok := b.streams[n]; ok {
		return path, nil
	}
	f, err := os.CreateTemp(b.dir, "stream-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	var buf []byte
	for i := range n {
		buf = fillStrings(buf[:0], i)
		if _, err := w.Write(buf); err != nil {
			return "", err
		}
	}
	if b.streams == nil {
		b.streams = map[int]string{}
	}
	b.streams[n] = f.Name()
	return f.Name(), w.Flush()
}
