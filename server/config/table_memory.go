package config

import (
	"math"

	"github.com/larderkv/larder/eviction"
)

// The parameters of the memory cap, of who has to go when it is reached, and of fragmentation.

func memoryParams() []Param {
	return []Param{
		{
			Name: "maxmemory", Default: "0",
			Kind:    memoryOfMachine(func(v *Values) *int64 { return &v.MaxMemory }),
			Meaning: "memory that keys and clients may take; past it keys are evicted, or what needs memory is refused; 0 no cap",
			Caution: func(v *Values, _ string) string { // Redis warns of the same
				if v.MaxMemory > 0 && v.MaxMemory < 1<<20 {
					return "this is less than 1 MB, which a server without keys takes; units are kb, mb, gb and %"
				}
				return ""
			},
		}, {
			Name: "maxmemory-policy", Default: "noeviction",
			Kind:    policy(),
			Meaning: "which keys go first: of all, or of those with a time to live; and what is noted of each access",
		}, {
			Name: "maxmemory-samples", Default: "5",
			Kind:    integer(1, 64, func(v *Values) *int64 { return &v.MaxMemorySamples }),
			Meaning: "keys to compare for each that is evicted",
		}, {
			Name: "maxmemory-eviction-tenacity", Default: "10",
			Kind:    integer(0, 100, func(v *Values) *int64 { return &v.EvictionTenacity }),
			Meaning: "time that a command may evict before other clients get their turn: 50 microseconds per step up to 10, then more and more; 100 no end",
		}, {
			Name: "maxmemory-clients", Default: "0",
			Kind:    memoryOrPercent(func(v *Values) *int64 { return &v.MaxMemoryClients }),
			Meaning: "memory of all clients; past it the largest are closed; 0 no bound",
		}, {
			Name: "lua-memory-limit", Default: "256mb",
			Kind:    memory(1<<20, math.MaxInt64, func(v *Values) *int64 { return &v.LuaMemoryLimit }),
			Meaning: "memory that a script may take for its own values; past it the script ends with an error",
		}, {
			Name: "lfu-log-factor", Default: "10",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.LFULogFactor }),
			Meaning: "how slowly the frequency counter of a key saturates",
		}, {
			Name: "lfu-decay-time", Default: "1",
			Kind:    integer(0, math.MaxInt32, func(v *Values) *int64 { return &v.LFUDecayTime }),
			Meaning: "minutes without access after which the frequency counter of a key goes down by one",
		}, {
			Name: "activedefrag", Default: "no",
			Kind:    yesNo(func(v *Values) *bool { return &v.ActiveDefrag }),
			Meaning: "compact memory as active-defrag-* say, and not only when much of it is free or maxmemory is near",
		}, {
			Name: "active-defrag-ignore-bytes", Default: "100mb",
			Kind:    memory(1, math.MaxInt64, func(v *Values) *int64 { return &v.DefragIgnoreBytes }),
			Meaning: "with activedefrag: free memory between entries up to which nothing is compacted",
		}, {
			Name: "active-defrag-threshold-lower", Default: "10",
			Kind:    integer(0, 1000, func(v *Values) *int64 { return &v.DefragThresholdLower }),
			Meaning: "with activedefrag: free memory between entries, in per cent of theirs, up to which nothing is compacted",
		}, {
			Name: "active-defrag-threshold-upper", Default: "100",
			Kind:    integer(0, 1000, func(v *Values) *int64 { return &v.DefragThresholdUpper }),
			Meaning: "with activedefrag: free memory between entries, in per cent of theirs, from which active-defrag-cycle-max applies",
		}, {
			Name: "active-defrag-cycle-min", Default: "1",
			Kind:    integer(1, 99, func(v *Values) *int64 { return &v.DefragCycleMin }),
			Meaning: "with activedefrag: per cent of a core for compacting at active-defrag-threshold-lower",
		}, {
			Name: "active-defrag-cycle-max", Default: "25",
			Kind:    integer(1, 99, func(v *Values) *int64 { return &v.DefragCycleMax }),
			Meaning: "with activedefrag: per cent of a core for compacting at active-defrag-threshold-upper",
		},
	}
}

// policy is the name of an eviction policy.
func policy() Kind {
	k := enum(func(v *Values) *string { return &v.MaxMemoryPolicy }, eviction.Names()...)
	name := k.assign
	k.assign = func(v *Values, text string) {
		name(v, text)
		v.policy, _ = eviction.ParsePolicy(text) // text is one of the names
	}
	return k
}
