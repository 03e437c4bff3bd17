package advise

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
)

// judgeReuse looks for times to live far above the time within which keys are read again.
//
// That time is the 99th percentile, over the hits in the second half of what was seen, of the time
// since the key was used before. A hit on a key that was left alone for longer than half the time
// counts as infinitely late: if more than one in a hundred is, nothing is known, and nothing is said.
//
// A time to live runs from the write, so a key expires while it is in use, too: at most once in that
// time, and so a hit is lost with a probability of at most the time since the use before by the time
// to live. What is advised is so long that the mean of these is one in a hundred; it is no less than
// half of what was seen either, and what there is counts as far above only at ten times that.
func judgeReuse(r *Report, e *evidence, m *memory) {
	gaps, ttls, half := reuse(e.trace, e.rule)
	for _, prefix := range slices.Sorted(maps.Keys(gaps)) {
		late := gaps[prefix]
		if len(late) < enoughReads || r.about(prefix, "prefix-hardly-hits", "ttl-too-short") {
			continue
		}
		slices.Sort(late)
		within := late[len(late)*99/100]
		ttl := typicalTTL(ttls[prefix], m.by[prefix])
		known := late[:sort.SearchFloat64s(late, math.Inf(1))]
		between := sum(known) / float64(len(late))
		enough := max(2*within, half, leastTTL, between/mayLose)
		lost := between/enough + share(len(late)-len(known), len(late))
		if math.IsInf(within, 1) || ttl < farAbove*enough {
			continue
		}
		var old int64
		for _, k := range m.by[prefix] {
			if k.ttl >= 0 && ttl-float64(k.ttl) > enough {
				old += k.bytes
			}
		}
		if share(old, m.total) < worthSaying {
			continue
		}
		text := fmt.Sprintf("Keys of prefix %s live for %s, but 99 of 100 hits come within %s of the use before (%s hits seen). With a time to live of %s about %s of them would be lost, and %s of what keys take (%s) would be free.",
			quote(prefix), duration(ttl), duration(within), number0(len(late)), duration(enough),
			percent(lost), percent(share(old, m.total)), size(m.whole(old)))
		r.advise("ttl-too-long", prefix, text, map[string]float64{
			"ttl_ms": ttl, "reuse_ms": within, "hits": float64(len(late)),
			"bytes": m.whole(old), "bytes_share": share(old, m.total),
			"enough_ms": enough, "lost_share": lost,
		})
	}
}

// mayLose is the part of the hits that may be lost because keys expire while they are in use.
const mayLose = 0.01

func sum(list []float64) (total float64) {
	for _, v := range list {
		total += v
	}
	return total
}

// leastTTL is the shortest time to live that is advised, in ms.
const leastTTL = 2000

// reuse has, by prefix, the times in ms between uses, and the times to live that were set; half is
// half the time that was seen, in ms.
func reuse(t *trace, rule prefixRule) (gaps map[string][]float64, ttls map[string][]int64, halfMs float64) {
	gaps, ttls = map[string][]float64{}, map[string][]int64{}
	if len(t.accesses) == 0 {
		return gaps, ttls, 0
	}
	half := (t.accesses[len(t.accesses)-1].at - t.accesses[0].at) / 2
	middle := t.accesses[0].at + half
	last := make([]int64, len(t.keys))
	for i := range last {
		last[i] = math.MinInt64 / 2
	}
	for _, a := range t.accesses {
		prefix := rule.of(t.keys[a.key].name)
		if a.kind == read && a.hit == hit && a.at >= middle {
			gap := math.Inf(1)
			if since := a.at - last[a.key]; since <= half {
				gap = float64(since) / 1000
			}
			gaps[prefix] = append(gaps[prefix], gap)
		}
		if a.kind == write && a.ttl > 0 {
			ttls[prefix] = append(ttls[prefix], a.ttl)
		}
		last[a.key] = a.at
	}
	return gaps, ttls, float64(half) / 1000
}

// typicalTTL is the median of what was set, or the longest that is left of any key; 0 for none.
func typicalTTL(set []int64, keys []sampledKey) float64 {
	if len(set) > 0 {
		slices.Sort(set)
		return float64(set[len(set)/2])
	}
	var longest int64
	for _, k := range keys {
		longest = max(longest, k.ttl)
	}
	return float64(longest)
}
