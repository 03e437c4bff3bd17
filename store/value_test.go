package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Content shows every form of value as it is.
func TestContent(t *testing.T) {
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	long := strings.Repeat("x", 100)
	v.SetString(s.Key([]byte("text")), []byte("12"), 0)
	for name, pairs := range map[string][]string{"packed": {"b", "1", "a", ""}, "big": {"b", "1", "a", "", long, "2"}} {
		if _, err := v.SetFields(s.Key([]byte(name)), bytesOf(pairs)); err != nil {
			t.Fatal(err)
		}
	}
	for name, members := range map[string][]string{"integers": {"30", "-4", "5"}, "words": {"z", "7"}, "long": {"z", long}} {
		if _, err := v.AddMembers(s.Key([]byte(name)), bytesOf(members)); err != nil {
			t.Fatal(err)
		}
	}
	for name, members := range map[string][]string{"ranking": {"b", "a"}, "long ranking": {"b", long, "a"}} {
		score := func(i int) Scored { return Scored{[]byte(members[i]), float64(-i)} }
		if _, err := v.SetScores(s.Key([]byte(name)), len(members), score, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		name             string
		typ              Type
		n                int
		integers, packed bool
		items            []string
	}{
		{"text", TypeString, 2, false, false, []string{"12"}},
		{"packed", TypeHash, 2, false, true, []string{"b=1", "a="}},
		{"big", TypeHash, 3, false, false, []string{"a=", "b=1", long + "=2"}},
		{"integers", TypeSet, 3, true, false, []string{"-4", "5", "30"}},
		{"words", TypeSet, 2, false, true, []string{"z", "7"}},
		{"long", TypeSet, 2, false, false, []string{long, "z"}},
		{"ranking", TypeZset, 2, false, true, []string{"a=-1", "b=0"}},
		{"long ranking", TypeZset, 3, false, false, []string{"a=-2", long + "=-1", "b=0"}},
	} {
		e, ok := v.Peek(s.Key([]byte(want.name)))
		if !ok {
			t.Fatalf("%s is missing", want.name)
		}
		c := e.Content()
		items := itemsOf(&c)
		if want.name == "big" || want.name == "long" {
			slices.Sort(items)
		}
		if c.Type() != want.typ || c.Len() != want.n || c.Integers() != want.integers || c.Packed() != want.packed ||
			!slices.Equal(items, want.items) {
			t.Errorf("%s: %v of %d, integers %v, packed %v: %q", want.name, c.Type(), c.Len(), c.Integers(), c.Packed(), items)
		}
	}
}

func bytesOf(list []string) (all [][]byte) {
	for _, s := range list {
		all = append(all, []byte(s))
	}
	return all
}

func itemsOf(v *Value) (items []string) {
	if v.Type() == TypeString {
		return []string{string(v.Text())}
	}
	v.Each(func(item, value []byte) bool {
		switch v.Type() {
		case TypeHash:
			item = fmt.Appendf(nil, "%s=%s", item, value)
		case TypeZset:
			item = fmt.Appendf(nil, "%s=%v", item, bytesFloat(value))
		}
		items = append(items, string(item))
		return true
	})
	n := 0
	v.Each(func(_, _ []byte) bool {
		n++
		return n < 2
	})
	if n > 2 {
		items = append(items, "and does not stop")
	}
	return items
}
