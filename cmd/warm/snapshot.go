package warm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/larderkv/larder/persistence/rdb"
)

// snapshot takes in an RDB file, and the commands behind it: a log of Redis begins with a snapshot. One
// that cannot be measured is copied into a temporary file first, since no length in it is believed
// that is beyond its end.
func (r *run) snapshot(f *filler, from place) error {
	file, in, size := r.file, interruptible(f.ctx, r.r), r.size
	if size < 0 {
		spool, n, err := spooled(in)
		if err != nil {
			return err
		}
		defer func() { _ = spool.Close() }() // it has no name any more
		file, in, size = spool, interruptible(f.ctx, spool), n
	}
	end, err := rdb.Walk(in, size, func(k *rdb.Raw) error {
		if k.End <= from.offset {
			return nil
		}
		return f.put(&record{end: k.End, db: k.DB, key: k.Name, expires: k.ExpireAt, value: k})
	}, func(err error) {
		f.tally.left.Add(1)
		f.tally.note("left out", err.Error())
	})
	if broken := (*rdb.CorruptError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("the snapshot is broken: %w", err)
	}
	switch {
	case err != nil || f.ctx.Err() != nil:
		return err
	case end == size:
		f.passed(place{max(size, from.offset), f.posDB})
		return nil
	case from.offset <= end:
		from = place{offset: end}
	}
	return r.behind(f, file, from, end)
}

// behind takes in the commands behind a snapshot that ends at end, from a place on.
func (r *run) behind(f *filler, file *os.File, from place, end int64) error {
	if err := f.settle(); err != nil {
		return err
	}
	f.passed(from)
	if _, err := file.Seek(from.offset, io.SeekStart); err != nil {
		return err
	}
	in := newInput(interruptible(f.ctx, file), from.offset)
	first, err := in.r.Peek(1)
	switch {
	case errors.Is(err, io.EOF): // went on from the end
		return nil
	case err != nil:
		return err
	case from.offset == end && first[0] != '*' && first[0] != '#':
		return fmt.Errorf("the snapshot ends at offset %d, and what follows are no commands", end)
	case r.o.changesKeys():
		return fmt.Errorf("the snapshot is in; commands follow it, which are sent as they are, in their order: %s are for the other formats", keyOptions)
	}
	f.commands = true
	return f.drain(&respFile{input: in, db: from.db})
}

// spooled copies into a file without a name.
func spooled(r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "larder-warm-*")
	if err != nil {
		return nil, 0, fmt.Errorf("a snapshot that comes through a pipe needs a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	n, err := io.Copy(f, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// interrupted is a reader that a context ends. A read of a pipe cannot be ended, so it happens in a
// goroutine of its own, which stays behind with a buffer of its own if nobody waits any more.
type interrupted struct {
	ctx context.Context
	r   io.Reader
	buf []byte
}

type readResult struct {
	n   int
	err error
}

func (i *interrupted) Read(b []byte) (int, error) {
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	if f, ok := i.r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f.Read(b)
		}
	}
	if len(i.buf) < len(b) {
		i.buf = make([]byte, len(b))
	}
	buf, got := i.buf[:len(b)], make(chan readResult, 1)
	go func() {
		n, err := i.r.Read(buf)
		got <- readResult{n, err}
	}()
	select {
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	case g := <-got:
		return copy(b, buf[:g.n]), g.err
	}
}
