package store

import (
	"fmt"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// However sizes change under a limit, little of the memory is free slots, and what is
// taken stays near the limit.
func TestFragmentsUnderLimit(t *testing.T) {
	const limit = 32 << 20
	phases := []struct {
		name        string
		least, most int // bytes of a value
		turnover    int // limits' worth of values written
	}{
		{"mixed", 16, 4 << 10, 2},
		{"small", 64, 100, 1},
		{"medium", 900, 1100, 1},
		{"large", 3000, 15000, 1},
		{"mixed again", 16, 4 << 10, 1},
	}
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lru", 4, 5)
	e.seed(rng.Uint64())
	v := &View{Store: s, Now: evictStart}
	value := make([]byte, 16<<10)
	key, most := 0, int64(0)
	for _, phase := range phases {
		for written := 0; written < phase.turnover*limit; key++ {
			n := phase.least + rng.IntN(phase.most-phase.least)
			if phase.most > 16*phase.least {
				n = max(phase.least, n>>rng.IntN(8)) // as many small ones as large ones
			}
			v.SetString(s.Key(fmt.Append(nil, "key:", key)), value[:n], 0)
			written += n + 80
			v.Now++
			for steps := 0; s.Counted(limit) > limit; steps++ {
				if !e.Relieve(v.Now, int64(n)*5/4, limit) || steps == 1e5 {
					t.Fatalf("%s: %d bytes are counted after %d steps", phase.name, s.Counted(limit), steps)
				}
			}
			most = max(most, s.Memory())
		}
		if f := s.Fragmented(); f*10 > s.Used() {
			t.Errorf("%s: %d bytes of free slots beside %d in use", phase.name, f, s.Used())
		}
	}
	if most > limit+s.fragmentAllowance(limit)+1<<20+1<<18 {
		t.Errorf("%d bytes were taken under a limit of %d", most, limit)
	}
}

// Under a limit that has been lowered far what stays is moved about once, and no more keys
// go than have to, though the maintenance walks through the shards at the same time.
func TestLoweredLimit(t *testing.T) {
	for _, beside := range []bool{false, true} {
		t.Run(fmt.Sprint("maintenance=", beside), func(t *testing.T) { lowerLimit(t, beside) })
	}
}

func lowerLimit(t *testing.T, beside bool) {
	const before, limit = 24 << 20, 8 << 20
	rng := randtest.New(t)
	s, e := evictStore(t, "allkeys-lru", 4, 5)
	e.seed(rng.Uint64())
	e.EvictFirst = true
	v := &View{Store: s, Now: evictStart}
	value := make([]byte, 1000)
	for key := 0; s.Used() < before; key++ {
		v.SetString(s.Key(fmt.Append(nil, "key:", key)), value[:20+rng.IntN(len(value)-20)], 0)
	}
	for steps := 0; s.Counted(limit) > limit; steps++ {
		if !e.Relieve(v.Now, s.Counted(limit)-limit, limit) || steps == 1e5 {
			t.Fatalf("%d bytes are counted after %d steps", s.Counted(limit), steps)
		}
		if beside && steps%4 == 0 {
			if _, err := s.Maintain(v.Now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if moved := s.Compaction(v.Now).Moved; !beside && moved > limit/4*5 {
		t.Errorf("%d bytes were moved for a limit of %d", moved, limit)
	}
	if used := s.Used(); used < limit-limit/16 {
		t.Errorf("%d bytes are left under a limit of %d", used, limit)
	}
}

func TestUsualShards(t *testing.T) {
	for processors, want := range map[int]int{1: 8, 2: 8, 3: 8, 4: 16, 8: 32, 16: 64, 63: 128, 64: 256, 1000: 256} {
		if n := usualShards(processors); n != want {
			t.Errorf("%d shards for %d processors, not %d", n, processors, want)
		}
	}
}
