package rdb

import (
	"hash/maphash"
	"slices"
)

// distinct finds names that come twice. The zero value is ready; it serves one
// collection after the other.
type distinct struct {
	seed  maphash.Seed
	slots []uint32 // open addressing; index of the name in the list, plus one
}

// compareAll is the number of names up to which each is compared with each.
const compareAll = 8

// repeats reports whether one of every stride-th item of a list is there twice.
func (d *distinct) repeats(list [][]byte, stride int) bool {
	n := len(list) / stride
	if n <= compareAll {
		for i := stride; i < len(list); i += stride {
			for j := 0; j < i; j += stride {
				if string(list[i]) == string(list[j]) {
					return true
				}
			}
		}
		return false
	}
	size := 32
	for size < 2*n {
		size *= 2
	}
	if len(d.slots) == 0 {
		d.seed = maphash.MakeSeed()
	}
	d.slots = slices.Grow(d.slots[:0], size)[:size]
	clear(d.slots)
	for i := 0; i < len(list); i += stride {
		at := maphash.Bytes(d.seed, list[i])
		for {
			slot := &d.slots[at&uint64(size-1)]
			if *slot == 0 {
				*slot = uint32(i) + 1
				break
			}
			if string(list[*slot-1]) == string(list[i]) {
				return true
			}
			at++
		}
	}
	return false
}
