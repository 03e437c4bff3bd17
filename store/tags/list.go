package tags

import (
	"encoding/binary"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/invariants"
)

// A tag's list has an entry of 8 bytes for each link that is neither gone nor about to be swept, and
// entries of links that are no more. It is one of
//
//   - nothing;
//   - one place in the record itself, of the link whose stamp is the serial;
//   - a ring of chunks. The record leads to the newest, each chunk to the next newer one, and the
//     newest to the oldest. So a list is joined to another in constant time, and taken oldest first.
//
// A list of one chunk grows by giving it half as much room again, up to 4 KiB. Further chunks have room
// for a quarter of what is listed, up to 4 KiB too.
//
// A chunk begins with the next chunk, its room and its length. One that has room for more than
// smallRoom entries can be the newest of several, and has a second word, which is valid then: how many
// entries the list has.

// Place is an entry of a list: where to look for a key, and the lower 16 bits of its link's stamp.
type Place uint64

func placeOf(place, stamp uint64) Place { return Place(place<<16 | stamp&0xFFFF) }

// At is what Link was given.
func (p Place) At() uint64 { return uint64(p) >> 16 }

// Stamp is the lower 16 bits of the link's stamp. A link to the job's tag that has others is another
// one, whose entry is elsewhere.
func (p Place) Stamp() uint16 { return uint16(p) }

const (
	entrySize = 8
	leastRoom = 2
	smallRoom = 32
	mostRoom  = (4<<10 - 16) / entrySize
	searched  = 16 // how many entries Unlink searches
	ringShare = 4  // a new chunk has room for one part in so many of what is listed

	// longest is how many chunks are freed in one go.
	longest = 64
)

// chunk is len<<52 | room<<40 | Ref of the next; perhaps the number of entries of the list; entries.
type chunk []byte

func chunkHeader(room int) int {
	if room > smallRoom {
		return 16
	}
	return 8
}

// newChunk makes an empty chunk with room for as many entries at least, whose next is itself.
func (s *stripe) newChunk(room int) (Ref, chunk) {
	if room > leastRoom && room < mostRoom {
		header := chunkHeader(room)
		room = (arena.RoundUp(header+entrySize*room) - header) / entrySize
	}
	at := s.ar.Alloc(chunkHeader(room) + entrySize*room)
	c := chunk(s.mem[at.Off():])
	binary.LittleEndian.PutUint64(c, uint64(room)<<40|uint64(at))
	return at, c
}

func (s *stripe) chunk(at Ref) chunk { return chunk(s.mem[at.Off():]) }

func (c chunk) word() uint64 { return binary.LittleEndian.Uint64(c) }

func (c chunk) len() int { return int(c.word() >> 52) }

func (c chunk) room() int { return int(c.word() >> 40 & (1<<12 - 1)) }

func (c chunk) next() Ref { return Ref(c.word() & (1<<40 - 1)) }

func (c chunk) setNext(at Ref) {
	binary.LittleEndian.PutUint64(c, c.word()>>40<<40|uint64(at))
}

func (c chunk) setLen(n int) {
	binary.LittleEndian.PutUint64(c, uint64(n)<<52|c.word()&(1<<52-1))
}

func (c chunk) total() int64 { return int64(binary.LittleEndian.Uint64(c[8:])) }

func (c chunk) setTotal(n int64) { binary.LittleEndian.PutUint64(c[8:], uint64(n)) }

func (c chunk) entry(i int) Place {
	return Place(binary.LittleEndian.Uint64(c[chunkHeader(c.room())+entrySize*i:]))
}

func (c chunk) setEntry(i int, p Place) {
	binary.LittleEndian.PutUint64(c[chunkHeader(c.room())+entrySize*i:], uint64(p))
}

// push adds an entry; there is room.
func (c chunk) push(p Place) {
	n := c.len()
	c.setEntry(n, p)
	c.setLen(n + 1)
}

// listField is where the 6 bytes are that say what a tag's list is.
func (s *stripe) listField(rec record) []byte {
	if rec.flag(flagJob) {
		return s.job(Ref(get48(rec[listAt:])))[jobListAt:]
	}
	return rec[listAt:]
}

// newest is the newest chunk of a list, 0 if it has no chunks.
func (s *stripe) newest(rec record) Ref {
	if rec.flag(flagPlace) {
		return 0
	}
	return Ref(get48(s.listField(rec)))
}

// listed is the number of entries.
func (s *stripe) listed(rec record) int64 {
	if rec.flag(flagPlace) {
		return 1
	}
	at := s.newest(rec)
	if at == 0 {
		return 0
	}
	return s.total(at)
}

// total is the number of entries of the list whose newest chunk this is.
func (s *stripe) total(at Ref) int64 {
	c := s.chunk(at)
	if c.next() == at {
		return int64(c.len())
	}
	return c.total()
}

// long reports whether a list is to be freed in steps.
func (s *stripe) long(rec record) bool { return s.listed(rec) > longest*mostRoom }

