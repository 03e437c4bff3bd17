package commands

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// CACHE.STATS and INFO's section Prefixes: what the store counts by prefix (store/prefixes.go).
// Redis has nothing like it. The command's name has a dot, as those of modules, so that no later
// version of Redis gets in its way.

func cacheStatsCommands() []engine.Spec {
	return []engine.Spec{{
		Name: "cache.stats", Handler: cmdCacheStats, Arity: -1,
		Flags: engine.Loading | engine.Stale | engine.OwnLocks | engine.Survey,
		Group: "server", Categories: engine.CatDangerous, Since: ownSince,
		Syntax:     "[PREFIX prefix] [TOP count [BY <HITS | MISSES | BYTES | KEYS>]] [HELP]",
		Tips:       []string{"nondeterministic_output"},
		Summary:    "Returns hits, misses and what keys take, for each prefix of keys' names.",
		Complexity: "O(N*S) where N is the number of prefixes and S that of shards",
	}}
}

// prefixOrder is what TOP sorts by, the largest first.
type prefixOrder func(*store.PrefixStats) int64

func byHits(s *store.PrefixStats) int64   { return s.Hits }
func byMisses(s *store.PrefixStats) int64 { return s.Misses }
func byBytes(s *store.PrefixStats) int64  { return s.Bytes }
func byKeys(s *store.PrefixStats) int64   { return s.Keys }

func cmdCacheStats(c *engine.Ctx) error {
	var prefix []byte
	named, top, by := false, int64(-1), prefixOrder(byHits)
	a := c.Parse(1)
	if a.Left() == 1 && a.Match("HELP") {
		return cacheStatsHelp(c)
	}
	for !a.Done() {
		switch {
		case a.MatchValue("PREFIX"):
			named, prefix = true, a.Next()
		case a.MatchValue("TOP"):
			top = a.IntRange(1, math.MaxInt64, string(engine.ErrPositive))
		case top > 0 && a.MatchValue("BY"):
			by = parsePrefixOrder(a)
		default:
			a.Syntax()
		}
	}
	if err := a.Err(); err != nil {
		return usage(c, err)
	}
	list := c.Prefixes()
	if named {
		list = slices.DeleteFunc(list, func(s store.PrefixStats) bool { return s.Other || s.Name != string(prefix) })
	} else if top < 0 {
		slices.SortFunc(list, comparePrefixes)
	}
	if top > 0 {
		list = topPrefixes(list, int(min(top, math.MaxInt)), by)
	}
	c.Out.Array(len(list))
	for i := range list {
		replyPrefix(c, &list[i])
	}
	return nil
}

func cacheStatsHelp(c *engine.Ctx) error {
	lines := [...]string{
		"CACHE.STATS [PREFIX <prefix>] [TOP <count> [BY HITS|MISSES|BYTES|KEYS]]",
		"    Return what is counted for each prefix of keys' names, and for all others together.",
		"    PREFIX <prefix>",
		"        Only this one, without the delimiter behind it.",
		"    TOP <count>",
		"        Only so many, those with most hits, or whatever BY says.",
		"CACHE.STATS HELP",
		"    Print this help.",
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Status(line)
	}
	return nil
}

func parsePrefixOrder(a *engine.Args) prefixOrder {
	switch {
	case a.Match("HITS"):
		return byHits
	case a.Match("MISSES"):
		return byMisses
	case a.Match("BYTES"):
		return byBytes
	case a.Match("KEYS"):
		return byKeys
	}
	a.Syntax()
	return nil
}

// comparePrefixes is the order of names, with all others at the end.
func comparePrefixes(a, b store.PrefixStats) int {
	if a.Other != b.Other {
		return count(a.Other) - count(b.Other)
	}
	return cmp.Compare(a.Name, b.Name)
}

