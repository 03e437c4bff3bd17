package rdb

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CheckOptions say what Check tells while it reads.
type CheckOptions struct {
	Now int64 // unix milliseconds, to tell which keys have expired already
	// Progress, if not nil, is told now and then how many bytes and keys have
	// been read.
	Progress func(read, keys int64)
	// Info, if not nil, gets the lines that redis-check-rdb prints on the way,
	// with the offset they begin with.
	Info func(offset int64, line string)
}

// Report is what Check found, up to the end of the file or to the failure.
type Report struct {
	Version        int
	Origin         string // who wrote the file: family and version of the server, version of the format
	Aux            []Aux
	Keys           int64
	Expires        int64 // keys with an expiry time
	AlreadyExpired int64
	Libraries      int64 // of functions
	Foreign        int64 // functions of previews of Redis 7.0, and what modules keep beside the keys
	Unfit          int64 // keys counted as known that larder cannot load: their members expire one by one
	Bytes          int64 // length of the RDB part; commands may follow it
	Checksum       bool  // there is a checksum, and it is right
	Types          []TypeReport
	// The keys with the most bytes in the file and with the most elements,
	// largest first.
	LargestBytes, LargestElements []KeyReport

	// After a failure: what was being read, in redis-check-rdb's words, and the
	// key it belongs to, nil if it was none.
	Doing   string
	Key     []byte
	KeyType string
}

// Unloadable counts the keys, and what stands beside them, of kinds that larder does not have: the
// file does not load, or with rdb-skip-unknown-types loads without them.
func (r *Report) Unloadable() int64 {
	n := r.Foreign + r.Unfit
	for _, t := range r.Types {
		if !t.Known {
			n += t.Keys
		}
	}
	return n
}

// TypeReport sums up the keys of one type in one form.
type TypeReport struct {
	Type, Encoding string
	Known          bool // larder can load it
	Keys, Elements int64
	Bytes          int64 // in the file, with names
}

// KeyReport is one of the largest keys.
type KeyReport struct {
	DB              int
	Key             []byte // its first bytes
	Type, Encoding  string
	Bytes, Elements int64
}

const (
	largestKeys = 10
	longestName = 128 // bytes of a name in a KeyReport
)

// Check reads a whole file and looks into every value that larder has a type
// for; of the others it checks the outer form. Fields that come twice are found
// in collections of up to a block in length, keys that come twice are not.
// The errors are *CorruptError, or those of r; the Report is valid in any case.
func Check(r io.Reader, size int64, o CheckOptions) (Report, error) {
	c := &checker{o: o, types: map[TypeReport]*TypeReport{}}
	sp := splitter{window: window{r: r, size: size}, h: c}
	c.sp = &sp
	checked, err := sp.run()
	c.report.Version, c.report.Bytes, c.report.Checksum = sp.origin.version, sp.offset(), checked == sumGood
	if sp.origin.dialect != nil {
		c.report.Origin = sp.origin.String()
	}
	if c.failure != nil {
		err = c.failure
	} else if err != nil {
		var typ byte
		c.report.Doing, c.report.Key, typ = sp.context()
		c.report.KeyType = formOf(typ, c.report.Key)
	}
	for _, t := range c.types {
		c.report.Types = append(c.report.Types, *t)
	}
	slices.SortFunc(c.report.Types, func(a, b TypeReport) int {
		return cmp.Or(cmp.Compare(b.Keys, a.Keys), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Encoding, b.Encoding))
	})
	c.progress()
	return c.report, err
}

// formOf names a type as redis-check-rdb does, "" without a key.
func formOf(typ byte, key []byte) string {
	if key == nil {
		return ""
	}
	row := &typeRows[typ]
	return fmt.Sprintf("%d (%s, %s)", numberOf(typ), row.name, row.form)
}

// checker is a handler that decodes and counts. All of it happens in the
// splitter's goroutine.
type checker struct {
	o       CheckOptions
	sp      *splitter
	d       decoder
	names   items
	report  Report
	types   map[TypeReport]*TypeReport // by type and encoding
	failure error

	elements int64 // of the collection whose pieces are being read
}

func (c *checker) stopped() bool      { return c.failure != nil }
func (c *checker) expired()           {}
func (c *checker) announced(_, _ int) {}

func (c *checker) progress() {
	if c.o.Progress != nil {
		c.o.Progress(c.sp.offset(), c.report.Keys)
	}
}

func (c *checker) info(offset int64, format string, args ...any) {
	if c.o.Info != nil {
		c.o.Info(offset, fmt.Sprintf(format, args...))
	}
}

func (c *checker) aux(name, value string) {
	c.report.Aux = append(c.report.Aux, Aux{name, value})
	c.info(c.sp.base+int64(c.sp.keep), "AUX FIELD %s = '%s'", name, value)
}

