package store

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/larderkv/larder/store/arena"
	"github.com/larderkv/larder/tests/randtest"
)

// nameIn is a name that a shard has.
func nameIn(s *Store, shard int, prefix string) Key {
	for i := 0; ; i++ {
		if k := s.Key(fmt.Append(nil, prefix, i)); k.Shard() == shard {
			return k
		}
	}
}

// bigValues are values of each type whose bodies move, by the name of the type: elements of some
// bytes, and some that have large blocks of their own.
var bigValues = map[string]func(v *View, k Key, from, n int){
	"hash": func(v *View, k Key, from, n int) {
		for i := range n {
			mustDo(v.SetFields(k, [][]byte{fmt.Append(nil, "field:", from+i), bigElement(from + i)}))
		}
	},
	"set": func(v *View, k Key, from, n int) {
		for i := range n {
			mustDo(v.AddMembers(k, [][]byte{bigElement(from + i)}))
		}
	},
	"list": func(v *View, k Key, from, n int) {
		for i := range n {
			mustDo(v.PushElements(k, Back, [][]byte{bigElement(from + i)}))
		}
	},
	"zset": func(v *View, k Key, from, n int) {
		mustScores(v.SetScores(k, n, func(i int) Scored { return Scored{bigElement(from + i), float64((from + i) * 7919 % 1000)} }, 0))
	},
}

func mustDo(_ int, err error) {
	if err != nil {
		panic(err)
	}
}

func bigElement(i int) []byte {
	b := fmt.Append(nil, "element:", i)
	switch i % 500 {
	case 100:
		b = append(b, bytes.Repeat([]byte{'x'}, 5_000)...)
	case 200:
		b = append(b, bytes.Repeat([]byte{'y'}, 40_000)...)
	}
	return b
}

// removeSome removes about a third of a value's elements.
func removeSome(v *View, k Key, rng *rand.Rand) {
	e, ok := v.Peek(k)
	if !ok {
		return
	}
	var names [][]byte
	c := e.Content()
	c.Each(func(item, _ []byte) bool {
		if rng.IntN(3) == 0 {
			names = append(names, bytes.Clone(item))
		}
		return true
	})
	switch e.Type() {
	case TypeHash:
		h, _, _ := v.WriteHash(k)
		h.Delete(names)
	case TypeSet:
		s, _, _ := v.WriteSet(k)
		s.Remove(names)
	case TypeZset:
		z, _, _ := v.WriteZset(k)
		if rng.IntN(2) == 0 {
			z.RemoveRange(0, z.Len()/3, EventZRemByRank)
		} else {
			z.Remove(names)
		}
	case TypeList:
		l, _, _ := v.WriteList(k)
		if rng.IntN(2) == 0 {
			l.Trim(l.Len()/6, l.Len()*2/3)
		} else {
			l.Set(l.Len()/2, []byte("set"))
			l.Pop(Front, l.Len()/4, func([]byte) {})
		}
	case TypeString, NumTypes:
		panic("BUG: not a type with elements")
	}
}

// elementsOf is what a key holds, in order where there is one.
func elementsOf(v *View, k Key) (list []string) {
	e, ok := v.Peek(k)
	if !ok {
		return nil
	}
	c := e.Content()
	c.Each(func(item, value []byte) bool {
		list = append(list, string(item)+"="+string(value))
		return true
	})
	if t := e.Type(); t == TypeHash || t == TypeSet {
		slices.Sort(list)
	}
	return list
}

// checkAtHome verifies that the blocks in each shard's arena are those that the shard keeps.
func checkAtHome(t *testing.T, s *Store) {
	t.Helper()
	for i := range s.shards {
		sh := &s.shards[i]
		if len(sh.moved) > 0 {
			t.Errorf("shard %d: %d bodies have not settled", i, len(sh.moved))
		}
		if in := blocksIn(s, sh.ar); in != sh.ar.Used() {
			t.Errorf("shard %d: blocks of %d bytes are in its arena, it keeps %d", i, in, sh.ar.Used())
		}
	}
	if n := s.heap.Uncollected(); n != 0 {
		t.Errorf("%d bytes were given back and not collected", n)
	}
}

