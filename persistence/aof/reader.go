package aof

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

const (
	readBuffer = 1 << 20 // bytes; the buffer grows to hold a longer command
	batchSize  = 64      // commands handed over together
)

// Command is one command of a log.
type Command struct {
	Args   [][]byte // one at least
	Offset int64    // in the file
}

// ReadOptions are optional.
type ReadOptions struct {
	File   string // for errors
	Offset int64  // where in the file the reader stands: behind an RDB part
	// Annotation is called with each line that starts with '#', without its end, and its offset. An
	// error ends the reading. The line is valid during the call. Commands before it may not have
	// been handed over yet.
	Annotation func(line []byte, offset int64) error
}

// ReadResult is how far the reading came, also when it ended with an error.
type ReadResult struct {
	Valid     int64  // offset in the file behind the last whole command outside a transaction, or whole transaction
	Lines     int64  // read, in redis-check-aof's count: a number, a value and a length are lines, annotations are not
	Commands  int64  // whole ones; MULTI and EXEC count
	Truncated bool   // the file ends within a command or a transaction, or in zeros: a torn end, to be cut off at Valid
	Reason    string // of Truncated
}

// CorruptError is a log that is not what a server writes, and not just incomplete.
type CorruptError struct {
	File   string
	Offset int64 // of the first byte that cannot be right
	Valid  int64 // as in ReadResult
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("Bad file format reading the append only file %s: %s at offset %d: make a backup of your AOF file, then use larder check aof --fix <filename.manifest>",
		filepath.Base(e.File), e.Reason, e.Offset)
}

// ReadCommands reads commands from r, which holds size more bytes, and hands them to replay in
// batches, of about 64. The arguments alias a buffer and are valid during the call. The commands
// between a MULTI and its EXEC come in one batch, without the two, and do not come at all if the
// EXEC is missing.
//
// The end of the file inside a command or a transaction is no error: see ReadResult. Anything that
// no beginning of a log can be is a *CorruptError. Memory is bounded by the bytes that the file
// has, whatever lengths it claims.
func ReadCommands(r io.Reader, size int64, o ReadOptions, replay func(batch []Command) error) (ReadResult, error) {
	c := &reader{r: r, left: max(size, 0), opts: o, offset: o.Offset, replay: replay}
	c.res.Valid, c.res.Lines = o.Offset, 1
	err := c.run()
	if errors.Is(err, errEnd) {
		c.res.Truncated, err = true, nil
	}
	if err == nil || errors.As(err, new(*CorruptError)) {
		err = errors.Join(err, c.handOver(c.whole()))
	}
	return c.res, err
}

// reader is one reading. buf holds the file from offset on. Arguments of the batch alias buf, or,
// within a transaction that is longer than buf, its predecessors.
type reader struct {
	r      io.Reader
	left   int64 // bytes of the file behind buf
	opts   ReadOptions
	replay func([]Command) error
	res    ReadResult

	buf    []byte
	offset int64 // of buf[0] in the file
	pos    int   // in buf, of what is to be read next

	batch []Command
	args  [][]byte // of the batch
	multi int      // commands in the batch before the open transaction; -1: none is open
	own   []byte   // the parts so far of a command that only larder knows
}

// errEnd is the end of the file where there should be more.
var errEnd = errors.New("unexpected end of file")

// bad is what is wrong with the byte at an offset of the buffer.
type bad struct {
	at     int
	reason string
}

func (b *bad) Error() string { return b.reason }

func (c *reader) run() error {
	c.multi = -1
	for {
		if c.pos == len(c.buf) && c.left == 0 {
			break
		}
		if err := c.next(); err != nil {
			if wrong := (*bad)(nil); errors.As(err, &wrong) {
				return c.corrupt(wrong)
			}
			return err
		}
	}
	if len(c.own) > 0 {
		c.res.Reason = "Reached EOF within a command of larder's own"
		return errEnd
	}
	if c.multi >= 0 {
		c.res.Reason = "Reached EOF before reading EXEC for MULTI"
		return errEnd
	}
	return nil
}

// next reads one command or annotation.
func (c *reader) next() error {
	if err := c.need(1); err != nil {
		return err
	}
	switch c.buf[c.pos] {
	case '*':
		if len(c.own) == 0 {
			return c.command()
		}
	case '#':
		return c.annotation()
	}
	if len(c.own) > 0 {
		return &bad{c.pos, "Expected the rest of a command of larder's own"}
	}
	return &bad{c.pos, fmt.Sprintf("Expected prefix '*', got: %q", c.buf[c.pos])}
}

