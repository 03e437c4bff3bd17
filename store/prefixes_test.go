package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/larderkv/larder/tests/randtest"
)

func prefixStore(t testing.TB, most int) *Store {
	s := testStore(t)
	s.SetPrefixes(PrefixRule{})
	s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: 1, Most: most})
	return s
}

// rows are the statistics by name; "(other)" is that of all others.
func prefixRows(s *Store, now int64) map[string]PrefixStats {
	rows := map[string]PrefixStats{}
	for _, r := range s.Prefixes(now) {
		if r.Other {
			r.Name = "(other)"
		}
		rows[r.Name] = r
	}
	return rows
}

func TestPrefixOf(t *testing.T) {
	for _, tt := range []struct {
		depth        int
		name, prefix string
	}{
		{1, "user:7", "user"}, {1, "user:7:cart", "user"}, {2, "user:7:cart", "user:7"}, {2, "user:7", "user"},
		{3, "a:b:c:d", "a:b:c"}, {1, "plain", ""}, {1, "", ""}, {1, ":x", ""}, {2, "a::b", "a:"}, {1, "a:", "a"},
		{1, "1234567:", "1234567"}, {1, "12345678:x", "12345678"}, {1, "123456789012345:", "123456789012345"},
		{1, "1234567890123456:", "1234567890123456"}, {1, "12345678901234567:x", "12345678901234567"},
		{1, strings.Repeat("x", 255) + ":y", strings.Repeat("x", 255)}, {1, strings.Repeat("x", 256) + ":y", ""},
	} {
		table := newPrefixTable(PrefixRule{Delimiter: ':', Depth: tt.depth, Most: 10}, 1)
		if got := tt.name[:table.cut([]byte(tt.name))]; got != tt.prefix {
			t.Errorf("depth %d: prefix of %q is %q, want %q", tt.depth, tt.name, got, tt.prefix)
		}
	}
}

// A name's prefix is found by every way as it is by the plainest one.
func TestFindPrefix(t *testing.T) {
	rng := randtest.New(t)
	for depth := 1; depth <= 2; depth++ {
		p := &prefixing{}
		p.table.Store(newPrefixTable(PrefixRule{Delimiter: ':', Depth: depth, Most: 300}, p.advance()))
		name := func() []byte {
			b := make([]byte, rng.IntN(1+rng.IntN(40)))
			for i := range b {
				b[i] = "ab:\x00\x3b\xba"[rng.IntN(6)]
			}
			return b
		}
		known := map[string]uint16{}
		for range 5000 {
			b := name()
			table := p.table.Load()
			prefix := string(b[:table.cut(b)])
			want, ok := known[prefix]
			if !ok {
				want = otherSlot
			}
			if got := table.find(b); got != want {
				t.Fatalf("%q with the prefix %q has slot %d, want %d", b, prefix, got, want)
			}
			if !ok && !table.full() && rng.IntN(3) == 0 {
				p.track(table, []byte(prefix))
				known[prefix] = uint16(firstSlot + len(known))
			}
		}
	}
}

// A million prefixes that come once each push out none of those that are in use, whose counts stay
// exact.
func TestPrefixFlood(t *testing.T) {
	s := prefixStore(t, 1000)
	v := View{Store: s, Now: evictStart}
	const real = 900
	gets := 0
	use := func() {
		for i := range real {
			v.GetString(s.Key(fmt.Append(nil, "real", i, ":x")))
		}
		gets++
	}
	use()
	for i := range 1_000_000 {
		v.GetString(s.Key(fmt.Append(nil, "once", i, ":x")))
		if i%10_000 == 0 {
			use()
			v.Now += 1000
			for more := true; more; {
				more, _ = s.Maintain(v.Now)
			}
		}
	}
	rows := prefixRows(s, v.Now)
	if len(rows) != 1001 {
		t.Errorf("%d rows", len(rows))
	}
	for i := range real {
		if r := rows[fmt.Sprint("real", i)]; r.Misses != int64(gets) {
			t.Fatalf("real%d: %+v, want %d misses", i, r, gets)
		}
	}
}

