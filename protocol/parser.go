package protocol

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/larderkv/larder/words"
)

// The bounds that Redis puts on a request before it looks at the command.
const (
	maxPart          = 64 << 10         // bytes of a line whose end has not come: PROTO_INLINE_MAX_SIZE
	maxLine          = 80 << 10         // bytes of a line that arrives with its end, see the package's comment
	maxCount         = 1<<31 - 1        // arguments of one request: INT_MAX
	maxUnauthArgs    = 10               // arguments before the client has logged in
	maxUnauthBulk    = 16 << 10         // bytes per argument before the client has logged in
	firstSpans       = 16               // arguments that an incomplete request gets room for at first
	longAfter        = 16               // arguments before one that Long finds
	keepArgs         = 128              // arguments whose room an idle parser keeps (24 bytes each)
	unknown          = -1               // Parser.bulk: the length line is not complete yet
	DefaultMaxBulk   = int64(512 << 20) // Redis' default proto-max-bulk-len, in bytes
	maxQuickDigits   = 9                // digits of a length that quick reads itself
	shortestArgument = len("$0\r\n\r\n")
)

// Limits is what a request may ask for at the moment. The session changes it between requests:
// logging in lifts the bounds of the unauthenticated for the rest of the same batch.
type Limits struct {
	MaxBulk       int64 // proto-max-bulk-len: bytes in one argument
	Authenticated bool  // false: at most 10 arguments of at most 16,384 bytes
}

// span is an argument of an incomplete request: offsets, because the buffer may move before the
// request is complete.
type span struct{ start, end int }

// Parser cuts one connection's bytes into requests. The zero value is ready. See the package's
// comment for the design.
type Parser struct {
	args  [][]byte // the request last returned
	dirty int      // args[:dirty] may point into a buffer of the caller's
	spans []span   // arguments of the incomplete request found so far
	left  int      // arguments the incomplete request still lacks; 0: its first line is not complete
	pos   int      // start of the line or bulk being read
	scan  int      // no line end before this offset
	bulk  int      // length of the bulk at pos, or unknown
}

// Next returns the first request of buf, which holds every byte not consumed yet: buf may have
// moved and grown since the last call, but what it held then must still be its beginning.
//
//   - len(args) >= 1: a request of n bytes. The arguments alias buf and are valid until the next
//     call. Quoted arguments of inline requests are unescaped in place, so those n bytes are no
//     longer what the client sent.
//   - args == nil, err == nil: no complete request; n bytes (empty requests) may be dropped.
//   - err: an *Error. Reply with "-ERR " and its text, then close the connection; the parser is of no further use.
//
// Call it until it returns no request: that is when it lets go of the buffer.
func (p *Parser) Next(buf []byte, lim *Limits) (args [][]byte, n int, err error) {
	for {
		b := buf[n:]
		if p.left == 0 && p.scan == 0 {
			if len(b) == 0 {
				p.letGo()
				return nil, n, nil
			}
			if size := p.plain(b, lim); size > 0 {
				return p.args, n + size, nil
			}
		}
		var size int
		if p.left > 0 || len(b) > 0 && b[0] == '*' {
			size, err = p.multibulk(b, lim)
		} else {
			size, err = p.inline(b)
		}
		if err != nil || size == 0 {
			p.letGo()
			return nil, n, err
		}
		n += size
		p.left, p.pos, p.scan = 0, 0, 0
		if len(p.args) > 0 {
			return p.args, n, nil
		}
	}
}

// Ahead is Next for looking beyond the request that Next has returned: buf is what follows it. It
// takes only requests that are complete and plain, so that buf stays what the client sent and Next
// can still be called for the same bytes; n is 0 for anything else. The arguments are valid until
// the next call. While Next is in the middle of a request it takes nothing.
func (p *Parser) Ahead(buf []byte, lim *Limits) (args [][]byte, n int) {
	if len(buf) == 0 || p.left > 0 || p.scan > 0 {
		return nil, 0
	}
	n = p.plain(buf, lim)
	return p.args, n
}

// AppendAhead is Ahead for arguments that are to outlive the next call: it appends them to dst. It
// returns dst as it is if n is 0.
func (p *Parser) AppendAhead(dst [][]byte, buf []byte, lim *Limits) (args [][]byte, n int) {
	if len(buf) == 0 || p.left > 0 || p.scan > 0 {
		return dst, 0
	}
	args, n = quick(dst, buf, lim)
	if n == 0 {
		clear(args[len(dst):]) // else they would keep buf from being freed
		return dst, 0
	}
	return args, n
}

