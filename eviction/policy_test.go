package eviction

import (
	"slices"
	"testing"
)

func TestPolicyNames(t *testing.T) {
	names := Names()
	if len(names) != 11 || !slices.Contains(names, "noeviction") {
		t.Fatalf("the policies are %q", names)
	}
	seen := map[Policy]string{}
	for _, name := range names {
		p, ok := ParsePolicy(name)
		if !ok || p.String() != name {
			t.Errorf("%s is read as %+v (%v), which is called %q", name, p, ok, p)
		}
		if other, twice := seen[p]; twice {
			t.Errorf("%s and %s are the same policy", name, other)
		}
		seen[p] = name
	}
	for _, name := range []string{"", "lru", "allkeys-LRU", "volatile-lhd", "allkeys-ttl"} {
		if p, ok := ParsePolicy(name); ok {
			t.Errorf("%q is read as %v", name, p)
		}
	}
	if s := (Policy{TTL, false}).String(); s != "" {
		t.Errorf("a policy that does not exist is called %q", s)
	}
}
