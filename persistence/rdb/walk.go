package rdb

import (
	"fmt"
	"io"
	"slices"

	"github.com/larderkv/larder/store"
)

// Keys of a file one by one, for tools that have no store: what stands in a file behind the name of
// a key is what stands in a DUMP payload, so a value goes from a file to a server, or from a server
// to a file, without being taken apart, also if it is of a type that larder does not have.

// Raw is a key as a file has it. Its bytes are valid until the callback returns.
type Raw struct {
	DB       int
	Name     []byte
	ExpireAt int64 // unix milliseconds, 0 for none
	End      int64 // offset in the file of what follows the key

	typ   byte
	value []byte
}

// Size is the length of the value in the file.
func (k *Raw) Size() int { return len(k.value) }

// AppendPayload appends the value as RESTORE takes it. Its version is that of the first Redis which
// had the value's type, since servers refuse payloads that are newer than they are.
func (k *Raw) AppendPayload(dst []byte) []byte {
	from := len(dst)
	dst = append(append(dst, numberOf(k.typ)), k.value...)
	return appendFooter(dst, from, versionOf(k.typ))
}

// versionOf is the first version of the format that has a type.
func versionOf(typ byte) uint16 {
	switch {
	case typ == typeHashTTLValkey:
		return uint16(dialects[valkeyDialect].min)
	case typ >= typeHashTTLPreGA:
		return 12
	case typ >= typeSetListpack:
		return 11
	case typ >= typeHashListpack:
		return 10
	}
	return oldestPayload
}

// oldestPayload is the version of Redis 5 and 6.
const oldestPayload = 9

// Walk calls key for each key of a file of size bytes, in their order, in memory for one block and
// the largest value. left is told of what stands beside the keys (libraries of functions, what
// modules keep) and of members whose own expiry times get lost. An error of key ends the walk and is
// returned; the others are *CorruptError, or those of r. That the checksum is wrong shows at the end.
// end is the offset behind the checksum, where the commands of a log with a preamble begin.
func Walk(r io.Reader, size int64, key func(k *Raw) error, left func(err error)) (end int64, err error) {
	w := &walker{key: key, left: left}
	sp := splitter{window: window{r: r, size: size}, h: w, uncut: true}
	_, err = sp.run()
	if w.failure != nil {
		err = w.failure
	}
	return sp.offset(), err
}

// walker is a handler that hands keys on. All of it happens in the splitter's goroutine.
type walker struct {
	key     func(k *Raw) error
	left    func(err error)
	failure error
	names   items
}

func (w *walker) aux(string, string)  {}
func (w *walker) selected(int, int64) {}
func (w *walker) announced(_, _ int)  {}
func (w *walker) expired()            {}
func (w *walker) stopped() bool       { return w.failure != nil }

func (w *walker) library(_ string, offset int64) error {
	w.left(&UnknownTypeError{Type: "library of functions", Number: opFunction, Offset: offset})
	return nil
}

func (w *walker) unknown(f *foreign) error {
	w.left(&f.UnknownTypeError)
	return nil
}

func (w *walker) unfit(f *foreign) error { return w.unknown(f) }

func (w *walker) exchange(b *batch) *batch {
	if b == nil {
		b = new(batch)
	}
	for i := range b.entries {
		if w.failure == nil {
			w.failure = w.entry(b, &b.entries[i])
		}
	}
	b.entries = b.entries[:0]
	if len(b.block) < blockSize || len(b.block) > keepBuffer {
		b.block = make([]byte, blockSize)
	}
	return b
}

func (w *walker) entry(b *batch, e *entry) error {
	w.names.reset()
	c := cursor{b: b.block[e.at:e.value]}
	name := c.str(&w.names)
	if err := c.err(); err != nil {
		return &CorruptError{Offset: b.base + int64(e.at), Reason: err.Error()}
	}
	return w.key(&Raw{
		DB: int(e.db), Name: name, ExpireAt: e.expire, End: b.base + int64(e.end),
		typ: e.typ, value: b.block[e.value:e.end],
	})
}

// Opener takes values out of DUMP payloads. Its zero value is ready; it keeps what it needs for the
// next one.
type Opener struct{ d decoder }

// Open returns what is in a payload: of strings text alone, of lists and sets the elements, of hashes
// fields and values, of sorted sets members and scores (float64, little-endian). They are valid until
// the next call. Errors are ErrPayload and ErrBadFormat, and one that names a type that larder does
// not have.
func (o *Opener) Open(payload []byte) (typ store.Type, text []byte, items [][]byte, err error) {
	if err := CheckPayload(payload); err != nil {
		return 0, nil, nil, err
	}
	number, value, ok := payloadValue(payload)
	if !ok {
		return 0, nil, nil, ErrBadFormat
	}
	if row := &typeRows[number]; !row.known() {
		return 0, nil, nil, fmt.Errorf("a %s is not supported", row.name)
	}
	if err := o.d.value(number, value, 0); err != nil {
		return 0, nil, nil, fmt.Errorf("%w: %w", ErrBadFormat, err)
	}
	o.d.spellMembers()
	return o.d.typ, o.d.str, o.d.list, nil
}

// spellMembers makes items of the members of an intset.
func (d *decoder) spellMembers() {
	if d.width == 0 {
		return
	}
	d.list = slices.Grow(d.list, len(d.members)/d.width)
	for i := 0; i < len(d.members); i += d.width {
		d.addInt(littleInt(d.members[i : i+d.width]))
	}
	d.width, d.members = 0, nil
}

// Compose appends a payload of a collection, from items as Open returns them, with no name twice.
func Compose(dst []byte, typ store.Type, items [][]byte) []byte {
	from, row := len(dst), &codecs[typ]
	s := dumping{b: append(dst, row.big)}
	s.b = appendLen(s.b, uint64(len(items)/row.stride))
	for i := 0; i < len(items); i += row.stride {
		row.write(&s, items[i], items[i+row.stride-1])
	}
	return appendFooter(s.b, from, oldestPayload)
}

// Signature is what a file begins with that is to hold values out of such payloads.
func Signature(payload []byte) (string, error) {
	if err := CheckPayload(payload); err != nil {
		return "", err
	}
	version := payloadVersion(payload)
	d := payloadDialect(version)
	return fmt.Sprintf("%s%0*d", d.magic, headSize-len(d.magic), max(version, d.min)), nil
}

// Payload writes a key whose value is a payload that CheckPayload has accepted.
func (e *Encoder) Payload(db int, name []byte, expireAt int64, payload []byte) error {
	value := payload[1 : len(payload)-footerSize]
	set, first, times := splitTrailer(payload[0], value)
	if first > 0 {
		e.first, value = first, set
		e.announceTimes()
	}
	e.head(&store.SnapshotKey{DB: db, Name: name, ExpireAt: expireAt, Idle: -1, Freq: -1}, payload[0])
	e.pieces(value)
	if first > 0 {
		e.times = append(e.times, times...)
		e.writeTimes()
	}
	return e.w.err()
}
