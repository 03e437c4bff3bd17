package aof

// Synced reports whether everything appended so far is durable. It does not wait for the disk:
// while somebody else is at the files, or while the log is off, the answer is no.
func (l *Log) Synced() bool {
	if !l.io.TryLock() {
		return false
	}
	defer l.io.Unlock()
	l.collectSync()
	if l.reader.Buffered() > 0 || l.io.seg == nil || !l.io.flight.empty() || l.Err() != nil {
		return false
	}
	return l.io.seg.synced == l.io.seg.size
}
