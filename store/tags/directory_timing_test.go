package tags

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderkv/larder/store/arena"
)

const million = 1 << 20

// cpu reports the processor time since it was called, which others on the machine do not change as
// much as the time that has passed.
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

// nameOf is the name of a tag by number, 12 bytes.
func nameOf(buf []byte, i uint64) []byte {
	buf = append(buf[:0], "tag:"...)
	return binary.BigEndian.AppendUint64(buf, i*0x9E3779B97F4A7C15)
}

// refsTo makes tags with one key each.
func refsTo(b *testing.B, d *Directory, tags int) (refs []Ref, stamps []uint64) {
	b.Helper()
	refs, stamps = make([]Ref, tags), make([]uint64, tags)
	var buf []byte
	for i := range refs {
		buf = nameOf(buf, uint64(i))
		refs[i] = d.Hold(1, buf)
		stamps[i] = d.Link(refs[i], uint64(i))
	}
	return refs, stamps
}

// benchDirectory makes a directory in a heap of its own, which done gives back.
func benchDirectory(b *testing.B) (d *Directory, done func()) {
	b.Helper()
	heap, err := arena.NewHeap()
	if err != nil {
		b.Fatal(err)
	}
	return New(heap, nil), func() {
		if err := heap.Close(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkTag is all that a key with one tag costs here, from SET to DEL.
func BenchmarkTag(b *testing.B) {
	for _, tags := range []int{1, 1000, million} {
		b.Run(fmt.Sprint("tags=", tags), func(b *testing.B) {
			d, done := benchDirectory(b)
			defer done()
			refsTo(b, d, tags)
			var buf []byte
			defer cpu(b)()
			for i := range b.N {
				buf = nameOf(buf, uint64(i*7919%tags))
				r := d.Hold(1, buf)
				d.Unlink(r, d.Link(r, uint64(i)))
				d.Drop(r)
			}
		})
	}
}

// BenchmarkNewTag is BenchmarkTag where the key is the only one of its tag.
func BenchmarkNewTag(b *testing.B) {
	d, done := benchDirectory(b)
	defer done()
	refsTo(b, d, million)
	var buf []byte
	defer cpu(b)()
	for i := range b.N {
		buf = nameOf(buf, uint64(million+i))
		r := d.Hold(1, buf)
		d.Unlink(r, d.Link(r, uint64(i)))
		d.Drop(r)
	}
}

func BenchmarkLinkUnlink(b *testing.B) {
	for _, tags := range []int{1, million} {
		b.Run(fmt.Sprint("tags=", tags), func(b *testing.B) {
			d, done := benchDirectory(b)
			defer done()
			refs, _ := refsTo(b, d, tags)
			defer cpu(b)()
			for i := range b.N {
				r := refs[i*7919%tags]
				d.Unlink(r, d.Link(r, uint64(i)))
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
	for _, tags := range []int{1, million} {
		b.Run(fmt.Sprint("tags=", tags), func(b *testing.B) {
			d, done := benchDirectory(b)
			defer done()
			refs, stamps := refsTo(b, d, tags)
			invalid := 0
			defer cpu(b)()
			for i := range b.N {
				n := i * 7919 % tags
				if gone, stale := d.State(refs[n], stamps[n]); gone || stale {
					invalid++
				}
			}
			if invalid > 0 {
				b.Fatal("a key is gone")
			}
		})
	}
}

// BenchmarkInvalidate is of a tag with 5 million keys, and what its sweep costs here by key.
func BenchmarkInvalidate(b *testing.B) {
	const keys = 5_000_000
	var invalidate, sweep time.Duration
	places := make([]Place, 128)
	for b.Loop() {
		b.StopTimer()
		d, done := benchDirectory(b)
		r := d.Hold(1, []byte("products"))
		for i := range uint64(keys) {
			d.Link(r, i)
			d.Retain(r)
		}
		b.StartTimer()
		start := time.Now()
		n := d.Invalidate(1, []byte("products"), false)
		invalidate += time.Since(start)
		if n != keys {
			b.Fatalf("%d keys", n)
		}
		start = time.Now()
		for n := 1; n > 0; {
			_, n = d.Sweep(places)
		}
		sweep += time.Since(start)
		b.StopTimer()
		done()
		b.StartTimer()
	}
	b.ReportMetric(float64(invalidate.Nanoseconds())/float64(b.N), "invalidate-ns/op")
	b.ReportMetric(float64(sweep.Nanoseconds())/float64(b.N)/keys, "sweep-ns/key")
}

// BenchmarkLongestHold is the longest processor time that a Hold takes which makes a tag, of four
// million. Page faults are in it.
func BenchmarkLongestHold(b *testing.B) {
	const tags = 4 * million
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() int64 {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			b.Fatal(err)
		}
		return t.Nano()
	}
	var longest int64
	for b.Loop() {
		d, done := benchDirectory(b)
		var buf []byte
		for i := range uint64(tags) {
			buf = nameOf(buf, i)
			start := now()
			d.Hold(1, buf)
			longest = max(longest, now()-start)
		}
		done()
	}
	b.ReportMetric(float64(longest)/1000, "longest-us")
}

// heldBy is the memory of all spans that have a block in use.
func heldBy(d *Directory) (bytes int64) {
	for i := range d.stripes {
		bytes += d.stripes[i].ar.Held()
	}
	return bytes
}

// BenchmarkBytes reports what tags with so many keys each take, over their names of 12 to 19 bytes, and
// what each key beyond the first adds.
func BenchmarkBytes(b *testing.B) {
	oneKey := 0.0
	for _, keys := range []int{1, 2, 3, 5, 10, 30, 100, 1000, 100_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			var perTag, held float64
			for b.Loop() {
				d, done := benchDirectory(b)
				tags := min(million, max(1, 4*million/max(1, keys)))
				var buf []byte
				names := 0
				for i := range uint64(tags) {
					buf = append(nameOf(buf, i), "-------"[:i%8]...)
					names += len(buf)
					r := d.Hold(1, buf)
					for k := range keys {
						d.Link(r, uint64(k))
						d.Retain(r)
					}
				}
				perTag = float64(d.Used()-int64(names)) / float64(tags)
				held = float64(heldBy(d)-int64(names)) / float64(tags)
				done()
			}
			b.ReportMetric(perTag, "B/tag")
			b.ReportMetric(held, "held-B/tag")
			if keys > 1 {
				b.ReportMetric((perTag-oneKey)/float64(keys-1), "B/key")
			}
			if keys == 1 {
				oneKey = perTag
			}
		})
	}
}

// BenchmarkFewTags reports what a thousand tags with ten keys each take of memory, open spans included.
func BenchmarkFewTags(b *testing.B) {
	for b.Loop() {
		d, done := benchDirectory(b)
		var buf []byte
		for i := range uint64(1000) {
			buf = fmt.Append(buf[:0], "product:", i)
			r := d.Hold(1, buf)
			for k := range i % 20 {
				d.Link(r, k)
				d.Retain(r)
			}
		}
		b.ReportMetric(float64(heldBy(d)), "held-B")
		b.ReportMetric(float64(d.Used()), "used-B")
		done()
	}
}
