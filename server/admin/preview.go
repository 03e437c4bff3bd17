package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/larderkv/larder/protocol"
)

// maxElements is how many elements of a value are shown.
const maxElements = 100

// preview is the beginning of a value.
type preview struct {
	Length *int64 `json:"length"` // bytes of a string, elements of others
	// Value is a string's. Elements are the others': of a hash pairs of a field and its value, of a
	// sorted set pairs of a member and its score, of lists and sets single ones.
	Value *shown `json:"value,omitempty"`
	// Raw is a string's value as base64url, if all of it is there: what an edit begins with.
	Raw      string    `json:"value64,omitempty"`
	Elements [][]shown `json:"elements,omitempty"`
	Complete bool      `json:"complete"` // nothing is left out
	left     int       // bytes that may still be shown
}

// preview reads as much of a value as is shown, and no more: elements come one by one, since each may
// be as long as it likes.
func (c *calls) preview(name, typ string) preview {
	p := preview{left: maxValue}
	switch typ {
	case "string":
		p.Length = c.integer("STRLEN", name)
		b := asBytes(c.do("GETRANGE", name, "0", strconv.Itoa(maxValue-1)))
		p.Complete = p.Length != nil && int64(len(b)) == *p.Length
		text, _ := show(b, len(b))
		p.Value = &shown{text, !p.Complete}
		if p.Complete {
			p.Raw = base64.RawURLEncoding.EncodeToString(b)
		}
	case "list":
		p.Length = c.integer("LLEN", name)
		p.indexed(func(i string) value { return c.do("LRANGE", name, i, i) })
	case "zset":
		p.Length = c.integer("ZCARD", name)
		p.indexed(func(i string) value { return c.do("ZRANGE", name, i, i, "WITHSCORES") })
	case "set":
		p.Length = c.integer("SCARD", name)
		p.scanned(func(cursor string) value { return c.do("SSCAN", name, cursor, "COUNT", "1") },
			func(member []byte) []shown {
				return []shown{p.show(member)}
			})
	case "hash":
		p.Length = c.integer("HLEN", name)
		p.scanned(func(cursor string) value { return c.do("HSCAN", name, cursor, "COUNT", "1", "NOVALUES") },
			func(field []byte) []shown {
				return c.field(&p, name, field)
			})
	}
	return p
}

// full reports whether enough is shown.
func (p *preview) full() bool { return len(p.Elements) >= maxElements || p.left <= 0 }

// show shows a piece within what is left of the whole.
func (p *preview) show(b []byte) shown {
	s := shownOf(b, p.left)
	p.left -= len(b)
	return s
}

// indexed shows the elements that are found by their position.
func (p *preview) indexed(at func(i string) value) {
	for i := 0; !p.full(); i++ {
		list, _ := at(strconv.Itoa(i)).([]value)
		if len(list) == 0 {
			p.Complete = true
			return
		}
		if pair, ok := list[0].([]value); ok { // of RESP3: a member and its score
			list = pair
		}
		row := make([]shown, len(list))
		for j, x := range list {
			row[j] = p.show(printed(x))
		}
		p.Elements = append(p.Elements, row)
	}
	p.Complete = p.Length != nil && int64(len(p.Elements)) == *p.Length && p.left >= 0
}

// printed is a string, or a score as a client of RESP2 sees it.
func printed(v value) []byte {
	if f, ok := v.(float64); ok {
		return protocol.FormatDouble(nil, f)
	}
	return asBytes(v)
}

// scanned shows the elements that SSCAN or HSCAN find.
func (p *preview) scanned(scan func(cursor string) value, show func(element []byte) []shown) {
	for cursor := "0"; ; {
		answer, ok := scan(cursor).([]value)
		if !ok || len(answer) != 2 {
			return // it has failed
		}
		cursor = string(asBytes(answer[0]))
		elements, _ := answer[1].([]value)
		for _, e := range elements {
			if p.full() {
				return
			}
			if row := show(asBytes(e)); row != nil {
				p.Elements = append(p.Elements, row)
			}
		}
		if cursor == "0" {
			p.Complete = p.left >= 0
			return
		}
		if p.full() {
			return
		}
	}
}

// field shows a field of a hash with its value, nil if it has gone. A value that does not fit is not
// fetched.
func (c *calls) field(p *preview, name string, field []byte) []shown {
	size := c.integer("HSTRLEN", name, string(field))
	row := []shown{p.show(field)}
	if size == nil || *size > maxValue {
		p.left -= maxValue
		return append(row, shown{fmt.Sprintf("(%d bytes)", *orZero(size)), true})
	}
	v := c.do("HGET", name, string(field))
	if v == nil {
		return nil
	}
	return append(row, p.show(asBytes(v)))
}

func orZero(n *int64) *int64 {
	if n == nil {
		return new(int64)
	}
	return n
}

// decodeBody reads a body that is one JSON object with known members.
func decodeBody(r *http.Request, to any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		var long *http.MaxBytesError
		if errors.As(err, &long) {
			return fmt.Errorf("the body is longer than %d bytes", long.Limit)
		}
		return fmt.Errorf("the body is not what is expected: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body goes on behind its end")
	}
	return nil
}
