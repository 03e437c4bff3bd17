//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

func TestAppendNamed(t *testing.T) {
	for i, want := range map[int]string{
		0:               "$16\r\nkey:000000000000\r\n",
		7:               "$16\r\nkey:000000000007\r\n",
		123_456:         "$16\r\nkey:000000123456\r\n",
		999_999_999_999: "$16\r\nkey:999999999999\r\n",
	} {
		if got := string(appendNamed(nil, "key:", i)); got != want {
			t.Errorf("appendNamed(%d) = %q, want %q", i, got, want)
		}
	}
}

// TestRequestsAreRESP parses what the fillers write by hand.
func TestRequestsAreRESP(t *testing.T) {
	for name, tc := range map[string]struct {
		next request
		args int
	}{
		"strings":  {fillStrings, 3},
		"expiring": {fillExpiring, 5},
		"at":       {fillExpiringAt(time.UnixMilli(1_800_000_000_000)), 5},
		"hashes":   {fillHashes, 22},
		"sets":     {fillSets, 12},
		"users":    {fillSmallHashes, 12},
		"tags":     {fillSmallSets, 7},
		"big set":  {func(b []byte, i int) []byte { return bigSet.append(b, i, 10) }, 12},
		"big hash": {func(b []byte, i int) []byte { return bigHash.append(b, i, 10) }, 22},
		"big zset": {func(b []byte, i int) []byte { return bigZset.append(b, i, 10) }, 22},
		"big list": {func(b []byte, i int) []byte { return bigList.append(b, i, 10) }, 12},
		"lists":    {fillSmallLists, 7},
		"zsets":    {fillSmallZsets, 12},
	} {
		for _, i := range []int{0, 1, 99_999, 2_999_999} {
			b := tc.next(nil, i)
			n, resp := redcon.ReadNextRESP(b)
			if n != len(b) || resp.Count != tc.args {
				t.Errorf("%s %d: %d of %d bytes, %d arguments, want %d: %q", name, i, n, len(b), resp.Count, tc.args, b)
			}
		}
	}
}