// topPrefixes are the first of the tracked prefixes.
func topPrefixes(list []store.PrefixStats, n int, by prefixOrder) []store.PrefixStats {
	list = slices.DeleteFunc(list, func(s store.PrefixStats) bool { return s.Other })
	slices.SortFunc(list, func(a, b store.PrefixStats) int {
		return cmp.Or(cmp.Compare(by(&b), by(&a)), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(n, len(list))]
}

// otherPrefixes is the name of the row of all prefixes that are not tracked. Of a tracked prefix of
// that name "tracked" is 1.
const otherPrefixes = "(other)"

// prefixFields are the numbers of a row, in the order in which both the command and INFO show them.
var prefixFields = [...]struct {
	name  string
	value prefixOrder
}{
	{"keys", byKeys},
	{"bytes", byBytes},
	{"hits", byHits},
	{"misses", byMisses},
	{"misses_never_set", func(s *store.PrefixStats) int64 { return s.Reasons.Never }},
	{"misses_expired", func(s *store.PrefixStats) int64 { return s.Reasons.Expired }},
	{"misses_evicted", func(s *store.PrefixStats) int64 { return s.Reasons.Evicted }},
	{"misses_deleted", func(s *store.PrefixStats) int64 { return s.Reasons.Deleted }},
	{"sets", func(s *store.PrefixStats) int64 { return s.Sets }},
	{"deletes", func(s *store.PrefixStats) int64 { return s.Deletes }},
	{"expired", func(s *store.PrefixStats) int64 { return s.Expired }},
	{"evicted", func(s *store.PrefixStats) int64 { return s.Evicted }},
	{"in_bytes", func(s *store.PrefixStats) int64 { return s.In }},
	{"out_bytes", func(s *store.PrefixStats) int64 { return s.Out }},
	{"expires", func(s *store.PrefixStats) int64 { return s.Dated }},
	{"avg_ttl", func(s *store.PrefixStats) int64 { return s.TTL }},
	{"counting", func(s *store.PrefixStats) int64 { return int64(count(s.Counting)) }},
}

func replyPrefix(c *engine.Ctx, s *store.PrefixStats) {
	c.Out.Map(3 + len(prefixFields))
	c.Out.BulkString("prefix")
	if s.Other {
		c.Out.BulkString(otherPrefixes)
	} else {
		c.Out.BulkString(s.Name)
	}
	c.Out.BulkString("tracked")
	c.Out.Int(int64(count(!s.Other)))
	for i := range prefixFields {
		c.Out.BulkString(prefixFields[i].name)
		c.Out.Int(prefixFields[i].value(s))
	}
	c.Out.BulkString("hit_rate")
	if reads := s.Hits + s.Misses; reads > 0 {
		c.Out.Double(float64(s.Hits) / float64(reads))
	} else {
		c.Out.Null()
	}
}

// prefixes is a section for those who ask for it by name, or for everything: with a thousand
// prefixes it has some 200 KB.
func (w *infoWriter) prefixes() {
	list := w.c.Prefixes()
	w.put("prefixes_tracked", max(0, len(list)-1))
	counting := false
	for i := range list {
		counting = counting || list[i].Counting
	}
	w.put("prefixes_counting", count(counting))
	slices.SortFunc(list, comparePrefixes)
	for i := range list {
		s := &list[i]
		name := "prefix_" + fieldName(s.Name)
		if s.Other {
			name = "prefixes_other"
		}
		w.WriteString(name)
		for i := range prefixFields {
			fmt.Fprintf(w, "%c%s=%d", ",:"[count(i == 0)], prefixFields[i].name, prefixFields[i].value(s))
		}
		w.WriteString("\r\n")
	}
}

// fieldName makes a prefix a part of the name of a field: what could be taken for something else
// in INFO's text is written in hexadecimal digits.
func fieldName(prefix string) string {
	var b strings.Builder
	for i := range len(prefix) {
		c := prefix[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("_-./@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "\\x%02x", c)
		}
	}
	return b.String()
}
