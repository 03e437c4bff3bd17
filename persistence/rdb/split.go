package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/larderkv/larder/store"
)

// foreign is a value of a type that larder does not have. Key is nil for functions of previews and
// for what modules keep beside the keys.
type foreign struct {
	UnknownTypeError
	form     string
	elements uint64
	bytes    int64
	expire   int64
}

// doing is what a splitter is reading, in redis-check-rdb's words.
type doing uint8

const (
	doingStart doing = iota
	doingType
	doingKey
	doingValue
	doingModuleAux
	doingFunctions
	doingChecksum
)

func (d doing) String() string {
	return [...]string{
		"start", "read-type", "read-key", "read-object-value", "read-module-aux", "read-functions", "check-sum",
	}[d]
}

// splitter finds the keys of a file without decoding them.
type splitter struct {
	window
	h         handler
	databases int   // 0: any number
	dropUntil int64 // keys that expire until then are left out; 0: none
	uncut     bool  // values of any type and length become entries

	origin origin
	batch  *batch
	cut    *bigKey // the collection of which pieces were cut off
	timed  *bigKey // the set whose members' times come next
	last   lastKey

	db  int
	key entry // what opcodes said of the next key

	doing doing
	name  []byte // of the key being read, unless it is still at keep
	typ   byte   // of that key
	value int    // where its value begins, from keep on
}

// run reads a file from its beginning to its end mark and checksum. What it
// returns tells where and why it stopped.
func (s *splitter) run() (sum checksumState, err error) {
	s.batch = s.h.exchange(nil)
	s.buf = s.batch.block
	s.renew = s.renewBlock
	if s.head() {
		for s.record() {
		}
	}
	if s.err == nil {
		sum = s.foot()
	}
	// After a failure too: what stands in front of it counts, and may be what is
	// wrong in the first place.
	failure := s.err
	if failure != nil && s.doing == doingValue && s.name == nil && !s.dropping {
		s.name, _ = s.keyName()
	}
	s.dispatch()
	return sum, failure
}

// context says what was being read when the splitter failed.
func (s *splitter) context() (what string, key []byte, typ byte) {
	if s.doing != doingValue {
		return s.doing.String(), nil, 0
	}
	return s.doing.String(), s.name, s.typ
}

// head reads the magic word and the version.
func (s *splitter) head() bool {
	b, ok := s.take(headSize)
	if !ok {
		return false
	}
	d := dialectOf(b)
	if d == nil {
		return s.fail(0, "not an RDB file: wrong signature")
	}
	v, err := strconv.ParseUint(string(b[len(d.magic):]), 10, 16)
	if err != nil {
		return s.fail(0, "not an RDB file: the version is no number")
	}
	if !d.reads(int(v)) {
		return s.fail(0, fmt.Sprintf("Can't handle RDB format version %d of %s", v, d.name))
	}
	s.origin.dialect, s.origin.version = d, int(v)
	return true
}

// record reads one opcode or key. It returns false at the end and after errors.
func (s *splitter) record() bool {
	s.keep, s.doing = s.pos, doingType
	op, ok := s.byte()
	if !ok {
		return false
	}
	if op != opAux {
		s.endTimes()
	}
	if op < numTypes {
		return s.entry(op)
	}
	switch op {
	case opExpireMs, opExpire:
		return s.expiry(op)
	case opFreq:
		n, ok := s.byte()
		s.key.access, s.key.kind = int64(n), accessFreq
		return ok
	case opIdle:
		n, ok := s.number()
		s.key.access, s.key.kind = int64(n&(1<<63-1)), accessIdle
		return ok
	case opSelectDB:
		return s.selectDB()
	case opResizeDB:
		return s.resizeDB()
	case opSlotInfo:
		return s.skipNumbers(3)
	case opSlotImport:
		return s.slotImport()
	case opAux:
		return s.auxField()
	case opFunction:
		return s.library()
	case opModuleAux, opFunctionPreGA:
		return s.foreign(op)
	case opEOF:
		return false
	}
	return s.unknownNumber(op)
}

