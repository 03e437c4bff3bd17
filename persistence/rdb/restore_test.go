package rdb

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// largeValue is a value of a type of the format with n elements, of which the one at again, if that
// is not negative, has the name of one before it.
func largeValue(r *rand.Rand, typ byte, n, again int) []any {
	parts := []any{typ, n}
	for i := range n {
		if i == again {
			i = r.IntN(i)
		}
		name := fmt.Sprint("element:", i)
		switch typ {
		case typeListQuicklist2:
			at := 2 * r.IntN(3)
			parts = append(parts, []any{nodePacked, listpack(name, "17"), nodePlain, name, nodePacked, listpack()}[at:at+2]...)
			continue
		case typeListQuicklist:
			name = ziplist(name, "5")
		}
		if parts = append(parts, name); i%7 == 0 && typ == typeSet {
			parts[len(parts)-1] = fmt.Sprint(i)
		}
		switch typ {
		case typeHash:
			parts = append(parts, fmt.Sprint("value:", i))
		case typeZset2:
			parts = append(parts, math.Float64bits(float64(r.IntN(50))))
		case typeZset:
			parts = append(parts, op(1), op('7'))
		}
	}
	return parts
}

// A value of some thousand elements is the same whether it is restored or put into the store from
// a list of all of its elements. One with a name that comes twice, or that is cut short, is refused.
func TestRestoreLarge(t *testing.T) {
	r := randtest.New(t)
	s := open(t)
	v := &store.View{Store: s, Now: 1000}
	k, plain := s.Key([]byte("restored")), s.Key([]byte("plain"))
	s.LockAll()
	defer s.UnlockAll()
	for _, typ := range []byte{typeHash, typeSet, typeZset, typeZset2, typeList, typeListQuicklist, typeListQuicklist2} {
		n := 1500 + r.IntN(3000)
		value := assemble(nil, largeValue(r, typ, n, -1))
		var d decoder
		if err := d.value(typ, value[1:], 0); err != nil {
			t.Fatal(err)
		}
		if !codecs[d.typ].insert(v, plain, &d, 0) {
			t.Fatal("the key exists")
		}
		if err := restorePayload(v, k, footer(Version, slices.Clone(value)...)); err != nil {
			t.Fatalf("type %d: %v", typ, err)
		}
		e, _ := v.Peek(k)
		want, _ := v.Peek(plain)
		if describe(t, &e) != describe(t, &want) {
			t.Errorf("type %d: restored as %.200s, want %.200s", typ, describe(t, &e), describe(t, &want))
		}
		v.Delete(plain)
		v.Delete(k)
		bad := [][]byte{value[:len(value)-1], value[:len(value)/2]}
		if codecs[d.typ].repeated != "" {
			for _, again := range []int{1, n / 2, n - 1} {
				bad = append(bad, assemble(nil, largeValue(r, typ, n, again)))
			}
		}
		for i, b := range bad {
			if err := restorePayload(v, k, footer(Version, slices.Clone(b)...)); !errors.Is(err, ErrBadFormat) {
				t.Errorf("type %d, bad value %d: %v", typ, i, err)
			}
			if _, there := v.Peek(k); there {
				t.Fatalf("type %d, bad value %d is there", typ, i)
			}
		}
		d1, err := Decode(v, k, footer(Version, slices.Clone(value)...))
		if err != nil {
			t.Fatal(err)
		}
		d1.Discard()
	}
}
