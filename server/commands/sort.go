package commands

import (
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store"
)

// SORT and SORT_RO: the elements of a list, a set or a sorted set in an order of their own (BY) or
// of other keys' values, and with GET what these hold instead of the elements.
//
// # Order
//
// By default an element is a number, with ALPHA text, compared byte by byte (Redis goes by the
// locale, which is C unless somebody has set another). Elements that compare equal are put in the
// order of their bytes. Redis does so for numbers only, and leaves the others to its qsort. Here
// the order never depends on how the elements were found, and so a log that is replayed stores what
// was stored.
//
// BY with a pattern that has no asterisk means no order: lists and sorted sets then keep their own
// (DESC: backwards), and only what LIMIT asks for is read. A set has none; what is stored of it is
// in the order of its elements all the same, as in Redis.
//
// # Locks
//
// The names of the keys that BY and GET look at are made of the elements, and nobody knows them
// before the elements have been read. A request with such a pattern locks every shard
// (engine.Spec.Strays), one without only the shards of its own keys. The other way would be to lock
// the key, read the elements, and lock once more what they name; but the key may have changed in
// between, so that the reply would be of no moment at all.
//
// # Memory
//
// The elements are not copied while they are sorted, unless they have to be written out of a set of
// integers: a vector of 32 bytes each refers to them. That and the values that decide the order is
// all that a request takes beside its reply. GET can make a reply out of all proportion to the
// data, a big value for each of a million elements; at maxSortReply it ends.

// maxSortReply bounds, in bytes, what the values found by GET may add up to. Redis has no bound.
const maxSortReply = 512 << 20

func sortCommands() []engine.Spec {
	const cat = engine.CatSet | engine.CatSortedSet | engine.CatList | engine.CatDangerous
	source := engine.Key(1, engine.RO|engine.Access)
	patterns := engine.UnknownKeys(engine.RO|engine.Access,
		"For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort")
	destination := engine.UnknownKeys(engine.OW|engine.Update,
		"For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array")
	const (
		syntax = "key [BY pattern] [LIMIT offset=integer count=integer] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]"
		effort = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. " +
			"When the elements are not sorted, complexity is O(N)."
	)
	return []engine.Spec{
		{Name: "sort", Handler: cmdSort, Arity: -2, Flags: engine.Write | engine.DenyOOM,
			Keys: []engine.KeySpec{source, patterns, destination}, KeysAt: sortKeys, Strays: sortStrays,
			Group: "generic", Categories: cat, Since: "1.0.0", Syntax: syntax + " [STORE destination]",
			Summary: "Sorts the elements of a list, a set or a sorted set, and stores them if asked to.", Complexity: effort},
		{Name: "sort_ro", Handler: cmdSortRO, Arity: -2, Flags: engine.ReadOnly,
			Keys: []engine.KeySpec{source, patterns}, Strays: sortStrays,
			Group: "generic", Categories: cat, Since: "7.0.0", Syntax: syntax,
			Summary: "Sorts the elements of a list, a set or a sorted set.", Complexity: effort},
	}
}

// sortOptions are the positions of SORT's options, for those who look at them before they are
// checked.
type sortOptions struct {
	store    int  // of the destination; 0: none
	patterns bool // there are keys to look at
}

// findSortOptions reads a request as Redis' sortGetKeys does: what is no option is passed over.
func findSortOptions(args [][]byte) (o sortOptions) {
	for i := 2; i < len(args); i++ {
		switch {
		case equalWord(args[i], "LIMIT"):
			i += 2
		case equalWord(args[i], "BY"), equalWord(args[i], "GET"):
			i++
			o.patterns = o.patterns || i < len(args) && newSortPattern(args[i]).names()
		case equalWord(args[i], "STORE") && i+1 < len(args):
			i++
			o.store = i
		}
	}
	return o
}

