// Package warm fills servers from files and writes those files: `larder warm` and `larder export`.
//
//	file ──source──> records ──filler──> a lane per connection: batches of commands ──> server
//	                 one goroutine                              replies, counted
//
// # What holds
//
//   - A key is written by one command that has value, time to live and condition in it: SET for
//     strings, RESTORE for all else. So nobody sees a key in part, a key that is sent twice is as if
//     it were sent once, and --only-missing is the server's own decision (SET NX, RESTORE without
//     REPLACE): a key that another client has made meanwhile stays as that client made it. EXISTS
//     within WATCH and MULTI was rejected: two round trips per key, and it fails with every write in
//     between.
//   - Memory is bounded by the batches, three of 64 KB per connection, and the longest record.
//   - A record that cannot be used, or that the server refuses, is counted and listed, and the next
//     one follows. Only a file whose next record cannot be found, a server that stays away, a login
//     that is refused and a signal end a run early.
//   - A lost connection is made anew, and what was not answered is sent again. Raw commands that are
//     not the same when done twice (RPUSH, INCR) may then be done twice, as the server may have done
//     them before the connection was lost; exported transactions begin with DEL and can be repeated.
//   - The mark is the place in the file in front of which every record has been answered. A run that
//     goes on from there leaves nothing out, and sends at most the batches under way again.
//
// # Measured
//
// A million strings of 100 bytes as ndjson, on two cores that the server runs on too: 1.7 s into larder,
// of which 0.7 s of processor time are spent here (Redis 7.0: 4.0 s), in 21 MB.
package warm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/persistence/rdb"
)

// Formats of files.
const (
	NDJSON = "ndjson"
	CSV    = "csv"
	RESP   = "resp"
	RDB    = "rdb"
)

// CheckFormat refuses what is none of them.
func CheckFormat(name string) error {
	if name == NDJSON || name == CSV || name == RESP || name == RDB {
		return nil
	}
	return fmt.Errorf("%q is none of the formats ndjson, csv, resp and rdb", name)
}

// Options of a run. Timeout is above 0.
type Options struct {
	Target      client.Target
	From        string // file, or - for standard input
	Format      string // "": found out
	TTL         time.Duration
	Jitter      float64 // share of its TTL by which a key's is shortened at most
	Prefix      string
	Rate        float64 // records per second, 0: as fast as it goes
	OnlyMissing bool
	Concurrency int           // connections, 0: 4
	State       string        // file that says how far it is, "" for none
	Offset      int64         // where to begin
	Wait        time.Duration // how long a server may be away
	Timeout     time.Duration // how long it may be silent

	Stdin io.Reader
	// Progress, if not nil, is told now and then how many bytes of how many are done, and what
	// became of the records; the total is -1 if it is not known.
	Progress func(done, total int64, c Counts)
}

// Report is what came of a run.
type Report struct {
	Counts
	Resumed int64 // offset from which it went on
	Offset  int64 // up to which everything has been answered
	DB      int   // selected there
	Took    time.Duration
	// Commands reports that there were commands behind the snapshot; they count like keys.
	Commands bool

	tally *tally
}

// ListErrors prints the errors: how often each came, and where first.
func (r *Report) ListErrors(w io.Writer) {
	if r.tally != nil {
		r.tally.list(w)
	}
}

// run is what belongs to a file.
type run struct {
	o     *Options
	file  *os.File // nil: standard input, which cannot be read again
	r     io.Reader
	size  int64 // -1: not known
	state state
}

// Run takes in a file. The report is valid in any case; an error says why the run did not come to
// the end of the file. Records that failed are no error.
func Run(ctx context.Context, o Options) (Report, error) {
	server, err := o.Target.Options()
	if err != nil {
		return Report{}, err
	}
	r, err := open(&o)
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	if err := o.check(); err != nil {
		return Report{}, err
	}
	from, err := r.begin(server.Addr, server.DB)
	if err != nil {
		return Report{}, err
	}
	if err := r.save(from); err != nil { // better now than when it is needed
		return Report{}, err
	}
	began := time.Now()
	f := newFiller(ctx, &o, server, from)
	stop := r.watch(f)
	err = f.finish(r.feed(f, from))
	stop()
	m := f.mark()
	if err != nil { // of a run that is over nobody needs the state
		err = errors.Join(err, r.save(m))
	}
	if err == nil && o.State != "" {
		err = removed(o.State)
	}
	return Report{
		Counts: f.tally.counts(), Resumed: from.offset, Offset: m.offset, DB: m.db, Took: time.Since(began),
		Commands: f.commands, tally: &f.tally,
	}, err
}

// check refuses what a format cannot do, rather than do half of it.
func (o *Options) check() error {
	if err := CheckFormat(o.Format); err != nil {
		return err
	}
	if o.Format == RESP && (o.changesKeys() || o.Concurrency > 1) {
		return errors.New("a file of commands is sent as it is, in its order: " +
			keyOptions + " and --concurrency are for the other formats")
	}
	if o.Format == RDB && o.Target.DB > 0 && o.Offset == 0 {
		return errors.New("a snapshot says itself which database each key belongs to: --db is for the other formats")
	}
	return nil
}

// keyOptions are those that changesKeys asks for.
const keyOptions = "--ttl, --ttl-jitter, --prefix, --only-missing"

