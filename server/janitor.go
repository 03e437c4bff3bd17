package server

import (
	"log/slog"
	"time"

	"github.com/larderkv/larder/persistence"
	"github.com/larderkv/larder/server/config"
	"github.com/larderkv/larder/server/engine"
	"github.com/larderkv/larder/server/stats"
	"github.com/larderkv/larder/server/yield"
	"github.com/larderkv/larder/store"
)

// The janitor is the one goroutine that does the store's background work
// (evicting what is above maxmemory, removing expired keys, freeing what was
// deleted, compacting, and deleting what purges are for), samples rates and memory for INFO, trims the Go heap, and
// tells the persistence that time passes.
//
// It works in slices: units of the store (tens of microseconds under one shard's
// lock) until sliceBudget has passed, then it sleeps so much that its share of
// one core stays under maxShare. When a round over all shards finds nothing it
// sleeps until the next of its hz rounds a second; such a round costs a few
// microseconds. Keys that expire before that wake it: they go at their time and not
// at that of a round, whatever hz is.
//
// For what is above maxmemory it keeps to no share: whoever lowers the limit wants the memory
// back. Redis takes all of its one thread for it, between the events. But between two slices it
// gives its processor away for a moment (yield.Moment): a system that takes it from a busy thread only at
// its own ticks (4 ms in a Linux of 250 Hz) keeps a loop waiting for the next one, and may stop the
// janitor with a shard's lock in its hands. With sched_yield in place of the moment's sleep the
// longest PING on two cores was 6 to 17 ms, with it 2 to 3, and it took as long.
// While commands make their own room the janitor stays away, but looks again
// every payingPause: where few commands come, each frees little.

const (
	sliceBudget = 500 * time.Microsecond
	// maxShare and shareStep are percent of one core: active-expire-effort 1 gives
	// maxShare, each step above it shareStep more, as in Redis.
	maxShare, shareStep = 25, 2
	// longestWork is what a slice's work counts as at most: none takes so long but one that the system
	// has stopped meanwhile, and keys would wait three times as long again.
	longestWork = 4 * sliceBudget
	// payingPause is the time until the next look at memory that is above maxmemory though
	// commands have made room.
	payingPause = 2 * time.Millisecond
	// samplePeriod is the time between two samples of the rates, and two ticks.
	samplePeriod = 100 * time.Millisecond
)

type janitor struct {
	store   *store.Store
	persist *persistence.Manager
	kernel  *engine.Kernel
	cfg     *config.Config
	log     *slog.Logger
	clock   func() time.Time // what its work is measured by
	stop    chan struct{}
	done    chan struct{}

	evictor *store.Evictor
	sampled time.Time // when the rates were
	trimmer trimmer
	failed  bool // the last unit of work reported an error

	// Of the slice that runs: the time of its units, which may have different shares. Eviction has
	// none, and is in neither.
	compacting, other time.Duration
	expiring          time.Duration // part of other
}

func startJanitor(st *store.Store, p *persistence.Manager,
	k *engine.Kernel, cfg *config.Config, log *slog.Logger) *janitor {
	j := &janitor{
		store: st, persist: p, kernel: k, cfg: cfg, log: log, clock: time.Now,
		stop: make(chan struct{}), done: make(chan struct{}), evictor: st.NewEvictor(),
	}
	go j.run()
	return j
}

// close stops the work and waits for the slice that runs.
func (j *janitor) close() {
	close(j.stop)
	<-j.done
}

func (j *janitor) run() {
	defer close(j.done)
	gc := collector{usual: stats.GCPercent()}
	defer gc.follow(false)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-timer.C:
		case <-j.store.Bell():
		case <-j.kernel.PurgeBell():
		}
		gc.follow(j.cfg.Values().MaxMemory > 0)
		pause := j.round()
		if pause == 0 {
			yield.Moment()
		}
		timer.Reset(pause)
	}
}

