package aof

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/store/lex"
)

const (
	itemsPerCommand = 64        // elements in a command of a base at most: AOF_REWRITE_ITEMS_PER_CMD
	baseBuffer      = 256 << 10 // bytes per write of a base, and of a command's elements that wait for it at most
)

// baseRow is the command that makes a key of one type.
type baseRow struct {
	command string
	whole   bool // the value is one word, its text; else the command has any number of elements
	words   int  // of an element
	// element returns the words of an element, which are valid until the next call.
	element func(e *BaseEncoder, item, value []byte) [maxWords][]byte
	// date appends a command that gives an element its expiry time. nil: elements have none.
	date func(b, key, at, item []byte) []byte
}

const maxWords = 2

var baseRows = [store.NumTypes]baseRow{
	store.TypeString: {command: "SET", whole: true, words: 1, element: inOrder},
	store.TypeHash:   {command: "HMSET", words: 2, element: inOrder, date: dateField},
	store.TypeSet:    {command: "SADD", words: 1, element: inOrder, date: dateMember},
	store.TypeList:   {command: "RPUSH", words: 1, element: inOrder},
	store.TypeZset:   {command: "ZADD", words: 2, element: scored},
}

func dateField(b, key, at, item []byte) []byte {
	return journal.AppendCommand(b, []byte("HPEXPIREAT"), key, at, []byte("FIELDS"), []byte("1"), item)
}

// dateMember: no other server knows times of members.
func dateMember(b, key, at, item []byte) []byte {
	return journal.AppendOwn(b, []byte("SPEXPIREAT"), key, at, []byte("MEMBERS"), []byte("1"), item)
}

func inOrder(_ *BaseEncoder, item, value []byte) [maxWords][]byte {
	return [maxWords][]byte{item, value}
}

// scored prints a score, which the store gives as the bytes of a double, in front of its member.
func scored(e *BaseEncoder, item, value []byte) [maxWords][]byte {
	e.score = lex.AppendFloat(e.score[:0], math.Float64frombits(binary.LittleEndian.Uint64(value)))
	return [maxWords][]byte{e.score, item}
}

// BaseEncoder writes a base file of commands, as Redis' rewriteAppendOnlyFileRio does: FUNCTION LOAD
// for each library of functions, SELECT, and for each key the command of its type (baseRows) and
// PEXPIREAT. It is a store.Sink.
type BaseEncoder struct {
	w      *bufio.Writer
	db     int
	key    []byte
	row    *baseRow
	expire int64
	items  []byte // of the command that is being put together
	n      int    // of them
	extras []byte // of the key, empty for none
	dated  []byte // commands that give elements in front of them their times to live
	head   []byte // scratch
	score  []byte // scratch
}

var _ store.Sink = (*BaseEncoder)(nil)

// NewBaseEncoder returns an encoder that writes to w in large pieces, the last one in Close.
func NewBaseEncoder(w io.Writer) *BaseEncoder {
	return &BaseEncoder{w: bufio.NewWriterSize(w, baseBuffer), db: -1}
}

// Timestamp writes an annotation: aof-timestamp-enabled begins a base with the time in unix
// seconds.
func (e *BaseEncoder) Timestamp(unix int64) error {
	e.head = appendTimestamp(e.head[:0], unix)
	return e.write(e.head)
}

// Library writes a library of functions. Libraries come before the keys.
func (e *BaseEncoder) Library(source []byte) error {
	e.head = journal.AppendHeader(e.head[:0], '*', 3)
	e.head = journal.AppendBulk(journal.AppendBulk(e.head, []byte("FUNCTION")), []byte("LOAD"))
	if err := e.write(e.head); err != nil {
		return err
	}
	return e.bulk(source)
}

// Key implements store.Sink.
func (e *BaseEncoder) Key(k *store.SnapshotKey, v *store.Value) error {
	if err := e.Begin(k, v.Len()); err != nil {
		return err
	}
	if e.row.whole {
		if err := e.single(v.Text(), nil); err != nil {
			return err
		}
		return e.End()
	}
	var err error
	v.EachDated(func(item, value []byte, expire int64) bool {
		err = e.Element(item, value, expire)
		return err == nil
	})
	if err != nil {
		return err
	}
	return e.End()
}

