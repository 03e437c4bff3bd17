package tags

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// TestTable: tags are found while segments grow, divide, shrink and go.
func TestTable(t *testing.T) {
	rnd := randtest.New(t)
	d, heap := newDirectory(t, nil)
	before := heap.Used()
	report := heap.Report()
	d.AddTo(report)
	for _, c := range report.Classes {
		if c.Live != 0 {
			t.Fatalf("an empty directory has %d blocks of %d bytes", c.Live, c.Size)
		}
	}
	const tags = 80_000
	name := func(i int) []byte { return fmt.Append(nil, "tag:", i) }
	refs := make([]Ref, tags)
	for i := range refs {
		refs[i] = d.Hold(1, name(i))
	}
	d.AddTo(report)
	blocks := int64(0)
	for _, c := range report.Classes {
		blocks += c.Live
	}
	if blocks < tags {
		t.Fatalf("%d tags have %d blocks", tags, blocks)
	}
	deep := false
	for i := range d.stripes {
		deep = deep || d.stripes[i].table.depth > 1
	}
	if !deep {
		t.Fatal("no segment was divided")
	}
	order := rnd.Perm(tags)
	for n, i := range order {
		if r := d.Hold(1, name(i)); r != refs[i] {
			t.Fatalf("tag %d is twice there", i)
		}
		d.Drop(refs[i])
		d.Drop(refs[i])
		if n%10_000 == 0 {
			for _, i := range order[n+1:] {
				if r := d.Hold(1, name(i)); r != refs[i] {
					t.Fatalf("tag %d is lost", i)
				}
				d.Drop(refs[i])
			}
		}
		if n := int(d.Records()); n%1000 == 0 && d.Used() > int64(n)*128+8<<10 {
			t.Fatalf("%d tags take %d bytes", n, d.Used())
		}
	}
	if d.Records() != 0 || d.Used() != 0 || heap.Used() != before {
		t.Fatalf("%d tags, %d bytes are left", d.Records(), d.Used())
	}
}

// TestLongList: a list of many chunks has each entry once, in bounded memory, and so have lists that
// were joined.
func TestLongList(t *testing.T) {
	d, _ := newDirectory(t, nil)
	r := d.Hold(1, []byte("products"))
	const keys = 20_000
	stamps := make([]uint64, 0, 3*keys)
	for i := range uint64(3 * keys) {
		if i%keys == 0 {
			d.Invalidate(1, []byte("products"), true)
		}
		d.Retain(r)
		stamps = append(stamps, d.Link(r, i))
	}
	if bytes := d.Used(); bytes > 3*keys*9 {
		t.Fatalf("%d keys take %d bytes", 3*keys, bytes)
	}
	if d.PendingEntries() != 2*keys || d.Jobs() != 1 {
		t.Fatalf("%d jobs, %d entries", d.Jobs(), d.PendingEntries())
	}
	if n := d.Invalidate(1, []byte("products"), false); n != 3*keys {
		t.Fatalf("Invalidate = %d, want %d", n, 3*keys)
	}
	seen := make([]bool, 3*keys)
	places := make([]Place, 77)
	for {
		j, n := d.Sweep(places)
		if n == 0 {
			break
		}
		if j.Ref != r || j.Kind != Hard {
			t.Fatalf("job %+v", j)
		}
		for _, p := range places[:n] {
			if seen[p.At()] || uint16(stamps[p.At()]) != p.Stamp() {
				t.Fatalf("place %d is wrong, or there twice", p.At())
			}
			seen[p.At()] = true
			if gone, _ := d.Relist(r, p, stamps[p.At()]); !gone {
				t.Fatalf("place %d is not gone", p.At())
			}
			d.Drop(r)
		}
		if last := d.PendingEntries() == 0; j.Last != last {
			t.Fatalf("Last is %v, %d entries are pending", j.Last, d.PendingEntries())
		}
	}
	for i, ok := range seen {
		if !ok {
			t.Fatalf("place %d is missing", i)
		}
	}
	d.Drop(r)
	if d.Used() != 0 {
		t.Fatalf("%d bytes are left", d.Used())
	}
}

