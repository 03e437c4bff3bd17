package commands

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// Tags. A key of any type can have some; whoever invalidates a tag has all its keys gone, or stale, in
// constant time (store/tagging.go). The names of the commands have dots, as those of modules, so that
// no later version of Redis gets in their way.
//
// A tag is no key, but to users' rights it is named like one: who may write keys `shop:*` may give and
// invalidate tags `shop:*`. What goes by a tag may be keys of any names: whoever gave them the tag had
// the right to it.
//
// The rows are larder's own, so the log has them on lines that other servers pass over. What an
// invalidation removes is logged besides, key by key.

func tagCommands() []engine.Spec {
	const cat = engine.CatKeyspace
	const own = engine.Write | engine.Own
	one := func(flags engine.KeyFlags) []engine.KeySpec { return []engine.KeySpec{engine.Key(1, flags)} }
	second := func(flags engine.KeyFlags) []engine.KeySpec { return []engine.KeySpec{engine.Key(2, flags)} }
	return []engine.Spec{
		{Name: "cache.tag", Handler: cmdCacheTag, Arity: -3, Flags: own | engine.DenyOOM | engine.Fast,
			Keys: one(engine.RW | engine.Update), Group: "generic", Categories: cat, Since: ownSince,
			Syntax:     "key tag [tag ...]",
			Summary:    "Gives a key tags, besides those that it has.",
			Complexity: "O(N) where N is the number of the key's tags, and of the key's value if it is a string."},
		{Name: "cache.untag", Handler: cmdCacheUntag, Arity: -2, Flags: own | engine.Fast,
			Keys: one(engine.RW | engine.Update), Group: "generic", Categories: cat, Since: ownSince,
			Syntax:     "key [tag [tag ...]]",
			Summary:    "Takes tags away from a key, all of them without one.",
			Complexity: "O(N) where N is the number of the key's tags, and of the key's value if it is a string."},
		{Name: "cache.tags", Handler: cmdCacheTags, Arity: 2, Flags: engine.ReadOnly | engine.Fast,
			Keys: one(engine.RO | engine.Access), Group: "generic", Categories: cat, Since: ownSince,
			Syntax: "key", Tips: []string{"nondeterministic_output_order"},
			Summary:    "Returns the tags of a key.",
			Complexity: "O(N) where N is their number."},
		{Name: "cache.invalidate", Handler: cmdCacheInvalidate, Arity: -2, Flags: own | engine.AllShards,
			Group: "generic", Categories: cat, Since: ownSince, Syntax: "tag [tag ...]",
			Summary:    "Has all keys that have one of the tags gone.",
			Complexity: "O(N) where N is the number of tags. The keys are freed in the background."},
		{Name: "cache.stale", Handler: cmdCacheStale, Arity: -2, Flags: own | engine.AllShards,
			Group: "generic", Categories: cat, Since: ownSince, Syntax: "tag [tag ...]",
			Summary:    "Has all keys that have one of the tags stale.",
			Complexity: "O(N) where N is the number of tags."},
		{Name: "cache.tagscan", Handler: cmdCacheTagscan, Arity: -2, Flags: engine.ReadOnly | engine.OwnLocks,
			Group: "generic", Categories: cat, Since: ownSince, Syntax: "cursor [MATCH pattern] [COUNT count]",
			Tips:       []string{"nondeterministic_output"},
			Summary:    "Walks over the tags of the database, some at a time, with their numbers of keys.",
			Complexity: "O(1) for a call with the default count, O(N) for a whole walk over N tags."},
		{Name: "cache.attach", Handler: cmdCacheAttach, Arity: 3, Flags: own | engine.Hidden,
			Keys: one(engine.RW | engine.Update), Group: "generic", Categories: cat | engine.CatDangerous, Since: ownSince,
			Syntax:     "key extras",
			Summary:    "Gives a key what a log says it has beside its value.",
			Complexity: "O(N) where N is the number of tags, and of the key's value if it is a string."},
		{Name: "bless", Handler: nil, Arity: -2, Group: "generic", Since: "8.12.0",
			Summary:    "A container for marks that keep keys from eviction.",
			Complexity: "Depends on subcommand.",
			Subcommands: []engine.Spec{
				{Name: "set", Handler: cmdBlessSet, Arity: 4, Flags: own | engine.DenyOOM,
					Keys:  second(engine.RW | engine.Update),
					Group: "generic", Categories: cat, Since: "8.12.0", Syntax: "key NO-EVICT",
					Summary:    "Keeps a key from being evicted.",
					Complexity: "O(N) where N is the size of the value if it is a string, O(1) otherwise."},
				{Name: "clear", Handler: cmdBlessClear, Arity: 4, Flags: own,
					Keys:  second(engine.RW | engine.Update),
					Group: "generic", Categories: cat, Since: "8.12.0", Syntax: "key NO-EVICT",
					Summary:    "Lets a key be evicted again.",
					Complexity: "O(N) where N is the size of the value if it is a string, O(1) otherwise."},
				{Name: "get", Handler: cmdBlessGet, Arity: 3, Flags: engine.ReadOnly | engine.Fast,
					Keys:  second(engine.RO | engine.Access),
					Group: "generic", Categories: cat, Since: "8.12.0", Syntax: "key",
					Summary:    "Returns the marks of a key.",
					Complexity: "O(1)"},
				{Name: "scan", Handler: cmdBlessScan, Arity: -3, Flags: engine.ReadOnly | engine.OwnLocks,
					Group: "generic", Categories: cat, Since: "8.12.0", Syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
					Tips:       []string{"nondeterministic_output", "request_policy:special"},
					Summary:    "Walks over the keys that have marks, some at a time.",
					Complexity: "O(1) for a call with the default count, O(N) for a whole walk over N keys."},
				{Name: "help", Handler: cmdBlessHelp, Arity: 2, Flags: engine.Loading | engine.Stale,
					Group: "generic", Since: "8.12.0", Summary: "Describes the subcommands of BLESS.", Complexity: "O(1)"},
			}},
	}
}

