package warm

import (
	"bufio"
	"errors"
	"io"
)

// longestRecord bounds a line, a CSV record and a transaction. A longer one is skipped, in memory
// for this much of it.
const longestRecord = 256 << 20

// readBuffer is how much of a file is read at a time.
const readBuffer = 256 << 10

// errTooLong: the record was longer than longestRecord, and has been passed over.
var errTooLong = errors.New("longer than 256 MB")

// input reads a file and knows where it is.
type input struct {
	r    *bufio.Reader
	at   int64  // offset of what is read next
	long []byte // of a line that is longer than the buffer
	max  int    // longestRecord; tests have a shorter one
	pipe bool   // what comes next may have to be waited for
}

func newInput(r io.Reader, at int64) *input {
	return &input{r: bufio.NewReaderSize(r, readBuffer), at: at, max: longestRecord}
}

func (in *input) position() int64 { return in.at }
func (in *input) idle() bool      { return in.pipe && in.r.Buffered() == 0 }

// line reads up to and with the next line feed, or to the end of the file. It is valid until the
// next one. At the end the error is io.EOF, also behind bytes without a line feed.
func (in *input) line() ([]byte, error) {
	b, err := in.r.ReadSlice('\n')
	in.at += int64(len(b))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return b, err
	}
	if cap(in.long) > readBuffer*16 {
		in.long = nil
	}
	in.long = append(in.long[:0], b...)
	for errors.Is(err, bufio.ErrBufferFull) {
		b, err = in.r.ReadSlice('\n')
		in.at += int64(len(b))
		if len(in.long)+len(b) > in.max {
			return nil, in.passLine(err)
		}
		in.long = append(in.long, b...)
	}
	return in.long, err
}

// passLine reads on to the end of the line, keeping nothing.
func (in *input) passLine(err error) error {
	in.long = nil
	for errors.Is(err, bufio.ErrBufferFull) {
		var b []byte
		b, err = in.r.ReadSlice('\n')
		in.at += int64(len(b))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return errTooLong
}
