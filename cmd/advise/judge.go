package advise

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/larderkv/larder/cmd/client"
	"github.com/larderkv/larder/eviction"
)

// What is enough to judge by, and what is worth saying. Numbers of reads are of the sample.
const (
	enoughReads      = 500  // of a prefix, or in all
	enoughKeys       = 100  // sampled
	enoughSimulated  = 2000 // reads after the simulated cache was full
	enoughCompressed = 10   // values

	hardly       = 0.20 // a prefix with fewer hits hardly hits
	mainly       = 0.80 // of its misses, for keys that were never there
	worthSaying  = 0.05 // of the memory, or of the reads, that an advice is about
	manyExpired  = 0.50 // of the misses of a prefix
	manyMissed   = 0.20 // of its reads, for keys that had expired
	farAbove     = 10   // times the reuse time
	withoutTTL   = 0.10 // of the bytes
	packsTo      = 0.70 // of the size, or less
	betterPolicy = 0.02 // of the reads
)

// judge makes the report.
func judge(e *evidence) *Report {
	all := client.Number(client.Pairs(e.after["db"+strconv.Itoa(e.db)])["keys"])
	r := &Report{
		Server: e.after.Server(), Seconds: e.seconds, Requests: e.requests, Keys: int64(all), SampledKeys: len(e.keys),
		TracedKeys: len(e.trace.keys), TracedPart: e.trace.rate(),
		Policy: e.after["maxmemory_policy"], Advice: []Advice{}, Unknown: []string{},
	}
	hits, misses := e.grown("keyspace_hits"), e.grown("keyspace_misses")
	if hits+misses > 0 {
		rate := hits / (hits + misses)
		r.HitRate, r.Reads = &rate, int64(hits+misses)
	}
	if e.ruleErr != nil {
		r.unknown("By what larder makes prefixes (%s): taken is what stands before the first colon.", e.ruleErr)
	}
	memory := newMemory(e.keys, all, e.rule)
	uses := e.uses()
	if total := sumReads(uses); total < enoughReads {
		r.unknown("Hit rates and times to live: %d reads were seen, and %d are needed. Look for longer (--for).",
			total, enoughReads)
	} else {
		judgePrefixes(r, e, uses, memory)
		judgeReuse(r, e, memory)
	}
	if len(e.keys) < enoughKeys {
		r.unknown("What takes the memory: there are %d keys to look at, and %d are needed.", len(e.keys), enoughKeys)
	} else {
		judgeTTLs(r, e, memory)
		judgeSizes(r, memory)
	}
	judgePolicy(r, e, memory)
	return r
}

func (e *evidence) grown(name string) float64 {
	return max(0, e.after.Number(name)-e.before.Number(name))
}

// uses is what was read by prefix: by larder's own count, or what the trace shows.
func (e *evidence) uses() map[string]prefixUse {
	if e.prefixes != nil {
		return e.prefixes
	}
	uses := map[string]prefixUse{}
	for _, a := range e.trace.accesses {
		if a.kind != read || a.hit == unclear {
			continue
		}
		prefix := e.rule.of(e.trace.keys[a.key].name)
		u := uses[prefix]
		u.reads++
		switch a.hit {
		case hit:
			u.hits++
		case missNew:
			u.missNew++
		case missExpired:
			u.missExpired++
		default:
			u.missGone++
		}
		uses[prefix] = u
	}
	return uses
}

func sumReads(uses map[string]prefixUse) (total int) {
	for _, u := range uses {
		total += u.reads
	}
	return total
}

// share is a part of a whole, 0 of nothing.
func share[N int | int64](part, whole N) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// memory is what the sampled keys take, by prefix.
type memory struct {
	keys    []sampledKey
	total   int64   // bytes of the sample
	factor  float64 // from the sample to the whole
	by      map[string][]sampledKey
	bytesOf map[string]int64
}

