package rdb

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// longList assembles a list of elements "0" to "n-1" in one of the forms that come in pieces, and
// the number of parts that it has.
func longList(typ, n int, lead string) []any {
	var parts []any
	items := func(from int) (list []string) {
		for i := range 50 {
			list = append(list, fmt.Sprint(lead, from+i))
		}
		return list
	}
	nodes := 0
	for i := 0; i < n; nodes++ {
		switch {
		case typ == typeList:
			parts = append(parts, fmt.Sprint(lead, i))
			i++
		case typ == typeListQuicklist:
			parts = append(parts, ziplist(items(i)...))
			i += 50
		case nodes%7 == 0:
			parts = append(parts, 2, listpack()) // which Redis passes over
		case nodes%3 == 0:
			parts = append(parts, 1, fmt.Sprint(lead, i))
			i++
		default:
			parts = append(parts, 2, lzfString(listpack(items(i)...)))
			i += 50
		}
	}
	return append([]any{op(typ), "k", nodes}, parts...)
}

// Lists that are longer than a block come in pieces, which several goroutines insert in order.
func TestLongLists(t *testing.T) {
	const n = 150_000
	s := open(t)
	for _, typ := range []int{typeList, typeListQuicklist, typeListQuicklist2} {
		parts := longList(typ, n, "element ")
		b := file(10, append([]any{op(typeString), "before", "v", op(opExpireMs), uint64(1e13)}, append(parts, op(typeString), "after", "v")...)...)
		for _, workers := range []int{1, 2, 5} {
			if sum, err := load(b, s, LoadOptions{Clock: 1, Workers: workers}); err != nil || sum.Keys != 3 {
				t.Fatalf("type %d: %+v, %v", typ, sum, err)
			}
			checkNumbers(t, s, n)
			empty(s)
		}
		rep, err := check(b)
		if err != nil || rep.Keys != 3 || rep.Expires != 1 || rep.LargestElements[0].Elements < n {
			t.Errorf("type %d: %+v, %v", typ, rep, err)
		}
	}
}

// checkNumbers reads the key k: a list of at least n elements that count up from 0.
func checkNumbers(t *testing.T, s *store.Store, n int) {
	t.Helper()
	s.LockAll()
	defer s.UnlockAll()
	v := &store.View{Store: s, Now: 1}
	e, ok := v.Peek(s.Key([]byte("k")))
	if !ok || e.Type() != store.TypeList || e.ExpireAt() != 1e13 {
		t.Fatalf("there: %v, it expires at %d", ok, e.ExpireAt())
	}
	list, i := e.Content(), 0
	list.Each(func(item, _ []byte) bool {
		if want := fmt.Sprint("element ", i); string(item) != want {
			t.Errorf("element %d is %q", i, item)
			return false
		}
		i++
		return true
	})
	if i < n || i != list.Len() {
		t.Errorf("%d elements, %d are counted", i, list.Len())
	}
}

// A long list that is damaged fails the load and nobody waits for ever, wherever it is and whatever
// fails before its turn.
func TestDamagedLongLists(t *testing.T) {
	r := randtest.New(t)
	s := open(t)
	for _, typ := range []int{typeListQuicklist, typeListQuicklist2} {
		whole := file(10, append(longList(typ, 120_000, "element "), op(typeString), "after", "v")...)
		clear(whole[len(whole)-8:])
		for range 30 {
			b := append([]byte(nil), whole...)
			for range 1 + r.IntN(3) {
				b[headSize+3+r.IntN(len(b)-headSize-12)] ^= 0xFF
			}
			_, err := load(b, s, LoadOptions{Clock: 1, Workers: 1 + r.IntN(5)})
			if err != nil && !expected(err, len(b)) {
				t.Fatal(err)
			}
			empty(s)
			if _, err2 := check(b); (err == nil) != (err2 == nil) {
				t.Fatalf("load says %v, check %v", err, err2)
			}
		}
	}
	// A list whose key exists, and one of which only a later piece is wrong.
	parts := longList(typeListQuicklist2, 120_000, "element ")
	twice := file(10, append([]any{op(typeString), "k", "v"}, parts...)...)
	if _, err := load(twice, s, LoadOptions{Clock: 1, Workers: 3}); err == nil || !strings.Contains(err.Error(), "duplicate key") {
		t.Error(err)
	}
	parts[len(parts)-2] = 3
	empty(s)
	var c *CorruptError
	if _, err := load(file(10, parts...), s, LoadOptions{Clock: 1, Workers: 3}); !errors.As(err, &c) {
		t.Error(err)
	}
}

// A long list of empty nodes is empty, and a long sorted set comes with all its scores.
func TestLongCollections(t *testing.T) {
	parts := []any{op(typeListQuicklist2), "k", 100_000}
	for range 100_000 {
		parts = append(parts, 2, listpack())
	}
	if sum, err := load(file(10, parts...), open(t), LoadOptions{Clock: 1}); err != nil || sum.Empty != 1 || sum.Keys != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if rep, err := check(file(10, parts...)); err != nil || rep.Keys != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	for _, typ := range []int{typeZset, typeZset2} {
		parts = []any{op(typ), "k", 50_000}
		for i := range 50_000 {
			parts = append(parts, fmt.Sprint("member ", i))
			if typ == typeZset {
				score := fmt.Sprint(i)
				parts = append(parts, byte(len(score)), []byte(score))
			} else {
				parts = append(parts, scored(t, [][]byte{nil, fmt.Append(nil, i)})[1])
			}
		}
		s := open(t)
		if sum, err := load(file(10, parts...), s, LoadOptions{Clock: 1, Workers: 3}); err != nil || sum.Keys != 1 {
			t.Fatalf("%+v, %v", sum, err)
		}
		got := contents(t, s)["0/k"]
		for _, want := range []string{`"member 0" 0,`, `"member 49999" 49999`, `"member 12345" 12345,`} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in %.100s", want, got)
			}
		}
		parts[len(parts)-2-(5-typ)/2] = "member 7"
		if _, err := load(file(10, parts...), open(t), LoadOptions{Clock: 1}); err == nil || !strings.Contains(err.Error(), "duplicate member in sorted set") {
			t.Errorf("a member twice: %v", err)
		}
	}
}

// Nodes that compress well are cut by the length that they unpack to: what is taken while reading
// does not grow with the number of elements.
func TestUnpackedNodesAreBounded(t *testing.T) {
	node := make([]string, 4000)
	for i := range node {
		node[i] = "1"
	}
	packed := lzfString(listpack(node...))
	parts := []any{op(typeListQuicklist2), "k", 1000}
	for range 1000 {
		parts = append(parts, 2, packed)
	}
	b := file(10, parts...)
	if len(b) > blockSize {
		t.Fatal("the file is longer than a block, so that it would be cut in any case")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rep, err := check(b)
	runtime.ReadMemStats(&after)
	if err != nil || rep.LargestElements[0].Elements != 4e6 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
		t.Errorf("checking %d bytes takes %d", len(b), took)
	}
}
