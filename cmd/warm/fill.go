package warm

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/cmd/client"
)

const (
	batchBytes   = 64 << 10
	batchRecords = 256
	defaultLanes = 4
	ratePart     = 20 // batches go out at least so often per second if there is a rate
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// filler is one run. The goroutine that reads the file owns what is not said to be shared.
type filler struct {
	o      *Options
	server *redis.Options
	tally  tally // shared
	seed   maphash.Seed

	lanes []*lane
	size  int       // records of a batch at most
	due   time.Time // when the next record may go out, by the rate

	commands bool // have followed a snapshot

	ctx  context.Context
	fail context.CancelCauseFunc
	done sync.WaitGroup

	mu     sync.Mutex // protects what follows
	pos    int64      // offset in front of which every record is in a batch
	posDB  int
	opened [][]place // of each lane's batches that are not done, in their order
}

// place is where in the file something begins, and the database selected there.
type place struct {
	offset int64
	db     int
}

// lane is a connection with its goroutine. A key always goes the same lane, so that of two records
// of a key the later one wins.
type lane struct {
	f       *filler
	number  int
	filling *batch
	full    chan *batch
	free    chan *batch

	// Of the goroutine:
	c    *conn
	last time.Time // when the server last answered
}

// lanesBatches: one is filled while one is on its way and one waits.
const lanesBatches = 3

func newFiller(ctx context.Context, o *Options, server *redis.Options, from place) *filler {
	f := &filler{o: o, server: server, seed: maphash.MakeSeed(), size: batchRecords, pos: from.offset, posDB: from.db}
	f.ctx, f.fail = context.WithCancelCause(ctx)
	n := cmp.Or(o.Concurrency, defaultLanes)
	if o.Format == RESP {
		n = 1 // commands stay in their order
	}
	if o.Rate > 0 {
		f.size = max(1, min(batchRecords, int(o.Rate)/ratePart/n))
	}
	f.opened = make([][]place, n)
	for i := range n {
		l := &lane{f: f, number: i, full: make(chan *batch, lanesBatches),
			free: make(chan *batch, lanesBatches), last: time.Now()}
		for range lanesBatches {
			l.free <- new(batch)
		}
		f.lanes = append(f.lanes, l)
		f.done.Go(l.run)
	}
	return f
}

// drain takes in a source to its end.
func (f *filler) drain(src source) error {
	var r record
	for {
		err := src.next(&r)
		bad := (*badRecord)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			f.tally.fail(bad.place, bad.text)
			f.passed(place{src.position(), r.db})
		case err != nil:
			return err
		default:
			if err := f.put(&r); err != nil {
				return err
			}
		}
		if src.idle() {
			if err := f.flush(); err != nil {
				return err
			}
		}
	}
}

// put gives a record to its lane.
func (f *filler) put(r *record) error {
	if err := f.wait(); err != nil {
		return err
	}
	l := f.lanes[0]
	if len(f.lanes) > 1 {
		l = f.lanes[maphash.Bytes(f.seed, r.key)%uint64(len(f.lanes))]
	}
	if b := l.filling; b != nil && b.db != r.db {
		if err := l.hand(); err != nil {
			return err
		}
	}
	if l.filling == nil {
		if err := l.begin(r.db); err != nil {
			return err
		}
	}
	live, err := l.filling.add(f.o, r)
	if err != nil {
		f.tally.fail(fmt.Sprintf("key %q", clip(string(r.key))), err.Error())
	} else if !live {
		f.tally.expired.Add(1)
	}
	f.passed(place{r.end, r.db})
	if len(l.filling.buf) >= batchBytes || len(l.filling.sent) >= f.size {
		return l.hand()
	}
	return nil
}