// changesKeys reports whether keys are to be other than in the file, which commands cannot be.
func (o *Options) changesKeys() bool {
	return o.TTL != 0 || o.Jitter != 0 || o.Prefix != "" || o.OnlyMissing
}

// open opens the file and finds out its format.
func open(o *Options) (*run, error) {
	if o.From == "-" {
		r := &run{o: o, r: o.Stdin, size: -1}
		if o.State != "" || o.Offset != 0 {
			return nil, errors.New("standard input cannot be read again: --state and --offset are for files")
		}
		return r, r.detect()
	}
	f, err := os.Open(o.From)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", o.From, errors.Unwrap(err))
	}
	r := &run{o: o, r: f, file: f, size: -1}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("it is a folder")
	}
	if err == nil && info.Mode().IsRegular() {
		r.size = info.Size()
		r.state.Size, r.state.Modified = r.size, info.ModTime().UnixNano()
		r.state.File, err = filepath.Abs(o.From)
	} else if err == nil && (o.State != "" || o.Offset != 0) {
		err = errors.New("it is no regular file, which --state and --offset need")
	}
	if err == nil {
		err = r.detect()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %s: %w", o.From, err), f.Close())
	}
	return r, nil
}

func (r *run) close() {
	if r.file != nil {
		_ = r.file.Close() // it was read only
	}
}

// detect finds out the format by the name of the file or its first bytes, if it is not given.
func (r *run) detect() error {
	if r.o.Format != "" {
		return nil
	}
	switch strings.ToLower(filepath.Ext(r.o.From)) {
	case ".ndjson", ".jsonl", ".json":
		r.o.Format = NDJSON
	case ".csv":
		r.o.Format = CSV
	case ".rdb":
		r.o.Format = RDB
	case ".resp":
		r.o.Format = RESP
	default:
		return r.detectByContent()
	}
	return nil
}

func (r *run) detectByContent() error {
	head := make([]byte, rdb.SignatureSize)
	n, err := io.ReadFull(r.r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	r.r = io.MultiReader(bytes.NewReader(head), r.r)
	switch begin := bytes.TrimLeft(head, " \t\r\n"); {
	case rdb.IsFile(head):
		r.o.Format = RDB
	case bytes.HasPrefix(begin, []byte("{")) || len(begin) == 0:
		r.o.Format = NDJSON
	case bytes.HasPrefix(begin, []byte("*")) || bytes.HasPrefix(begin, []byte("#")):
		r.o.Format = RESP
	default:
		return errors.New("it begins neither as ndjson nor as commands nor as a snapshot: say which by --format")
	}
	return nil
}

// begin is where in the file the run begins.
func (r *run) begin(server string, db int) (place, error) {
	from := place{r.o.Offset, db}
	r.state.Server, r.state.Begun, r.state.DB = server, db, db
	r.state.Format, r.state.Prefix = r.o.Format, r.o.Prefix
	if r.o.State != "" {
		was, err := readState(r.o.State, r.state)
		if err != nil {
			return from, err
		}
		if r.o.Offset == 0 {
			from = place{was.Offset, was.DB}
		}
	}
	if from.offset < 0 || r.size >= 0 && from.offset > r.size {
		return from, fmt.Errorf("the offset %d is not in the file, which has %d bytes", from.offset, r.size)
	}
	if r.o.Format == RDB || from.offset == 0 {
		return from, nil // a snapshot is read from its beginning in any case
	}
	_, err := r.file.Seek(from.offset, io.SeekStart)
	r.r = r.file
	return from, err
}

// feed reads the file to its end.
func (r *run) feed(f *filler, from place) error {
	if r.o.Format == RDB {
		return r.snapshot(f, from)
	}
	in := newInput(interruptible(f.ctx, r.r), from.offset)
	in.pipe = r.size < 0
	switch r.o.Format {
	case NDJSON:
		return f.drain(&onDatabase{&ndjson{input: in}, from.db})
	case CSV:
		return f.drain(&onDatabase{&csvFile{input: in}, from.db})
	}
	return f.drain(&respFile{input: in, db: from.db})
}

// onDatabase is a source whose records name no database.
type onDatabase struct {
	source
	db int
}

func (s *onDatabase) next(r *record) error {
	err := s.source.next(r)
	r.db = s.db
	return err
}

// interruptible fails reads, those under way too, when the run has ended.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	return &interrupted{ctx, r, nil}
}

// watch tells of the progress and writes the state, once a second. The function that it returns
// ends it.
func (r *run) watch(f *filler) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		const often, saveEvery = 100 * time.Millisecond, 10
		tick := time.NewTicker(often)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			r.tell(f)
			if n%saveEvery == 0 {
				_ = r.save(f.mark()) // a later one may succeed, and the last one says why it does not
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		r.tell(f)
	}
}

func (r *run) tell(f *filler) {
	if r.o.Progress != nil {
		r.o.Progress(f.mark().offset, r.size, f.tally.counts())
	}
}

func (r *run) save(m place) error {
	if r.o.State == "" {
		return nil
	}
	r.state.Offset, r.state.DB = m.offset, m.db
	return r.state.write(r.o.State)
}

// removed removes the state of a run that is over.
func removed(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot remove the state: %w", err)
	}
	return nil
}