func sortKeys(args [][]byte) []engine.KeyAt {
	keys := []engine.KeyAt{{Index: 1, Flags: engine.RO | engine.Access}}
	if at := findSortOptions(args).store; at > 0 {
		keys = append(keys, engine.KeyAt{Index: at, Flags: engine.OW | engine.Update})
	}
	return keys
}

func sortStrays(args [][]byte) bool { return findSortOptions(args).patterns }

// sorting is one SORT.
type sorting struct {
	c      *engine.Ctx
	by     sortPattern
	hasBy  bool // there is an order by other keys
	native bool // no order: BY without an asterisk was among the options
	get    []sortPattern
	alpha  bool
	desc   bool
	stored bool   // STORE was given
	offset int64  // of LIMIT
	count  int64  // negative: all
	name   []byte // of a key that a pattern makes, kept to be used again
	one    [1]store.Key
	items  []sortItem  // what is sorted
	keys   [][]byte    // with BY and ALPHA: what the items are sorted by
	copies sortedBytes // of elements that are nowhere as text
}

func cmdSort(c *engine.Ctx) error   { return runSort(c, true) }
func cmdSortRO(c *engine.Ctx) error { return runSort(c, false) }

func runSort(c *engine.Ctx, mayStore bool) error {
	s := sorting{c: c, count: -1}
	if err := s.parse(mayStore); err != nil {
		return err
	}
	if s.stored {
		c.Expire(c.Keys[:1])
	}
	from, to, err := s.load()
	if err != nil {
		return err
	}
	if s.stored {
		return s.store(s.items[from:to])
	}
	return s.reply(s.items[from:to])
}

func (s *sorting) parse(mayStore bool) error {
	a := s.c.Parse(2)
	for !a.Done() {
		switch {
		case a.Match("ASC"):
			s.desc = false
		case a.Match("DESC"):
			s.desc = true
		case a.Match("ALPHA"):
			s.alpha = true
		case a.Left() > 2 && a.Match("LIMIT"):
			s.offset, s.count = a.Int64(), a.Int64()
		case mayStore && a.MatchValue("STORE"):
			s.stored = true
			a.Skip(1) // the last one is the command's second key
		case a.MatchValue("BY"):
			s.by, s.hasBy = newSortPattern(a.Next()), true
			s.native = s.native || !s.by.names()
			if s.by.names() && !s.c.MayReadAnyKey() {
				return engine.ErrACLDeniedBy
			}
		case a.MatchValue("GET"):
			if s.get = append(s.get, newSortPattern(a.Next())); !s.c.MayReadAnyKey() {
				return engine.ErrACLDeniedGet
			}
		default:
			a.Syntax()
		}
	}
	return a.Err()
}

// window is the part of n items that LIMIT asks for.
func (s *sorting) window(n int) (from, to int) {
	from = int(min(max(s.offset, 0), int64(n)))
	if s.count < 0 {
		return from, n
	}
	return from, from + int(min(s.count, int64(n-from)))
}

// load reads the elements of the key and sorts them if they are to be. The result is
// items[from:to].
func (s *sorting) load() (from, to int, err error) {
	c, k := s.c, s.c.Keys[0]
	e, ok := c.Peek(k)
	if !ok {
		c.Read(k) // counts as a miss
		return 0, 0, nil
	}
	switch e.Type() {
	case store.TypeList:
		l, _, err := c.ReadList(k)
		if err != nil {
			return 0, 0, err
		}
		if s.native {
			s.loadList(&l, s.desc)
			return 0, len(s.items), nil
		}
		s.items = make([]sortItem, 0, l.Len())
		l.Range(0, l.Len(), s.take)
	case store.TypeSet:
		integers := e.Content()
		set, _, err := c.ReadSet(k)
		if err != nil {
			return 0, 0, err
		}
		s.loadSet(&set, integers.Integers())
		if s.native && s.stored {
			s.alpha, s.hasBy, s.native = true, false, false
		}
		if s.native {
			from, to = s.window(len(s.items))
			return from, to, nil
		}
	case store.TypeZset:
		z, _, err := c.ReadZset(k)
		if err != nil {
			return 0, 0, err
		}
		if s.native {
			s.loadZset(&z, s.desc)
			return 0, len(s.items), nil
		}
		s.items = make([]sortItem, 0, z.Len())
		z.Each(0, z.Len(), false, s.takeMember)
	default:
		c.Read(k) // counts as a hit
		return 0, 0, engine.ErrWrongType
	}
	if err := s.sort(); err != nil {
		return 0, 0, err
	}
	from, to = s.window(len(s.items))
	return from, to, nil
}

