package rdb

import "github.com/larderkv/larder/store"

// entry is a key of a batch. Its strings are not yet decoded.
type entry struct {
	at     int           // of the key in the batch's block
	value  int           // of the value
	end    int           // behind it
	expire int64         // unix milliseconds, 0 for none
	access int64         // idle seconds or access counter
	extras *store.Extras // nil: none
	dated  int64         // of a set: a time before which no member expires, 0: none does (membertimes.go)
	db     int32
	typ    byte
	kind   accessKind
}

// accessKind says what entry.access is.
type accessKind uint8

const (
	accessNone accessKind = iota
	accessIdle
	accessFreq
)

// piece is a part of a collection that is too large for one entry.
type piece struct {
	of      *bigKey
	at, end int // in the batch's block
	n       int // elements
	first   int // in front of them
	last    bool

	// Of a collection with an order: closed when the piece in front has been settled, nil for the
	// first; and to be closed when this one has.
	turn, done chan struct{}
}

// batch is a block of the file with what the splitter found in it. Entries and
// pieces refer to its bytes.
type batch struct {
	block   []byte
	base    int64 // offset of the block in the file
	entries []entry
	pieces  []piece
}

// handler takes what a splitter finds. All but batches happens in the
// splitter's goroutine.
type handler interface {
	// exchange takes a filled batch and returns an empty one.
	exchange(b *batch) *batch
	aux(name, value string)
	// selected is called for every change of the database.
	selected(db int, offset int64)
	// announced is called with the number of keys that a database is said to
	// have.
	announced(db, keys int)
	// library is called with the source of a library of functions, and where it stands. An error
	// ends the file.
	library(source string, offset int64) error
	// unknown is called for what larder has no type for. An error ends the file.
	unknown(f *foreign) error
	// unfit is called for a key that has been handed over and turns out to have what larder has
	// not. An error ends the file.
	unfit(f *foreign) error
	// expired is called for a key that is left out because it has expired.
	expired()
	// stopped reports that the rest of the file is of no use.
	stopped() bool
}

// fit gives the batch a block of the usual length, for a file of size bytes.
func (b *batch) fit(size int64) {
	if n := int(min(max(size, 1), blockSize)); len(b.block) != n {
		b.block = make([]byte, n)
	}
}