// list adds an entry to a tag's list. The stamp is at most the serial, or the next one.
func (s *stripe) list(rec record, place, stamp uint64) {
	field := s.listField(rec)
	at := Ref(get48(field))
	switch {
	case rec.flag(flagPlace):
		first, c := s.newChunk(leastRoom)
		c.push(placeOf(get48(field), rec.serial()))
		rec.setFlag(flagPlace, false)
		at = first
	case at == 0 && stamp >= rec.serial():
		put48(field, place)
		rec.setFlag(flagPlace, true)
		return
	case at == 0:
		at, _ = s.newChunk(leastRoom)
	}
	put48(field, uint64(s.push(at, placeOf(place, stamp))))
}

// push adds an entry to the list whose newest chunk is given. It returns which that is then.
func (s *stripe) push(at Ref, p Place) Ref {
	c := s.chunk(at)
	ring := c.next() != at
	switch {
	case c.len() < c.room():
	case !ring && c.room() < mostRoom:
		at, c = s.widen(at)
	default:
		total := s.total(at)
		newer, d := s.newChunk(int(min(mostRoom, max(smallRoom+1, total/ringShare))))
		d.setNext(c.next())
		c.setNext(newer)
		d.setTotal(total)
		at, c, ring = newer, d, true
	}
	c.push(p)
	if ring {
		c.setTotal(c.total() + 1)
	}
	return at
}

// widen gives the only chunk of a list more room.
func (s *stripe) widen(at Ref) (Ref, chunk) {
	old := s.chunk(at)
	n := old.len()
	wide, c := s.newChunk(min(mostRoom, n+n/2+1))
	copy(c[chunkHeader(c.room()):], old[chunkHeader(old.room()):][:entrySize*n])
	c.setLen(n)
	s.ar.Free(at)
	return wide, c
}

// unlist takes out the entry of a link that has just been counted out, where that is easily done, so
// that short lists list nothing else. There is no job, so each link that counts has its entry here:
// the only one with the lower bits of a stamp is that of the link.
func (s *stripe) unlist(rec record, stamp uint64) {
	if rec.live() == 0 && s.single(rec) {
		s.clearList(rec)
		return
	}
	at := s.newest(rec)
	if at == 0 {
		return // one place, of a link that counts
	}
	c := s.chunk(at)
	n := c.len()
	if n > searched || c.next() != at {
		return
	}
	found := -1
	for i := range n {
		if c.entry(i).Stamp() == uint16(stamp) {
			if found >= 0 {
				return
			}
			found = i
		}
	}
	if found < 0 {
		if invariants.Enabled {
			panic("BUG: tags: a link is not listed")
		}
		return
	}
	c.setEntry(found, c.entry(n-1))
	c.setLen(n - 1)
}

// single reports whether a list is in one place or chunk, or empty.
func (s *stripe) single(rec record) bool {
	at := s.newest(rec)
	return at == 0 || s.chunk(at).next() == at
}

// clearList empties a list, which is not long.
func (s *stripe) clearList(rec record) {
	if at := s.newest(rec); at != 0 {
		s.freeChunks(at, 0)
	}
	rec.setFlag(flagPlace, false)
	put48(s.listField(rec), 0)
}

// freeChunks frees the oldest chunks of a list, most of them at most, or all if that is 0. It returns
// the newest that is left, or 0, and the number of entries that went.
func (s *stripe) freeChunks(newest Ref, most int) (left Ref, entries int64) {
	for i := 0; newest != 0 && (most == 0 || i < most); i++ {
		oldest := s.chunk(newest).next()
		entries += int64(s.chunk(oldest).len())
		newest = s.freeOldest(newest)
	}
	return newest, entries
}

// freeOldest frees the oldest chunk of a list and returns the newest, or 0.
func (s *stripe) freeOldest(newest Ref) Ref {
	c := s.chunk(newest)
	oldest := c.next()
	if oldest == newest {
		newest = 0
	} else {
		c.setNext(s.chunk(oldest).next())
	}
	s.ar.Free(oldest)
	return newest
}

// detach empties a tag's list and returns its newest chunk, or 0, and the number of its entries.
func (s *stripe) detach(rec record) (newest Ref, entries int64) {
	entries = s.listed(rec)
	field := s.listField(rec)
	newest = Ref(get48(field))
	if rec.flag(flagPlace) {
		var c chunk
		place := get48(field)
		newest, c = s.newChunk(1)
		c.push(placeOf(place, rec.serial()))
		rec.setFlag(flagPlace, false)
	}
	put48(field, 0)
	return newest, entries
}

// join appends a list to another one; either may be 0. The number of entries is the caller's to keep.
func (s *stripe) join(older, newer Ref) Ref {
	if older == 0 || newer == 0 {
		return max(older, newer)
	}
	a, b := s.chunk(older), s.chunk(newer)
	first := a.next()
	a.setNext(b.next())
	b.setNext(first)
	return newer
}

// take moves entries from the oldest chunks of a list to places.
func (s *stripe) take(newest Ref, places []Place) (left Ref, n int) {
	for newest != 0 && n < len(places) {
		c := s.chunk(s.chunk(newest).next())
		rest := c.len()
		for ; rest > 0 && n < len(places); n++ {
			rest--
			places[n] = c.entry(rest)
		}
		if c.setLen(rest); rest == 0 {
			newest = s.freeOldest(newest)
		}
	}
	return newest, n
}
