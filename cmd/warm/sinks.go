package warm

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/store"
)

func newSink(format string, w *bufio.Writer) sink {
	switch format {
	case CSV:
		return &csvSink{w: w}
	case RESP:
		return &respSink{w: w, db: -1}
	case RDB:
		return &rdbSink{w: w, seen: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
	}
	return &ndjsonSink{w: w}
}

// bad is an error of one key.
func bad(err error) error { return &badRecord{text: err.Error()} }

// errTooLongToExport: warm would not take it back.
var errTooLongToExport = errors.New("it takes more than 256 MB in this format: export it as rdb")

// ndjsonSink writes what ndjson reads.
type ndjsonSink struct {
	w    *bufio.Writer
	open rdb.Opener
	buf  []byte
}

func (s *ndjsonSink) close() error { return nil }

func (s *ndjsonSink) write(k *exported) error {
	typ, text, items, err := s.open.Open(k.payload)
	if err != nil {
		return bad(err)
	}
	b := appendJSONBytes(append(s.buf[:0], `{"key":`...), k.key)
	b = append(b, `,"type":"`+typeNames[typ]+`","value":`...)
	switch typ {
	case store.TypeString:
		b = appendJSONBytes(b, text)
	case store.TypeHash:
		b = appendJSONPairs(b, items, appendJSONBytes)
	case store.TypeZset:
		b = appendJSONPairs(b, items, appendJSONScore)
	default:
		b = appendJSONList(b, items)
	}
	if k.ttl > 0 {
		b = strconv.AppendInt(append(b, `,"ttl_ms":`...), k.ttl, 10)
	}
	b = append(b, '}', '\n')
	if s.buf = b; len(b) > longestRecord {
		s.buf = nil
		return bad(errTooLongToExport)
	}
	_, err = s.w.Write(b)
	return err
}

func appendJSONList(b []byte, items [][]byte) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONBytes(b, item)
	}
	return append(b, ']')
}

// appendJSONPairs writes an object, or a list of pairs if a name is no text.
func appendJSONPairs(b []byte, items [][]byte, second func(b, item []byte) []byte) []byte {
	open, between, end, ends := `{`, `:`, ``, byte('}')
	for i := 0; i < len(items); i += 2 {
		if !utf8.Valid(items[i]) {
			open, between, end, ends = `[`, `,`, `]`, ']'
			break
		}
	}
	b = append(b, open...)
	for i := 0; i < len(items); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		if end != "" {
			b = append(b, '[')
		}
		b = append(appendJSONBytes(b, items[i]), between...)
		b = append(second(b, items[i+1]), end...)
	}
	return append(b, ends)
}

func appendJSONScore(b, item []byte) []byte {
	f := math.Float64frombits(binary.LittleEndian.Uint64(item))
	if math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(b, '"'), f, 'g', -1, 64), '"')
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendJSONBytes writes text as a string, other bytes as base64.
func appendJSONBytes(b, s []byte) []byte {
	if !utf8.Valid(s) {
		b = append(b, `{"base64":"`...)
		return append(base64.StdEncoding.AppendEncode(b, s), `"}`...)
	}
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// csvSink writes what csvFile reads.
type csvSink struct {
	w     *bufio.Writer
	open  rdb.Opener
	buf   []byte
	begun bool
}

// begin writes the names of the columns, so that a key named key is not taken for them.
func (s *csvSink) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	_, err := s.w.WriteString("key,value,ttl\n")
	return err
}

func (s *csvSink) close() error { return s.begin() }

func (s *csvSink) write(k *exported) error {
	typ, text, _, err := s.open.Open(k.payload)
	if err == nil && typ != store.TypeString {
		err = errors.New("it is no string any more")
	}
	if err != nil {
		return bad(err)
	}
	b := append(appendField(s.buf[:0], k.key), ',')
	b = append(appendField(b, text), ',')
	if k.ttl > 0 {
		b = strconv.AppendFloat(b, float64(k.ttl)/1000, 'f', -1, 64)
	}
	b = append(b, '\n')
	if s.buf = b; len(b) > longestRecord {
		s.buf = nil
		return bad(errTooLongToExport)
	}
	if err := s.begin(); err != nil {
		return err
	}
	_, err = s.w.Write(b)
	return err
}

