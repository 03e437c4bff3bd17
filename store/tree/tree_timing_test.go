package tree

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

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
			b.ResetTimer()
			for range b.N {
				i := 0
				if !front {
					i = l.Len() - 1
				}
				l.At(i)
				l.Delete(i, 1)
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
	for b.Loop() {
		l.PushBack(s)
		l.Delete(0, 1)
	}
}

func BenchmarkListAt(b *testing.B) {
	l := bigList(b)
	rng := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		l.At(rng.IntN(million))
	}
}

func BenchmarkListInsertDelete(b *testing.B) {
	l := bigList(b)
	rng := rand.New(rand.NewPCG(1, 1))
	s := element(1)
	b.ResetTimer()
	for range b.N {
		l.Insert(rng.IntN(l.Len()), s)
		l.Delete(rng.IntN(l.Len()), 1)
	}
}

func BenchmarkListRange100(b *testing.B) {
	l := bigList(b)
	rng := rand.New(rand.NewPCG(1, 1))
	sum := 0
	for b.Loop() {
		from := rng.IntN(million - 100)
		l.Each(from, func(i int, s []byte) bool {
			sum += len(s)
			return i < from+99
		})
	}
}

// BenchmarkListFind looks for what is not there: ns/element.
func BenchmarkListFind(b *testing.B) {
	for _, back := range []bool{false, true} {
		b.Run(map[bool]string{false: "forward", true: "back"}[back], func(b *testing.B) {
			l := bigList(b)
			from := 0
			if back {
				from = million - 1
			}
			for b.Loop() {
				l.Find(element(million), from, back)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/element")
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
