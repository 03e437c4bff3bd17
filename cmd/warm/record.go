package warm

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/larderkv/larder/persistence/rdb"
	"github.com/larderkv/larder/store"
)

// record is what a file has of a key, or of raw commands one command or transaction. Its bytes are
// valid until the source is asked for the next one.
type record struct {
	end  int64 // offset in the file of what follows
	line int64 // 0: not of a file of lines
	db   int

	key     []byte
	ttl     int64 // milliseconds, 0 for none
	expires int64 // unix milliseconds, 0 for none
	text    []byte
	items   [][]byte // of a collection, as rdb.Compose takes them
	typ     store.Type
	value   *rdb.Raw // in place of text and items

	raw     []byte // commands
	replies int    // to them
}

// badRecord is a record that cannot be used; the next one may be.
type badRecord struct {
	place string
	text  string
}

func (e *badRecord) Error() string { return e.place + ": " + e.text }

// source gives the records of a file.
type source interface {
	// next fills in a record. Errors are io.EOF, *badRecord, and others, after which there is no
	// going on.
	next(r *record) error
	// position is the offset behind the record, good or bad, that was read last.
	position() int64
	// idle reports that the next record may have to be waited for.
	idle() bool
}

// sent is a command of a batch that waits for its reply.
type sent struct {
	from, to int // its bytes in the batch
	key      int // where its key begins, if it has one
	keyLen   int
	line     int64
	end      int64 // offset
	replies  int
}

// batch is what goes out in one piece, for one database.
type batch struct {
	db      int
	buf     []byte
	scratch []byte
	sent    []sent
}

func (b *batch) reset(db int) {
	const keep = 1 << 20
	b.db, b.sent = db, b.sent[:0]
	if cap(b.buf) > keep || cap(b.scratch) > keep {
		b.buf, b.scratch = nil, nil
	}
	b.buf = b.buf[:0]
}

// longestValue is the longest argument that servers take by default (proto-max-bulk-len).
const longestValue = 512 << 20

// add encodes a record. It returns false for one that has expired.
func (b *batch) add(o *Options, r *record) (live bool, err error) {
	s := sent{from: len(b.buf), line: r.line, end: r.end, replies: 1}
	if r.raw != nil {
		b.buf, s.replies = append(b.buf, r.raw...), r.replies
	} else {
		ttl, live := lifetime(o, r)
		if !live {
			return false, nil
		}
		if err := b.addKey(o, r, &s, ttl); err != nil {
			b.buf = b.buf[:s.from]
			return true, err
		}
	}
	s.to = len(b.buf)
	b.sent = append(b.sent, s)
	return true, nil
}

// lifetime is a record's time to live in milliseconds, 0 for none, from now on.
func lifetime(o *Options, r *record) (ttl int64, live bool) {
	ttl = r.ttl
	if r.expires != 0 {
		if ttl = r.expires - time.Now().UnixMilli(); ttl <= 0 {
			return 0, false
		}
	}
	if ttl == 0 {
		ttl = o.TTL.Milliseconds()
	}
	if ttl > 0 && o.Jitter > 0 {
		ttl = max(1, ttl-int64(rand.Float64()*o.Jitter*float64(ttl)))
	}
	return ttl, true
}

// addKey writes SET or RESTORE: both take value, time to live and condition at once, so that a key
// is never there in part, and --only-missing holds whatever other clients do.
func (b *batch) addKey(o *Options, r *record, s *sent, ttl int64) error {
	verb, value := "SET", r.text
	switch {
	case r.value != nil:
		if r.value.Size() > longestValue {
			return fmt.Errorf("the value is longer than %d MB", longestValue>>20)
		}
		b.scratch = r.value.AppendPayload(b.scratch[:0])
		verb, value = "RESTORE", b.scratch
	case r.typ != store.TypeString:
		b.scratch = rdb.Compose(b.scratch[:0], r.typ, r.items)
		verb, value = "RESTORE", b.scratch
	}
	if len(value) > longestValue {
		return fmt.Errorf("the value is longer than %d MB", longestValue>>20)
	}
	args := 3
	if verb == "RESTORE" {
		args = 4
		if !o.OnlyMissing {
			args++
		}
	} else {
		if ttl > 0 {
			args += 2
		}
		if o.OnlyMissing {
			args++
		}
	}
	buf := appendBulk(appendHead(b.buf, args), verb)
	name := len(o.Prefix) + len(r.key)
	buf = append(strconv.AppendInt(append(buf, '$'), int64(name), 10), '\r', '\n')
	s.key, s.keyLen = len(buf), name
	buf = append(append(append(buf, o.Prefix...), r.key...), '\r', '\n')
	if verb == "RESTORE" {
		buf = appendBulk(buf, strconv.FormatInt(ttl, 10))
	}
	buf = appendBulk(buf, value)
	switch {
	case verb == "RESTORE" && !o.OnlyMissing:
		buf = appendBulk(buf, "REPLACE")
	case verb == "SET" && ttl > 0:
		buf = appendBulk(appendBulk(buf, "PX"), strconv.FormatInt(ttl, 10))
	}
	if verb == "SET" && o.OnlyMissing {
		buf = appendBulk(buf, "NX")
	}
	b.buf = buf
	return nil
}

// place says which record it was, for the list of errors.
func (b *batch) place(s *sent) string {
	switch {
	case s.keyLen > 0:
		return fmt.Sprintf("key %q", clip(string(b.buf[s.key:s.key+min(s.keyLen, longestText+1)])))
	case s.line > 0:
		return fmt.Sprintf("line %d", s.line)
	}
	return fmt.Sprintf("in front of offset %d", s.end)
}