// TestLetGo: a tag with a long list and no holder is freed by sweeps that tell of no place.
func TestLetGo(t *testing.T) {
	woken := 0
	d, _ := newDirectory(t, func() { woken++ })
	r := d.Hold(1, []byte("products"))
	const keys = 200_000
	var stamps []uint64
	for i := range uint64(keys) {
		d.Retain(r)
		stamps = append(stamps, d.Link(r, i))
		if i == 0 {
			d.Invalidate(1, []byte("products"), true) // from here on there is a job, with one entry
		}
	}
	for _, stamp := range stamps {
		d.Unlink(r, stamp)
		d.Drop(r)
	}
	if !d.Pending() || woken != 1 {
		t.Fatalf("%d jobs, woken %d times", d.Jobs(), woken)
	}
	d.Drop(r)
	if _, n := d.Sweep(make([]Place, 1)); n != 0 {
		t.Fatalf("a place of %d is told", n)
	}
	if d.Pending() || d.Records() != 0 || d.Used() != 0 {
		t.Fatalf("%d tags, %d bytes are left", d.Records(), d.Used())
	}
}

// TestShortListsAreTidy: keys that come and go leave nothing in a short list, and no work.
func TestShortListsAreTidy(t *testing.T) {
	rnd := randtest.New(t)
	d, _ := newDirectory(t, nil)
	r := d.Hold(1, []byte("product:12"))
	for range searched {
		d.Retain(r)
	}
	var stamps []uint64
	for range 100_000 {
		if len(stamps) < searched && rnd.IntN(2) == 0 {
			stamps = append(stamps, d.Link(r, 1))
		} else if n := len(stamps); n > 0 {
			i := rnd.IntN(n)
			d.Unlink(r, stamps[i])
			stamps[i] = stamps[n-1]
			stamps = stamps[:n-1]
		}
		rec := d.record(r)
		if n := d.stripeOf(rec).listed(rec); n != int64(len(stamps)) {
			t.Fatalf("%d entries, want %d", n, len(stamps))
		}
	}
	if d.Pending() {
		t.Fatal("there is a job")
	}
}

// TestStampsThatLookAlike: a link whose stamp has the lower bits of another one's leaves that listed.
func TestStampsThatLookAlike(t *testing.T) {
	name := []byte("products")
	for _, leaves := range []int{0, 1} {
		d, _ := newDirectory(t, nil)
		r := d.Hold(1, name)
		d.Retain(r)
		stamps := []uint64{d.Link(r, 0), 0}
		for stamps[1] = d.Link(r, 1); uint16(stamps[1]) != uint16(stamps[0]); stamps[1] = d.Link(r, 1) {
			d.Unlink(r, stamps[1])
		}
		d.Unlink(r, stamps[leaves])
		if n := d.Invalidate(1, name, false); n != 1 {
			t.Fatalf("Invalidate = %d, want 1", n)
		}
		places := make([]Place, 10)
		_, n := d.Sweep(places)
		found := false
		for _, p := range places[:n] {
			found = found || p.At() == uint64(1-leaves)
		}
		if !found {
			t.Fatalf("the key at place %d is not told", 1-leaves)
		}
	}
}

func TestAllocations(t *testing.T) {
	d, _ := newDirectory(t, nil)
	name := []byte("products")
	r := d.Hold(1, name)
	d.Retain(r)
	d.Link(r, 1)
	for what, f := range map[string]func(){
		"Hold, Drop":    func() { d.Drop(d.Hold(1, name)) },
		"Retain, Drop":  func() { d.Retain(r); d.Drop(r) },
		"Link, Unlink":  func() { d.Unlink(r, d.Link(r, 2)) },
		"State":         func() { d.State(r, 1) },
		"Keys":          func() { d.Keys(1, name) },
		"a tag of one":  func() { r := d.Hold(2, name); d.Unlink(r, d.Link(r, 1)); d.Drop(r) },
		"Name and Mark": func() { d.Name(r); d.Mark(r) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