func (c *checker) selected(db int, offset int64) { c.info(offset, "Selecting DB ID %d", db) }

func (c *checker) exchange(b *batch) *batch {
	if b == nil {
		b = new(batch)
	}
	for i := range b.entries {
		if c.failure == nil {
			c.entry(b, &b.entries[i])
		}
	}
	for i := range b.pieces {
		if c.failure == nil {
			c.piece(b, &b.pieces[i])
		}
	}
	c.progress()
	b.entries, b.pieces = b.entries[:0], b.pieces[:0]
	b.fit(c.sp.size)
	return b
}

func (c *checker) library(string, int64) error {
	c.report.Libraries++
	return nil
}

func (c *checker) unfit(*foreign) error {
	c.report.Unfit++
	return nil
}

func (c *checker) unknown(f *foreign) error {
	if f.Key == nil {
		c.report.Foreign++
		return nil
	}
	c.count(KeyReport{
		DB: f.DB, Key: f.Key, Type: f.Type, Encoding: f.form, Bytes: f.bytes, Elements: int64(f.elements),
	}, false, f.expire)
	return nil
}

// entry checks a key that is there in one piece.
func (c *checker) entry(b *batch, e *entry) {
	offset := b.base + int64(e.at) - 1
	c.names.reset()
	in := cursor{b: b.block[e.at:e.value]}
	name := in.str(&c.names)
	if err := in.err(); err != nil {
		c.fail(offset, err, "read-key", nil, 0)
		return
	}
	err := c.d.value(e.typ, b.block[e.value:e.end], 0)
	if err == nil {
		err = c.distinct()
	}
	if err != nil && !errors.Is(err, errEmpty) {
		c.fail(b.base+int64(e.value), err, "read-object-value", name, e.typ)
		return
	}
	row := &typeRows[e.typ]
	c.count(KeyReport{
		DB: int(e.db), Key: name, Type: row.name, Encoding: row.form,
		Bytes: int64(e.end - e.at + 1), Elements: int64(c.d.count()),
	}, true, e.expire)
}

// distinct looks for names that come twice.
func (c *checker) distinct() error {
	if c.d.repeats() {
		return corruption("duplicate " + codecs[c.d.typ].repeated)
	}
	return nil
}

// piece checks a part of a large collection.
func (c *checker) piece(b *batch, p *piece) {
	big := p.of
	err := c.d.piece(big, b.block[p.at:p.end], p.n, 0)
	switch {
	case err != nil && !errors.Is(err, errEmpty):
		c.fail(b.base+int64(p.at), err, "read-object-value", big.name, big.typ)
		return
	default:
		c.elements += int64(c.d.count()) // of nodes more than there are elements of the piece
	}
	if !p.last {
		return
	}
	row := &typeRows[big.typ]
	c.count(KeyReport{
		DB: int(big.db), Key: big.name, Type: row.name, Encoding: row.form,
		Bytes: b.base + int64(p.end) - big.offset, Elements: c.elements,
	}, true, big.expire)
	c.elements = 0
}

func (c *checker) fail(offset int64, err error, doing string, key []byte, typ byte) {
	c.failure = &CorruptError{Offset: offset, Reason: err.Error()}
	c.report.Doing, c.report.Key = doing, slices.Clone(key)
	c.report.KeyType = formOf(typ, key)
}

// count takes a key into the report.
func (c *checker) count(k KeyReport, known bool, expire int64) {
	c.report.Keys++
	if expire != 0 {
		c.report.Expires++
		if expire < c.o.Now {
			c.report.AlreadyExpired++
		}
	}
	id := TypeReport{Type: k.Type, Encoding: k.Encoding, Known: known}
	t := c.types[id]
	if t == nil {
		t = &TypeReport{Type: k.Type, Encoding: k.Encoding, Known: known}
		c.types[id] = t
	}
	t.Keys++
	t.Elements += k.Elements
	t.Bytes += k.Bytes
	c.report.LargestBytes = largest(c.report.LargestBytes, k, func(k *KeyReport) int64 { return k.Bytes })
	if k.Elements > 0 {
		c.report.LargestElements = largest(c.report.LargestElements, k, func(k *KeyReport) int64 { return k.Elements })
	}
}

// largest puts a key into a list of the largest ones, if it is one of them.
func largest(list []KeyReport, k KeyReport, size func(*KeyReport) int64) []KeyReport {
	n := size(&k)
	if len(list) == largestKeys && size(&list[largestKeys-1]) >= n {
		return list
	}
	k.Key = slices.Clone(k.Key[:min(len(k.Key), longestName)])
	i, _ := slices.BinarySearchFunc(list, n, func(a KeyReport, n int64) int {
		if size(&a) >= n {
			return -1
		}
		return 1
	})
	list = slices.Insert(list, i, k)
	return list[:min(len(list), largestKeys)]
}
