package commands

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/store/lex"
)

// sortItem is an element of SORT and what it is sorted by.
type sortItem struct {
	element []byte
	// weight is the number that the element is sorted by, as bits that are in the same order; or,
	// with BY and ALPHA, 1 + the index of its text in sorting.keys. 0: it has none.
	weight uint64
}

// sort brings those items that LIMIT asks for into the order that was asked for, and to their
// places.
func (s *sorting) sort() error {
	switch {
	case s.alpha && !s.hasBy:
		s.sortBy(compareElements)
	case s.alpha:
		s.weighText()
		s.sortBy(s.compareText)
	default:
		if err := s.weighNumbers(); err != nil {
			return err
		}
		s.sortBy(compareNumbers)
	}
	return nil
}

// sortBy sorts in O(n + m log m) for m items of n, in O(n log n) at worst.
func (s *sorting) sortBy(compare func(a, b sortItem) int) {
	if s.desc {
		up := compare
		compare = func(a, b sortItem) int { return up(b, a) }
	}
	from, to := s.window(len(s.items))
	if from == to {
		return
	}
	selectFirst(s.items, to, compare)
	selectFirst(s.items[:to], from, compare)
	slices.SortFunc(s.items[from:to], compare)
}

// selectFirst brings the k items that come first in the order to the front, in any order among
// themselves. It is Hoare's FIND: the items are divided by one of them, and then the part with the
// k-th. Chance picks it, so that no data makes the parts uneven; if they are all the same, it sorts.
func selectFirst(items []sortItem, k int, compare func(a, b sortItem) int) {
	for rounds := 4 * bits.Len(uint(len(items))); k > 0 && k < len(items); rounds-- {
		if rounds == 0 {
			slices.SortFunc(items, compare)
			return
		}
		i, j := divide(items, items[rand.IntN(len(items))], compare)
		switch {
		case k <= j:
			items = items[:j+1]
		case k >= i:
			items, k = items[i:], k-i
		default: // what lies between is equal
			return
		}
	}
}

// divide brings what comes before the middle to items[:j+1] and what comes after it to items[i:];
// what equals it may be anywhere. i > j.
func divide(items []sortItem, middle sortItem, compare func(a, b sortItem) int) (i, j int) {
	for j = len(items) - 1; i <= j; {
		for compare(items[i], middle) < 0 {
			i++
		}
		for compare(items[j], middle) > 0 {
			j--
		}
		if i <= j {
			items[i], items[j] = items[j], items[i]
			i, j = i+1, j-1
		}
	}
	return i, j
}

func compareElements(a, b sortItem) int { return bytes.Compare(a.element, b.element) }

func compareNumbers(a, b sortItem) int {
	if a.weight != b.weight {
		return cmp.Compare(a.weight, b.weight)
	}
	return bytes.Compare(a.element, b.element)
}

// compareText puts elements without a text in front.
func (s *sorting) compareText(a, b sortItem) int {
	switch {
	case a.weight == 0 || b.weight == 0:
		if a.weight != b.weight {
			return cmp.Compare(min(a.weight, 1), min(b.weight, 1))
		}
	default:
		if order := bytes.Compare(s.keys[a.weight-1], s.keys[b.weight-1]); order != 0 {
			return order
		}
	}
	return bytes.Compare(a.element, b.element)
}

// weighText finds the texts that the items are sorted by.
func (s *sorting) weighText() {
	s.keys = make([][]byte, 0, len(s.items))
	for i := range s.items {
		it := &s.items[i]
		if text, ok := s.find(&s.by, it.element); ok {
			s.keys = append(s.keys, text)
			it.weight = uint64(len(s.keys))
		}
	}
}

// weighNumbers finds the numbers that the items are sorted by. What has none counts as 0.
// Redis looks all of them up even if the first is none.
func (s *sorting) weighNumbers() (err error) {
	for i := range s.items {
		it := &s.items[i]
		text, number := it.element, 0.0
		ok := true
		if s.hasBy {
			text, ok = s.find(&s.by, it.element)
		}
		if ok {
			if number, ok = sortNumber(text); !ok {
				err = engine.ErrSortNumber
			}
		}
		it.weight = inOrder(number)
	}
	return err
}

// inOrder maps numbers to integers in the same order.
func inOrder(f float64) uint64 {
	const sign = 1 << 63
	if f == 0 {
		f = 0 // -0 is no other number
	}
	bits := math.Float64bits(f)
	if bits&sign != 0 {
		return ^bits
	}
	return bits | sign
}

// sortNumber reads a number as Redis does here, by C's strtod and without the rules that arguments
// have: blanks in front are skipped, nothing at all is 0, and the text ends at a NUL. A subnormal
// number that had to be rounded is out of range, which every decimal one had to be.
func sortNumber(text []byte) (float64, bool) {
	if n, ok := lex.ParseInt(text); ok {
		return float64(n), true
	}
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	if len(text) == 0 {
		return 0, true
	}
	const smallestNormal = 0x1p-1022
	f, ok := lex.ParseFloat(bytes.TrimLeft(text, " \t\n\v\f\r"))
	return f, ok && (f == 0 || math.Abs(f) >= smallestNormal || bytes.ContainsAny(text, "xX"))
}

// sortPattern is the pattern of BY or GET: a key's name with the element in place of the first
// asterisk, and perhaps a field of the hash that the key holds.
type sortPattern struct {
	prefix, suffix, field []byte
	star                  bool
	itself                bool // "#": the element
}

// newSortPattern takes a pattern apart. As in Redis, which uses C's functions, nothing is looked
// for behind a NUL.
func newSortPattern(text []byte) (p sortPattern) {
	if string(text) == "#" {
		return sortPattern{itself: true}
	}
	known := text
	if end := bytes.IndexByte(text, 0); end >= 0 {
		known = text[:end]
	}
	star := bytes.IndexByte(known, '*')
	if star < 0 {
		return sortPattern{}
	}
	p = sortPattern{star: true, prefix: text[:star], suffix: text[star+1:]}
	if arrow := bytes.Index(known[star+1:], []byte("->")); arrow >= 0 && star+1+arrow+2 < len(known) {
		p.suffix, p.field = text[star+1:star+1+arrow], text[star+1+arrow+2:]
	}
	return p
}

// names reports whether the pattern names keys, and is an order with BY.
func (p sortPattern) names() bool { return p.star }

// find returns what the pattern names for an element. It aliases the store, or is the element.
func (s *sorting) find(p *sortPattern, element []byte) (value []byte, ok bool) {
	if p.itself {
		return element, true
	}
	if !p.star {
		return nil, false
	}
	s.name = append(append(append(s.name[:0], p.prefix...), element...), p.suffix...)
	k := s.c.Store.Key(s.name)
	if s.stored {
		s.one[0] = k
		s.c.Expire(s.one[:])
	}
	if p.field == nil {
		value, ok, err := s.c.GetString(k)
		return value, ok && err == nil
	}
	h, ok, err := s.c.ReadHash(k)
	if !ok || err != nil {
		return nil, false
	}
	return h.Get(p.field)
}
