package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/larderkv/larder/store"
	"github.com/larderkv/larder/tests/randtest"
)

// randomText is often short, sometimes a number, sometimes compressible, rarely
// long.
func randomText(r *rand.Rand) []byte {
	switch r.IntN(10) {
	case 0:
		return fmt.Append(nil, int64(r.Uint64())>>r.IntN(64))
	case 1:
		return bytes.Repeat([]byte("abc"), r.IntN(100))
	case 2:
		b := make([]byte, r.IntN(400))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	return fmt.Appendf(nil, "text %d", r.IntN(1000))
}

// randomScore is often a whole number, and any sort of number now and then.
func randomScore(r *rand.Rand) float64 {
	switch r.IntN(8) {
	case 0:
		return math.Inf(r.IntN(2)*2 - 1)
	case 1:
		return r.NormFloat64()
	case 2:
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) {
			return 0.1
		}
		return f
	}
	return float64(int64(r.Uint64()) >> r.IntN(64))
}

// mixed is a store with keys of all types, forms and sizes in several databases.
func mixed(t testing.TB, keys int) *store.Store {
	t.Helper()
	r := randtest.New(t)
	s := open(t)
	s.LockAll()
	defer s.UnlockAll()
	v := &store.View{Store: s, Now: 1}
	for i := range keys {
		v.DB = []int{0, 1, 15}[r.IntN(3)]
		k := s.Key(fmt.Appendf(nil, "key:%d", i))
		if r.IntN(10) == 0 {
			k = s.Key(fmt.Append(nil, i))
		}
		size := 1 + r.IntN(1<<r.IntN(9))
		var err error
		switch r.IntN(6) {
		case 0, 1:
			v.SetString(k, randomText(r), 0)
		case 2:
			var pairs [][]byte
			for range size {
				pairs = append(pairs, fmt.Append(nil, r.IntN(1000)), randomText(r))
			}
			_, err = v.SetFields(k, pairs)
		case 3:
			var members [][]byte
			shift := r.IntN(60)
			for range size {
				m := fmt.Append(nil, int64(r.Uint64())>>shift)
				if shift%3 == 0 {
					m = randomText(r)
				}
				members = append(members, m)
			}
			_, err = v.AddMembers(k, members)
		case 4:
			var elements [][]byte
			for range size {
				elements = append(elements, randomText(r))
			}
			_, err = v.AppendElements(k, elements)
		case 5:
			var texts [][]byte
			for range size {
				texts = append(texts, randomText(r), fmt.Append(nil, randomScore(r)))
			}
			_, err = v.AddScored(k, scored(t, texts))
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(3) == 0 {
			v.SetExpire(k, 1e12+r.Int64N(3e12))
		}
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	s := mixed(t, 1500)
	want := contents(t, s)
	for _, o := range []Options{{}, {Compress: true}, {Compress: true, Checksum: true, Access: true}} {
		b := save(t, s, o)
		for workers := range 3 {
			again := open(t)
			sum, err := load(b, again, LoadOptions{Clock: 1, Workers: workers})
			if err != nil || sum.Keys != 1500 || sum.Bytes != int64(len(b)) || sum.Checksum != o.Checksum {
				t.Fatalf("%+v, %v", sum, err)
			}
			compare(t, contents(t, again), want)
		}
		if rep, err := check(b); err != nil || rep.Keys != 1500 {
			t.Fatalf("%+v, %v", rep, err)
		}
	}
}

// On either side of each limit a value comes back in the encoding that it had.
func TestEncodingsStay(t *testing.T) {
	s, again := open(t), open(t)
	v := &store.View{Store: s, Now: 1}
	numbered := func(n, each int, name string) (list [][]byte) {
		for i := range n {
			for range each {
				list = append(list, fmt.Append(nil, name, i))
			}
		}
		return list
	}
	want := map[string]string{}
	sorted := map[string]string{"listpack": "listpack", "hashtable": "skiplist"}
	s.LockAll()
	for name, beyond := range map[string]int{"listpack": 0, "hashtable": 1} {
		want["hash of "+name], want["set of "+name] = name, name
		want["sorted set of "+name] = sorted[name]
		_, err := v.SetFields(s.Key([]byte("hash of "+name)), numbered(512+beyond, 2, "f"))
		_, err2 := v.AddMembers(s.Key([]byte("set of "+name)), numbered(128+beyond, 1, "m"))
		_, err3 := v.AddScored(s.Key([]byte("sorted set of "+name)), scored(t, numbered(128+beyond, 2, "")))
		if err = errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
	}
	for name, length := range map[string]int{"listpack": 64, "hashtable": 65} {
		want["hash with "+name], want["set with "+name] = name, name
		want["sorted set with "+name] = sorted[name]
		long := []byte(strings.Repeat("x", length))
		_, err := v.SetFields(s.Key([]byte("hash with "+name)), [][]byte{[]byte("f"), long})
		_, err2 := v.AddMembers(s.Key([]byte("set with "+name)), [][]byte{long})
		_, err3 := v.AddScored(s.Key([]byte("sorted set with "+name)), scored(t, [][]byte{long, []byte("1")}))
		if err = errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string]int{"listpack": 500, "quicklist": 900} {
		want["list of "+name] = name
		if _, err := v.AppendElements(s.Key([]byte("list of "+name)), numbered(size, 1, "element")); err != nil {
			t.Fatal(err)
		}
	}
	for name, members := range map[string]int{"intset": 512, "hashtable": 513} {
		want["integers of "+name] = name
		if _, err := v.AddMembers(s.Key([]byte("integers of "+name)), numbered(members, 1, "")); err != nil {
			t.Fatal(err)
		}
	}
	s.UnlockAll()
	if _, err := load(save(t, s, Options{Compress: true}), again, LoadOptions{Clock: 1}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{s, again} {
		got := map[string]string{}
		s.Scan(0, 0, 1000, 1, func(e *store.Entry, name []byte) { got[string(name)] = e.Encoding() })
		compare(t, got, want)
	}
}

// Values longer than a block, of one piece or many, of the keys as of the elements.
func TestLargeValues(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1}
	s.LockAll()
	text := strings.Repeat("compressible ", 1<<15)
	r := randtest.New(t)
	noise := make([]byte, 3*blockSize+77)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	v.SetString(s.Key([]byte("text")), []byte(text), 0)
	v.SetString(s.Key([]byte("noise")), noise, 1e13)
	v.SetString(s.Key([]byte("beyond compression")), bytes.Repeat([]byte("z"), compressMax+1), 0)
	v.SetString(s.Key(noise[:blockSize+5]), []byte("long name"), 0)
	hash, set, few := s.Key([]byte("hash")), s.Key([]byte("set")), s.Key([]byte("few"))
	for i := range 30000 {
		if _, err := v.SetFields(hash, [][]byte{fmt.Append(nil, "field", i), fmt.Append(nil, "value of ", i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.AddMembers(set, [][]byte{fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	v.SetExpire(hash, 2e13)
	for i := range 5 {
		if _, err := v.SetFields(few, [][]byte{fmt.Append(nil, "f", i), noise[i:]}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		v.SetString(s.Key(fmt.Append(nil, "between", i)), fmt.Append(nil, i), 0)
	}
	s.UnlockAll()
	want := contents(t, s)
	for _, compress := range []bool{false, true} {
		b := save(t, s, Options{Compress: compress, Checksum: true})
		again := open(t)
		if sum, err := load(b, again, LoadOptions{Clock: 1}); err != nil || sum.Keys != 1007 {
			t.Fatalf("%+v, %v", sum, err)
		}
		compare(t, contents(t, again), want)
		rep, err := check(b)
		if err != nil || rep.Keys != 1007 || rep.LargestElements[0].Elements != 30000 {
			t.Fatalf("%+v, %v", rep, err)
		}
		// A field of a later piece comes twice.
		twice := bytes.Replace(b, []byte("\x0afield29998"), []byte("\x0afield29999"), 1)
		clear(twice[len(twice)-8:])
		if _, err := load(twice, open(t), LoadOptions{Clock: 1}); err == nil || !strings.Contains(err.Error(), "duplicate field") {
			t.Errorf("compress %v: %v", compress, err)
		}
		// Of a large collection that is left out nothing is left.
		again = open(t)
		if sum, err := load(b, again, LoadOptions{Now: 3e13}); err != nil || sum.Expired != 2 || sum.Keys != 1005 {
			t.Fatalf("%+v, %v", sum, err)
		}
	}
}

// A large hash comes in pieces, with the TTL of its last field, and one whose fields have all
// expired has expired.
func TestLargeHashWithTTLs(t *testing.T) {
	make := func(last int) []byte {
		parts := []any{op(typeHashTTL), "k", uint64(100), 40000}
		for i := range 40000 {
			ttl := 1
			if i == 0 && last == 0 {
				ttl = 0
			} else if i == 39999 {
				ttl = max(last, 1)
			}
			parts = append(parts, ttl, fmt.Sprintf("field%d", i), "value of some length")
		}
		return file(12, parts...)
	}
	s := open(t)
	sum, err := load(make(1e6), s, LoadOptions{Now: 1000})
	if err != nil || sum.Keys != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	compare(t, contents(t, s), map[string]string{"0/k": `hash "field39999" "value of some length" until 1000099 until 0`})
	s = open(t)
	if sum, err = load(make(1), s, LoadOptions{Now: 1000}); err != nil || sum.Keys != 0 || sum.Expired != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if sum, err = load(make(0), s, LoadOptions{Now: 1000}); err != nil || sum.Keys != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	compare(t, contents(t, s), map[string]string{"0/k": `hash "field0" "value of some length" until 0`})
}

// failing is a disk that is full after some bytes.
type failing struct {
	left  int
	short bool
}

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left >= 0 {
		return len(p), nil
	}
	if f.short {
		return len(p) - 1, nil
	}
	return 0, errFull
}

func TestFailedWrites(t *testing.T) {
	s := mixed(t, 4000)
	cut := func() *store.Snapshot {
		s.LockAll()
		defer s.UnlockAll()
		sn, err := s.CutLocked(1)
		if err != nil {
			t.Fatal(err)
		}
		return sn
	}
	e := NewEncoder(&failing{left: 1 << 30}, Options{})
	if err := errors.Join(cut().Run(e), e.Close()); err != nil {
		t.Fatal(err)
	}
	size := int(e.Bytes())
	for _, left := range []int{0, 100, size / 2, size - 1} {
		for _, short := range []bool{false, true} {
			e := NewEncoder(&failing{left: left, short: short}, Options{})
			run := cut().Run(e)
			err := e.Close()
			if err == nil || !short && !errors.Is(err, errFull) {
				t.Errorf("with room for %d bytes Close says %v", left, err)
			}
			if run != nil && !errors.Is(run, err) {
				t.Errorf("Run says %v, Close %v", run, err)
			}
		}
	}
	e = NewEncoder(&failing{left: size}, Options{})
	if err := errors.Join(cut().Run(e), e.Close()); err != nil || e.Bytes() != int64(size) {
		t.Errorf("%v, %d bytes of %d", err, e.Bytes(), size)
	}
	// An encoder that is given up leaves no end mark.
	var b bytes.Buffer
	e = NewEncoder(&b, Options{})
	if err := cut().Run(e); err != nil {
		t.Fatal(err)
	}
	e.Abort()
	if _, err := check(b.Bytes()); err == nil {
		t.Error("the file of an aborted encoder passes")
	}
}

func TestSyncHook(t *testing.T) {
	s := mixed(t, 4000)
	var b bytes.Buffer
	next := int64(0)
	o := Options{SyncEvery: 1 << 18, Sync: func(off, n int64) error {
		if off != next || n < 1<<18 || off+n > int64(b.Len()) {
			t.Errorf("Sync(%d, %d) with %d bytes written, after %d", off, n, b.Len(), next)
		}
		next = off + n
		return nil
	}}
	s.LockAll()
	sn, err := s.CutLocked(1)
	s.UnlockAll()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(&b, o)
	if err := errors.Join(sn.Run(e), e.Close()); err != nil || next < 1<<18 {
		t.Error(err, next)
	}
}

// The hints stand once per database, in front of its first key, and a collection
// whose elements are not as many as announced is an error.
func TestSinkContract(t *testing.T) {
	var b bytes.Buffer
	e := NewEncoder(&b, Options{Databases: []store.DBCount{{DB: 1, Keys: 2, Expires: 1}, {DB: 7, Keys: 1}}})
	for _, db := range []int{1, 7, 1} {
		k := store.SnapshotKey{DB: db, Name: fmt.Append(nil, "k", b.Len(), db), Type: store.TypeSet, Idle: -1, Freq: -1}
		if err := errors.Join(e.Begin(&k, 1), e.Element([]byte("m"), nil, 0), e.End()); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for hint, n := range map[string]int{"\xfe\x01\xfb\x02\x01": 1, "\xfe\x07\xfb\x01\x00": 1, "\xfe\x01": 2} {
		if got := strings.Count(b.String(), hint); got != n {
			t.Errorf("%q stands %d times in %q, want %d", hint, got, b.String(), n)
		}
	}
	e = NewEncoder(&b, Options{})
	defer e.Abort()
	k := store.SnapshotKey{Name: []byte("k"), Type: store.TypeHash}
	if err := errors.Join(e.Begin(&k, 2), e.Element([]byte("f"), []byte("v"), 0)); err != nil {
		t.Fatal(err)
	}
	if err := e.End(); err == nil {
		t.Error("a field is missing, and End does not mind")
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	s := open(t)
	v := &store.View{Store: s, Now: 1}
	s.LockAll()
	defer s.UnlockAll()
	keys := []store.Key{s.Key([]byte("a")), s.Key([]byte("b")), s.Key([]byte("c")), s.Key([]byte("d")), s.Key([]byte("e")), s.Key([]byte("f"))}
	a, b, c, list, zset, large := keys[0], keys[1], keys[2], keys[3], keys[4], keys[5]
	v.SetString(a, []byte(strings.Repeat("text ", 20)), 0)
	if _, err := v.SetFields(b, [][]byte{[]byte("f"), []byte("v"), []byte("g"), []byte("100")}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AddMembers(c, [][]byte{[]byte("1"), []byte("70000")}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AppendElements(list, [][]byte{[]byte("b"), []byte("70000"), []byte("b")}); err != nil {
		t.Fatal(err)
	}
	scores := [][]byte{[]byte("a"), []byte("0.1"), []byte("b"), []byte("-7")}
	if _, err := v.AddScored(zset, scored(t, scores)); err != nil {
		t.Fatal(err)
	}
	if _, err := v.AddScored(large, scored(t, append(scores, bytes.Repeat([]byte("m"), 100), []byte("1")))); err != nil {
		t.Fatal(err)
	}
	e := NewEncoder(new(bytes.Buffer), Options{Compress: true})
	defer e.Abort()
	var values []store.Value
	for _, k := range keys {
		entry, _ := v.Peek(k)
		values = append(values, entry.Content())
	}
	k := store.SnapshotKey{Name: []byte("name")}
	if n := testing.AllocsPerRun(500, func() {
		for i := range values {
			if err := e.Key(&k, &values[i]); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("encoding six keys allocates %v times", n)
	}
}
