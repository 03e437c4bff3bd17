package store

import (
	"errors"
	"sync/atomic"
)

// Errors of snapshots.
var (
	ErrSnapshotRunning = errors.New("store: a snapshot is running already")
	ErrAborted         = errors.New("store: snapshot aborted")
)

// SnapshotKey is a key of a snapshot without its value. Name is valid until
// the method of the Sink that got it returns.
type SnapshotKey struct {
	DB       int // at the cut
	Name     []byte
	Type     Type
	ExpireAt int64 // unix milliseconds, 0 for none; it may have passed
	Idle     int64 // seconds since the last access, -1 under an LFU policy
	Freq     int   // the access counter, -1 under an LRU policy
}

// Sink takes the keys of a snapshot. Its methods are called by the goroutine
// in Snapshot.Run without any lock (RunLocked: with the caller's). An error
// ends the snapshot. Bytes are valid until the method returns.
type Sink interface {
	// Key is a key with its value in one piece.
	Key(k *SnapshotKey, v *Value) error
	// Begin is a big hash or set; n calls of Element follow, and one of End.
	Begin(k *SnapshotKey, n int) error
	// Element is a field and its value, or a member and nil.
	Element(item, value []byte) error
	End() error
}

// DBCount are the counts of one database.
type DBCount struct {
	DB            int
	Keys, Expires int // keys, and how many of them have an expiry time
}

// Snapshot is a copy of all databases as they were at one moment, the cut,
// that is written while clients go on changing them. CutLocked makes one, Run
// or RunLocked has to be called once and ends it.
type Snapshot struct {
	s      *Store
	now    int64
	counts []DBCount
	tables []cutTable
	total  int64

	aborted atomic.Bool
	done    atomic.Int64
	pending [MaxShards / 64]atomic.Uint64 // shards whose queue is not empty

	scanner
}

// CutLocked begins a snapshot of what the store holds now, in unix
// milliseconds. The caller holds all locks; it takes some tens of
// microseconds, whatever the store holds. There is one snapshot at a time: the
// error is ErrSnapshotRunning while another is.
func (s *Store) CutLocked(now int64) (*Snapshot, error) {
	if s.snapshot.Load() != nil {
		return nil, ErrSnapshotRunning
	}
	sn := &Snapshot{s: s, now: now, scanner: scanner{lfu: s.evict.LFU.Load()}}
	for i := range s.shards {
		s.shards[i].cutLocked(sn, i)
	}
	for db := range s.nDBs {
		count := DBCount{DB: db}
		for i := range s.shards {
			sh := &s.shards[i]
			t := sh.dbs[db]
			if t == nil {
				continue
			}
			t.db = int32(db)
			count.Keys += t.n
			count.Expires += t.ttls
			sn.tables = append(sn.tables, cutTable{sh, t})
		}
		if count.Keys > 0 {
			sn.counts = append(sn.counts, count)
			sn.total += int64(count.Keys)
		}
	}
	s.snapshot.Store(sn)
	return sn, nil
}

// Databases are the counts at the cut of the databases that hold keys,
// expired ones that are not yet removed included.
func (sn *Snapshot) Databases() []DBCount { return sn.counts }

// Progress is the number of keys written so far and of all. Any goroutine may
// call it.
func (sn *Snapshot) Progress() (keys, total int64) { return sn.done.Load(), sn.total }

// Abort makes Run stop writing and return ErrAborted. Any goroutine may call
// it, also before Run.
func (sn *Snapshot) Abort() { sn.aborted.Store(true) }

// Run writes the snapshot. It takes the locks of shards itself, one at a time
// and for some microseconds, and returns the sink's first error, or ErrAborted
// after Abort. In any case it returns when the snapshot is over, which takes a
// walk over all keys also when nothing more is written. sink may be nil after
// Abort.
func (sn *Snapshot) Run(sink Sink) error {
	sn.sink = sink
	for sn.step() {
	}
	return sn.err
}

// RunLocked is Run for a caller that holds all locks from before the call until
// after it.
func (sn *Snapshot) RunLocked(sink Sink) error {
	sn.locked = true
	return sn.Run(sink)
}

// Debt is the number of bytes that writers have handed over to the running
// snapshot and that it has not yet written; 0 without one. Whole collections
// and databases that were removed and wait to be written do not count. It is
// one atomic load.
func (s *Store) Debt() int64 { return s.debt.Load() }

// Removal is a reason for which the store removes a key by itself.
type Removal uint8

// The reasons.
const (
	Expired Removal = iota
)

// OnRemove sets what is called for every removal by the store itself, under
// the lock of the key's shard and before the record goes; it must not change
// the store. Set it once, before the store is used. View.Removed takes its
// place for removals inside a command.
func (s *Store) OnRemove(fn func(db int, key []byte, why Removal)) { s.onRemove = fn }

func (v *View) removed() func(db int, key []byte, why Removal) {
	if v.Removed != nil {
		return v.Removed
	}
	return v.Store.onRemove
}
