package warm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/larderkv/larder/cmd/client"
)

// ExportOptions of an export. Timeout is above 0.
type ExportOptions struct {
	Target  client.Target
	Pattern string // of SCAN, "" for all keys
	Type    string // of SCAN, "" for all types
	Format  string // "": ndjson
	Rate    float64
	Timeout time.Duration // how long the server may be silent

	Progress func(keys, of int64) // now and then; of: keys of the database, whatever the pattern
}

// scanCount is how many keys a SCAN is asked for, and about how many DUMPs are on their way at once.
// Their replies are read one by one, so that memory is needed for one value.
const scanCount = 500

// exporter is one export.
//
// Values come as DUMP gives them: one command for all types, each value as a whole as of one moment,
// and for a snapshot nothing has to be taken apart. A key that goes or changes between SCAN and DUMP
// is left out, or as it is then.
type exporter struct {
	o     *ExportOptions
	c     *conn
	sink  sink
	tally tally
	keys  int64
	of    int64
	buf   []byte
	due   time.Time
}

// exported is a key on its way into a file.
type exported struct {
	db      int
	key     []byte
	ttl     int64 // milliseconds, 0 for none
	payload []byte
}

// sink writes keys. An error of write that is *badRecord is of that key alone.
type sink interface {
	write(k *exported) error
	close() error
}

// Export writes keys to w. The report is valid in any case.
func Export(ctx context.Context, w io.Writer, o ExportOptions) (Report, error) {
	server, err := o.Target.Options()
	if err != nil {
		return Report{}, err
	}
	if o.Format == "" {
		o.Format = NDJSON
	}
	if err := CheckFormat(o.Format); err != nil {
		return Report{}, err
	}
	if o.Format == CSV {
		if o.Type != "" && o.Type != "string" {
			return Report{}, errors.New("csv has strings alone")
		}
		o.Type = "string"
	}
	began := time.Now()
	buffered := bufio.NewWriterSize(w, 256<<10)
	e := &exporter{o: &o, sink: newSink(o.Format, buffered)}
	err = e.run(ctx, server)
	err = errors.Join(err, e.sink.close())
	if err == nil {
		err = buffered.Flush()
	}
	return Report{Counts: e.tally.counts(), Took: time.Since(began), tally: &e.tally}, err
}

// run goes over the keys. A server that goes away ends it: where a SCAN stands means nothing to a
// server that has been started anew.
func (e *exporter) run(ctx context.Context, server *redis.Options) error {
	c, err := dial(ctx, server, e.o.Timeout)
	if err == nil {
		defer c.close()
		stop := context.AfterFunc(ctx, func() { _ = c.nc.Close() }) // it fails what waits for it
		defer stop()
		e.c = c
		err = e.scan(ctx)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if err := final(server.Addr, err); err != nil {
		return err
	}
	var written *writeError
	if errors.As(err, &written) {
		return written.err
	}
	return fmt.Errorf("%s: %s", server.Addr, reason(err))
}

// writeError tells a failure of the file from one of the server.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

func (e *exporter) scan(ctx context.Context) error {
	if r, err := e.c.ask("DBSIZE"); err == nil {
		e.of = r.n // for the progress alone: it may be forbidden
	} else if no := (*refused)(nil); !errors.As(err, &no) {
		return err
	}
	for cursor := "0"; ; {
		args := []string{"SCAN", cursor, "COUNT", strconv.Itoa(e.count())}
		if e.o.Pattern != "" {
			args = append(args, "MATCH", e.o.Pattern)
		}
		if e.o.Type != "" {
			args = append(args, "TYPE", e.o.Type)
		}
		r, err := e.c.ask(args...)
		if err != nil {
			return err
		}
		if r.kind != '*' || len(r.elems) != 2 || r.elems[1].kind != '*' {
			return errProtocol
		}
		cursor = string(r.elems[0].text)
		if err := e.fetch(ctx, r.elems[1].elems); err != nil {
			return err
		}
		if cursor == "0" {
			return nil
		}
	}
}

// count keeps to the rate in small steps.
func (e *exporter) count() int {
	if e.o.Rate <= 0 {
		return scanCount
	}
	return max(1, min(scanCount, int(e.o.Rate)/ratePart))
}

// fetch asks for the values of some keys.
func (e *exporter) fetch(ctx context.Context, keys []reply) error {
	if e.o.Rate > 0 {
		now := time.Now()
		if e.due.After(now) {
			if err := pause(ctx, e.due.Sub(now)); err != nil {
				return err
			}
			now = e.due
		}
		e.due = now.Add(time.Duration(float64(len(keys)) / e.o.Rate * float64(time.Second)))
	}
	e.buf = e.buf[:0]
	for i := range keys {
		e.buf = appendBulk(appendBulk(appendHead(e.buf, 2), "PTTL"), keys[i].text)
		e.buf = appendBulk(appendBulk(appendHead(e.buf, 2), "DUMP"), keys[i].text)
	}
	written := make(chan error, 1)
	go func() {
		_, err := e.c.Write(e.buf)
		written <- err
	}()
	err := e.take(keys)
	if err != nil {
		e.c.close() // it ends the writing
	}
	if werr := <-written; err == nil {
		err = werr
	}
	if e.o.Progress != nil {
		e.o.Progress(e.keys, e.of)
	}
	return err
}

// take reads the replies to fetch.
func (e *exporter) take(keys []reply) error {
	var ttl, dump reply
	for i := range keys {
		if err := e.c.read(&ttl, false); err != nil {
			return err
		}
		lifetime, refusal := ttl.n, ttl.failed()
		if err := e.c.read(&dump, false); err != nil {
			return err
		}
		e.keys++
		if refusal == "" {
			refusal = dump.failed()
		}
		switch {
		case refusal != "":
			e.tally.fail(keyPlace(keys[i].text), refusal)
			continue
		case dump.kind == '_' || lifetime == -2 || lifetime == 0: // it has gone meanwhile
			e.tally.expired.Add(1)
			continue
		case dump.kind != '$':
			return errProtocol
		}
		err := e.sink.write(&exported{db: e.c.db, key: keys[i].text, ttl: max(0, lifetime), payload: dump.text})
		bad := (*badRecord)(nil)
		if errors.As(err, &bad) {
			e.tally.fail(keyPlace(keys[i].text), bad.text)
		} else if err != nil {
			return &writeError{err}
		} else {
			e.tally.stored.Add(1)
		}
	}
	return nil
}

func keyPlace(key []byte) string { return fmt.Sprintf("key %q", clip(string(key))) }
