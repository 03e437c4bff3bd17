package lua

import (
	"strings"
	"testing"
)

// TestBudget: States that share a budget have no more together, and what one gives back another gets.
func TestBudget(t *testing.T) {
	const each, together = 16 << 20, 32 << 20
	var b Budget
	b.SetLimit(together)
	fill := func() (*State, error) {
		s := newLibraryState(Options{Limit: each, Budget: &b})
		_, err := s.Main().Run(s.function(t, `t = {} for i = 1, 120 do t[i] = ("x"):rep(100000) end`))
		return s, err
	}
	var full []*State
	var err error
	for err == nil && len(full) < 10 {
		var s *State
		if s, err = fill(); err == nil {
			full = append(full, s)
		}
		if taken := b.taken.Load(); taken > together {
			t.Fatalf("%d bytes are taken", taken)
		}
	}
	if err == nil || !strings.Contains(err.Error(), "not enough memory") || len(full) < 2 {
		t.Fatalf("after %d States: %v", len(full), err)
	}
	s := full[0]
	if _, err := s.Main().Run(s.function(t, `local n = 0 for i = 1, 1e5 do n = n + #{i} end return n`)); err != nil {
		t.Errorf("garbage: %v", err)
	}
	full[1].Discard()
	if _, err := fill(); err != nil {
		t.Errorf("when one has gone: %v", err)
	}
}

// TestRest: garbage of a State at rest is not kept from others.
func TestRest(t *testing.T) {
	var b Budget
	b.SetLimit(1 << 30)
	s := newLibraryState(Options{Limit: 256 << 20, Budget: &b})
	f := s.function(t, `local t = {} for i = 1, 1000 do t[i] = ("x"):rep(100000) end`)
	if _, err := s.Main().Run(f); err != nil {
		t.Fatal(err)
	}
	if s.Rest(); b.taken.Load() != 0 || s.Memory() > firstDue {
		t.Errorf("%d bytes are taken, and %d in use", b.taken.Load(), s.Memory())
	}
}
