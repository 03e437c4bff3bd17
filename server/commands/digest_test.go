package commands

import (
	"testing"

	"github.com/larderkv/larder/store"
)

// TestEveryTypeHasADigest: a type that has elements says how they go into a digest, and no two types
// have the same number.
func TestEveryTypeHasADigest(t *testing.T) {
	numbers := map[uint32]store.Type{}
	for typ := range store.Type(store.NumTypes) {
		row := digestings[typ]
		if (row.element == nil) != (typ == store.TypeString) {
			t.Errorf("%v: there is no row, or an element that nothing asks for", typ)
		}
		if other, twice := numbers[row.number]; twice {
			t.Errorf("%v and %v have the same number", typ, other)
		}
		numbers[row.number] = typ
	}
}