// Want returns how many bytes buf (as last given to Next, without what Next had consumed) lacks at
// least to complete the request: the next n belong to it. exact reports that they complete it. n is
// 0 if nothing is known. It is the client's word: grow a buffer towards it, never by it.
func (p *Parser) Want(buf []byte) (n int, exact bool) {
	if p.left == 0 {
		return 0, false
	}
	end := p.pos + p.left*shortestArgument
	if p.bulk == unknown {
		return max(1, end-len(buf)), false
	}
	return end + p.bulk + 2 - shortestArgument - len(buf), p.left == 1
}

// Long returns the argument that buf (as for Want) ends in, if its length is known and at least n
// bytes: where it begins, its length, and the arguments before it, which alias buf. It returns size
// 0 if there is none.
func (p *Parser) Long(buf []byte, n int) (before [][]byte, start, size int) {
	if p.left == 0 || p.bulk < max(n, 0) || len(p.spans) > longAfter {
		return nil, 0, 0
	}
	for _, s := range p.spans {
		before = append(before, buf[s.start:s.end])
	}
	return before, p.pos, p.bulk
}

// Memory is what the parser holds besides itself, in bytes: tables of arguments and, in the middle
// of a request, of where those that have arrived lie in the buffer. A request of many short
// arguments takes several times its bytes here.
func (p *Parser) Memory() int {
	return cap(p.args)*int(unsafe.Sizeof(p.args[0])) + cap(p.spans)*int(unsafe.Sizeof(span{}))
}

// letGo drops the references into the caller's buffer, and the room that only an unusual request
// needed.
func (p *Parser) letGo() {
	clear(p.args[:p.dirty])
	p.args, p.dirty = p.args[:0], 0
	if cap(p.args) > keepArgs {
		p.args = nil
	}
	if p.left == 0 && cap(p.spans) > firstSpans {
		p.spans = nil
	}
}

// plain is quick with the arguments in p.args.
func (p *Parser) plain(b []byte, lim *Limits) (size int) {
	p.args, size = quick(p.args[:0], b, lim)
	p.dirty = max(p.dirty, len(p.args))
	return size
}

// quick parses a request that is complete and plain, which nearly every one is, appends its
// arguments to args and returns its size. 0 means nothing but that the careful way has to look at
// it: incomplete, inline, empty, wrong or past a limit. Some arguments may have been appended then.
func quick(args [][]byte, b []byte, lim *Limits) (_ [][]byte, size int) {
	if b[0] != '*' || len(b) < len("*0\r\n") {
		return args, 0
	}
	number, i := uint64(b[1]-'0'), len("*0\r\n")
	if number > 9 || b[2] != '\r' {
		number, i = length(b, 1)
	}
	if i == 0 || number == 0 || number > uint64(len(b)/shortestArgument) ||
		number > maxUnauthArgs && !lim.Authenticated {
		return args, 0
	}
	count := int(number)
	most := uint64(lim.MaxBulk)
	if !lim.Authenticated {
		most = min(most, maxUnauthBulk)
	}
	before := len(args)
	args = slices.Grow(args, count)
	found := args[before : before+count]
	for j := range found {
		if len(b)-i < shortestArgument || b[i] != '$' {
			return args[:before+j], 0
		}
		n, start := uint64(b[i+1]-'0'), i+len("$0\r\n")
		switch second := uint64(b[i+2] - '0'); { // nearly all lengths have one digit or two
		case b[i+2] == '\r' && n <= 9:
		case b[i+3] == '\r' && second <= 9 && n-1 < 9:
			n, start = n*10+second, start+1
		default:
			if n, start = length(b, i+1); start == 0 {
				return args[:before+j], 0
			}
		}
		end := start + int(n)
		if n > most || end+len("\r\n") > len(b) {
			return args[:before+j], 0
		}
		found[j] = b[start:end:end]
		i = end + len("\r\n")
	}
	return args[:before+count], i
}

// length reads the digits at b[i:] and the two bytes that end the line. It returns the offset behind
// them, or 0 if the line is not complete or anything but up to nine digits without a leading zero and
// a \r.
func length(b []byte, i int) (n uint64, next int) {
	line := b[i:]
	if len(line) < len("0\r\n") || line[0] < '0' || line[0] > '9' {
		return 0, 0
	}
	n = uint64(line[0] - '0')
	for j := 1; j < len(line)-1 && j <= maxQuickDigits; j++ {
		d := line[j] - '0'
		if line[j] == '\r' {
			return n, i + j + 2
		}
		if d > 9 || n == 0 {
			break
		}
		n = n*10 + uint64(d)
	}
	return 0, 0
}

