package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// elements lists a pack and checks that it ends where its bytes end.
func (p pack) elements(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for off := p.first(); off < len(p); {
		var s []byte
		s, off = p.next(off)
		list = append(list, s)
		if off > len(p) {
			t.Fatalf("element %d ends at %d of %d bytes", len(list)-1, off, len(p))
		}
	}
	if len(list) != p.count() {
		t.Fatalf("%d elements, the header says %d", len(list), p.count())
	}
	return list
}

// edited applies an edit the way a record does: grow, move, shrink.
func (p pack) edited(e packEdit, parts ...[]byte) pack {
	size := e.size(p)
	b := make([]byte, max(size, len(p)))
	copy(b, p)
	at := e.apply(b, len(p))
	for _, s := range parts {
		at += putPacked(b[at:], s)
	}
	return b[:size]
}

func randomElement(r *rand.Rand) []byte {
	n := r.IntN(12)
	switch r.IntN(20) {
	case 0:
		n = 120 + r.IntN(20)
	case 1:
		n = 300
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(3))
	}
	return b
}

func TestPackAgainstSlice(t *testing.T) {
	r := randtest.New(t)
	for round := 0; round < 30; round++ {
		p := pack{0}
		var model [][]byte
		limit := 1 + r.IntN(300)
		for step := 0; step < 600; step++ {
			s := randomElement(r)
			switch op := r.IntN(4); {
			case op <= 1 && len(model) < limit:
				p = p.edited(packEdit{off: len(p), add: packedSize(len(s)), count: p.count() + 1}, s)
				model = append(model, s)
			case op == 2 && len(model) > 0:
				i := r.IntN(len(model))
				off := p.nth(i)
				p = p.edited(packEdit{off: off, cut: p.skip(off) - off, add: packedSize(len(s)), count: p.count()}, s)
				model[i] = s
			case len(model) > 0:
				i := r.IntN(len(model))
				off := p.nth(i)
				p = p.edited(packEdit{off: off, cut: p.skip(off) - off, count: p.count() - 1})
				model = append(model[:i:i], model[i+1:]...)
			}
			got := p.elements(t)
			if !equalLists(got, model) {
				t.Fatalf("step %d: %q, want %q", step, got, model)
			}
			checkFind(t, p, model, s)
		}
	}
}

func checkFind(t *testing.T, p pack, model [][]byte, s []byte) {
	t.Helper()
	want, wantField := -1, -1
	for i := len(model) - 1; i >= 0; i-- {
		if bytes.Equal(model[i], s) {
			want = i
			if i%2 == 0 {
				wantField = i
			}
		}
	}
	off, end, ok := p.find(s)
	if ok != (want >= 0) || ok && (off != p.nth(want) || end != p.skip(off)) {
		t.Fatalf("find(%q) = %d, %d, %v; want element %d", s, off, end, ok, want)
	}
	if len(model)%2 != 0 {
		return
	}
	off, value, ok := p.findField(s)
	if ok != (wantField >= 0) || ok && (off != p.nth(wantField) || value != p.skip(off)) {
		t.Fatalf("findField(%q) = %d, %d, %v; want element %d", s, off, value, ok, wantField)
	}
}

func equalLists(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func benchPack() pack {
	p := pack{0}
	for i := range 100 {
		s := fmt.Appendf(nil, "member:%02d00", i)
		p = p.edited(packEdit{off: len(p), add: packedSize(len(s)), count: i + 1}, s)
	}
	return p
}

func BenchmarkPackFind(b *testing.B) {
	p := benchPack()
	for b.Loop() {
		if _, _, ok := p.find([]byte("member:9900")); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkPackFindField(b *testing.B) {
	p := benchPack()
	for b.Loop() {
		if _, _, ok := p.findField([]byte("member:1800")); !ok {
			b.Fatal("not found")
		}
	}
}
