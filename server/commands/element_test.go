package commands

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/scripting"
)

// TestElements: a row of one key whose syntax has a field or a member at a fixed position names it
// as Spec.Element, so that it is prefetched, and no row names anything else.
func TestElements(t *testing.T) {
	table, err := engine.NewTable(All(scripting.New(nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	table.Each(func(s *engine.Spec) {
		words := strings.Fields(s.Syntax)
		if len(s.Keys) != 1 || len(words) == 0 || words[0] != "key" {
			words = nil
		}
		want := 1 + slices.IndexFunc(withoutOptions(words), func(w string) bool { return w == "field" || w == "member" })
		if s.Element != want {
			t.Errorf("%s: Element is %d, want %d for %q", s.FullName(), s.Element, want, s.Syntax)
		}
		seen += min(s.Element, 1)
	})
	if seen < 20 {
		t.Errorf("%d rows with elements", seen)
	}
}

// withoutOptions are the words of a syntax line outside all brackets.
func withoutOptions(words []string) (rest []string) {
	depth := 0
	for _, w := range words {
		depth += strings.Count(w, "[")
		if depth == 0 {
			rest = append(rest, w)
		}
		depth -= strings.Count(w, "]")
	}
	return rest
}
