package arena

import (
	"bytes"
	"testing"

	"github.com/larderkv/larder/store/invariants"
	"github.com/larderkv/larder/tests/randtest"
)

func testHeap(t testing.TB) *Heap {
	t.Helper()
	h, err := NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestClasses(t *testing.T) {
	last := uint32(0)
	for i, c := range sizeClasses.class {
		if c.size <= last || c.size%unitSize != 0 || c.size >= 1024 && c.size%64 != 0 {
			t.Errorf("class %d has size %d after %d", i, c.size, last)
		}
		if last >= 128 && c.size < 10<<10 && c.size > last+last/4+64 {
			t.Errorf("class %d: %d is too far from %d", i, c.size, last)
		}
		last = c.size
	}
	if last < maxSmall {
		t.Errorf("the largest class is %d", last)
	}
	for _, exact := range []int{64, 128, 256, 512, 1024, 2048, 4096, 8192} {
		if RoundUp(exact) != exact {
			t.Errorf("%d is rounded to %d", exact, RoundUp(exact))
		}
	}
	for n := 1; n < 1<<20; n += 1 + n/50 {
		if r := RoundUp(n); r < n || n > 128 && r > n+n/3+largePage {
			t.Errorf("%d is rounded to %d", n, r)
		}
	}
}

type block struct {
	ref  Ref
	n    int
	fill byte
}

func (b block) check(t *testing.T, a *Arena) {
	t.Helper()
	mem := a.Bytes(b.ref, b.n)
	if mem[0] != b.fill || mem[b.n-1] != b.fill || b.n < 4096 && !bytes.Equal(mem, bytes.Repeat([]byte{b.fill}, b.n)) {
		t.Fatalf("block %x of %d bytes was overwritten", b.ref, b.n)
	}
}

func TestAllocFree(t *testing.T) {
	rng := randtest.New(t)
	h := testHeap(t)
	arenas := []*Arena{h.NewArena(), h.NewArena()}
	blocks := make([][]block, 2)
	for step := range 60000 {
		i := rng.IntN(2)
		a, bs := arenas[i], blocks[i]
		grow := step/6000%2 == 0
		if len(bs) > 0 && (grow && rng.IntN(3) == 0 || !grow && rng.IntN(3) > 0) {
			j := rng.IntN(len(bs))
			bs[j].check(t, a)
			a.Free(bs[j].ref)
			bs[j] = bs[len(bs)-1]
			blocks[i] = bs[:len(bs)-1]
			continue
		}
		b := block{n: 1 + rng.IntN(1<<rng.IntN(16)), fill: byte(rng.Uint32())}
		b.ref = a.Alloc(b.n)
		if c := a.Cap(b.ref); c < b.n || c < RoundUp(b.n) || b.n > 32 && b.n <= maxSmall && c > RoundUp(b.n)*5/4 {
			t.Fatalf("capacity %d for %d bytes", c, b.n)
		}
		mem := a.Bytes(b.ref, b.n)
		for k := range mem {
			mem[k] = b.fill
		}
		blocks[i] = append(bs, b)
	}
	for i, a := range arenas {
		for _, b := range blocks[i] {
			b.check(t, a)
		}
		if i == 0 {
			a.Reset()
		}
		for _, b := range blocks[i] {
			if i == 1 {
				a.Free(b.ref)
			}
		}
		if a.Used() != 0 {
			t.Errorf("%d bytes in use after all were freed", a.Used())
		}
	}
	for more := true; more; {
		var err error
		if more, err = h.Scavenge(); err != nil {
			t.Fatal(err)
		}
	}
	if s := h.Stats(); s.Spans > 64*(64<<10) || s.Resident > s.Spans+keepResident+s.Spans/32 {
		t.Errorf("after freeing all: %+v", s)
	}
}

func TestCompaction(t *testing.T) {
	rng := randtest.New(t)
	a := testHeap(t).NewArena()
	var blocks []block
	for i := range 20000 {
		b := block{ref: a.Alloc(88), n: 88, fill: byte(i)}
		copy(a.Bytes(b.ref, 88), bytes.Repeat([]byte{b.fill}, 88))
		blocks = append(blocks, b)
	}
	rng.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	for _, b := range blocks[2000:] {
		a.Free(b.ref)
	}
	blocks = blocks[:2000]
	before := a.Held()
	for a.BeginCompaction(25) > 0 {
		for i, b := range blocks {
			if a.Evacuating(b.ref) {
				moved := a.Alloc(b.n)
				copy(a.Bytes(moved, b.n), a.Bytes(b.ref, b.n))
				a.Free(b.ref)
				blocks[i].ref = moved
			}
		}
		a.EndCompaction()
	}
	for _, b := range blocks {
		b.check(t, a)
	}
	if held := a.Held(); held > a.Used()*3/2 || held >= before {
		t.Errorf("compaction left %d of %d bytes for %d in use", held, before, a.Used())
	}
}

func TestLarge(t *testing.T) {
	h := testHeap(t)
	a := h.NewArena()
	ref := a.AllocRoom(1<<20, 3<<20)
	if a.Cap(ref) < 3<<20 || a.Used() != 1<<20 {
		t.Errorf("capacity %d, used %d", a.Cap(ref), a.Used())
	}
	a.Resize(ref, 2<<20)
	mem := a.Bytes(ref, 2<<20)
	mem[2<<20-1] = 1
	a.Resize(ref, 1<<20)
	a.Resize(ref, 2<<20)
	if mem[2<<20-1] != 0 {
		t.Error("the released tail kept its contents")
	}
	a.Free(ref)
	for h.Excess() {
		if _, err := h.Scavenge(); err != nil {
			t.Fatal(err)
		}
	}
	if a.Used() != 0 || h.Stats().Spans != 0 {
		t.Errorf("used %d, spans %d after all was freed", a.Used(), h.Stats().Spans)
	}
}

// Where address space is scarce, a write that was admitted must fit, however long
// its value may be.
func TestWritesFitUntilExhausted(t *testing.T) {
	for _, size := range []uint64{4 << 30, 8 << 30, 16 << 30} {
		h, err := reserve(size)
		if err != nil {
			t.Fatal(err)
		}
		a := h.NewArena()
		for n := 0; !h.Exhausted(); n++ {
			a.AllocRoom(1<<20, 1<<20*[]int{100, 513}[n%2])
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestFreedIsPoisoned: with the tag invariants a freed block no longer says what it said.
func TestFreedIsPoisoned(t *testing.T) {
	h := testHeap(t)
	a := h.NewArena()
	keep := a.Alloc(100)
	for _, n := range []int{24, 100, 5000, 100_000} {
		r := a.Alloc(n)
		b := a.Bytes(r, n)
		for i := range b {
			b[i] = 'x'
		}
		a.Free(r)
		if kept := bytes.IndexByte(b[:min(n, poisonMost)], 'x') >= 0; kept == invariants.Enabled {
			t.Errorf("%d bytes: the old ones are there: %v", n, kept)
		}
	}
	a.Free(keep)
}
