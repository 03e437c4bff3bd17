package engine

import (
	"github.com/larderkv/larder/server/netloop"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/store"
)

// Counter names one of Totals.
type Counter int

// What is counted from the start on, by others.
const (
	CountConnections    Counter = iota
	CountRefused                // connections
	CountEvictedClients         // connections closed because all clients took too much memory
	CountQueryClosed            // connections closed for too much input waiting
	CountOutputClosed           // connections closed for too much output waiting
	CountBytesIn
	CountBytesOut
	CountReads               // system calls
	CountWrites              // system calls
	CountChecked             // payloads of RESTORE that were checked in full
	CountExpired             // keys
	CountExpiredElements     // fields of hashes, members of sets
	CountEvicted             // keys
	CountExpireCapped        // slices of background work that ended while keys expired
	CountExpireTime          // ns for which the background work has removed expired keys
	CountMoved               // records that compaction has moved
	CountKept                // records that it has looked at and left
	CountArrays              // arrays of buckets that it has moved
	CountKeptArrays          // arrays of buckets that it has looked at and left
	CountCompaction          // ns for which it has run
	CountPurged              // keys that purges have deleted
	CountFreed               // objects freed in the background
	counters             int = iota
)

// Totals are counters that others keep and never reset. CONFIG RESETSTAT notes
// where they stand.
type Totals [counters]int64

func (c *Ctx) totals() Totals {
	k := c.Kernel
	n, moved, st := k.network(), c.Compaction(), c.Stats()
	return Totals{
		CountConnections:     n.Accepted,
		CountRefused:         n.Rejected,
		CountEvictedClients:  k.Clients.Evicted(),
		CountQueryClosed:     n.Closed(netloop.QueryBufferLimit),
		CountOutputClosed:    n.Closed(netloop.OutputHardLimit) + n.Closed(netloop.OutputSoftLimit),
		CountBytesIn:         n.BytesIn,
		CountBytesOut:        n.BytesOut,
		CountReads:           n.Reads,
		CountWrites:          n.Writes,
		CountChecked:         k.Checked.Load(),
		CountExpired:         k.Store.Expired(),
		CountExpiredElements: k.Store.ExpiredElements(),
		CountEvicted:         k.Store.Evicted(),
		CountMoved:           moved.Records,
		CountKept:            moved.KeptRecords,
		CountArrays:          moved.Arrays,
		CountKeptArrays:      moved.KeptArrays,
		CountCompaction:      int64(moved.Time),
		CountExpireCapped:    k.ExpireCapped.Load(),
		CountExpireTime:      k.ExpireTime.Load(),
		CountPurged:          k.purges.deleted.Load(),
		CountFreed:           st.Freed,
	}
}

// Totals counts since the start or the last CONFIG RESETSTAT. Only for rows that
// say OwnLocks.
func (c *Ctx) Totals() Totals {
	t := c.totals()
	if base := c.Kernel.base.Load(); base != nil {
		for i := range t {
			t[i] -= base[i]
		}
	}
	return t
}

// Totals is Ctx.Totals for who runs no command.
func (k *Kernel) Totals() Totals {
	c := Ctx{Kernel: k, View: store.View{Store: k.Store, Now: k.clock().UnixMilli()}}
	return c.Totals()
}

// ResetStats does what CONFIG RESETSTAT does. As in Redis the peak of memory stays.
// Only for rows that say OwnLocks or AllShards.
func (c *Ctx) ResetStats() {
	k := c.Kernel
	k.Stats.Reset()
	k.Errors.Reset()
	k.resetOverLimit()
	c.ResetPrefixes()
	t := c.totals()
	k.base.Store(&t)
}

// UsedMemory is what the store's data, the Go runtime and the blocks of clients' output use, in bytes.
func (k *Kernel) UsedMemory() int64 { return k.Store.Used() + stats.GoMemory() + k.OutputBlocks() }

// OutputBlocks is what the blocks of clients' output take, in bytes, those that are on their way back
// to the system included.
func (k *Kernel) OutputBlocks() int64 {
	held, leaving := k.unsent()
	return held + leaving
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

// Rates are what happens in a second, averaged over the last ones.
type Rates struct {
	Commands, BytesIn, BytesOut int64
	Evictions                   int64 // keys
}

type rates struct{ commands, in, out, evictions stats.Rate }

// SampleRates records the counters whose growth per second INFO reports. The
// background worker calls it about ten times a second.
func (k *Kernel) SampleRates() {
	now, n := k.clock(), k.network()
	k.rates.commands.Sample(now, k.Stats.Total())
	k.rates.in.Sample(now, n.BytesIn)
	k.rates.out.Sample(now, n.BytesOut)
	k.rates.evictions.Sample(now, k.Store.Evicted())
}

// Rates are those of the last seconds.
func (k *Kernel) Rates() Rates {
	r := &k.rates
	return Rates{r.commands.PerSecond(), r.in.PerSecond(), r.out.PerSecond(), r.evictions.PerSecond()}
}