// slotImport passes over what a node of a Valkey cluster notes of slots that were on their way to
// it: the name of the job, and ranges of slots after a count.
func (s *splitter) slotImport() bool {
	if s.origin.dialect != &dialects[valkeyDialect] {
		return s.unknownNumber(opSlotImport)
	}
	if !s.skipString() {
		return false
	}
	_, ok := s.skipElements(2, func() bool { return s.skipNumbers(2) })
	return ok
}

func (s *splitter) expiry(op byte) bool {
	n := 8
	if op == opExpire {
		n = 4
	}
	b, ok := s.take(n)
	if !ok {
		return false
	}
	if op == opExpire {
		s.key.expire = int64(int32(binary.LittleEndian.Uint32(b))) * 1000
	} else {
		s.key.expire = int64(binary.LittleEndian.Uint64(b))
	}
	// Redis takes -1 for no expiry time; any other time before 1970 has passed.
	if s.key.expire == -1 {
		s.key.expire = 0
	} else if s.key.expire <= 0 {
		s.key.expire = 1
	}
	return true
}

func (s *splitter) selectDB() bool {
	at := s.offset()
	db, ok := s.number()
	if !ok {
		return false
	}
	if limit := uint64(s.databases); db >= limit && limit != 0 || db > 1<<31-1 {
		return s.fail(at, fmt.Sprintf("the file was written by a server with more databases: "+
			"it selects number %d, which takes databases %d or more", db, db+1))
	}
	s.db = int(db)
	s.h.selected(s.db, at)
	return true
}

// resizeDB reads the numbers of keys and of expiry times to come, which are hints.
func (s *splitter) resizeDB() bool {
	keys, ok := s.number()
	if !ok || !s.skipNumber() {
		return false
	}
	// Believed as far as the rest of the file is long enough for usual keys.
	const usual = 16
	s.h.announced(s.db, int(min(keys, uint64(s.remaining())/usual)))
	return true
}

func (s *splitter) auxField() bool {
	if !s.skipString() {
		return false
	}
	value := s.pos - s.keep
	if !s.skipString() {
		return false
	}
	var d decoder
	name, err1 := d.textOf(s.buf[s.keep+1 : s.keep+value])
	text, err2 := d.textOf(s.buf[s.keep+value : s.pos])
	if err1 != nil || err2 != nil {
		return s.fail(s.base+int64(s.keep), "malformed string in an auxiliary field")
	}
	if is, ok := s.keydbAux(string(name)); is {
		return ok
	}
	if string(name) == auxKey {
		if s.key.extras, err1 = store.ParseExtras(text); err1 != nil {
			return s.fail(s.base+int64(s.keep), "malformed auxiliary field "+auxKey)
		}
		return true
	}
	if is, ok := s.timesAux(string(name), text); is {
		return ok
	}
	s.origin.aux(string(name), string(text))
	s.h.aux(string(name), string(text))
	return true
}

// foreign passes over functions of previews and over what modules keep beside the keys.
func (s *splitter) foreign(op byte) bool {
	f := &foreign{UnknownTypeError: UnknownTypeError{Type: typeNameFunction,
		Number: op, DB: s.db, Offset: s.offset() - 1}}
	s.dropping, s.doing = true, doingFunctions
	defer func() { s.dropping = false }()
	ok := false
	switch op {
	case opFunctionPreGA:
		ok = s.skipOldFunction()
	case opModuleAux: // ID, when: a number in two parts, and a value
		s.doing = doingModuleAux
		ok = s.skipModuleID() && s.skipNumbers(2) && s.skipModule()
		f.Type = moduleName(s.module)
	}
	return ok && s.unknown(f)
}

// skipOldFunction passes over a function as previews of Redis 7.0 wrote it: name,
// engine, description after a count, code.
func (s *splitter) skipOldFunction() bool {
	if !s.skipStrings(2) {
		return false
	}
	described, ok := s.number()
	if ok && described != 0 {
		ok = s.skipString()
	}
	return ok && s.skipString()
}

func (s *splitter) unknown(f *foreign) bool {
	f.bytes = s.offset() - f.Offset
	if err := s.h.unknown(f); err != nil {
		s.err = err
		return false
	}
	return true
}

