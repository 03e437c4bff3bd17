package engine

import (
	"bytes"
	"fmt"

	"github.com/larderkv/larder/server/netloop"
)

// longestChecked is the longest reply that is looked at, in bytes.
const longestChecked = 256 << 10

// checkReply panics unless the handler that has returned wrote exactly one reply, from start on.
// Two replies, or none, shift all that follow on the connection by one: the client takes them for
// those of other requests, and no test of the command by itself notices. Only tests make this check
// (package invariants). No reply is right where the client is not to get one now: it waits, it
// turns replies off, or it is closed. Long replies are not checked: to read one back means to copy
// it, and tests look at the memory that they take.
func (c *Ctx) checkReply(spec *Spec, start int) {
	if c.many || spec.Flags&ManyReplies != 0 {
		c.many = c.Inside() // then the array around it has more elements than it says, as in Redis
		return
	}
	if c.Out.Counting() || c.Out.Len()-start > longestChecked {
		return
	}
	s := c.Session
	out := c.Out.Bytes()[start:]
	if len(out) == 0 && s.reply != replyOn { // CLIENT REPLY: the array around it has fewer elements
		c.many = c.Inside()
		return
	}
	if len(out) == 0 && (s.wait.Load() != nil || s.next != netloop.Wait) {
		return
	}
	if n := ReplyLength(out); n != len(out) {
		panic(fmt.Sprintf("BUG: %s has not written one reply: %.200q", spec.full, out))
	}
}

// ReplyLength is the length in bytes of the first reply in b, in RESP2 or RESP3; -1 if there is no
// whole one.
func ReplyLength(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	if end < 1 {
		return -1
	}
	kind, at := b[0], end+1
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		return at
	}
	n, ok := countOf(bytes.TrimSuffix(b[1:end], []byte{'\r'}))
	switch {
	case !ok:
		return -1
	case n < 0:
		return at // null
	}
	switch kind {
	case '$', '=', '!':
		if at+n+2 > len(b) {
			return -1
		}
		return at + n + 2
	case '*', '~', '>':
	case '%':
		n *= 2
	case '|':
		n = 2*n + 1 // attributes, and the reply that they belong to
	default:
		return -1
	}
	for range n {
		next := ReplyLength(b[at:])
		if next < 0 {
			return -1
		}
		at += next
	}
	return at
}

// countOf reads the count in front of a reply, -1 included. It does not allocate, as strconv does.
func countOf(b []byte) (n int, ok bool) {
	if string(b) == "-1" {
		return -1, true
	}
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, len(b) > 0
}
