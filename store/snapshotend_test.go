package store

import (
	"errors"
	"fmt"
	"testing"
)

// filled makes a store with strings, a big hash and a pinned record.
func filled(t *testing.T, keys int) (*Store, *View) {
	t.Helper()
	s := testStore(t)
	v := &View{Store: s, Now: 1_700_000_000_000}
	for i := range keys {
		v.SetString(s.Key(fmt.Append(nil, "key:", i)), make([]byte, 1000), 0)
	}
	for i := range 1000 {
		if _, err := v.SetFields(s.Key([]byte("hash")), bytesOf([]string{fmt.Sprint("field:", i), "value"})); err != nil {
			t.Fatal(err)
		}
	}
	v.SetString(s.Key([]byte("long")), make([]byte, 3*pinAt), 0)
	return s, v
}

func cutNow(t *testing.T, s *Store) *Snapshot {
	t.Helper()
	s.LockAll()
	defer s.UnlockAll()
	sn, err := s.CutLocked(1_700_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return sn
}

// A sink's error ends the snapshot, at whichever call it comes; so does Abort.
// The next snapshot is whole.
func TestSnapshotEndsEarly(t *testing.T) {
	s, v := filled(t, 300)
	for fail := 1; fail < 1250; fail += 100 {
		sn := cutNow(t, s)
		v.SetString(s.Key([]byte("long")), make([]byte, 2*pinAt), 0)
		v.Delete(s.Key(fmt.Append(nil, "key:", fail)))
		if err := sn.Run(&collector{t: t, keys: map[string]string{}, fail: fail}); err != errNoSpace {
			t.Errorf("call %d: %v", fail, err)
		}
		checkAtRest(t, s)
	}
	sn := cutNow(t, s)
	sn.Abort()
	v.Delete(s.Key([]byte("hash")))
	if err := sn.Run(nil); !errors.Is(err, ErrAborted) {
		t.Error(err)
	}
	checkAtRest(t, s)
	want := dump(s)
	c := &collector{t: t, keys: map[string]string{}}
	sn = cutNow(t, s)
	if err := sn.Run(c); err != nil {
		t.Error(err)
	}
	compare(t, c.keys, want)
}

// Databases counts what is there at the cut, by database.
func TestSnapshotCounts(t *testing.T) {
	s, v := filled(t, 10)
	v.DB = 2
	v.SetString(s.Key([]byte("a")), nil, v.Now+1)
	v.SetString(s.Key([]byte("b")), nil, 0)
	sn := cutNow(t, s)
	v.Delete(s.Key([]byte("b")))
	if got := fmt.Sprint(sn.Databases()); got != "[{0 12 0} {2 2 1}]" {
		t.Errorf("databases %v", got)
	}
	if done, total := sn.Progress(); done != 0 || total != 14 {
		t.Errorf("%d of %d keys", done, total)
	}
	if err := sn.Run(new(nullSink)); err != nil {
		t.Error(err)
	}
	if done, total := sn.Progress(); done != 14 || total != 14 {
		t.Errorf("%d of %d keys", done, total)
	}
}

// What writers hand over is owed until it has been written, which comes first
// when it is much.
func TestSnapshotDebt(t *testing.T) {
	s, v := filled(t, 2000)
	sn := cutNow(t, s)
	if s.Debt() != 0 {
		t.Errorf("%d bytes owed at the cut", s.Debt())
	}
	want := int64(0)
	for i := range 1000 {
		k := s.Key(fmt.Append(nil, "key:", i))
		e, _ := v.Peek(k)
		want += int64(s.shards[k.Shard()].ar.Footprint(e.ref))
		v.SetString(k, []byte("new"), 0)
		v.SetString(k, []byte("newer"), 0)
	}
	if s.Debt() != want {
		t.Errorf("%d bytes owed, want %d", s.Debt(), want)
	}
	sn.sink = new(nullSink)
	for s.Debt() >= drainAt && sn.step() {
	}
	if done, _ := sn.Progress(); done > 1000 {
		t.Errorf("%d keys were written to pay off 1000", done)
	}
	for sn.step() {
	}
	checkAtRest(t, s)
}

// The walk allocates per snapshot and not per key.
func TestSnapshotAllocations(t *testing.T) {
	s, _ := filled(t, 5000)
	if n := testing.AllocsPerRun(5, func() {
		if err := cutNow(t, s).Run(new(nullSink)); err != nil {
			t.Fatal(err)
		}
	}); n > 30 {
		t.Errorf("a snapshot of 5000 keys and 1000 fields allocates %v times", n)
	}
}
