//go:build linux

package main

import (
	"errors"
	"testing"
)

func TestStoredOrRefused(t *testing.T) {
	lost := errors.New("connection reset")
	for _, tc := range []struct {
		line   string
		failed error
		want   float64
		bad    bool
	}{
		{line: "+OK\r\n", want: 1},
		{line: "-OOM command not allowed when used memory > 'maxmemory'.\r\n", failed: lost, want: 0},
		{line: "-ERR other\r\n", bad: true},
		{line: "", failed: lost, bad: true},
	} {
		got, err := storedOrRefused(tc.line, tc.failed)
		if got != tc.want || (err != nil) != tc.bad || tc.bad && tc.failed != nil && !errors.Is(err, lost) {
			t.Errorf("storedOrRefused(%q, %v) = %v, %v", tc.line, tc.failed, got, err)
		}
	}
}

func TestAbove(t *testing.T) {
	for _, tc := range []struct {
		v, limit int64
		want     float64
	}{{3 << 20, 1 << 20, 2}, {1 << 20, 1 << 20, 0}, {0, 1 << 20, 0}, {1<<20 + 1<<19, 1 << 20, 0.5}} {
		if got := above(tc.v, tc.limit); got != tc.want {
			t.Errorf("above(%d, %d) = %v, want %v", tc.v, tc.limit, got, tc.want)
		}
	}
}

func TestPolicyPair(t *testing.T) {
	same := bothPolicies("allkeys-lru")
	if same.name() != "lru" || same.what() != "allkeys-lru" {
		t.Errorf("%q, %q", same.name(), same.what())
	}
	if other := (policyPair{"allkeys-x", "allkeys-lfu"}); other.name() != "x" || other.what() != "allkeys-x, Redis allkeys-lfu" {
		t.Errorf("%q, %q", other.name(), other.what())
	}
}
