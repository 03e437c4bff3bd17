package tags

import "github.com/larderkv/larder/store/arena"

// Keys counts the keys that have a tag, and how many of them are stale.
func (d *Directory) Keys(mark uint32, name []byte) (live, stale int64) {
	s, k := d.find(mark, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.table.find(s.mem, k)
	if r == 0 {
		return 0, 0
	}
	rec := record(s.mem[r.Off():])
	return rec.live(), rec.stale()
}

// Count is how many tags have keys.
func (d *Directory) Count() (tags int64) {
	d.each(func(s *stripe) { tags += int64(s.living) })
	return tags
}

// Records is how many tags there are, with those that have no keys and are yet held.
func (d *Directory) Records() (tags int64) {
	d.each(func(s *stripe) { tags += int64(s.table.tags) })
	return tags
}

// Used is the number of bytes that the directory takes in the heap, counted in whole slots.
func (d *Directory) Used() (bytes int64) {
	d.each(func(s *stripe) { bytes += s.ar.Used() })
	return bytes
}

// Held is the number of bytes that the directory has taken from the heap, free slots included.
func (d *Directory) Held() (bytes int64) {
	d.each(func(s *stripe) { bytes += s.ar.Held() })
	return bytes
}

// Untold is how many of the bytes in use the heap's own count does not have yet.
func (d *Directory) Untold() (bytes int64) {
	d.each(func(s *stripe) { bytes += s.ar.Untold() })
	return bytes
}

// AddTo adds the directory's blocks to a report.
func (d *Directory) AddTo(r *arena.Report) { d.each(func(s *stripe) { s.ar.AddTo(r) }) }

func (d *Directory) each(f func(*stripe)) {
	for i := range d.stripes {
		s := &d.stripes[i]
		s.mu.Lock()
		f(s)
		s.mu.Unlock()
	}
}

// Scan calls f with tags of a mark that have keys, from a cursor on, which is 0 at first. It stops
// when it has looked at most tags, or up to 450 more, and returns the next cursor, 0 at the end. A tag
// that has keys all the time is told exactly once. f is called under a stripe's lock and must not use
// the directory; the name is valid until it returns.
func (d *Directory) Scan(mark uint32, cursor uint64, most int, f func(name []byte, live, stale int64)) (next uint64) {
	const end = 1 << fragmentBits
	i, fragment := cursor>>fragmentBits, uint32(cursor%end)
	for seen := 0; i < stripeCount; i, fragment = i+1, 0 {
		s := &d.stripes[i]
		s.mu.Lock()
		for fragment < end && len(s.table.segments) > 0 {
			if seen >= most {
				s.mu.Unlock()
				return i<<fragmentBits | uint64(fragment)
			}
			var n int
			fragment, n = s.table.from(s.mem, fragment, func(rec record) {
				if live := rec.live(); live > 0 && rec.mark() == mark {
					f(rec.name(), live, rec.stale())
				}
			})
			seen += max(1, n)
		}
		s.mu.Unlock()
	}
	return 0
}