// need makes at least n bytes from pos on available. Memory that the batch refers to is not
// touched: either the batch is handed over first or, within a transaction, another buffer is taken.
func (c *reader) need(n int) error {
	have := len(c.buf) - c.pos
	if have >= n {
		return nil
	}
	if int64(n-have) > c.left {
		c.res.Reason = fmt.Sprintf("Expected to read %d bytes, got %d bytes", n, int64(have)+c.left)
		return errEnd
	}
	if c.multi < 0 {
		if err := c.handOver(len(c.batch)); err != nil {
			return err
		}
	}
	want := max(n, readBuffer, 2*have) // a command of many arguments is begun again each time
	to := c.buf[:cap(c.buf)]
	if c.multi >= 0 || len(to) < want || len(to) > 8*want {
		to = make([]byte, min(int64(want), int64(have)+c.left))
	}
	copy(to, c.buf[c.pos:])
	c.offset += int64(c.pos)
	c.pos = 0
	room := to[have:min(int64(len(to)), int64(have)+c.left)]
	read, err := io.ReadAtLeast(c.r, room, n-have)
	c.buf = to[:have+read]
	c.left -= int64(read)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		c.left = 0 // the file is shorter than it was said to be
		return errEnd
	}
	if err != nil {
		return fmt.Errorf("read %s at offset %d: %w", c.opts.File, c.offset+int64(len(c.buf)), err)
	}
	return nil
}

// command reads the command at pos. If the buffer does not have all of it, it begins again with
// more; what it knows of the length by then makes sure that this happens rarely.
func (c *reader) command() error {
	known, lines := len(c.args), c.res.Lines
	for {
		end, missing, err := c.parse()
		if err != nil {
			return err
		}
		if missing == 0 {
			return c.add(c.args[known:len(c.args):len(c.args)], end)
		}
		c.args, c.res.Lines = c.args[:known], lines
		if err := c.need(len(c.buf) - c.pos + missing); err != nil {
			return err
		}
		known = len(c.args) // the batch may have gone
	}
}

// parse appends the arguments of the command at pos to args and returns where it ends, or how many
// bytes it misses.
func (c *reader) parse() (end, missing int, err error) {
	n, at, missing, err := c.header(c.pos, '*')
	if err != nil || missing > 0 {
		return 0, missing, err
	}
	if n < 1 {
		return 0, 0, &bad{c.pos, fmt.Sprintf("Expected at least one argument, got %d", n)}
	}
	for range n {
		size, text, missing, err := c.header(at, '$')
		if err != nil || missing > 0 {
			return 0, missing, err
		}
		rest := int64(len(c.buf) - text)
		if size > rest+c.left-2 {
			c.res.Reason = fmt.Sprintf("Expected to read %d bytes, got %d bytes", size+2, rest+c.left)
			return 0, 0, errEnd
		}
		if size+2 > rest {
			return 0, int(size + 2 - rest), nil
		}
		stop := text + int(size)
		if c.buf[stop] != '\r' || c.buf[stop+1] != '\n' {
			if c.buf[stop] == '\r' {
				stop++
			}
			return 0, 0, &bad{stop,
				fmt.Sprintf(`Expected \r\n, got: %02x%02x`, c.buf[text+int(size)], c.buf[text+int(size)+1])}
		}
		c.args = append(c.args, c.buf[text:stop:stop])
		c.res.Lines += 2
		at = stop + 2
	}
	c.res.Lines++
	return at, 0, nil
}

// maxDigits is the number of digits in a count or length: nothing longer fits a file.
const maxDigits = 18

// header reads the line at an offset of buf that says how many arguments (kind *) or bytes ($)
// follow, and returns the number and where the line ends, or how many bytes are missing at least.
func (c *reader) header(at int, kind byte) (n int64, end, missing int, err error) {
	b := c.buf[at:]
	if len(b) >= 4 && b[0] == kind && b[2] == '\r' && b[3] == '\n' && b[1]-'0' <= 9 {
		return int64(b[1] - '0'), at + 4, 0, nil
	}
	if len(b) > 0 && b[0] != kind {
		return 0, 0, 0, &bad{at, fmt.Sprintf("Expected prefix '%c', got: %q", kind, b[0])}
	}
	i := 1
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if i > maxDigits {
			return 0, 0, 0, &bad{at, "Expected to read string of a length which is not in the suitable range"}
		}
		n = 10*n + int64(b[i]-'0')
	}
	switch rest := b[min(i, len(b)):]; {
	case len(rest) > 0 && (i == 1 || rest[0] != '\r'):
		return 0, 0, 0, &bad{at + i, fmt.Sprintf("Expected a number and \\r\\n, got: %q", rest[0])}
	case len(rest) > 1 && rest[1] != '\n':
		return 0, 0, 0, &bad{at + i + 1, fmt.Sprintf(`Expected \r\n, got: %02x%02x`, rest[0], rest[1])}
	case len(rest) > 1:
		return n, at + i + 2, 0, nil
	default:
		return 0, 0, 2 - len(rest), nil
	}
}

