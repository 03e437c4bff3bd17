package commands

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
)

// TestElements: a row of one key whose syntax has a field or a member at a fixed position names it as Spec.Element, so that
// it is prefetched, and no row names anything else.
func TestElements(t *testing.T) {
	table, err := engine.NewTable(All())
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	table.Each(func(s *engine.Spec) {
		words := strings.Fields(s.Syntax)
		if len(s.Keys) != 1 || len(words) == 0 || words[0] != "key" {
			words = nil
		}
		want := 1 + slices.IndexFunc(words, func(w string) bool { return w == "field" || w == "member" })
		if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "[") }); i >= 0 && i < want {
			want = 0 // options come first
		}
		if s.Element != want {
			t.Errorf("%s: Element is %d, want %d for %q", s.FullName(), s.Element, want, s.Syntax)
		}
		seen += min(s.Element, 1)
	})
	if seen < 14 {
		t.Errorf("%d rows with elements", seen)
	}
}
