package lua

import (
	"errors"
	"math"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

func str(s string) *String { return &String{head: head{kind: KindString}, s: s} }

// TestTableAgainstMap does at random what scripts do to tables, beside a Go map.
func TestTableAgainstMap(t *testing.T) {
	r := randtest.New(t)
	for range 300 {
		table, model := NewTable(r.IntN(5), r.IntN(5)), map[Value]float64{}
		names := make([]*String, 40)
		for i := range names {
			names[i] = str(string(rune('a'+i%26)) + string(rune('A'+i)))
		}
		space := 1 + r.IntN(200)
		for step := range 400 {
			var key Value
			switch r.IntN(4) {
			case 0:
				key = names[r.IntN(len(names))].Value()
			case 1:
				key = Number(float64(r.IntN(space)) / 4)
			default:
				key = Int(1 + r.IntN(space))
			}
			v := Nil
			if r.IntN(3) > 0 {
				v = Int(step)
				model[key] = float64(step)
			} else {
				delete(model, key)
			}
			if err := table.Set(key, v); err != nil {
				t.Fatal(err)
			}
		}
		for key, want := range model {
			if got := table.Get(key); got.Num() != want || !got.IsNumber() {
				t.Fatalf("a key has %v, want %v", got, want)
			}
		}
		count := 0
		for k, v, ok, err := table.Next(Nil); ok; k, v, ok, err = table.Next(k) {
			if err != nil {
				t.Fatal(err)
			}
			if want, there := model[k]; !there || want != v.Num() {
				t.Fatalf("the walk met %v=%v, want %v", k, v, want)
			}
			count++
			if r.IntN(2) == 0 {
				if err := table.Set(k, Nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if count != len(model) {
			t.Fatalf("the walk met %d pairs of %d", count, len(model))
		}
		if n := table.Len(); n > 0 && table.GetInt(n).IsNil() || !table.GetInt(n+1).IsNil() {
			t.Fatalf("%d is no border", n)
		}
	}
}

func TestTableErrors(t *testing.T) {
	table := NewTable(0, 0)
	if err := table.Set(Nil, True); !errors.Is(err, ErrIndexNil) {
		t.Errorf("Set of nil: %v", err)
	}
	if err := table.Set(Number(math.NaN()), True); !errors.Is(err, ErrIndexNaN) {
		t.Errorf("Set of NaN: %v", err)
	}
	if v := table.Get(Number(math.NaN())); !v.IsNil() {
		t.Errorf("Get of NaN: %v", v)
	}
	if _, _, _, err := table.Next(Int(3)); !errors.Is(err, ErrInvalidNext) {
		t.Errorf("Next of a stranger: %v", err)
	}
}

// refusing is an account without money.
type refusing struct{ asked int64 }

var errRefused = errors.New("refused")

func (r *refusing) reserve(bytes int64) error {
	r.asked += bytes
	return errRefused
}

// TestTableAsksBeforeItGrows also sees to it that a refused key leaves the table whole.
func TestTableAsksBeforeItGrows(t *testing.T) {
	table, acc := NewTable(0, 0), &refusing{}
	for i := range 4 {
		table.SetInt(i+1, True)
	}
	if err := table.putInt(acc, 5, True); !errors.Is(err, errRefused) || acc.asked != 8*valueSize {
		t.Fatalf("putInt: %v, asked for %d bytes", err, acc.asked)
	}
	if table.Len() != 4 || !table.GetInt(5).IsNil() {
		t.Error("the refused key is there")
	}
	// A lone large key belongs to the hash part, and costs no more than a small one.
	acc.asked = 0
	if err := NewTable(0, 0).put(acc, Int(60_000_000), True); !errors.Is(err, errRefused) || acc.asked != nodeSize {
		t.Errorf("a large key: %v, asked for %d bytes", err, acc.asked)
	}
}

func TestTableClear(t *testing.T) {
	table := NewTable(0, 0)
	for i := range 10 {
		table.SetInt(i+1, True)
		table.SetStr(str(string(rune('a'+i))), True)
	}
	table.SetReadOnly(true)
	table.SetMeta(NewTable(0, 0))
	table.Clear()
	if _, _, ok, _ := table.Next(Nil); ok || table.Len() != 0 || table.ReadOnly() || table.Meta() != nil {
		t.Error("something is left")
	}
	if n := testing.AllocsPerRun(100, func() {
		for i := range 10 {
			table.SetInt(i+1, True)
		}
		table.Clear()
	}); n != 0 {
		t.Errorf("a cleared table takes %v allocations to be filled again", n)
	}
}

// TestCollidingKeysTakeSteps: keys made to have one hash cost a search each, which the hook hears of.
func TestCollidingKeysTakeSteps(t *testing.T) {
	const n = 5000
	calls := 0
	s := newLibraryState(Options{Hook: func() error { calls++; return nil }})
	keys := s.Table(n, 0)
	for i := range uint64(n) {
		keys.SetInt(int(i)+1, Number(math.Float64frombits((0x40000000+i)<<32|(1<<30-i))))
	}
	f := s.function(t, `local keys = ... local t = {}
		for i = 1, #keys do t[keys[i]] = i end for i = 1, #keys do assert(t[keys[i]] == i) end`)
	if _, err := s.Main().Run(f, keys.Value()); err != nil {
		t.Fatal(err)
	}
	if least := n * n / 2 / (longChain + 1) / HookEvery; calls < least {
		t.Errorf("the hook was called %d times, want at least %d", calls, least)
	}
}
