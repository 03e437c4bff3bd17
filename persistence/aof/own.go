package aof

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/larderkv/larder/persistence/journal"
)

// ownLine adds the command on a line, or on several that end with this one, to the batch if it is one
// that only larder knows (journal.AppendOwn). n is the length of the line in the file.
func (c *reader) ownLine(line string, n int) error {
	text, ends := strings.CutPrefix(line, journal.OwnEnd)
	if !ends {
		var part bool
		if text, part = strings.CutPrefix(line, journal.OwnPart); !part {
			if len(c.own) > 0 {
				return &bad{c.pos, "Expected the rest of a command of larder's own"}
			}
			if isDamagedOwn(line) {
				return &bad{c.pos, "Expected " + journal.OwnEnd + " in front of a command of larder's own"}
			}
			return nil
		}
	}
	own, err := base64.StdEncoding.AppendDecode(c.own, []byte(text))
	if err != nil || len(own) == 0 {
		return &bad{c.pos, "Expected base64 in a command of larder's own"}
	}
	c.own = own
	if !ends {
		return nil
	}
	cmd := Command{Offset: c.offset + int64(c.pos)}
	if cmd.Args = parseOwn(own); cmd.Args == nil {
		return &bad{c.pos, "Malformed command of larder's own"}
	}
	c.own = nil // the batch has it
	c.batch = append(c.batch, cmd)
	c.res.Commands++
	return nil
}

// isDamagedOwn reports whether a line that begins with neither mark is a command that only larder knows all the
// same: it differs from the mark in a byte or two, and what follows is a command in base64. It would get lost
// without a word, as annotations of others are passed over. Where parts of a command are on several
// lines, the others show that one is missing.
func isDamagedOwn(line string) bool {
	n := len(journal.OwnEnd)
	if len(line) <= n {
		return false
	}
	differ := 0
	for i := range n {
		if line[i] != journal.OwnEnd[i] {
			differ++
		}
	}
	if differ > 2 {
		return false
	}
	own, err := base64.StdEncoding.DecodeString(line[n:])
	return err == nil && parseOwn(own) != nil
}

// parseOwn takes an array of bulk strings apart, as journal.AppendCommand writes it; nil if it is none.
func parseOwn(b []byte) (args [][]byte) {
	number := func(kind byte) int {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok || len(line) < 2 || line[0] != kind {
			return -1
		}
		n, err := strconv.Atoi(string(line[1:]))
		if b = rest; err != nil {
			return -1
		}
		return n
	}
	for n := number('*'); n > 0; n-- {
		size := number('$')
		if size < 0 || size > len(b)-2 || string(b[size:size+2]) != "\r\n" {
			return nil
		}
		args, b = append(args, b[:size:size]), b[size+2:]
	}
	if len(b) > 0 {
		return nil
	}
	return args
}