// wait keeps to the rate. What could not go out in time is not made up for.
func (f *filler) wait() error {
	if f.o.Rate <= 0 {
		return nil
	}
	now := time.Now()
	if f.due.Before(now) {
		f.due = now
	}
	f.due = f.due.Add(time.Duration(float64(time.Second) / f.o.Rate))
	if ahead := f.due.Sub(now); ahead > time.Second/ratePart {
		return pause(f.ctx, ahead)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// flush sends what has been gathered.
func (f *filler) flush() error {
	for _, l := range f.lanes {
		if err := l.hand(); err != nil {
			return err
		}
	}
	return nil
}

// settle sends what has been gathered, and waits until all of it has been answered.
func (f *filler) settle() error {
	if err := f.flush(); err != nil {
		return err
	}
	for _, l := range f.lanes {
		all := make([]*batch, lanesBatches)
		for i := range all {
			select {
			case all[i] = <-l.free:
			case <-f.ctx.Done():
				return context.Cause(f.ctx)
			}
		}
		for _, b := range all {
			l.free <- b
		}
	}
	return context.Cause(f.ctx)
}

// finish sends the rest, unless the run has failed, and ends the lanes. It returns why the run has
// not come to its end.
func (f *filler) finish(err error) error {
	if err == nil {
		err = f.flush()
	} else {
		_ = f.flush() // what was read in front of a failure of the file; it fails only after another
	}
	for _, l := range f.lanes {
		close(l.full)
	}
	f.done.Wait()
	if cause := context.Cause(f.ctx); cause != nil {
		err = cause // the first failure, which has stopped all else
	}
	f.fail(nil)
	return err
}

// passed notes that all in front of a place is in some batch.
func (f *filler) passed(p place) {
	f.mu.Lock()
	f.pos, f.posDB = p.offset, p.db
	f.mu.Unlock()
}

// mark is the place in front of which everything is done.
func (f *filler) mark() place {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := place{f.pos, f.posDB}
	for _, o := range f.opened {
		if len(o) > 0 && o[0].offset < m.offset {
			m = o[0]
		}
	}
	return m
}

// begin takes an empty batch.
func (l *lane) begin(db int) error {
	select {
	case l.filling = <-l.free:
	case <-l.f.ctx.Done():
		return context.Cause(l.f.ctx)
	}
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.filling.reset(db)
	l.f.opened[l.number] = append(l.f.opened[l.number], place{l.f.pos, l.f.posDB})
	return nil
}

// hand gives the batch that is being filled to the goroutine.
func (l *lane) hand() error {
	if l.filling == nil {
		return nil
	}
	l.full <- l.filling // there is room for all that there are
	l.filling = nil
	return context.Cause(l.f.ctx)
}

// run sends batches. After a failure it takes them without sending them, and they stay open.
func (l *lane) run() {
	defer func() {
		if l.c != nil {
			l.c.close()
		}
	}()
	for b := range l.full {
		if l.f.ctx.Err() == nil {
			if err := l.deliver(b); err != nil {
				l.f.fail(err)
			} else {
				l.f.mu.Lock()
				l.f.opened[l.number] = l.f.opened[l.number][1:]
				l.f.mu.Unlock()
			}
		}
		l.free <- b
	}
}

// deliver sends a batch until everything in it has been answered. What was not answered when a
// connection is lost is sent again.
func (l *lane) deliver(b *batch) error {
	answered, delay := 0, firstPause
	l.last = time.Now() // waiting for the file is no silence of the server
	for answered < len(b.sent) {
		err := l.connect(b, &answered)
		before := answered
		if err == nil && answered < len(b.sent) {
			err = l.exchange(b, &answered)
		}
		if answered > before {
			l.last, delay = time.Now(), firstPause
		}
		if err == nil {
			continue
		}
		if l.c != nil {
			l.c.close()
			l.c = nil
		}
		if err := final(l.f.server.Addr, err); err != nil {
			return err
		}
		if l.f.ctx.Err() != nil {
			return context.Cause(l.f.ctx)
		}
		if time.Since(l.last) > l.f.o.Wait {
			return fmt.Errorf("%s has not answered for %s: %s", l.f.server.Addr, l.f.o.Wait, reason(err))
		}
		if err := pause(l.f.ctx, delay); err != nil {
			return err
		}
		delay = min(2*delay, longestPause)
	}
	return nil
}

// final is what to say of a failure that trying again does not mend, nil for others.
func final(addr string, err error) error {
	no, cert := (*refused)(nil), (*tls.CertificateVerificationError)(nil)
	switch {
	case errors.As(err, &no):
		return fmt.Errorf("%s refuses: %s", addr, client.Printable(clip(no.text)))
	case errors.As(err, &cert):
		return fmt.Errorf("%s: %w", addr, cert)
	}
	return nil
}

// connect sees to a connection with the batch's database selected. If that is refused, no record of
// the batch can be used.
func (l *lane) connect(b *batch, answered *int) error {
	if l.c == nil {
		c, err := dial(l.f.ctx, l.f.server, l.f.o.Timeout)
		if err != nil {
			return err
		}
		l.c = c
	}
	err := l.c.selectDB(b.db)
	if no := (*refused)(nil); errors.As(err, &no) {
		for ; *answered < len(b.sent); *answered++ {
			l.f.tally.fail(b.place(&b.sent[*answered]), fmt.Sprintf("database %d: %s", b.db, no.text))
		}
		return nil
	}
	return err
}

// exchange sends what has not been answered and reads the replies, both at once: a server may stop
// reading before its replies are read.
func (l *lane) exchange(b *batch, answered *int) error {
	c := l.c
	stop := context.AfterFunc(l.f.ctx, func() { _ = c.nc.Close() }) // it fails what waits for it
	defer stop()
	written := make(chan error, 1)
	rest := b.buf[b.sent[*answered].from:]
	go func() {
		_, err := c.Write(rest)
		written <- err
	}()
	err := l.replies(b, answered)
	if err != nil {
		c.close() // it ends the writing
	}
	if werr := <-written; err == nil {
		err = werr
	}
	return err
}

func (l *lane) replies(b *batch, answered *int) error {
	var r reply
	for *answered < len(b.sent) {
		s := &b.sent[*answered]
		text, null := "", false
		for range s.replies {
			if err := l.c.read(&r, true); err != nil {
				return err
			}
			if text == "" { // of a transaction the first error says why it was given up
				text = r.failed()
			}
			null = r.kind == '_'
		}
		if passing(text) {
			return errors.New(text)
		}
		l.judge(b, s, text, null)
		*answered++
		if lostWith(text) {
			return errors.New(text)
		}
	}
	return nil
}

// lostWith reports whether the server closes the connection behind such an error, which is about
// the record and would come again.
func lostWith(text string) bool { return strings.HasPrefix(text, "ERR Protocol error") }

// judge counts what became of a record.
func (l *lane) judge(b *batch, s *sent, text string, null bool) {
	t := &l.f.tally
	only := l.f.o.OnlyMissing && s.keyLen > 0
	switch {
	case text == "" && null && only:
		t.existing.Add(1)
	case text == "":
		t.stored.Add(1)
	case only && strings.HasPrefix(text, "BUSYKEY"):
		t.existing.Add(1)
	default:
		t.fail(b.place(s), text)
	}
}