// blocksIn is the number of bytes of the blocks in an arena, whoever keeps them.
func blocksIn(s *Store, ar *arena.Arena) (bytes int64) {
	r := s.heap.Report()
	ar.AddTo(r)
	for _, c := range r.Classes {
		bytes += c.Live * int64(c.Size)
	}
	return bytes + r.LargeUsed
}

func maintainAll(t *testing.T, s *Store) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Maintain(1); err != nil {
			t.Fatal(err)
		}
	}
}

// RENAME into another shard moves the body as it is; its blocks follow in the background, whatever
// becomes of it meanwhile.
func TestRenameMovesBody(t *testing.T) {
	for typ, fill := range bigValues {
		t.Run(typ, func(t *testing.T) {
			rng := randtest.New(t)
			s := testStore(t)
			v := &View{Store: s, Now: 1}
			var names [4]Key
			for i := range names {
				names[i] = nameIn(s, i, "key:")
			}
			fill(v, names[0], 0, 4000)
			e, _ := v.Peek(names[0])
			b, want := e.body(), elementsOf(v, names[0])
			for hop := range 8 {
				from, to := names[hop%4], names[(hop+1)%4]
				before := s.Used()
				v.Rename(from, to)
				e, _ = v.Peek(to)
				if e.body() != b {
					t.Fatalf("hop %d: another body", hop)
				}
				if grown := s.Used() - before; grown > 10_000 {
					t.Errorf("hop %d takes %d bytes", hop, grown)
				}
				if got := elementsOf(v, to); !slices.Equal(got, want) {
					t.Fatalf("hop %d: %d elements, not %d", hop, len(got), len(want))
				}
				checkAccounts(t, s)
				removeSome(v, to, rng)
				fill(v, to, 4000+1000*hop, 1000)
				want = elementsOf(v, to)
				checkAccounts(t, s)
				for range hop * 20 {
					if _, err := s.Maintain(1); err != nil {
						t.Fatal(err)
					}
				}
				checkAccounts(t, s)
			}
			maintainAll(t, s)
			checkAccounts(t, s)
			checkAtHome(t, s)
			if got := elementsOf(v, names[0]); !slices.Equal(got, want) {
				t.Fatalf("at home: %d elements, not %d", len(got), len(want))
			}
			v.Delete(names[0])
			maintainAll(t, s)
			if st := s.Stats(); st.Used != 0 || st.Bodies != 0 {
				t.Errorf("after DEL: %+v", st)
			}
		})
	}
}

// A database is emptied while blocks of its shards lie in each other's arenas.
func TestFlushOfMovedBodies(t *testing.T) {
	s := testStore(t)
	v, other := &View{Store: s, Now: 1}, &View{Store: s, DB: 1, Now: 1}
	for range 3 {
		for typ, fill := range bigValues {
			for i := range 4 {
				from, to := nameIn(s, i, typ), nameIn(s, (i+1)%4, "to "+typ)
				fill(v, from, 0, 600)
				fill(other, from, 0, 600)
				v.Rename(from, to)
				other.Rename(from, to)
			}
		}
		want := map[string][]string{}
		for typ := range bigValues {
			for i := range 4 {
				k := nameIn(s, i, "to "+typ)
				want[string(k.Name)] = elementsOf(other, k)
			}
		}
		s.FlushLocked(0, 1)
		checkAccounts(t, s)
		maintainAll(t, s)
		checkAccounts(t, s)
		for name, list := range want {
			if !slices.Equal(elementsOf(other, s.Key([]byte(name))), list) || len(list) == 0 {
				t.Errorf("%s is not what it was", name)
			}
		}
		for name := range want {
			k := s.Key([]byte(name))
			other.Rename(k, nameIn(s, (k.Shard()+1)%4, "last "))
		}
		if s.FlushLocked(1, 1); s.Stats().Used != 0 || s.mingled.Load() {
			t.Errorf("all is flushed: %+v", s.Stats())
		}
		checkAccounts(t, s)
		checkAtHome(t, s)
	}
}

