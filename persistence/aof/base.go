package aof

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/larderkv/larder/persistence/journal"
	"github.com/larderkv/larder/store"
)

const (
	itemsPerCommand = 64        // fields or members in a command of a base at most: AOF_REWRITE_ITEMS_PER_CMD
	baseBuffer      = 256 << 10 // bytes per write of a base, and of a command's elements that wait for it at most
)

// BaseEncoder writes a base file of commands, as Redis' rewriteAppendOnlyFileRio does: SELECT, and
// for each key SET, HMSET or SADD, and PEXPIREAT. It is a store.Sink.
type BaseEncoder struct {
	w      *bufio.Writer
	db     int
	key    []byte
	typ    store.Type
	expire int64
	items  []byte // of the command that is being put together
	n      int    // of them
	head   []byte // scratch
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

// Key implements store.Sink.
func (e *BaseEncoder) Key(k *store.SnapshotKey, v *store.Value) error {
	if err := e.Begin(k, v.Len()); err != nil {
		return err
	}
	if k.Type == store.TypeString {
		e.head = journal.AppendHeader(e.head[:0], '*', 3)
		e.head = journal.AppendBulk(e.head, []byte("SET"))
		e.head = journal.AppendBulk(e.head, k.Name)
		if err := e.write(e.head); err != nil {
			return err
		}
		if err := e.bulk(v.Text()); err != nil {
			return err
		}
		return e.End()
	}
	var err error
	v.Each(func(item, value []byte) bool {
		err = e.Element(item, value)
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
	e.key, e.typ, e.expire = append(e.key[:0], k.Name...), k.Type, k.ExpireAt
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
func (e *BaseEncoder) Element(item, value []byte) error {
	size := len(item) + len(value)
	if len(e.items)+size > baseBuffer {
		if err := e.flushItems(); err != nil {
			return err
		}
	}
	if size > baseBuffer {
		return e.single(item, value)
	}
	e.items = journal.AppendBulk(e.items, item)
	if e.typ == store.TypeHash {
		e.items = journal.AppendBulk(e.items, value)
	}
	if e.n++; e.n < itemsPerCommand {
		return nil
	}
	return e.flushItems()
}

// single writes a command of one element without copying it.
func (e *BaseEncoder) single(item, value []byte) error {
	if err := e.itemsHead(1); err != nil {
		return err
	}
	if err := e.bulk(item); err != nil || e.typ != store.TypeHash {
		return err
	}
	return e.bulk(value)
}

// End implements store.Sink.
func (e *BaseEncoder) End() error {
	if err := e.flushItems(); err != nil || e.expire == 0 {
		return err
	}
	e.head = journal.AppendCommand(e.head[:0], []byte("PEXPIREAT"), e.key, strconv.AppendInt(nil, e.expire, 10))
	return e.write(e.head)
}

// flushItems writes the fields or members collected so far as one command.
func (e *BaseEncoder) flushItems() error {
	if e.n == 0 {
		return nil
	}
	err := e.itemsHead(e.n)
	if err == nil {
		err = e.write(e.items)
	}
	e.items, e.n = e.items[:0], 0
	return err
}

// itemsHead begins the command that n fields or members follow.
func (e *BaseEncoder) itemsHead(n int) error {
	name, words := "SADD", 2+n
	if e.typ == store.TypeHash {
		name, words = "HMSET", 2+2*n
	}
	e.head = journal.AppendHeader(e.head[:0], '*', words)
	e.head = journal.AppendBulk(e.head, []byte(name))
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
