package arena

import (
	"context"
	"testing"
)

func TestReportCountsEveryBlock(t *testing.T) {
	h, err := NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	one, two := h.NewArena(), h.NewArena()
	sizes := []int{1, 8, 100, 1000, 5000, 16 << 10, 40 << 10, 1 << 20}
	var refs []Ref
	for i := range 400 {
		a := one
		if i%2 == 1 {
			a = two
		}
		refs = append(refs, a.Alloc(sizes[i/2%len(sizes)]))
	}
	for i := 0; i < len(refs); i += 4 {
		one.Free(refs[i])
	}
	r := h.Report()
	one.AddTo(r)
	two.AddTo(r)
	blocks, used, held := r.Large, r.LargeUsed, r.LargeUsed
	for _, c := range r.Classes {
		if c.Slots != c.Spans*int64(c.Span/c.Size) || c.Live > c.Slots || c.Live < 0 {
			t.Errorf("class %+v", c)
		}
		blocks += c.Live
		used += c.Live * int64(c.Size)
		held += c.Spans * int64(c.Span)
	}
	if blocks != 300 {
		t.Errorf("%d blocks, want 300", blocks)
	}
	if want := one.Used() + two.Used(); used != want {
		t.Errorf("%d bytes in use, want %d", used, want)
	}
	if want := one.Held() + two.Held(); held != want {
		t.Errorf("%d bytes held, want %d", held, want)
	}
}

func TestPurgeKeepsNothing(t *testing.T) {
	h, err := NewHeap()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	a := h.NewArena()
	kept := a.Alloc(100)
	copy(a.Bytes(kept, 4), "kept")
	for range 3000 {
		for _, n := range []int{64, 3000, 12 << 10} {
			a.Free(a.Alloc(n)) // leaves its span resident
		}
	}
	var refs []Ref
	for range 2000 {
		refs = append(refs, a.Alloc(1000), a.Alloc(12<<10))
	}
	refs = append(refs, a.Alloc(20<<20))
	for _, r := range refs {
		a.Free(r)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	before := h.Report()
	if err := h.Purge(ended); err != nil {
		t.Fatal(err)
	}
	if r := h.Report(); r.Free != before.Free || r.Pending != before.Pending || r.Free == 0 || r.Pending == 0 {
		t.Errorf("before %+v, and after a purge that was not to be %+v", before, r)
	}
	if err := h.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := h.Report(); r.Free != 0 || r.Pending != 0 || r.Returned < before.Free {
		t.Errorf("after a purge: %+v", r)
	}
	if st := h.Stats(); st.Resident != st.Spans {
		t.Errorf("after a purge: %+v", st)
	}
	if got := string(a.Bytes(kept, 4)); got != "kept" {
		t.Errorf("the block that is in use has %q", got)
	}
}