// loadList takes what LIMIT asks for, in the list's order or backwards.
func (s *sorting) loadList(l *store.List, backwards bool) {
	n := l.Len()
	from, to := s.window(n)
	if from == to {
		return
	}
	s.items = make([]sortItem, 0, to-from)
	if backwards {
		l.RangeBack(n-1-from, to-from, s.take)
	} else {
		l.Range(from, to-from, s.take)
	}
}

// loadZset is loadList for a sorted set.
func (s *sorting) loadZset(z *store.Zset, backwards bool) {
	n := z.Len()
	from, to := s.window(n)
	s.items = make([]sortItem, 0, to-from)
	rank := from
	if backwards {
		rank = n - 1 - from
	}
	z.Each(rank, to-from, backwards, s.takeMember)
}

func (s *sorting) takeMember(member []byte, _ float64) { s.take(member) }

// loadSet takes the members. Those of a set of integers are copied: they are nowhere as text, and
// are written into one buffer, one after the other.
func (s *sorting) loadSet(set *store.Set, integers bool) {
	s.items = make([]sortItem, 0, set.Len())
	if integers {
		set.Each(func(member []byte) bool { return s.take(s.copies.add(member)) })
	} else {
		set.Each(s.take)
	}
}

func (s *sorting) take(element []byte) bool {
	s.items = append(s.items, sortItem{element: element})
	return true
}

// reply writes the elements, or what GET finds for them.
func (s *sorting) reply(items []sortItem) error {
	out := s.c.Out
	out.Array(len(items) * max(len(s.get), 1))
	start := out.Len()
	for i := range items {
		element := items[i].element
		if len(s.get) == 0 {
			out.Bulk(element)
			continue
		}
		for j := range s.get {
			if value, ok := s.find(&s.get[j], element); ok {
				out.Bulk(value)
			} else {
				out.Null()
			}
		}
		if out.Len()-start > maxSortReply {
			return engine.ErrSortTooLarge
		}
	}
	return nil
}

// store puts the elements, or what GET finds for them, into the destination. They are copied first:
// the destination may be what they were read from.
func (s *sorting) store(items []sortItem) error {
	var copies sortedBytes
	elements := make([][]byte, 0, len(items)*max(len(s.get), 1))
	for i := range items {
		if len(s.get) == 0 {
			elements = append(elements, copies.add(items[i].element))
			continue
		}
		for j := range s.get {
			value, _ := s.find(&s.get[j], items[i].element) // what is not there is stored as nothing
			elements = append(elements, copies.add(value))
		}
		if copies.total > maxSortReply {
			return engine.ErrSortTooLarge
		}
	}
	s.c.StoreList(s.c.Keys[1], elements)
	s.c.Out.Int(int64(len(elements)))
	return nil
}

// sortedBytes keeps copies in chunks, so that what is there never moves.
type sortedBytes struct {
	chunk []byte
	total int
}

func (b *sortedBytes) add(text []byte) []byte {
	const chunk = 64 << 10
	if len(text) > cap(b.chunk)-len(b.chunk) {
		b.chunk = make([]byte, 0, max(chunk, len(text)))
	}
	at := len(b.chunk)
	b.chunk = append(b.chunk, text...)
	b.total += len(text)
	return b.chunk[at:len(b.chunk):len(b.chunk)]
}
