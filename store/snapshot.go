package store

import (
	"errors"
	"sync/atomic"
)

// Snapshots.
//
// # Problem
//
// A file has to show all databases as they were at one moment, the cut, while
// clients go on changing them. Redis forks: the kernel copies each page that
// is written to, 4 KiB for a counter, and the fork itself stops everything for
// some 10 ms per gigabyte. A Go program cannot fork, and need not: it knows
// where a record begins and ends.
//
// # The parity bit
//
// Each slot of a table has one bit beside its reference (bucket.go), each shard
// says which value of it means "saved". At rest all bits of a shard, in the
// keyspace and in the tables that are bodies of values, equal the shard's. The
// cut turns the shard's value around, and with that every record is unsaved:
// no record is visited, so the cut takes microseconds. A new record gets the
// value of saved ones, since the snapshot must not have it. What moves slots
// about (growth, splits, removals, compaction) takes the bit along and knows
// nothing else of snapshots.
//
// Two sides look for unsaved records, and whoever comes first marks the slot:
//
//   - The walk (snapshotwalk.go) walks the tables that existed at the cut, in
//     hash order by SCAN's cursor, so that no growth or shrinking makes it miss
//     a record. It holds a lock for 64 records or 32 KiB, which it copies; they
//     are encoded and written without the lock.
//   - A writer (snapshotpreserve.go) that is about to change or remove an unsaved record
//     hands the old block over: to the queue of the shard. Removing and
//     overwriting cost no copy by that, the block is merely not freed; a change
//     in place copies the record and goes on with the copy. The janitor is a
//     writer like the others.
//
// The queue is written before the walk goes on when it has become long
// (drainAt), straight from the blocks, which are then freed. What is in it is
// the snapshot's Debt: writers are not stopped here, who admits commands may
// slow them down.
//
// # Bodies
//
// The first writer that comes to an unwritten big value hands the key's record
// over with the number of elements at the cut, so that the value is written
// soon. How its body keeps the elements as they were is the body's own affair.
// In a table they have bits too, so that a change of one field in a million
// preserves one field: it is handed over to a queue of the table (kept), until
// the walk through it has ended. A body lives on for that when its key is
// removed, renamed or overwritten meanwhile, and even when its database is
// flushed: it is an orphan, which becomes garbage when it has been written. So
// does the table of a flushed database, which carries its number at the cut, so
// that SWAPDB needs no care.
//
// The epoch of a table or body reports whether it has been written: it equals the
// shard's then, and also when it was made after the cut. What was garbage at the cut
// is no part of the snapshot.
//
// # Big records
//
// A record above 256 KiB is not copied under the lock but pinned and read
// without it. Its slot stays unsaved until then: a writer that comes sees an
// unsaved record and hands it over, but to the pin, which frees it. Compaction
// does not move blocks of that size. A change in place of such a record copies
// it, once per snapshot and under the lock: some 60 ms for APPEND to 100 MB.
//
// # The end
//
// An aborted snapshot, or one whose sink failed, walks on to the end and only
// marks, so that all bits are equal again before the next cut.
//
// # Numbers
//
// On a virtual machine of two cores: the cut takes 40 us with 64 shards. 5
// million keys of 16 bytes with 64 go by in 0.4 s, 80 ns each; locks are held
// for 4 us in the median, 8 in the 99th percentile, and as long for values of
// 100 KB. The fields of a hash of 5 million take 95 ns each. The first SET of
// an unsaved key takes 240 ns longer, and keeps its old record and 40 bytes
// until they have been written. Without a snapshot GET and SET take as long as
// before there was any of this.
//
// # Rejected
//
// Writing a whole bucket when a writer is about to change it (Dragonfly does):
// ten records for one, encoded in the client's time, and guests belong to other
// buckets. A version number in each bucket or record instead of a bit: memory,
// at rest too, for what one bit of the reference says. A copy of the tables'
// slots at the cut: time under all locks that grows with the keys. Walking at
// the cut's pace with a log of changes to be undone: the file is then not one
// moment unless it is read back.

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
	// FirstExpiry is a time before which no element of a big collection expires, 0 if none does.
	FirstExpiry int64
	Idle        int64  // seconds since the last access, -1 under an LFU policy
	Freq        int    // the access counter, -1 under any other
	Extras      []byte // what else the key has, by Extras.Append; empty for nothing
}

// Sink takes the keys of a snapshot. Its methods are called by the goroutine
// in Snapshot.Run without any lock (RunLocked: with the caller's). An error
// ends the snapshot. Bytes are valid until the method returns.
type Sink interface {
	// Key is a key with its value in one piece.
	Key(k *SnapshotKey, v *Value) error
	// Begin is a big hash or set; n calls of Element follow, and one of End.
	Begin(k *SnapshotKey, n int) error
	// Element is a field and its value, or a member and nil, and when it expires, in unix
	// milliseconds, 0 for never.
	Element(item, value []byte, expire int64) error
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
	// Pause, if not nil, is called by Run after each unit of work, some tens of
	// microseconds unless values are large, without any lock.
	Pause func()

	s      *Store
	now    int64
	counts []DBCount
	tables []cutTable
	total  int64

	aborted atomic.Bool
	done    atomic.Int64
	pending [MaxShards / 64]atomic.Uint64 // shards whose queue is not empty

	snapshotWalk
}

// CutLocked begins a snapshot of what the store holds now, in unix
// milliseconds. The caller holds all locks; it takes some tens of
// microseconds, whatever the store holds. There is one snapshot at a time: the
// error is ErrSnapshotRunning while another is.
func (s *Store) CutLocked(now int64) (*Snapshot, error) {
	if s.snapshot.Load() != nil {
		return nil, ErrSnapshotRunning
	}
	sn := &Snapshot{s: s, now: now, snapshotWalk: snapshotWalk{meter: s.Meter()}}
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
		if sn.Pause != nil && !sn.locked {
			sn.Pause()
		}
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