// multibulk is Redis' processMultibulkBuffer: it goes on where the last call ran out of bytes. It
// returns the size of the request, p.args filled in, once it is complete; a request of no arguments
// leaves p.args empty.
func (p *Parser) multibulk(b []byte, lim *Limits) (int, error) {
	if p.left == 0 {
		end, err := p.lineEnd(b, errBigCount)
		if end < 0 {
			return 0, err
		}
		count, ok := parseInt(b[1:end])
		switch {
		case !ok || count > maxCount:
			return 0, errCount
		case count > maxUnauthArgs && !lim.Authenticated:
			return 0, errUnauthCount
		case count <= 0:
			p.args = p.args[:0]
			return end + 2, nil
		}
		p.left, p.bulk = int(count), unknown
		if p.spans == nil {
			p.spans = make([]span, 0, firstSpans)
		}
		p.pos, p.scan = end+2, end+2
	}
	for p.left > 0 {
		if p.bulk == unknown {
			if ok, err := p.bulkHeader(b, lim); !ok {
				return 0, err
			}
		}
		end := p.pos + p.bulk
		if end+2 > len(b) {
			return 0, nil
		}
		p.spans = append(p.spans, span{p.pos, end})
		p.left--
		p.pos, p.scan, p.bulk = end+2, end+2, unknown
	}
	p.resolve(b)
	return p.pos, nil
}

// bulkHeader reads the line "$<length>" at p.pos. It returns false while the line is incomplete, or
// with an error.
func (p *Parser) bulkHeader(b []byte, lim *Limits) (bool, error) {
	end, err := p.lineEnd(b, errBigLength)
	if end < 0 {
		return false, err
	}
	if b[p.pos] != '$' {
		return false, errNoDollar(b[p.pos])
	}
	n, ok := parseInt(b[p.pos+1 : end])
	switch {
	case !ok || n < 0 || n > lim.MaxBulk:
		return false, errLength
	case n > maxUnauthBulk && !lim.Authenticated:
		return false, errUnauthLength
	}
	p.pos, p.bulk = end+2, int(n)
	return true, nil
}

// lineEnd returns the offset of the \r that ends the line at p.pos, once the byte behind it is
// there too: Redis does not look whether that is a \n. It returns -1 while the line is incomplete,
// with tooBig if it has become too long.
func (p *Parser) lineEnd(b []byte, tooBig *Error) (int, error) {
	stop := min(len(b), p.pos+maxLine)
	for p.scan < stop && b[p.scan] != '\r' && b[p.scan] != 0 {
		p.scan++
	}
	// Redis searches with strchr: a line with a NUL byte never ends.
	if p.scan < stop && b[p.scan] == '\r' {
		if p.scan+2 > len(b) {
			return -1, nil
		}
		return p.scan, nil
	}
	if len(b)-p.pos > maxPart {
		return -1, tooBig
	}
	return -1, nil
}

// resolve turns the offsets of a complete request into p.args.
func (p *Parser) resolve(b []byte) {
	args := p.args[:0]
	if cap(args) < len(p.spans) {
		args = make([][]byte, 0, len(p.spans))
		p.dirty = 0
	}
	for _, s := range p.spans {
		args = append(args, b[s.start:s.end:s.end])
	}
	p.args = args
	p.dirty = max(p.dirty, len(args))
	p.spans = p.spans[:0]
}

// inline is Redis' processInlineBuffer: a line of words. It returns the line's size, p.args filled
// in, once it is complete.
func (p *Parser) inline(b []byte) (int, error) {
	end := p.newline(b)
	if end < 0 {
		if len(b) > maxPart {
			return 0, errBigInline
		}
		return 0, nil
	}
	line := b[:end]
	if end > 0 && b[end-1] == '\r' {
		line = b[:end-1]
	}
	args, ok := words.Split(p.args[:0], line)
	if !ok {
		return 0, errQuotes
	}
	p.args = args
	p.dirty = max(p.dirty, len(args))
	return end + 1, nil
}

// newline returns the offset of the \n that ends the line at the start of b, or -1. Redis searches
// with strchr: a line that holds a NUL byte never ends.
func (p *Parser) newline(b []byte) int {
	stop := min(len(b), maxLine)
	if p.scan >= stop || b[p.scan] == 0 {
		return -1
	}
	end := bytes.IndexByte(b[p.scan:stop], '\n')
	if end >= 0 {
		end += p.scan
		stop = end
	}
	if i := bytes.IndexByte(b[p.scan:stop], 0); i >= 0 {
		p.scan += i
		return -1
	}
	p.scan = stop
	return end
}

// parseInt is Redis' string2ll: an optional minus sign and digits without leading zeros, nothing
// else.
func parseInt(b []byte) (int64, bool) {
	digits := b
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 1 && digits[0] == '0' && !negative {
		return 0, true
	}
	if len(digits) == 0 || len(digits) > 19 || digits[0] == '0' {
		return 0, false
	}
	var n uint64 // 19 digits fit
	for _, c := range digits {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}
