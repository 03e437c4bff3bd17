package aof

import (
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/larderkv/larder/persistence/vfs"
)

// errLost: the disk refused to sync, and reading back shows that the bytes are no longer there to
// be written again.
var errLost = errors.New("the disk has lost a part of the log; a rewrite repairs that")

// segment is an incremental file that is written to, and what is known of its bytes:
//
//	0 ... synced ... marked ... size ... (torn: something more)
//
// Up to synced they are durable. Those up to marked are what a sync under way will make durable. Up
// to size they are whole writes. crc has the checksums of the two ranges between, to see after a
// failed sync whether the system still has them.
type segment struct {
	f      vfs.File
	file   File
	synced int64
	marked int64 // synced if no sync is under way
	size   int64
	crc    [2]uint32

	torn    bool // bytes may follow size, or the position is not there
	suspect bool // a sync has failed: bytes from synced on must be written again before one can be trusted
	lost    bool // and cannot be
}

// openSegment opens an incremental file, or creates it.
func (l *Log) openSegment(file File, flag int) (*segment, error) {
	opened, err := l.fs.OpenFile(filepath.Join(l.dir, file.Name), os.O_RDWR|flag, 0o644)
	if err != nil {
		return nil, err
	}
	f := timedFile{opened, &l.syncs}
	s := &segment{f: f, file: file}
	info, err := f.Stat()
	if err == nil {
		s.size = info.Size()
		_, err = f.Seek(s.size, io.SeekStart)
	}
	if err == nil && s.size > 0 {
		err = f.Sync() // of another process, which may have been killed before it did
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.synced, s.marked = s.size, s.size
	return s, nil
}

// write appends p as a whole or not at all.
func (s *segment) write(p []byte) error {
	if err := s.mend(); err != nil || len(p) == 0 {
		return err
	}
	if _, err := s.f.Write(p); err != nil {
		s.torn = s.mendTail() != nil // else before the next write
		return err
	}
	s.size += int64(len(p))
	s.crc[1] = crc32.Update(s.crc[1], castagnoli(), p)
	return nil
}

// writeSynced appends p and makes it durable, or leaves the file as it was, so that the caller can
// try again with p. It is not for use while a sync is under way.
func (s *segment) writeSynced(p []byte) error {
	if err := s.mend(); err != nil {
		return err
	}
	size, crc := s.size, s.crc
	if err := s.write(p); err != nil {
		return err
	}
	s.mark()
	err := s.f.Sync()
	if err == nil {
		s.syncDone()
		return nil
	}
	// The system may have dropped p already, and will say so only once: p is written again, and not
	// just synced.
	s.size, s.crc, s.marked, s.torn = size, crc, s.synced, true
	s.suspect = s.synced < s.size
	return err
}

// mark notes what the sync that is about to begin will cover.
func (s *segment) mark() {
	s.marked = s.size
	s.crc = [2]uint32{s.crc[1], 0}
}

// syncDone notes that the sync begun at mark has succeeded.
func (s *segment) syncDone() {
	s.synced, s.crc[0] = s.marked, 0
}

// syncFailed notes that it has not.
func (s *segment) syncFailed() { s.suspect = true }

// mend brings the file back into a state in which writes and syncs can be trusted.
func (s *segment) mend() error {
	switch {
	case s.lost:
		return errLost
	case s.torn:
		if err := s.mendTail(); err != nil {
			return err
		}
	}
	if s.suspect {
		return s.writeAgain()
	}
	return nil
}

// mendTail cuts off what a failed write has left.
func (s *segment) mendTail() error {
	if err := s.f.Truncate(s.size); err != nil {
		return err
	}
	if _, err := s.f.Seek(s.size, io.SeekStart); err != nil {
		return err
	}
	s.torn = false
	return nil
}

// writeAgain makes the bytes dirty that a failed sync was about, for another sync to see to. They
// are not kept in memory under EverySec, a second of writes being too much; the system usually
// still has them in its cache. If it has not, or not all, the checksums tell.
func (s *segment) writeAgain() error {
	var sums [2]uint32
	total := uint32(0)
	for i, end := range [2]int64{s.marked, s.size} {
		from := [2]int64{s.synced, s.marked}[i]
		if err := s.eachChunk(from, end, func(p []byte) error {
			sums[i] = crc32.Update(sums[i], castagnoli(), p)
			total = crc32.Update(total, castagnoli(), p)
			return nil
		}); err != nil {
			return err
		}
	}
	if sums != s.crc {
		s.lost = true
		return errLost
	}
	s.torn = true // until the position is back at the end
	if _, err := s.f.Seek(s.synced, io.SeekStart); err != nil {
		return err
	}
	sum := uint32(0)
	if err := s.eachChunk(s.synced, s.size, func(p []byte) error {
		sum = crc32.Update(sum, castagnoli(), p)
		_, err := s.f.Write(p)
		return err
	}); err != nil {
		return err
	}
	if sum != total {
		s.lost = true
		return errLost
	}
	s.torn, s.suspect = false, false
	s.marked, s.crc = s.synced, [2]uint32{0, sum}
	return nil
}

// againChunk is how much is read and written at a time by writeAgain.
const againChunk = 1 << 20

func (s *segment) eachChunk(from, end int64, do func(p []byte) error) error {
	buf := make([]byte, min(againChunk, end-from))
	for from < end {
		p := buf[:min(againChunk, end-from)]
		if _, err := s.f.ReadAt(p, from); err != nil {
			return err
		}
		if err := do(p); err != nil {
			return err
		}
		from += int64(len(p))
	}
	return nil
}

// castagnoli is the polynomial that processors have an instruction for. MakeTable returns the same
// table each time.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
