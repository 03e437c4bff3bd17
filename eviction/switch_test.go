package eviction

import (
	"math/rand/v2"
	"testing"

	"github.com/larderkv/larder/tests/randtest"
)

// After a change of the policy, and after one more, entries have the idle time that they had
// and, under LFU, the counter of a new entry less what has decayed, however their words were
// noted: so those in use outlive the others. There is a walk over all rows of three policies.
func TestWordsOutliveTheirPolicy(t *testing.T) {
	const (
		idle  = 10 // minutes that one entry is not used
		decay = 3  // minutes
	)
	seed := randtest.New(t).Uint64()
	for _, first := range policies() {
		params := Params{LogFactor: 10, DecayTime: decay, Random: rand.New(rand.NewPCG(seed, 0))}
		m := NewMeter(first.Policy, params)
		for at := now - 3600_000; at < now-idle*60_000; at += 1000 {
			m.New(false, at)
		}
		unused := m.New(false, now-idle*60_000)
		used := m.New(false, now-idle*60_000)
		for at := now - idle*60_000; at <= now; at += 1000 {
			for range 20 {
				m.New(false, at)
			}
			used = m.Write(used, at)
		}
		counter := max(m.Frequency(used, now), lfuInitial)
		for _, second := range policies() {
			for _, third := range policies() {
				name := first.name + ", " + second.name + ", " + third.name
				m := m.Next(second.Policy, params).Next(third.Policy, params)
				// LHD tells times by marks at random moments, some of which are minutes apart.
				most := int64(idle*60 + 60)
				if first.Rule == LHD {
					most = 2 * idle * 60
				}
				if got := m.Idle(unused, now); got < idle*60-60 || got > most {
					t.Errorf("%s: idle for %d seconds, want %d", name, got, idle*60)
				}
				if got := m.Idle(used, now); got > 240 || first.Rule != LHD && got > 59 {
					t.Errorf("%s: idle for %d seconds, want none", name, got)
				}
				if third.Rule == LFU {
					if got := m.Frequency(unused, now); got > lfuInitial-idle/decay || got < 1 && first.Rule != LHD {
						t.Errorf("%s: the unused entry counts %d", name, got)
					}
					if got := m.Frequency(used, now); got > counter || got < counter-1 {
						t.Errorf("%s: the used entry counts %d, want about %d", name, got, counter)
					}
				}
				noted := third.Rule != Random && third.Rule != TTL && third.Rule != NoEviction
				if noted && m.Rank(unused, 100, 0, now) <= m.Rank(used, 100, 0, now) {
					t.Errorf("%s: an entry in use goes before one that is not", name)
				}
				if noted && third.Rule != LHD && m.Rank(m.New(false, now), 100, 0, now) > m.Rank(unused, 100, 0, now) {
					t.Errorf("%s: a new entry goes before an old one that nobody uses", name)
				}
			}
		}
	}
}

// What LHD has learnt, and the words it has noted, are there when it comes back.
func TestLHDComesBack(t *testing.T) {
	params := Params{Random: rand.New(rand.NewPCG(1, 2))}
	first := NewMeter(Policy{Rule: LHD}, params)
	for i := range int64(100_000) {
		first.New(false, now+i)
	}
	word := first.New(false, now+100_000)
	back := first.Next(Policy{Rule: LRU}, params).Next(Policy{Rule: LHD}, params)
	if a, b := first.Rank(word, 100, 0, now+100_000), back.Rank(word, 100, 0, now+100_000); a != b {
		t.Errorf("rank %d after LHD has been left and come back to, %d before", b, a)
	}
	older, newer := mustIdle(t, back, 900), mustIdle(t, back, 30)
	if back.Rank(older, 100, 0, now+100_000) <= back.Rank(newer, 100, 0, now+100_000) {
		t.Error("of two entries from elsewhere, the one in use goes first")
	}
}

func mustIdle(t *testing.T, m *Meter, seconds int64) uint32 {
	word, ok := m.WithIdle(seconds, now+100_000)
	if !ok {
		t.Fatal("no word for an idle time")
	}
	return word
}