// entry reads a key and its value.
func (s *splitter) entry(number byte) bool {
	typ, ok := s.origin.dialect.typeOf(number)
	if !ok {
		return s.unknownNumber(number)
	}
	e := s.key
	s.key, s.last.place = entry{}, lastNone
	e.typ, e.db = typ, int32(s.db)
	row := &typeRows[typ]
	if typ != typeSet {
		e.dated = 0
	}
	s.doing, s.typ = doingKey, typ
	if !s.skipString() {
		return false
	}
	s.doing, s.value = doingValue, s.pos-s.keep
	e.value = s.value
	switch {
	case !row.known() && !s.uncut:
		return s.unknownKey(&e, row)
	case s.dropUntil != 0 && e.expire != 0 && e.expire <= s.dropUntil:
		s.h.expired()
		_, ok := s.drop(&e, row)
		return ok
	case row.element != nil && !s.uncut:
		if whole, ok := s.elements(&e, &layouts[row.shape]); !ok || !whole {
			return ok
		}
	default:
		if _, ok := s.skipValue(typ, row.shape); !ok {
			return false
		}
	}
	e.at, e.value, e.end = s.keep+1, s.keep+e.value, s.pos
	s.batch.entries = append(s.batch.entries, e)
	s.last.place = lastOfBatch
	return true
}

// drop passes over a value without keeping it.
func (s *splitter) drop(e *entry, row *typeRow) (elements uint64, ok bool) {
	s.dropping = true
	elements, ok = s.skipValue(e.typ, row.shape)
	s.dropping = false
	return elements, ok
}

// unknownKey passes over the value of a type that larder does not have.
func (s *splitter) unknownKey(e *entry, row *typeRow) bool {
	f := &foreign{form: row.form, expire: e.expire}
	f.Type, f.Number, f.DB, f.Offset = row.name, numberOf(e.typ), s.db, s.base+int64(s.keep)
	var ok bool
	if f.Key, ok = s.keyName(); !ok {
		return false
	}
	s.name = f.Key
	if f.elements, ok = s.drop(e, row); !ok {
		return false
	}
	s.name = nil
	if row.shape == shapeModule {
		f.Type = moduleName(s.module)
	}
	return s.unknown(f)
}

// keyName decodes the name of the key at keep.
func (s *splitter) keyName() ([]byte, bool) {
	var d decoder
	name, err := d.textOf(s.buf[s.keep+1 : s.keep+s.value])
	if err != nil {
		return nil, s.fail(s.base+int64(s.keep), err.Error())
	}
	return append([]byte{}, name...), true
}

// renewBlock hands the batch over, if there is anything in it, and gives the
// window the block of another.
func (s *splitter) renewBlock(size int) bool {
	if len(s.batch.entries) == 0 && len(s.batch.pieces) == 0 {
		return false
	}
	s.dispatch()
	if size > len(s.batch.block) {
		s.batch.block = make([]byte, size)
	}
	s.buf = s.batch.block
	return true
}

func (s *splitter) dispatch() {
	s.nameLast()
	s.batch.block, s.batch.base = s.buf, s.base
	s.batch = s.h.exchange(s.batch)
	if s.h.stopped() && s.err == nil {
		s.err = errStopped
	}
}

// errStopped ends the splitter after a failure elsewhere.
var errStopped = errors.New("stopped")

// checksumState is what is known of a file's checksum.
type checksumState uint8

const (
	sumNone checksumState = iota // the file has none, or it is switched off
	sumGood
)

// foot compares the checksum at the end of the file.
func (s *splitter) foot() checksumState {
	s.doing = doingChecksum
	s.sum()
	want, at := s.crc, s.offset()
	s.keep = s.pos
	b, ok := s.take(8)
	if !ok {
		return sumNone
	}
	switch got := binary.LittleEndian.Uint64(b); got {
	case 0:
		return sumNone
	case want:
		return sumGood
	default:
		s.fail(at, fmt.Sprintf("wrong checksum: expected %x, got %x", want, got))
		return sumNone
	}
}