// add puts a whole command into the batch.
func (c *reader) add(args [][]byte, end int) error {
	cmd := Command{Args: args, Offset: c.offset + int64(c.pos)}
	c.res.Commands++
	switch {
	case isWord(args[0], "MULTI"):
		if c.multi >= 0 {
			return &bad{c.pos, "Unexpected MULTI in AOF"}
		}
		c.multi = len(c.batch)
	case isWord(args[0], "EXEC"):
		if c.multi < 0 {
			return &bad{c.pos, "Unexpected EXEC in AOF"}
		}
		c.multi = -1
	default:
		c.batch = append(c.batch, cmd)
	}
	c.pos = end
	c.passed()
	if c.multi < 0 && len(c.batch) >= batchSize {
		return c.handOver(len(c.batch))
	}
	return nil
}

// passed notes that everything before pos is good.
func (c *reader) passed() {
	if c.multi < 0 && len(c.own) == 0 {
		c.res.Valid = c.offset + int64(c.pos)
	}
}

func isWord(arg []byte, word string) bool {
	return len(arg) == len(word) && strings.EqualFold(string(arg), word)
}

// maxAnnotation is the longest annotation, its end included: AOF_ANNOTATION_LINE_MAX_LEN.
const maxAnnotation = 1024

func (c *reader) annotation() error {
	for n := 1; ; n++ {
		if err := c.need(n); err != nil {
			return err
		}
		if b := c.buf[c.pos+n-1]; b != '\n' {
			if b < ' ' && b != '\t' && b != '\r' { // where sectors are missing, commands behind them must not hide in the line
				return &bad{c.pos + n - 1, fmt.Sprintf("Expected text in an annotation, got: %q", b)}
			}
			if n == maxAnnotation {
				return &bad{c.pos, "An annotation is too long"}
			}
			continue
		}
		line := strings.TrimRight(string(c.buf[c.pos:c.pos+n]), "\r\n")
		if err := c.ownLine(line, n); err != nil {
			return err
		}
		if c.opts.Annotation != nil {
			if err := c.opts.Annotation([]byte(line), c.offset+int64(c.pos)); err != nil {
				return err
			}
		}
		c.pos += n
		c.passed()
		if c.multi < 0 && len(c.batch) >= batchSize {
			return c.handOver(len(c.batch))
		}
		return nil
	}
}

// whole is how much of the batch may be handed over: not an open transaction.
func (c *reader) whole() int {
	if c.multi >= 0 {
		return c.multi
	}
	return len(c.batch)
}

// handOver gives the first n commands of the batch away and forgets the rest.
func (c *reader) handOver(n int) error {
	batch := c.batch[:n]
	c.batch, c.args = c.batch[:0], c.args[:0]
	if n == 0 {
		return nil
	}
	return c.replay(batch)
}

// corrupt tells what is wrong, unless it is zeros to the end of the file: a power failure can leave
// those where a write had made the file longer and not filled it.
func (c *reader) corrupt(wrong *bad) error {
	at := c.offset + int64(wrong.at)
	zeros, err := c.onlyZeros(wrong.at)
	if err != nil {
		return err
	}
	c.res.Reason = wrong.reason
	if zeros {
		return errEnd
	}
	return &CorruptError{File: c.opts.File, Offset: at, Valid: c.res.Valid, Reason: wrong.reason}
}

// onlyZeros reads the rest of the file, from an offset of buf, as long as it is zeros. buf is kept.
func (c *reader) onlyZeros(at int) (bool, error) {
	rest := c.buf[at:]
	chunk := make([]byte, 64<<10)
	for {
		for _, b := range rest {
			if b != 0 {
				return false, nil
			}
		}
		n, err := c.r.Read(chunk[:min(int64(len(chunk)), max(c.left, 1))])
		if c.left == 0 || err == io.EOF && n == 0 {
			return true, nil
		}
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("read %s: %w", c.opts.File, err)
		}
		c.left -= int64(n)
		rest = chunk[:n]
	}
}
