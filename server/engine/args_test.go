package engine

import (
	"errors"
	"testing"
)

func TestArgsLatchTheFirstError(t *testing.T) {
	c := &Ctx{Args: words("SET k EX abc PX 5 NX")}
	a := c.Parse(2)
	if !a.MatchValue("ex") {
		t.Fatal("EX not matched")
	}
	if n := a.Int64(); n != 0 || !errors.Is(a.Err(), ErrNotInteger) {
		t.Fatalf("got %d, %v", n, a.Err())
	}
	a.Syntax()
	if !a.Done() || a.Left() != 0 || a.Match("PX") || a.Next() != nil || a.Rest() != nil || a.Int64() != 0 || a.Float() != 0 {
		t.Error("the parser goes on after an error")
	}
	if !errors.Is(a.Err(), ErrNotInteger) {
		t.Errorf("the first error is lost: %v", a.Err())
	}
}

func TestArgs(t *testing.T) {
	for _, c := range []struct {
		line string
		read func(a *Args)
		want error
	}{
		{"a", func(a *Args) { a.Next() }, nil},
		{"a", func(a *Args) { a.Next(); a.Next() }, ErrSyntax},
		{"EX", func(a *Args) {
			if a.MatchValue("EX") {
				t.Error("EX matched without its value")
			}
			a.Syntax()
		}, ErrSyntax},
		{"5", func(a *Args) { a.IntRange(1, 5, "") }, nil},
		{"6", func(a *Args) { a.IntRange(1, 5, "") }, ErrNotInteger},
		{"6", func(a *Args) { a.IntRange(1, 5, "ERR out") }, Error("ERR out")},
		{"+5", func(a *Args) { a.Int64() }, ErrNotInteger},
		{"1.5", func(a *Args) { a.Float() }, nil},
		{"nan", func(a *Args) { a.Float() }, ErrNotFloat},
		{"a b c", func(a *Args) { a.Skip(3) }, nil},
		{"a b c", func(a *Args) { a.Skip(4) }, ErrSyntax},
	} {
		ctx := &Ctx{Args: words("cmd " + c.line)}
		a := ctx.Parse(1)
		c.read(a)
		if !errors.Is(a.Err(), c.want) {
			t.Errorf("%q: got error %v, want %v", c.line, a.Err(), c.want)
		}
	}
}
