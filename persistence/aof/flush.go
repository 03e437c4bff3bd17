package aof

import (
	"sync"
	"time"

	"github.com/larderkv/larder/persistence/journal"
)

const (
	syncEvery    = time.Second     // under EverySec
	retryEvery   = time.Second     // after a failure
	postponeMost = 2 * time.Second // that a write waits for a sync under way, as in Redis
	keepBuffer   = 4 << 20         // bytes; a larger buffer is given back when it has been written
)

// flusher is the side of the log that talks to the disk.
type flusher struct {
	sync.Mutex
	seg       *segment // nil: the log is off
	flight    flight
	spare     []byte   // the last flight's memory
	syncing   *running // nil: no sync is under way
	committed int64    // the offset up to which effects are written, and were synced if the policy said so
	failedAt  int64    // the offset up to which the failing flush was to go; 0: it did not fail
	lastSync  time.Time
	lastTry   time.Time // of a flush that failed
	postponed time.Time // since when writes have been waiting for a sync; zero: they are not
	writeErr  error
	syncErr   error // of the background sync, until one succeeds
	lost      bool  // until a rewrite
}

// flight is a buffer on its way to the disk. It is kept until it is there: what failed is written
// again from it.
type flight struct {
	buf  []byte
	off  int      // what is dealt with
	cut  int      // where next begins, if it is not nil
	next *segment // what follows cut belongs there
	end  int64    // the offset at the end of buf
	own  bool     // buf may be the next spare
}

func (f *flight) empty() bool { return f.off == len(f.buf) && f.next == nil }

// part is what can be written next to the present file.
func (f *flight) part() []byte {
	if f.next != nil {
		return f.buf[f.off:f.cut]
	}
	return f.buf[f.off:]
}

// running is a sync in a goroutine of its own.
type running struct {
	done chan struct{} // closed at the end
	err  error         // read after done
}

// flush writes what has been appended, and syncs it under Always. force keeps it from waiting for a
// sync under way. io is held. What happened is in Err.
func (l *Log) flush(force bool) {
	if l.io.seg == nil {
		return
	}
	l.collectSync()
	wrote, err := l.writePending(force)
	if wrote {
		l.io.postponed = time.Time{}
	}
	if err == nil && !l.io.lost {
		err = l.io.seg.mend() // there may have been nothing to write
	}
	l.noteOutcome(err)
}

// noteOutcome notes the outcome of a flush.
func (l *Log) noteOutcome(err error) {
	l.io.writeErr, l.io.failedAt = err, 0
	if err != nil {
		l.io.lastTry = l.clock()
		l.io.failedAt = l.io.flight.end
	}
	if l.io.seg != nil && l.io.seg.lost {
		l.io.lost = true
	}
	l.publish()
}

// publish reports the beginning and the end of a failure.
func (l *Log) publish() {
	err := l.io.writeErr
	switch {
	case l.io.lost:
		err = errLost
	case err == nil:
		err = l.io.syncErr
	}
	before := l.Err()
	switch {
	case err == nil && before == nil:
	case err == nil:
		l.failure.Store(nil)
		l.log.Info("the log can be written again")
		l.tell(false)
	default:
		l.failure.Store(&err)
		if before == nil {
			l.log.Error("the log cannot be written", "error", err)
			l.tell(true)
		}
	}
}

func (l *Log) tell(failing bool) {
	if l.onFailure != nil {
		l.onFailure(failing)
	}
}

// writePending writes flight after flight until nothing is left, or something has to wait. wrote
// reports whether it did not wait.
func (l *Log) writePending(force bool) (wrote bool, err error) {
	for l.work() {
		if !force && Policy(l.policy.Load()) == EverySec && l.io.syncing != nil {
			if l.waits() {
				return false, nil
			}
			force = true
		}
		l.take()
		done, err := l.writeFlight(force)
		if err != nil || !done {
			return false, err
		}
	}
	return true, nil
}

// work reports whether anything waits to be written; if not, nothing is pending any more.
func (l *Log) work() bool {
	if !l.io.flight.empty() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next != nil {
		return true
	}
	taken, empty := l.reader.Settle()
	if empty { // more than the last flight had, if the log was off meanwhile
		l.io.committed = taken
	}
	return !empty
}

// take makes what has been appended the flight, unless there still is one.
func (l *Log) take() {
	if !l.io.flight.empty() {
		return
	}
	l.mu.Lock()
	b := l.reader.Take(l.io.spare)
	next, cut := l.next, l.cut
	l.next = nil
	l.mu.Unlock()
	l.io.flight, l.io.spare = flight{buf: b.Bytes, cut: int(cut - b.Start()), next: next, end: b.End, own: b.Own}, nil
	l.io.flight.annotate(&b)
	l.inFlight.Store(int64(len(l.io.flight.buf)))
}

// annotate puts the batch's marks into the flight, as annotations of the file. They come once a
// second at most, so the copy does not matter.
func (f *flight) annotate(b *journal.Batch) {
	if len(b.Marks) == 0 {
		return
	}
	buf, cut := make([]byte, 0, cap(f.buf)+len(b.Marks)*timestampRoom), f.cut
	at := 0
	for _, m := range b.Marks {
		to := int(m.Offset - b.Start())
		buf = append(buf, f.buf[at:to]...)
		was := len(buf)
		buf = appendTimestamp(buf, m.Second)
		if to < f.cut {
			cut += len(buf) - was
		}
		at = to
	}
	f.buf, f.cut, f.own = append(buf, f.buf[at:]...), cut, true
}

