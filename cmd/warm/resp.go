package warm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/larderkv/larder/words"
)

// respFile has commands as clients send them and logs have them: arrays of bulk strings, or lines.
// A transaction is one record, so that it is sent, and sent again, as a whole.
type respFile struct {
	*input
	db   int
	buf  []byte
	args int      // of the command read last
	verb [][]byte // its first two words

	inside bool // of a transaction
	queued int  // commands of it
}

// refusedCommands do not answer once and soon, make another connection of the one they are sent on,
// or end the server. No log has them.
var refusedCommands = map[string]bool{
	"AUTH": true, "BLMOVE": true, "BLMPOP": true, "BLPOP": true, "BRPOP": true, "BRPOPLPUSH": true, "BZMPOP": true,
	"BZPOPMAX": true, "BZPOPMIN": true, "CLIENT": true, "DEBUG": true, "DISCARD": true, "FAILOVER": true, "HELLO": true,
	"MIGRATE": true, "MONITOR": true, "PSUBSCRIBE": true, "PSYNC": true,
	"PUNSUBSCRIBE": true, "QUIT": true, "REPLCONF": true,
	"REPLICAOF": true, "RESET": true, "SHUTDOWN": true, "SLAVEOF": true, "SSUBSCRIBE": true, "SUBSCRIBE": true,
	"SUNSUBSCRIBE": true, "SYNC": true, "UNSUBSCRIBE": true,
	"UNWATCH": true, "WAIT": true, "WAITAOF": true, "WATCH": true,
	"XREAD": true, "XREADGROUP": true,
}

// errBroken ends a file: where the next command begins is not known.
type errBroken struct {
	at   int64
	text string
}

func (e *errBroken) Error() string { return fmt.Sprintf("%s (offset %d)", e.text, e.at) }

func (f *respFile) next(r *record) error {
	const keep = 4 << 20
	if cap(f.buf) > keep {
		f.buf = nil
	}
	f.buf, f.inside, f.queued = f.buf[:0], false, 0
	begin, bad := f.at, ""
	for {
		start, from := len(f.buf), f.at
		if err := f.command(); errors.Is(err, io.EOF) && start == 0 {
			return io.EOF
		} else if errors.Is(err, io.EOF) {
			return &errBroken{begin, "the file ends within a transaction"}
		} else if err != nil {
			return err
		}
		if f.args == 0 { // an empty line, or a mark of time
			continue
		}
		done, text := f.judge(start)
		if bad == "" && text != "" {
			bad = text
		}
		if len(f.buf) > f.max {
			return &errBroken{from, "a transaction longer than 256 MB"}
		}
		if !done {
			continue
		}
		if bad != "" {
			*r = record{db: f.db}
			return &badRecord{fmt.Sprintf("offset %d", begin), bad}
		}
		if len(f.buf) > 0 {
			break
		}
		begin = f.at
	}
	*r = record{end: f.at, db: f.db, raw: f.buf, replies: 1}
	if f.inside {
		r.replies = f.queued + 2
	}
	return nil
}

// judge looks at the command that begins at start. done reports that the record ends with it, bad
// why it cannot be used.
func (f *respFile) judge(start int) (done bool, bad string) {
	switch verb := string(bytes.ToUpper(f.verb[0])); {
	case verb == "SELECT" && !f.inside:
		db, err := strconv.ParseUint(string(f.verb[1]), 10, 31)
		if f.args != 2 || err != nil {
			return true, "malformed SELECT"
		}
		f.buf, f.db = f.buf[:start], int(db)
		return true, ""
	case verb == "SELECT":
		return false, "SELECT within a transaction" // servers of today log it in front
	case verb == "MULTI" && !f.inside:
		f.inside = true
		return false, ""
	case verb == "EXEC" && f.inside:
		return true, ""
	case verb == "EXEC":
		return true, "EXEC without MULTI"
	case refusedCommands[verb]:
		return !f.inside, fmt.Sprintf("%s is no command to fill a server with", verb)
	}
	f.queued++
	return !f.inside, ""
}

// command reads one into buf.
func (f *respFile) command() error {
	f.args, f.verb = 0, [][]byte{nil, nil}
	start := f.at
	line, err := f.line()
	if err != nil && (!errors.Is(err, io.EOF) || len(line) > 0) {
		return f.broken(start, err)
	} else if err != nil {
		return err
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	if line[0] != '*' {
		return f.inline(start, line)
	}
	n, err := strconv.ParseUint(string(line[1:]), 10, 20)
	if err != nil {
		return &errBroken{start, "a command has a malformed number of arguments"}
	}
	if n == 0 {
		return nil
	}
	f.buf = appendHead(f.buf, int(n))
	for i := range int(n) {
		if err := f.argument(i, start); err != nil {
			return err
		}
	}
	f.args = int(n)
	return nil
}

func (f *respFile) argument(i int, start int64) error {
	line, err := f.line()
	if err != nil {
		return f.broken(start, err)
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) < 2 || line[0] != '$' {
		return &errBroken{start, "a command has a malformed argument"}
	}
	n, err := strconv.ParseUint(string(line[1:]), 10, 31)
	if err != nil || n > uint64(f.max) {
		return &errBroken{start, "a command has an argument of a malformed length"}
	}
	f.buf = append(strconv.AppendUint(append(f.buf, '$'), n, 10), '\r', '\n')
	from := len(f.buf)
	for left := int(n) + 2; left > 0; { // memory grows with what comes
		part := min(left, readBuffer)
		f.buf = append(f.buf, make([]byte, part)...)
		got, err := io.ReadFull(f.r, f.buf[len(f.buf)-part:])
		f.at += int64(got)
		if err != nil {
			return f.broken(start, err)
		}
		left -= part
	}
	if string(f.buf[from+int(n):]) != "\r\n" {
		return &errBroken{start, "a command has an argument that is longer than it says"}
	}
	if i < len(f.verb) {
		f.verb[i] = append([]byte(nil), f.buf[from:from+min(int(n), 32)]...)
	}
	return nil
}

// inline takes a command that is a line of words.
func (f *respFile) inline(start int64, line []byte) error {
	args, ok := words.Split(nil, line)
	if !ok {
		return &errBroken{start, "a line has quotes that do not match"}
	}
	if len(args) == 0 {
		return nil
	}
	f.buf = appendHead(f.buf, len(args))
	for i, a := range args {
		f.buf = appendBulk(f.buf, a)
		if i < len(f.verb) {
			f.verb[i] = append([]byte(nil), a...)
		}
	}
	f.args = len(args)
	return nil
}

// broken is an error of reading in the middle of a command.
func (f *respFile) broken(start int64, err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return &errBroken{start, "the file ends within a command"}
	case errors.Is(err, errTooLong) || errors.Is(err, bufio.ErrBufferFull):
		return &errBroken{start, "a line is too long to be a command"}
	}
	return err
}
