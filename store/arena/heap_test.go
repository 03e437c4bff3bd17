package arena

import (
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// checkExtents verifies that extents do not touch or overlap each other or the
// blocks in use, and that together with them they fill the region up to the bump.
func checkExtents(t *testing.T, h *Heap, inUse map[uint32]uint32) {
	t.Helper()
	x := &h.large
	low, bump := uint32(kinds*h.region>>descShift), uint32(h.bump[kinds]>>descShift)
	free := map[uint32]uint32{}
	for i, head := range x.heads {
		if (head != 0) != (x.some[i>>6]>>(i&63)&1 != 0) {
			t.Fatalf("bin %d: the bit is wrong", i)
		}
		for page := head; page != 0; page = x.desc[page].next {
			if j, _ := bin(x.desc[page].index); i != j {
				t.Fatalf("extent of %d pages is in bin %d", x.desc[page].index, i)
			}
			free[page] = x.desc[page].index
		}
	}
	for _, f := range h.pending {
		inUse[f.page] = f.pages
	}
	wasFree := false
	for page := low; page < bump; {
		n, isFree := free[page]
		if !isFree {
			n = inUse[page]
		}
		if n == 0 || isFree && wasFree {
			t.Fatalf("page %d: %d pages, free %v behind free %v", page, n, isFree, wasFree)
		}
		page, wasFree = page+n, isFree
	}
	if wasFree {
		t.Fatal("an extent borders on the space never used")
	}
}

// Large blocks of sizes that are never the same twice come and go. The address
// space they take stays near what is in use, and all of it is given back.
func TestLargeBlocksLeakNoAddresses(t *testing.T) {
	rng := randtest.New(t)
	h := testHeap(t)
	a := h.NewArena()
	type large struct {
		ref  Ref
		n    int
		fill byte
	}
	var blocks []large
	most, live := 0, 0
	for step := range 20_000 {
		if len(blocks) > 20+step%50 || len(blocks) > 0 && rng.IntN(3) == 0 {
			i := rng.IntN(len(blocks))
			b := blocks[i]
			mem := a.Bytes(b.ref, b.n)
			if mem[0] != b.fill || mem[b.n-1] != b.fill {
				t.Fatal("a block was overwritten")
			}
			a.Free(b.ref)
			live -= b.n
			blocks[i] = blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
		} else {
			b := large{n: maxSmall + 1 + rng.IntN(1<<(15+rng.IntN(12))), fill: byte(step)}
			b.ref = a.AllocRoom(b.n, b.n*rng.IntN(3))
			mem := a.Bytes(b.ref, b.n)
			mem[0], mem[b.n-1] = b.fill, b.fill
			blocks = append(blocks, b)
			live += b.n
			most = max(most, live)
		}
		for range rng.IntN(4) {
			if _, err := h.Scavenge(); err != nil {
				t.Fatal(err)
			}
		}
		if step%500 == 0 {
			inUse := map[uint32]uint32{}
			for _, b := range blocks {
				page := uint32(b.ref.Off() >> descShift)
				inUse[page] = h.desc[page].next
			}
			checkExtents(t, h, inUse)
		}
	}
	for _, b := range blocks {
		a.Free(b.ref)
	}
	scavengeAll(t, h)
	if bump := h.bump[kinds] - kinds*h.region; bump != 0 {
		t.Errorf("%d bytes of addresses are lost", bump)
	}
	if s := h.Stats(); s.Resident != 0 {
		t.Errorf("after all was freed: %+v", s)
	}
}

// A value of 100 MB that is replaced again and again, each time by one of another
// length, takes the addresses and the memory of two.
func TestReplacedLargeBlocks(t *testing.T) {
	h := testHeap(t)
	a := h.NewArena()
	const size = 100 << 20
	old := a.Alloc(size)
	for i := range 400 {
		next := a.Alloc(size + i*37%1000*4096)
		a.Free(old)
		old = next
		if i%3 == 0 {
			for range 30 {
				if _, err := h.Scavenge(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s := h.Stats(); s.Resident > 3*size+16<<20 {
			t.Fatalf("replacement %d: %d MB are resident", i, s.Resident>>20)
		}
	}
	if space := h.bump[kinds] - kinds*h.region; space > 5*size {
		t.Errorf("%d MB of addresses for one value of 100 MB", space>>20)
	}
}

func scavengeAll(t *testing.T, h *Heap) {
	t.Helper()
	for h.Excess() {
		if _, err := h.Scavenge(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is reused without being given back keeps its memory, and none of it is
// counted twice or not at all.
func TestPendingBlocksAreReused(t *testing.T) {
	h := testHeap(t)
	a := h.NewArena()
	first := a.Alloc(8 << 20)
	a.Free(first)
	if s := h.Stats(); s.Pending != 8<<20 || s.Spans != 0 || s.Resident != 8<<20 {
		t.Errorf("a freed block of 8 MiB: %+v", s)
	}
	again := a.Alloc(8<<20 - 100_000)
	if again != first {
		t.Error("the block was not reused")
	}
	if s := h.Stats(); s.Pending != 0 || s.Spans != a.Used() || s.Resident != s.Spans {
		t.Errorf("a reused block: %+v, used %d", s, a.Used())
	}
	if far := a.Alloc(1 << 20); far == 0 {
		t.Error("no block")
	}
	a.Free(again)
	if small := a.Alloc(4 << 20); small == first {
		t.Error("half of a block was left unused")
	}
	scavengeAll(t, h)
	if s := h.Stats(); s.Pending != 0 || s.Resident != a.Used() {
		t.Errorf("after giving back: %+v, used %d", s, a.Used())
	}
}

// With a reserve, free spans are given back down to it, and whoever frees learns
// when too many have piled up.
func TestReserve(t *testing.T) {
	h := testHeap(t)
	a := h.NewArena()
	keep := make([]Ref, 0, 1<<16)
	for range 1 << 16 {
		keep = append(keep, a.Alloc(1024))
	}
	var gone []Ref
	for range 1 << 15 {
		gone = append(gone, a.Alloc(1024))
	}
	for _, ref := range gone {
		a.Free(ref)
	}
	scavengeAll(t, h)
	free := func() int64 { s := h.Stats(); return s.Resident - s.Spans }
	if f := free(); f < 2<<20 || f > 4<<20 {
		t.Errorf("%d KiB of free spans stay mapped without a reserve", f>>10)
	}
	h.SetReserve(512 << 10)
	if !h.Overdue() {
		t.Error("nothing is overdue with six times the reserve")
	}
	scavengeAll(t, h)
	if f := free(); f > 512<<10 || f < 256<<10 {
		t.Errorf("%d KiB of free spans stay mapped with a reserve of 512", f>>10)
	}
	for _, ref := range keep {
		a.Free(ref)
	}
	h.SetReserve(1 << 40)
	scavengeAll(t, h)
	if f := free(); f > keepResident {
		t.Errorf("%d KiB of free spans stay mapped in an empty heap", f>>10)
	}
}

// The heap knows what all arenas use, to 2 KiB for each, whatever happens.
func TestUsedIsPublished(t *testing.T) {
	rng := randtest.New(t)
	h := testHeap(t)
	arenas := []*Arena{h.NewArena(), h.NewArena(), h.NewArena()}
	blocks := make([][]Ref, len(arenas))
	for step := range 50_000 {
		i := rng.IntN(len(arenas))
		a := arenas[i]
		switch {
		case rng.IntN(20_000) == 0:
			a.Reset()
			blocks[i] = nil
		case len(blocks[i]) > 0 && rng.IntN(2) == 0:
			j := rng.IntN(len(blocks[i]))
			a.Free(blocks[i][j])
			blocks[i][j] = blocks[i][len(blocks[i])-1]
			blocks[i] = blocks[i][:len(blocks[i])-1]
		default:
			ref := a.Alloc(1 + rng.IntN(1<<rng.IntN(18)))
			if rng.IntN(2) == 0 {
				a.Resize(ref, a.Cap(ref)/2)
			}
			blocks[i] = append(blocks[i], ref)
		}
		sum, slack := int64(0), int64(0)
		for _, a := range arenas {
			sum += a.Used()
			if d := a.Slack() - (a.Held() - a.Used()); d > tellAt || d < -tellAt {
				t.Fatalf("step %d: slack %d, told %d", step, a.Held()-a.Used(), a.Slack())
			}
			slack += a.Slack()
		}
		if d := h.Used() - sum; d > 3*tellAt || d < -3*tellAt {
			t.Fatalf("step %d: %d bytes in use, the heap says %d", step, sum, h.Used())
		}
	}
}
