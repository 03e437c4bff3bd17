package rdb

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/larderkv/larder/store"
)

// LoadOptions say how a file is read. The zero value of a field takes its
// default.
type LoadOptions struct {
	// Now, in unix milliseconds: keys and fields that have expired by then are
	// left out. 0: none is, as for the base of a log, whose commands may still
	// refer to them.
	Now int64
	// Clock, in unix milliseconds: the time of loading, from which idle times
	// count. Default Now.
	Clock   int64
	Workers int // goroutines that decode and insert; default GOMAXPROCS
	// SkipUnknownTypes leaves out what larder has no type for, and counts it.
	SkipUnknownTypes bool
	// Library loads a library of functions with this source, in place of one of the same name. It is
	// called from the goroutine of Load. nil: libraries are of an unknown type.
	Library func(source string) error
	// Progress, if not nil, is told now and then how many bytes have been read
	// and how many keys inserted. It is called from one goroutine.
	Progress func(read, keys int64)
}

// Summary is what was loaded; after an error, how far loading came.
type Summary struct {
	Keys      int64 // inserted
	Expired   int64 // keys left out because they had expired
	Empty     int64 // keys left out because there was nothing in them
	Libraries int64 // of functions, loaded
	Skipped   int64 // keys of types that larder does not have, and what stands beside the keys
	// Types counts what was skipped, by type as TYPE names it: "stream",
	// the name of a module's type, "set with member TTLs", "function".
	Types    map[string]int64
	Version  int
	Aux      map[string]string
	Bytes    int64 // length of the RDB part; commands may follow it
	Checksum bool  // the file has a checksum, and it is right
}

// Load reads an RDB file into st, which holds no keys. r delivers size bytes from
// the beginning of the file; what stands behind its end mark may have been read
// from r as well, so who wants it reads on from Summary.Bytes himself.
//
// Errors are *CorruptError, *UnknownTypeError, *LibraryError, or those of r. The store then holds
// some of the keys.
func Load(r io.Reader, size int64, st *store.Store, o LoadOptions) (Summary, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Clock == 0 {
		o.Clock = o.Now
	}
	l := &loader{
		st: st, o: o, size: size, full: make(chan *batch, o.Workers), free: make(chan *batch, 2*o.Workers+1),
		reserved: map[int]bool{},
		sum:      Summary{Types: map[string]int64{}, Aux: map[string]string{}},
	}
	for range cap(l.free) {
		l.free <- new(batch)
	}
	var done sync.WaitGroup
	for i := range o.Workers {
		done.Go(newInserter(l, i).run)
	}
	sp := splitter{window: window{r: r, size: size}, h: l, databases: st.Databases(), dropUntil: o.Now}
	l.read = sp.offset
	checked, err := sp.run()
	close(l.full)
	done.Wait()
	for db := range l.reserved {
		st.EndReserve(db)
	}
	l.sum.Version, l.sum.Bytes, l.sum.Checksum = sp.origin.version, sp.offset(), checked == sumGood
	l.removeUnfit()
	l.sum.Keys, l.sum.Empty = l.keys.Load(), l.empty.Load()
	l.sum.Expired += l.expiredFields.Load()
	if err != nil && !errors.Is(err, errStopped) {
		l.fail(sp.offset(), err)
	}
	var u *UnknownTypeError
	if errors.As(l.failure, &u) {
		u.Origin = sp.origin.String() // here, since auxiliary fields may come at any time
	}
	l.report()
	return l.sum, l.failure
}

// loader is what the splitter and the inserters share.
type loader struct {
	st   *store.Store
	o    LoadOptions
	size int64       // of the file
	full chan *batch // from the splitter
	free chan *batch // back to it
	read func() int64

	reserved map[int]bool // databases whose tables were made; the splitter's
	unfits   []*foreign   // keys to be removed when all are there; the splitter's

	keys, empty, expiredFields atomic.Int64
	failed                     atomic.Bool

	mu        sync.Mutex // protects what follows
	sum       Summary
	failure   error
	failureAt int64
}

// fail keeps the failure that comes first in the file.
func (l *loader) fail(offset int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c *CorruptError
	var u *UnknownTypeError
	var lib *LibraryError
	if errors.As(err, &c) {
		offset = c.Offset
	} else if errors.As(err, &u) {
		offset = u.Offset
	} else if errors.As(err, &lib) {
		offset = lib.Offset
	}
	if l.failure == nil || offset < l.failureAt {
		l.failure, l.failureAt = err, offset
	}
	l.failed.Store(true)
}

func (l *loader) stopped() bool { return l.failed.Load() }

func (l *loader) exchange(b *batch) *batch {
	if b != nil {
		l.full <- b
		l.report()
	}
	b = <-l.free
	b.fit(l.size)
	b.entries, b.pieces = b.entries[:0], b.pieces[:0]
	return b
}

func (l *loader) report() {
	if l.o.Progress != nil {
		l.o.Progress(l.read(), l.keys.Load())
	}
}

func (l *loader) aux(name, value string)  { l.sum.Aux[name] = value }
func (l *loader) selected(_ int, _ int64) {}

func (l *loader) announced(db, keys int) {
	if l.reserved[db] {
		return
	}
	l.reserved[db] = true
	l.st.Reserve(db, keys)
}

func (l *loader) expired() {
	l.mu.Lock()
	l.sum.Expired++
	l.mu.Unlock()
}

func (l *loader) library(source string, offset int64) error {
	if l.o.Library == nil {
		what := UnknownTypeError{Type: typeNameFunction, Number: opFunction, Offset: offset}
		return l.unknown(&foreign{UnknownTypeError: what})
	}
	if err := l.o.Library(source); err != nil {
		return &LibraryError{offset, err}
	}
	l.sum.Libraries++
	return nil
}

func (l *loader) unknown(f *foreign) error {
	if !l.o.SkipUnknownTypes {
		return &f.UnknownTypeError
	}
	l.mu.Lock()
	l.sum.Skipped++
	l.sum.Types[f.Type]++
	l.mu.Unlock()
	return nil
}

func (l *loader) unfit(f *foreign) error {
	if err := l.unknown(f); err != nil {
		return err
	}
	l.unfits = append(l.unfits, f)
	return nil
}

// removeUnfit takes out again what should not have been inserted. Nobody else uses the store.
func (l *loader) removeUnfit() {
	v := store.View{Store: l.st, Now: l.o.Clock, Loading: true}
	for _, f := range l.unfits {
		k := l.st.Key(f.Key)
		l.st.Lock(k.Shard())
		v.DB = f.DB
		if v.Delete(k) {
			l.keys.Add(-1)
		}
		l.st.Unlock(k.Shard())
	}
}

// duplicate is the error for a name that comes twice.
func duplicate(what string, name []byte, db int32) error {
	return corruption(fmt.Sprintf("duplicate %s %q in database %d", what, name, db))
}

// repeated is the error for a collection with a name that comes twice.
func repeated(typ store.Type, key []byte, db int32) error {
	return duplicate(codecs[typ].repeated, key, db)
}
