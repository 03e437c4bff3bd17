package engine

import "github.com/larderkv/larder/server/netloop"

// Counter names one of Totals.
type Counter int

// What is counted from the start on, by others.
const (
	CountConnections  Counter = iota
	CountRefused              // connections
	CountQueryClosed          // connections closed for too much input waiting
	CountOutputClosed         // connections closed for too much output waiting
	CountBytesIn
	CountBytesOut
	CountReads       // system calls
	CountWrites      // system calls
	CountExpired     // keys
	counters     int = iota
)

// Totals are counters that others keep and never reset. CONFIG RESETSTAT notes
// where they stand.
type Totals [counters]int64

func (k *Kernel) totals() Totals {
	n := k.network()
	return Totals{
		CountConnections:  n.Accepted,
		CountRefused:      n.Rejected,
		CountQueryClosed:  n.Closed(netloop.QueryBufferLimit),
		CountOutputClosed: n.Closed(netloop.OutputHardLimit) + n.Closed(netloop.OutputSoftLimit),
		CountBytesIn:      n.BytesIn,
		CountBytesOut:     n.BytesOut,
		CountReads:        n.Reads,
		CountWrites:       n.Writes,
		CountExpired:      k.Store.Expired(),
	}
}

// Totals counts since the start or the last CONFIG RESETSTAT.
func (k *Kernel) Totals() Totals {
	t := k.totals()
	if base := k.base.Load(); base != nil {
		for i := range t {
			t[i] -= base[i]
		}
	}
	return t
}

// ResetStats does what CONFIG RESETSTAT does. As in Redis the peak of memory stays.
func (k *Kernel) ResetStats() {
	k.Stats.Reset()
	k.Errors.Reset()
	k.resetOverLimit()
	t := k.totals()
	k.base.Store(&t)
}

// SampleMemory records the memory in use for used_memory_peak, in bytes. The
// background worker calls it, and INFO, which shows none above the peak.
func (k *Kernel) SampleMemory(used int64) {
	for {
		peak := k.peakMemory.Load()
		if used <= peak || k.peakMemory.CompareAndSwap(peak, used) {
			return
		}
	}
}

// PeakMemory is the most memory seen in use, in bytes.
func (k *Kernel) PeakMemory() int64 { return k.peakMemory.Load() }