// Big values are renamed, changed, removed and flushed at random, while snapshots and compactions
// begin and end. Each stays what it is, and the accounts exact.
func TestMovedBodies(t *testing.T) {
	rng := randtest.New(t)
	s := testStore(t)
	v := &View{Store: s, Now: 1}
	names, types := make([]Key, 8), slices.Sorted(maps.Keys(bigValues))
	for i := range names {
		names[i] = nameIn(s, i%4, fmt.Sprint("k", i, ":"))
	}
	values := map[string][]string{}
	m := &mutator{t: t, rng: rng, s: s, now: 1, evictor: s.NewEvictor()}
	var sn *Snapshot
	moved := 0
	for step := range 1500 {
		k, k2 := names[rng.IntN(8)], names[rng.IntN(8)]
		switch op := rng.IntN(40); {
		case op < 12 && values[string(k.Name)] != nil && k.Name[1] != k2.Name[1]:
			before := len(s.shards[k2.shard].moved)
			v.Rename(k, k2)
			moved += max(0, len(s.shards[k2.shard].moved)-before)
			values[string(k2.Name)] = values[string(k.Name)]
			delete(values, string(k.Name))
		case op < 16:
			typ := types[rng.IntN(4)]
			if e, ok := v.Peek(k); ok {
				typ = e.Type().String()
			}
			bigValues[typ](v, k, rng.IntN(3000), rng.IntN(400))
		case op < 20:
			removeSome(v, k, rng)
		case op < 21:
			v.Delete(k)
		case op < 22 && step%5 == 0:
			s.FlushLocked(0, 1)
			clear(values)
		case op < 26:
			m.compact()
		case op < 28 && sn == nil:
			sn = cutNow(t, s)
			sn.sink, sn.locked = new(nullSink), true
		case op < 30:
			m.evictor.compactInTime(1, 0, 1<<20)
			s.collectReturned()
		default:
			m.maintain()
		}
		values[string(k.Name)] = elementsOf(v, k)
		for range rng.IntN(20) {
			if sn != nil && !sn.step() {
				sn = nil
			}
		}
		if step%25 == 0 || t.Failed() {
			checkAccounts(t, s)
			for _, k := range names {
				if got, want := elementsOf(v, k), values[string(k.Name)]; !slices.Equal(got, want) {
					t.Fatalf("step %d: %q has %d elements, not %d", step, k.Name, len(got), len(want))
				}
			}
		}
		if t.Failed() {
			t.Fatalf("step %d", step)
		}
	}
	if moved < 30 {
		t.Errorf("only %d bodies moved", moved)
	}
	for sn != nil && sn.step() {
	}
	maintainAll(t, s)
	checkAtRest(t, s)
}

// Owners of different shards use and free blocks of each other's at the same time.
func TestMovedBodiesUnderConcurrency(t *testing.T) {
	s := testStore(t)
	var stop atomic.Bool
	var background, workers sync.WaitGroup
	background.Go(func() {
		for !stop.Load() {
			if _, err := s.Maintain(1); err != nil {
				t.Error(err)
				return
			}
		}
	})
	rng := randtest.New(t)
	for w := range 3 {
		rng := rand.New(rand.NewPCG(rng.Uint64(), 1))
		workers.Go(func() {
			v := &View{Store: s, Now: 1}
			at, want := 0, []string(nil)
			for step := range 60 {
				typ := []string{"hash", "zset", "list"}[w]
				from, next := nameIn(s, at, typ), (at+1+rng.IntN(3))%4
				to := nameIn(s, next, typ)
				var locks Lockset
				locks.Add(from.Shard())
				locks.Add(to.Shard())
				locks.Lock(s)
				bigValues[typ](v, from, step*300, 300)
				want = elementsOf(v, from)
				v.Rename(from, to)
				if got := elementsOf(v, to); !slices.Equal(got, want) {
					t.Errorf("step %d: %s", step, strings.Join(got[:min(3, len(got))], " "))
				}
				removeSome(v, to, rng)
				locks.Unlock(s)
				at = next
			}
		})
	}
	workers.Wait()
	stop.Store(true)
	background.Wait()
	maintainAll(t, s)
	checkAtHome(t, s)
}
