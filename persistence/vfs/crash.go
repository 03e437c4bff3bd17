package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is what a disk writes as a whole.
const sectorSize = 512

// Crash cuts the power: the file system stops for ever, and a new one holds what was durable and,
// as rng decides, some of what was not. Its calls are counted from 0 and no crash is planned. It
// may be called several times for several outcomes.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed = true
	after := NewMem()
	disk := m.durableEntries()
	keep := rng.Float64() // 0: only what was synced; 1: all
	if rng.IntN(4) == 0 {
		keep = float64(rng.IntN(2))
	}
	happened := map[*change]bool{}
	lost := map[entryName]bool{} // whose later changes must not happen either
	for _, c := range m.journal {
		happened[c] = rng.Float64() < keep && (c.after == nil || happened[c.after]) && !c.touches(lost)
		for _, e := range c.entries {
			if happened[c] {
				e.apply(disk[e.dir])
			} else {
				lost[entryName{e.dir, e.name}] = true
			}
		}
	}
	survive(m.root, after.root, disk, map[*node]*node{}, rng)
	return after
}

type entryName struct {
	dir  *node
	name string
}

// touches reports whether c changes one of the entries.
func (c *change) touches(entries map[entryName]bool) bool {
	return slices.ContainsFunc(c.entries, func(e entryChange) bool { return entries[entryName{e.dir, e.name}] })
}

// durableEntries copies the entries on the disk of all folders that are or may become reachable.
func (m *Mem) durableEntries() map[*node]map[string]*node {
	disk := map[*node]map[string]*node{}
	var visit func(dir *node)
	visit = func(dir *node) {
		if dir == nil || disk[dir] != nil || !dir.perm.IsDir() {
			return
		}
		disk[dir] = maps.Clone(dir.durable)
		for _, n := range dir.durable {
			visit(n)
		}
	}
	visit(m.root)
	for _, c := range m.journal {
		for _, e := range c.entries {
			visit(e.dir)
			visit(e.node)
		}
	}
	return disk
}

// survive fills the folder to with what is left of from. done has the nodes that are there already:
// a file has two names when a crash falls into its move between folders.
func survive(from, to *node, disk map[*node]map[string]*node, done map[*node]*node, rng *rand.Rand) {
	for _, name := range slices.Sorted(maps.Keys(disk[from])) {
		old := disk[from][name]
		n := done[old]
		switch {
		case n != nil:
		case old.perm.IsDir():
			n = newFolder(old.perm)
			done[old] = n
			survive(old, n, disk, done, rng)
		default:
			n = &node{perm: old.perm, data: old.remains(rng)}
			n.synced = slices.Clone(n.data)
			done[old] = n
		}
		to.entries[name], to.durable[name] = n, n
	}
}

// flushLocked makes the wanted changes durable, with all older ones that they depend on.
func (m *Mem) flushLocked(wanted func(c *change) bool) {
	needed := map[*change]bool{}
	names := map[entryName]bool{}
	for _, c := range slices.Backward(m.journal) {
		if !wanted(c) && !needed[c] && !c.touches(names) {
			continue
		}
		needed[c] = true
		if c.after != nil {
			needed[c.after] = true
		}
		for _, e := range c.entries {
			names[entryName{e.dir, e.name}] = true
		}
	}
	var rest []*change
	for _, c := range m.journal {
		if !needed[c] {
			if needed[c.after] {
				c.after = nil
			}
			rest = append(rest, c)
			continue
		}
		for _, e := range c.entries {
			e.apply(e.dir.durable)
		}
	}
	m.journal = rest
}

// remains is what a power failure leaves of a file: every sector as it was after some number of the
// pending writes, and the length as well, be they few or many.
func (n *node) remains(rng *rand.Rand) []byte {
	now := slices.Clone(n.synced)
	if len(n.pending) == 0 {
		return now
	}
	draw := n.progress(rng)
	longest := len(n.synced)
	for size, i := longest, 0; i < len(n.pending); i++ {
		size = n.pending[i].sizeAfter(size)
		longest = max(longest, size)
	}
	at := map[int][]int{} // sectors by the number of writes that have reached them
	for s := range (longest + sectorSize - 1) / sectorSize {
		k := draw()
		at[k] = append(at[k], s)
	}
	out := make([]byte, longest)
	length, lengthAt := 0, draw()
	for k := 0; ; k++ {
		for _, s := range at[k] {
			if lo := s * sectorSize; lo < len(now) {
				copy(out[lo:min(lo+sectorSize, longest)], now[lo:])
			}
		}
		if k == lengthAt {
			length = len(now)
		}
		if k == len(n.pending) {
			return out[:length:length]
		}
		now = n.pending[k].apply(now)
	}
}

// progress draws how many pending writes have reached a place of the file: none, all, the same
// number everywhere, or a different one each time.
func (n *node) progress(rng *rand.Rand) func() int {
	all := len(n.pending)
	same := rng.IntN(all + 1)
	switch rng.IntN(5) {
	case 0:
		return func() int { return 0 }
	case 1:
		return func() int { return all }
	case 2:
		return func() int { return same }
	case 3:
		return func() int { return rng.IntN(2) * all }
	}
	return func() int { return rng.IntN(all + 1) }
}

func (w write) sizeAfter(size int) int {
	if w.data == nil {
		return int(w.off)
	}
	return max(size, int(w.off)+len(w.data))
}
