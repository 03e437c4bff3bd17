package admin

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// value is a reply of RESP3: nil, int64, float64, bool, []byte for any kind of string, []value for
// any kind of list (a map is one of twice as many elements), or replyError.
type value any

// replyError is an error reply.
type replyError string

func (e replyError) Error() string { return string(e) }

var errReply = errors.New("BUG: a reply that is none")

// parseReply reads a reply that is there in full. It comes from this process, so what it says of
// lengths is believed as far as the bytes are there.
func parseReply(b []byte) (value, error) {
	v, rest, err := takeReply(b)
	if err == nil && len(rest) > 0 {
		err = errReply
	}
	return v, err
}

func takeReply(b []byte) (v value, rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) == 0 {
		return nil, nil, errReply
	}
	text := string(line[1:])
	switch line[0] {
	case '+':
		return []byte(text), rest, nil
	case '-':
		return replyError(text), rest, nil
	case '_':
		return nil, rest, nil
	case '#':
		return text == "t", rest, nil
	case ',':
		v, err = strconv.ParseFloat(text, 64)
		return v, rest, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errReply, err)
	}
	switch line[0] {
	case ':':
		return n, rest, nil
	case '$', '=':
		return takeString(line[0], int(n), rest)
	case '*', '~', '>':
		return takeList(int(n), rest)
	case '%':
		return takeList(2*int(n), rest)
	}
	return nil, nil, errReply
}

func takeString(kind byte, n int, b []byte) (value, []byte, error) {
	if n < 0 {
		return nil, b, nil
	}
	if n+2 > len(b) {
		return nil, nil, errReply
	}
	s := b[:n]
	if kind == '=' && n >= len("txt:") {
		s = s[len("txt:"):]
	}
	return s, b[n+2:], nil
}

func takeList(n int, b []byte) (value, []byte, error) {
	if n < 0 {
		return nil, b, nil
	}
	list := make([]value, 0, min(n, len(b)))
	for range n {
		v, rest, err := takeReply(b)
		if err != nil {
			return nil, nil, err
		}
		list, b = append(list, v), rest
	}
	return list, b, nil
}
