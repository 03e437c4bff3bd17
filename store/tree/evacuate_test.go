package tree

import (
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// evacuated is a tree's walk.
type evacuated interface {
	Bytes() int64
	Check() error
	Evacuate(c *Cursor, budget int64) (moved int64, blocks, left int, done bool)
}

// compact walks a tree until nothing is gained any more, in which bounded calls change nothing but
// where blocks lie.
func compact(t *testing.T, ar *arena.Arena, o evacuated) {
	t.Helper()
	const budget = 16 << 10
	for ar.BeginCompaction(10) > 0 {
		before, sum := o.Bytes(), 0
		var c Cursor
		for done := false; !done; {
			var moved int64
			var blocks, left int
			moved, blocks, left, done = o.Evacuate(&c, budget)
			if moved > 2*budget || blocks+left > visited*(maxHeight+1) {
				t.Fatalf("one call moved %d bytes in %d blocks and left %d", moved, blocks, left)
			}
			sum += blocks
		}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		ar.EndCompaction()
		// Blocks of wider classes may have stood in for others.
		if sum == 0 || o.Bytes() > before+before/10 {
			t.Fatalf("%d blocks were moved, and %d bytes became %d", sum, before, o.Bytes())
		}
	}
	if held := ar.Held(); held*4 > ar.Used()*5 {
		t.Errorf("compaction left %d bytes for %d in use", held, ar.Used())
	}
}

// What a deletion at random places has left is brought together.
func TestEvacuate(t *testing.T) {
	rng := randtest.New(t)
	ar := testArena(t)
	l := NewList(ar)
	for range 300_000 { // far more than the half-open spans of all size classes hold
		l.PushBack(make([]byte, rng.IntN(40)))
	}
	for l.Len() > 60_000 {
		l.Delete(rng.IntN(l.Len()), 1)
	}
	compact(t, ar, l)
	ar = testArena(t)
	o := NewOrder(ar, nil)
	for n := range 200_000 {
		o.Insert(rng.Float64(), arena.Ref(n+1))
	}
	for o.Len() > 40_000 {
		o.DeleteRange(rng.IntN(o.Len()), 1, nil)
	}
	compact(t, ar, o)
}

// Nothing moves while a version is frozen, since it is read without the lock.
func TestNothingFrozenMoves(t *testing.T) {
	rng := randtest.New(t)
	ar := testArena(t)
	l := NewList(ar)
	for range 200_000 {
		l.PushBack(make([]byte, 20))
	}
	for l.Len() > 40_000 {
		l.Delete(rng.IntN(l.Len()), 1)
	}
	l.Freeze(1)
	if ar.BeginCompaction(0) == 0 {
		t.Fatal("there is nothing to gain")
	}
	defer ar.EndCompaction()
	var c Cursor
	if moved, blocks, _, done := l.Evacuate(&c, 1<<20); moved != 0 || blocks != 0 || !done {
		t.Errorf("%d blocks were moved", blocks)
	}
}
