package persistence

import (
	"time"

	"github.com/larderkv/larder/store"
)

// A thread that computes without a break keeps a processor from others for as long
// as the system's scheduler lets it, some milliseconds. Where processors are few,
// clients wait for that. So the walk of a snapshot rests between bursts, unless
// writers are ahead of it. A rest takes as long as the system's timers make it, up
// to a millisecond.
//
// Measured with 2 processors, one of them taken by the client, 10M keys and 20,000
// requests a second: p99.9 during BGSAVE 7.9 to 10.8 ms without rests, 6.0 to 6.3
// with them (GETs alone, with no BGSAVE: 3.5); BGSAVE took 4 and 6.7 s. Bursts of 200 us
// gave 5.1 ms and 18 s. A lower priority of the thread gave 4.7 to 11.6 ms; the
// system's idle class gave up to 140, when it lost the processor holding a lock.
const (
	burst = 500 * time.Microsecond
	rest  = 50 * time.Microsecond
)

// pacer is the rhythm of one walk.
type pacer struct {
	m     *Manager
	begun time.Time // the burst
}

// pace gives a new snapshot its rhythm.
func (m *Manager) pace(snap *store.Snapshot) { snap.Pause = (&pacer{m: m}).pause }

func (p *pacer) pause() {
	if time.Since(p.begun) < burst {
		return
	}
	if p.m.store.Debt() <= p.m.debtLimit.Load()/2 {
		time.Sleep(rest)
	}
	p.begun = time.Now()
}
