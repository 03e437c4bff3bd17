package store

import (
	"encoding/binary"
	"testing"
)

// nullSink takes a snapshot and does nothing with it.
type nullSink struct{ n int }

func (s *nullSink) Key(*SnapshotKey, *Value) error            { s.n++; return nil }
func (s *nullSink) Begin(*SnapshotKey, int) error             { s.n++; return nil }
func (s *nullSink) Element(item, value []byte, _ int64) error { s.n++; return nil }
func (s *nullSink) End() error                                { return nil }

func cut(b *testing.B, s *Store) *Snapshot {
	b.Helper()
	s.LockAll()
	sn, err := s.CutLocked(1_700_000_000_000)
	s.UnlockAll()
	if err != nil {
		b.Fatal(err)
	}
	return sn
}

// BenchmarkSnapshot walks the store without encoding anything.
func BenchmarkSnapshot(b *testing.B) { benchmarkBySize(b, benchSnapshot) }

func benchSnapshot(b *testing.B, keys int) {
	s := benchOpen(b)
	fill(b, s, keys)
	for b.Loop() {
		if err := cut(b, s).Run(new(nullSink)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(keys), "ns/key")
}

// BenchmarkSnapshotHash walks one hash of 5 million fields.
func BenchmarkSnapshotHash(b *testing.B) {
	const fields = 5_000_000
	s := benchOpen(b)
	v := &View{Store: s, Now: 1_700_000_000_000}
	value := make([]byte, 64)
	for i := range fields {
		if _, err := v.SetFields(s.Key([]byte("hash")), [][]byte{benchKey(uint64(i)), value}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if err := cut(b, s).Run(new(nullSink)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/fields, "ns/field")
}

// BenchmarkSetDuringSnapshot is SET of keys that the snapshot has yet to write,
// each of which hands a record over, beside SET without a snapshot.
func BenchmarkSetDuringSnapshot(b *testing.B) {
	b.Run("none", func(b *testing.B) { benchSetDuring(b, false) })
	b.Run("unsaved", func(b *testing.B) { benchSetDuring(b, true) })
}

func benchSetDuring(b *testing.B, snapshot bool) {
	const keys = 1_000_000
	s := benchOpen(b)
	v := fill(b, s, keys)
	value := make([]byte, 64)
	var name [16]byte
	copy(name[:], "key:0000")
	for done := 0; done < b.N; done += keys {
		b.StopTimer()
		var sn *Snapshot
		if snapshot {
			sn = cut(b, s)
		}
		b.StartTimer()
		for i := range min(keys, b.N-done) {
			binary.LittleEndian.PutUint64(name[8:], uint64(i*7919%keys))
			k := s.Key(name[:])
			s.Lock(k.Shard())
			v.SetString(k, value, 0)
			s.Unlock(k.Shard())
		}
		b.StopTimer()
		if snapshot {
			if err := sn.Run(new(nullSink)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkCut is the time for which all locks are held.
func BenchmarkCut(b *testing.B) {
	s := benchOpen(b)
	fill(b, s, 100_000)
	for b.Loop() {
		sn := cut(b, s)
		b.StopTimer()
		if err := sn.Run(new(nullSink)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
