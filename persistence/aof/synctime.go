package aof

import (
	"sync/atomic"
	"time"

	"github.com/larderkv/larder/persistence/vfs"
)

// syncTimes counts the syncs of incremental files and how long they took. It is safe from any
// goroutine.
type syncTimes struct {
	count, failed, nanos atomic.Int64
}

// timedFile is a file whose syncs are counted. The time is the system's and not the log's clock's,
// which tests turn: it is the disk that is measured.
type timedFile struct {
	vfs.File
	times *syncTimes
}

func (f timedFile) Sync() error {
	began := time.Now()
	err := f.File.Sync()
	f.times.nanos.Add(int64(time.Since(began)))
	f.times.count.Add(1)
	if err != nil {
		f.times.failed.Add(1)
	}
	return err
}