func newMemory(keys []sampledKey, all float64, rule prefixRule) *memory {
	m := &memory{keys: keys, by: map[string][]sampledKey{}, bytesOf: map[string]int64{}, factor: 1}
	for _, k := range keys {
		prefix := rule.of(k.name)
		m.total += k.bytes
		m.by[prefix] = append(m.by[prefix], k)
		m.bytesOf[prefix] += k.bytes
	}
	if len(keys) > 0 {
		m.factor = max(1, all/float64(len(keys)))
	}
	return m
}

// whole is what bytes of the sample stand for.
func (m *memory) whole(sampled int64) float64 { return float64(sampled) * m.factor }

// judgePrefixes looks for prefixes that hardly hit, and for those of which keys expire too soon.
func judgePrefixes(r *Report, e *evidence, uses map[string]prefixUse, m *memory) {
	total := sumReads(uses)
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		u := uses[name]
		rate, misses := share(u.hits, u.reads), u.reads-u.hits
		bytes := share(m.bytesOf[name], m.total)
		worth := bytes >= worthSaying || share(u.reads, total) >= worthSaying
		switch {
		case u.reads < enoughReads || !worth:
		case share(u.missExpired, misses) >= manyExpired && share(u.missExpired, u.reads) >= manyMissed:
			text := fmt.Sprintf("Keys of prefix %s expire while they are still wanted: %s of its %s reads were misses, and %s of these asked for a key whose time to live had just run out. ",
				quote(name), percent(share(misses, u.reads)), number0(u.reads), percent(share(u.missExpired, misses)))
			r.advise("ttl-too-short", name,
				text+"A longer time to live would turn them into hits, if the data may be that old.",
				map[string]float64{"reads": float64(u.reads),
					"misses": float64(misses), "expired": float64(u.missExpired)})
		case rate < hardly && share(u.missNew, misses) >= mainly:
			text := fmt.Sprintf("Prefix %s hardly hits: of %s reads %s found something",
				quote(name), number0(u.reads), percent(rate))
			if m.bytesOf[name] > 0 {
				text += fmt.Sprintf(", while its keys take %s (%s of what keys take)",
					size(m.whole(m.bytesOf[name])), percent(bytes))
			}
			r.advise("prefix-hardly-hits", name,
				text+". Do not cache these, or cache something that is asked for again.",
				map[string]float64{"reads": float64(u.reads), "hit_rate": rate,
					"bytes": m.whole(m.bytesOf[name]), "bytes_share": bytes})
		}
	}
}

// judgeTTLs looks for keys that nothing will ever remove.
func judgeTTLs(r *Report, e *evidence, m *memory) {
	var bytes int64
	var n int
	for _, k := range m.keys {
		if k.ttl < 0 {
			n, bytes = n+1, bytes+k.bytes
		}
	}
	part, policy := share(bytes, m.total), r.Policy
	if part < withoutTTL {
		return
	}
	figures := map[string]float64{"keys_share": share(n, len(m.keys)), "bytes_share": part, "bytes": m.whole(bytes)}
	what := fmt.Sprintf("%s of the keys, with %s of the bytes (%s), have no time to live",
		percent(share(n, len(m.keys))), percent(part), size(m.whole(bytes)))
	limit := e.after.Number("maxmemory")
	switch {
	case strings.HasPrefix(policy, "volatile-"):
		r.advise("no-ttl-volatile", "", what+", and under "+policy+" these are never evicted: only the others give way, and when there are none left, writes are refused. Give them a time to live, or choose an allkeys policy.", figures)
	case policy == "noeviction" && limit > 0:
		r.advise("no-ttl-noeviction", "", what+", and under noeviction nothing is evicted: at "+size(limit)+" writes are refused. Give them a time to live, or choose an allkeys policy.", figures)
	case policy == "noeviction":
		r.advise("no-ttl-noeviction", "", what+", and there is no cap (maxmemory): the server grows until the machine's memory is full. Set maxmemory and an allkeys policy, or give them a time to live.", figures)
	}
}

