package tree

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/store/arena"
)

// cpu reports the processor time since it was called, which others on the machine do not
// change as much as the time that has passed.
func cpu(b *testing.B) (report func()) {
	used := func() time.Duration {
		var r unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	b.ResetTimer()
	start := used()
	return func() { b.ReportMetric(float64((used()-start).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

const million = 1 << 20

func element(i uint64) []byte {
	var s [20]byte
	copy(s[:], "element:")
	binary.BigEndian.PutUint64(s[8:], i)
	return s[:]
}

func bigList(b *testing.B) *List {
	l := NewList(testArena(b))
	for i := range uint64(million) {
		l.PushBack(element(i))
	}
	return l
}

// BenchmarkListPush also says what a list of elements of 20 bytes takes.
func BenchmarkListPush(b *testing.B) {
	for _, front := range []bool{false, true} {
		b.Run(map[bool]string{false: "back", true: "front"}[front], func(b *testing.B) {
			l := NewList(testArena(b))
			s := element(1)
			defer cpu(b)()
			for range b.N {
				l.push(s, front)
			}
			b.ReportMetric(float64(l.Bytes())/float64(b.N), "bytes/element")
		})
	}
}

func BenchmarkListPop(b *testing.B) {
	for _, front := range []bool{false, true} {
		b.Run(map[bool]string{false: "back", true: "front"}[front], func(b *testing.B) {
			l := NewList(testArena(b))
			for i := range b.N {
				l.PushBack(element(uint64(i)))
			}
			defer cpu(b)()
			for range b.N {
				l.End(front)
				l.Pop(front)
			}
		})
	}
}

// BenchmarkListQueue is a queue of a hundred elements.
func BenchmarkListQueue(b *testing.B) {
	l := NewList(testArena(b))
	s := element(1)
	for range 100 {
		l.PushBack(s)
	}
	defer cpu(b)()
	for range b.N {
		l.PushBack(s)
		l.Pop(true)
	}
}

func BenchmarkListAt(b *testing.B) {
	for _, same := range []bool{true, false} {
		b.Run(map[bool]string{true: "same-length", false: "any-length"}[same], func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			l := NewList(testArena(b))
			for i := range uint64(million) {
				s := element(i)
				if !same {
					s = append(s, s...)[:10+rng.IntN(21)]
				}
				l.PushBack(s)
			}
			defer cpu(b)()
			for range b.N {
				l.At(rng.IntN(million))
			}
		})
	}
}

func BenchmarkListInsertDelete(b *testing.B) {
	l := bigList(b)
	rng := rand.New(rand.NewPCG(1, 1))
	s := element(1)
	defer cpu(b)()
	for range b.N {
		l.Insert(rng.IntN(l.Len()), s)
		l.Delete(rng.IntN(l.Len()), 1)
	}
}

func BenchmarkListRange100(b *testing.B) {
	l := bigList(b)
	rng := rand.New(rand.NewPCG(1, 1))
	sum := 0
	defer cpu(b)()
	for range b.N {
		from := rng.IntN(million - 100)
		l.Each(from, func(i int, s []byte) bool {
			sum += len(s)
			return i < from+99
		})
	}
}

// BenchmarkListFind looks through a million elements for what is not there.
func BenchmarkListFind(b *testing.B) {
	for _, back := range []bool{false, true} {
		b.Run(map[bool]string{false: "forward", true: "back"}[back], func(b *testing.B) {
			l := bigList(b)
			from := 0
			if back {
				from = million - 1
			}
			defer cpu(b)()
			for range b.N {
				l.Find(element(million), from, back)
			}
		})
	}
}

// BenchmarkListFill says what a list takes that grew, or shrank, at random places.
func BenchmarkListFill(b *testing.B) {
	for range b.N {
		rng := rand.New(rand.NewPCG(1, 1))
		ar := testArena(b)
		l := NewList(ar)
		for i := range 200_000 {
			l.Insert(rng.IntN(i+1), element(uint64(i)))
		}
		b.ReportMetric(float64(l.Bytes())/float64(l.Len()), "grown-bytes/element")
		b.ReportMetric(float64(ar.Held())/float64(l.Len()), "grown-held/element")
		for range 150_000 {
			l.Delete(rng.IntN(l.Len()), 1)
		}
		b.ReportMetric(float64(l.Bytes())/float64(l.Len()), "shrunk-bytes/element")
	}
}

// bigOrder is an order of a million pairs with random scores, whose members of 16 bytes lie in
// records at random places.
func bigOrder(b *testing.B) (o *Order, scores []float64, refs []arena.Ref) {
	rng := rand.New(rand.NewPCG(1, 1))
	rec := &records{ar: testArena(b)}
	o = NewOrder(testArena(b), rec.member)
	scores, refs = make([]float64, million), make([]arena.Ref, million)
	for i := range refs {
		var name [16]byte
		copy(name[:], "member:")
		binary.BigEndian.PutUint64(name[8:], uint64(i))
		refs[i] = rec.add(name[:])
	}
	for i := range scores {
		scores[i] = rng.Float64()
	}
	for i := range scores {
		o.Insert(scores[i], refs[i])
	}
	return o, scores, refs
}

// BenchmarkOrderInsert also says what an order takes that has grown at random places.
func BenchmarkOrderInsert(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	ar := testArena(b)
	o := NewOrder(ar, nil)
	defer cpu(b)()
	for i := range b.N {
		o.Insert(rng.Float64(), arena.Ref(i))
	}
	b.ReportMetric(float64(o.Bytes())/float64(b.N), "bytes/pair")
	b.ReportMetric(float64(ar.Held())/float64(b.N), "held/pair")
}

func BenchmarkOrder(b *testing.B) {
	o, scores, refs := bigOrder(b)
	rng := rand.New(rand.NewPCG(2, 2))
	run := func(name string, fn func(i int)) {
		b.Run(name, func(b *testing.B) {
			defer cpu(b)()
			for range b.N {
				fn(rng.IntN(million))
			}
		})
	}
	run("Rank", func(i int) { o.Rank(scores[i], refs[i]) })
	run("At", func(i int) { o.At(i) })
	run("LowerBound", func(i int) { o.LowerBound(scores[i], false) })
	run("DeleteInsert", func(i int) {
		o.Delete(scores[i], refs[i])
		o.Insert(scores[i], refs[i])
	})
	run("UpdateFar", func(i int) {
		score := rng.Float64()
		o.Update(scores[i], score, refs[i])
		scores[i] = score
	})
	run("UpdateNear", func(i int) {
		score := scores[i] + 1e-6
		o.Update(scores[i], score, refs[i])
		scores[i] = score
	})
	run("Each100", func(i int) {
		end := i + 99
		o.Each(i, func(i int, _ float64, _ arena.Ref) bool { return i < end })
	})
	run("Moved", func(i int) { o.Moved(scores[i], nil, refs[i], refs[i]) })
	b.Run("PopMin", func(b *testing.B) {
		defer cpu(b)()
		for range b.N {
			if o.Len() == 0 {
				break
			}
			o.DeleteRange(0, 1, nil)
		}
	})
}