// mayTag checks the tags of a request: their names, and the user's right to them.
func mayTag(c *engine.Ctx, tags [][]byte) error {
	for _, tag := range tags {
		if len(tag) == 0 || len(tag) > store.MaxTagName {
			return engine.ErrTagName
		}
		if !c.MayWriteKey(tag) {
			return engine.ErrNoTag
		}
	}
	return nil
}

// addTags adds those tags to list that it does not have. It returns how many. It stops when there are
// more than a key can have: each is compared with all before, and of 10,000 that took seconds.
func addTags(list *[][]byte, tags [][]byte) (added int64) {
	for _, tag := range tags {
		if len(*list) > store.MaxTags {
			break
		}
		if !slices.ContainsFunc(*list, func(b []byte) bool { return bytes.Equal(b, tag) }) {
			*list = append(*list, tag)
			added++
		}
	}
	return added
}

// retag checks the tags of a request and finds what its key has. If found is false, the reply is written
// or an error.
func retag(c *engine.Ctx) (tags [][]byte, x store.Extras, found bool, err error) {
	tags = c.Args[2:]
	if err = mayTag(c, tags); err != nil {
		return tags, x, false, err
	}
	e, found := c.Write(c.Keys[0])
	if !found {
		c.Out.Null()
		return tags, x, false, nil
	}
	x, _ = e.Extras()
	return tags, x, true, nil
}

func cmdCacheTag(c *engine.Ctx) error {
	tags, x, found, err := retag(c)
	if !found {
		return err
	}
	added := addTags(&x.Tags, tags)
	if len(x.Tags) > store.MaxTags {
		return engine.ErrManyTags
	}
	if added > 0 {
		c.SetExtras(c.Keys[0], &x)
	}
	c.Out.Int(added)
	return nil
}

func cmdCacheUntag(c *engine.Ctx) error {
	tags, x, found, err := retag(c)
	if !found {
		return err
	}
	had := len(x.Tags)
	x.Tags = slices.DeleteFunc(x.Tags, func(tag []byte) bool {
		return len(tags) == 0 || slices.ContainsFunc(tags, func(b []byte) bool { return bytes.Equal(b, tag) })
	})
	if len(x.Tags) < had {
		c.SetExtras(c.Keys[0], &x)
	}
	c.Out.Int(int64(had - len(x.Tags)))
	return nil
}