// judgeSizes looks for big strings that compress well.
func judgeSizes(r *Report, m *memory) {
	for _, prefix := range slices.Sorted(maps.Keys(m.by)) {
		var raw, packed, bytes int64
		var values int
		for _, k := range m.by[prefix] {
			if k.kind == "string" && k.bytes >= big {
				bytes += k.bytes
			}
			if k.raw > 0 {
				values, raw, packed = values+1, raw+k.raw, packed+k.packed
			}
		}
		to := share(packed, raw)
		saved := float64(bytes) * (1 - to)
		if r.about(prefix, "prefix-hardly-hits") || values < enoughCompressed ||
			to > packsTo || saved < worthSaying*float64(m.total) {
			continue
		}
		text := fmt.Sprintf("Strings of prefix %s of 1 KB and more take %s (%s of what keys take), and compress to %s of their size (DEFLATE, fastest level, %d values tried). Compressed by the application they would save about %s.",
			quote(prefix), size(m.whole(bytes)), percent(share(bytes, m.total)),
			percent(to), values, size(saved*m.factor))
		r.advise("compressible", prefix, text, map[string]float64{"bytes": m.whole(bytes),
			"compressed_share": to, "values": float64(values), "saved": saved * m.factor})
	}
}

// judgePolicy replays the sampled accesses under each policy.
func judgePolicy(r *Report, e *evidence, m *memory) {
	current, ok := eviction.ParsePolicy(r.Policy)
	switch {
	case e.evicted() <= 0:
		return // no policy has been at work, and none is needed
	case !e.monitored:
		r.unknown("Whether another policy would do better: without MONITOR no accesses are known.")
		return
	case !ok || current.Rule == eviction.TTL || current.Volatile && r.has("no-ttl-volatile"):
		r.unknown("Whether another policy would do better: %s is not simulated.", r.Policy)
		return
	case len(e.keys) < enoughKeys:
		return
	}
	e.trace.size(e.keys, e.rule)
	capacity := int64(m.whole(m.total) * e.trace.rate())
	now := simulate(e.trace, eviction.Policy{Rule: current.Rule}, capacity)
	if now.reads < enoughSimulated {
		r.unknown("Whether another policy would do better: %s reads were left after the traffic had filled %s once more, and %d are needed. Look for longer (--for).",
			number0(now.reads), size(m.whole(m.total)), enoughSimulated)
		return
	}
	best, rate := current.Rule, now.hitRate()
	for _, rule := range rules(e.after["larder_version"] != "") {
		if s := simulate(e.trace, eviction.Policy{Rule: rule}, capacity); s.hitRate() > rate {
			best, rate = rule, s.hitRate()
		}
	}
	if rate-now.hitRate() < betterPolicy {
		return
	}
	name := eviction.Policy{Rule: best, Volatile: current.Volatile && best != eviction.LHD}.String()
	r.advise("policy", "",
		fmt.Sprintf("maxmemory-policy %s would hit more: %s in a simulation of %s sampled reads, where %s hits %s.",
			name, percent(rate), number0(now.reads), r.Policy, percent(now.hitRate())),
		map[string]float64{"reads": float64(now.reads), "hit_rate": rate,
			"hit_rate_now": now.hitRate(), "capacity": float64(capacity)})
	r.Advice[len(r.Advice)-1].Policy = name
}

// rules are what a server could evict by.
func rules(larder bool) []eviction.Rule {
	if larder {
		return []eviction.Rule{eviction.LRU, eviction.LFU, eviction.LHD, eviction.Random}
	}
	return []eviction.Rule{eviction.LRU, eviction.LFU, eviction.Random}
}

// size gives keys that no write has told the size of the mean size of sampled keys of their prefix.
func (t *trace) size(keys []sampledKey, rule prefixRule) {
	type mean struct{ bytes, n int64 }
	means, exact := map[string]mean{}, map[string]int64{}
	for _, k := range keys {
		p := means[rule.of(k.name)]
		means[rule.of(k.name)] = mean{p.bytes + k.bytes, p.n + 1}
		exact[k.name] = k.bytes
	}
	for i := range t.keys {
		k := &t.keys[i]
		if p := means[rule.of(k.name)]; k.size == 0 && p.n > 0 {
			k.size = p.bytes / p.n
		}
		k.size = cmp.Or(exact[k.name], k.size)
	}
}