// When all slots are taken by prefixes that came once, those that are used get theirs, and their keys
// are counted although they were there before.
func TestPrefixesAreChosen(t *testing.T) {
	s := prefixStore(t, 100)
	v := View{Store: s, Now: evictStart}
	for i := range 100 {
		v.SetString(s.Key(fmt.Append(nil, "once", i, ":x")), []byte("v"), 0)
	}
	for i := range 500 {
		v.SetString(s.Key(fmt.Append(nil, "real", i%50, ":", i)), []byte("v"), 0)
	}
	for range 40 {
		for range 100 {
			for i := range 50 {
				v.GetString(s.Key(fmt.Append(nil, "real", i, ":", i)))
			}
		}
		v.Now += 2000
		for more := true; more; {
			more, _ = s.Maintain(v.Now)
		}
	}
	rows := prefixRows(s, v.Now)
	for i := range 50 {
		if r, ok := rows[fmt.Sprint("real", i)]; !ok || r.Keys != 10 || r.Counting || r.Hits == 0 {
			t.Errorf("real%d: %v %+v", i, ok, r)
		}
	}
	if r := rows["(other)"]; r.Keys != 50 {
		t.Errorf("others: %+v", r)
	}
}

// What was there before statistics were switched on, or their rule changed, is counted.
func TestPrefixesOfOldKeys(t *testing.T) {
	s := prefixStore(t, 100)
	s.SetPrefixes(PrefixRule{})
	v := View{Store: s, Now: evictStart}
	for i := range 10_000 {
		v.SetString(s.Key(fmt.Append(nil, "a:", i%10, ":", i)), []byte("v"), 0)
	}
	if s.Prefixes(v.Now) != nil {
		t.Error("there are rows without statistics")
	}
	for depth := 1; depth <= 2; depth++ {
		s.SetPrefixes(PrefixRule{Delimiter: ':', Depth: depth, Most: 100})
		if rows := prefixRows(s, v.Now); !rows["(other)"].Counting {
			t.Errorf("not counting: %+v", rows)
		}
		for more := true; more; {
			more, _ = s.Maintain(v.Now)
		}
		names, keys := []string{}, int64(0)
		for name, r := range prefixRows(s, v.Now) {
			if r.Counting {
				t.Errorf("still counting: %+v", r)
			}
			names, keys = append(names, name), keys+r.Keys
		}
		if keys != 10_000 || len(names) != []int{2, 11}[depth-1] {
			slices.Sort(names)
			t.Errorf("depth %d: %d keys in %q", depth, keys, names)
		}
	}
}

// TestDepartures measures what departures.go says: what share of keys that went is known, and of how
// many that were never there it is said that they went.
func TestDepartures(t *testing.T) {
	rng := randtest.New(t)
	s := prefixStore(t, 10)
	n := s.departures() * departureWays
	var d departures
	hashes := make([]uint64, 2*n)
	for i := range hashes {
		hashes[i] = s.departed(i%3, rng.Uint64())
		d.note(hashes[i], reasonGone(1+i%3), s.departures())
	}
	known := func(last int) float64 {
		found := 0
		for i := len(hashes) - last; i < len(hashes); i++ {
			if d.find(hashes[i]) == reasonGone(1+i%3) {
				found++
			}
		}
		return 100 * float64(found) / float64(last)
	}
	wrong := 0
	for range n {
		if d.find(s.departed(0, rng.Uint64())) != neverThere {
			wrong++
		}
	}
	half, all, false100 := known(n/2), known(n), 100*float64(wrong)/float64(n)
	t.Logf("of the last %d keys %.2f %% are known, of the last %d %.2f %%; %.3f %% of others are taken for one that went", n/2, half, n, all, false100)
	if half < 99 || all < 85 || false100 > 0.15 {
		t.Error("that is not what departures.go says")
	}
	if size := len(d.sets) * int(unsafe.Sizeof(departureSet{})) * len(s.shards); size != 1<<20 {
		t.Errorf("all shards take %d bytes", size)
	}
}

// An entry of the same key takes the place of its older one, wherever that stands.
func TestDepartureAgain(t *testing.T) {
	var set departureSet
	for i := range uint64(departureWays) {
		set.push(1<<departureBits | i)
	}
	before := set
	set.push(2<<departureBits | 3)
	count := 0
	for i := range departureWays {
		entry := set[i/4] >> (i % 4 * 16) & 0xFFFF
		if entry&(1<<departureBits-1) == 3 {
			count++
		}
	}
	if count != 1 || set[0]&0xFFFF != 2<<departureBits|3 || set == before {
		t.Errorf("%x, before %x", set, before)
	}
}