// writeFlight writes the flight, across a cut too. It is not done if a cut has to wait for a sync.
func (l *Log) writeFlight(force bool) (done bool, err error) {
	f := &l.io.flight
	durable := Policy(l.policy.Load()) == Always && !l.suspended.Load()
	for {
		if err := l.writePart(f.part(), durable); err != nil {
			return false, err
		}
		if f.next == nil {
			break
		}
		if done, err := l.changeFile(durable || force); !done {
			return false, err
		}
	}
	l.io.committed = f.end
	if f.own && cap(f.buf) <= keepBuffer {
		l.io.spare = f.buf[:0]
	}
	l.io.flight = flight{end: f.end}
	return true, nil
}

// writePart writes p, the next part of the flight, to the present file.
func (l *Log) writePart(p []byte, durable bool) error {
	seg := l.io.seg
	var err error
	switch {
	case seg.lost && l.cutFollows():
		// The base that the rewrite is making includes it.
	case durable && (len(p) > 0 || seg.synced < seg.size):
		l.waitSync()
		if err = l.watch("aof-fsync-always", func() error { return seg.writeSynced(p) }); err == nil {
			l.io.syncErr = nil
		}
	default:
		err = l.watch("aof-write", func() error { return seg.write(p) })
	}
	if err != nil {
		return err
	}
	l.io.flight.off += len(p)
	l.inFlight.Add(-int64(len(p)))
	l.current.Add(int64(len(p)))
	return nil
}

// cutFollows reports whether the present file is to be left.
func (l *Log) cutFollows() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.io.flight.next != nil || l.next != nil
}

// changeFile goes on to the file of the cut once all of the present one is durable: the log must
// not have a hole in its middle after a crash. If wait is false it does not wait for that, for two
// seconds.
func (l *Log) changeFile(wait bool) (done bool, err error) {
	old := l.io.seg
	if !old.lost && (old.synced < old.size || old.suspect) {
		if !wait {
			if err := l.syncSoon(old); err != nil {
				return false, err
			}
			if l.waits() {
				return false, nil
			}
		}
		if err := l.syncSegment(); err != nil {
			return false, err
		}
	}
	l.waitSync()
	l.io.syncErr = nil // of a file that was given up, if there is one
	if err := old.f.Close(); err != nil {
		l.log.Warn("closing a file of the log", "file", old.file.Name, "error", err) // all of it is synced
	}
	l.io.seg, l.io.flight.next = l.io.flight.next, nil
	return true, nil
}

// cutWait is how long a commit waits for the sync of the file that a rewrite has closed. There is
// little left to sync, the rewrite has seen to that; what waited longer in memory would be lost if
// the process were killed.
const cutWait = 50 * time.Millisecond

// syncSoon syncs a file, or leaves that under way if it takes longer than cutWait.
func (l *Log) syncSoon(seg *segment) error {
	timeout := time.NewTimer(cutWait)
	defer timeout.Stop()
	for seg.synced < seg.size || seg.suspect {
		if l.io.syncing == nil {
			if err := seg.mend(); err != nil {
				return err
			}
			l.startSync(l.clock())
		}
		select {
		case <-l.io.syncing.done:
			l.collectSync()
			if l.io.syncErr != nil {
				return l.io.syncErr
			}
		case <-timeout.C:
			return nil
		}
	}
	return nil
}

// waits reports whether a write has to wait for the sync under way: as Redis' flushAppendOnlyFile
// does, two seconds at most. A write to a file that is being synced often has to wait inside the
// system, and the event loop with it.
func (l *Log) waits() bool {
	if l.io.syncing == nil {
		return false
	}
	now := l.clock()
	if l.io.postponed.IsZero() {
		l.io.postponed = now
	}
	if now.Sub(l.io.postponed) < postponeMost {
		return true
	}
	l.io.postponed = time.Time{}
	l.delayedFsync.Add(1)
	l.log.Warn("a sync of the log takes longer than two seconds: writing without waiting for it, which may slow clients down")
	return false
}

// startSync syncs the present file in the background.
func (l *Log) startSync(now time.Time) {
	seg := l.io.seg
	seg.mark()
	r := &running{done: make(chan struct{})}
	l.io.syncing, l.io.lastSync = r, now
	l.fsyncs.Store(1)
	go func() {
		r.err = seg.f.Sync()
		close(r.done)
	}()
}

// collectSync takes note of the background sync if it is over.
func (l *Log) collectSync() {
	if l.io.syncing == nil {
		return
	}
	select {
	case <-l.io.syncing.done:
	default:
		return
	}
	if l.io.syncErr = l.io.syncing.err; l.io.syncErr == nil {
		l.io.seg.syncDone()
	} else {
		l.io.seg.syncFailed()
		l.io.lastTry = l.clock()
	}
	l.io.syncing = nil
	l.fsyncs.Store(0)
	l.publish()
}

// waitSync waits until no sync is under way.
func (l *Log) waitSync() {
	if l.io.syncing != nil {
		<-l.io.syncing.done
		l.collectSync()
	}
}

// syncSegment makes all of the present file durable.
func (l *Log) syncSegment() error {
	l.waitSync()
	seg := l.io.seg
	if err := seg.mend(); err != nil {
		return err
	}
	if seg.synced < seg.size {
		l.startSync(l.clock())
		l.waitSync()
	} else {
		l.io.syncErr = nil
	}
	return l.io.syncErr
}

// syncAll writes and syncs everything.
func (l *Log) syncAll() error {
	l.flush(true)
	if err := l.Err(); err != nil && l.io.writeErr != nil {
		return err
	}
	l.noteOutcome(l.syncSegment())
	return l.Err()
}