func appendField(b, s []byte) []byte {
	if len(s) > 0 && !bytes.ContainsAny(s, "\",\r\n") {
		return append(b, s...)
	}
	b = append(b, '"')
	for _, c := range s {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// respSink writes commands, for redis-cli --pipe as well. A collection is a transaction that begins
// with DEL: it is there as a whole, and may be sent twice.
type respSink struct {
	w    *bufio.Writer
	open rdb.Opener
	buf  []byte
	db   int
}

func (s *respSink) close() error { return nil }

// verbs make the collections.
var verbs = [...]string{store.TypeList: "RPUSH", store.TypeSet: "SADD", store.TypeHash: "HSET", store.TypeZset: "ZADD"}

// mostItems of one command, so that no server is held up by it.
const mostItems = 512

func (s *respSink) write(k *exported) error {
	typ, text, items, err := s.open.Open(k.payload)
	if err != nil {
		return bad(err)
	}
	b := s.buf[:0]
	if k.db != s.db {
		b = appendBulk(appendBulk(appendHead(b, 2), "SELECT"), strconv.Itoa(k.db))
	}
	expires := ""
	if k.ttl > 0 {
		expires = strconv.FormatInt(time.Now().UnixMilli()+k.ttl, 10)
	}
	if typ == store.TypeString {
		b = appendString(b, k.key, text, expires)
	} else {
		b = appendTransaction(b, typ, k.key, items, expires)
	}
	if s.buf = b; len(b) > longestRecord {
		s.buf = nil
		return bad(errTooLongToExport)
	}
	s.db = k.db
	_, err = s.w.Write(b)
	return err
}

func appendString(b, key, text []byte, expires string) []byte {
	if expires == "" {
		return appendBulk(appendBulk(appendBulk(appendHead(b, 3), "SET"), key), text)
	}
	b = appendBulk(appendBulk(appendBulk(appendHead(b, 5), "SET"), key), text)
	return appendBulk(appendBulk(b, "PXAT"), expires)
}

func appendTransaction(b []byte, typ store.Type, key []byte, items [][]byte, expires string) []byte {
	b = appendBulk(appendHead(b, 1), "MULTI")
	b = appendBulk(appendBulk(appendHead(b, 2), "DEL"), key)
	for len(items) > 0 {
		part := items[:min(len(items), mostItems)]
		items = items[len(part):]
		b = appendBulk(appendBulk(appendHead(b, 2+len(part)), verbs[typ]), key)
		for i := range part {
			if typ != store.TypeZset {
				b = appendBulk(b, part[i])
			} else if i%2 != 0 { // scores stand in front of members
				f := math.Float64frombits(binary.LittleEndian.Uint64(part[i]))
				b = appendBulk(b, strconv.FormatFloat(f, 'g', -1, 64))
				b = appendBulk(b, part[i-1])
			}
		}
	}
	if expires != "" {
		b = appendBulk(appendBulk(appendBulk(appendHead(b, 3), "PEXPIREAT"), key), expires)
	}
	return appendBulk(appendHead(b, 1), "EXEC")
}

// rdbSink writes a snapshot. The signature is of the version that the server's payloads have, so
// that the file loads where they would.
type rdbSink struct {
	w         io.Writer
	e         *rdb.Encoder
	signature string

	// Keys that were written, by their hashes: SCAN may give one twice, and no server loads a file
	// with the same key twice. At 64 bits a million keys fall together with a chance of 3 in 100
	// million.
	seen map[uint64]struct{}
	seed maphash.Seed
}

func (s *rdbSink) begin(signature string) {
	s.signature = signature
	s.e = rdb.NewEncoder(s.w, rdb.Options{Checksum: true, Signature: signature})
}

func (s *rdbSink) close() error {
	if s.e == nil {
		s.begin("") // a snapshot without keys
	}
	return s.e.Close()
}

func (s *rdbSink) write(k *exported) error {
	signature, err := rdb.Signature(k.payload)
	if err != nil {
		return bad(err)
	}
	if s.e == nil {
		s.begin(signature)
	}
	if signature != s.signature {
		return bad(fmt.Errorf("it is in a form of %s in a file of %s", signature, s.signature))
	}
	sum := maphash.Bytes(s.seed, k.key)
	if _, again := s.seen[sum]; again {
		return nil
	}
	s.seen[sum] = struct{}{}
	expires := int64(0)
	if k.ttl > 0 {
		expires = time.Now().UnixMilli() + k.ttl
	}
	return s.e.Payload(k.db, k.key, expires, k.payload)
}
