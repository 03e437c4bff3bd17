package warm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// csvFile has a string per record: key,value or key,value,ttl, with the ttl in seconds. Fields are
// quoted as in RFC 4180: within quotes, which are doubled, stand commas, line breaks and any bytes.
// encoding/csv is not used: it takes a record of any length into memory.
type csvFile struct {
	*input
	number int64 // of the line
	record []byte
	fields [][]byte
}

func (c *csvFile) next(r *record) error {
	for {
		first := c.number + 1
		begin := c.at
		b, err := c.whole()
		switch {
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong):
			return err
		case err == nil && len(bytes.TrimRight(b, "\r\n")) == 0:
			continue
		case len(b) == 0 && errors.Is(err, io.EOF):
			return io.EOF
		}
		*r = record{end: c.at, line: first}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		header := false
		if err == nil {
			header, err = c.parse(r, b, begin == 0)
		}
		if err != nil {
			return &badRecord{fmt.Sprintf("line %d", first), "broken record: " + err.Error()}
		}
		if !header {
			return nil
		}
	}
}

// whole reads the lines of a record: it goes on as long as a quote is open.
func (c *csvFile) whole() ([]byte, error) {
	line, err := c.line()
	c.number++
	if bytes.Count(line, []byte{'"'})%2 == 0 || err != nil {
		return line, err
	}
	c.record = append(c.record[:0], line...)
	for quotes := 1; quotes%2 != 0; {
		line, err := c.line()
		c.number++
		quotes += bytes.Count(line, []byte{'"'})
		if len(c.record)+len(line) > c.max {
			c.record = nil
			return nil, errTooLong
		}
		c.record = append(c.record, line...)
		if err != nil {
			return c.record, err
		}
	}
	return c.record, nil
}

// parse takes a record apart. The first of the file may be the names of the columns.
func (c *csvFile) parse(r *record, b []byte, first bool) (header bool, err error) {
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte{'\n'}), []byte{'\r'})
	c.fields = c.fields[:0]
	for more := true; more; {
		var field []byte
		if field, b, more, err = csvField(b); err != nil {
			return false, err
		}
		c.fields = append(c.fields, field)
		if len(c.fields) > 3 {
			return false, errors.New("more than key, value and ttl")
		}
	}
	if len(c.fields) < 2 {
		return false, errors.New("there is no value")
	}
	if first && string(c.fields[0]) == "key" && string(c.fields[1]) == "value" {
		return true, nil
	}
	r.key, r.text = c.fields[0], c.fields[1]
	if len(c.fields) == 3 && len(c.fields[2]) > 0 {
		seconds, err := strconv.ParseFloat(string(c.fields[2]), 64)
		if err != nil || !(seconds >= 0.001 && seconds*1000 <= longestTTL) {
			return false, fmt.Errorf("the ttl %q is no number of seconds above 0", clip(string(c.fields[2])))
		}
		r.ttl = int64(seconds*1000 + 0.5)
	}
	return false, nil
}

// csvField cuts the first field off; more reports that there is another.
func csvField(b []byte) (field, rest []byte, more bool, err error) {
	if len(b) == 0 || b[0] != '"' {
		field, rest, more = bytes.Cut(b, []byte{','})
		if bytes.IndexByte(field, '"') >= 0 {
			err = errors.New("a quote within a field that has none around it")
		}
		return field, rest, more, err
	}
	b = b[1:]
	for {
		i := bytes.IndexByte(b, '"')
		switch {
		case i < 0:
			return nil, nil, false, errors.New("a quote is not closed")
		case i+1 < len(b) && b[i+1] == '"':
			field = append(field, b[:i+1]...)
			b = b[i+2:]
			continue
		case i+1 < len(b) && b[i+1] != ',':
			return nil, nil, false, errors.New("something stands between a quote and the next comma")
		}
		if field == nil {
			field = b[:i:i]
		} else {
			field = append(field, b[:i]...)
		}
		if i+1 == len(b) {
			return field, nil, false, nil
		}
		return field, b[i+2:], true, nil
	}
}
