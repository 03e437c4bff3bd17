package journal

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/larderkv/larder/tests/randtest"
)

// text is what a journal has of commands that it is given for a database each.
type text struct {
	j   *Journal
	all []byte
	db  int
}

func (x *text) set(db int, key string) {
	args := [][]byte{[]byte("SET"), []byte(key), []byte("v")}
	if x.j.On() {
		if db != x.db {
			x.db, x.all = db, AppendSelect(x.all, db)
		}
		x.all = AppendCommand(x.all, args...)
	}
	x.j.Append(db, args...)
}

// TestReaders: every reader gets, in pieces of any size and at offsets that fit, exactly what was
// appended while it was attached, whoever else reads; what it has taken does not change under it.
func TestReaders(t *testing.T) {
	rng := randtest.New(t)
	x := &text{j: New(time.Now), db: -1}
	type taker struct {
		*Reader
		on    bool
		base  int // in x.all
		got   []byte
		spare []byte
		held  []byte // the last batch
		own   bool
		copy  []byte // of it
	}
	takers := []*taker{{Reader: x.j.NewReader()}, {Reader: x.j.NewReader()}, {Reader: x.j.NewReader()}}
	key := []byte("key:0000")
	var was []byte
	reused := 0
	for range 20_000 {
		k := takers[rng.IntN(len(takers))]
		switch rng.IntN(12) {
		case 0:
			if k.on = !k.on; k.on {
				k.Attach()
				k.base, k.got, x.db = len(x.all), nil, -1
			} else {
				k.Detach()
			}
		case 1, 2, 3:
			if !k.on {
				continue
			}
			if was = k.held; !bytes.Equal(was, k.copy) {
				t.Fatal("a batch has changed while its reader had it")
			}
			k.spare, k.held = nil, nil
			if k.own {
				k.spare = was
			}
			b := k.Take(k.spare)
			k.got = append(k.got, b.Bytes...)
			k.own, reused = b.Own, reused+len(k.spare)
			k.held, k.copy = b.Bytes, bytes.Clone(b.Bytes)
			if !bytes.Equal(k.got, x.all[k.base:]) || k.Buffered() != 0 {
				t.Fatalf("a reader has %d bytes, not the %d that were appended", len(k.got), len(x.all)-k.base)
			}
			if end, empty := k.Settle(); !empty || end != b.End || k.Pending() {
				t.Fatalf("taken up to %d of %d, pending %v", end, b.End, k.Pending())
			}
		default:
			key[4+rng.IntN(4)] = byte('0' + rng.IntN(10))
			x.set(rng.IntN(2), string(key))
			for _, k := range takers {
				if k.on && !k.Pending() || !k.on && k.Pending() {
					t.Fatalf("attached %v, pending %v", k.on, k.Pending())
				}
			}
		}
		if on := slices.ContainsFunc(takers, func(k *taker) bool { return k.on }); on != x.j.On() {
			t.Fatalf("the journal is on: %v", !on)
		}
	}
	if reused == 0 {
		t.Error("no buffer was ever used again")
	}
}

// TestOffsets: an effect's offset is where its bytes end, for every reader.
func TestOffsets(t *testing.T) {
	j := New(time.Now)
	if j.Append(0, []byte("PING")) != 0 {
		t.Error("an offset without a reader")
	}
	a := j.NewReader()
	a.Attach()
	first := j.Append(0, []byte("PING"))
	if b := a.Take(nil); first != int64(len(b.Bytes)) || b.End != first || b.Start() != 0 {
		t.Errorf("%d after %d bytes: %+v", first, len(b.Bytes), b)
	}
	b := j.NewReader()
	b.Attach()
	var e Effects
	e.Add(0, []byte("PING"))
	e.Add(0, []byte("PING"))
	last := j.AppendEffects(&e)
	x, y := a.Take(nil), b.Take(nil)
	if x.End != last || y.End != last || x.Start() != first || y.Start() != first || !bytes.Equal(x.Bytes, y.Bytes) {
		t.Errorf("%d: %+v and %+v", last, x, y)
	}
}

// TestMarks: the first effect of each second is marked, and the bytes know nothing of it.
func TestMarks(t *testing.T) {
	now := time.Unix(100, 0)
	j := New(func() time.Time { return now })
	r := j.NewReader()
	r.Attach()
	j.Append(0, []byte("A"))
	j.SetMarks(true)
	from := j.Append(0, []byte("B"))
	first := j.Append(0, []byte("B"))
	now = now.Add(2 * time.Second)
	j.Append(0, []byte("C"))
	b := r.Take(nil)
	if want := []Mark{{from - int64(len(AppendCommand(nil, []byte("B")))), 100}, {first, 102}}; !slices.Equal(b.Marks, want) {
		t.Errorf("%v, want %v", b.Marks, want)
	}
	if bytes.Contains(b.Bytes, []byte("#")) {
		t.Errorf("%q", b.Bytes)
	}
	if b := r.Take(nil); len(b.Marks) > 0 {
		t.Errorf("once more %v", b.Marks)
	}
}

// TestManyWriters: effects of several goroutines come whole.
func TestManyWriters(t *testing.T) {
	j := New(time.Now)
	r := j.NewReader()
	r.Attach()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for range 1000 {
				j.Append(w%2, []byte("INCR"), []byte("key"))
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	var got, spare []byte
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		b := r.Take(spare)
		got = append(got, b.Bytes...)
		spare = b.Bytes
	}
	n := bytes.Count(got, []byte("*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n"))
	rest := bytes.ReplaceAll(got, []byte("*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n"), nil)
	rest = bytes.ReplaceAll(rest, AppendSelect(nil, 0), nil)
	if rest = bytes.ReplaceAll(rest, AppendSelect(nil, 1), nil); n != 4000 || len(rest) > 0 {
		t.Errorf("%d effects, and %q", n, rest)
	}
}