func cmdCacheTags(c *engine.Ctx) error {
	e, ok := c.Lookup(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	x, _ := e.Extras()
	c.Out.Set(len(x.Tags))
	for _, tag := range x.Tags {
		c.Out.Bulk(tag)
	}
	return nil
}

func cmdCacheInvalidate(c *engine.Ctx) error { return invalidate(c, false) }
func cmdCacheStale(c *engine.Ctx) error      { return invalidate(c, true) }

// invalidate answers how many keys went or became stale. With all shards locked no key is just getting
// the tag, so where there are none nothing has changed.
func invalidate(c *engine.Ctx, soft bool) error {
	tags := c.Args[1:]
	if err := mayTag(c, tags); err != nil {
		return err
	}
	keys := int64(0)
	for _, tag := range tags {
		keys += c.Invalidate(tag, soft)
	}
	c.Dirty += keys
	c.Out.Int(keys)
	return nil
}

func cmdCacheTagscan(c *engine.Ctx) error {
	s, err := parseKeyScan(c, 1)
	if err == nil && s.typed {
		err = engine.ErrSyntax
	}
	if err != nil {
		return usage(c, err)
	}
	type found struct {
		tag         string
		keys, stale int64
	}
	var list []found
	next := c.ScanTags(s.cursor, s.count, func(tag []byte, keys, stale int64) {
		if s.match(tag) {
			list = append(list, found{string(tag), keys, stale})
		}
	})
	c.Out.Array(2)
	var digits [20]byte
	c.Out.Bulk(strconv.AppendUint(digits[:0], next, 10))
	c.Out.Array(3 * len(list))
	for _, f := range list {
		c.Out.BulkString(f.tag)
		c.Out.Int(f.keys)
		c.Out.Int(f.stale)
	}
	return nil
}

// cmdCacheAttach is what a log has.
func cmdCacheAttach(c *engine.Ctx) error {
	x, err := store.ParseExtras(c.Args[2])
	if err != nil {
		return engine.ErrExtras
	}
	if err := mayTag(c, x.Tags); err != nil {
		return err
	}
	c.SetExtras(c.Keys[0], x)
	c.Out.OK()
	return nil
}

func cmdBlessSet(c *engine.Ctx) error   { return bless(c, true) }
func cmdBlessClear(c *engine.Ctx) error { return bless(c, false) }

// bless answers 1 if it has changed the mark, 0 if it was so before, and nothing without the key.
func bless(c *engine.Ctx, mark bool) error {
	if !bytes.EqualFold(c.Args[3], []byte(noEvictMark)) {
		return engine.ErrSyntax
	}
	e, ok := c.Write(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	x, _ := e.Extras()
	changed := x.NoEvict != mark
	if changed {
		x.NoEvict = mark
		c.SetExtras(c.Keys[0], &x)
	}
	replyDone(c, changed)
	return nil
}

const noEvictMark = "NO-EVICT"

func cmdBlessGet(c *engine.Ctx) error {
	e, ok := c.Lookup(c.Keys[0])
	if !ok {
		c.Out.Null()
		return nil
	}
	x, _ := e.Extras()
	if !x.NoEvict {
		c.Out.Set(0)
		return nil
	}
	c.Out.Set(1)
	c.Out.BulkString(noEvictMark)
	return nil
}

func cmdBlessScan(c *engine.Ctx) error {
	s, err := parseKeyScan(c, 2)
	if err != nil {
		return err
	}
	var names []string
	next := c.Scan(s.cursor, s.count, func(e *store.Entry, name []byte) {
		if x, _ := e.Extras(); x.NoEvict && s.picks(e, name) {
			names = append(names, string(name))
		}
	})
	c.Out.Array(2)
	var digits [20]byte
	c.Out.Bulk(strconv.AppendUint(digits[:0], next, 10))
	c.Out.Array(len(names))
	for _, name := range names {
		c.Out.BulkString(name)
	}
	return nil
}

func cmdBlessHelp(c *engine.Ctx) error {
	return replyHelp(c,
		"CLEAR <key> NO-EVICT",
		"    Let the key be evicted again.",
		"GET <key>",
		"    Return the marks of the key.",
		"SCAN <cursor> [MATCH <pattern>] [COUNT <count>] [TYPE <type>]",
		"    Walk over the keys that have marks.",
		"SET <key> NO-EVICT",
		"    Keep the key from being evicted, whatever the policy.",
	)
}