// round does one slice and returns how long to sleep.
func (j *janitor) round() time.Duration {
	v := j.cfg.Values()
	start := j.clock()
	if start.Sub(j.sampled) >= samplePeriod {
		j.sampled = start
		j.kernel.SampleRates()
		j.kernel.EnforceClientsLimit()
		j.kernel.SampleMemory(j.kernel.UsedMemory())
		j.kernel.WatchResident(stats.ReadProcess().RSS)
		j.trimmer.trim(start, trimSlack(v.MaxMemory))
		j.persist.Tick()
	}
	paid := j.kernel.Paid()
	more := j.slice(start, paid)
	j.kernel.TellChanges()
	j.kernel.FlushMessages()
	if !more {
		return j.pause(v, paid)
	}
	share := maxShare + shareStep*(v.ActiveExpireEffort-1)
	compacting := j.compactingShare(v, share)
	if j.compacting > 0 {
		j.kernel.CompactingShare.Store(compacting)
	}
	return rest(j.other, share) + rest(j.compacting, compacting)
}

// pause is how long to sleep after a slice that has left nothing to do, at most.
func (j *janitor) pause(v *config.Values, paid bool) time.Duration {
	usual := time.Second / time.Duration(v.Hz)
	if _, over := j.kernel.OverLimit(); paid && over > 0 {
		return min(payingPause, usual)
	}
	if !j.mayMaintain() {
		return usual
	}
	now := j.clock()
	return j.store.Rest(now, j.kernel.PurgeRest(now, usual))
}

// mayMaintain reports whether expired keys may be removed: not while the data are loaded, since
// commands of the log may refer to them, and not while clients pause, since nothing is to change.
func (j *janitor) mayMaintain() bool {
	return j.persist.State()&persistence.Loading == 0 && !j.kernel.Still()
}

// slice works until there is nothing to do or sliceBudget is used up, and tells
// which. It evicts nothing if commands have paid.
func (j *janitor) slice(start time.Time, paid bool) (more bool) {
	j.compacting, j.other, j.expiring = 0, 0, 0
	defer func() { j.kernel.Latency.Add("expire-cycle", j.expiring) }()
	maintain, crowded := j.mayMaintain(), !paid
	purging, turn := maintain && j.kernel.RunningPurges() > 0, false
	for worked := time.Duration(0); maintain || crowded || purging; turn = !turn {
		at := start.Add(worked)
		now := at.UnixMilli()
		work := store.Looking
		crowded = crowded && j.kernel.EvictWhenIdle(j.evictor, now)
		switch {
		case crowded:
		case purging && (turn || !maintain):
			purging = j.kernel.PurgeStep(at)
		case maintain:
			var err error
			maintain, err = j.store.Maintain(now)
			j.report(err)
			work = j.store.Maintained()
		}
		unit := j.clock().Sub(start) - worked
		worked += unit
		switch {
		case crowded: // no rest for it
		case work == store.Compacting:
			j.compacting += unit
		case work == store.Expiring:
			j.kernel.ExpireTime.Add(int64(unit))
			j.expiring += unit
			fallthrough
		default:
			j.other += unit
		}
		if worked >= sliceBudget {
			if work == store.Expiring {
				j.kernel.ExpireCapped.Add(1)
			}
			return true
		}
	}
	return false
}

// rest is how long to sleep after some work so that its share of a core, in percent,
// is kept.
func rest(worked time.Duration, share int64) time.Duration {
	return min(worked, longestWork) * time.Duration(100-share) / time.Duration(share)
}

// compactingShare is that of compaction: with activedefrag from active-defrag-cycle-min
// to active-defrag-cycle-max percent, as fragmentation lies between the thresholds.
func (j *janitor) compactingShare(v *config.Values, usual int64) int64 {
	if !v.ActiveDefrag {
		return usual
	}
	least, most := v.DefragCycleMin, max(v.DefragCycleMin, v.DefragCycleMax)
	low, high := float64(v.DefragThresholdLower), float64(v.DefragThresholdUpper)
	if low >= high {
		return most
	}
	at := (j.store.FragmentationPercent() - low) / (high - low)
	return least + int64(float64(most-least)*min(max(at, 0), 1))
}

// report logs the first of a row of errors. The work goes on: memory that cannot
// be given back is still used.
func (j *janitor) report(err error) {
	if err != nil && !j.failed {
		j.log.Error("background work", "error", err)
	}
	j.failed = err != nil
}
