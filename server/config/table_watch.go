package config

import "math"

// The parameters of what is noted of commands that are slow, and counted of keys by their prefixes.

func watchParams() []Param {
	return []Param{
		{
			Name: "slowlog-log-slower-than", Default: "10000",
			Kind:    integer(-1, math.MaxInt64, func(v *Values) *int64 { return &v.SlowlogSlowerThan }),
			Meaning: "microseconds from which a command goes into the slow log; -1 none does, 0 all do",
		}, {
			Name: "slowlog-max-len", Default: "128",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.SlowlogMaxLen }),
			Meaning: "commands that the slow log keeps",
		}, {
			Name: "latency-monitor-threshold", Default: "0",
			Kind:    integer(0, math.MaxInt64, func(v *Values) *int64 { return &v.LatencyThreshold }),
			Meaning: "milliseconds from which LATENCY notes commands and background work; 0 none",
		}, {
			Name: "latency-tracking", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.LatencyTracking }),
			Meaning: "count for each command how long its calls take, for LATENCY HISTOGRAM and INFO latencystats",
		}, {
			Name: "latency-tracking-info-percentiles", Default: "50 99 99.9",
			Kind:    percentiles(func(v *Values) *[]string { return &v.LatencyPercentiles }),
			Meaning: "percentiles in INFO latencystats",
		}, {
			Name: "hotkeys", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.HotKeys }),
			Meaning: "sample the accesses to keys, for HOTKEYS",
		}, {
			Name: "key-sizes", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.KeySizes }),
			Meaning: "count in the background how large values are, for INFO keysizes and the dashboard",
		}, {
			Name: "prefix-stats", Default: "yes",
			Kind:    yesNo(func(v *Values) *bool { return &v.PrefixStats }),
			Meaning: "count by prefix what happens to keys, for CACHE.STATS and INFO prefixes",
		}, {
			Name: "prefix-delimiter", Default: ":",
			Kind:    character(func(v *Values) *string { return &v.PrefixDelimiter }),
			Meaning: "what stands behind a prefix in the name of a key",
		}, {
			Name: "prefix-depth", Default: "1",
			Kind:    integer(1, 16, func(v *Values) *int64 { return &v.PrefixDepth }),
			Meaning: "levels of a prefix: at 2 it reaches to the second delimiter",
		}, {
			Name: "prefix-max", Default: "1000",
			Kind:    integer(1, 10000, func(v *Values) *int64 { return &v.PrefixMax }),
			Meaning: "prefixes that are counted one by one; the others are counted together",
		},
	}
}