// bulk writes the last argument of a command without copying it.
func (e *BaseEncoder) bulk(b []byte) error {
	e.head = journal.AppendHeader(e.head[:0], '$', len(b))
	for _, p := range [...][]byte{e.head, b, []byte("\r\n")} {
		if err := e.write(p); err != nil {
			return err
		}
	}
	return nil
}

// Begin implements store.Sink.
func (e *BaseEncoder) Begin(k *store.SnapshotKey, _ int) error {
	e.key, e.row, e.expire = append(e.key[:0], k.Name...), &baseRows[k.Type], k.ExpireAt
	e.extras = append(e.extras[:0], k.Extras...)
	if k.DB == e.db {
		return nil
	}
	e.db = k.DB
	e.head = journal.AppendSelect(e.head[:0], k.DB)
	return e.write(e.head)
}

// Element implements store.Sink. A command's head says how many elements follow, so they must be
// collected before it can be written. Counting them is not enough: Redis' 64 elements of a command
// may be 100 MB each, which Redis writes as it walks the value that it already has in memory, where
// larder would copy them all. So their bytes are bounded too, and an element above the bound goes
// out alone, from where it is.
func (e *BaseEncoder) Element(item, value []byte, expire int64) error {
	if err := e.element(item, value); err != nil || expire == 0 {
		return err
	}
	e.dated = e.row.date(e.dated, e.key, strconv.AppendInt(nil, expire, 10), item)
	if len(e.dated) < baseBuffer {
		return nil
	}
	return e.flushItems()
}

func (e *BaseEncoder) element(item, value []byte) error {
	size := len(item) + len(value)
	if len(e.items)+size > baseBuffer {
		if err := e.flushItems(); err != nil {
			return err
		}
	}
	if size > baseBuffer {
		return e.single(item, value)
	}
	words := e.row.element(e, item, value)
	for _, w := range words[:e.row.words] {
		e.items = journal.AppendBulk(e.items, w)
	}
	if e.n++; e.n < itemsPerCommand {
		return nil
	}
	return e.flushItems()
}

// single writes a command of one element, or of a whole value, without copying it.
func (e *BaseEncoder) single(item, value []byte) error {
	if err := e.itemsHead(1); err != nil {
		return err
	}
	words := e.row.element(e, item, value)
	for _, w := range words[:e.row.words] {
		if err := e.bulk(w); err != nil {
			return err
		}
	}
	return nil
}

// End implements store.Sink.
func (e *BaseEncoder) End() error {
	if err := e.flushItems(); err != nil {
		return err
	}
	e.head = e.head[:0]
	if e.expire != 0 {
		e.head = journal.AppendCommand(e.head, []byte("PEXPIREAT"), e.key, strconv.AppendInt(nil, e.expire, 10))
	}
	if len(e.extras) > 0 {
		e.head = journal.AppendOwn(e.head, []byte("CACHE.ATTACH"), e.key, e.extras)
	}
	return e.write(e.head)
}

// flushItems writes the elements collected so far as one command.
func (e *BaseEncoder) flushItems() error {
	if e.n > 0 {
		err := e.itemsHead(e.n)
		if err == nil {
			err = e.write(e.items)
		}
		e.items, e.n = e.items[:0], 0
		if err != nil {
			return err
		}
	}
	if len(e.dated) == 0 {
		return nil
	}
	err := e.write(e.dated)
	e.dated = e.dated[:0]
	return err
}

// itemsHead begins the command that n elements follow.
func (e *BaseEncoder) itemsHead(n int) error {
	e.head = journal.AppendHeader(e.head[:0], '*', 2+n*e.row.words)
	e.head = journal.AppendBulk(e.head, []byte(e.row.command))
	e.head = journal.AppendBulk(e.head, e.key)
	return e.write(e.head)
}

func (e *BaseEncoder) write(b []byte) error {
	if _, err := e.w.Write(b); err != nil {
		return fmt.Errorf("write the log's base: %w", err)
	}
	return nil
}

// Close writes what is buffered. The file is the caller's.
func (e *BaseEncoder) Close() error {
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("write the log's base: %w", err)
	}
	return nil
}
