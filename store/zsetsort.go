package store

import (
	"bytes"
	"slices"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/store/tree"
)

// The order of a large sorted set that is made in one go.
//
// A million pairs are sorted by score with a radix sort, from the lowest byte of the tree's keys to
// the highest: it compares nothing, and a byte that all keys have in common costs nothing, which of
// whole numbers below a million are four of eight. It takes as much memory again as the list, 16
// bytes for each pair, until it is done. A sort that compares takes three times as long, and reads
// the names of members with equal scores all over again; here each group of them is sorted by name
// in the end, with their records on their way from memory while those before them are compared.

// scoredRef is a record of a member with its score.
type scoredRef struct {
	score float64
	ref   arena.Ref
}

const (
	// radixFrom is the number of pairs from which on the radix sort's counters, 2048 of them, are
	// worth it.
	radixFrom = 1024
	// sortAhead is how many pairs ahead records are loaded.
	sortAhead = 16
)

// inOrder lists the records of the table by score and name.
func (b *zsetBody) inOrder() []scoredRef {
	list := make([]scoredRef, 0, b.n)
	b.eachRef(func(ref arena.Ref) bool {
		list = append(list, scoredRef{b.scoreAt(ref), ref})
		return true
	})
	b.sort(list)
	return list
}

// sort sorts pairs by score and name.
func (b *zsetBody) sort(list []scoredRef) {
	if len(list) < radixFrom {
		slices.SortFunc(list, func(x, y scoredRef) int {
			switch {
			case x.score < y.score:
				return -1
			case x.score > y.score:
				return 1
			}
			return b.compareNames(x, y)
		})
		return
	}
	sortByScore(list)
	b.sortEqual(list)
}

func (b *zsetBody) compareNames(x, y scoredRef) int {
	return bytes.Compare(recordKey(b.mem, x.ref), recordKey(b.mem, y.ref))
}

// sortEqual sorts each group of pairs with equal scores by name, in a list that is sorted by score.
// -0 and 0 are equal.
func (b *zsetBody) sortEqual(list []scoredRef) {
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end].score == list[i].score {
			end++
		}
		for j := i + sortAhead; j < min(end+sortAhead, len(list)-1); j++ {
			if list[j].score == list[j-1].score || list[j].score == list[j+1].score {
				b.ar.Prefetch(list[j].ref.Off())
			}
		}
		if end-i > 1 {
			slices.SortFunc(list[i:end], b.compareNames)
		}
		i = end
	}
}

// sortByScore sorts pairs by the tree's keys alone.
func sortByScore(list []scoredRef) {
	var counts [8][256]uint32
	sorted, last := true, uint64(0)
	for i := range list {
		key := tree.KeyOf(list[i].score)
		sorted = sorted && key >= last
		last = key
		for digit := range counts {
			counts[digit][byte(key>>(8*digit))]++
		}
	}
	if sorted {
		return
	}
	from, to := list, make([]scoredRef, len(list))
	for digit := range counts {
		starts := &counts[digit]
		if starts[byte(last>>(8*digit))] == uint32(len(list)) {
			continue // all have the same
		}
		at := uint32(0)
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for i := range from {
			place := &starts[byte(tree.KeyOf(from[i].score)>>(8*digit))]
			to[*place] = from[i]
			*place++
		}
		from, to = to, from
	}
	if &from[0] != &list[0] {
		copy(list, from)
	}
}
