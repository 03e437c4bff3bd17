package tags

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// A tag's record:
//
//	 0  8  hard << 16 | length of the name << 5 | flags
//	 8  8  soft << 16 | low half of the mark
//	16  8  references << 24 | high half of the mark << 8 | stripe
//	24  6  serial
//	30  5  keys that have the tag and are not gone
//	35  5  how many of them are stale
//	40  6  list: of no entries (0), one place (flagPlace), or a Ref of its newest chunk;
//	       with flagJob a Ref of the job, which has the list
//	46     name
//
// The first three words are read and written atomically. What shares a word with hard and soft changes
// under the stripe's lock only, and the lower part of the third never does.
//
// 40 bits are enough for counts: each of them stands for at least the 11 bytes of a link in memory of
// at most 4 TiB.
type record []byte

const (
	serialAt = 24
	liveAt   = 30
	staleAt  = 35
	listAt   = 40
	nameAt   = 46

	flagPlace = 1 << 0
	flagJob   = 1 << 1
	flagLost  = 1 << 2 // keys that have the tag are no longer listed, see Lose

	flagBits = 5
	lowBits  = 16 // beside hard and soft
	refUnit  = 1 << 24
	counted  = 1<<40 - 1
)

// A name's length fits beside the flags.
const _ = uint(1<<(lowBits-flagBits) - 1 - MaxName)

func recordSize(name int) int { return nameAt + name }

func (rec record) word(i int) *uint64 { return (*uint64)(unsafe.Pointer(&rec[8*i])) }

// init makes the record of a tag with one reference.
func (rec record) init(mark uint32, stripe int, name []byte) {
	clear(rec[:nameAt])
	atomic.StoreUint64(rec.word(0), uint64(len(name))<<flagBits)
	atomic.StoreUint64(rec.word(1), uint64(mark&0xFFFF))
	atomic.StoreUint64(rec.word(2), refUnit|uint64(mark>>16)<<8|uint64(stripe))
	copy(rec[nameAt:], name)
}

func (rec record) hard() uint64 { return atomic.LoadUint64(rec.word(0)) >> lowBits }

func (rec record) soft() uint64 { return atomic.LoadUint64(rec.word(1)) >> lowBits }

func (rec record) setHard(stamp uint64) { setHigh(rec.word(0), stamp) }

func (rec record) setSoft(stamp uint64) { setHigh(rec.word(1), stamp) }

func setHigh(w *uint64, stamp uint64) {
	atomic.StoreUint64(w, stamp<<lowBits|atomic.LoadUint64(w)&(1<<lowBits-1))
}

func (rec record) flag(f uint64) bool { return atomic.LoadUint64(rec.word(0))&f != 0 }

func (rec record) setFlag(f uint64, on bool) {
	w := atomic.LoadUint64(rec.word(0)) &^ f
	if on {
		w |= f
	}
	atomic.StoreUint64(rec.word(0), w)
}

func (rec record) mark() uint32 {
	return uint32(atomic.LoadUint64(rec.word(1))&0xFFFF) | uint32(atomic.LoadUint64(rec.word(2))>>8&0xFFFF)<<16
}

func (rec record) stripe() int { return int(atomic.LoadUint64(rec.word(2)) & 0xFF) }

func (rec record) name() []byte {
	end := nameAt + atomic.LoadUint64(rec.word(0))&(1<<lowBits-1)>>flagBits
	return rec[nameAt:end:end]
}

func (rec record) references() uint64 { return atomic.LoadUint64(rec.word(2)) / refUnit }

func (rec record) retain() {
	if atomic.AddUint64(rec.word(2), refUnit)/refUnit == 1 {
		panic("BUG: tags: a tag is retained that nobody holds")
	}
}

// release takes a reference away unless it is the last one. It reports whether it did: if not under the
// stripe's lock, the caller is the only one who knows of the tag.
func (rec record) release() bool {
	for w := rec.word(2); ; {
		v := atomic.LoadUint64(w)
		switch v / refUnit {
		case 0:
			panic("BUG: tags: a tag is let go that nobody holds")
		case 1:
			return false
		}
		if atomic.CompareAndSwapUint64(w, v, v-refUnit) {
			return true
		}
	}
}

// releaseMany takes n references away, of which none is the last one.
func (rec record) releaseMany(n int) {
	after := atomic.AddUint64(rec.word(2), -uint64(n)*refUnit)
	if after/refUnit == 0 || after/refUnit > counted-uint64(n) {
		panic("BUG: tags: more references are given up than there are")
	}
}

func (rec record) serial() uint64 { return get48(rec[serialAt:]) }

func (rec record) setSerial(v uint64) { put48(rec[serialAt:], v) }

func (rec record) live() int64 { return get40(rec[liveAt:]) }

func (rec record) setLive(v int64) { put40(rec[liveAt:], v) }

func (rec record) stale() int64 { return get40(rec[staleAt:]) }

func (rec record) setStale(v int64) { put40(rec[staleAt:], v) }

func get48(b []byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint16(b[4:]))<<32
}

func put48(b []byte, v uint64) {
	binary.LittleEndian.PutUint32(b, uint32(v))
	binary.LittleEndian.PutUint16(b[4:], uint16(v>>32))
}

func get40(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b)) | int64(b[4])<<32 }

func put40(b []byte, v int64) {
	if uint64(v) > counted {
		panic("BUG: tags: a count is below zero")
	}
	binary.LittleEndian.PutUint32(b, uint32(v))
	b[4] = byte(v >> 32)
}
